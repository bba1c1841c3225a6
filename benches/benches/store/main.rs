//! What the store costs, in ratios of one run: `cargo bench -p pqc-benches --bench store -- uses`.
//! The parts are `uses`, `tokens` and `keys`; without a name, all of them.
//!
//! `uses`: durable uses of tokens, alone and together. `tokens`: the same beside a million records
//! of tokens, and a page of their list. `keys`: decapsulation by one of a million stored keys, and
//! the server's memory. The stores are an SQLite file in a temporary folder (`TMPDIR` says where)
//! and, where `PQC_TEST_POSTGRES` names a cluster, a database in it; rows are filled in past the
//! store. `tokens` and `keys` also start the program `pqc`, if it lies in `target/release`. As a
//! test, every part runs once and small.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a measurement that cannot be made should stop, and says what it found"
)]

mod ground;
mod keys;
mod program;
mod tokens;
mod uses;

use std::time::{Duration, Instant};

use ground::Ground;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Rows that are filled in.
    many: u64,
    /// Rows of the small store.
    few: u64,
    /// The least time for each figure.
    time: Duration,
}

impl Extent {
    const FULL: Self = Self { many: 1_000_000, few: 1_000, time: Duration::from_secs(4) };
    const SHORT: Self = Self { many: 500, few: 20, time: Duration::from_millis(30) };
}

#[tokio::main]
async fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    // `cargo bench` says so; `cargo test` does not.
    let is_bench = args.iter().any(|arg| arg == "--bench");
    let extent = if is_bench { Extent::FULL } else { Extent::SHORT };
    let named: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| *name == part);
    for kind in ground::KINDS {
        if wanted("uses") {
            measure(kind, extent, uses::measure).await;
        }
        if wanted("tokens") {
            measure(kind, extent, tokens::measure).await;
        }
        if wanted("keys") {
            measure(kind, extent, keys::measure).await;
        }
    }
}

async fn measure(kind: ground::Kind, extent: Extent, part: impl AsyncFn(&Ground, Extent)) {
    let Some(ground) = Ground::new(kind).await else {
        println!("{kind:?}: PQC_TEST_POSTGRES is not set, so nothing is measured");
        return;
    };
    part(&ground, extent).await;
    ground.remove().await;
}

/// Times each of these calls; gives the median and the greatest.
async fn latency<T>(count: usize, mut call: impl AsyncFnMut(usize) -> T) -> (Duration, Duration) {
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let begun = Instant::now();
        call(n).await;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    (times[count / 2], times[count - 1])
}
