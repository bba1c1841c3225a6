//! What several modules need: generators that can be repeated or made to fail, and counts that are
//! seen though the test passes.

use std::convert::Infallible;
use std::io::Write;

use rand_core::{TryCryptoRng, TryRng};

/// A generator that gives the same bytes for the same seed (SplitMix64). For tests alone.
pub(crate) struct Repeatable(u64);

impl Repeatable {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| (self.number() >> 56) as u8).collect()
    }

    #[cfg(feature = "hazmat")]
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        [(); N].map(|()| (self.number() >> 56) as u8)
    }
}

impl TryRng for Repeatable {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.number() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.number())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().for_each(|byte| *byte = (self.number() >> 56) as u8);
        Ok(())
    }
}

impl TryCryptoRng for Repeatable {}

/// Gives 00, 01, 02, …: what is drawn can be written down by hand. For tests alone.
pub(crate) struct Counting(u8);

impl Counting {
    pub(crate) fn from_zero() -> Self {
        Self(0)
    }
}

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for byte in bytes {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

/// Fails at the `fails_at`th call (counted from 0), and counts the calls.
pub(crate) struct Failing {
    pub(crate) calls: usize,
    pub(crate) fails_at: usize,
    inner: Repeatable,
}

impl Failing {
    pub(crate) fn at(fails_at: usize) -> Self {
        Self { calls: 0, fails_at, inner: Repeatable::new(7) }
    }

    fn call(&mut self) -> Result<&mut Repeatable, NoEntropy> {
        let call = self.calls;
        self.calls += 1;
        if call == self.fails_at { Err(NoEntropy) } else { Ok(&mut self.inner) }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no entropy")]
pub(crate) struct NoEntropy;

impl TryRng for Failing {
    type Error = NoEntropy;

    fn try_next_u32(&mut self) -> Result<u32, NoEntropy> {
        self.call().map(|rng| rng.number() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, NoEntropy> {
        self.call().map(Repeatable::number)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let random = self.call()?.bytes(bytes.len());
        bytes.copy_from_slice(&random);
        Ok(())
    }
}

impl TryCryptoRng for Failing {}

/// Writes a line that shows even when the test passes.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// `bytes` with one bit flipped.
pub(crate) fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}
