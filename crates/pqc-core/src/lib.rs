//! The cryptography and the token policy of pqc, as typed functions.
//!
//! This crate does no I/O. It reads no clock, no file, no socket and no environment: the caller
//! hands in the time ([`Timestamp`]), randomness ([`rand_core::TryCryptoRng`]) and bytes, and gets
//! values back. So one core serves the server, the command line, a fuzzer and a bench, and every
//! test is a table.
//!
//! Where to start:
//! * [`kem`]: ML-KEM (FIPS 203) and X-Wing; [`sign`]: ML-DSA (FIPS 204).
//! * [`attest`]: the issuer's statement about an encapsulation key, and
//!   [`VerifiedEncapsulationKey`], the proof that it was checked.
//! * [`message`]: one text, one AES-256 key, one self-describing box.
//! * [`stream`]: the same for data of any length, chunk by chunk, in constant memory.
//! * [`token`]: token values and the policy that admits or refuses a call.
//! * [`seal`]: secrets at rest under a master key.
//! * [`selftest`]: known answers, run before a program trusts this build; with the feature `acvp`,
//!   the module of that name answers NIST's test vectors.
//!
//! ```
//! use pqc_core::{KemAlgorithm, DecapsulationKey};
//! # fn main() -> Result<(), pqc_core::Error> {
//! let mut rng = getrandom::SysRng;
//! let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng)?;
//! let (ciphertext, sent) = receiver.encapsulation_key().encapsulate_unattested(&mut rng)?;
//! let received = receiver.decapsulate(&ciphertext)?;
//! assert!(sent.ct_eq(&received));
//! # Ok(())
//! # }
//! ```
#![no_std]
#![forbid(unsafe_code)]
// A division takes a time that depends on its operands. The few that there are say what is public.
#![warn(clippy::integer_division_remainder_used)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::integer_division_remainder_used,
        clippy::panic,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "acvp")]
pub mod acvp;
mod aead;
pub mod attest;
pub mod backend;
pub mod error;
mod hybrid;
pub mod id;
pub mod kem;
pub mod keyfile;
pub mod message;
pub mod seal;
pub mod secret;
pub mod selftest;
pub mod sign;
pub mod stream;
pub mod time;
pub mod token;

pub use attest::{Attestation, Issuer, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey};
pub use error::{Error, Field};
pub use id::{AccountId, KeyId, TokenId};
pub use kem::{Ciphertext, DecapsulationKey, EncapsulationKey, KemAlgorithm, SharedSecret};
pub use message::{BoxKey, MessageBox};
pub use seal::{MasterKey, MasterKeys, RecordKind, RecordName, SealedRecord};
pub use secret::{Secret, SecretVec};
pub use sign::{Context, Signature, SignatureAlgorithm, SigningKey, VerifyingKey};
pub use stream::{StreamHeader, StreamKey, StreamLayout, StreamOpener, StreamSealer};
pub use time::Timestamp;
