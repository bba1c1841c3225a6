//! The decapsulation key: made, read, stored, and what it opens.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use sha3::{Digest, Sha3_256};

use super::{Ciphertext, EncapsulationKey, KemAlgorithm, ParameterSet, SharedSecret, same_set};
use crate::backend::{Active, Backend};
use crate::error::{Error, Field};
use crate::hybrid;
use crate::id::{AccountId, KeyId};
use crate::seal::{MasterKeys, RecordKind, RecordName, SealedRecord};
use crate::secret::{Secret, SecretVec};

/// A decapsulation key: a seed of 64 bytes, for X-Wing 32, or an expanded ML-KEM key of 1632, 2400
/// or 3168. Secret.
///
/// ```
/// use pqc_core::{Ciphertext, DecapsulationKey, KemAlgorithm};
///
/// let mut rng = getrandom::SysRng;
/// let key = DecapsulationKey::generate(KemAlgorithm::MlKem1024, &mut rng)?;
/// let (ciphertext, sent) = key.encapsulation_key().encapsulate_unattested(&mut rng)?;
///
/// // What is kept of a key is its seed; what travels is bytes.
/// let seed = key.expose_seed().expect("the key was generated").expose_bytes();
/// let kept = DecapsulationKey::from_seed_bytes(KemAlgorithm::MlKem1024, seed)?;
/// let arrived = Ciphertext::from_bytes(ciphertext.as_bytes())?;
/// assert!(kept.decapsulate(&arrived)?.ct_eq(&sent));
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// It has one owner, and is not printed:
/// ```compile_fail,E0599
/// # use pqc_core::{DecapsulationKey, Secret, kem::ParameterSet};
/// let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from([7; 64]));
/// let copy = key.clone();
/// ```
/// ```compile_fail,E0277
/// # use pqc_core::{DecapsulationKey, Secret, kem::ParameterSet};
/// let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from([7; 64]));
/// println!("{key}");
/// ```
#[derive(Debug)]
pub struct DecapsulationKey {
    seed: Option<SecretVec>,
    /// The backend's form; for X-Wing, that of [`hybrid`].
    pub(super) expanded: SecretVec,
    encapsulation_key: EncapsulationKey,
}

impl DecapsulationKey {
    /// ML-KEM.KeyGen (FIPS 203, Algorithm 19), or GenerateKeyPair of X-Wing.
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, KemAlgorithm};
    /// for kem in KemAlgorithm::ALL {
    ///     let key = DecapsulationKey::generate(kem, &mut getrandom::SysRng)?;
    ///     assert_eq!(key.encapsulation_key().as_bytes().len(), kem.encapsulation_key_bytes());
    /// }
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
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
    ///
    /// ```
    /// use pqc_core::kem::ParameterSet;
    /// use pqc_core::{DecapsulationKey, Secret};
    /// // A seed like this is for tests: a real one is random.
    /// let key = DecapsulationKey::from_seed(ParameterSet::MlKem512, Secret::from([7; 64]));
    /// assert_eq!(key.encapsulation_key().as_bytes().len(), 800);
    /// assert_eq!(key.expose_seed().map(|seed| seed.expose_bytes()), Some([7; 64].as_slice()));
    /// ```
    #[must_use]
    pub fn from_seed(set: ParameterSet, seed: Secret<64>) -> Self {
        Self::made(set.algorithm(), seed.expose_bytes(), Active::kem_key_pair(set, &seed))
    }

    /// GenerateKeyPairDerand of X-Wing.
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, KemAlgorithm, Secret};
    /// // A seed like this is for tests: a real one is random.
    /// let key = DecapsulationKey::from_x_wing_seed(Secret::from([7; 32]));
    /// assert_eq!(key.algorithm(), KemAlgorithm::XWing);
    /// assert_eq!(key.encapsulation_key().as_bytes().len(), 1216);
    /// ```
    #[must_use]
    pub fn from_x_wing_seed(seed: Secret<32>) -> Self {
        let pair = hybrid::key_pair::<Active>(&seed);
        Self::made(KemAlgorithm::XWing, seed.expose_bytes(), pair)
    }

    /// From a seed of the algorithm's length.
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, Error, KemAlgorithm};
    /// assert!(DecapsulationKey::from_seed_bytes(KemAlgorithm::MlKem768, &[7; 64]).is_ok());
    /// let short = DecapsulationKey::from_seed_bytes(KemAlgorithm::MlKem768, &[7; 32]);
    /// assert!(matches!(short, Err(Error::Length { actual: 32, .. })));
    /// ```
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
    /// ```
    /// use pqc_core::{DecapsulationKey, Error, KemAlgorithm};
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem512, &mut getrandom::SysRng)?;
    /// let mut bytes = key.expose_expanded().expect("ML-KEM has one").expose_bytes().to_vec();
    /// let read = DecapsulationKey::from_expanded(&bytes)?;
    /// assert_eq!(read.encapsulation_key(), key.encapsulation_key());
    /// assert!(read.expose_seed().is_none());
    ///
    /// bytes[800] ^= 1; // in the encapsulation key that stands in it
    /// let refused = DecapsulationKey::from_expanded(&bytes).unwrap_err();
    /// assert_eq!(refused, Error::DecapsulationKeyHash);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
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
    /// ```
    /// use pqc_core::{DecapsulationKey, Error, KemAlgorithm};
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng)?;
    /// let expanded = key.expose_expanded().expect("ML-KEM has one").expose_bytes();
    /// for form in [key.expose_seed().expect("the key was generated").expose_bytes(), expanded] {
    ///     let read = DecapsulationKey::from_seed_or_expanded(KemAlgorithm::MlKem768, form)?;
    ///     assert_eq!(read.encapsulation_key(), key.encapsulation_key());
    /// }
    /// let other = DecapsulationKey::from_seed_or_expanded(KemAlgorithm::MlKem512, expanded);
    /// assert!(matches!(other, Err(Error::AlgorithmMismatch { .. })));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::from_expanded`] ([`Error::Length`] alone for X-Wing);
    /// [`Error::AlgorithmMismatch`]: an expanded key of another set.
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

    /// ML-KEM.Decaps (FIPS 203, Algorithm 21), or Decapsulate of X-Wing. A ciphertext that was not
    /// made for this key is no error: implicit rejection gives another secret.
    ///
    /// ```
    /// use pqc_core::{Ciphertext, DecapsulationKey, KemAlgorithm};
    /// # let rng = &mut getrandom::SysRng;
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
    /// let (ciphertext, sent) = key.encapsulation_key().encapsulate_unattested(rng)?;
    /// assert!(key.decapsulate(&ciphertext)?.ct_eq(&sent));
    ///
    /// let mut altered = ciphertext.as_bytes().to_vec();
    /// altered[0] ^= 1;
    /// let rejected = key.decapsulate(&Ciphertext::from_bytes(&altered)?)?;
    /// assert!(!rejected.ct_eq(&sent));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
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
    /// ```
    /// use pqc_core::{AccountId, DecapsulationKey, KemAlgorithm, MasterKey, MasterKeys, Secret};
    /// # let rng = &mut getrandom::SysRng;
    /// let masters = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
    /// let account = AccountId::from_bytes([1; 16]);
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
    /// let record = key.seal(&masters, account, rng)?;
    /// let public = key.encapsulation_key().as_bytes();
    /// let opened = DecapsulationKey::open(&masters, account, public, &record)?;
    /// assert_eq!(opened.encapsulation_key(), key.encapsulation_key());
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
        let seed = self.seed.as_ref().ok_or(Error::NoSeed)?;
        let id = self.encapsulation_key.key_id();
        let name = record_name(account, self.algorithm(), &id);
        masters.seal(&name, seed.expose_bytes(), rng)
    }

    /// Opens `account`'s record of the key pair whose public key is `encapsulation_key`, which its
    /// name binds.
    ///
    /// ```
    /// use pqc_core::{AccountId, DecapsulationKey, Error, KemAlgorithm};
    /// # use pqc_core::{MasterKey, MasterKeys, Secret};
    /// # let rng = &mut getrandom::SysRng;
    /// # let masters = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
    /// let [mine, yours] = [[1; 16], [2; 16]].map(AccountId::from_bytes);
    /// let key = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
    /// let record = key.seal(&masters, mine, rng)?;
    /// let public = key.encapsulation_key().as_bytes();
    /// let refused = DecapsulationKey::open(&masters, yours, public, &record).unwrap_err();
    /// assert_eq!(refused, Error::SealBroken);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`]: the encapsulation key's; [`Error::SealBroken`]: another key's or
    /// account's record, or one that was altered; [`Error::UnknownMasterKey`].
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

fn record_name(account: AccountId, algorithm: KemAlgorithm, id: &KeyId) -> RecordName<'_> {
    RecordName {
        account,
        kind: RecordKind::DecapsulationKey,
        algorithm: algorithm.name(),
        record_id: id.as_bytes(),
    }
}
