//! Which parameter set a key file is for.

use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier};

use crate::error::{Error, Field};
use crate::kem::{KemAlgorithm, ParameterSet};
use crate::sign::SignatureAlgorithm;

/// The algorithm of a key in a file.
///
/// ```
/// use pqc_core::keyfile::KeyAlgorithm;
/// use pqc_core::{KemAlgorithm, SignatureAlgorithm};
/// assert_eq!(KeyAlgorithm::Kem(KemAlgorithm::MlKem768).name(), "ML-KEM-768");
/// assert_eq!(KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa65).to_string(), "ML-DSA-65");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ML-KEM (FIPS 203), or X-Wing.
    Kem(KemAlgorithm),
    /// ML-DSA (FIPS 204).
    Signature(SignatureAlgorithm),
}

impl KeyAlgorithm {
    /// Every algorithm that key files are read and written for.
    pub const ALL: [Self; 7] = [
        Self::Kem(KemAlgorithm::MlKem512),
        Self::Kem(KemAlgorithm::MlKem768),
        Self::Kem(KemAlgorithm::MlKem1024),
        Self::Kem(KemAlgorithm::XWing),
        Self::Signature(SignatureAlgorithm::MlDsa44),
        Self::Signature(SignatureAlgorithm::MlDsa65),
        Self::Signature(SignatureAlgorithm::MlDsa87),
    ];

    /// Every name, for people.
    const NAMES: &'static str =
        "ML-KEM-512, ML-KEM-768, ML-KEM-1024, X-Wing, ML-DSA-44, ML-DSA-65, ML-DSA-87";

    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kem(set) => set.name(),
            Self::Signature(set) => set.name(),
        }
    }

    /// NIST's security category (FIPS 203, Table 3; FIPS 204, Table 1); X-Wing has none, and stands as
    /// long as ML-KEM-768 or X25519 does.
    ///
    /// ```
    /// use pqc_core::keyfile::KeyAlgorithm;
    /// use pqc_core::{KemAlgorithm, SignatureAlgorithm};
    /// assert_eq!(KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa44).category(), Some(2));
    /// assert_eq!(KeyAlgorithm::Kem(KemAlgorithm::XWing).category(), None);
    /// ```
    #[must_use]
    pub const fn category(self) -> Option<u8> {
        match self {
            Self::Kem(KemAlgorithm::MlKem512) => Some(1),
            Self::Signature(SignatureAlgorithm::MlDsa44) => Some(2),
            Self::Kem(KemAlgorithm::MlKem768) | Self::Signature(SignatureAlgorithm::MlDsa65) => {
                Some(3)
            }
            Self::Kem(KemAlgorithm::MlKem1024) | Self::Signature(SignatureAlgorithm::MlDsa87) => {
                Some(5)
            }
            Self::Kem(KemAlgorithm::XWing) => None,
        }
    }

    /// The object identifier (RFC 9935, Section 3; RFC 9881, Section 2; X-Wing: the draft).
    const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::Kem(KemAlgorithm::MlKem512) => "2.16.840.1.101.3.4.4.1",
            Self::Kem(KemAlgorithm::MlKem768) => "2.16.840.1.101.3.4.4.2",
            Self::Kem(KemAlgorithm::MlKem1024) => "2.16.840.1.101.3.4.4.3",
            Self::Kem(KemAlgorithm::XWing) => "1.3.6.1.4.1.62253.25722",
            Self::Signature(SignatureAlgorithm::MlDsa44) => "2.16.840.1.101.3.4.3.17",
            Self::Signature(SignatureAlgorithm::MlDsa65) => "2.16.840.1.101.3.4.3.18",
            Self::Signature(SignatureAlgorithm::MlDsa87) => "2.16.840.1.101.3.4.3.19",
        })
    }

    /// Names the algorithm in a file. Both RFCs: the parameters are absent.
    pub(super) const fn to_identifier(self) -> AlgorithmIdentifierRef<'static> {
        AlgorithmIdentifierRef { oid: self.oid(), parameters: None }
    }

    /// The algorithm that a file, `field`, names.
    pub(super) fn from_identifier(
        field: Field,
        identifier: &AlgorithmIdentifierRef<'_>,
    ) -> Result<Self, Error> {
        let algorithm = Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.oid() == identifier.oid)
            .ok_or(Error::UnknownAlgorithm { known: Self::NAMES })?;
        if identifier.parameters.is_some() {
            return Err(Error::Malformed { field, expected: "an algorithm without parameters" });
        }
        Ok(algorithm)
    }

    /// What errors call the private key.
    pub(super) const fn private_field(self) -> Field {
        match self {
            Self::Kem(_) => Field::DecapsulationKey,
            Self::Signature(_) => Field::SigningKey,
        }
    }

    /// `None`: the key has no expanded form in files.
    pub(crate) fn expanded_bytes(self) -> Option<usize> {
        match self {
            Self::Kem(kem) => kem.parameter_set().map(ParameterSet::expanded_key_bytes),
            Self::Signature(set) => Some(set.expanded_key_bytes()),
        }
    }
}

impl core::fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_is_shown_by_its_name() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(alloc::format!("{algorithm}"), algorithm.name());
        }
    }
}
