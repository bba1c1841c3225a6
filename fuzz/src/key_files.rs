//! Bytes are a key file that writes back the same, or none; no bytes cost more than a bound to
//! decrypt. Whole files are met half-way, so that what lies behind their checks is reached.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::kem::ParameterSet;
use pqc_core::keyfile::{Content, KeyDerivation, PrivateKey, PublicKey, inspect};
use pqc_core::{DecapsulationKey, Secret, SignatureAlgorithm, SigningKey};

use crate::{Constant, decode};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any bytes.
    Any(&'a [u8]),
    /// A file, of which some bytes were changed and some added.
    Changed { file: u8, changes: Vec<(u16, u8)>, more: &'a [u8] },
}

/// Honest files: PKCS#8 with the seed or the expanded key, SPKI, and PKCS#8 encrypted.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let kem = |set| DecapsulationKey::from_seed(set, Secret::from([7; 64]));
    let signature = |set| SigningKey::from_seed(set, Secret::from([7; 32]));
    let seeds = ParameterSet::ALL.map(|set| PrivateKey::from(kem(set))).into_iter();
    let seeds = seeds.chain(SignatureAlgorithm::ALL.map(|set| PrivateKey::from(signature(set))));
    let expanded = ParameterSet::ALL.map(|set| {
        let key = kem(set);
        let expanded = key.expose_expanded().unwrap().expose_bytes();
        PrivateKey::from(DecapsulationKey::from_expanded(expanded).unwrap())
    });
    let expanded = expanded.into_iter().chain(SignatureAlgorithm::ALL.map(|set| {
        let key = signature(set);
        let expanded = key.expose_expanded().expose_bytes();
        PrivateKey::from(SigningKey::from_expanded(expanded).unwrap())
    }));
    let mut files = Vec::new();
    for key in seeds.chain(expanded) {
        files.push(key.to_der().unwrap().expose_bytes().to_vec());
        files.push(key.to_pem().unwrap().as_bytes().to_vec());
        files.push(key.public_key().to_der().unwrap());
        files.push(key.public_key().to_pem().unwrap().into_bytes());
    }
    let key = PrivateKey::from(signature(SignatureAlgorithm::MlDsa44));
    files.push(key.to_encrypted_der(b"passphrase", &mut Constant(7)).unwrap());
    files
});

/// Makes the honest files, of which the encrypted one takes long: before an input's time counts.
pub fn prepare() {
    LazyLock::force(&FILES);
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
        Input::Changed { file, changes, more } => {
            let mut bytes = FILES[usize::from(file) % FILES.len()].clone();
            for (at, change) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] ^= change;
            }
            bytes.extend_from_slice(more);
            read_all(&bytes);
        }
    }
}

fn read_all(bytes: &[u8]) {
    let inspected = inspect(bytes);
    if let Ok(key) = PublicKey::from_der(bytes) {
        assert_eq!(key.to_der().unwrap(), bytes);
        assert_eq!(PublicKey::from_pem(&key.to_pem().unwrap()).unwrap(), key);
        assert!(matches!(&inspected, Ok(found) if found.content == Content::PublicKey(key)));
    }
    if let Ok(key) = PrivateKey::from_der(bytes) {
        let written = key.to_der().unwrap();
        let written = written.expose_bytes();
        if written.len() == bytes.len() {
            assert_eq!(written, bytes);
        } else {
            assert!(written.len() < bytes.len());
        }
        let again = PrivateKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(again.to_der().unwrap().expose_bytes(), written);
        let found = inspected.as_ref().unwrap();
        assert!(matches!(&found.content, Content::PrivateKey { public_key, .. }
            if *public_key == key.public_key()));
    }
    if let Ok(text) = str::from_utf8(bytes) {
        if let Ok(key) = PrivateKey::from_pem(text) {
            let _ = PrivateKey::from_pem(&key.to_pem().unwrap()).unwrap();
        }
        if let Ok(key) = PublicKey::from_pem(text) {
            assert_eq!(PublicKey::from_pem(&key.to_pem().unwrap()).unwrap(), key);
        }
    }
    // What is within the bounds but takes long is decrypted nowhere here.
    let cheap = match inspected.map(|found| found.content) {
        Ok(Content::EncryptedPrivateKey { derivation }) => match derivation {
            KeyDerivation::Scrypt { n, r, p } => {
                let cost = n * u64::from(r) * u64::from(p);
                assert!(cost <= 1 << 20);
                cost <= 1 << 10
            }
            KeyDerivation::Pbkdf2HmacSha256 { iterations } => {
                assert!(iterations <= 1_000_000);
                iterations <= 1 << 10
            }
            _ => false,
        },
        _ => true,
    };
    if cheap {
        let _ = PrivateKey::from_encrypted_der(bytes, b"passphrase");
    }
}
