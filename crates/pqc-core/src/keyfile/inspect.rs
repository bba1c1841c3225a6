//! What a key file is, told without anything secret.

use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{self, Decode, Reader, Tag, Tagged};

use super::encrypted::{KeyDerivation, key_derivation};
use super::pem;
use super::private::{PrivateKeyFile, PrivateKeyForm};
use super::public::PublicKey;
use crate::error::{Error, Field};

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// How it is written.
    pub encoding: FileEncoding,
    /// What it holds.
    pub content: Content,
}

/// How a key file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileEncoding {
    /// Binary.
    Der,
    /// Text (RFC 7468).
    Pem,
}

/// What a key file holds. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// A public key.
    PublicKey(PublicKey),
    /// A private key, which was read and checked.
    PrivateKey {
        /// The form in which it stands there.
        form: PrivateKeyForm,
        /// Whether the public key stands beside it.
        has_public_key: bool,
        /// The public half, whether it stands there or not.
        public_key: PublicKey,
    },
    /// A private key under a passphrase; of which algorithm, only the passphrase tells.
    EncryptedPrivateKey {
        /// How the passphrase gives the key.
        derivation: KeyDerivation,
    },
}

/// Tells what a file in PEM or DER is, and checks it as reading does.
///
/// ```
/// use pqc_core::keyfile::{Content, FileEncoding, PrivateKey, PrivateKeyForm, inspect};
/// use pqc_core::{DecapsulationKey, KemAlgorithm};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let key = DecapsulationKey::generate(KemAlgorithm::MlKem512, &mut getrandom::SysRng)?;
/// let key = PrivateKey::from(key);
/// let found = inspect(key.to_pem()?.as_bytes())?;
/// assert_eq!(found.encoding, FileEncoding::Pem);
/// let public_key = key.public_key();
/// let form = PrivateKeyForm::Seed;
/// assert_eq!(found.content, Content::PrivateKey { form, has_public_key: false, public_key });
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Malformed`]: no key file; else those of [`PublicKey::from_der`],
/// [`PrivateKey::from_der`](super::PrivateKey::from_der) and, without decrypting,
/// [`PrivateKey::from_encrypted_der`](super::PrivateKey::from_encrypted_der).
pub fn inspect(file: &[u8]) -> Result<Inspection, Error> {
    let unknown = Error::Malformed {
        field: Field::KeyFile,
        expected: "a PKCS#8 or SubjectPublicKeyInfo file in PEM or DER",
    };
    if let Some((label, bytes)) = pem::decode_any(file) {
        let kind = [pem::PUBLIC, pem::PRIVATE, pem::ENCRYPTED]
            .into_iter()
            .find(|kind| kind.label == label)
            .ok_or(unknown)?;
        let content = Content::of(kind.field, bytes.expose_bytes())?;
        return Ok(Inspection { encoding: FileEncoding::Pem, content });
    }
    let field = field_of_der(file).map_err(|_| unknown)?;
    Ok(Inspection { encoding: FileEncoding::Der, content: Content::of(field, file)? })
}

impl Content {
    fn of(field: Field, der: &[u8]) -> Result<Self, Error> {
        match field {
            Field::PublicKeyFile => PublicKey::from_der(der).map(Self::PublicKey),
            Field::EncryptedKeyFile => {
                key_derivation(der).map(|derivation| Self::EncryptedPrivateKey { derivation })
            }
            _ => {
                let PrivateKeyFile { key, form, has_public_key } = PrivateKeyFile::from_der(der)?;
                Ok(Self::PrivateKey { form, has_public_key, public_key: key.public_key() })
            }
        }
    }
}

/// The kind of a file by its first two elements, which no other kind has.
fn field_of_der(der: &[u8]) -> der::Result<Field> {
    AnyRef::from_der(der)?.sequence(|reader| {
        let elements: [AnyRef<'_>; 2] = [reader.decode()?, reader.decode()?];
        let field = match elements.map(|element| element.tag()) {
            [Tag::Sequence, Tag::BitString] => Field::PublicKeyFile,
            [Tag::Sequence, Tag::OctetString] => Field::EncryptedKeyFile,
            [Tag::Integer, Tag::Sequence] => Field::PrivateKeyFile,
            [other, _] => return Err(other.value_error().into()),
        };
        while !reader.is_finished() {
            reader.decode::<AnyRef<'_>>()?;
        }
        Ok(field)
    })
}
