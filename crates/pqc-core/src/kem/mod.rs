//! ML-KEM (FIPS 203), all three parameter sets.
//!
//! Bytes become a key or a ciphertext once, through the checks of FIPS 203, Sections 7.2 and 7.3;
//! from there on only types travel. A decapsulation key is kept as its 64-byte seed. Encapsulation
//! to a key that no issuer vouches for has a loud name, [`EncapsulationKey::encapsulate_unattested`];
//! the quiet one is on [`crate::VerifiedEncapsulationKey`]. A key for many calls is prepared once:
//! [`EncapsulationKey::prepare`], [`DecapsulationKey::prepare`].

mod algorithm;
mod prepared;

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use sha3::{Digest, Sha3_256};

use crate::backend::{Active, Backend};
use crate::error::{Error, Field};
use crate::id::{AccountId, KeyId};
use crate::seal::{MasterKeys, RecordKind, RecordName, SealedRecord};
use crate::secret::{Secret, SecretVec};

pub use algorithm::KemAlgorithm;
pub use prepared::{PreparedDecapsulationKey, PreparedEncapsulationKey};

/// An encapsulation key that passed the modulus check (FIPS 203, Section 7.2):
/// 800, 1184 or 1568 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncapsulationKey {
    algorithm: KemAlgorithm,
    bytes: Vec<u8>,
}

impl EncapsulationKey {
    /// Reads a key; its length names its parameter set.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::EncapsulationKeyModulus`] (FIPS 203, Section 7.2).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let algorithm = KemAlgorithm::of_encapsulation_key(bytes.len())?;
        if !Active::encapsulation_key_is_reduced(algorithm, bytes) {
            return Err(Error::EncapsulationKeyModulus);
        }
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// ML-KEM.Encaps (FIPS 203, Algorithm 20) to a key that nobody vouched for: the caller answers
    /// for whose it is.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn encapsulate_unattested(
        &self,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        self.encapsulate_message(&Secret::generate(rng)?)
    }

    /// ML-KEM.Encaps_internal (FIPS 203, Algorithm 17): encapsulates the `message` that the caller
    /// chose. With the feature `hazmat` alone.
    ///
    /// Who can guess the message knows the shared secret, and whoever decapsulates learns it. It must
    /// be 32 fresh random bytes, used once: so this is for test vectors, and for protocols that say
    /// how they derive it. FIPS 203, Section 6 keeps it out of applications' reach.
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, KemAlgorithm, Secret};
    /// # fn main() -> Result<(), pqc_core::Error> {
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng)?;
    /// let message = Secret::from([7; 32]);
    /// let key = key.encapsulation_key();
    /// let (ciphertext, _) = key.hazmat_encapsulate_deterministic(&message)?;
    /// assert_eq!(key.hazmat_encapsulate_deterministic(&message)?.0, ciphertext);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate made or read.
    #[cfg(feature = "hazmat")]
    pub fn hazmat_encapsulate_deterministic(
        &self,
        message: &Secret<32>,
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        self.encapsulate_message(message)
    }

    fn encapsulate_message(
        &self,
        message: &Secret<32>,
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        let (bytes, secret) = Active::encapsulate(self.algorithm, &self.bytes, message)?;
        Ok((Ciphertext { algorithm: self.algorithm, bytes }, SharedSecret(secret)))
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
    }

    /// The encoded key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The id of the key pair it belongs to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::of_pair(self.algorithm.name(), &self.bytes)
    }
}

/// A decapsulation key. Secret.
#[derive(Debug)]
pub struct DecapsulationKey {
    seed: Option<Secret<64>>,
    expanded: SecretVec,
    encapsulation_key: EncapsulationKey,
}

impl DecapsulationKey {
    /// The bytes of a seed, d ‖ z (FIPS 203, Algorithm 19), for every parameter set.
    pub const SEED_BYTES: usize = 64;

    /// ML-KEM.KeyGen (FIPS 203, Algorithm 19).
    ///
    /// # Errors
    /// [`Error::Randomness`]: nothing was made.
    pub fn generate(
        algorithm: KemAlgorithm,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        Ok(Self::from_seed(algorithm, Secret::generate(rng)?))
    }

    /// ML-KEM.KeyGen_internal (FIPS 203, Algorithm 16) from the seed d ‖ z.
    #[must_use]
    pub fn from_seed(algorithm: KemAlgorithm, seed: Secret<64>) -> Self {
        let (bytes, expanded) = Active::kem_key_pair(algorithm, &seed);
        let encapsulation_key = EncapsulationKey { algorithm, bytes };
        Self { seed: Some(seed), expanded, encapsulation_key }
    }

    /// Reads an expanded key (1632, 2400 or 3168 bytes); its length names its parameter set.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::DecapsulationKeyHash`] (FIPS 203, Section 7.3);
    /// [`Error::EncapsulationKeyModulus`] for the key embedded in it.
    pub fn from_expanded(bytes: &[u8]) -> Result<Self, Error> {
        let algorithm = KemAlgorithm::of_length(
            Field::DecapsulationKey,
            KemAlgorithm::expanded_key_bytes,
            bytes.len(),
        )
        .map_err(|error| error.or_seed_of(Self::SEED_BYTES))?;
        // dk = dk_PKE (384 k) ‖ ek (384 k + 32) ‖ H(ek) (32) ‖ z (32); FIPS 203, Algorithm 16.
        let parts = bytes
            .get(384 * algorithm.rank()..)
            .and_then(|rest| rest.split_at_checked(algorithm.encapsulation_key_bytes()))
            .and_then(|(key, rest)| Some((key, rest.get(..32)?)));
        let (key, hash) = parts.ok_or(Error::Internal { what: "decapsulation key layout" })?;
        if Sha3_256::digest(key).as_slice() != hash {
            return Err(Error::DecapsulationKeyHash);
        }
        let encapsulation_key = EncapsulationKey::from_bytes(key)?;
        Ok(Self { seed: None, expanded: SecretVec::copy_of(bytes), encapsulation_key })
    }

    /// Reads a key in seed form (64 bytes, for `algorithm`) or in expanded form.
    ///
    /// # Errors
    /// As [`Self::from_expanded`]; [`Error::AlgorithmMismatch`]: an expanded key of another set.
    pub fn from_seed_or_expanded(algorithm: KemAlgorithm, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() == Self::SEED_BYTES {
            let seed = Secret::from_slice(Field::DecapsulationKey, bytes)?;
            return Ok(Self::from_seed(algorithm, seed));
        }
        let key = Self::from_expanded(bytes)?;
        same_set(Field::DecapsulationKey, algorithm, key.algorithm())?;
        Ok(key)
    }

    /// ML-KEM.Decaps (FIPS 203, Algorithm 21). A ciphertext that was not made for this key is no
    /// error: implicit rejection gives another secret.
    ///
    /// # Errors
    /// [`Error::AlgorithmMismatch`]: the ciphertext is of another parameter set.
    pub fn decapsulate(&self, ciphertext: &Ciphertext) -> Result<SharedSecret, Error> {
        same_set(Field::Ciphertext, self.algorithm(), ciphertext.algorithm)?;
        Active::decapsulate(self.algorithm(), self.expanded.expose_bytes(), &ciphertext.bytes)
            .map(SharedSecret)
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.encapsulation_key.algorithm
    }

    /// The public half.
    #[must_use]
    pub fn encapsulation_key(&self) -> &EncapsulationKey {
        &self.encapsulation_key
    }

    /// The seed (64 bytes), if the key was not read in expanded form. Key material.
    #[must_use]
    pub fn expose_seed(&self) -> Option<&Secret<64>> {
        self.seed.as_ref()
    }

    /// The expanded form (FIPS 203, Algorithm 16). Key material.
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
        let seed = self.seed.as_ref().ok_or(Error::Internal { what: "sealing without a seed" })?;
        let id = self.encapsulation_key.key_id();
        let name = record_name(account, self.algorithm(), &id);
        masters.seal(&name, seed.expose_bytes(), rng)
    }

    /// Opens `account`'s record of the key pair whose public key is `encapsulation_key`, which its
    /// name binds.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::SealBroken`]; [`Error::UnknownMasterKey`].
    pub fn open(
        masters: &MasterKeys,
        account: AccountId,
        encapsulation_key: &[u8],
        sealed: &SealedRecord,
    ) -> Result<Self, Error> {
        let algorithm = KemAlgorithm::of_encapsulation_key(encapsulation_key.len())?;
        let id = KeyId::of_pair(algorithm.name(), encapsulation_key);
        let seed = masters.open(&record_name(account, algorithm, &id), sealed)?;
        let seed = Secret::from_slice(Field::DecapsulationKey, seed.expose_bytes())?;
        Ok(Self::from_seed(algorithm, seed))
    }
}

/// A ciphertext of the right length: 768, 1088 or 1568 bytes. That is all FIPS 203 asks of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext {
    algorithm: KemAlgorithm,
    bytes: Vec<u8>,
}

impl Ciphertext {
    /// Reads a ciphertext; its length names its parameter set.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let algorithm = KemAlgorithm::of_ciphertext(bytes.len())?;
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
    }

    /// The encoded ciphertext.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A shared secret (32 bytes). Secret.
#[derive(Debug)]
pub struct SharedSecret(Secret<32>);

impl SharedSecret {
    /// The length in bytes, for every parameter set.
    pub const BYTES: usize = 32;

    /// The 32 bytes. Key material.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; 32] {
        self.0.expose_bytes()
    }

    /// The secret, to derive keys from.
    #[must_use]
    pub fn as_secret(&self) -> &Secret<32> {
        &self.0
    }

    /// Whether both are equal, in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}

fn record_name(account: AccountId, algorithm: KemAlgorithm, id: &KeyId) -> RecordName<'_> {
    RecordName {
        account,
        kind: RecordKind::DecapsulationKey,
        algorithm: algorithm.name(),
        record_id: id.as_bytes(),
    }
}

fn same_set(field: Field, expected: KemAlgorithm, actual: KemAlgorithm) -> Result<(), Error> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::AlgorithmMismatch { field, expected: expected.name(), actual: actual.name() })
}
