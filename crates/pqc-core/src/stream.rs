//! AES-256 for data of any length: a header, then chunks of 64 KiB, in constant memory.
//!
//! The chunks are the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over
//! AES-256-GCM (SP 800-38D): the nonce of a chunk is its index and whether it is the last, so that
//! truncation, also at the end of a chunk, reordering, duplication, dropping and joining of two
//! streams are all refused. Each stream has a key of its own, which HKDF-SHA-256 (RFC 5869) derives
//! from the given key, a random salt and the associated data; so no nonce ever comes twice. The
//! header commits to both: no stream opens under two keys. `docs/formats.md` has the bytes.
//!
//! Nothing of a chunk appears before the chunk is authenticated. That the stream is whole is known
//! only when its last chunk has opened: until then a reader has a true beginning, no more.
//!
//! [`StreamKey`] seals and opens what is in memory as a whole. [`StreamSealer`] and
//! [`StreamOpener`] work chunk by chunk; [`SealingFramer`] and [`OpeningFramer`] cut chunks from
//! pieces of any length; [`StreamLayout`] tells where an offset lies. With the feature `std`,
//! `SealingWriter` and `OpeningReader` do all that over another `Write`, `Read` or `Seek`. None
//! else does I/O:
//!
//! ```
//! use pqc_core::{Secret, StreamHeader, StreamKey, StreamOpener, StreamSealer};
//! use pqc_core::stream::{OpeningFramer, SealingFramer};
//! # fn main() -> Result<(), pqc_core::Error> {
//! let key = StreamKey::from_caller(&Secret::generate(&mut getrandom::SysRng)?);
//!
//! let (sealer, header) = StreamSealer::new(&key, b"backup 7", &mut getrandom::SysRng)?;
//! let mut file = header.as_bytes().to_vec();
//! let mut framer = SealingFramer::new(sealer);
//! for mut piece in [vec![1; 100_000], vec![2; 31_072]].iter().map(Vec::as_slice) {
//!     while let Some(chunk) = framer.push(&mut piece)? {
//!         file.extend(chunk);
//!     }
//! }
//! file.extend(framer.finish()?);
//!
//! let (header, mut chunks) = StreamHeader::split_from(&file)?;
//! let mut framer = OpeningFramer::new(StreamOpener::new(&key, &header, b"backup 7")?);
//! let mut count = 0;
//! while let Some(text) = framer.push(&mut chunks)? {
//!     count += text.len();
//! }
//! count += framer.finish()?.len();
//! assert_eq!(count, 131_072);
//! # Ok(())
//! # }
//! ```

mod cipher;
mod framer;
mod header;
#[cfg(feature = "std")]
mod io;
mod layout;
#[cfg(test)]
mod tests;

use alloc::vec;
use alloc::vec::Vec;
use core::iter;

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::aead;
use crate::error::{Error, Field};
use crate::secret::{Secret, SecretVec};

use cipher::Cipher;
pub use framer::{OpeningFramer, SealingFramer};
pub use header::StreamHeader;
use header::{HEAD_BYTES, SALT_BYTES, START};
#[cfg(feature = "std")]
pub use io::{OpeningReader, SealingWriter};
pub use layout::StreamLayout;

/// The text of each chunk but the last: 64 KiB. The last has 1 to so many bytes, or none where it
/// is the only one.
pub const CHUNK_BYTES: usize = 64 << 10;
/// The bytes that a chunk is longer than its text.
pub const TAG_BYTES: usize = 16;
/// Each sealed chunk but the last.
pub const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;
/// The longest text: 2^32 chunks, 256 TiB.
pub const MAX_TEXT_BYTES: u64 = (CHUNK_BYTES as u64) << 32;

/// A key that seals and opens streams: 32 bytes, derived from the given key. Secret.
///
/// ```
/// use pqc_core::{Secret, StreamKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let key = StreamKey::from_caller(&Secret::generate(&mut getrandom::SysRng)?);
/// let stream = key.seal(b"a text in memory", b"its name", &mut getrandom::SysRng)?;
/// assert_eq!(key.open(&stream, b"its name")?.expose_bytes(), b"a text in memory");
/// assert!(key.open(&stream, b"another name").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StreamKey {
    key: Secret<32>,
    /// 16 bytes in the header of each stream; all zero for a caller's key.
    key_id: [u8; 16],
}

impl StreamKey {
    /// From a key that the caller brought, such as a shared secret.
    #[must_use]
    pub fn from_caller(key: &Secret<32>) -> Self {
        Self::derived_from(key, b"pqc/v1/stream/caller", [0; 16])
    }

    pub(crate) fn derived_from(key: &Secret<32>, purpose: &[u8], key_id: [u8; 16]) -> Self {
        Self { key: aead::derive(key, &[purpose]), key_id }
    }

    /// Seals `text` that is in memory: the header and all chunks.
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::OutOfRange`] for a text of more than [`MAX_TEXT_BYTES`].
    pub fn seal(
        &self,
        text: &[u8],
        associated_data: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Vec<u8>, Error> {
        let (sealer, header) = StreamSealer::new(self, associated_data, rng)?;
        let layout = StreamLayout::of_text(text.len() as u64)?;
        let length = usize::try_from(layout.stream_bytes()).map_err(|_| too_long())?;
        let mut stream = vec![0; length];
        let (start, chunks) = stream.split_at_mut(StreamHeader::BYTES);
        start.copy_from_slice(header.as_bytes());
        // Without text there is a chunk all the same.
        let texts = text.chunks(CHUNK_BYTES).chain(iter::once([].as_slice()));
        let chunks = chunks.chunks_mut(SEALED_CHUNK_BYTES);
        for (place, (text, chunk)) in layout.places().zip(texts.zip(chunks)) {
            sealer.cipher.seal_into(place, text, chunk)?;
        }
        Ok(stream)
    }

    /// Opens a stream that is in memory; the text appears whole and authenticated, or not at all.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::UnknownFormat`]: as [`StreamHeader::split_from`].
    /// [`Error::BoxAuthentication`]: another key, other associated data, or an altered stream.
    /// [`Error::OutOfRange`]: more than [`MAX_TEXT_BYTES`].
    pub fn open(&self, stream: &[u8], associated_data: &[u8]) -> Result<SecretVec, Error> {
        let (header, chunks) = StreamHeader::split_from(stream)?;
        let opener = StreamOpener::new(self, &header, associated_data)?;
        let layout = StreamLayout::of_stream(stream.len() as u64);
        let layout = layout.map_err(|_| Error::BoxAuthentication)?;
        let length = usize::try_from(layout.text_bytes()).map_err(|_| too_long())?;
        let mut text = SecretVec::zeroed(length);
        let texts = text.expose_bytes_mut().chunks_mut(CHUNK_BYTES);
        let texts = texts.chain(iter::once([].as_mut_slice()));
        let chunks = chunks.chunks(SEALED_CHUNK_BYTES);
        for (place, (chunk, text)) in layout.places().zip(chunks.zip(texts)) {
            opener.cipher.open_into(place, chunk, text).ok_or(Error::BoxAuthentication)?;
        }
        Ok(text)
    }

    /// What belongs to `salt` and `associated_data`: the one header that opens, and the cipher.
    fn derive(
        &self,
        salt: &[u8; SALT_BYTES],
        associated_data: &[u8],
    ) -> Result<(StreamHeader, Cipher), Error> {
        let mut header = [0; StreamHeader::BYTES];
        let (head, behind) = header.split_at_mut(HEAD_BYTES);
        head.copy_from_slice(&[START.as_slice(), &self.key_id].concat());
        // Hashed, since HKDF elsewhere takes no info of any length.
        let hashed_data = Sha256::digest(associated_data);
        let derive = |purpose: &[u8]| {
            aead::derive_salted(&self.key, Some(salt), &[purpose, head, &hashed_data])
        };
        let chunk_key = derive(b"pqc/v1/stream/chunks");
        let commitment = derive(b"pqc/v1/stream/commitment");
        let (salt_place, commitment_place) = behind.split_at_mut(SALT_BYTES);
        salt_place.copy_from_slice(salt);
        commitment_place.copy_from_slice(commitment.expose_bytes());
        Ok((StreamHeader(header), Cipher::new(&chunk_key)?))
    }
}

/// A chunk's place in its stream, which the chunk is sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Counted from 0.
    pub index: u32,
    /// Whether the stream ends with it.
    pub is_last: bool,
}

impl ChunkPlace {
    /// Whether a chunk here may have a text so long. It leaves one way to cut a text.
    fn admits(self, text_bytes: usize) -> bool {
        match self {
            Self { is_last: false, .. } => text_bytes == CHUNK_BYTES,
            Self { index: 0, is_last: true } => text_bytes <= CHUNK_BYTES,
            Self { is_last: true, .. } => (1..=CHUNK_BYTES).contains(&text_bytes),
        }
    }
}

/// Seals a stream chunk by chunk. Secret.
///
/// The last chunk consumes it:
/// ```compile_fail,E0382
/// # fn main() -> Result<(), pqc_core::Error> {
/// # let key = pqc_core::StreamKey::from_caller(&pqc_core::Secret::from([7; 32]));
/// let (sealer, _) = pqc_core::StreamSealer::new(&key, b"", &mut getrandom::SysRng)?;
/// sealer.seal_last(b"the end")?;
/// sealer.seal_last(b"another end")?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StreamSealer {
    cipher: Cipher,
    next: u32,
}

impl StreamSealer {
    /// Starts a stream; its header goes before the chunks. `associated_data` of any length is not
    /// in the stream, but who opens must give the same.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn new(
        key: &StreamKey,
        associated_data: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Self, StreamHeader), Error> {
        let mut salt = [0; SALT_BYTES];
        rng.try_fill_bytes(&mut salt).map_err(|_| Error::Randomness)?;
        let (header, cipher) = key.derive(&salt, associated_data)?;
        Ok((Self { cipher, next: 0 }, header))
    }

    /// Seals the next chunk, which is not the last: [`SEALED_CHUNK_BYTES`] bytes.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]: the text grows beyond [`MAX_TEXT_BYTES`]; the stream can only end.
    pub fn seal_chunk(&mut self, text: &[u8; CHUNK_BYTES]) -> Result<Vec<u8>, Error> {
        let following = following(self.next)?;
        let sealed = self.cipher.seal(ChunkPlace { index: self.next, is_last: false }, text)?;
        self.next = following;
        Ok(sealed)
    }

    /// Seals the next chunks, none of which is the last: [`SEALED_CHUNK_BYTES`] bytes for each. With the
    /// feature `parallel` the cores of the caller's rayon pool share them.
    ///
    /// ```
    /// use pqc_core::stream::CHUNK_BYTES;
    /// use pqc_core::{Secret, StreamHeader, StreamKey, StreamOpener, StreamSealer};
    /// # let rng = &mut getrandom::SysRng;
    /// let key = StreamKey::from_caller(&Secret::generate(rng)?);
    /// let (mut sealer, header) = StreamSealer::new(&key, b"", rng)?;
    /// let texts = vec![[7; CHUNK_BYTES]; 3];
    /// let chunks = sealer.seal_chunks(&texts)?;
    /// let last = sealer.seal_last(b"the end")?;
    ///
    /// let mut opener = StreamOpener::new(&key, &header, b"")?;
    /// let (chunks, _) = chunks.as_chunks();
    /// assert_eq!(opener.open_chunks(chunks)?.expose_bytes(), texts.as_flattened());
    /// assert_eq!(opener.open_last(&last)?.expose_bytes(), b"the end");
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::seal_chunk`]; then none is sealed.
    pub fn seal_chunks(&mut self, texts: &[[u8; CHUNK_BYTES]]) -> Result<Vec<u8>, Error> {
        let mut sealed = vec![0; texts.len().saturating_mul(SEALED_CHUNK_BYTES)];
        self.seal_chunks_into(texts, &mut sealed)?;
        Ok(sealed)
    }

    /// As [`Self::seal_chunks`], into the front of `sealed`, whose length stays or grows: memory that is
    /// there is not zeroed for it. Gives the length of what was sealed.
    fn seal_chunks_into(
        &mut self,
        texts: &[[u8; CHUNK_BYTES]],
        sealed: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        let following = behind(self.next, texts.len())?;
        let length = texts.len().saturating_mul(SEALED_CHUNK_BYTES);
        sealed.resize(length.max(sealed.len()), 0);
        let (places, _) = sealed.as_chunks_mut();
        let places = places.get_mut(..texts.len());
        let places = places.ok_or(Error::Internal { what: "room for a stream's chunks" })?;
        self.cipher.seal_chunks_into(self.next, texts, places)?;
        self.next = following;
        Ok(length)
    }

    /// Seals the last chunk: [`TAG_BYTES`] more bytes.
    ///
    /// # Errors
    /// [`Error::Length`]: more than [`CHUNK_BYTES`], or none though there are chunks before it.
    pub fn seal_last(self, text: &[u8]) -> Result<Vec<u8>, Error> {
        self.cipher.seal(ChunkPlace { index: self.next, is_last: true }, text)
    }
}

/// Opens a stream chunk by chunk: in order, or any by its place. Secret.
///
/// ```
/// use pqc_core::stream::{CHUNK_BYTES, SEALED_CHUNK_BYTES};
/// use pqc_core::{Error, Secret, StreamHeader, StreamKey, StreamOpener, StreamSealer};
/// let key = StreamKey::from_caller(&Secret::generate(&mut getrandom::SysRng)?);
/// let (mut sealer, header) = StreamSealer::new(&key, b"", &mut getrandom::SysRng)?;
/// let first: [u8; SEALED_CHUNK_BYTES] =
///     sealer.seal_chunk(&[7; CHUNK_BYTES])?.try_into().expect("the length of a whole chunk");
/// let last = sealer.seal_last(b"the end")?;
///
/// let mut opener = StreamOpener::new(&key, &header, b"")?;
/// assert_eq!(opener.open_chunk(&first)?.expose_bytes(), [7; CHUNK_BYTES]);
/// // Not twice: the next chunk is another.
/// assert_eq!(opener.open_chunk(&first).unwrap_err(), Error::BoxAuthentication);
/// assert_eq!(opener.open_last(&last)?.expose_bytes(), b"the end");
/// // Nor with other associated data.
/// assert!(StreamOpener::new(&key, &header, b"another").is_err());
/// # Ok::<(), Error>(())
/// ```
///
/// The last chunk consumes it, so that nothing is read behind the end:
/// ```compile_fail,E0382
/// # fn f(mut opener: pqc_core::StreamOpener, last: &[u8], more: &[u8; 65552]) {
/// let end = opener.open_last(last);
/// let behind = opener.open_chunk(more);
/// # }
/// ```
#[derive(Debug)]
pub struct StreamOpener {
    cipher: Cipher,
    next: u32,
}

impl StreamOpener {
    /// Starts to read the stream of this header.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: another key, other associated data, or an altered header.
    pub fn new(
        key: &StreamKey,
        header: &StreamHeader,
        associated_data: &[u8],
    ) -> Result<Self, Error> {
        let salt = header.salt().ok_or(Error::BoxAuthentication)?;
        let (expected, cipher) = key.derive(salt, associated_data)?;
        if !bool::from(expected.0.ct_eq(&header.0)) {
            return Err(Error::BoxAuthentication);
        }
        Ok(Self { cipher, next: 0 })
    }

    /// Opens the next chunk, which is not the last.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: it is not the next chunk of this stream, or it is the last.
    /// [`Error::OutOfRange`]: 2^32 - 1 chunks came before, so that only the last can follow.
    pub fn open_chunk(&mut self, chunk: &[u8; SEALED_CHUNK_BYTES]) -> Result<SecretVec, Error> {
        let following = following(self.next)?;
        let text = self.open_at(ChunkPlace { index: self.next, is_last: false }, chunk)?;
        self.next = following;
        Ok(text)
    }

    /// Opens the next chunks, none of which is the last: all of them, or none. With the feature
    /// `parallel` the cores of the caller's rayon pool share them.
    ///
    /// # Errors
    /// As [`Self::open_chunk`], for any of them.
    pub fn open_chunks(&mut self, chunks: &[[u8; SEALED_CHUNK_BYTES]]) -> Result<SecretVec, Error> {
        let following = behind(self.next, chunks.len())?;
        let text = self.cipher.open_chunks(self.next, chunks).ok_or(Error::BoxAuthentication)?;
        self.next = following;
        Ok(text)
    }

    /// Opens chunks from `first` on, none of which is the last, into as many places. Where one of them
    /// does not open, nothing of their text is left there.
    #[cfg(feature = "std")]
    fn open_into(
        &self,
        first: u32,
        chunks: &[[u8; SEALED_CHUNK_BYTES]],
        places: &mut [[u8; CHUNK_BYTES]],
    ) -> Result<(), Error> {
        behind(first, chunks.len())?;
        if self.cipher.open_chunks_into(first, chunks, places).is_none() {
            places.as_flattened_mut().fill(0);
            return Err(Error::BoxAuthentication);
        }
        Ok(())
    }

    /// Opens the last chunk. Only now is the stream known to be whole.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: it is not the next chunk of this stream, or not the last.
    pub fn open_last(self, chunk: &[u8]) -> Result<SecretVec, Error> {
        self.open_at(ChunkPlace { index: self.next, is_last: true }, chunk)
    }

    /// Opens the chunk of this place; [`StreamLayout`] tells where it lies. What
    /// [`Self::open_chunk`] opens next stays the same.
    ///
    /// It shows that this chunk is the stream's, not that the others are there: who must know
    /// that the stream was not cut opens its last chunk too.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: it is not the chunk of this place.
    pub fn open_at(&self, place: ChunkPlace, chunk: &[u8]) -> Result<SecretVec, Error> {
        self.cipher.open(place, chunk).ok_or(Error::BoxAuthentication)
    }
}

/// The index of the chunk behind that of `index`, which is not the last.
fn following(index: u32) -> Result<u32, Error> {
    behind(index, 1)
}

/// The index behind `count` chunks from `index` on, none of which is the last.
fn behind(index: u32, count: usize) -> Result<u32, Error> {
    u32::try_from(count).ok().and_then(|count| index.checked_add(count)).ok_or(too_long())
}

fn too_long() -> Error {
    Error::OutOfRange { field: Field::StreamLength, min: 0, max: MAX_TEXT_BYTES }
}

/// The first `N` bytes, if more follow; otherwise `bytes` are the last chunk.
fn split_unless_last<const N: usize>(bytes: &[u8]) -> Option<(&[u8; N], &[u8])> {
    bytes.split_first_chunk().filter(|(_, behind)| !behind.is_empty())
}
