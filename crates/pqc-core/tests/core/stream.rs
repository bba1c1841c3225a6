//! Streams, case by case: the places of chunks, the ends, and what is refused.

use pqc_core::message::AccountKey;
use pqc_core::stream::{
    CHUNK_BYTES, ChunkPlace, MAX_TEXT_BYTES, OpeningFramer, SEALED_CHUNK_BYTES, SealingFramer,
    TAG_BYTES,
};
use pqc_core::{
    Error, Field, KeyId, Secret, StreamHeader, StreamKey, StreamLayout, StreamOpener, StreamSealer,
};

use crate::support::Repeatable;

pub(crate) const DATA: &[u8] = b"associated data";
pub(crate) const HEADER: usize = StreamHeader::BYTES;

pub(crate) fn key() -> StreamKey {
    StreamKey::from_caller(&Secret::from([7; 32]))
}

pub(crate) fn text(length: usize) -> Vec<u8> {
    Repeatable::new(length as u64).bytes(length)
}

pub(crate) fn sealed(length: usize, seed: u64) -> Vec<u8> {
    key().seal(&text(length), DATA, &mut Repeatable::new(seed)).unwrap()
}

#[test]
fn every_length_up_to_three_chunks_is_a_streams_or_not() {
    let lengths: Vec<_> = (0..=3 * CHUNK_BYTES as u64)
        .map(|length| StreamLayout::of_text(length).unwrap().stream_bytes())
        .collect();
    assert!(lengths.is_sorted_by(|a, b| a < b));
    let mut expected = lengths.iter().copied().peekable();
    for length in 0..=*lengths.last().unwrap() {
        let is_streams = expected.next_if_eq(&length).is_some();
        assert_eq!(StreamLayout::of_stream(length).is_ok(), is_streams, "{length}");
    }
}

#[test]
fn a_chunk_opens_at_its_own_place_alone() {
    for last_bytes in [1, CHUNK_BYTES] {
        let stream = sealed(2 * CHUNK_BYTES + last_bytes, 1);
        let (header, chunks) = StreamHeader::split_from(&stream).unwrap();
        let opener = StreamOpener::new(&key(), &header, DATA).unwrap();
        let mut opened = 0;
        for (at, chunk) in (0..).zip(chunks.chunks(SEALED_CHUNK_BYTES)) {
            for index in 0..5 {
                for is_last in [false, true] {
                    let text = opener.open_at(ChunkPlace { index, is_last }, chunk);
                    assert_eq!(text.is_ok(), (index, is_last) == (at, at == 2));
                    opened += usize::from(text.is_ok());
                }
            }
        }
        assert_eq!(opened, 3);
    }
}

#[test]
fn the_chunks_of_a_layout_lie_one_behind_the_other() {
    for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
        let layout = StreamLayout::of_text(length as u64).unwrap();
        let mut end = HEADER as u64;
        let places: Vec<_> = (0..).map_while(|index| layout.place(index)).collect();
        assert_eq!(places.len(), length.div_ceil(CHUNK_BYTES).max(1));
        assert_eq!(places.last(), Some(&layout.last()));
        for place in places {
            assert_eq!(layout.range(place).start, end);
            end = layout.range(place).end;
        }
        assert_eq!(end, layout.stream_bytes());
        assert!(layout.range(ChunkPlace { index: u32::MAX, is_last: false }).is_empty());
    }
}

#[test]
fn the_longest_stream_has_a_layout_and_a_longer_one_has_none() {
    let longest = StreamLayout::of_text(MAX_TEXT_BYTES).unwrap();
    assert_eq!(longest.last(), ChunkPlace { index: u32::MAX, is_last: true });
    let stream_bytes = HEADER as u64 + (SEALED_CHUNK_BYTES as u64) * (1 << 32);
    assert_eq!(longest.stream_bytes(), stream_bytes);
    assert_eq!(StreamLayout::of_stream(stream_bytes), Ok(longest));
    for more in [1, TAG_BYTES as u64, TAG_BYTES as u64 + 1] {
        assert!(StreamLayout::of_stream(stream_bytes + more).is_err());
    }
    let error = StreamLayout::of_text(MAX_TEXT_BYTES + 1).unwrap_err();
    let expected = Error::OutOfRange { field: Field::StreamLength, min: 0, max: MAX_TEXT_BYTES };
    assert_eq!(error, expected);
}

#[test]
fn the_empty_stream_is_a_header_and_a_tag() {
    let stream = sealed(0, 1);
    assert_eq!(stream.len(), HEADER + TAG_BYTES);
    assert!(key().open(&stream, DATA).unwrap().is_empty());
    assert!(key().open(&stream[..HEADER], DATA).is_err());
    let (header, tag) = StreamHeader::split_from(&stream).unwrap();
    let framer = || OpeningFramer::new(StreamOpener::new(&key(), &header, DATA).unwrap());
    assert_eq!(framer().finish().unwrap_err(), Error::BoxAuthentication);
    let mut twin = framer();
    assert!(twin.push(&mut &*tag).unwrap().is_none());
    assert!(twin.finish().unwrap().is_empty());
}

#[test]
fn a_last_chunk_of_no_or_too_much_text_is_not_sealed() {
    let sealer = || StreamSealer::new(&key(), DATA, &mut Repeatable::new(1)).unwrap().0;
    let begun = || {
        let mut sealer = sealer();
        sealer.seal_chunk(&[0; CHUNK_BYTES]).unwrap();
        sealer
    };
    let too_much = [0; CHUNK_BYTES + 1];
    let refusal = |expected: &str, actual| {
        let expected = expected.to_owned();
        Error::Length { field: Field::StreamChunk, expected, actual }
    };
    let refused = |sealer: StreamSealer, text: &[u8]| sealer.seal_last(text).unwrap_err();
    assert_eq!(refused(sealer(), &too_much), refusal("0 to 65536", 65537));
    assert_eq!(refused(begun(), &too_much), refusal("1 to 65536", 65537));
    assert_eq!(refused(begun(), &[]), refusal("1 to 65536", 0));
    for text in [&too_much[..1], &too_much[1..]] {
        assert!(begun().seal_last(text).is_ok() && sealer().seal_last(text).is_ok());
    }
}

/// Behind the altered chunk lies one that would open in its place, were it asked.
#[test]
fn a_framer_that_failed_gives_nothing_more() {
    let stream = sealed(CHUNK_BYTES, 1);
    let (header, chunk) = StreamHeader::split_from(&stream).unwrap();
    let framer = || OpeningFramer::new(StreamOpener::new(&key(), &header, DATA).unwrap());
    let mut failed = framer();
    for _ in 0..2 {
        let joined = [chunk, chunk].concat();
        assert_eq!(failed.push(&mut joined.as_slice()).unwrap_err(), Error::BoxAuthentication);
        assert_eq!(failed.push(&mut &chunk[..0]).unwrap_err(), Error::BoxAuthentication);
    }
    assert_eq!(failed.finish().unwrap_err(), Error::BoxAuthentication);

    // The same chunk, held as a whole when more comes: finishing would take it for the last.
    let mut failed = framer();
    assert!(failed.push(&mut &*chunk).unwrap().is_none());
    assert!(failed.push(&mut [0].as_slice()).is_err());
    assert_eq!(failed.finish().unwrap_err(), Error::BoxAuthentication);

    let mut twin = framer();
    assert!(twin.push(&mut &*chunk).unwrap().is_none());
    assert_eq!(twin.finish().unwrap().len(), CHUNK_BYTES);
}

#[test]
fn an_opener_goes_on_behind_a_chunk_that_did_not_open() {
    let stream = sealed(CHUNK_BYTES + 1, 1);
    let (header, chunks) = StreamHeader::split_from(&stream).unwrap();
    let (first, last) = chunks.split_first_chunk().unwrap();
    let mut opener = StreamOpener::new(&key(), &header, DATA).unwrap();
    let mut altered = *first;
    altered[0] ^= 1;
    assert_eq!(opener.open_chunk(&altered).unwrap_err(), Error::BoxAuthentication);
    assert!(opener.open_chunk(first).is_ok());
    assert_eq!(opener.open_chunk(first).unwrap_err(), Error::BoxAuthentication);
    assert_eq!(opener.open_last(last).unwrap().len(), 1);
}

#[test]
fn many_chunks_at_once_are_those_one_by_one() {
    for count in [0, 1, 2, 5] {
        let text = text(count * CHUNK_BYTES + 1);
        let (chunks, last) = text.as_chunks();
        let (mut sealer, header) =
            StreamSealer::new(&key(), DATA, &mut Repeatable::new(1)).unwrap();
        let sealed = sealer.seal_chunks(chunks).unwrap();
        let end = sealer.seal_last(last).unwrap();
        let stream = [header.as_bytes().as_slice(), &sealed, &end].concat();
        assert!(stream == key().seal(&text, DATA, &mut Repeatable::new(1)).unwrap(), "{count}");

        let mut opener = StreamOpener::new(&key(), &header, DATA).unwrap();
        let (sealed, _) = sealed.as_chunks();
        assert!(opener.open_chunks(sealed).unwrap().expose_bytes() == chunks.as_flattened());
        assert_eq!(opener.open_last(&end).unwrap().expose_bytes(), last);
    }
}

#[test]
fn of_many_chunks_none_opens_if_one_does_not() {
    let stream = sealed(4 * CHUNK_BYTES, 1);
    let (header, chunks) = StreamHeader::split_from(&stream).unwrap();
    let mut opener = StreamOpener::new(&key(), &header, DATA).unwrap();
    let (chunks, _) = chunks.as_chunks();
    let [chunks @ .., last] = chunks else { panic!("no chunks") };
    for at in 0..3 {
        let mut altered = chunks.to_vec();
        altered[at][at] ^= 1;
        assert_eq!(opener.open_chunks(&altered).unwrap_err(), Error::BoxAuthentication, "{at}");
    }
    assert!(opener.open_chunks(&[chunks[1], chunks[0]]).is_err());
    // The last one is none of those that are not.
    assert!(opener.open_chunks(&[chunks, &[*last]].concat()).is_err());
    assert_eq!(opener.open_chunks(chunks).unwrap().len(), 3 * CHUNK_BYTES);
    assert_eq!(opener.open_last(last).unwrap().len(), CHUNK_BYTES);
}

#[test]
fn an_accounts_stream_names_its_key_and_is_no_callers() {
    let mut rng = Repeatable::new(1);
    let account = AccountKey::generate(&mut rng).unwrap();
    let stream = account.stream_key().seal(b"x", b"", &mut rng).unwrap();
    let (header, _) = StreamHeader::split_from(&stream).unwrap();
    assert_eq!(header.key_id().map(KeyId::Symmetric), Some(account.id()));
    assert_eq!(account.stream_key().open(&stream, b"").unwrap().expose_bytes(), b"x");
    assert!(AccountKey::generate(&mut rng).unwrap().stream_key().open(&stream, b"").is_err());
    let callers = key().seal(b"x", b"", &mut rng).unwrap();
    assert_eq!(StreamHeader::split_from(&callers).unwrap().0.key_id(), None);
}

#[test]
fn nothing_of_a_key_or_text_is_printed() {
    let (sealer, header) = StreamSealer::new(&key(), DATA, &mut Repeatable::new(1)).unwrap();
    let opener = StreamOpener::new(&key(), &header, DATA).unwrap();
    assert_eq!(format!("{sealer:?}"), "StreamSealer { cipher: [redacted], next: 0 }");
    assert_eq!(format!("{opener:?}"), "StreamOpener { cipher: [redacted], next: 0 }");
    let mut framer = SealingFramer::new(sealer);
    framer.push(&mut b"secret text".as_slice()).unwrap();
    assert!(format!("{framer:?}").ends_with("held: [redacted] }"));
}
