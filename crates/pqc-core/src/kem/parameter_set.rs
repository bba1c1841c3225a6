//! The parameter sets of ML-KEM and their sizes (FIPS 203, Tables 2 and 3).

use super::KemAlgorithm;
use crate::error::{self, Error, Field};

/// A parameter set of ML-KEM (FIPS 203, Table 2).
///
/// ```
/// use pqc_core::kem::{KemAlgorithm, ParameterSet};
/// let set = ParameterSet::MlKem512;
/// assert_eq!(set.algorithm(), KemAlgorithm::MlKem512);
/// assert_eq!((set.encapsulation_key_bytes(), set.ciphertext_bytes()), (800, 768));
/// assert_eq!((ParameterSet::SEED_BYTES, set.expanded_key_bytes()), (64, 1632));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ParameterSet {
    /// Security category 1.
    MlKem512,
    /// Security category 3: the default.
    MlKem768,
    /// Security category 5.
    MlKem1024,
}

impl ParameterSet {
    /// Every parameter set.
    pub const ALL: [Self; 3] = [Self::MlKem512, Self::MlKem768, Self::MlKem1024];

    /// The bytes of a seed, d ‖ z (FIPS 203, Algorithm 19), of each of them.
    pub const SEED_BYTES: usize = 64;

    /// The algorithm that it makes of ML-KEM.
    #[must_use]
    pub const fn algorithm(self) -> KemAlgorithm {
        match self {
            Self::MlKem512 => KemAlgorithm::MlKem512,
            Self::MlKem768 => KemAlgorithm::MlKem768,
            Self::MlKem1024 => KemAlgorithm::MlKem1024,
        }
    }

    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.algorithm().name()
    }

    /// The bytes of an encapsulation key (FIPS 203, Table 3).
    #[must_use]
    pub const fn encapsulation_key_bytes(self) -> usize {
        384 * self.rank() + 32
    }

    /// The bytes of an expanded decapsulation key (FIPS 203, Table 3).
    #[must_use]
    pub const fn expanded_key_bytes(self) -> usize {
        768 * self.rank() + 96
    }

    /// The bytes of a ciphertext (FIPS 203, Table 3).
    #[must_use]
    pub const fn ciphertext_bytes(self) -> usize {
        match self {
            Self::MlKem512 => 768,
            Self::MlKem768 => 1088,
            Self::MlKem1024 => 1568,
        }
    }

    /// The parameter set of an expanded decapsulation key of this length.
    pub(super) fn of_expanded_key(bytes: usize) -> Result<Self, Error> {
        error::of_length(Field::DecapsulationKey, Self::ALL, Self::expanded_key_bytes, bytes)
    }

    /// k of FIPS 203, Table 2.
    pub(crate) const fn rank(self) -> usize {
        match self {
            Self::MlKem512 => 2,
            Self::MlKem768 => 3,
            Self::MlKem1024 => 4,
        }
    }
}

impl From<ParameterSet> for KemAlgorithm {
    fn from(set: ParameterSet) -> Self {
        set.algorithm()
    }
}

impl core::fmt::Display for ParameterSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
