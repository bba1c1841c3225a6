//! Prepared keys: decoded once, with the expanded matrix, for many encapsulations or decapsulations.
//!
//! They give the same bytes as the keys that they come from. They are larger (up to some tens of
//! kilobytes) and live in memory only: to store or send a key, use the plain one. On a build without
//! libcrux the matrix is sampled anew at each call, and only decoding is saved.

use alloc::boxed::Box;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::{Ciphertext, DecapsulationKey, EncapsulationKey, KemAlgorithm, SharedSecret, same_set};
use crate::backend::{Active, Backend, PreparedDecapsulation, PreparedEncapsulation};
use crate::error::{Error, Field};
use crate::hybrid;
use crate::secret::Secret;

/// An [`EncapsulationKey`] for many encapsulations.
///
/// ```
/// use pqc_core::{DecapsulationKey, KemAlgorithm};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let mut rng = getrandom::SysRng;
/// let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng)?;
/// let to_receiver = receiver.encapsulation_key().prepare()?;
/// let receiver = receiver.prepare()?;
/// for _ in 0..3 {
///     let (ciphertext, sent) = to_receiver.encapsulate_unattested(&mut rng)?;
///     assert!(receiver.decapsulate(&ciphertext)?.ct_eq(&sent));
/// }
/// # Ok(())
/// # }
/// ```
pub struct PreparedEncapsulationKey {
    algorithm: KemAlgorithm,
    key: Encapsulating,
}

enum Encapsulating {
    MlKem(Box<dyn PreparedEncapsulation>),
    XWing(hybrid::PreparedEncapsulationKey),
}

impl PreparedEncapsulationKey {
    /// As [`EncapsulationKey::encapsulate_unattested`].
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn encapsulate_unattested(
        &self,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        match &self.key {
            Encapsulating::MlKem(key) => Ok(self.made(key.encapsulate(&Secret::generate(rng)?))),
            Encapsulating::XWing(key) => {
                key.encapsulate(&Secret::generate(rng)?).map(|made| self.made(made))
            }
        }
    }

    /// As [`EncapsulationKey::hazmat_encapsulate_deterministic`].
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, KemAlgorithm};
    /// # fn main() -> Result<(), pqc_core::Error> {
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng)?;
    /// let key = key.encapsulation_key();
    /// let (ciphertext, _) = key.prepare()?.hazmat_encapsulate_deterministic(&[7; 32])?;
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
        match &self.key {
            Encapsulating::MlKem(key) => {
                Ok(self.made(key.encapsulate(&Secret::from_slice(field, randomness)?)))
            }
            Encapsulating::XWing(key) => {
                key.encapsulate(&Secret::from_slice(field, randomness)?).map(|made| self.made(made))
            }
        }
    }

    fn made(&self, (bytes, secret): (Vec<u8>, Secret<32>)) -> (Ciphertext, SharedSecret) {
        (Ciphertext { algorithm: self.algorithm, bytes }, SharedSecret(secret))
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.key {
                Encapsulating::MlKem(key) => key.memory_bytes(),
                Encapsulating::XWing(key) => key.memory_bytes(),
            }
    }
}

impl core::fmt::Debug for PreparedEncapsulationKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct("PreparedEncapsulationKey");
        shown.field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// A [`DecapsulationKey`] for many decapsulations. Secret; overwritten when it is dropped.
///
/// It has one owner:
/// ```compile_fail,E0599
/// # use pqc_core::{DecapsulationKey, KemAlgorithm};
/// # let mut rng = getrandom::SysRng;
/// # let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng).unwrap();
/// let copy = key.prepare().unwrap().clone();
/// ```
pub struct PreparedDecapsulationKey {
    algorithm: KemAlgorithm,
    key: Decapsulating,
}

enum Decapsulating {
    MlKem(Box<dyn PreparedDecapsulation>),
    XWing(hybrid::PreparedDecapsulationKey),
}

impl PreparedDecapsulationKey {
    /// As [`DecapsulationKey::decapsulate`].
    ///
    /// # Errors
    /// As there.
    pub fn decapsulate(&self, ciphertext: &Ciphertext) -> Result<SharedSecret, Error> {
        same_set(Field::Ciphertext, self.algorithm, ciphertext.algorithm)?;
        match &self.key {
            Decapsulating::MlKem(key) => key.decapsulate(&ciphertext.bytes),
            Decapsulating::XWing(key) => key.decapsulate(&ciphertext.bytes),
        }
        .map(SharedSecret)
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.key {
                Decapsulating::MlKem(key) => key.memory_bytes(),
                Decapsulating::XWing(key) => key.memory_bytes(),
            }
    }
}

impl core::fmt::Debug for PreparedDecapsulationKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct("PreparedDecapsulationKey");
        shown.field("algorithm", &self.algorithm).field("key", &format_args!("[redacted]"));
        shown.finish()
    }
}

impl EncapsulationKey {
    /// Decodes the key once, for many encapsulations, and expands its matrix (but on a build without
    /// libcrux, where each call samples it).
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate made or read.
    pub fn prepare(&self) -> Result<PreparedEncapsulationKey, Error> {
        let key = match self.algorithm.parameter_set() {
            Some(set) => Encapsulating::MlKem(Active::prepare_encapsulation_key(set, &self.bytes)?),
            None => Encapsulating::XWing(hybrid::prepare_encapsulation_key::<Active>(&self.bytes)?),
        };
        Ok(PreparedEncapsulationKey { algorithm: self.algorithm, key })
    }
}

impl DecapsulationKey {
    /// Decodes the key once, for many decapsulations; the matrix as in
    /// [`EncapsulationKey::prepare`].
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate made or read.
    pub fn prepare(&self) -> Result<PreparedDecapsulationKey, Error> {
        let (algorithm, expanded) = (self.algorithm(), self.expanded.expose_bytes());
        let key = match algorithm.parameter_set() {
            Some(set) => Decapsulating::MlKem(Active::prepare_decapsulation_key(set, expanded)?),
            None => Decapsulating::XWing(hybrid::prepare_decapsulation_key::<Active>(expanded)?),
        };
        Ok(PreparedDecapsulationKey { algorithm, key })
    }
}
