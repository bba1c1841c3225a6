//! Streams over the `Read`, `Write` and `Seek` of std; with the feature `std`.
//!
//! ```
//! use std::io::{Cursor, Read, Seek, SeekFrom, Write};
//! use pqc_core::stream::{OpeningReader, SealingWriter};
//! use pqc_core::{Secret, StreamKey};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = StreamKey::from_caller(&Secret::generate(&mut getrandom::SysRng)?);
//!
//! let mut writer = SealingWriter::new(Vec::new(), &key, b"backup 7", &mut getrandom::SysRng)?;
//! writer.write_all(&[1; 100_000])?;
//! writer.write_all(b"the end")?;
//! let file = writer.finish()?;
//!
//! let mut reader = OpeningReader::new(Cursor::new(file), &key, b"backup 7")?;
//! reader.seek(SeekFrom::End(-7))?;
//! let mut text = String::new();
//! reader.read_to_string(&mut text)?;
//! assert_eq!(text, "the end");
//! # Ok(())
//! # }
//! ```
//!
//! An error of the core comes as an [`io::Error`] that holds it, so that tampering is not taken for
//! a disk that failed:
//!
//! ```
//! use std::io::{Cursor, ErrorKind, Read};
//! use pqc_core::stream::OpeningReader;
//! use pqc_core::{Error, Secret, StreamKey};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = StreamKey::from_caller(&Secret::generate(&mut getrandom::SysRng)?);
//! let file = key.seal(b"a text", b"", &mut getrandom::SysRng)?;
//! let cut = &file[..file.len() - 1];
//!
//! let error = OpeningReader::new(cut, &key, b"")?.read_to_end(&mut Vec::new()).unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::InvalidData);
//! assert_eq!(error.downcast::<Error>()?, Error::BoxAuthentication);
//! # Ok(())
//! # }
//! ```

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use std::io::{self, BufRead, ErrorKind, Read, Seek, SeekFrom, Write};

use rand_core::TryCryptoRng;

use super::{
    CHUNK_BYTES, ChunkPlace, SEALED_CHUNK_BYTES, SealingFramer, StreamHeader, StreamKey,
    StreamLayout, StreamOpener, StreamSealer, behind, following, framer::MANY, split_unless_last,
};
use crate::error::Error;
use crate::secret::SecretVec;

/// Seals what is written to it into an inner writer, chunk by chunk. Holds up to 64 KiB of text,
/// which is wiped. Secret. Of a long piece it seals up to 64 chunks at once, as
/// [`StreamSealer::seal_chunks`] does: on more than one core with the feature `parallel`.
///
/// [`Self::finish`] ends the stream. Dropped before that, it leaves a stream without its end, of
/// which a reader gets a true beginning and then an error: what was not finished on purpose is
/// never taken for whole.
///
/// After an error of the inner writer it can be written to again: no byte is lost or sent twice,
/// if the inner writer keeps to the contract of [`Write`].
pub struct SealingWriter<W> {
    inner: W,
    framer: SealingFramer,
    /// The header, or chunks. It stays, so that memory for chunks is got once.
    sealed: Vec<u8>,
    /// What of it is not yet in `inner`.
    unsent: Range<usize>,
}

impl<W: Write> SealingWriter<W> {
    /// Starts a stream, as [`StreamSealer::new`] does. The header goes out with what is written
    /// first.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn new(
        inner: W,
        key: &StreamKey,
        associated_data: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        Self::behind(&[], inner, key, associated_data, rng)
    }

    /// The same, with something else before the header.
    pub(crate) fn behind(
        before: &[u8],
        inner: W,
        key: &StreamKey,
        associated_data: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        let (sealer, header) = StreamSealer::new(key, associated_data, rng)?;
        let sealed = [before, header.as_bytes()].concat();
        let unsent = 0..sealed.len();
        Ok(Self { inner, framer: SealingFramer::new(sealer), sealed, unsent })
    }

    /// Seals what is left as the last chunk, sends and flushes it, and gives the inner writer back.
    /// The inner writer may be a `&mut`, to have it after an error too.
    ///
    /// # Errors
    /// Those of the inner writer; the stream then has no end. [`Error::OutOfRange`], as
    /// [`SealingFramer::finish`].
    pub fn finish(mut self) -> io::Result<W> {
        self.send()?;
        let last = self.framer.finish()?;
        send(&mut self.inner, &last, &mut (0..last.len()))?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn send(&mut self) -> io::Result<()> {
        send(&mut self.inner, &self.sealed, &mut self.unsent)
    }
}

/// Writes what is `unsent` of `sealed`; on an error, what `inner` did not take is still unsent.
fn send(inner: &mut impl Write, sealed: &[u8], unsent: &mut Range<usize>) -> io::Result<()> {
    loop {
        match sealed.get(unsent.clone()) {
            None => return Err(io::Error::other("a range beyond its buffer")),
            Some([]) => return Ok(()),
            Some(rest) => match inner.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => unsent.start = unsent.start.saturating_add(count).min(unsent.end),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            },
        }
    }
}

impl<W: Write> Write for SealingWriter<W> {
    /// Takes up to 64 chunks of `text`. On an error it took nothing. Of the core comes
    /// [`Error::OutOfRange`], as [`SealingFramer::push`].
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut rest = text;
        while !rest.is_empty() && rest.len() == text.len() {
            self.send()?;
            match self.framer.push_many(&mut rest, &mut self.sealed)? {
                Some(length) => self.unsent = 0..length,
                None => break,
            }
        }
        Ok(text.len() - rest.len())
    }

    /// Sends the chunks that are full. The text behind them stays here: no chunk is cut short
    /// but the last.
    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.inner.flush()
    }
}

impl<W> fmt::Debug for SealingWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingWriter").finish_non_exhaustive()
    }
}

/// Opens a stream from an inner reader, in constant memory: one chunk, sealed and open; the text is
/// wiped. Secret. Who reads into a buffer of many chunks has up to 64 of them (4 MiB) opened at once and
/// straight into it, as [`StreamOpener::open_chunks`] does: on more than one core with the feature
/// `parallel`.
///
/// It gives text of chunks that opened, and no other byte. It comes to an end (reads 0 bytes) only
/// where the last chunk has opened, so that a stream that was cut ends with an error; until then a
/// caller has a true beginning, no more. Where a chunk did not open, every later call fails:
/// reading with [`Error::BoxAuthentication`].
///
/// Errors of the inner reader are passed on, but `Interrupted`; then reading can be tried again.
pub struct OpeningReader<R> {
    inner: R,
    opener: StreamOpener,
    state: State,
    /// The chunk that `sealed` begins with.
    index: u32,
    /// Up to one chunk and a byte, which shows that the chunk is not the last; or up to so many as are
    /// opened at once.
    sealed: Vec<u8>,
    /// Of the chunk that was opened.
    text: SecretVec,
    /// Where `text` begins in the whole text.
    text_start: u64,
    /// What is read next, in bytes of the whole text; it may lie behind the end.
    position: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    /// `text` and `sealed` are the last chunk.
    Ended,
    /// A chunk did not open.
    Altered,
    /// Where `inner` stands is not known.
    Lost,
}

impl<R: Read> OpeningReader<R> {
    /// Reads and checks the header; `inner` begins with it and ends with the stream.
    ///
    /// # Errors
    /// Those of `inner`. Of the core, as [`io::Error`]: [`Error::Malformed`],
    /// [`Error::UnknownFormat`] as [`StreamHeader::split_from`];
    /// [`Error::BoxAuthentication`] as [`StreamOpener::new`].
    pub fn new(mut inner: R, key: &StreamKey, associated_data: &[u8]) -> io::Result<Self> {
        let mut header = Vec::with_capacity(StreamHeader::BYTES);
        inner.by_ref().take(HEADER).read_to_end(&mut header)?;
        let (header, _) = StreamHeader::split_from(&header)?;
        Ok(Self {
            inner,
            opener: StreamOpener::new(key, &header, associated_data)?,
            state: State::Reading,
            index: 0,
            sealed: Vec::with_capacity(SEALED_CHUNK_BYTES + 1),
            text: SecretVec::zeroed(0),
            text_start: 0,
            position: 0,
        })
    }

    /// Opens the chunk of `index`.
    fn open_next(&mut self) -> io::Result<()> {
        self.check()?;
        let missing = (SEALED_CHUNK_BYTES + 1).saturating_sub(self.sealed.len());
        // What was read before an error is kept.
        self.inner.by_ref().take(missing as u64).read_to_end(&mut self.sealed)?;
        self.open_sealed().inspect_err(|_| {
            self.state = State::Altered;
            self.text = SecretVec::zeroed(0);
        })?;
        Ok(())
    }

    fn open_sealed(&mut self) -> Result<(), Error> {
        self.text_start = u64::from(self.index) * CHUNK;
        if let Some((chunk, _)) = split_unless_last::<SEALED_CHUNK_BYTES>(&self.sealed) {
            let following = following(self.index)?;
            let place = ChunkPlace { index: self.index, is_last: false };
            self.text = self.opener.open_at(place, chunk)?;
            self.index = following;
            self.sealed.drain(..SEALED_CHUNK_BYTES);
        } else {
            let place = ChunkPlace { index: self.index, is_last: true };
            self.text = self.opener.open_at(place, &self.sealed)?;
            self.state = State::Ended;
        }
        Ok(())
    }

    /// Opens the next chunks straight into `buffer`, as many as it has room for and as follow, but for
    /// the last; gives the length of their text: 0 where one does not open, so that those before it are
    /// opened one by one.
    fn open_many(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        let (places, _) = buffer.as_chunks_mut::<CHUNK_BYTES>();
        let room = places.len().min(MANY);
        let missing = (room * SEALED_CHUNK_BYTES + 1).saturating_sub(self.sealed.len());
        self.inner.by_ref().take(missing as u64).read_to_end(&mut self.sealed)?;
        let (chunks, rest) = self.sealed.as_chunks::<SEALED_CHUNK_BYTES>();
        let whole = chunks.len().saturating_sub(usize::from(rest.is_empty())).min(room);
        let (Some(chunks), Some(places)) = (chunks.get(..whole), places.get_mut(..whole)) else {
            return Ok(0);
        };
        if whole == 0 || self.opener.open_into(self.index, chunks, places).is_err() {
            return Ok(0);
        }
        self.index = behind(self.index, whole)?;
        self.text_start = u64::from(self.index) * CHUNK;
        self.text = SecretVec::zeroed(0);
        self.sealed.drain(..whole * SEALED_CHUNK_BYTES);
        Ok(whole * CHUNK_BYTES)
    }

    /// Whether the next chunks may be opened into a buffer of this length.
    fn may_open_many(&self, buffer_bytes: usize) -> bool {
        buffer_bytes >= 2 * CHUNK_BYTES
            && self.state == State::Reading
            && self.text_from(self.position).is_empty()
            && self.position == u64::from(self.index) * CHUNK
    }

    fn check(&self) -> io::Result<()> {
        match self.state {
            State::Reading | State::Ended => Ok(()),
            State::Altered => Err(Error::BoxAuthentication.into()),
            State::Lost => Err(io::Error::other("the place in the stream was lost by a seek")),
        }
    }
}

impl<R> OpeningReader<R> {
    /// What is open, from `position` on.
    fn text_from(&self, position: u64) -> &[u8] {
        let at = position.checked_sub(self.text_start).map(usize::try_from);
        let Some(Ok(at)) = at else { return &[] };
        self.text.expose_bytes().get(at..).unwrap_or_default()
    }
}

impl<R: Read> BufRead for OpeningReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.text_from(self.position).is_empty() && self.state != State::Ended {
            self.open_next()?;
        }
        Ok(self.text_from(self.position))
    }

    fn consume(&mut self, count: usize) {
        self.position = self.position.saturating_add(count as u64);
    }
}

impl<R: Read> Read for OpeningReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let many = if self.may_open_many(buffer.len()) { self.open_many(buffer)? } else { 0 };
        let count = match many {
            0 if buffer.is_empty() => 0,
            0 => self.fill_buf()?.read(buffer)?,
            many => many,
        };
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read + Seek> Seek for OpeningReader<R> {
    /// Moves to an offset of the text. Then the chunks that are needed are read, and one byte more.
    /// It may lie behind the end, where nothing is read but the last chunk, to know that it is
    /// the end.
    ///
    /// From the end, the last chunk is opened at once: the length that follows is vouched for, not
    /// only that of the inner reader. After an error of the inner reader nothing more is read.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let before = self.position;
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => before.checked_add_signed(by),
            SeekFrom::End(by) => self.open_last()?.checked_add_signed(by),
        };
        self.go_to(target.unwrap_or(before))?;
        target.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "a place before the start"))
    }

    fn stream_position(&mut self) -> io::Result<u64> {
        Ok(self.position)
    }
}

impl<R: Read + Seek> OpeningReader<R> {
    fn go_to(&mut self, target: u64) -> io::Result<()> {
        self.check()?;
        let is_at_end = self.state == State::Ended && target >= self.text_start;
        if self.text_from(target).is_empty() && !is_at_end {
            self.move_to_chunk_of(target)?;
        }
        self.position = target;
        Ok(())
    }

    /// Moves to the chunk that holds the byte at `target`, behind the end to the last one.
    fn move_to_chunk_of(&mut self, target: u64) -> io::Result<()> {
        self.check()?;
        let ahead = HEADER + u64::from(self.index) * SEALED_CHUNK + self.sealed.len() as u64;
        self.state = State::Lost;
        self.text = SecretVec::zeroed(0);
        self.sealed.clear();
        let start = self.inner.stream_position()?.checked_sub(ahead);
        let end = self.inner.seek(SeekFrom::End(0))?;
        let length = start.and_then(|start| end.checked_sub(start)).unwrap_or_default();
        let layout =
            StreamLayout::of_stream(length).inspect_err(|_| self.state = State::Altered)?;
        let place = layout.find(target).map_or(layout.last(), |(place, _)| place);
        let behind = end - length + layout.range(place).start;
        self.inner.seek(SeekFrom::Start(behind))?;
        self.index = place.index;
        self.state = State::Reading;
        Ok(())
    }

    /// Opens the last chunk, and gives the length of the whole text.
    fn open_last(&mut self) -> io::Result<u64> {
        if self.state != State::Ended {
            self.move_to_chunk_of(u64::MAX)?;
        }
        while self.state != State::Ended {
            let opened = self.open_next();
            if self.state == State::Reading && opened.is_err() {
                self.state = State::Lost;
            }
            opened?;
        }
        Ok(self.text_start + self.text.len() as u64)
    }
}

impl<R> fmt::Debug for OpeningReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpeningReader").finish_non_exhaustive()
    }
}

const HEADER: u64 = StreamHeader::BYTES as u64;
const CHUNK: u64 = CHUNK_BYTES as u64;
const SEALED_CHUNK: u64 = SEALED_CHUNK_BYTES as u64;
