//! Prepared keys: decoded once, with the expanded matrix, for many encapsulations or decapsulations.
//!
//! They give the same bytes as the keys that they come from. They are larger (up to some tens of
//! kilobytes) and live in memory only: to store or send a key, use the plain one. On a build without
//! libcrux the matrix is sampled anew at each call, and only decoding is saved.

use alloc::boxed::Box;

use rand_core::TryCryptoRng;

use super::{Ciphertext, DecapsulationKey, EncapsulationKey, KemAlgorithm, SharedSecret, same_set};
use crate::backend::{Active, Backend, PreparedDecapsulation, PreparedEncapsulation};
use crate::error::{Error, Field};
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
    key: Box<dyn PreparedEncapsulation>,
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
        Ok(self.encapsulate_message(&Secret::generate(rng)?))
    }

    /// As [`EncapsulationKey::hazmat_encapsulate_deterministic`].
    #[cfg(feature = "hazmat")]
    #[must_use]
    pub fn hazmat_encapsulate_deterministic(
        &self,
        message: &Secret<32>,
    ) -> (Ciphertext, SharedSecret) {
        self.encapsulate_message(message)
    }

    fn encapsulate_message(&self, message: &Secret<32>) -> (Ciphertext, SharedSecret) {
        let (bytes, secret) = self.key.encapsulate(message);
        (Ciphertext { algorithm: self.algorithm, bytes }, SharedSecret(secret))
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
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
/// ```compile_fail
/// # use pqc_core::{DecapsulationKey, KemAlgorithm};
/// # let mut rng = getrandom::SysRng;
/// # let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng).unwrap();
/// let copy = key.prepare().unwrap().clone();
/// ```
pub struct PreparedDecapsulationKey {
    algorithm: KemAlgorithm,
    key: Box<dyn PreparedDecapsulation>,
}

impl PreparedDecapsulationKey {
    /// As [`DecapsulationKey::decapsulate`].
    ///
    /// # Errors
    /// [`Error::AlgorithmMismatch`]: the ciphertext is of another parameter set.
    pub fn decapsulate(&self, ciphertext: &Ciphertext) -> Result<SharedSecret, Error> {
        same_set(Field::Ciphertext, self.algorithm, ciphertext.algorithm)?;
        self.key.decapsulate(&ciphertext.bytes).map(SharedSecret)
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
    }
}

impl core::fmt::Debug for PreparedDecapsulationKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct("PreparedDecapsulationKey");
        shown.field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl EncapsulationKey {
    /// Decodes the key and expands its matrix once, for many encapsulations.
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate made or read.
    pub fn prepare(&self) -> Result<PreparedEncapsulationKey, Error> {
        let key = Active::prepare_encapsulation_key(self.algorithm, &self.bytes)?;
        Ok(PreparedEncapsulationKey { algorithm: self.algorithm, key })
    }
}

impl DecapsulationKey {
    /// Decodes the key and expands its matrix once, for many decapsulations.
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate made or read.
    pub fn prepare(&self) -> Result<PreparedDecapsulationKey, Error> {
        let algorithm = self.algorithm();
        let key = Active::prepare_decapsulation_key(algorithm, self.expanded.expose_bytes())?;
        Ok(PreparedDecapsulationKey { algorithm, key })
    }
}
