//! ML-DSA (FIPS 204, Algorithms 1 to 8), all three parameter sets, pure and pre-hashed, with a
//! context.
//!
//! A signing key is kept as its 32-byte seed. Signing is hedged: fresh randomness goes into every
//! signature (FIPS 204, Algorithm 2), so that a fault or a bad generator alone leaks nothing. Who
//! needs the same signature for the same message says so: `sign_deterministic`.
//!
//! | the signer has | sign | verify |
//! |---|---|---|
//! | the message | [`SigningKey::sign`] | [`VerifyingKey::verify`] |
//! | its [`Mu`], for this key and context | [`SigningKey::sign_mu`] | as above, or [`VerifyingKey::verify_mu`] |
//! | its digest, a [`PreHash`] | [`SigningKey::sign_prehash`] | [`VerifyingKey::verify_prehash`] |
//!
//! A key for many signatures is prepared once: [`SigningKey::prepare`], [`VerifyingKey::prepare`].

mod algorithm;
mod batch;
mod mu;
mod prehash;
mod prepared;
mod signing;
mod verifying;

use alloc::vec::Vec;

use crate::error::{Error, Field};
use crate::secret::Secret;

pub use algorithm::SignatureAlgorithm;
pub use batch::{SignedMessage, verify_batch};
pub(crate) use mu::shake256;
pub use mu::{Mu, MuHasher};
pub use prehash::{PreHash, PreHashAlgorithm, PreHasher};
pub use prepared::{PreparedSigningKey, PreparedVerifyingKey};
pub use signing::SigningKey;
pub use verifying::VerifyingKey;

/// A context: 0 to 255 bytes that bind a signature to its purpose (FIPS 204, Algorithm 2).
///
/// ```
/// use pqc_core::{Context, Error};
/// const RELEASES: &[u8] = b"example.org/release";
/// assert_eq!(Context::new(RELEASES)?.as_bytes(), RELEASES);
/// assert_eq!(Context::new(b"")?, Context::EMPTY);
/// assert_eq!(Context::new(&[0; 256]), Err(Error::ContextTooLong { actual: 256 }));
/// # Ok::<(), Error>(())
/// ```
///
/// Bytes are no context before they are counted:
/// ```compile_fail,E0423
/// let context = pqc_core::Context(&[0; 256]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context<'a>(&'a [u8]);

impl<'a> Context<'a> {
    /// No context.
    pub const EMPTY: Self = Self(&[]);

    /// From at most 255 bytes.
    ///
    /// # Errors
    /// [`Error::ContextTooLong`].
    pub const fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > 255 {
            return Err(Error::ContextTooLong { actual: bytes.len() });
        }
        Ok(Self(bytes))
    }

    /// A context of this crate's own: too long a one does not compile.
    pub(crate) const fn from_short<const N: usize>(bytes: &'a [u8; N]) -> Self {
        const { assert!(N <= 255) };
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The length, as M′ has it.
    #[expect(clippy::cast_possible_truncation, reason = "a context has at most 255 bytes")]
    const fn length(self) -> u8 {
        self.0.len() as u8
    }
}

/// A signature of the right length: 2420, 3309 or 4627 bytes. Whether it is a right one, only
/// [`VerifyingKey::verify`] says.
///
/// ```
/// use pqc_core::{Signature, SignatureAlgorithm};
/// let signature = Signature::from_bytes(&[0; 3309])?;
/// assert_eq!(signature.algorithm(), SignatureAlgorithm::MlDsa65);
/// assert_eq!(signature.as_bytes().len(), SignatureAlgorithm::MlDsa65.signature_bytes());
/// assert!(Signature::from_bytes(&[0; 3293]).is_err()); // Dilithium3, before FIPS 204
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    algorithm: SignatureAlgorithm,
    bytes: Vec<u8>,
}

impl Signature {
    /// Reads a signature; its length names its parameter set.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(bytes)?, bytes: bytes.to_vec() })
    }

    fn algorithm_of(bytes: &[u8]) -> Result<SignatureAlgorithm, Error> {
        SignatureAlgorithm::of_length(
            Field::Signature,
            SignatureAlgorithm::signature_bytes,
            bytes.len(),
        )
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The encoded signature.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl TryFrom<Vec<u8>> for Signature {
    type Error = Error;

    /// As [`Self::from_bytes`], without a copy.
    fn try_from(bytes: Vec<u8>) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(&bytes)?, bytes })
    }
}

/// What was made, unless there is a `check` and it fails: there is one for a key that was read in
/// expanded form.
fn released(
    algorithm: SignatureAlgorithm,
    made: Result<Vec<u8>, Error>,
    check: Option<impl FnOnce(&Signature) -> bool>,
) -> Result<Signature, Error> {
    let made = made.map(|bytes| Signature { algorithm, bytes });
    match check {
        None => made,
        // With a wrong t0 the sampling may also give up: then too the key is to blame, not we.
        Some(verifies) => made.ok().filter(verifies).ok_or(Error::InconsistentSigningKey),
    }
}

/// rnd of the deterministic variant (FIPS 204, Algorithm 2, line 5).
fn not_hedged() -> Secret<32> {
    Secret::from([0; 32])
}
