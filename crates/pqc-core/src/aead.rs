//! What a message box and a sealed record share: HKDF-SHA-256 (RFC 5869) for the key, which a stream
//! has too, XAES-256-GCM (C2SP) for the secret, and the frame `head ‖ nonce (24) ‖ ciphertext ‖ tag (16)`.
//!
//! What a head says and what is associated data is for `message.rs` and `seal.rs`.

use alloc::vec::Vec;
use core::convert::Infallible;

use hkdf::Hkdf;
use rand_core::TryCryptoRng;
use sha2::Sha256;

use crate::backend::gcm::{self, TAG_BYTES, XAES_NONCE_BYTES as NONCE_BYTES};
use crate::error::Error;
use crate::secret::{Secret, SecretVec, Wiped};

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
    let start = head.len() + NONCE_BYTES;
    let mut frame = alloc::vec![0; text.len().saturating_add(start + TAG_BYTES)];
    let (start, sealed) = frame.split_at_mut(start);
    let (head_place, nonce_place) = start.split_at_mut(head.len());
    head_place.copy_from_slice(head);
    nonce_place.copy_from_slice(&nonce);
    gcm::xaes_seal(key, &nonce, associated_data, text, sealed)?;
    Ok(frame)
}

/// Opens a frame behind its head in its own buffer, whose pages are there already; `None` if it does
/// not authenticate.
pub(crate) fn open(
    key: &Secret<32>,
    frame: Vec<u8>,
    head_bytes: usize,
    associated_data: &[u8],
) -> Option<SecretVec> {
    let mut frame = Wiped::new(frame);
    let (nonce, sealed) = frame.get_mut(head_bytes..)?.split_first_chunk_mut::<NONCE_BYTES>()?;
    gcm::xaes_open(key, nonce, associated_data, sealed)?;
    let end = frame.len().checked_sub(TAG_BYTES)?;
    frame.truncate(end);
    frame.drain(..head_bytes.saturating_add(NONCE_BYTES).min(end));
    Some(SecretVec::from(frame))
}
