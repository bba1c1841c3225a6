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

/// A signing key. Secret.
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
    /// # Errors
    /// [`Error::Randomness`]: nothing was made.
    pub fn generate(
        algorithm: SignatureAlgorithm,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        Ok(Self::from_seed(algorithm, Secret::generate(rng)?))
    }

    /// ML-DSA.KeyGen_internal (FIPS 204, Algorithm 6) from the seed ξ.
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
    /// key gives a signature that never verifies.
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
    /// # Errors
    /// [`Error::Randomness`]; [`Error::Internal`]: the key has no seed.
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
    /// # Errors
    /// [`Error::Length`]; [`Error::SealBroken`]; [`Error::UnknownMasterKey`].
    pub fn open(
        masters: &MasterKeys,
        account: AccountId,
        verifying_key: &[u8],
        sealed: &SealedRecord,
    ) -> Result<Self, Error> {
        Self::open_as(RecordKind::SigningKey, masters, account, verifying_key, sealed)
    }

    pub(crate) fn seal_as(
        &self,
        kind: RecordKind,
        masters: &MasterKeys,
        account: AccountId,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        let seed = self.seed.as_ref().ok_or(Error::Internal { what: "sealing without a seed" })?;
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
