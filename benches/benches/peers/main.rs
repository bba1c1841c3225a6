//! The core beside the libraries that it could be replaced by, and beside its own backend called
//! directly, in ratios of one run: `cargo bench -p pqc-benches --features parallel,aws-lc --bench peers`.
//!
//! A name after `--` picks the rows that it is part of. A row is the time of the core and of the
//! fastest other: the medians of rounds in which each is measured in turn; the ratio is the median of
//! the rounds' ratios, above 1 where the core is faster. From bytes means: what a caller has is the
//! bytes of a key, and they are checked as each library checks them. `--short` is for trying; as a test,
//! each runs once.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made should stop, and says what it found"
)]

mod aes;
mod kem;
mod row;
mod sign;
mod stream;

use row::Extent;

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    // `cargo bench` says so; `cargo test` does not.
    let is_bench = args.iter().any(|arg| arg == "--bench");
    let is_short = args.iter().any(|arg| arg == "--short");
    let extent = match is_bench {
        true if is_short => Extent::SHORT,
        true => Extent::FULL,
        false => Extent::ONCE,
    };
    let named: Vec<_> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    println!("row\tcore (us)\tother\tother (us)\tratio\tgoal\tslower ones (us)");
    for family in [kem::rows, sign::rows, aes::rows, stream::rows] {
        for row in family() {
            if named.is_empty() || named.iter().any(|name| row.name.contains(name.as_str())) {
                println!("{}", row.measure(extent));
            }
        }
    }
}

/// Fresh bytes of the operating system's, as the core takes them: for the others that want some.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}
