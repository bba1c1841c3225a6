//! Tokens, boxes, streams, and key files.

use std::hint::black_box;

use pqc_core::keyfile::PrivateKey;
use pqc_core::stream::CHUNK_BYTES;
use pqc_core::token::{TokenKind, TokenValue};
use pqc_core::{
    BoxKey, DecapsulationKey, KemAlgorithm, MessageBox, Secret, SignatureAlgorithm, SigningKey,
    StreamKey,
};

use crate::marks::{Fixed, Undefined, defined, undefined};

/// The comparison of all types that hold secrets, shared secrets among them.
pub fn compare_secrets() -> Vec<u8> {
    let (one, other) = (secret(5), secret(6));
    vec![u8::from(one.ct_eq(&other)), u8::from(one.ct_eq(&one))]
}

/// A store compares hashes, so all that touches a token's bytes is encoding, hashing and reading.
pub fn tokens() -> Vec<u8> {
    let token = TokenValue::generate(TokenKind::Root, &mut Undefined(9)).expect("it never fails");
    let text = token.expose_text();
    // Behind the prefix, which says what kind of token it is.
    defined(&text.as_bytes()[..6]);
    let read = TokenValue::parse(&text).expect("a token");
    [*token.hash().as_bytes(), *read.hash().as_bytes()].concat()
}

/// The key derivations and AES-256-GCM, under a secret key over a secret text.
pub fn seal_box() -> Vec<u8> {
    sealed_box(&secret(5)).as_bytes()[42..].to_vec()
}

/// By the right key and by another. That the box authenticates is public.
pub fn open_box() -> Vec<u8> {
    let sealed = sealed_box(&secret(5));
    defined(sealed.as_bytes());
    let open = |key| BoxKey::from_caller(&key).open(&sealed, b"data");
    assert!(open(secret(6)).is_err());
    open(secret(5)).expect("the right key").expose_bytes().to_vec()
}

fn sealed_box(key: &Secret<32>) -> MessageBox {
    let text = [6; 1000];
    undefined(&text);
    let key = BoxKey::from_caller(key);
    key.seal(black_box(&text), b"data", &mut Fixed(1)).expect("it never fails")
}

/// The key derivations and two chunks.
pub fn seal_stream() -> Vec<u8> {
    sealed_stream(&secret(5))
}

/// By the right key, by another, and one whose last chunk is altered. That a header or a chunk
/// authenticates is public.
pub fn open_stream() -> Vec<u8> {
    let mut stream = sealed_stream(&secret(5));
    defined(&stream);
    let open = |stream: &[u8], key| StreamKey::from_caller(&key).open(stream, b"data");
    assert!(open(&stream, secret(6)).is_err());
    let text = open(&stream, secret(5)).expect("the right key").expose_bytes().to_vec();
    let last = stream.len() - 1;
    stream[last] ^= 1;
    assert!(open(&stream, secret(5)).is_err());
    text
}

fn sealed_stream(key: &Secret<32>) -> Vec<u8> {
    let text = vec![6; CHUNK_BYTES + 1000];
    undefined(&text);
    StreamKey::from_caller(key).seal(&text, b"data", &mut Fixed(1)).expect("it never fails")
}

/// DER and PEM of a secret seed, for ML-KEM, X-Wing and ML-DSA, written.
pub fn key_files() -> Vec<u8> {
    let mut results = Vec::new();
    for key in [
        PrivateKey::from(
            DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut Fixed(7))
                .expect("it never fails"),
        ),
        DecapsulationKey::generate(KemAlgorithm::XWing, &mut Fixed(7))
            .expect("it never fails")
            .into(),
        SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut Fixed(7))
            .expect("it never fails")
            .into(),
    ] {
        undefined(match &key {
            PrivateKey::Decapsulation(key) => {
                key.expose_seed().expect("made of one").expose_bytes()
            }
            PrivateKey::Signing(key) => key.expose_seed().expect("made of one").expose_bytes(),
            _ => panic!("a new kind of key"),
        });
        let text = key.to_pem().expect("a good key");
        results.extend_from_slice(text.as_bytes());
    }
    results
}

fn secret(byte: u8) -> Secret<32> {
    let secret = Secret::from([byte; 32]);
    undefined(secret.expose_bytes());
    secret
}
