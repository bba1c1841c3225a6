//! What several modules need: generators that can be repeated or made to fail, and counts that are
//! seen though the test passes.

use std::convert::Infallible;
use std::io::Write;

use pqc_core::backend::{
    Active, Backend, PreparedDecapsulation, PreparedEncapsulation, PreparedSigning,
    PreparedVerifying, RustCrypto,
};
use pqc_core::kem::ParameterSet;
use pqc_core::{Error, Secret, SecretVec, SignatureAlgorithm};
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

/// How many cases each comparison of implementations takes: `PQC_CASES`, or 1,002 in all.
pub(crate) fn cases() -> usize {
    std::env::var("PQC_CASES").map_or(1002, |cases| cases.parse().unwrap())
}

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

/// A backend's functions as values, so that a loop runs over both.
#[expect(clippy::type_complexity, reason = "the trait's signatures, word for word")]
pub(crate) struct Functions {
    pub(crate) name: &'static str,
    pub(crate) kem_key_pair: fn(ParameterSet, &Secret<64>) -> (Vec<u8>, SecretVec),
    pub(crate) encapsulation_key_is_reduced: fn(ParameterSet, &[u8]) -> bool,
    pub(crate) encapsulate:
        fn(ParameterSet, &[u8], &Secret<32>) -> Result<(Vec<u8>, Secret<32>), Error>,
    pub(crate) decapsulate: fn(ParameterSet, &[u8], &[u8]) -> Result<Secret<32>, Error>,
    pub(crate) signing_key_pair: fn(SignatureAlgorithm, &Secret<32>) -> (Vec<u8>, SecretVec),
    pub(crate) sign:
        fn(SignatureAlgorithm, &[u8], &[u8], &[u8], &Secret<32>) -> Result<Vec<u8>, Error>,
    pub(crate) verify: fn(SignatureAlgorithm, &[u8], &[u8], &[u8], &[u8]) -> bool,
    pub(crate) sign_internal:
        fn(SignatureAlgorithm, &[u8], &[u8], &Secret<32>) -> Result<Vec<u8>, Error>,
    pub(crate) verify_internal: fn(SignatureAlgorithm, &[u8], &[u8], &[u8]) -> bool,
    pub(crate) prepare_encapsulation_key:
        fn(ParameterSet, &[u8]) -> Result<Box<dyn PreparedEncapsulation>, Error>,
    pub(crate) prepare_decapsulation_key:
        fn(ParameterSet, &[u8]) -> Result<Box<dyn PreparedDecapsulation>, Error>,
    pub(crate) prepare_signing_key:
        fn(SignatureAlgorithm, &[u8]) -> Result<Box<dyn PreparedSigning>, Error>,
    pub(crate) prepare_verifying_key:
        fn(SignatureAlgorithm, &[u8]) -> Result<Box<dyn PreparedVerifying>, Error>,
}

impl Functions {
    pub(crate) fn of<B: Backend>() -> Self {
        Self {
            name: B::NAME,
            kem_key_pair: B::kem_key_pair,
            encapsulation_key_is_reduced: B::encapsulation_key_is_reduced,
            encapsulate: B::encapsulate,
            decapsulate: B::decapsulate,
            signing_key_pair: B::signing_key_pair,
            sign: B::sign,
            verify: B::verify,
            sign_internal: B::sign_internal,
            verify_internal: B::verify_internal,
            prepare_encapsulation_key: B::prepare_encapsulation_key,
            prepare_decapsulation_key: B::prepare_decapsulation_key,
            prepare_signing_key: B::prepare_signing_key,
            prepare_verifying_key: B::prepare_verifying_key,
        }
    }
}

/// The active backend and the reference; without the feature `libcrux` they are the same.
pub(crate) fn both_backends() -> [Functions; 2] {
    [Functions::of::<Active>(), Functions::of::<RustCrypto>()]
}
