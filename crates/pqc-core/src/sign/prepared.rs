//! Prepared keys: decoded once, with the expanded matrix, for many signatures.
//!
//! They sign and verify the same bytes as the keys that they come from, and never more slowly. How
//! much faster depends on the build; most it is where μ is given. They are larger (some tens of
//! kilobytes) and live in memory only: to store or send a key, use the plain one.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::{Context, Mu, PreHash, Signature, SigningKey, VerifyingKey, not_hedged, released};
use crate::backend::{Active, Backend, PreparedSigning, PreparedVerifying};
use crate::error::Error;
use crate::secret::Secret;

/// A [`SigningKey`] for many signatures. Secret; wiped when it is dropped.
///
/// ```
/// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let mut rng = getrandom::SysRng;
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng)?.prepare()?;
/// let verifying_key = key.verifying_key().prepare()?;
/// for message in [b"one", b"two"] {
///     let signature = key.sign(message, Context::EMPTY, &mut rng)?;
///     assert!(verifying_key.verify(message, Context::EMPTY, &signature));
/// }
/// # Ok(())
/// # }
/// ```
///
/// It has one owner:
/// ```compile_fail,E0599
/// # use pqc_core::{SignatureAlgorithm, SigningKey};
/// # let mut rng = getrandom::SysRng;
/// # let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng).unwrap();
/// let copy = key.prepare().unwrap().clone();
/// ```
pub struct PreparedSigningKey {
    key: Box<dyn PreparedSigning>,
    verifying_key: VerifyingKey,
    /// For a key that was read in expanded form: each signature is verified before it leaves.
    check: Option<PreparedVerifyingKey>,
}

impl PreparedSigningKey {
    /// As [`SigningKey::sign`].
    ///
    /// # Errors
    /// As [`SigningKey::sign`].
    pub fn sign(
        &self,
        message: &[u8],
        context: Context<'_>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Signature, Error> {
        self.sign_with(message, context, &Secret::generate(rng)?)
    }

    /// As [`SigningKey::sign_deterministic`].
    ///
    /// ```
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
    /// let signature = key.prepare()?.sign_deterministic(b"m", Context::EMPTY)?;
    /// assert_eq!(key.sign_deterministic(b"m", Context::EMPTY)?, signature);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`SigningKey::sign_deterministic`].
    pub fn sign_deterministic(
        &self,
        message: &[u8],
        context: Context<'_>,
    ) -> Result<Signature, Error> {
        self.sign_with(message, context, &not_hedged())
    }

    /// As [`SigningKey::sign_prehash`].
    ///
    /// # Errors
    /// As [`SigningKey::sign_prehash`].
    pub fn sign_prehash(
        &self,
        digest: &PreHash,
        context: Context<'_>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Signature, Error> {
        self.sign_prehash_with(digest, context, &Secret::generate(rng)?)
    }

    /// As [`SigningKey::sign_prehash_deterministic`].
    ///
    /// # Errors
    /// As [`SigningKey::sign_prehash_deterministic`].
    pub fn sign_prehash_deterministic(
        &self,
        digest: &PreHash,
        context: Context<'_>,
    ) -> Result<Signature, Error> {
        self.sign_prehash_with(digest, context, &not_hedged())
    }

    /// As [`SigningKey::sign_mu`].
    ///
    /// # Errors
    /// As [`SigningKey::sign_mu`].
    pub fn sign_mu(
        &self,
        mu: &Mu,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Signature, Error> {
        self.sign_mu_with(mu, &Secret::generate(rng)?)
    }

    /// As [`SigningKey::sign_mu_deterministic`].
    ///
    /// # Errors
    /// As [`SigningKey::sign_mu_deterministic`].
    pub fn sign_mu_deterministic(&self, mu: &Mu) -> Result<Signature, Error> {
        self.sign_mu_with(mu, &not_hedged())
    }

    fn sign_with(
        &self,
        message: &[u8],
        context: Context<'_>,
        hedge: &Secret<32>,
    ) -> Result<Signature, Error> {
        let made = self.key.sign(message, context.0, hedge);
        self.release(made, |key, signature| key.verify(message, context, signature))
    }

    fn sign_prehash_with(
        &self,
        digest: &PreHash,
        context: Context<'_>,
        hedge: &Secret<32>,
    ) -> Result<Signature, Error> {
        let made = self.key.sign_internal(&digest.framed(context), hedge);
        self.release(made, |key, signature| key.verify_prehash(digest, context, signature))
    }

    fn sign_mu_with(&self, mu: &Mu, hedge: &Secret<32>) -> Result<Signature, Error> {
        let made = self.key.sign_mu(mu.as_bytes(), hedge);
        self.release(made, |key, signature| key.verify_mu(mu, signature))
    }

    fn release(
        &self,
        made: Result<Vec<u8>, Error>,
        verifies: impl FnOnce(&PreparedVerifyingKey, &Signature) -> bool,
    ) -> Result<Signature, Error> {
        let check = self.check.as_ref();
        let check = check.map(|key| |signature: &Signature| verifies(key, signature));
        released(self.verifying_key.algorithm, made, check)
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }
}

impl core::fmt::Debug for PreparedSigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct("PreparedSigningKey");
        shown.field("verifying_key", &self.verifying_key).field("key", &format_args!("[redacted]"));
        shown.finish()
    }
}

/// A [`VerifyingKey`] for many verifications.
///
/// ```
/// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
/// let signature = key.sign_deterministic(b"m", Context::EMPTY)?;
/// let public = key.verifying_key().prepare()?;
/// assert!(public.verify(b"m", Context::EMPTY, &signature));
/// assert!(public.verify_mu(&public.verifying_key().mu(b"m", Context::EMPTY), &signature));
/// assert!(!public.verify(b"n", Context::EMPTY, &signature));
/// # Ok::<(), pqc_core::Error>(())
/// ```
pub struct PreparedVerifyingKey {
    key: Box<dyn PreparedVerifying>,
    verifying_key: VerifyingKey,
}

impl PreparedVerifyingKey {
    /// As [`VerifyingKey::verify`].
    #[must_use]
    pub fn verify(&self, message: &[u8], context: Context<'_>, signature: &Signature) -> bool {
        self.verifying_key.algorithm == signature.algorithm
            && self.key.verify(message, context.0, &signature.bytes)
    }

    /// As [`VerifyingKey::verify_prehash`].
    #[must_use]
    pub fn verify_prehash(
        &self,
        digest: &PreHash,
        context: Context<'_>,
        signature: &Signature,
    ) -> bool {
        self.verifying_key.algorithm == signature.algorithm
            && self.key.verify_internal(&digest.framed(context), &signature.bytes)
    }

    /// As [`VerifyingKey::verify_mu`].
    #[must_use]
    pub fn verify_mu(&self, mu: &Mu, signature: &Signature) -> bool {
        self.verifying_key.algorithm == signature.algorithm
            && self.key.verify_mu(mu.as_bytes(), &signature.bytes)
    }

    /// The key itself.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }
}

impl core::fmt::Debug for PreparedVerifyingKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("PreparedVerifyingKey").field(&self.verifying_key).finish()
    }
}

impl SigningKey {
    /// Decodes the key once, for many signatures, and on ml-dsa expands its matrix: by μ on every
    /// build, by messages and digests on a build without libcrux. libcrux has no prepared keys, and
    /// signs a message faster by the plain one.
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate made or read.
    pub fn prepare(&self) -> Result<PreparedSigningKey, Error> {
        let verifying_key = self.verifying_key.clone();
        Ok(PreparedSigningKey {
            key: Active::prepare_signing_key(self.algorithm(), self.expanded.expose_bytes())?,
            check: if self.seed.is_some() { None } else { Some(verifying_key.prepare()?) },
            verifying_key,
        })
    }
}

impl VerifyingKey {
    /// Decodes the key once, for many verifications; what that saves: as [`SigningKey::prepare`].
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate made or read.
    pub fn prepare(&self) -> Result<PreparedVerifyingKey, Error> {
        Ok(PreparedVerifyingKey {
            key: Active::prepare_verifying_key(self.algorithm, &self.bytes)?,
            verifying_key: self.clone(),
        })
    }
}
