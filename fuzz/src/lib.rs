//! What is fuzzed: each target is a function of bytes that panics when a promise is broken.
//!
//! `fuzz_targets/` hands them to libFuzzer; the core's tests replay `corpus/` through them.

#![forbid(unsafe_code)]

#[cfg(feature = "acvp")]
pub mod acvp;
pub mod attestation;
pub mod audit;
pub mod envelope;
#[cfg(feature = "inspect")]
pub mod inspect;
pub mod jwk;
pub mod key_files;
pub mod keys;
pub mod message_box;
pub mod sealed_record;
pub mod stream;
pub mod token_policy;
pub mod token_value;

use arbitrary::{Arbitrary, Unstructured};

/// A target: a function of any bytes.
pub type Target = fn(&[u8]);

/// Every target, by the name of its program in `Cargo.toml` and of its folder in `corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    #[cfg(feature = "acvp")]
    ("acvp", acvp::run),
    ("attestation", attestation::run),
    ("audit", audit::run),
    ("envelope", envelope::run),
    #[cfg(feature = "inspect")]
    ("inspect", inspect::run),
    ("jwk", jwk::run),
    ("key_files", key_files::run),
    ("keys", keys::run),
    ("message_box", message_box::run),
    ("sealed_record", sealed_record::run),
    ("stream", stream::run),
    ("token_policy", token_policy::run),
    ("token_value", token_value::run),
];

/// The value that `bytes` stand for; none if they are too few.
fn decode<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}

/// A change to honest bytes, at a place and by bytes that the fuzzer chooses.
#[derive(Debug, Arbitrary)]
enum Edit<'a> {
    Overwrite { at: u16, bytes: &'a [u8] },
    Insert { at: u16, bytes: &'a [u8] },
    Delete { at: u16, count: u8 },
}

/// `honest` after the edits, of which the first few count.
fn edited(honest: &[u8], edits: &[Edit<'_>]) -> Vec<u8> {
    let mut bytes = honest.to_vec();
    for edit in edits.iter().take(8) {
        let (at, removed, put) = match *edit {
            Edit::Overwrite { at, bytes } => (at, bytes.len(), bytes),
            Edit::Insert { at, bytes } => (at, 0, bytes),
            Edit::Delete { at, count } => (at, usize::from(count), &[][..]),
        };
        let at = usize::from(at) % (bytes.len() + 1);
        let end = at.saturating_add(removed).min(bytes.len());
        bytes.splice(at..end, put.iter().copied());
    }
    bytes
}

/// Gives one byte for ever, so that each run is the same.
struct Constant(u8);

impl rand_core::TryRng for Constant {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.into())
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.into())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.fill(self.0);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Constant {}
