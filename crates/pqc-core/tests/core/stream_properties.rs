//! Streams, for any input: however it is split, the same comes out; however a stream is altered,
//! nothing comes out but a true beginning, and no end.

use pqc_core::stream::{
    CHUNK_BYTES, MAX_TEXT_BYTES, OpeningFramer, SEALED_CHUNK_BYTES, SealingFramer,
};
use pqc_core::{Error, Field, StreamHeader, StreamLayout, StreamOpener, StreamSealer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::stream::{DATA, HEADER, key, sealed, text};
use crate::support::{Repeatable, flipped};

/// The header, and each chunk.
fn parts(stream: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (header, chunks) = stream.split_at(HEADER);
    (header.to_vec(), chunks.chunks(SEALED_CHUNK_BYTES).map(<[u8]>::to_vec).collect())
}

/// What comes out of `stream` chunk by chunk, and how it ends.
fn read(stream: &[u8], pieces: &[&[u8]]) -> (Vec<u8>, Result<(), Error>) {
    let mut text = Vec::new();
    let end = (|| {
        let (header, _) = StreamHeader::split_from(stream)?;
        let mut framer = OpeningFramer::new(StreamOpener::new(&key(), &header, DATA)?);
        for mut piece in pieces.iter().copied() {
            while let Some(chunk) = framer.push(&mut piece)? {
                assert_eq!(chunk.len(), CHUNK_BYTES);
                text.extend_from_slice(chunk.expose_bytes());
            }
            assert!(piece.is_empty());
        }
        text.extend_from_slice(framer.finish()?.expose_bytes());
        Ok(())
    })();
    (text, end)
}

pub(crate) fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![
        3 => (0..4_usize, -2..=2_isize)
            .prop_map(|(chunks, off)| (chunks * CHUNK_BYTES).saturating_add_signed(off)),
        1 => 0..3 * CHUNK_BYTES,
    ]
}

#[derive(Debug, Clone)]
enum Split {
    /// At these places; there may be empty pieces.
    At(Vec<Index>),
    /// Into pieces of the same length.
    Every(usize),
}

impl Split {
    fn pieces<'a>(&self, bytes: &'a [u8]) -> Vec<&'a [u8]> {
        match self {
            Self::At(places) => {
                let mut places: Vec<_> =
                    places.iter().map(|at| at.index(bytes.len() + 1)).collect();
                places.sort_unstable();
                places.push(bytes.len());
                let starts = [0].into_iter().chain(places.iter().copied());
                starts.zip(&places).map(|(start, end)| &bytes[start..*end]).collect()
            }
            Self::Every(length) => bytes.chunks(*length).collect(),
        }
    }
}

fn splits() -> impl Strategy<Value = Split> {
    prop_oneof![
        vec(any::<Index>(), 0..8).prop_map(Split::At),
        select(vec![1, 7, 4096, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
            .prop_map(Split::Every),
        select(vec![SEALED_CHUNK_BYTES - 1, SEALED_CHUNK_BYTES, SEALED_CHUNK_BYTES + 1])
            .prop_map(Split::Every),
    ]
}

/// What can be done to a stream without its key. Places are taken modulo what is there.
#[derive(Debug, Clone)]
pub(crate) enum Tampering {
    Flip(Index),
    /// A bit of the header, which chance would seldom meet.
    FlipInHeader(usize),
    Truncate(Index),
    TruncateAtChunk(Index),
    Append(Vec<u8>),
    Insert(Index, Vec<u8>),
    Remove(Index, u8),
    Swap(Index, Index),
    Duplicate(Index, Index),
    Drop(Index),
    /// The second stream's chunks from one of its chunks on, behind a beginning of the first.
    Join(Index, Index),
    JoinWhole,
    TakeHeader,
}

pub(crate) fn tamperings() -> impl Strategy<Value = Tampering> {
    use Tampering::*;
    let index = any::<Index>;
    let bytes = || vec(any::<u8>(), 1..40);
    prop_oneof![
        3 => index().prop_map(Flip),
        1 => (0..HEADER * 8).prop_map(FlipInHeader),
        2 => index().prop_map(Truncate),
        2 => index().prop_map(TruncateAtChunk),
        1 => bytes().prop_map(Append),
        1 => (index(), bytes()).prop_map(|(at, bytes)| Insert(at, bytes)),
        1 => (index(), 1..40_u8).prop_map(|(at, count)| Remove(at, count)),
        2 => (index(), index()).prop_map(|(a, b)| Swap(a, b)),
        2 => (index(), index()).prop_map(|(from, to)| Duplicate(from, to)),
        2 => index().prop_map(Drop),
        2 => (index(), index()).prop_map(|(a, b)| Join(a, b)),
        1 => Just(JoinWhole),
        1 => Just(TakeHeader),
    ]
}

impl Tampering {
    pub(crate) fn apply(&self, stream: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = stream.to_vec();
        let (header, mut chunks) = parts(stream);
        let count = chunks.len();
        let (other_header, other_chunks) = parts(other);
        match self {
            Self::Flip(bit) => return flipped(stream, bit.index(stream.len() * 8)),
            Self::FlipInHeader(bit) => return flipped(stream, *bit),
            Self::Truncate(at) => bytes.truncate(at.index(stream.len())),
            Self::Append(more) => bytes.extend(more),
            Self::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + usize::from(*length)).min(stream.len()));
            }
            Self::JoinWhole => bytes.extend(other),
            Self::TruncateAtChunk(at) => chunks.truncate(at.index(count)),
            Self::Swap(a, b) => chunks.swap(a.index(count), b.index(count)),
            Self::Duplicate(from, to) => {
                chunks.insert(to.index(count + 1), chunks[from.index(count)].clone());
            }
            Self::Drop(at) => drop(chunks.remove(at.index(count))),
            Self::Join(a, b) => {
                chunks.truncate(a.index(count + 1));
                chunks.extend_from_slice(&other_chunks[b.index(other_chunks.len())..]);
            }
            Self::TakeHeader => bytes[..HEADER].copy_from_slice(&other_header),
        }
        match self {
            Self::TruncateAtChunk(_)
            | Self::Swap(..)
            | Self::Duplicate(..)
            | Self::Drop(_)
            | Self::Join(..) => [header, chunks.concat()].concat(),
            _ => bytes,
        }
    }
}

proptest! {
    #[test]
    fn however_input_is_split_the_same_comes_out(
        length in lengths(), writes in splits(), reads in splits(), seed: u64,
    ) {
        let text = text(length);
        let whole = key().seal(&text, DATA, &mut Repeatable::new(seed)).unwrap();

        let (sealer, header) = StreamSealer::new(&key(), DATA, &mut Repeatable::new(seed)).unwrap();
        let mut framer = SealingFramer::new(sealer);
        let mut stream = header.as_bytes().to_vec();
        for mut piece in writes.pieces(&text) {
            while let Some(chunk) = framer.push(&mut piece).unwrap() {
                prop_assert_eq!(chunk.len(), SEALED_CHUNK_BYTES);
                stream.extend(chunk);
            }
            prop_assert!(piece.is_empty());
        }
        stream.extend(framer.finish().unwrap());
        prop_assert!(stream == whole);

        let (opened, end) = read(&stream, &reads.pieces(&stream[HEADER..]));
        prop_assert_eq!(end, Ok(()));
        prop_assert!(opened == text);
        prop_assert!(key().open(&stream, DATA).unwrap().expose_bytes() == text);
    }

    #[test]
    fn an_altered_stream_gives_a_true_beginning_and_no_end(
        length in lengths(), other in lengths(), tampering in tamperings(), reads in splits(),
    ) {
        let stream = sealed(length, 1);
        let altered = tampering.apply(&stream, &sealed(other, 2));
        prop_assume!(altered != stream);
        prop_assert!(key().open(&altered, DATA).is_err());

        let chunks = altered.get(HEADER..).unwrap_or_default();
        let (opened, end) = read(&altered, &reads.pieces(chunks));
        prop_assert!(end.is_err());
        prop_assert!(text(length).starts_with(&opened));
        // All that is untouched and not the last, and no byte of what is touched.
        let untouched = stream.iter().zip(&altered).take_while(|(a, b)| a == b).count();
        let whole = untouched.saturating_sub(HEADER) / SEALED_CHUNK_BYTES;
        prop_assert!(opened.len() <= whole * CHUNK_BYTES);
    }

    #[test]
    fn other_associated_data_does_not_open(
        data in vec(any::<u8>(), 0..200), other in vec(any::<u8>(), 0..200), at: Index, by: u8,
    ) {
        let stream = key().seal(b"text", &data, &mut Repeatable::new(1)).unwrap();
        prop_assert!(key().open(&stream, &data).is_ok());
        let longer = [data.as_slice(), &[0]].concat();
        let mut altered = longer.clone();
        altered[at.index(longer.len())] = by;
        for tried in [&other, &longer, &altered] {
            let opened = key().open(&stream, tried);
            prop_assert_eq!(opened.is_ok(), *tried == data);
        }
    }

    #[test]
    fn any_offset_is_read_from_its_chunk_alone(length in lengths(), offset: Index) {
        let stream = sealed(length, 1);
        let layout = StreamLayout::of_stream(stream.len() as u64).unwrap();
        prop_assert_eq!(layout.text_bytes(), length as u64);
        prop_assert_eq!(layout.find(length as u64), None);
        prop_assume!(length > 0);
        let offset = offset.index(length);
        let (place, at) = layout.find(offset as u64).unwrap();
        prop_assert_eq!(place.is_last, place == layout.last());
        let range = layout.range(place);
        let (header, _) = StreamHeader::split_from(&stream).unwrap();
        let opener = StreamOpener::new(&key(), &header, DATA).unwrap();
        let chunk = opener.open_at(place, &stream[range.start as usize..range.end as usize]);
        prop_assert_eq!(chunk.unwrap().expose_bytes()[at], text(length)[offset]);
    }

    #[test]
    fn any_length_is_a_streams_or_refused(
        length in prop_oneof![any::<u64>(), 0..u64::from(u32::MAX)],
    ) {
        match StreamLayout::of_stream(length) {
            Ok(layout) => {
                prop_assert_eq!(layout.stream_bytes(), length);
                prop_assert_eq!(StreamLayout::of_text(layout.text_bytes()), Ok(layout));
                prop_assert_eq!(layout.range(layout.last()).end, length);
            }
            Err(error) => {
                let is_malformed =
                    matches!(error, Error::Malformed { field: Field::StreamLength, .. });
                prop_assert!(is_malformed, "{:?}", error);
            }
        }
        match StreamLayout::of_text(length) {
            Ok(layout) => {
                prop_assert!(length <= MAX_TEXT_BYTES);
                prop_assert_eq!(StreamLayout::of_stream(layout.stream_bytes()), Ok(layout));
            }
            Err(_) => prop_assert!(length > MAX_TEXT_BYTES),
        }
    }

    #[test]
    fn any_bytes_are_a_header_that_writes_back_the_same_or_none(
        mut bytes in vec(any::<u8>(), 0..2 * HEADER), known: bool,
    ) {
        if let (true, [version, algorithm, ..]) = (known, bytes.as_mut_slice()) {
            (*version, *algorithm) = (1, 2);
        }
        match StreamHeader::split_from(&bytes) {
            Ok((header, behind)) => {
                prop_assert_eq!([header.as_bytes().as_slice(), behind].concat(), bytes.clone());
                prop_assert_eq!(&header.key_id().unwrap_or_default()[..], &bytes[2..18]);
                let opener = StreamOpener::new(&key(), &header, b"");
                prop_assert_eq!(opener.unwrap_err(), Error::BoxAuthentication);
            }
            Err(Error::Malformed { .. }) => prop_assert!(bytes.len() < HEADER),
            Err(Error::UnknownFormat { .. }) => prop_assert!(!bytes.starts_with(&[1, 2])),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
