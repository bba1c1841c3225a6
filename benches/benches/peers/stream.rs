//! Files as streams, beside one AES-256-GCM of the same bytes, and beside one core.

use std::hint::black_box;
use std::io::Write;

use aes_gcm::aead::{Aead, KeyInit};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use getrandom::SysRng;
use pqc_core::stream::{CHUNK_BYTES, SealingWriter};
use pqc_core::{Secret, StreamKey, StreamSealer};

use crate::row::Row;

/// 32 MiB.
const CHUNKS: usize = 512;
/// Chunks that are read from a file at a time: 4 MiB.
const READ: usize = 64;

pub(crate) fn rows() -> Vec<Row> {
    let text = vec![[0x5a; CHUNK_BYTES]; CHUNKS];

    // One core: chunk by chunk.
    let key = StreamKey::from_caller(&Secret::from([7; 32]));
    let file = text.clone();
    let by_chunk = move || {
        let (mut sealer, _) = StreamSealer::new(&key, b"", &mut SysRng).unwrap();
        for chunk in &file {
            black_box(sealer.seal_chunk(chunk).unwrap());
        }
    };
    let cipher = aes_gcm::Aes256Gcm::new(&[7; 32].into());
    let file = text.clone();
    let by_rustcrypto = move || {
        for (number, chunk) in (0_u32..).zip(&file) {
            black_box(cipher.encrypt(&nonce(number).into(), chunk.as_slice()).unwrap());
        }
    };
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let file = text.clone();
    let by_aws = move || {
        for (number, chunk) in (0_u32..).zip(&file) {
            let mut made = Vec::with_capacity(CHUNK_BYTES + 16);
            made.extend_from_slice(chunk);
            let nonce = Nonce::assume_unique_for_key(nonce(number));
            cipher.seal_in_place_append_tag(nonce, Aad::empty(), &mut made).unwrap();
            black_box(made);
        }
    };
    let one = Row::new("stream/seal-by-one-core/32MiB", 0.8, by_chunk)
        .beside("RustCrypto", by_rustcrypto)
        .beside("aws-lc-rs", by_aws);

    let key = StreamKey::from_caller(&Secret::from([7; 32]));
    let file = text.clone();
    let in_parallel = move || seal_in_blocks(&key, &file);
    let key = StreamKey::from_caller(&Secret::from([7; 32]));
    // The same in a pool of one thread.
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let by_one = move || alone.install(|| seal_in_blocks(&key, &text));
    let both =
        Row::new("stream/seal-by-all-cores/32MiB", 1.6, in_parallel).beside("one core", by_one);
    vec![one, both]
}

/// As a file is sealed: blocks through a writer.
fn seal_in_blocks(key: &StreamKey, file: &[[u8; CHUNK_BYTES]]) {
    let mut writer = SealingWriter::new(std::io::sink(), key, b"", &mut SysRng).unwrap();
    for block in file.chunks(READ) {
        writer.write_all(block.as_flattened()).unwrap();
    }
    writer.finish().unwrap();
}

fn nonce(number: u32) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let Some(end) = nonce.last_chunk_mut() {
        *end = number.to_be_bytes();
    }
    nonce
}
