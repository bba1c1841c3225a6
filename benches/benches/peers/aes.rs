//! Message boxes beside AES-256-GCM of aws-lc-rs and RustCrypto under a key that is set up, with a
//! random nonce of 12 bytes: a box derives a key for its nonce of 24.

use std::hint::black_box;

use aes_gcm::aead::{Aead, KeyInit};
use aws_lc_rs::aead::{AES_256_GCM, Aad, RandomizedNonceKey};
use getrandom::SysRng;
use pqc_core::{BoxKey, MessageBox, Secret};

use crate::random;
use crate::row::{NO_SLOWER, Row};

const SIZES: [(&str, usize); 4] =
    [("1KiB", 1 << 10), ("64KiB", 64 << 10), ("1MiB", 1 << 20), ("8MiB", 8 << 20)];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, size) in SIZES {
        let key = BoxKey::from_caller(&Secret::from([7; 32]));
        let text = vec![0x5a; size];
        let sealed = key.seal(&text, b"", &mut SysRng).unwrap().as_bytes().to_vec();

        let plain = text.clone();
        let core = move || {
            black_box(key.seal(&plain, b"", &mut SysRng).unwrap());
        };
        let cipher = aes_gcm::Aes256Gcm::new(&[7; 32].into());
        let plain = text.clone();
        let by_rustcrypto = move || {
            let nonce: [u8; 12] = random();
            black_box(cipher.encrypt(&nonce.into(), plain.as_slice()).unwrap());
        };
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &[7; 32]).unwrap();
        let by_aws = move || {
            let mut made = Vec::with_capacity(text.len() + 16);
            made.extend_from_slice(&text);
            black_box(cipher.seal_in_place_append_tag(Aad::empty(), &mut made).unwrap());
            black_box(made);
        };
        rows.push(
            Row::new(format!("aes/seal/{name}"), NO_SLOWER, core)
                .beside("RustCrypto", by_rustcrypto)
                .beside("aws-lc-rs", by_aws),
        );

        let key = BoxKey::from_caller(&Secret::from([7; 32]));
        let core = move || {
            let sealed = MessageBox::from_bytes(sealed.clone()).unwrap();
            black_box(key.open_in_place(sealed, b"").unwrap());
        };
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &[7; 32]).unwrap();
        let mut sealed = vec![0x5a; size];
        let nonce = *cipher.seal_in_place_append_tag(Aad::empty(), &mut sealed).unwrap().as_ref();
        let by_aws = move || {
            let mut made = sealed.clone();
            let nonce = aws_lc_rs::aead::Nonce::from(&nonce);
            black_box(cipher.open_in_place(nonce, Aad::empty(), &mut made).unwrap());
            black_box(made);
        };
        rows.push(
            Row::new(format!("aes/open/{name}"), NO_SLOWER, core).beside("aws-lc-rs", by_aws),
        );
    }
    rows
}
