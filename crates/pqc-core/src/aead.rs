//! What a message box and a sealed record share: HKDF-SHA-256 (RFC 5869) for the key, which a stream
//! has too, XAES-256-GCM (C2SP) for the secret, and the frame `head ‖ nonce (24) ‖ ciphertext ‖ tag (16)`.
//!
//! What a head says and what is associated data is for `message.rs` and `seal.rs`.

use alloc::vec::Vec;
use core::convert::Infallible;

use hkdf::Hkdf;
use rand_core::TryCryptoRng;
use sha2::Sha256;
use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::inout::InOutBuf;
use xaes_256_gcm::aead::{AeadInOut, KeyInit};

use crate::error::Error;
use crate::secret::{Secret, SecretVec};

/// The algorithm byte that heads carry.
pub(crate) const XAES_256_GCM: u8 = 1;

/// The bytes that a frame is longer than its head and its text.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// A key from `key` for the purpose that `info`, in one or more parts, names; without salt.
pub(crate) fn derive(key: &Secret<32>, info: &[&[u8]]) -> Secret<32> {
    derive_salted(key, None, info)
}

/// The same with a salt.
pub(crate) fn derive_salted(key: &Secret<32>, salt: Option<&[u8]>, info: &[&[u8]]) -> Secret<32> {
    let Ok(derived) = Secret::fill_with(|derived| {
        // HKDF-Expand fails only past 255 × 32 bytes; 32 are asked for.
        let _ = Hkdf::<Sha256>::new(salt, key.expose_bytes()).expand_multi_info(info, derived);
        Ok::<_, Infallible>(())
    });
    derived
}

/// Frames `text` behind `head`, encrypted under a fresh random nonce.
pub(crate) fn seal(
    key: &Secret<32>,
    head: &[u8],
    text: &[u8],
    associated_data: &[u8],
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Vec<u8>, Error> {
    let mut nonce = [0; NONCE_BYTES];
    rng.try_fill_bytes(&mut nonce).map_err(|_| Error::Randomness)?;
    let length = text.len().saturating_add(head.len() + OVERHEAD_BYTES);
    let mut frame = Vec::with_capacity(length);
    frame.extend_from_slice(head);
    frame.extend_from_slice(&nonce);
    frame.extend_from_slice(text);
    let (_, body) = frame.split_at_mut(head.len() + NONCE_BYTES);
    let tag = Xaes256Gcm::new(key.expose_bytes().into())
        .encrypt_inout_detached(&nonce.into(), associated_data, InOutBuf::from(body))
        .map_err(|_| Error::Internal { what: "AES-256-GCM" })?;
    frame.extend_from_slice(&tag);
    Ok(frame)
}

/// Opens what follows the head of a frame; `None` if it does not authenticate.
pub(crate) fn open(
    key: &Secret<32>,
    behind_head: &[u8],
    associated_data: &[u8],
) -> Option<SecretVec> {
    let (nonce, rest) = behind_head.split_first_chunk::<NONCE_BYTES>()?;
    let (ciphertext, tag) = rest.split_last_chunk::<TAG_BYTES>()?;
    let mut text = SecretVec::copy_of(ciphertext);
    let buffer = InOutBuf::from(text.expose_bytes_mut());
    Xaes256Gcm::new(key.expose_bytes().into())
        .decrypt_inout_detached(nonce.into(), associated_data, buffer, tag.into())
        .ok()?;
    Some(text)
}

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
