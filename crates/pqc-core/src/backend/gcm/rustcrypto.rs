//! RustCrypto's: portable, and on short texts the faster one.

#[cfg(any(test, not(feature = "aws-lc")))]
use alloc::boxed::Box;

use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::inout::InOutBuf;
use xaes_256_gcm::aead::{AeadCore, AeadInOut, KeyInit, Nonce, consts::U16};

use super::{TAG_BYTES, XAES_NONCE_BYTES};
use crate::backend::internal;
use crate::error::Error;
use crate::secret::Secret;

/// AES-256-GCM under one key, without associated data. Boxed, so that no copy of the key stays behind
/// where it is moved.
#[cfg(any(test, not(feature = "aws-lc")))]
pub(crate) struct Aes256Gcm(Box<aes_gcm::Aes256Gcm>);

#[cfg(any(test, not(feature = "aws-lc")))]
impl Aes256Gcm {
    /// # Errors
    /// None; another implementation may lack memory.
    pub(crate) fn new(key: &Secret<32>) -> Result<Self, Error> {
        Ok(Self(Box::new(aes_gcm::Aes256Gcm::new(key.expose_bytes().into()))))
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
        seal(&*self.0, nonce.into(), &[], text, sealed).ok_or(internal("AES-256-GCM"))
    }

    /// Opens `sealed` into `text`, which is [`TAG_BYTES`] shorter; `None` if it does not authenticate.
    pub(crate) fn open(&self, nonce: &[u8; 12], sealed: &[u8], text: &mut [u8]) -> Option<()> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
        let buffer = InOutBuf::new(ciphertext, text).ok()?;
        self.0.decrypt_inout_detached(nonce.into(), &[], buffer, tag.into()).ok()
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
    let cipher = Xaes256Gcm::new(key.expose_bytes().into());
    let sealed = seal(&cipher, nonce.into(), associated_data, text, sealed);
    sealed.ok_or(internal("XAES-256-GCM"))
}

/// As [`super::xaes_open`].
pub(super) fn xaes_open(
    key: &Secret<32>,
    nonce: &[u8; XAES_NONCE_BYTES],
    associated_data: &[u8],
    sealed: &mut [u8],
) -> Option<()> {
    let cipher = Xaes256Gcm::new(key.expose_bytes().into());
    let (text, tag) = sealed.split_last_chunk_mut::<TAG_BYTES>()?;
    let (tag, buffer) = ((&*tag).into(), InOutBuf::from(text));
    cipher.decrypt_inout_detached(nonce.into(), associated_data, buffer, tag).ok()
}

fn seal<C: AeadInOut + AeadCore<TagSize = U16>>(
    cipher: &C,
    nonce: &Nonce<C>,
    associated_data: &[u8],
    text: &[u8],
    sealed: &mut [u8],
) -> Option<()> {
    let (ciphertext, tag_place) = sealed.split_last_chunk_mut::<TAG_BYTES>()?;
    let buffer = InOutBuf::new(text, ciphertext).ok()?;
    *tag_place = cipher.encrypt_inout_detached(nonce, associated_data, buffer).ok()?.into();
    Some(())
}
