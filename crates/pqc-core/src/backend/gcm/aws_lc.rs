//! AWS-LC's AES-256-GCM, and XAES-256-GCM made of it and AWS-LC's CMAC.
//!
//! XAES-256-GCM is AES-256-GCM under a key that SP 800-108r1's counter mode with CMAC derives from the
//! first half of its nonce: so C2SP's document defines it. AWS-LC wipes what it frees.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cmac;
use aws_lc_rs::error::Unspecified;

use super::{TAG_BYTES, XAES_NONCE_BYTES};
use crate::backend::internal;
use crate::error::Error;
use crate::secret::Secret;

/// Shorter texts stay with RustCrypto's: three keys are set up here for each. Where the two are equally
/// fast was not measured.
pub(super) const LONG_BYTES: usize = 4096;

/// AES-256-GCM under one key, without associated data. "Less safe" is what AWS-LC calls nonces that
/// are the caller's.
pub(crate) struct Aes256Gcm(LessSafeKey);

impl Aes256Gcm {
    /// # Errors
    /// [`Error::Internal`]: no memory.
    pub(crate) fn new(key: &Secret<32>) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_256_GCM, key.expose_bytes());
        key.map(|key| Self(LessSafeKey::new(key))).map_err(|_| internal("AES-256-GCM"))
    }

    /// Seals `text` into `sealed`, which is [`TAG_BYTES`] longer.
    ///
    /// # Errors
    /// [`Error::Internal`]: other lengths.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; 12],
        text: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), Error> {
        self.seal_with(nonce, &[], text, sealed).map_err(|_| internal("AES-256-GCM"))
    }

    /// Opens `sealed` into `text`, which is [`TAG_BYTES`] shorter; `None` if it does not authenticate.
    pub(crate) fn open(&self, nonce: &[u8; 12], sealed: &[u8], text: &mut [u8]) -> Option<()> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_separate_gather(nonce, Aad::empty(), ciphertext, tag, text).ok()
    }

    fn seal_with(
        &self,
        nonce: &[u8; 12],
        associated_data: &[u8],
        text: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), Unspecified> {
        let (ciphertext, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>().ok_or(Unspecified)?;
        let (nonce, data) = (Nonce::assume_unique_for_key(*nonce), Aad::from(associated_data));
        self.0.seal_out_of_place_scatter(nonce, data, text, ciphertext, &[], tag)
    }
}

/// As [`super::xaes_seal`].
pub(super) fn xaes_seal(
    key: &Secret<32>,
    nonce: &[u8; XAES_NONCE_BYTES],
    associated_data: &[u8],
    text: &[u8],
    sealed: &mut [u8],
) -> Result<(), Error> {
    let made = derive(key, nonce)
        .and_then(|(cipher, nonce)| cipher.seal_with(&nonce, associated_data, text, sealed));
    made.map_err(|_| internal("XAES-256-GCM"))
}

/// As [`super::xaes_open`].
pub(super) fn xaes_open(
    key: &Secret<32>,
    nonce: &[u8; XAES_NONCE_BYTES],
    associated_data: &[u8],
    sealed: &mut [u8],
) -> Option<()> {
    let (cipher, nonce) = derive(key, nonce).ok()?;
    let (nonce, data) = (Nonce::assume_unique_for_key(nonce), Aad::from(associated_data));
    cipher.0.open_in_place(nonce, data, sealed).map(drop).ok()
}

/// The cipher and the nonce that C2SP's XAES-256-GCM derives.
fn derive(
    key: &Secret<32>,
    nonce: &[u8; XAES_NONCE_BYTES],
) -> Result<(Aes256Gcm, [u8; 12]), Unspecified> {
    let (context, rest) = nonce.split_first_chunk::<12>().ok_or(Unspecified)?;
    let key = cmac::Key::new(cmac::AES_256, key.expose_bytes())?;
    let derived = Secret::fill_with(|derived: &mut [u8; 32]| {
        for (half, counter) in derived.chunks_exact_mut(16).zip(1..) {
            let block = [&[0, counter, b'X', 0], context.as_slice()].concat();
            cmac::sign_to_buffer(&key, &block, half)?;
        }
        Ok::<_, Unspecified>(())
    })?;
    let cipher = Aes256Gcm::new(&derived).map_err(|_| Unspecified)?;
    Ok((cipher, rest.try_into().map_err(|_| Unspecified)?))
}
