//! ML-KEM (FIPS 203), all three parameter sets, and X-Wing, in one shape.
//!
//! Bytes become a key or a ciphertext once, through the checks of FIPS 203, Sections 7.2 and 7.3;
//! from there on only types travel. A decapsulation key is kept as its seed. Encapsulation
//! to a key that no issuer vouches for has a loud name, [`EncapsulationKey::encapsulate_unattested`];
//! the quiet one is on [`crate::VerifiedEncapsulationKey`]. A key for many calls is prepared once:
//! [`EncapsulationKey::prepare`], [`DecapsulationKey::prepare`].

mod algorithm;
mod parameter_set;
mod prepared;

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use sha3::{Digest, Sha3_256};

use crate::backend::{Active, Backend};
use crate::error::{Error, Field};
use crate::hybrid;
use crate::id::{AccountId, KeyId};
use crate::seal::{MasterKeys, RecordKind, RecordName, SealedRecord};
use crate::secret::{Secret, SecretVec};

pub use algorithm::KemAlgorithm;
pub use parameter_set::ParameterSet;
pub use prepared::{PreparedDecapsulationKey, PreparedEncapsulationKey};

/// An encapsulation key that passed the modulus check (FIPS 203, Section 7.2):
/// 800, 1184 or 1568 bytes, for X-Wing 1216.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncapsulationKey {
    algorithm: KemAlgorithm,
    bytes: Vec<u8>,
}

impl EncapsulationKey {
    /// Reads a key; its length names its parameter set.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::EncapsulationKeyModulus`] (FIPS 203, Section 7.2);
    /// [`Error::LowOrder`]: the X25519 part of an X-Wing key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let algorithm = KemAlgorithm::of_encapsulation_key(bytes.len())?;
        match algorithm.parameter_set() {
            None => hybrid::check_encapsulation_key::<Active>(bytes)?,
            Some(set) if !Active::encapsulation_key_is_reduced(set, bytes) => {
                return Err(Error::EncapsulationKeyModulus);
            }
            Some(_) => {}
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
        match self.algorithm.parameter_set() {
            Some(set) => self.by_ml_kem(set, &Secret::generate(rng)?),
            None => self.by_x_wing(&Secret::generate(rng)?),
        }
    }

    /// ML-KEM.Encaps_internal (FIPS 203, Algorithm 17) of the message m that the caller chose (32
    /// bytes); EncapsulateDerand of X-Wing (64 bytes). With the feature `hazmat` alone.
    ///
    /// Who can guess these bytes knows the shared secret, and whoever decapsulates learns m. They
    /// must be fresh random ones, used once: so this is for test vectors, and for protocols that say
    /// how they derive them. FIPS 203, Section 6 keeps it out of applications' reach.
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, KemAlgorithm};
    /// # fn main() -> Result<(), pqc_core::Error> {
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng)?;
    /// let key = key.encapsulation_key();
    /// let (ciphertext, _) = key.hazmat_encapsulate_deterministic(&[7; 32])?;
    /// assert_eq!(key.hazmat_encapsulate_deterministic(&[7; 32])?.0, ciphertext);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`].
    #[cfg(feature = "hazmat")]
    pub fn hazmat_encapsulate_deterministic(
        &self,
        randomness: &[u8],
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        let field = Field::EncapsulationRandomness;
        match self.algorithm.parameter_set() {
            Some(set) => self.by_ml_kem(set, &Secret::from_slice(field, randomness)?),
            None => self.by_x_wing(&Secret::from_slice(field, randomness)?),
        }
    }

    fn by_ml_kem(
        &self,
        set: ParameterSet,
        message: &Secret<32>,
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        Active::encapsulate(set, &self.bytes, message).map(|made| self.encapsulated(made))
    }

    fn by_x_wing(&self, randomness: &Secret<64>) -> Result<(Ciphertext, SharedSecret), Error> {
        hybrid::encapsulate::<Active>(&self.bytes, randomness).map(|made| self.encapsulated(made))
    }

    fn encapsulated(&self, (bytes, secret): (Vec<u8>, Secret<32>)) -> (Ciphertext, SharedSecret) {
        (Ciphertext { algorithm: self.algorithm, bytes }, SharedSecret(secret))
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
    seed: Option<SecretVec>,
    /// The backend's form; for X-Wing, that of [`hybrid`].
    expanded: SecretVec,
    encapsulation_key: EncapsulationKey,
}

impl DecapsulationKey {
    /// ML-KEM.KeyGen (FIPS 203, Algorithm 19), or GenerateKeyPair of X-Wing.
    ///
    /// # Errors
    /// [`Error::Randomness`]: nothing was made.
    pub fn generate(
        algorithm: impl Into<KemAlgorithm>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        Ok(match algorithm.into().parameter_set() {
            Some(set) => Self::from_seed(set, Secret::generate(rng)?),
            None => Self::from_x_wing_seed(Secret::generate(rng)?),
        })
    }

    /// ML-KEM.KeyGen_internal (FIPS 203, Algorithm 16) from the seed d ‖ z.
    #[must_use]
    pub fn from_seed(set: ParameterSet, seed: Secret<64>) -> Self {
        Self::made(set.algorithm(), seed.expose_bytes(), Active::kem_key_pair(set, &seed))
    }

    /// GenerateKeyPairDerand of X-Wing.
    #[must_use]
    pub fn from_x_wing_seed(seed: Secret<32>) -> Self {
        let pair = hybrid::key_pair::<Active>(&seed);
        Self::made(KemAlgorithm::XWing, seed.expose_bytes(), pair)
    }

    /// From a seed of the algorithm's length.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn from_seed_bytes(algorithm: impl Into<KemAlgorithm>, seed: &[u8]) -> Result<Self, Error> {
        let field = Field::DecapsulationKey;
        Ok(match algorithm.into().parameter_set() {
            Some(set) => Self::from_seed(set, Secret::from_slice(field, seed)?),
            None => Self::from_x_wing_seed(Secret::from_slice(field, seed)?),
        })
    }

    fn made(algorithm: KemAlgorithm, seed: &[u8], (bytes, expanded): (Vec<u8>, SecretVec)) -> Self {
        let encapsulation_key = EncapsulationKey { algorithm, bytes };
        Self { seed: Some(SecretVec::copy_of(seed)), expanded, encapsulation_key }
    }

    /// Reads an expanded ML-KEM key (1632, 2400 or 3168 bytes); its length names its parameter set.
    /// X-Wing keys have no such form outside a program.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::DecapsulationKeyHash`] (FIPS 203, Section 7.3);
    /// [`Error::EncapsulationKeyModulus`] for the key embedded in it.
    pub fn from_expanded(bytes: &[u8]) -> Result<Self, Error> {
        let set = ParameterSet::of_expanded_key(bytes.len())
            .map_err(|error| error.or_seed_of(ParameterSet::SEED_BYTES))?;
        // dk = dk_PKE (384 k) ‖ ek (384 k + 32) ‖ H(ek) (32) ‖ z (32); FIPS 203, Algorithm 16.
        let parts = bytes
            .get(384 * set.rank()..)
            .and_then(|rest| rest.split_at_checked(set.encapsulation_key_bytes()))
            .and_then(|(key, rest)| Some((key, rest.get(..32)?)));
        let (key, hash) = parts.ok_or(Error::Internal { what: "decapsulation key layout" })?;
        if Sha3_256::digest(key).as_slice() != hash {
            return Err(Error::DecapsulationKeyHash);
        }
        let encapsulation_key = EncapsulationKey::from_bytes(key)?;
        Ok(Self { seed: None, expanded: SecretVec::copy_of(bytes), encapsulation_key })
    }

    /// Reads a key in seed form, for `algorithm`, or in expanded form.
    ///
    /// # Errors
    /// As [`Self::from_expanded`]; [`Error::AlgorithmMismatch`]: an expanded key of another set.
    pub fn from_seed_or_expanded(
        algorithm: impl Into<KemAlgorithm>,
        bytes: &[u8],
    ) -> Result<Self, Error> {
        let algorithm = algorithm.into();
        if bytes.len() == algorithm.seed_bytes() || algorithm == KemAlgorithm::XWing {
            return Self::from_seed_bytes(algorithm, bytes);
        }
        let key = Self::from_expanded(bytes)?;
        same_set(Field::DecapsulationKey, algorithm, key.algorithm())?;
        Ok(key)
    }

    /// ML-KEM.Decaps (FIPS 203, Algorithm 21). A ciphertext that was not made for this key is no
    /// error: implicit rejection gives another secret.
    ///
    /// # Errors
    /// [`Error::AlgorithmMismatch`]: the ciphertext is of another algorithm; [`Error::LowOrder`]:
    /// the X25519 share of an X-Wing ciphertext.
    pub fn decapsulate(&self, ciphertext: &Ciphertext) -> Result<SharedSecret, Error> {
        same_set(Field::Ciphertext, self.algorithm(), ciphertext.algorithm)?;
        let (expanded, bytes) = (self.expanded.expose_bytes(), &ciphertext.bytes);
        match self.algorithm().parameter_set() {
            Some(set) => Active::decapsulate(set, expanded, bytes),
            None => hybrid::decapsulate::<Active>(expanded, bytes),
        }
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

    /// The seed ([`KemAlgorithm::seed_bytes`]), if the key was not read in expanded form. Key
    /// material.
    #[must_use]
    pub fn expose_seed(&self) -> Option<&SecretVec> {
        self.seed.as_ref()
    }

    /// The expanded form (FIPS 203, Algorithm 16) of an ML-KEM key; X-Wing has none that is given
    /// away. Key material.
    #[must_use]
    pub fn expose_expanded(&self) -> Option<&SecretVec> {
        self.algorithm().parameter_set().map(|_| &self.expanded)
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
        Self::from_seed_bytes(algorithm, seed.expose_bytes())
    }
}

/// A ciphertext of the right length: 768, 1088 or 1568 bytes, for X-Wing 1120. That is all FIPS 203
/// asks of one.
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
