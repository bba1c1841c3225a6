//! Private keys as PKCS#8 (RFC 5958), plain or encrypted.

use alloc::string::String;
use alloc::vec::Vec;

use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{ContextSpecific, OctetStringRef};
use pkcs8::der::{self, Decode, Encode, Reader, SliceReader, Tag, TagMode, TagNumber};
use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::algorithm::KeyAlgorithm;
use super::public::PublicKey;
use super::{WRITING, encrypted, pem};
use crate::backend::{Active, Backend};
use crate::error::{Error, Field, check_length};
use crate::kem::{Ciphertext, DecapsulationKey, KemAlgorithm};
use crate::secret::{Secret, SecretVec};
use crate::sign::SigningKey;

/// A private key of any algorithm that key files are read for. Secret.
///
/// ```
/// use pqc_core::keyfile::PrivateKey;
/// use pqc_core::{SignatureAlgorithm, SigningKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut getrandom::SysRng)?;
/// let key = PrivateKey::from(key);
/// assert_eq!(key.to_der()?.len(), 54);
/// let read = PrivateKey::from_pem(&key.to_pem()?)?;
/// assert_eq!(read.algorithm().name(), "ML-DSA-65");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum PrivateKey {
    /// Of ML-KEM (RFC 9935, Section 6), or of X-Wing.
    Decapsulation(DecapsulationKey),
    /// Of ML-DSA (RFC 9881, Section 6).
    Signing(SigningKey),
}

/// The form in which a file holds a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrivateKeyForm {
    /// The seed: 64 bytes for ML-KEM, 32 for ML-DSA and X-Wing.
    Seed,
    /// The expanded key of FIPS 203 or FIPS 204.
    Expanded,
    /// Both, which agree.
    Both,
}

/// A private key file, read and checked.
pub(super) struct PrivateKeyFile {
    pub(super) key: PrivateKey,
    pub(super) form: PrivateKeyForm,
    /// Whether the public key stands beside the private one.
    pub(super) has_public_key: bool,
}

impl PrivateKey {
    /// Reads DER in any of the three forms.
    ///
    /// An expanded ML-KEM key must also decapsulate what is encapsulated to it, which the checks of
    /// FIPS 203 do not ask for; of an expanded ML-DSA key, t0 is checked only when it signs
    /// ([`SigningKey::from_expanded`]).
    ///
    /// ```
    /// use pqc_core::keyfile::PrivateKey;
    /// use pqc_core::{DecapsulationKey, Error, KemAlgorithm};
    /// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng)?;
    /// let file = PrivateKey::from(key).to_der()?;
    /// assert_eq!(file.len(), 86);
    /// assert!(PrivateKey::from_der(file.expose_bytes()).is_ok());
    /// let cut = PrivateKey::from_der(&file.expose_bytes()[..85]);
    /// assert!(matches!(cut, Err(Error::Malformed { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Malformed`]: not DER of such a file, or one with parameters, attributes or
    /// extensions; [`Error::UnknownAlgorithm`]; [`Error::Length`]: not the algorithm's;
    /// [`Error::InconsistentKeyFile`]: the seed, the expanded and the public key disagree;
    /// [`Error::DecapsulationKeyHash`], [`Error::EncapsulationKeyModulus`],
    /// [`Error::InconsistentSigningKey`]: an expanded key is no key.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        PrivateKeyFile::from_der(der).map(|file| file.key)
    }

    /// Reads PEM with the label `PRIVATE KEY` (RFC 7468, Section 10).
    ///
    /// # Errors
    /// As [`Self::from_der`]; [`Error::Malformed`]: not such PEM.
    pub fn from_pem(text: &str) -> Result<Self, Error> {
        Self::from_der(pem::decode(pem::PRIVATE, text)?.expose_bytes())
    }

    /// Reads encrypted DER: PBES2 (RFC 8018) with scrypt (N · r · p of at most 2²⁰, so 128 MiB) or
    /// PBKDF2-HMAC-SHA-256 (at most 1,000,000 iterations), and AES-256-CBC.
    ///
    /// ```
    /// use pqc_core::keyfile::PrivateKey;
    /// use pqc_core::{Error, SignatureAlgorithm, SigningKey};
    /// # let rng = &mut getrandom::SysRng;
    /// let key = PrivateKey::from(SigningKey::generate(SignatureAlgorithm::MlDsa65, rng)?);
    /// let file = key.to_encrypted_der(b"right", rng)?;
    /// assert_eq!(PrivateKey::from_encrypted_der(&file, b"right")?.public_key(), key.public_key());
    /// let refused = PrivateKey::from_encrypted_der(&file, b"wrong").unwrap_err();
    /// assert_eq!(refused, Error::KeyFileDecryption);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::from_der`]; [`Error::UnsupportedKeyFileEncryption`]; [`Error::OutOfRange`]: the
    /// key derivation costs too much; [`Error::KeyFileDecryption`]: wrong passphrase, or altered.
    pub fn from_encrypted_der(der: &[u8], passphrase: &[u8]) -> Result<Self, Error> {
        Self::from_der(encrypted::decrypt(der, passphrase)?.expose_bytes())
    }

    /// Reads encrypted PEM, with the label `ENCRYPTED PRIVATE KEY` (RFC 7468, Section 11).
    ///
    /// # Errors
    /// As [`Self::from_encrypted_der`]; [`Error::Malformed`]: not such PEM.
    pub fn from_encrypted_pem(text: &str, passphrase: &[u8]) -> Result<Self, Error> {
        let der = pem::decode(pem::ENCRYPTED, text)?;
        Self::from_encrypted_der(der.expose_bytes(), passphrase)
    }

    /// DER in seed form: 86 bytes for ML-KEM, 54 for ML-DSA and X-Wing; in expanded form if there
    /// is no seed. Key material.
    ///
    /// ```
    /// use pqc_core::keyfile::PrivateKey;
    /// use pqc_core::{DecapsulationKey, KemAlgorithm};
    /// for (kem, bytes) in [(KemAlgorithm::MlKem768, 86), (KemAlgorithm::XWing, 54)] {
    ///     let key = DecapsulationKey::generate(kem, &mut getrandom::SysRng)?;
    ///     assert_eq!(PrivateKey::from(key).to_der()?.len(), bytes);
    /// }
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// None that is known: [`Error::Internal`].
    pub fn to_der(&self) -> Result<SecretVec, Error> {
        let octets = |bytes| OctetStringRef::new(bytes).map_err(|_| WRITING);
        let form = match self.expose_seed() {
            Some(seed) if self.algorithm() == X_WING => Ok(seed.to_vec()),
            Some(seed) => {
                ContextSpecific { value: octets(seed)?, tag_number: SEED, tag_mode: IMPLICIT }
                    .to_der()
            }
            None => octets(self.expose_expanded().ok_or(WRITING)?.expose_bytes())?.to_der(),
        };
        let form = SecretVec::new(form.map_err(|_| WRITING)?);
        let algorithm = self.algorithm().to_identifier();
        PrivateKeyInfoRef::new(algorithm, octets(form.expose_bytes())?)
            .to_der()
            .map(SecretVec::new)
            .map_err(|_| WRITING)
    }

    /// PEM with the label `PRIVATE KEY`, of [`Self::to_der`]. Key material.
    ///
    /// # Errors
    /// None that is known: [`Error::Internal`].
    pub fn to_pem(&self) -> Result<Zeroizing<String>, Error> {
        pem::encode(pem::PRIVATE, self.to_der()?.expose_bytes()).map(Zeroizing::new)
    }

    /// DER, encrypted by PBES2 with scrypt (N = 2¹⁴, r = 8, p = 5: 16 MiB) and AES-256-CBC, which
    /// OpenSSL reads. The encryption does not authenticate: it keeps the key secret, not unaltered.
    ///
    /// # Errors
    /// [`Error::Randomness`]: nothing was made.
    pub fn to_encrypted_der(
        &self,
        passphrase: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Vec<u8>, Error> {
        encrypted::encrypt(self.to_der()?.expose_bytes(), passphrase, rng)
    }

    /// PEM with the label `ENCRYPTED PRIVATE KEY`, of [`Self::to_encrypted_der`].
    ///
    /// # Errors
    /// [`Error::Randomness`]: nothing was made.
    pub fn to_encrypted_pem(
        &self,
        passphrase: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<String, Error> {
        pem::encode(pem::ENCRYPTED, &self.to_encrypted_der(passphrase, rng)?)
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        match self {
            Self::Decapsulation(key) => KeyAlgorithm::Kem(key.algorithm()),
            Self::Signing(key) => KeyAlgorithm::Signature(key.algorithm()),
        }
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        match self {
            Self::Decapsulation(key) => key.encapsulation_key().clone().into(),
            Self::Signing(key) => key.verifying_key().clone().into(),
        }
    }

    pub(super) fn from_seed(algorithm: KeyAlgorithm, seed: &[u8]) -> Result<Self, Error> {
        Ok(match algorithm {
            KeyAlgorithm::Kem(kem) => DecapsulationKey::from_seed_bytes(kem, seed)?.into(),
            KeyAlgorithm::Signature(set) => {
                SigningKey::from_seed(set, Secret::from_slice(Field::SigningKey, seed)?).into()
            }
        })
    }

    pub(super) fn from_expanded(algorithm: KeyAlgorithm, expanded: &[u8]) -> Result<Self, Error> {
        check_expanded_length(algorithm, expanded)?;
        match algorithm {
            KeyAlgorithm::Kem(_) => {
                let key = DecapsulationKey::from_expanded(expanded)?;
                check_pair(&key)?;
                Ok(key.into())
            }
            KeyAlgorithm::Signature(_) => SigningKey::from_expanded(expanded).map(Self::from),
        }
    }

    pub(crate) fn expose_seed(&self) -> Option<&[u8]> {
        match self {
            Self::Decapsulation(key) => key.expose_seed().map(SecretVec::expose_bytes),
            Self::Signing(key) => key.expose_seed().map(|seed| seed.expose_bytes().as_slice()),
        }
    }

    pub(crate) fn expose_expanded(&self) -> Option<&SecretVec> {
        match self {
            Self::Decapsulation(key) => key.expose_expanded(),
            Self::Signing(key) => Some(key.expose_expanded()),
        }
    }
}

impl From<DecapsulationKey> for PrivateKey {
    fn from(key: DecapsulationKey) -> Self {
        Self::Decapsulation(key)
    }
}

impl From<SigningKey> for PrivateKey {
    fn from(key: SigningKey) -> Self {
        Self::Signing(key)
    }
}

impl PrivateKeyFile {
    pub(super) fn from_der(der: &[u8]) -> Result<Self, Error> {
        let malformed = |expected| Error::Malformed { field: Field::PrivateKeyFile, expected };
        let info = PrivateKeyInfoRef::from_der(der)
            .map_err(|_| malformed("DER of a PKCS#8 PrivateKeyInfo"))?;
        // The parser passes over what it does not keep.
        let kept = SecretVec::new(info.to_der().map_err(|_| WRITING)?);
        if !bool::from(kept.expose_bytes().ct_eq(der)) {
            return Err(malformed("PKCS#8 without attributes and extensions"));
        }
        let algorithm = KeyAlgorithm::from_identifier(Field::PrivateKeyFile, &info.algorithm)?;
        let private = info.private_key.as_bytes();
        // The draft of X-Wing has the seed bare, and no public key beside it.
        let choice = if algorithm == X_WING {
            if info.public_key.is_some() {
                return Err(malformed("X-Wing without a public key"));
            }
            Choice::Seed(private)
        } else {
            Choice::from_der(private)
                .map_err(|_| malformed("DER of a seed, an expanded key, or both"))?
        };
        let (key, form) = match choice {
            Choice::Seed(seed) => (PrivateKey::from_seed(algorithm, seed)?, PrivateKeyForm::Seed),
            Choice::Expanded(expanded) => {
                (PrivateKey::from_expanded(algorithm, expanded)?, PrivateKeyForm::Expanded)
            }
            Choice::Both { seed, expanded } => {
                let key = PrivateKey::from_seed(algorithm, seed)?;
                check_expanded_length(algorithm, expanded)?;
                let own = key.expose_expanded().ok_or(WRITING)?.expose_bytes();
                if !bool::from(own.ct_eq(expanded)) {
                    return Err(Error::InconsistentKeyFile { parts: "seed and expanded key" });
                }
                (key, PrivateKeyForm::Both)
            }
        };
        if info.public_key.is_some_and(|bits| bits.as_bytes() != Some(key.public_key().as_bytes()))
        {
            return Err(Error::InconsistentKeyFile { parts: "private key and public key" });
        }
        Ok(Self { key, form, has_public_key: info.public_key.is_some() })
    }
}

/// ML-KEM-…-PrivateKey (RFC 9935, Section 6) and ML-DSA-…-PrivateKey (RFC 9881, Section 6), one
/// CHOICE but for the lengths.
enum Choice<'a> {
    Seed(&'a [u8]),
    Expanded(&'a [u8]),
    Both { seed: &'a [u8], expanded: &'a [u8] },
}

impl<'a> Choice<'a> {
    fn from_der(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let choice = match Tag::peek(&reader)? {
            Tag::OctetString => Self::Expanded(octets(&mut reader)?),
            Tag::Sequence => reader.sequence(|both| {
                let both = Self::Both { seed: octets(both)?, expanded: octets(both)? };
                Ok::<_, der::Error>(both)
            })?,
            tag => {
                let seed = ContextSpecific::<&OctetStringRef>::decode_implicit(&mut reader, SEED)?;
                Self::Seed(seed.ok_or_else(|| tag.value_error())?.value.as_bytes())
            }
        };
        reader.finish()?;
        Ok(choice)
    }
}

fn octets<'a>(reader: &mut SliceReader<'a>) -> der::Result<&'a [u8]> {
    reader.decode::<&OctetStringRef>().map(OctetStringRef::as_bytes)
}

/// Refuses an expanded key whose secret part belongs to another public key: its hash check (FIPS
/// 203, Section 7.3) covers only the public part.
fn check_pair(key: &DecapsulationKey) -> Result<(), Error> {
    let Some(set) = key.algorithm().parameter_set() else { return Ok(()) };
    let public = key.encapsulation_key();
    // Nothing is protected by this message.
    let message = Secret::from([0x5a; 32]);
    let (ciphertext, sent) = Active::encapsulate(set, public.as_bytes(), &message)?;
    let received = key.decapsulate(&Ciphertext::from_bytes(&ciphertext)?)?;
    if received.as_secret().ct_eq(&sent) {
        return Ok(());
    }
    Err(Error::InconsistentKeyFile { parts: "decapsulation key and encapsulation key" })
}

fn check_expanded_length(algorithm: KeyAlgorithm, expanded: &[u8]) -> Result<(), Error> {
    let field = algorithm.private_field();
    let length = algorithm.expanded_bytes();
    length.map_or(Err(WRITING), |length| check_length(field, length, expanded.len()))
}

const X_WING: KeyAlgorithm = KeyAlgorithm::Kem(KemAlgorithm::XWing);
/// The tag of the seed, `[0] IMPLICIT`.
const SEED: TagNumber = TagNumber(0);
const IMPLICIT: TagMode = TagMode::Implicit;
