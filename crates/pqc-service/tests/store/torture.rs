//! How long the tests go on that kill and stop what they test, and at which moments.
//!
//! Also part of the tests of `pqc-cli`. In CI they are short; `cargo xtask torture` asks for more.

use std::time::Duration;

/// The rounds of a test: `short`, or as many as `PQC_TORTURE_ROUNDS` says.
pub(crate) fn rounds(short: u32) -> u32 {
    std::env::var("PQC_TORTURE_ROUNDS").map_or(short, |rounds| rounds.parse().unwrap())
}

/// Moments by chance, the same again under the same `PQC_TORTURE_SEED`.
pub(crate) struct Moments(u64);

impl Moments {
    /// A test that fails shows the seed.
    pub(crate) fn new() -> Self {
        let seed = std::env::var("PQC_TORTURE_SEED").map_or_else(
            |_| {
                let mut random = [0; 4];
                getrandom::fill(&mut random).unwrap();
                u32::from_le_bytes(random).into()
            },
            |seed| seed.parse().unwrap(),
        );
        println!("PQC_TORTURE_SEED={seed} has the same moments again");
        Self(seed)
    }

    /// A time of less than so many milliseconds.
    pub(crate) fn less_than(&mut self, millis: u64) -> Duration {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis((mixed ^ (mixed >> 31)) % millis)
    }
}
