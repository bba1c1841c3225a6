//! The KEMs and their sizes.

use super::ParameterSet;
use crate::error::{self, Error, Field};
use crate::hybrid;

/// A KEM: ML-KEM with one of its parameter sets (FIPS 203), or X-Wing, which is ML-KEM-768 and
/// X25519 together (draft-connolly-cfrg-xwing-kem).
///
/// | sizes in bytes | encapsulation key | seed | expanded key | ciphertext |
/// |---|---|---|---|---|
/// | ML-KEM-512 | 800 | 64 | 1632 | 768 |
/// | ML-KEM-768 | 1184 | 64 | 2400 | 1088 |
/// | ML-KEM-1024 | 1568 | 64 | 3168 | 1568 |
/// | X-Wing | 1216 | 32 | none | 1120 |
///
/// ```
/// use pqc_core::KemAlgorithm;
/// let kem: KemAlgorithm = "ml-kem-768".parse()?;
/// assert_eq!((kem, kem.name()), (KemAlgorithm::MlKem768, "ML-KEM-768"));
/// assert_eq!((kem.encapsulation_key_bytes(), kem.ciphertext_bytes()), (1184, 1088));
/// assert_eq!(KemAlgorithm::XWing.seed_bytes(), 32);
/// assert!(KemAlgorithm::XWing.parameter_set().is_none());
/// assert!("Kyber768".parse::<KemAlgorithm>().is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KemAlgorithm {
    /// Security category 1.
    MlKem512,
    /// Security category 3: the default.
    MlKem768,
    /// Security category 5.
    MlKem1024,
    /// Stands as long as ML-KEM-768 or X25519 does.
    XWing,
}

impl KemAlgorithm {
    /// Every KEM.
    pub const ALL: [Self; 4] = [Self::MlKem512, Self::MlKem768, Self::MlKem1024, Self::XWing];

    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlKem512 => "ML-KEM-512",
            Self::MlKem768 => "ML-KEM-768",
            Self::MlKem1024 => "ML-KEM-1024",
            Self::XWing => "X-Wing",
        }
    }

    /// The KEM with this name, in any case.
    ///
    /// # Errors
    /// [`Error::UnknownAlgorithm`].
    pub fn from_name(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|kem| kem.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownAlgorithm { known: "ML-KEM-512, ML-KEM-768, ML-KEM-1024, X-Wing" })
    }

    /// The parameter set of ML-KEM; `None` for X-Wing.
    #[must_use]
    pub const fn parameter_set(self) -> Option<ParameterSet> {
        match self {
            Self::MlKem512 => Some(ParameterSet::MlKem512),
            Self::MlKem768 => Some(ParameterSet::MlKem768),
            Self::MlKem1024 => Some(ParameterSet::MlKem1024),
            Self::XWing => None,
        }
    }

    /// The bytes of an encapsulation key (FIPS 203, Table 3; X-Wing: 1216).
    #[must_use]
    pub const fn encapsulation_key_bytes(self) -> usize {
        match self.parameter_set() {
            Some(set) => set.encapsulation_key_bytes(),
            None => hybrid::ENCAPSULATION_KEY_BYTES,
        }
    }

    /// The bytes of a decapsulation key's seed: 64 for ML-KEM (d ‖ z, FIPS 203, Algorithm 19), 32
    /// for X-Wing.
    #[must_use]
    pub const fn seed_bytes(self) -> usize {
        match self.parameter_set() {
            Some(_) => ParameterSet::SEED_BYTES,
            None => hybrid::SEED_BYTES,
        }
    }

    /// The bytes of a ciphertext (FIPS 203, Table 3; X-Wing: 1120).
    #[must_use]
    pub const fn ciphertext_bytes(self) -> usize {
        match self.parameter_set() {
            Some(set) => set.ciphertext_bytes(),
            None => hybrid::CIPHERTEXT_BYTES,
        }
    }

    /// The KEM of an encapsulation key of this length.
    ///
    /// ```
    /// use pqc_core::KemAlgorithm;
    /// assert_eq!(KemAlgorithm::of_encapsulation_key(1216)?, KemAlgorithm::XWing);
    /// let refused = KemAlgorithm::of_encapsulation_key(1217).unwrap_err().to_string();
    /// assert!(refused.ends_with("must be 800 or 1184 or 1568 or 1216 bytes, not 1217"));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn of_encapsulation_key(bytes: usize) -> Result<Self, Error> {
        Self::of_length(Field::EncapsulationKey, Self::encapsulation_key_bytes, bytes)
    }

    /// The KEM of a ciphertext of this length.
    ///
    /// ```
    /// use pqc_core::KemAlgorithm;
    /// assert_eq!(KemAlgorithm::of_ciphertext(1568)?, KemAlgorithm::MlKem1024);
    /// assert!(KemAlgorithm::of_ciphertext(1567).is_err());
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn of_ciphertext(bytes: usize) -> Result<Self, Error> {
        Self::of_length(Field::Ciphertext, Self::ciphertext_bytes, bytes)
    }

    fn of_length(field: Field, length: fn(Self) -> usize, actual: usize) -> Result<Self, Error> {
        error::of_length(field, Self::ALL, length, actual)
    }
}

impl core::fmt::Display for KemAlgorithm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for KemAlgorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::from_name(name)
    }
}
