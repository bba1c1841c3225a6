//! ML-KEM (FIPS 203, Algorithms 16 to 21), all three parameter sets, and X-Wing
//! (draft-connolly-cfrg-xwing-kem), in one shape.
//!
//! Bytes become a key or a ciphertext once, through the checks of FIPS 203, Sections 7.2 and 7.3;
//! from there on only types travel. A decapsulation key is kept as its seed. Encapsulation
//! to a key that no issuer vouches for has a loud name, [`EncapsulationKey::encapsulate_unattested`];
//! the quiet one is on [`crate::VerifiedEncapsulationKey`]. A key for many calls is prepared once:
//! [`EncapsulationKey::prepare`], [`DecapsulationKey::prepare`].

mod algorithm;
mod ciphertext;
mod decapsulation_key;
mod parameter_set;
mod prepared;

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use crate::backend::{Active, Backend};
use crate::error::{Error, Field};
use crate::hybrid;
use crate::id::KeyId;
use crate::secret::Secret;

pub use algorithm::KemAlgorithm;
pub use ciphertext::{Ciphertext, SharedSecret};
pub use decapsulation_key::DecapsulationKey;
pub use parameter_set::ParameterSet;
pub use prepared::{PreparedDecapsulationKey, PreparedEncapsulationKey};

/// An encapsulation key that passed the modulus check (FIPS 203, Section 7.2):
/// 800, 1184 or 1568 bytes, for X-Wing 1216.
///
/// ```
/// use pqc_core::{DecapsulationKey, EncapsulationKey, KemAlgorithm};
///
/// let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng)?;
/// let sent: &[u8] = receiver.encapsulation_key().as_bytes();
/// let key = EncapsulationKey::from_bytes(sent)?;
/// assert_eq!((key.algorithm(), key.as_bytes().len()), (KemAlgorithm::MlKem768, 1184));
/// assert_eq!(key.key_id(), receiver.encapsulation_key().key_id());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncapsulationKey {
    algorithm: KemAlgorithm,
    bytes: Vec<u8>,
}

impl EncapsulationKey {
    /// Reads a key; its length names its parameter set.
    ///
    /// ```
    /// use pqc_core::{EncapsulationKey, Error};
    /// // Coefficients of 4095, where q is 3329.
    /// let unreduced = EncapsulationKey::from_bytes(&[0xff; 1184]);
    /// assert_eq!(unreduced, Err(Error::EncapsulationKeyModulus));
    /// assert!(matches!(EncapsulationKey::from_bytes(&[0; 1185]), Err(Error::Length { .. })));
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::EncapsulationKeyModulus`] (FIPS 203, Section 7.2);
    /// [`Error::LowOrder`]: the X25519 part of an X-Wing key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(bytes)?, bytes: bytes.to_vec() })
    }

    /// The parameter set of a key that passes the check.
    fn algorithm_of(bytes: &[u8]) -> Result<KemAlgorithm, Error> {
        let algorithm = KemAlgorithm::of_encapsulation_key(bytes.len())?;
        match algorithm.parameter_set() {
            None => hybrid::check_encapsulation_key::<Active>(bytes)?,
            Some(set) if !Active::encapsulation_key_is_reduced(set, bytes) => {
                return Err(Error::EncapsulationKeyModulus);
            }
            Some(_) => {}
        }
        Ok(algorithm)
    }

    /// ML-KEM.Encaps (FIPS 203, Algorithm 20), or Encapsulate of X-Wing, to a key that nobody
    /// vouched for: the caller answers for whose it is.
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, KemAlgorithm};
    /// # let rng = &mut getrandom::SysRng;
    /// let receiver = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
    /// let (ciphertext, sent) = receiver.encapsulation_key().encapsulate_unattested(rng)?;
    /// assert_eq!(ciphertext.as_bytes().len(), 1120);
    /// assert!(receiver.decapsulate(&ciphertext)?.ct_eq(&sent));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
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
    /// [`Error::Length`]: `randomness` is not 32 bytes (ML-KEM) or 64 (X-Wing).
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

impl TryFrom<Vec<u8>> for EncapsulationKey {
    type Error = Error;

    /// As [`Self::from_bytes`], without a copy.
    fn try_from(bytes: Vec<u8>) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(&bytes)?, bytes })
    }
}

fn same_set(field: Field, expected: KemAlgorithm, actual: KemAlgorithm) -> Result<(), Error> {
    if expected == actual {
        return Ok(());
    }
    Err(Error::AlgorithmMismatch { field, expected: expected.name(), actual: actual.name() })
}
