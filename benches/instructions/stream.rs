//! Streams (AES-256-GCM in chunks of 64 KiB): a chunk, and a mebibyte with all that is around it.

use pqc_core::stream::{CHUNK_BYTES, ChunkPlace, SEALED_CHUNK_BYTES};
use pqc_core::{Secret, StreamHeader, StreamKey, StreamOpener, StreamSealer};

use crate::case::Case;
use crate::seeded::Seeded;

const MIB: usize = 1 << 20;
const CHUNKS: u32 = 10;
const RUNS: u32 = 2;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("stream/seal/chunk", CHUNKS, || {
            let (mut sealer, _) = StreamSealer::new(&key(), b"", &mut Seeded::new()).unwrap();
            let chunk = Box::new([0x5a; CHUNK_BYTES]);
            move || sealer.seal_chunk(&chunk).unwrap()
        }),
        Case::new("stream/open/chunk", CHUNKS, || {
            let stream = key().seal(&vec![0x5a; MIB], b"", &mut Seeded::new()).unwrap();
            let (header, chunks) = StreamHeader::split_from(&stream).unwrap();
            let opener = StreamOpener::new(&key(), &header, b"").unwrap();
            let (chunk, _) = chunks.split_first_chunk::<SEALED_CHUNK_BYTES>().unwrap();
            let (chunk, place) = (Box::new(*chunk), ChunkPlace { index: 0, is_last: false });
            move || opener.open_at(place, &*chunk).unwrap()
        }),
        Case::new("stream/seal/1MiB", RUNS, || {
            let (key, text, mut rng) = (key(), vec![0x5a; MIB], Seeded::new());
            move || key.seal(&text, b"", &mut rng).unwrap()
        }),
        Case::new("stream/open/1MiB", RUNS, || {
            let key = key();
            let stream = key.seal(&vec![0x5a; MIB], b"", &mut Seeded::new()).unwrap();
            move || key.open(&stream, b"").unwrap()
        }),
    ]
}

fn key() -> StreamKey {
    StreamKey::from_caller(&Secret::from([7; 32]))
}
