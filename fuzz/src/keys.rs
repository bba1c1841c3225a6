//! Bytes are a key that writes back the same and works, or none. Honest keys, ciphertexts and
//! signatures are met half-way, so that what lies behind their checks is reached; a changed one
//! gives no secret and verifies nothing.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::kem::ParameterSet;
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Error, KemAlgorithm, Secret,
    SharedSecret, Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};

use crate::{Constant, Edit, decode, edited};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any bytes, as every type that is read from bytes.
    Any(&'a [u8]),
    /// Any bytes, brought to a length that fits.
    Fitting { set: u8, bytes: &'a [u8] },
    /// An honest key, ciphertext or signature after some edits.
    Edited { honest: u8, edits: Vec<Edit<'a>> },
}

/// Of each KEM: a key, a ciphertext to it, and the secret in that.
static KEMS: LazyLock<Vec<(DecapsulationKey, Ciphertext, SharedSecret)>> = LazyLock::new(|| {
    let pair = |kem: KemAlgorithm| {
        let seed = vec![7; kem.seed_bytes()];
        let key = DecapsulationKey::from_seed_bytes(kem, &seed).unwrap();
        let sent = key.encapsulation_key().encapsulate_unattested(&mut Constant(7)).unwrap();
        (key, sent.0, sent.1)
    };
    KemAlgorithm::ALL.map(pair).into()
});

/// Of each signature scheme: a key, and its signature of [`MESSAGE`].
static SIGNERS: LazyLock<Vec<(SigningKey, Signature)>> = LazyLock::new(|| {
    let pair = |set| {
        let key = SigningKey::from_seed(set, Secret::from([7; 32]));
        let made = key.sign(MESSAGE, Context::EMPTY, &mut Constant(7)).unwrap();
        (key, made)
    };
    SignatureAlgorithm::ALL.map(pair).into()
});
const MESSAGE: &[u8] = b"message";

/// All of these as bytes.
static HONEST: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut honest = Vec::new();
    for (key, ciphertext, _) in KEMS.iter() {
        honest.push(key.encapsulation_key().as_bytes().to_vec());
        honest.push(ciphertext.as_bytes().to_vec());
        honest.extend(key.expose_expanded().map(|expanded| expanded.expose_bytes().to_vec()));
    }
    for (key, signature) in SIGNERS.iter() {
        honest.push(key.verifying_key().as_bytes().to_vec());
        honest.push(signature.as_bytes().to_vec());
        honest.push(key.expose_expanded().expose_bytes().to_vec());
    }
    honest
});

/// Makes the honest bytes, before an input's time counts.
pub fn prepare() {
    LazyLock::force(&HONEST);
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: Input<'_>) {
    match input {
        Input::Any(bytes) => read_all(bytes),
        Input::Fitting { set, bytes } => {
            let set = usize::from(set % 3);
            let (kem, signature) = (ParameterSet::ALL[set], SignatureAlgorithm::ALL[set]);
            for length in [
                kem.encapsulation_key_bytes(),
                kem.expanded_key_bytes(),
                kem.ciphertext_bytes(),
                signature.verifying_key_bytes(),
                signature.expanded_key_bytes(),
                signature.signature_bytes(),
                KemAlgorithm::XWing.encapsulation_key_bytes(),
                KemAlgorithm::XWing.ciphertext_bytes(),
            ] {
                let mut bytes = bytes.to_vec();
                bytes.resize(length, 0);
                read_all(&bytes);
            }
        }
        Input::Edited { honest, edits } => {
            read_all(&edited(&HONEST[usize::from(honest) % HONEST.len()], &edits));
        }
    }
}

fn read_all(bytes: &[u8]) {
    if let Ok(key) = EncapsulationKey::from_bytes(bytes) {
        assert_eq!(key.as_bytes(), bytes);
        key.encapsulate_unattested(&mut Constant(7)).unwrap();
    }
    if let Ok(ciphertext) = Ciphertext::from_bytes(bytes) {
        assert_eq!(ciphertext.as_bytes(), bytes);
        let ours = KEMS.iter().find(|(key, ..)| key.algorithm() == ciphertext.algorithm());
        let (key, honest, sent) = ours.unwrap();
        match key.decapsulate(&ciphertext) {
            Err(Error::LowOrder { .. }) => assert_eq!(key.algorithm(), KemAlgorithm::XWing),
            received => assert_eq!(received.unwrap().ct_eq(sent), ciphertext == *honest),
        }
    }
    if let Ok(key) = DecapsulationKey::from_expanded(bytes) {
        assert_eq!(key.expose_expanded().unwrap().expose_bytes(), bytes);
        let (ciphertext, _) =
            key.encapsulation_key().encapsulate_unattested(&mut Constant(7)).unwrap();
        key.decapsulate(&ciphertext).unwrap();
    }
    if let Ok(key) = VerifyingKey::from_bytes(bytes) {
        assert_eq!(key.as_bytes(), bytes);
        let (signer, signature) = signer(key.algorithm());
        let verifies = key.verify(MESSAGE, Context::EMPTY, signature);
        assert_eq!(verifies, key == *signer.verifying_key());
    }
    if let Ok(signature) = Signature::from_bytes(bytes) {
        assert_eq!(signature.as_bytes(), bytes);
        let (signer, honest) = signer(signature.algorithm());
        let verifies = signer.verifying_key().verify(MESSAGE, Context::EMPTY, &signature);
        assert_eq!(verifies, signature == *honest);
    }
    if let Ok(key) = SigningKey::from_expanded(bytes) {
        assert_eq!(key.expose_expanded().expose_bytes(), bytes);
        match key.sign(MESSAGE, Context::EMPTY, &mut Constant(7)) {
            Ok(made) => assert!(key.verifying_key().verify(MESSAGE, Context::EMPTY, &made)),
            Err(error) => assert_eq!(error, Error::InconsistentSigningKey),
        }
    }
}

fn signer(algorithm: SignatureAlgorithm) -> &'static (SigningKey, Signature) {
    SIGNERS.iter().find(|(key, _)| key.verifying_key().algorithm() == algorithm).unwrap()
}
