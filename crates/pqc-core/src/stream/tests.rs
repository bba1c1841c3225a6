//! What only the inside can reach: the end of the counter, two keys of one id.

use super::*;
use getrandom::SysRng;

fn key() -> StreamKey {
    StreamKey::from_caller(&Secret::from([9; 32]))
}

#[test]
fn the_count_of_chunks_ends_and_does_not_wrap() {
    let (mut sealer, header) = StreamSealer::new(&key(), b"", &mut SysRng).unwrap();
    let mut opener = StreamOpener::new(&key(), &header, b"").unwrap();
    (sealer.next, opener.next) = (u32::MAX - 1, u32::MAX - 1);
    let chunk = sealer.seal_chunk(&[1; CHUNK_BYTES]).unwrap();
    let chunk = chunk.first_chunk().unwrap();
    assert!(opener.open_chunk(chunk).is_ok());

    let too_long = Error::OutOfRange { field: Field::StreamLength, min: 0, max: MAX_TEXT_BYTES };
    assert_eq!(sealer.seal_chunk(&[1; CHUNK_BYTES]).unwrap_err(), too_long);
    assert_eq!(opener.open_chunk(chunk).unwrap_err(), too_long);
    let last = sealer.seal_last(b"end").unwrap();
    assert_eq!(opener.open_last(&last).unwrap().expose_bytes(), b"end");
}

#[test]
fn many_chunks_do_not_go_beyond_the_last_index() {
    let (mut sealer, header) = StreamSealer::new(&key(), b"", &mut SysRng).unwrap();
    let mut opener = StreamOpener::new(&key(), &header, b"").unwrap();
    (sealer.next, opener.next) = (u32::MAX - 2, u32::MAX - 2);
    let texts = vec![[1; CHUNK_BYTES]; 3];
    assert_eq!(sealer.seal_chunks(&texts).unwrap_err(), too_long());
    let sealed = sealer.seal_chunks(&texts[1..]).unwrap();
    let (sealed, _) = sealed.as_chunks();
    assert_eq!(opener.open_chunks(&[sealed, sealed].concat()).unwrap_err(), too_long());
    assert_eq!(opener.open_chunks(sealed).unwrap().len(), 2 * CHUNK_BYTES);
}

#[test]
fn a_sealer_that_is_full_does_not_drop_the_rest_in_silence() {
    let (mut sealer, _) = StreamSealer::new(&key(), b"", &mut SysRng).unwrap();
    sealer.next = u32::MAX;
    let mut framer = SealingFramer::new(sealer);
    let text = [1; CHUNK_BYTES + 1];
    assert_eq!(framer.push(&mut text.as_slice()).unwrap_err(), too_long());
    assert_eq!(framer.finish().unwrap_err(), too_long());
}

#[test]
fn a_stream_opens_by_the_key_of_its_id_alone() {
    let named = |id| StreamKey::derived_from(&Secret::from([9; 32]), b"x", [id; 16]);
    let stream = named(1).seal(b"x", b"", &mut SysRng).unwrap();
    assert!(named(1).open(&stream, b"").is_ok());
    assert_eq!(named(2).open(&stream, b"").unwrap_err(), Error::BoxAuthentication);
    let mut renamed = stream;
    renamed[2..18].fill(2);
    assert_eq!(named(2).open(&renamed, b"").unwrap_err(), Error::BoxAuthentication);
}

/// What it costs to find a second key is a collision of HMAC-SHA-256; here it is only shown
/// that the commitment is looked at, by a stream whose chunks would open.
#[test]
fn a_header_with_another_commitment_does_not_open() {
    let mut stream = key().seal(b"x", b"", &mut SysRng).unwrap();
    stream[StreamHeader::BYTES - 1] ^= 1;
    let (header, _) = StreamHeader::split_from(&stream).unwrap();
    assert_eq!(StreamOpener::new(&key(), &header, b"").unwrap_err(), Error::BoxAuthentication);
}

/// Only who has the key could make these, so that a text would have a second stream.
#[test]
fn a_text_that_is_cut_otherwise_does_not_open() {
    let (sealer, header) = StreamSealer::new(&key(), b"", &mut SysRng).unwrap();
    let opener = StreamOpener::new(&key(), &header, b"").unwrap();
    let opens = |index, is_last, text_bytes| {
        let text = &[0; 2 * CHUNK_BYTES][..text_bytes];
        let nonce = cipher::nonce(ChunkPlace { index, is_last });
        let mut chunk = vec![0; text.len() + TAG_BYTES];
        sealer.cipher.0.seal(&nonce, text, &mut chunk).unwrap();
        opener.open_at(ChunkPlace { index, is_last }, &chunk).is_ok()
    };
    assert!(opens(0, true, 0) && opens(0, true, 1) && opens(0, true, CHUNK_BYTES));
    assert!(opens(1, true, 1) && opens(1, true, CHUNK_BYTES) && opens(1, false, CHUNK_BYTES));
    assert!(!opens(1, true, 0) && !opens(1, true, CHUNK_BYTES + 1));
    assert!(!opens(0, true, CHUNK_BYTES + 1));
    for text_bytes in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES + 1] {
        assert!(!opens(0, false, text_bytes) && !opens(1, false, text_bytes));
    }
}
