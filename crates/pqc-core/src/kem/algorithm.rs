//! The parameter sets of ML-KEM and their sizes.

use crate::error::{Error, Field};

/// A parameter set of ML-KEM (FIPS 203, Table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KemAlgorithm {
    /// Security category 1.
    MlKem512,
    /// Security category 3: the default.
    MlKem768,
    /// Security category 5.
    MlKem1024,
}

impl KemAlgorithm {
    /// Every parameter set.
    pub const ALL: [Self; 3] = [Self::MlKem512, Self::MlKem768, Self::MlKem1024];

    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlKem512 => "ML-KEM-512",
            Self::MlKem768 => "ML-KEM-768",
            Self::MlKem1024 => "ML-KEM-1024",
        }
    }

    /// The parameter set with this name, in any case.
    ///
    /// # Errors
    /// [`Error::UnknownAlgorithm`].
    pub fn from_name(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|set| set.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownAlgorithm { known: "ML-KEM-512, ML-KEM-768, ML-KEM-1024" })
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

    /// The parameter set of an encapsulation key of this length.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn of_encapsulation_key(bytes: usize) -> Result<Self, Error> {
        Self::of_length(Field::EncapsulationKey, Self::encapsulation_key_bytes, bytes)
    }

    /// The parameter set of a ciphertext of this length.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn of_ciphertext(bytes: usize) -> Result<Self, Error> {
        Self::of_length(Field::Ciphertext, Self::ciphertext_bytes, bytes)
    }

    /// k of FIPS 203, Table 2.
    pub(super) const fn rank(self) -> usize {
        match self {
            Self::MlKem512 => 2,
            Self::MlKem768 => 3,
            Self::MlKem1024 => 4,
        }
    }

    pub(super) fn of_length(
        field: Field,
        length: fn(Self) -> usize,
        actual: usize,
    ) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|set| length(*set) == actual).ok_or_else(|| Error::Length {
            field,
            expected: Self::ALL.map(|set| alloc::format!("{}", length(set))).join(" or "),
            actual,
        })
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
