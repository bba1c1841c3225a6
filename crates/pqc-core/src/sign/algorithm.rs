//! The parameter sets of ML-DSA and their sizes (FIPS 204, Tables 1 and 2).

use crate::error::{self, Error, Field};

/// A parameter set of ML-DSA (FIPS 204, Table 1).
///
/// | sizes in bytes | verifying key | seed | expanded key | signature |
/// |---|---|---|---|---|
/// | ML-DSA-44 | 1312 | 32 | 2560 | 2420 |
/// | ML-DSA-65 | 1952 | 32 | 4032 | 3309 |
/// | ML-DSA-87 | 2592 | 32 | 4896 | 4627 |
///
/// ```
/// use pqc_core::SignatureAlgorithm;
/// let set: SignatureAlgorithm = "ml-dsa-65".parse()?;
/// assert_eq!((set, set.name()), (SignatureAlgorithm::MlDsa65, "ML-DSA-65"));
/// assert_eq!((set.verifying_key_bytes(), set.signature_bytes()), (1952, 3309));
/// assert_eq!(set.expanded_key_bytes(), 4032);
/// assert!("Dilithium3".parse::<SignatureAlgorithm>().is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// Security category 2.
    MlDsa44,
    /// Security category 3: the default.
    MlDsa65,
    /// Security category 5.
    MlDsa87,
}

impl SignatureAlgorithm {
    /// Every parameter set.
    pub const ALL: [Self; 3] = [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];

    /// Every name, for people.
    pub(crate) const NAMES: &'static str = "ML-DSA-44, ML-DSA-65, ML-DSA-87";

    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
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
            .ok_or(Error::UnknownAlgorithm { known: Self::NAMES })
    }

    /// The bytes of a verifying key (FIPS 204, Table 2).
    #[must_use]
    pub const fn verifying_key_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }

    /// The bytes of an expanded signing key (FIPS 204, Table 2).
    #[must_use]
    pub const fn expanded_key_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => 2560,
            Self::MlDsa65 => 4032,
            Self::MlDsa87 => 4896,
        }
    }

    /// The bytes of a signature (FIPS 204, Table 2).
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => 4627,
        }
    }

    pub(super) fn of_length(
        field: Field,
        length: fn(Self) -> usize,
        actual: usize,
    ) -> Result<Self, Error> {
        error::of_length(field, Self::ALL, length, actual)
    }
}

impl core::fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for SignatureAlgorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::from_name(name)
    }
}
