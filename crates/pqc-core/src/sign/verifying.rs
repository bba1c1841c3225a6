//! The public half: whether a signature is this key's, of this message, in this context.

use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::{Context, Mu, PreHash, Signature, SignatureAlgorithm};
use crate::backend::{self, Active, Backend};
use crate::error::{Error, Field};
use crate::id::KeyId;

/// A verifying key (FIPS 204: public key): 1312, 1952 or 2592 bytes. Every string of that length
/// is one.
///
/// ```
/// use pqc_core::{Context, SignatureAlgorithm, SigningKey, VerifyingKey};
/// # let rng = &mut getrandom::SysRng;
/// # let signer = SigningKey::generate(SignatureAlgorithm::MlDsa65, rng)?;
/// # let signature = signer.sign(b"message", Context::EMPTY, rng)?;
/// # let bytes = signer.verifying_key().as_bytes();
/// let key = VerifyingKey::from_bytes(bytes)?;
/// assert_eq!((key.algorithm(), key.as_bytes().len()), (SignatureAlgorithm::MlDsa65, 1952));
/// assert!(key.verify(b"message", Context::EMPTY, &signature));
/// assert!(!key.verify(b"another message", Context::EMPTY, &signature));
/// assert_ne!(key.fingerprint().as_slice(), key.key_id().as_bytes());
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// It does not sign:
/// ```compile_fail,E0599
/// # use pqc_core::{Context, VerifyingKey};
/// # let key = VerifyingKey::from_bytes(&[7; 1952]).unwrap();
/// key.sign_deterministic(b"message", Context::EMPTY);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifyingKey {
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) bytes: Vec<u8>,
}

impl VerifyingKey {
    /// Reads a key; its length names its parameter set.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(bytes)?, bytes: bytes.to_vec() })
    }

    fn algorithm_of(bytes: &[u8]) -> Result<SignatureAlgorithm, Error> {
        SignatureAlgorithm::of_length(
            Field::VerifyingKey,
            SignatureAlgorithm::verifying_key_bytes,
            bytes.len(),
        )
    }

    /// ML-DSA.Verify (FIPS 204, Algorithm 3). A signature of another parameter set is a wrong one.
    #[must_use]
    pub fn verify(&self, message: &[u8], context: Context<'_>, signature: &Signature) -> bool {
        self.algorithm == signature.algorithm
            && backend::verify(self.algorithm, &self.bytes, message, context.0, &signature.bytes)
    }

    /// HashML-DSA.Verify (FIPS 204, Algorithm 5).
    ///
    /// ```
    /// use pqc_core::sign::{PreHash, PreHashAlgorithm};
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
    /// let digest = PreHash::of(PreHashAlgorithm::Sha256, b"message");
    /// let signature = key.sign_prehash_deterministic(&digest, Context::EMPTY)?;
    /// let public = key.verifying_key();
    /// assert!(public.verify_prehash(&digest, Context::EMPTY, &signature));
    /// let same_length = PreHash::of(PreHashAlgorithm::Sha3_256, b"message");
    /// assert!(!public.verify_prehash(&same_length, Context::EMPTY, &signature));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    #[must_use]
    pub fn verify_prehash(
        &self,
        digest: &PreHash,
        context: Context<'_>,
        signature: &Signature,
    ) -> bool {
        let framed = digest.framed(context);
        self.algorithm == signature.algorithm
            && Active::verify_internal(self.algorithm, &self.bytes, &framed, &signature.bytes)
    }

    /// ML-DSA.Verify (FIPS 204, Algorithm 3) of the message whose μ this is.
    ///
    /// ```
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
    /// let signature = key.sign_deterministic(b"message", Context::EMPTY)?;
    /// let public = key.verifying_key();
    /// assert!(public.verify_mu(&public.mu(b"message", Context::EMPTY), &signature));
    /// assert!(!public.verify_mu(&public.mu(b"another", Context::EMPTY), &signature));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    #[must_use]
    pub fn verify_mu(&self, mu: &Mu, signature: &Signature) -> bool {
        self.prepare().is_ok_and(|key| key.verify_mu(mu, signature))
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The encoded key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the encoded key: what people compare.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// The id of the key pair it belongs to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::of_pair(self.algorithm.name(), &self.bytes)
    }
}

impl TryFrom<Vec<u8>> for VerifyingKey {
    type Error = Error;

    /// As [`Self::from_bytes`], without a copy.
    fn try_from(bytes: Vec<u8>) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(&bytes)?, bytes })
    }
}
