//! The seam: the few functions that the core needs from whoever computes ML-KEM and ML-DSA.
//!
//! [`libcrux`](Libcrux) is the default on x86-64 and aarch64; [`RustCrypto`] is always built, is
//! the only one elsewhere, and checks the other. Both give the same bytes for the same input:
//! `tests/core/differential.rs` and [`crate::selftest`] hold them to it. No `cfg` that chooses
//! between them stands outside this folder.
//!
//! It is public with the feature `hazmat` alone, for tests and measurements. Nothing here judges its
//! input: the types above the seam do, and hand down encapsulation keys that passed the modulus
//! check and expanded keys that [`from_expanded`](crate::SigningKey::from_expanded) took or key
//! generation made. Of any other a backend may make anything, and may panic.
//!
//! libcrux-ml-dsa has no external mu, no incremental input and no prepared keys: what needs these
//! runs on ml-dsa on every build. A prepared key of [`Libcrux`] holds ml-dsa's for μ, and signs and
//! verifies whole messages as libcrux does it, which is faster (`benches/`). Pre-hashed signing is
//! the internal interface on a framed message, which both have.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::error::Error;
use crate::kem::ParameterSet;
use crate::secret::{Secret, SecretVec};
use crate::sign::SignatureAlgorithm;

#[cfg(feature = "aws-lc")]
mod aws_lc;
pub(crate) mod gcm;
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

/// ML-DSA.Verify (FIPS 204, Algorithm 3), by AWS-LC where the feature `aws-lc` is on and the context
/// empty; else by [`Active`].
pub(crate) fn verify(
    algorithm: SignatureAlgorithm,
    key: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> bool {
    #[cfg(feature = "aws-lc")]
    if context.is_empty() {
        return aws_lc::verify(algorithm, key, message, signature);
    }
    Active::verify(algorithm, key, message, context, signature)
}

/// What a backend computes. Deterministic: all randomness is an argument.
///
/// ```
/// use pqc_core::Secret;
/// use pqc_core::backend::{Active, Backend, RustCrypto};
/// use pqc_core::kem::ParameterSet::MlKem768;
/// let seed = Secret::from([7; 64]);
/// let (public, expanded) = Active::kem_key_pair(MlKem768, &seed);
/// assert_eq!(RustCrypto::kem_key_pair(MlKem768, &seed).0, public);
///
/// let (ciphertext, sent) = Active::encapsulate(MlKem768, &public, &Secret::from([9; 32]))?;
/// let received = RustCrypto::decapsulate(MlKem768, expanded.expose_bytes(), &ciphertext)?;
/// assert!(received.ct_eq(&sent));
/// # Ok::<(), pqc_core::Error>(())
/// ```
pub trait Backend {
    /// The name for people.
    const NAME: &'static str;

    /// ML-KEM.KeyGen_internal (FIPS 203, Algorithm 16) from d ‖ z: encapsulation key and expanded
    /// decapsulation key.
    fn kem_key_pair(algorithm: ParameterSet, seed: &Secret<64>) -> (Vec<u8>, SecretVec);

    /// The modulus check (FIPS 203, Section 7.2).
    fn encapsulation_key_is_reduced(algorithm: ParameterSet, key: &[u8]) -> bool;

    /// ML-KEM.Encaps_internal (FIPS 203, Algorithm 17) to a reduced key: ciphertext and secret.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn encapsulate(
        algorithm: ParameterSet,
        key: &[u8],
        message: &Secret<32>,
    ) -> Result<(Vec<u8>, Secret<32>), Error>;

    /// ML-KEM.Decaps_internal (FIPS 203, Algorithm 18) by an expanded key.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn decapsulate(
        algorithm: ParameterSet,
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

    /// ML-DSA.Sign_internal (FIPS 204, Algorithm 7) of the message M' that the caller framed, with
    /// `hedge` as rnd.
    ///
    /// # Errors
    /// As [`Self::sign`].
    fn sign_internal(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
        framed: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error>;

    /// ML-DSA.Verify_internal (FIPS 204, Algorithm 8) of the message M' that the caller framed.
    fn verify_internal(
        algorithm: SignatureAlgorithm,
        key: &[u8],
        framed: &[u8],
        signature: &[u8],
    ) -> bool;

    /// Decodes a reduced encapsulation key once: for many calls.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn prepare_encapsulation_key(
        algorithm: ParameterSet,
        key: &[u8],
    ) -> Result<Box<dyn PreparedEncapsulation>, Error>;

    /// Decodes an expanded decapsulation key once: for many calls.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn prepare_decapsulation_key(
        algorithm: ParameterSet,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedDecapsulation>, Error>;

    /// Decodes an expanded signing key once: for many calls.
    ///
    /// ```
    /// use pqc_core::Secret;
    /// use pqc_core::SignatureAlgorithm::MlDsa44;
    /// use pqc_core::backend::{Active, Backend};
    /// let (public, expanded) = Active::signing_key_pair(MlDsa44, &Secret::from([7; 32]));
    /// let expanded = expanded.expose_bytes();
    /// let hedge = Secret::from([0; 32]); // the deterministic variant
    /// let signature = Active::sign(MlDsa44, expanded, b"message", b"", &hedge)?;
    /// assert!(Active::verify(MlDsa44, &public, b"message", b"", &signature));
    /// let prepared = Active::prepare_signing_key(MlDsa44, expanded)?;
    /// assert_eq!(prepared.sign(b"message", b"", &hedge)?, signature);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn prepare_signing_key(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedSigning>, Error>;

    /// Decodes a verifying key once: for many calls.
    ///
    /// # Errors
    /// [`Error::Internal`]: an input of another length.
    fn prepare_verifying_key(
        algorithm: SignatureAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn PreparedVerifying>, Error>;
}

/// A decoded encapsulation key.
pub trait PreparedEncapsulation: Send + Sync {
    /// ML-KEM.Encaps_internal (FIPS 203, Algorithm 17): ciphertext and secret.
    fn encapsulate(&self, message: &Secret<32>) -> (Vec<u8>, Secret<32>);

    /// About how many bytes of memory it takes, what it points to counted.
    fn memory_bytes(&self) -> usize;
}

/// A decoded decapsulation key, wiped when it is dropped.
pub trait PreparedDecapsulation: Send + Sync {
    /// ML-KEM.Decaps_internal (FIPS 203, Algorithm 18).
    ///
    /// # Errors
    /// [`Error::Internal`]: a ciphertext of another length.
    fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret<32>, Error>;

    /// About how many bytes of memory it takes, what it points to counted.
    fn memory_bytes(&self) -> usize;
}

/// A decoded signing key, wiped when it is dropped.
pub trait PreparedSigning: Send + Sync {
    /// As [`Backend::sign`].
    ///
    /// # Errors
    /// [`Error::Internal`]: rejection sampling gave up.
    fn sign(&self, message: &[u8], context: &[u8], hedge: &Secret<32>) -> Result<Vec<u8>, Error>;

    /// As [`Backend::sign_internal`].
    ///
    /// # Errors
    /// [`Error::Internal`]: rejection sampling gave up.
    fn sign_internal(&self, framed: &[u8], hedge: &Secret<32>) -> Result<Vec<u8>, Error>;

    /// ML-DSA.Sign_internal (FIPS 204, Algorithm 7) from its line 7 on: μ is given.
    ///
    /// # Errors
    /// [`Error::Internal`]: rejection sampling gave up.
    fn sign_mu(&self, mu: &[u8; 64], hedge: &Secret<32>) -> Result<Vec<u8>, Error>;
}

/// A decoded verifying key.
pub trait PreparedVerifying: Send + Sync {
    /// As [`Backend::verify`].
    fn verify(&self, message: &[u8], context: &[u8], signature: &[u8]) -> bool;

    /// As [`Backend::verify_internal`].
    fn verify_internal(&self, framed: &[u8], signature: &[u8]) -> bool;

    /// ML-DSA.Verify_internal (FIPS 204, Algorithm 8) from its line 8 on: μ is given.
    fn verify_mu(&self, mu: &[u8; 64], signature: &[u8]) -> bool;
}

const fn internal(what: &'static str) -> Error {
    Error::Internal { what }
}
