//! The textual encoding of key files (RFC 7468): read strictly, in time that does not depend on
//! the bytes, into memory that is wiped.

use alloc::string::String;

use pkcs8::LineEnding;
use pkcs8::der::pem::{self, Decoder};

use super::WRITING;
use crate::error::{Error, Field};
use crate::secret::SecretVec;

/// What files hold, and what they are called.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) field: Field,
    pub(super) label: &'static str,
    /// For the error when another label, or none, is there.
    expected: &'static str,
}

pub(super) const PRIVATE: Kind = Kind {
    field: Field::PrivateKeyFile,
    label: "PRIVATE KEY",
    expected: "PEM with the label PRIVATE KEY",
};
pub(super) const ENCRYPTED: Kind = Kind {
    field: Field::EncryptedKeyFile,
    label: "ENCRYPTED PRIVATE KEY",
    expected: "PEM with the label ENCRYPTED PRIVATE KEY",
};
pub(super) const PUBLIC: Kind = Kind {
    field: Field::PublicKeyFile,
    label: "PUBLIC KEY",
    expected: "PEM with the label PUBLIC KEY",
};

/// The bytes in a text of this kind.
pub(super) fn decode(kind: Kind, text: &str) -> Result<SecretVec, Error> {
    let malformed = Error::Malformed { field: kind.field, expected: kind.expected };
    match decode_any(text.as_bytes()) {
        Some((label, bytes)) if label == kind.label => Ok(bytes),
        _ => Err(malformed),
    }
}

/// The label and the bytes of a text. Lines may end in LF, CR LF or CR; text before the first
/// line and blanks after the last are passed over.
pub(super) fn decode_any(text: &[u8]) -> Option<(&str, SecretVec)> {
    let mut decoder = Decoder::new(text.trim_ascii_end()).ok()?;
    let mut bytes = SecretVec::zeroed(decoder.remaining_len());
    decoder.decode(bytes.expose_bytes_mut()).ok()?;
    decoder.is_finished().then_some((decoder.type_label(), bytes))
}

/// The text with lines of 64 characters and LF.
pub(super) fn encode(kind: Kind, bytes: &[u8]) -> Result<String, Error> {
    pem::encode_string(kind.label, LineEnding::LF, bytes).map_err(|_| WRITING)
}
