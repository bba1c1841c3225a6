//! Chunks under the stream's own key: one, or many at once.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

#[cfg(feature = "parallel")]
use rayon::prelude::*;

use super::{CHUNK_BYTES, ChunkPlace, SEALED_CHUNK_BYTES, TAG_BYTES};
use crate::backend::gcm::Aes256Gcm;
use crate::error::{Error, Field};
use crate::secret::{Secret, SecretVec};

/// The stream's own key. What there is to bind is bound by the key, so chunks have no associated
/// data.
pub(super) struct Cipher(pub(super) Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &Secret<32>) -> Result<Self, Error> {
        Aes256Gcm::new(key).map(Self)
    }

    pub(super) fn seal(&self, place: ChunkPlace, text: &[u8]) -> Result<Vec<u8>, Error> {
        let mut sealed = vec![0; text.len().saturating_add(TAG_BYTES)];
        self.seal_into(place, text, &mut sealed)?;
        Ok(sealed)
    }

    pub(super) fn seal_into(
        &self,
        place: ChunkPlace,
        text: &[u8],
        sealed: &mut [u8],
    ) -> Result<(), Error> {
        if !place.admits(text.len()) {
            return Err(Error::Length {
                field: Field::StreamChunk,
                expected: alloc::format!("{} to {CHUNK_BYTES}", u8::from(place.index > 0)),
                actual: text.len(),
            });
        }
        self.0.seal(&nonce(place), text, sealed)
    }

    /// Seals chunks from `first` on, none of which is the last, into as many `places`.
    pub(super) fn seal_chunks_into(
        &self,
        first: u32,
        texts: &[[u8; CHUNK_BYTES]],
        places: &mut [[u8; SEALED_CHUNK_BYTES]],
    ) -> Result<(), Error> {
        for_each(first, texts, places, |place, text, sealed| self.seal_into(place, text, sealed))
    }

    pub(super) fn open(&self, place: ChunkPlace, chunk: &[u8]) -> Option<SecretVec> {
        let mut text = SecretVec::zeroed(chunk.len().checked_sub(TAG_BYTES)?);
        self.open_into(place, chunk, text.expose_bytes_mut())?;
        Some(text)
    }

    pub(super) fn open_into(&self, place: ChunkPlace, chunk: &[u8], text: &mut [u8]) -> Option<()> {
        if !place.admits(text.len()) {
            return None;
        }
        self.0.open(&nonce(place), chunk, text)
    }

    /// Opens chunks from `first` on, none of which is the last; all of them, or none.
    pub(super) fn open_chunks(
        &self,
        first: u32,
        chunks: &[[u8; SEALED_CHUNK_BYTES]],
    ) -> Option<SecretVec> {
        let mut text = SecretVec::zeroed(chunks.len().checked_mul(CHUNK_BYTES)?);
        let (places, _) = text.expose_bytes_mut().as_chunks_mut::<CHUNK_BYTES>();
        self.open_chunks_into(first, chunks, places)?;
        Some(text)
    }

    /// The same into as many `places`. Where one does not open, they hold nothing of use.
    pub(super) fn open_chunks_into(
        &self,
        first: u32,
        chunks: &[[u8; SEALED_CHUNK_BYTES]],
        places: &mut [[u8; CHUNK_BYTES]],
    ) -> Option<()> {
        let open = |place, chunk: &[u8; _], text: &mut [u8; _]| {
            self.open_into(place, chunk, text).ok_or(())
        };
        for_each(first, chunks, places, open).ok()
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Makes each of `into` of its chunk, from the one of `first` on; in parallel where the feature is on.
fn for_each<const N: usize, const M: usize, E: Send>(
    first: u32,
    chunks: &[[u8; N]],
    into: &mut [[u8; M]],
    make: impl Fn(ChunkPlace, &[u8; N], &mut [u8; M]) -> Result<(), E> + Send + Sync,
) -> Result<(), E> {
    #[cfg(feature = "parallel")]
    let pairs = chunks.par_iter().zip(into).enumerate();
    #[cfg(not(feature = "parallel"))]
    let mut pairs = chunks.iter().zip(into).enumerate();
    pairs.try_for_each(|(at, (chunk, made))| make(place_behind(first, at), chunk, made))
}

/// A place that is not the last. The caller has seen that there are so many.
fn place_behind(first: u32, at: usize) -> ChunkPlace {
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    ChunkPlace { index: first.saturating_add(at), is_last: false }
}

/// STREAM's: a prefix, the index, big-endian, and whether it is the last. The key is the stream's
/// alone, so the prefix has nothing to tell and is zero.
pub(super) fn nonce(place: ChunkPlace) -> [u8; 12] {
    let [a, b, c, d] = place.index.to_be_bytes();
    [0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(place.is_last)]
}
