//! Bytes without a frame that says what they are: told by their first bytes and their length.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::{Description, Encoding, Kind};
use crate::attest::Attestation;
use crate::audit::Checkpoint;
use crate::id::KeyId;
use crate::kem::{DecapsulationKey, EncapsulationKey, KemAlgorithm};
use crate::keyfile::KeyAlgorithm;
use crate::message::MessageBox;
use crate::seal::SealedRecord;
use crate::sign::{SignatureAlgorithm, SigningKey, VerifyingKey};
use crate::stream::{StreamHeader, StreamLayout};

/// What these bytes may be, all of them.
pub(super) fn describe(bytes: &[u8], encoding: Encoding) -> Vec<Description> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let by_start = [
        stream(bytes, length).map(|found| Description { encoding, ..found }),
        message_box(bytes, encoding),
        sealed_record(bytes, encoding),
        attestation(bytes, encoding),
        checkpoint(bytes, encoding),
    ];
    let mut found: Vec<_> = by_start.into_iter().flatten().collect();
    // Beside those, to have the length of something else is a chance of one in 65,000.
    if !found.iter().any(|found| matches!(found.kind, Kind::Stream | Kind::MessageBox)) {
        found.extend(keys(bytes, encoding));
        found.extend(by_length(bytes.len(), encoding));
    }
    found
}

/// The stream that begins so, and is so long.
pub(super) fn stream(start: &[u8], length: u64) -> Option<Description> {
    let (header, _) = StreamHeader::split_from(start).ok()?;
    let layout = StreamLayout::of_stream(length).ok()?;
    let mut found = of_aes(Kind::Stream, Encoding::Binary, length, "AES-256-GCM", header.key_id());
    found.add("text", alloc::format!("{} bytes", layout.text_bytes()));
    Some(found)
}

fn message_box(bytes: &[u8], encoding: Encoding) -> Option<Description> {
    // Only the head is looked at, so only the head is copied.
    let head = bytes.first_chunk::<{ MessageBox::HEAD_BYTES }>()?;
    let text_bytes = bytes.len().checked_sub(crate::message::OVERHEAD_BYTES)?;
    let key_id = MessageBox::key_id_in_head(head).ok()?;
    let mut found = of_aes(Kind::MessageBox, encoding, bytes.len(), "XAES-256-GCM", key_id);
    found.add("text", alloc::format!("{text_bytes} bytes"));
    Some(found)
}

/// A store's record of a seed or a key; other records are short too, but nobody has their files.
fn sealed_record(bytes: &[u8], encoding: Encoding) -> Option<Description> {
    if !RECORD_BYTES.contains(&bytes.len()) {
        return None;
    }
    let record = SealedRecord::from_bytes(bytes.to_vec()).ok()?;
    let mut found = of_aes(Kind::SealedRecord, encoding, bytes.len(), "XAES-256-GCM", None);
    found.add("master key", alloc::format!("version {}", record.master_version()));
    Some(found)
}

fn of_aes<L: TryInto<u64>>(
    kind: Kind,
    encoding: Encoding,
    bytes: L,
    algorithm: &'static str,
    key_id: Option<[u8; 16]>,
) -> Description {
    let key_id = key_id.map(KeyId::Symmetric);
    let found = Description::new(kind, encoding, bytes).guessed();
    Description { algorithm: Some(algorithm), category: Some(AES_256), key_id, ..found }
}

fn attestation(bytes: &[u8], encoding: Encoding) -> Option<Description> {
    let attestation = Attestation::from_bytes(bytes).ok()?;
    let found = Description::new(Kind::Attestation, encoding, bytes.len()).guessed();
    let mut found = found.of(KeyAlgorithm::Signature(attestation.algorithm()));
    found.add("account", attestation.claimed_account().to_string());
    found.add("issued at", alloc::format!("{}", attestation.claimed_issued_at().seconds()));
    Some(found)
}

fn checkpoint(bytes: &[u8], encoding: Encoding) -> Option<Description> {
    let checkpoint = Checkpoint::from_bytes(bytes).ok()?;
    let found = Description::new(Kind::AuditCheckpoint, encoding, bytes.len()).guessed();
    let mut found = found.of(KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa65));
    found.add("number", alloc::format!("{}", checkpoint.number()));
    Some(found)
}

/// Keys by their length and the checks that they must pass.
fn keys(bytes: &[u8], encoding: Encoding) -> Vec<Description> {
    let mut found = Vec::new();
    if let Ok(key) = EncapsulationKey::from_bytes(bytes) {
        found.push(Description::of_public_key(&key.into(), encoding).guessed());
    }
    if let Ok(key) = VerifyingKey::from_bytes(bytes) {
        found.push(Description::of_public_key(&key.into(), encoding).guessed());
    }
    // These hold a hash of themselves, which no other bytes do.
    let public = DecapsulationKey::from_expanded(bytes)
        .map(|key| key.encapsulation_key().clone().into())
        .or_else(|_| {
            SigningKey::from_expanded(bytes).map(|key| key.verifying_key().clone().into())
        });
    if let Ok(public) = public {
        let mut private = Description::of_private_key(&public, encoding, bytes.len());
        private.add("form", "expanded");
        found.push(private);
    }
    found
}

/// What is nothing but random bytes.
fn by_length(length: usize, encoding: Encoding) -> impl Iterator<Item = Description> {
    let guess = move |kind| Description::new(kind, encoding, length).guessed();
    let ciphertexts = KemAlgorithm::ALL
        .into_iter()
        .filter(move |kem| kem.ciphertext_bytes() == length)
        .map(move |kem| guess(Kind::Ciphertext).of(KeyAlgorithm::Kem(kem)));
    let signatures = SignatureAlgorithm::ALL
        .into_iter()
        .filter(move |set| set.signature_bytes() == length)
        .map(move |set| guess(Kind::Signature).of(KeyAlgorithm::Signature(set)));
    let secret = match length {
        32 => Some("a shared secret, a seed of ML-DSA or X-Wing, or a master key"),
        64 => Some("a seed of ML-KEM"),
        _ => None,
    };
    let secret = secret.map(move |of| {
        let mut found = guess(Kind::BareSecret);
        found.add("perhaps", of);
        found
    });
    ciphertexts.chain(signatures).chain(secret)
}

/// Of a seed or key of 32 bytes, and of a seed of 64.
const RECORD_BYTES: [usize; 2] = [46 + 32, 46 + 64];
/// What defines the category.
const AES_256: u8 = 5;
