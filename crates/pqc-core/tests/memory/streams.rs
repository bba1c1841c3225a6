//! Streams: their keys and their texts.

use pqc_core::message::AccountKey;
use pqc_core::stream::{CHUNK_BYTES, ChunkPlace, OpeningFramer, SealingFramer};
use pqc_core::{Secret, StreamHeader, StreamKey, StreamOpener, StreamSealer};
use sha2::{Digest, Sha256};

use super::{Given, Secrets, derived, expanded, left_by, nothing, nothing_but, random};

const TEXT_BYTES: usize = 2 * CHUNK_BYTES + 1000;
const DATA: &[u8] = b"data";

/// The text, the given key, and what is derived from it for the stream of this salt.
fn secrets(
    key: &[u8; 32],
    purpose: &[u8],
    key_id: [u8; 16],
    salt: &[u8; 32],
    text: &[u8],
) -> Secrets {
    let stream_key = derived(key, purpose);
    let info = [b"pqc/v1/stream/chunks", &[1, 2][..], &key_id, &Sha256::digest(DATA)].concat();
    Secrets::default()
        .with("text", text)
        .with("key", key)
        .with("stream key", &stream_key)
        .with("chunk key", &expanded(&stream_key, Some(salt), &info))
}

#[test]
fn streams_leave_no_text_and_no_key() {
    let (key, salt, text) = (random::<32>(), random::<32>(), random::<TEXT_BYTES>());
    let secrets = secrets(&key, b"pqc/v1/stream/caller", [0; 16], &salt, &text);
    let stream_key = || StreamKey::from_caller(&Secret::from(key));

    let stream = nothing_but("seal", &secrets, || {
        stream_key().seal(&text, DATA, &mut Given(&salt)).unwrap()
    });
    nothing("open", &secrets, || stream_key().open(&stream, DATA).unwrap());
    nothing("refuse a key", &secrets, || {
        StreamKey::from_caller(&Secret::from(random())).open(&stream, DATA).unwrap_err()
    });
    // The chunks before it were opened.
    let mut altered = stream.clone();
    *altered.last_mut().unwrap() ^= 1;
    nothing("refuse a last chunk", &secrets, || stream_key().open(&altered, DATA).unwrap_err());

    nothing("seal in pieces", &secrets, || {
        let (sealer, _) = StreamSealer::new(&stream_key(), DATA, &mut Given(&salt)).unwrap();
        let mut framer = SealingFramer::new(sealer);
        for mut piece in text.chunks(10_000) {
            while framer.push(&mut piece).unwrap().is_some() {}
        }
        framer.finish().unwrap()
    });
    let (header, chunks) = StreamHeader::split_from(&stream).unwrap();
    let opener = || StreamOpener::new(&stream_key(), &header, DATA).unwrap();
    nothing("open in pieces", &secrets, || {
        let mut framer = OpeningFramer::new(opener());
        for mut piece in chunks.chunks(10_000) {
            while framer.push(&mut piece).unwrap().is_some() {}
        }
        framer.finish().unwrap()
    });
    nothing("give up half way", &secrets, || {
        let mut framer = OpeningFramer::new(opener());
        framer.push(&mut &chunks[..CHUNK_BYTES + 100]).unwrap()
    });
    nothing("open from an offset", &secrets, || {
        let last = ChunkPlace { index: 2, is_last: true };
        opener().open_at(last, &chunks[2 * (CHUNK_BYTES + 16)..]).unwrap()
    });
}

#[test]
fn an_accounts_streams_leave_no_text_and_no_key() {
    let (key, salt, text) = (random::<32>(), random::<32>(), random::<1000>());
    let secrets = secrets(&key, b"pqc/v1/stream/account", [9; 16], &salt, &text);
    let id_and_key = [&[9; 16], &key[..]].concat();
    let stream_key = || AccountKey::generate(&mut Given(&id_and_key)).unwrap().stream_key();
    let stream = nothing_but("seal", &secrets, || {
        stream_key().seal(&text, DATA, &mut Given(&salt)).unwrap()
    });
    nothing("open", &secrets, || stream_key().open(&stream, DATA).unwrap());
}

/// The control: the chunk key that is looked for is the one that seals.
#[test]
fn the_chunk_key_is_the_one_that_is_looked_for() {
    use aes_gcm::aead::{Aead, KeyInit};
    let (key, salt) = (random::<32>(), random::<32>());
    let stream_key = derived(&key, b"pqc/v1/stream/caller");
    let info = [b"pqc/v1/stream/chunks", &[1, 2][..], &[0; 16], &Sha256::digest(DATA)].concat();
    let chunk_key = expanded(&stream_key, Some(&salt), &info);
    let stream = StreamKey::from_caller(&Secret::from(key)).seal(b"text", DATA, &mut Given(&salt));
    let cipher = aes_gcm::Aes256Gcm::new(&chunk_key.into());
    // Seven zero bytes, the index 0, and that it is the last.
    let nonce = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let opened = cipher.decrypt(&nonce.into(), &stream.unwrap()[StreamHeader::BYTES..]);
    assert_eq!(opened.unwrap(), b"text");
    let secrets = Secrets::default().with("chunk key", &chunk_key);
    assert_eq!(left_by(&secrets, || chunk_key.to_vec()).pieces["chunk key"], 2);
}
