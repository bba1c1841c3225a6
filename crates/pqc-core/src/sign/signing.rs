//! The secret half: made, read, stored, and every way in which it signs.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::{
    Context, Mu, PreHash, Signature, SignatureAlgorithm, VerifyingKey, not_hedged, released,
};
use crate::backend::{self, Active, Backend};
use crate::error::{Error, Field};
use crate::id::{AccountId, KeyId};
use crate::seal::{MasterKeys, RecordKind, RecordName, SealedRecord};
use crate::secret::{Secret, SecretVec};

/// A signing key (FIPS 204: private key): a seed of 32 bytes, or an expanded key of 2560, 4032 or
/// 4896. Secret.
///
/// ```
/// use pqc_core::{Context, Signature, SignatureAlgorithm, SigningKey, VerifyingKey};
///
/// let mut rng = getrandom::SysRng;
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
/// let context = Context::new(b"example.org/release")?;
/// let signature = key.sign(b"message", context, &mut rng)?;
///
/// // Elsewhere, from bytes alone:
/// let public = VerifyingKey::from_bytes(key.verifying_key().as_bytes())?;
/// let signature = Signature::from_bytes(signature.as_bytes())?;
/// assert!(public.verify(b"message", context, &signature));
/// assert!(!public.verify(b"message", Context::EMPTY, &signature));
///
/// // What is kept of a key is its seed.
/// let seed = key.expose_seed().expect("the key was generated").expose_bytes();
/// let kept = SigningKey::from_seed_or_expanded(Some(SignatureAlgorithm::MlDsa65), seed)?;
/// assert_eq!(kept.verifying_key(), &public);
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// It has one owner, and is not printed:
/// ```compile_fail,E0599
/// # use pqc_core::{Secret, SignatureAlgorithm, SigningKey};
/// let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from([7; 32]));
/// let copy = key.clone();
/// ```
/// ```compile_fail,E0277
/// # use pqc_core::{Secret, SignatureAlgorithm, SigningKey};
/// let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from([7; 32]));
/// println!("{key}");
/// ```
#[derive(Debug)]
pub struct SigningKey {
    pub(super) seed: Option<Secret<32>>,
    pub(super) expanded: SecretVec,
    pub(super) verifying_key: VerifyingKey,
}

impl SigningKey {
    /// The bytes of a seed ξ (FIPS 204, Algorithm 1), for every parameter set.
    pub const SEED_BYTES: usize = 32;

    /// ML-DSA.KeyGen (FIPS 204, Algorithm 1).
    ///
    /// ```
    /// use pqc_core::{SignatureAlgorithm, SigningKey};
    /// for set in SignatureAlgorithm::ALL {
    ///     let key = SigningKey::generate(set, &mut getrandom::SysRng)?;
    ///     assert_eq!(key.verifying_key().as_bytes().len(), set.verifying_key_bytes());
    /// }
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Randomness`]: nothing was made.
    pub fn generate(
        algorithm: SignatureAlgorithm,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        Ok(Self::from_seed(algorithm, Secret::generate(rng)?))
    }

    /// ML-DSA.KeyGen_internal (FIPS 204, Algorithm 6) from the seed ξ.
    ///
    /// ```
    /// use pqc_core::{Secret, SignatureAlgorithm, SigningKey};
    /// // A seed like this is for tests: a real one is random.
    /// let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([7; 32]));
    /// assert_eq!(key.verifying_key().as_bytes().len(), 1312);
    /// assert_eq!(key.expose_seed().map(|seed| seed.expose_bytes()), Some(&[7; 32]));
    /// ```
    #[must_use]
    pub fn from_seed(algorithm: SignatureAlgorithm, seed: Secret<32>) -> Self {
        let (bytes, expanded) = Active::signing_key_pair(algorithm, &seed);
        let verifying_key = VerifyingKey { algorithm, bytes };
        Self { seed: Some(seed), expanded, verifying_key }
    }

    /// Reads an expanded key (2560, 4032 or 4896 bytes); its length names its parameter set.
    ///
    /// Two parts are not checked here: K is random and fits any key; a wrong t0 cannot make a wrong
    /// key, only wrong signatures, and [`Self::sign`] lets none of them out.
    ///
    /// ```
    /// use pqc_core::{Error, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut getrandom::SysRng)?;
    /// let mut bytes = key.expose_expanded().expose_bytes().to_vec();
    /// let read = SigningKey::from_expanded(&bytes)?;
    /// assert_eq!(read.verifying_key(), key.verifying_key());
    /// assert!(read.expose_seed().is_none());
    ///
    /// bytes[64] ^= 1; // in tr
    /// let refused = SigningKey::from_expanded(&bytes).unwrap_err();
    /// assert_eq!(refused, Error::InconsistentSigningKey);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::InconsistentSigningKey`]: a coefficient of s1 or s2 is out of
    /// range, or `tr` is not the hash of the public key that the parts give (FIPS 204, Algorithm
    /// 25 trusts its input; this does not).
    pub fn from_expanded(bytes: &[u8]) -> Result<Self, Error> {
        let algorithm = SignatureAlgorithm::of_length(
            Field::SigningKey,
            SignatureAlgorithm::expanded_key_bytes,
            bytes.len(),
        )
        .map_err(|error| error.or_seed_of(Self::SEED_BYTES))?;
        let public = backend::verifying_key_of_expanded(algorithm, bytes)?;
        let verifying_key = VerifyingKey { algorithm, bytes: public };
        Ok(Self { seed: None, expanded: SecretVec::copy_of(bytes), verifying_key })
    }

    /// Reads a key in seed form (32 bytes, for `algorithm` or else ML-DSA-65) or in expanded form.
    ///
    /// ```
    /// use pqc_core::{Error, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::from_seed_or_expanded(None, &[7; 32])?;
    /// assert_eq!(key.algorithm(), SignatureAlgorithm::MlDsa65);
    ///
    /// let expanded = key.expose_expanded().expose_bytes();
    /// let read = SigningKey::from_seed_or_expanded(None, expanded)?;
    /// assert_eq!(read.verifying_key(), key.verifying_key());
    /// let other = SigningKey::from_seed_or_expanded(Some(SignatureAlgorithm::MlDsa44), expanded);
    /// assert!(matches!(other, Err(Error::AlgorithmMismatch { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::from_expanded`]; [`Error::AlgorithmMismatch`]: an expanded key of another set.
    pub fn from_seed_or_expanded(
        algorithm: Option<SignatureAlgorithm>,
        bytes: &[u8],
    ) -> Result<Self, Error> {
        if bytes.len() == Self::SEED_BYTES {
            let seed = Secret::from_slice(Field::SigningKey, bytes)?;
            return Ok(Self::from_seed(algorithm.unwrap_or(SignatureAlgorithm::MlDsa65), seed));
        }
        let key = Self::from_expanded(bytes)?;
        match algorithm {
            Some(expected) if expected != key.algorithm() => Err(Error::AlgorithmMismatch {
                field: Field::SigningKey,
                expected: expected.name(),
                actual: key.algorithm().name(),
            }),
            _ => Ok(key),
        }
    }

    /// ML-DSA.Sign (FIPS 204, Algorithm 2), hedged. By a key that was read in expanded form the
    /// signature is verified before it leaves; so it is in every other way of signing.
    ///
    /// ```
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// # let rng = &mut getrandom::SysRng;
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, rng)?;
    /// let one = key.sign(b"m", Context::EMPTY, rng)?;
    /// let two = key.sign(b"m", Context::EMPTY, rng)?;
    /// assert_ne!(one, two);
    /// for signature in [one, two] {
    ///     assert!(key.verifying_key().verify(b"m", Context::EMPTY, &signature));
    /// }
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::InconsistentSigningKey`]: the key was read in expanded form,
    /// and its t0 is wrong; [`Error::Internal`]: no attempt of rejection sampling succeeded.
    pub fn sign(
        &self,
        message: &[u8],
        context: Context<'_>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Signature, Error> {
        self.sign_with(message, context, &Secret::generate(rng)?)
    }

    /// ML-DSA.Sign (FIPS 204, Algorithm 2), the deterministic variant: the same signature for the
    /// same message and context. A fault while it is made can leak the key: prefer [`Self::sign`].
    ///
    /// ```
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
    /// let signature = key.sign_deterministic(b"m", Context::EMPTY)?;
    /// assert_eq!(key.sign_deterministic(b"m", Context::EMPTY)?, signature);
    /// assert!(key.verifying_key().verify(b"m", Context::EMPTY, &signature));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::sign`], without [`Error::Randomness`].
    pub fn sign_deterministic(
        &self,
        message: &[u8],
        context: Context<'_>,
    ) -> Result<Signature, Error> {
        self.sign_with(message, context, &not_hedged())
    }

    /// HashML-DSA.Sign (FIPS 204, Algorithm 4), hedged.
    ///
    /// ```
    /// use pqc_core::sign::{PreHash, PreHashAlgorithm};
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// # let rng = &mut getrandom::SysRng;
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa87, rng)?;
    /// let digest = PreHash::of(PreHashAlgorithm::Sha512, b"message");
    /// let signature = key.sign_prehash(&digest, Context::EMPTY, rng)?;
    /// assert!(key.verifying_key().verify_prehash(&digest, Context::EMPTY, &signature));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_prehash(
        &self,
        digest: &PreHash,
        context: Context<'_>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Signature, Error> {
        self.sign_prehash_with(digest, context, &Secret::generate(rng)?)
    }

    /// HashML-DSA.Sign (FIPS 204, Algorithm 4), the deterministic variant, with what
    /// [`Self::sign_deterministic`] says of it.
    ///
    /// ```
    /// use pqc_core::sign::{PreHash, PreHashAlgorithm};
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
    /// let digest = PreHash::of(PreHashAlgorithm::Sha256, b"message");
    /// let signature = key.sign_prehash_deterministic(&digest, Context::EMPTY)?;
    /// assert_eq!(key.sign_prehash_deterministic(&digest, Context::EMPTY)?, signature);
    /// assert!(key.verifying_key().verify_prehash(&digest, Context::EMPTY, &signature));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::sign`], without [`Error::Randomness`].
    pub fn sign_prehash_deterministic(
        &self,
        digest: &PreHash,
        context: Context<'_>,
    ) -> Result<Signature, Error> {
        self.sign_prehash_with(digest, context, &not_hedged())
    }

    /// ML-DSA.Sign (FIPS 204, Algorithm 2), hedged, of the message whose μ this is. A μ for another
    /// key gives a signature that verifies no message.
    ///
    /// ```
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// # let rng = &mut getrandom::SysRng;
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, rng)?;
    /// let mu = key.verifying_key().mu(b"a large file", Context::EMPTY);
    /// let signature = key.sign_mu(&mu, rng)?;
    /// assert!(key.verifying_key().verify(b"a large file", Context::EMPTY, &signature));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::sign`].
    pub fn sign_mu(
        &self,
        mu: &Mu,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Signature, Error> {
        self.prepare()?.sign_mu(mu, rng)
    }

    /// ML-DSA.Sign (FIPS 204, Algorithm 2), the deterministic variant, of the message whose μ this
    /// is, with what [`Self::sign_deterministic`] says of it.
    ///
    /// ```
    /// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
    /// let mu = key.verifying_key().mu(b"m", Context::EMPTY);
    /// assert_eq!(key.sign_mu_deterministic(&mu)?, key.sign_deterministic(b"m", Context::EMPTY)?);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::sign`], without [`Error::Randomness`].
    pub fn sign_mu_deterministic(&self, mu: &Mu) -> Result<Signature, Error> {
        self.prepare()?.sign_mu_deterministic(mu)
    }

    fn sign_with(
        &self,
        message: &[u8],
        context: Context<'_>,
        hedge: &Secret<32>,
    ) -> Result<Signature, Error> {
        let expanded = self.expanded.expose_bytes();
        let made = Active::sign(self.algorithm(), expanded, message, context.0, hedge);
        self.release(made, |signature| self.verifying_key.verify(message, context, signature))
    }

    fn sign_prehash_with(
        &self,
        digest: &PreHash,
        context: Context<'_>,
        hedge: &Secret<32>,
    ) -> Result<Signature, Error> {
        let (expanded, framed) = (self.expanded.expose_bytes(), digest.framed(context));
        let made = Active::sign_internal(self.algorithm(), expanded, &framed, hedge);
        self.release(made, |signature| {
            self.verifying_key.verify_prehash(digest, context, signature)
        })
    }

    fn release(
        &self,
        made: Result<Vec<u8>, Error>,
        verifies: impl FnOnce(&Signature) -> bool,
    ) -> Result<Signature, Error> {
        released(self.algorithm(), made, self.seed.is_none().then_some(verifies))
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.verifying_key.algorithm
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }

    /// The seed (32 bytes), if the key was not read in expanded form. Key material.
    #[must_use]
    pub fn expose_seed(&self) -> Option<&Secret<32>> {
        self.seed.as_ref()
    }

    /// The expanded form (FIPS 204, Algorithm 24). Key material.
    #[must_use]
    pub fn expose_expanded(&self) -> &SecretVec {
        &self.expanded
    }

    /// Seals the seed for `account`'s record of this key pair.
    ///
    /// ```
    /// use pqc_core::{AccountId, MasterKey, MasterKeys, Secret, SignatureAlgorithm, SigningKey};
    /// # let rng = &mut getrandom::SysRng;
    /// let masters = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
    /// let account = AccountId::from_bytes([1; 16]);
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, rng)?;
    /// let record = key.seal(&masters, account, rng)?;
    /// let public = key.verifying_key().as_bytes();
    /// let opened = SigningKey::open(&masters, account, public, &record)?;
    /// assert_eq!(opened.verifying_key(), key.verifying_key());
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::NoSeed`]: the key was read in expanded form.
    pub fn seal(
        &self,
        masters: &MasterKeys,
        account: AccountId,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        self.seal_as(RecordKind::SigningKey, masters, account, rng)
    }

    /// Opens `account`'s record of the key pair with this verifying key, which its name binds.
    ///
    /// ```
    /// use pqc_core::{Error, SignatureAlgorithm, SigningKey};
    /// # use pqc_core::{AccountId, MasterKey, MasterKeys, Secret};
    /// # let rng = &mut getrandom::SysRng;
    /// # let masters = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
    /// # let account = AccountId::from_bytes([1; 16]);
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, rng)?;
    /// let other = SigningKey::generate(SignatureAlgorithm::MlDsa44, rng)?;
    /// let record = key.seal(&masters, account, rng)?;
    /// let others = other.verifying_key().as_bytes();
    /// let refused = SigningKey::open(&masters, account, others, &record).unwrap_err();
    /// assert_eq!(refused, Error::SealBroken);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`]: the verifying key's; [`Error::SealBroken`]: another key's or account's
    /// record, or one that was altered; [`Error::UnknownMasterKey`].
    pub fn open(
        masters: &MasterKeys,
        account: AccountId,
        verifying_key: &[u8],
        sealed: &SealedRecord,
    ) -> Result<Self, Error> {
        Self::open_as(RecordKind::SigningKey, masters, account, verifying_key, sealed)
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let expanded = self.expanded.expose_bytes().len();
        size_of::<Self>() + expanded + self.verifying_key.as_bytes().len()
    }

    pub(crate) fn seal_as(
        &self,
        kind: RecordKind,
        masters: &MasterKeys,
        account: AccountId,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        let seed = self.seed.as_ref().ok_or(Error::NoSeed)?;
        let id = self.verifying_key.key_id();
        let name = record_name(kind, account, self.algorithm(), &id);
        masters.seal(&name, seed.expose_bytes(), rng)
    }

    pub(crate) fn open_as(
        kind: RecordKind,
        masters: &MasterKeys,
        account: AccountId,
        verifying_key: &[u8],
        sealed: &SealedRecord,
    ) -> Result<Self, Error> {
        let public = VerifyingKey::from_bytes(verifying_key)?;
        let id = public.key_id();
        let seed = masters.open(&record_name(kind, account, public.algorithm, &id), sealed)?;
        let seed = Secret::from_slice(Field::SigningKey, seed.expose_bytes())?;
        Ok(Self::from_seed(public.algorithm, seed))
    }
}

fn record_name(
    kind: RecordKind,
    account: AccountId,
    algorithm: SignatureAlgorithm,
    id: &KeyId,
) -> RecordName<'_> {
    RecordName { account, kind, algorithm: algorithm.name(), record_id: id.as_bytes() }
}
