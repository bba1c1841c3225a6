//! Bytes are no stream that opens, however they are pushed; of a stream that is edited, a true
//! beginning comes out and no end; a length is a stream's or none.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::stream::{CHUNK_BYTES, OpeningFramer, SEALED_CHUNK_BYTES};
use pqc_core::{Error, Secret, StreamHeader, StreamKey, StreamLayout, StreamOpener};

use crate::{Constant, decode};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any bytes, and pieces of a length.
    Any { bytes: &'a [u8], associated_data: &'a [u8], piece: u16 },
    /// Any bytes behind an honest header.
    BehindHeader { bytes: &'a [u8], piece: u16 },
    /// An honest stream, put together anew.
    Edited { edits: Vec<Edit>, piece: u32 },
    /// A length.
    Length(u64),
}

#[derive(Debug, Arbitrary)]
enum Edit {
    /// A chunk of one of the two streams, the header being the first's.
    Chunk { of_other: bool, index: u8 },
    /// A bit is flipped in what is there so far.
    Flip(u32),
    /// What is there so far is cut.
    Cut(u32),
}

static KEY: LazyLock<StreamKey> = LazyLock::new(|| StreamKey::from_caller(&Secret::from([7; 32])));
/// Two streams of three chunks, of texts that differ.
static STREAMS: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| [1, 2].map(|byte| KEY.seal(&text(byte), b"", &mut Constant(byte)).unwrap()));

fn text(byte: u8) -> Vec<u8> {
    vec![byte; 2 * CHUNK_BYTES + 1]
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: Input<'_>) {
    match input {
        Input::Any { bytes, associated_data, piece } => {
            if let Ok((header, rest)) = StreamHeader::split_from(bytes) {
                assert_eq!([header.as_bytes().as_slice(), rest].concat(), bytes);
                let _ = header.key_id();
            }
            assert!(KEY.open(bytes, associated_data).is_err());
            assert!(read(bytes, usize::from(piece)).1.is_err());
        }
        Input::BehindHeader { bytes, piece } => {
            let stream = [&STREAMS[0][..StreamHeader::BYTES], bytes].concat();
            let (text, end) = read(&stream, usize::from(piece));
            assert!(text.is_empty() && end.is_err());
        }
        Input::Edited { edits, piece } => {
            let edited = edited(&edits);
            let (opened, end) = read(&edited, piece as usize);
            assert!(text(1).starts_with(&opened));
            assert_eq!(end.is_ok(), edited == STREAMS[0]);
            assert_eq!(KEY.open(&edited, b"").is_ok(), end.is_ok());
        }
        Input::Length(length) => {
            if let Ok(layout) = StreamLayout::of_stream(length) {
                assert_eq!(layout.stream_bytes(), length);
                assert_eq!(layout.range(layout.last()).end, length);
                assert_eq!(StreamLayout::of_text(layout.text_bytes()), Ok(layout));
            }
        }
    }
}

fn edited(edits: &[Edit]) -> Vec<u8> {
    let mut bytes = STREAMS[0][..StreamHeader::BYTES].to_vec();
    for edit in edits.iter().take(8) {
        match edit {
            Edit::Chunk { of_other, index } => {
                let chunks = &STREAMS[usize::from(*of_other)][StreamHeader::BYTES..];
                let mut chunks = chunks.chunks(SEALED_CHUNK_BYTES);
                bytes.extend(chunks.nth(usize::from(index % 3)).unwrap_or_default());
            }
            Edit::Flip(bit) if !bytes.is_empty() => {
                let bit = *bit as usize % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            Edit::Cut(at) => bytes.truncate(*at as usize % (bytes.len() + 1)),
            Edit::Flip(_) => {}
        }
    }
    bytes
}

/// What comes out, and how it ends, when the chunks are pushed in pieces of `piece` bytes.
fn read(stream: &[u8], piece: usize) -> (Vec<u8>, Result<(), Error>) {
    let mut text = Vec::new();
    let end = (|| {
        let (header, chunks) = StreamHeader::split_from(stream)?;
        let mut framer = OpeningFramer::new(StreamOpener::new(&KEY, &header, b"")?);
        for mut piece in chunks.chunks(piece.max(1)) {
            while let Some(chunk) = framer.push(&mut piece)? {
                text.extend_from_slice(chunk.expose_bytes());
            }
            assert!(piece.is_empty());
        }
        text.extend_from_slice(framer.finish()?.expose_bytes());
        Ok(())
    })();
    (text, end)
}
