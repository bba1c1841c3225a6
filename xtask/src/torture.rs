//! The long forms of the tests that kill, stop and starve what they test, over and over.
//!
//! `kill -9` under load on both stores, several servers of which one is killed, PostgreSQL stopped
//! and started, disks that are full or fail, clocks that jump. The tests themselves are those of
//! `cargo xtask test`; here each goes on for more rounds, at other moments in each pass.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::checks;
use crate::command::cargo_with;

/// The tests, by package.
const SUITES: [&str; 2] = [
    "test --quiet --package pqc-service --test store -- killed:: many_servers:: interrupted::",
    "test --quiet --package pqc-cli --features pqc-core/hazmat --test server -- killed:: \
     full_disk:: disk_failure:: clock_jumps::",
];

/// The rounds of each test in one pass.
const ROUNDS: u32 = 25;

/// Passes until the time is over; `seed` is that of the first one.
///
/// # Errors
/// The first test that fails, with the seed of its pass.
pub(crate) fn run(minutes: u32, seed: u64) -> anyhow::Result<()> {
    let begin = Instant::now();
    let cluster = checks::cluster()?;
    let url = cluster.as_ref().map(|cluster| cluster.url("postgres"));
    let mut passes = 0;
    while begin.elapsed() < Duration::from_secs(60 * u64::from(minutes)) {
        let seed = seed.wrapping_add(u64::from(passes));
        let (rounds, seed) = (ROUNDS.to_string(), seed.to_string());
        let mut environment = vec![("PQC_TORTURE_ROUNDS", &*rounds), ("PQC_TORTURE_SEED", &*seed)];
        environment.extend(url.as_deref().map(|url| ("PQC_TEST_POSTGRES", url)));
        for suite in SUITES {
            cargo_with(suite, &environment).with_context(|| {
                format!("pass {} failed; --seed {seed} has its moments again", passes + 1)
            })?;
        }
        passes += 1;
        eprintln!(
            "xtask: torture: {passes} passes, {} rounds of each test, in {} s",
            passes * ROUNDS,
            begin.elapsed().as_secs()
        );
    }
    Ok(())
}
