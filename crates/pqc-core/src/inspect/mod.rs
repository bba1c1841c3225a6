//! What a file is: a key, a token, a box, a signature, anything that this crate makes or reads.
//!
//! [`inspect`] looks at bytes and describes them, without a secret in the description. What has a mark
//! of its own is told for certain; a signature or a ciphertext, which is nothing but its bytes, is
//! guessed by its length. Nothing is decrypted or verified, and nothing costs more than to read a key.
//!
//! ```
//! use pqc_core::inspect::{Kind, inspect};
//! use pqc_core::keyfile::PrivateKey;
//! use pqc_core::{SignatureAlgorithm, SigningKey};
//! # fn main() -> Result<(), pqc_core::Error> {
//! let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut getrandom::SysRng)?;
//! let id = key.verifying_key().key_id();
//! let file = PrivateKey::from(key).to_pem()?;
//!
//! let found = inspect(file.as_bytes(), file.len() as u64);
//! assert_eq!((found.len(), found[0].kind, found[0].key_id), (1, Kind::SigningKey, Some(id)));
//! assert!(found[0].is_certain && found[0].kind.is_secret());
//!
//! let guesses = inspect(&[0xff; 3309], 3309);
//! assert_eq!((guesses[0].kind, guesses[0].is_certain), (Kind::Signature, false));
//! # Ok(())
//! # }
//! ```

mod bare;
mod description;
mod json;
mod key_file;

use alloc::vec;
use alloc::vec::Vec;

use base64ct::{Base64Unpadded, Encoding as _};

use crate::envelope::{ARMOR_BEGIN, ARMOR_END, EnvelopeHeader};
use crate::error::Error;
use crate::manifest::Manifest;
use crate::secret::SecretVec;
use crate::token::{TokenKind, TokenValue};

pub use description::{Description, Detail, Encoding, Kind};

/// Describes a file of `length` bytes by its `start`, which is the whole file or as much of it as the
/// caller holds; most kinds are told by a whole file alone. Of several descriptions one may be right;
/// none: it is nothing that is known here.
#[must_use]
pub fn inspect(start: &[u8], length: u64) -> Vec<Description> {
    let is_whole = u64::try_from(start.len()).is_ok_and(|bytes| bytes == length);
    if let Some(envelope) =
        armored_envelope(start, length).or_else(|| envelope(start, length, Encoding::Binary))
    {
        return vec![envelope];
    }
    if !is_whole {
        return bare::stream(start, length).into_iter().collect();
    }
    if let Some(key) = key_file::describe(start) {
        return vec![key];
    }
    match core::str::from_utf8(start) {
        Ok(text) if is_plain(text) => of_text(text),
        _ => bare::describe(start, Encoding::Binary),
    }
}

fn of_text(text: &str) -> Vec<Description> {
    let bytes = text.as_bytes();
    let text = text.trim_ascii();
    // As a file of a token is read: what stands behind its first line is somebody's note.
    let first = text.lines().next().unwrap_or_default().trim_ascii();
    if let Ok(token) = TokenValue::parse(first) {
        let kind = match token.kind() {
            TokenKind::Root => Kind::RootToken,
            TokenKind::Temporary => Kind::TemporaryToken,
        };
        return vec![Description::new(kind, Encoding::Text, first.len())];
    }
    if text.starts_with(AUDIT_EXPORT) {
        return vec![Description::new(Kind::AuditExport, Encoding::Json, bytes.len())];
    }
    if text.starts_with('{') {
        return json::describe(text.as_bytes()).into_iter().collect();
    }
    if let Some(decoded) = decoded_hex(text) {
        return bare::describe(decoded.expose_bytes(), Encoding::Hex);
    }
    manifest(bytes).into_iter().collect()
}

/// An envelope between the two lines of its armor.
fn armored_envelope(start: &[u8], length: u64) -> Option<Description> {
    let body = start.strip_prefix(ARMOR_BEGIN.as_bytes())?;
    // The header is at the front, and no longer than this.
    let most = EnvelopeHeader::MOST_BYTES << 1;
    let mut digits: Vec<u8> = body.iter().take(most).copied().filter(is_base64).collect();
    digits.truncate(digits.len() & !3);
    let text = core::str::from_utf8(&digits).unwrap_or_default();
    let decoded = Base64Unpadded::decode_vec(text).unwrap_or_default();
    // Of 65 bytes of a line, 64 are digits, and four of those are three bytes.
    let frame = ARMOR_BEGIN.len() + 1 + ARMOR_END.len() + 2;
    let digits = length.saturating_sub(u64::try_from(frame).unwrap_or(u64::MAX));
    let lines = digits.div_ceil(65);
    let bytes = digits.saturating_sub(lines.saturating_sub(1)).saturating_mul(3) >> 2;
    envelope(&decoded, bytes, Encoding::Pem).or_else(|| {
        let broken = Description::new(Kind::Envelope, Encoding::Pem, bytes);
        Some(broken.with_fault(&Error::NotAnEnvelope))
    })
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

fn envelope(start: &[u8], length: u64, encoding: Encoding) -> Option<Description> {
    let described = |header: &EnvelopeHeader| {
        let mut found = Description::new(Kind::Envelope, encoding, length);
        for (kem, id) in header.recipients() {
            found.add("recipient", alloc::format!("{kem} {id}"));
        }
        if let Some(parameters) = header.passphrase_parameters() {
            let (memory, passes) = (parameters.memory_kib(), parameters.iterations());
            found.add("passphrase", alloc::format!("Argon2id, {memory} KiB, {passes} passes"));
        }
        if let Some(set) = header.signature_algorithm() {
            found.add("signature", alloc::format!("{}, within", set.name()));
        }
        found
    };
    match EnvelopeHeader::split_from(start) {
        Ok((header, _)) => Some(described(&header)),
        // So few bytes may begin anything.
        Err(Error::EnvelopeTruncated) if start.len() < 7 => None,
        Err(Error::NotAnEnvelope) => None,
        Err(error) => Some(Description::new(Kind::Envelope, encoding, length).with_fault(&error)),
    }
}

fn manifest(text: &[u8]) -> Option<Description> {
    let manifest = Manifest::parse(text).ok()?;
    let mut found = Description::new(Kind::Manifest, Encoding::Text, text.len());
    found.algorithm = Some("SHA-256");
    found.add("files", alloc::format!("{}", manifest.entries().len()));
    Some(found)
}

/// The bytes that hex digits alone stand for, at least so many that they are no word.
fn decoded_hex(text: &str) -> Option<SecretVec> {
    let length = text.len() >> 1;
    if length < LEAST_HEX_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut decoded = SecretVec::zeroed(length);
    hex::decode_to_slice(text, decoded.expose_bytes_mut()).ok()?;
    Some(decoded)
}

/// Whether it is text for people and programs, and not bytes that happen to be UTF-8.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|char| char.is_control() && !char.is_ascii_whitespace())
}

/// How an export of the audit log begins.
const AUDIT_EXPORT: &str = r#"{"audit":{"format":"#;
const LEAST_HEX_BYTES: usize = 32;

#[cfg(test)]
mod tests;
