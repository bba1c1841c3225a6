//! Cuts pieces of any length into chunks, and seals or opens these.
//!
//! However the input is split, what comes out is the same. Each holds one chunk and no more, since
//! only what follows shows that a chunk is not the last.

use alloc::vec::Vec;
#[cfg(feature = "std")]
use core::slice;

use super::{
    CHUNK_BYTES, SEALED_CHUNK_BYTES, StreamOpener, StreamSealer, split_unless_last, too_long,
};
use crate::error::Error;
use crate::secret::{SecretVec, Wiped};

/// Seals what is pushed, in pieces of any length. Holds up to 64 KiB of text. Secret.
///
/// ```
/// use pqc_core::stream::SealingFramer;
/// use pqc_core::{Secret, StreamKey, StreamSealer};
/// # let rng = &mut getrandom::SysRng;
/// let key = StreamKey::from_caller(&Secret::generate(rng)?);
/// let (sealer, header) = StreamSealer::new(&key, b"", rng)?;
/// let mut framer = SealingFramer::new(sealer);
/// let mut stream = header.as_bytes().to_vec();
/// let pieces = [[1; 50_000], [2; 50_000]];
/// for mut piece in pieces.iter().map(<[u8; 50_000]>::as_slice) {
///     while let Some(chunk) = framer.push(&mut piece)? {
///         stream.extend(chunk);
///     }
/// }
/// stream.extend(framer.finish()?);
/// assert_eq!(key.open(&stream, b"")?.expose_bytes(), pieces.as_flattened());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug)]
pub struct SealingFramer {
    /// `None` once it failed, so that a stream with a hole is never finished.
    sealer: Option<StreamSealer>,
    held: Held<CHUNK_BYTES>,
}

impl SealingFramer {
    /// Goes on where `sealer` is.
    #[must_use]
    pub fn new(sealer: StreamSealer) -> Self {
        Self { sealer: Some(sealer), held: Held::new() }
    }

    /// Takes from the front of `text` until a chunk is full and is not the last, and gives it
    /// sealed; or takes all and gives `None`. Call it until then.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]: the text grows beyond [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES);
    /// so it is from then on.
    pub fn push(&mut self, text: &mut &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut sealer = self.sealer.take().ok_or(too_long())?;
        let sealed = self.held.next_chunk(text, |chunk| sealer.seal_chunk(chunk))?;
        self.sealer = Some(sealer);
        Ok(sealed)
    }

    /// As [`Self::push`], but up to [`MANY`] chunks at once where `text` has them and none is begun. They
    /// go into the front of `sealed`; given is their length.
    #[cfg(feature = "std")]
    pub(super) fn push_many(
        &mut self,
        text: &mut &[u8],
        sealed: &mut Vec<u8>,
    ) -> Result<Option<usize>, Error> {
        let (chunks, rest) = text.as_chunks();
        // One that nothing follows may be the last.
        let whole = chunks.len().saturating_sub(usize::from(rest.is_empty())).min(MANY);
        let Some(chunks) = chunks.get(..whole).filter(|_| whole > 1 && self.held.bytes.is_empty())
        else {
            let mut sealer = self.sealer.take().ok_or(too_long())?;
            let length = self.held.next_chunk(text, |chunk| {
                sealer.seal_chunks_into(slice::from_ref(chunk), sealed)
            })?;
            self.sealer = Some(sealer);
            return Ok(length);
        };
        let mut sealer = self.sealer.take().ok_or(too_long())?;
        let length = sealer.seal_chunks_into(chunks, sealed)?;
        self.sealer = Some(sealer);
        *text = text.get(chunks.as_flattened().len()..).unwrap_or_default();
        Ok(Some(length))
    }

    /// Seals what is held as the last chunk.
    ///
    /// ```
    /// use pqc_core::stream::{CHUNK_BYTES, SealingFramer};
    /// use pqc_core::{Error, Field, Secret, StreamKey, StreamSealer};
    /// # let rng = &mut getrandom::SysRng;
    /// # let key = StreamKey::from_caller(&Secret::generate(rng)?);
    /// let (sealer, _) = StreamSealer::new(&key, b"", rng)?;
    /// let mut framer = SealingFramer::new(sealer);
    /// let mut text = [7; CHUNK_BYTES + 1].as_slice();
    /// assert!(framer.push(&mut text)?.is_some());
    /// assert_eq!(text.len(), 1); // left to be pushed: without it there is no end to seal
    /// let refused = framer.finish().unwrap_err();
    /// assert!(matches!(refused, Error::Length { field: Field::StreamChunk, actual: 0, .. }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`]: a push had failed. [`Error::Length`]: the last push had given a chunk,
    /// and what it left of the text was never pushed.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        self.sealer.ok_or(too_long())?.seal_last(&self.held.bytes)
    }
}

/// Opens what is pushed, in pieces of any length; it begins behind the header. Holds up to one
/// chunk as it is sealed. Secret.
///
/// ```
/// use pqc_core::stream::{OpeningFramer, SEALED_CHUNK_BYTES};
/// use pqc_core::{Error, Secret, StreamHeader, StreamKey, StreamOpener};
/// # let rng = &mut getrandom::SysRng;
/// let key = StreamKey::from_caller(&Secret::generate(rng)?);
/// let stream = key.seal(&[7; 100_000], b"", rng)?;
/// let (header, chunks) = StreamHeader::split_from(&stream)?;
///
/// let mut framer = OpeningFramer::new(StreamOpener::new(&key, &header, b"")?);
/// let mut cut = &chunks[..SEALED_CHUNK_BYTES + 20];
/// assert_eq!(framer.push(&mut cut)?.map(|text| text.len()), Some(65_536)); // a true beginning
/// assert!(framer.push(&mut cut)?.is_none());
/// assert_eq!(framer.finish().unwrap_err(), Error::BoxAuthentication); // of no whole stream
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct OpeningFramer {
    /// `None` once it failed, so that nothing behind an altered chunk appears.
    opener: Option<StreamOpener>,
    held: Held<SEALED_CHUNK_BYTES>,
}

impl OpeningFramer {
    /// Goes on where `opener` is.
    #[must_use]
    pub fn new(opener: StreamOpener) -> Self {
        Self { opener: Some(opener), held: Held::new() }
    }

    /// Takes from the front of `chunks` until a chunk is full and is not the last, and gives its
    /// text; or takes all and gives `None`. Call it until then.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: the stream was altered; so it is from then on.
    /// [`Error::OutOfRange`]: as [`StreamOpener::open_chunk`].
    pub fn push(&mut self, chunks: &mut &[u8]) -> Result<Option<SecretVec>, Error> {
        let mut opener = self.opener.take().ok_or(Error::BoxAuthentication)?;
        let text = self.held.next_chunk(chunks, |chunk| opener.open_chunk(chunk))?;
        self.opener = Some(opener);
        Ok(text)
    }

    /// Opens what is held as the last chunk. Only now is the stream known to be whole.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: the stream was altered or cut, a push had failed, or what the
    /// last one left was never pushed.
    pub fn finish(self) -> Result<SecretVec, Error> {
        self.opener.ok_or(Error::BoxAuthentication)?.open_last(&self.held.bytes)
    }
}

/// 4 MiB of text.
#[cfg(feature = "std")]
pub(super) const MANY: usize = 64;

/// Up to `N` bytes of input, in a buffer that never moves.
struct Held<const N: usize> {
    bytes: Wiped<Vec<u8>>,
}

impl<const N: usize> Held<N> {
    fn new() -> Self {
        Self { bytes: Wiped::new(Vec::with_capacity(N)) }
    }

    /// Moves bytes over from `input`. Where `N` are there and more wait, `process` has them.
    fn next_chunk<T>(
        &mut self,
        input: &mut &[u8],
        process: impl FnOnce(&[u8; N]) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.bytes.is_empty()
            && let Some((chunk, rest)) = split_unless_last(input)
        {
            *input = rest;
            return process(chunk).map(Some);
        }
        let (taken, rest) = input.split_at(input.len().min(N - self.bytes.len()));
        self.bytes.extend_from_slice(taken);
        *input = rest;
        match self.bytes.first_chunk() {
            Some(chunk) if !rest.is_empty() => {
                let processed = process(chunk)?;
                self.bytes.clear();
                Ok(Some(processed))
            }
            _ => Ok(None),
        }
    }
}

impl<const N: usize> core::fmt::Debug for Held<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[redacted]")
    }
}
