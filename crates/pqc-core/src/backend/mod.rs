//! The seam: the few functions that the core needs from whoever computes ML-KEM and ML-DSA.
//!
//! [`libcrux`](Libcrux) is the default on x86-64 and aarch64; [`RustCrypto`] is always built, is
//! the only one elsewhere, and checks the other. Both give the same bytes for the same input:
//! `tests/differential.rs` and [`crate::selftest`] hold them to it. Inputs have their algorithm's
//! lengths: the types above the seam see to that. No `cfg` stands outside this folder.

use alloc::vec::Vec;

use crate::error::Error;
use crate::kem::KemAlgorithm;
use crate::secret::{Secret, SecretVec};
use crate::sign::SignatureAlgorithm;

#[cfg(all(feature = "libcrux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod libcrux;
mod rustcrypto;

#[cfg(all(feature = "libcrux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use libcrux::Libcrux;
pub use rustcrypto::RustCrypto;

pub(crate) use rustcrypto::verifying_key_of_expanded;

/// The backend that this build computes with.
#[cfg(all(feature = "libcrux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub type Active = Libcrux;
/// The backend that this build computes with.
#[cfg(not(all(feature = "libcrux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub type Active = RustCrypto;

/// What a backend computes. Deterministic: all randomness is an argument.
pub trait Backend {
    /// The name for people.
    const NAME: &'static str;

    /// ML-KEM.KeyGen_internal (FIPS 203, Algorithm 16) from d ‖ z: encapsulation key and expanded
    /// decapsulation key.
    fn kem_key_pair(algorithm: KemAlgorithm, seed: &Secret<64>) -> (Vec<u8>, SecretVec);

    /// The modulus check (FIPS 203, Section 7.2).
    fn encapsulation_key_is_reduced(algorithm: KemAlgorithm, key: &[u8]) -> bool;

    /// ML-KEM.Encaps_internal (FIPS 203, Algorithm 17) to a reduced key: ciphertext and secret.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn encapsulate(
        algorithm: KemAlgorithm,
        key: &[u8],
        message: &Secret<32>,
    ) -> Result<(Vec<u8>, Secret<32>), Error>;

    /// ML-KEM.Decaps_internal (FIPS 203, Algorithm 18) by an expanded key.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn decapsulate(
        algorithm: KemAlgorithm,
        expanded: &[u8],
        ciphertext: &[u8],
    ) -> Result<Secret<32>, Error>;

    /// ML-DSA.KeyGen_internal (FIPS 204, Algorithm 6): verifying key and expanded signing key.
    fn signing_key_pair(algorithm: SignatureAlgorithm, seed: &Secret<32>) -> (Vec<u8>, SecretVec);

    /// ML-DSA.Sign (FIPS 204, Algorithm 2) with `hedge` as rnd and a context of at most 255 bytes.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length, or rejection sampling gave up.
    fn sign(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
        message: &[u8],
        context: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error>;

    /// ML-DSA.Verify (FIPS 204, Algorithm 3).
    fn verify(
        algorithm: SignatureAlgorithm,
        key: &[u8],
        message: &[u8],
        context: &[u8],
        signature: &[u8],
    ) -> bool;
}

const fn internal(what: &'static str) -> Error {
    Error::Internal { what }
}
