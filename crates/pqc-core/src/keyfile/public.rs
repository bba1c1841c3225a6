//! Public keys as SubjectPublicKeyInfo (RFC 5280, Section 4.1.2.7).

use alloc::string::String;
use alloc::vec::Vec;

use pkcs8::der::asn1::BitStringRef;
use pkcs8::der::{Decode, Encode};
use pkcs8::spki::SubjectPublicKeyInfoRef;

use super::algorithm::KeyAlgorithm;
use super::{WRITING, pem};
use crate::error::{Error, Field, check_length};
use crate::id::KeyId;
use crate::kem::EncapsulationKey;
use crate::sign::VerifyingKey;

/// A public key of any algorithm that key files are read for.
///
/// ```
/// use pqc_core::keyfile::PublicKey;
/// use pqc_core::{SignatureAlgorithm, SigningKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng)?;
/// let public = PublicKey::from(key.verifying_key().clone());
/// assert_eq!(public.to_der()?.len(), 22 + 1312);
/// assert_eq!(PublicKey::from_der(&public.to_der()?)?, public);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    /// Of ML-KEM (RFC 9935, Section 4), or of X-Wing.
    Encapsulation(EncapsulationKey),
    /// Of ML-DSA (RFC 9881, Section 4).
    Verifying(VerifyingKey),
}

impl PublicKey {
    /// Reads DER: 22 bytes (X-Wing: 24) and the encoded key, and only that.
    ///
    /// # Errors
    /// [`Error::Malformed`]: not such DER, or the algorithm has parameters;
    /// [`Error::UnknownAlgorithm`]; [`Error::Length`]: not the algorithm's;
    /// [`Error::EncapsulationKeyModulus`] (FIPS 203, Section 7.2); [`Error::LowOrder`]: the X25519
    /// part of an X-Wing key.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let malformed = |expected| Error::Malformed { field: Field::PublicKeyFile, expected };
        let info = SubjectPublicKeyInfoRef::from_der(der)
            .map_err(|_| malformed("DER of a SubjectPublicKeyInfo"))?;
        let algorithm = KeyAlgorithm::from_identifier(Field::PublicKeyFile, &info.algorithm)?;
        let bytes =
            info.subject_public_key.as_bytes().ok_or(malformed("a BIT STRING of whole bytes"))?;
        Self::from_bytes(algorithm, bytes)
    }

    pub(super) fn from_bytes(algorithm: KeyAlgorithm, bytes: &[u8]) -> Result<Self, Error> {
        match algorithm {
            KeyAlgorithm::Kem(set) => {
                check_length(Field::EncapsulationKey, set.encapsulation_key_bytes(), bytes.len())?;
                EncapsulationKey::from_bytes(bytes).map(Self::Encapsulation)
            }
            KeyAlgorithm::Signature(set) => {
                check_length(Field::VerifyingKey, set.verifying_key_bytes(), bytes.len())?;
                VerifyingKey::from_bytes(bytes).map(Self::Verifying)
            }
        }
    }

    /// Reads PEM with the label `PUBLIC KEY` (RFC 7468, Section 13).
    ///
    /// # Errors
    /// As [`Self::from_der`]; [`Error::Malformed`]: not such PEM.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_der(pem::decode(pem::PUBLIC, text)?.expose_bytes())
    }

    /// DER: 22 bytes (X-Wing: 24) more than the encoded key.
    ///
    /// ```
    /// use pqc_core::keyfile::PublicKey;
    /// use pqc_core::{DecapsulationKey, KemAlgorithm};
    /// let key = DecapsulationKey::generate(KemAlgorithm::XWing, &mut getrandom::SysRng)?;
    /// let public = PublicKey::from(key.encapsulation_key().clone());
    /// assert_eq!(public.to_der()?.len(), 24 + 1216);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that is known: [`Error::Internal`].
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        let info = SubjectPublicKeyInfoRef {
            algorithm: self.algorithm().to_identifier(),
            subject_public_key: BitStringRef::from_bytes(self.as_bytes()).map_err(|_| WRITING)?,
        };
        info.to_der().map_err(|_| WRITING)
    }

    /// PEM with the label `PUBLIC KEY`.
    ///
    /// # Errors
    /// None that is known: [`Error::Internal`].
    pub fn to_pem(&self) -> Result<String, Error> {
        pem::encode(pem::PUBLIC, &self.to_der()?)
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Encapsulation(key) => KeyAlgorithm::Kem(key.algorithm()),
            Self::Verifying(key) => KeyAlgorithm::Signature(key.algorithm()),
        }
    }

    /// The encoded key, without framing.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Encapsulation(key) => key.as_bytes(),
            Self::Verifying(key) => key.as_bytes(),
        }
    }

    /// The id of the key pair it belongs to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Encapsulation(key) => key.key_id(),
            Self::Verifying(key) => key.key_id(),
        }
    }
}

impl From<EncapsulationKey> for PublicKey {
    fn from(key: EncapsulationKey) -> Self {
        Self::Encapsulation(key)
    }
}

impl From<VerifyingKey> for PublicKey {
    fn from(key: VerifyingKey) -> Self {
        Self::Verifying(key)
    }
}
