//! Where the chunks of a stream lie: for reading from an offset, and for knowing lengths.

use core::ops::Range;

use super::{
    CHUNK_BYTES, ChunkPlace, MAX_TEXT_BYTES, SEALED_CHUNK_BYTES, StreamHeader, TAG_BYTES, too_long,
};
use crate::error::{Error, Field};

/// The layout of a stream, which follows from its length alone.
///
/// A length is nobody's word: if it is wrong, the last chunk does not open.
///
/// ```
/// use pqc_core::{Secret, StreamHeader, StreamKey, StreamLayout, StreamOpener};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let key = StreamKey::from_caller(&Secret::generate(&mut getrandom::SysRng)?);
/// let file = key.seal(&[7; 200_000], b"", &mut getrandom::SysRng)?;
///
/// // The byte at 150000, from a file that could be read at any place.
/// let layout = StreamLayout::of_stream(file.len() as u64)?;
/// let (place, at) = layout.find(150_000).expect("the text is longer");
/// let range = layout.range(place);
/// let chunk = &file[range.start as usize..range.end as usize];
/// let (header, _) = StreamHeader::split_from(&file)?;
/// let text = StreamOpener::new(&key, &header, b"")?.open_at(place, chunk)?;
/// assert_eq!(text.expose_bytes()[at], 7);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLayout {
    /// At most [`MAX_TEXT_BYTES`].
    text_bytes: u64,
    last_index: u32,
}

impl StreamLayout {
    /// Of the stream of a text of `text_bytes`.
    ///
    /// ```
    /// use pqc_core::StreamLayout;
    /// let layout = StreamLayout::of_text(200_000)?;
    /// assert_eq!(layout.stream_bytes(), 82 + 200_000 + 4 * 16);
    /// assert_eq!(StreamLayout::of_stream(layout.stream_bytes())?.text_bytes(), 200_000);
    /// assert!(StreamLayout::of_stream(82 + 15).is_err()); // less than a tag
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`]: more than [`MAX_TEXT_BYTES`].
    #[expect(clippy::integer_division_remainder_used, reason = "lengths and offsets are public")]
    pub fn of_text(text_bytes: u64) -> Result<Self, Error> {
        // A text that ends with a whole chunk has no empty one behind it.
        let last_index = text_bytes.saturating_sub(1) / CHUNK;
        let last_index = u32::try_from(last_index).map_err(|_| too_long())?;
        Ok(Self { text_bytes, last_index })
    }

    /// Of a stream of `stream_bytes`, header and all.
    ///
    /// # Errors
    /// [`Error::Malformed`]: no stream is so long.
    pub fn of_stream(stream_bytes: u64) -> Result<Self, Error> {
        let layout = || {
            let chunks = stream_bytes.checked_sub(HEADER)?;
            let count = chunks.div_ceil(SEALED_CHUNK);
            let layout = Self::of_text(chunks.checked_sub(count * TAG)?).ok()?;
            // Where the last chunk would be shorter than a tag, or empty behind others.
            (layout.stream_bytes() == stream_bytes).then_some(layout)
        };
        layout().ok_or(Error::Malformed {
            field: Field::StreamLength,
            expected: "82 for the header, and 16 more than its text for each chunk of 64 KiB",
        })
    }

    /// The places of all chunks, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = ChunkPlace> + use<> {
        let last = self.last_index;
        (0..=last).map(move |index| ChunkPlace { index, is_last: index == last })
    }

    /// The length of the text in bytes.
    #[must_use]
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// The length of the stream in bytes, header and all.
    #[must_use]
    pub fn stream_bytes(&self) -> u64 {
        HEADER + self.text_bytes + (u64::from(self.last_index) + 1) * TAG
    }

    /// The place of the chunk of this `index`, if the stream has so many.
    #[must_use]
    pub fn place(&self, index: u32) -> Option<ChunkPlace> {
        let is_last = index == self.last_index;
        (index <= self.last_index).then_some(ChunkPlace { index, is_last })
    }

    /// The place of the last chunk.
    #[must_use]
    pub fn last(&self) -> ChunkPlace {
        ChunkPlace { index: self.last_index, is_last: true }
    }

    /// The chunk that holds the byte at `offset` of the text, and where in the chunk's text it is;
    /// `None` behind the end.
    #[must_use]
    #[expect(clippy::integer_division_remainder_used, reason = "lengths and offsets are public")]
    pub fn find(&self, offset: u64) -> Option<(ChunkPlace, usize)> {
        if offset >= self.text_bytes {
            return None;
        }
        let place = self.place(u32::try_from(offset / CHUNK).ok()?)?;
        Some((place, usize::try_from(offset % CHUNK).ok()?))
    }

    /// Where the chunk lies, in bytes of the stream. Empty for a place that is not in it.
    #[must_use]
    pub fn range(&self, place: ChunkPlace) -> Range<u64> {
        let start = HEADER + u64::from(place.index) * SEALED_CHUNK;
        let end = (start + SEALED_CHUNK).min(self.stream_bytes());
        start.min(end)..end
    }
}

const CHUNK: u64 = CHUNK_BYTES as u64;
const SEALED_CHUNK: u64 = SEALED_CHUNK_BYTES as u64;
const TAG: u64 = TAG_BYTES as u64;
const HEADER: u64 = StreamHeader::BYTES as u64;
const _: () = assert!(MAX_TEXT_BYTES == CHUNK << 32);
