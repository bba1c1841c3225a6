//! Bytes are a key file that writes back the same, or none; no bytes cost more than a bound to
//! decrypt. Whole files are met half-way, so that what lies behind their checks is reached.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::keyfile::{Content, KeyDerivation, PrivateKey, PublicKey, inspect};
use pqc_core::{DecapsulationKey, KemAlgorithm, Secret, SignatureAlgorithm, SigningKey};

use crate::{Edit, decode, edited};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any bytes.
    Any(&'a [u8]),
    /// An honest file after some edits.
    Edited { file: u8, edits: Vec<Edit<'a>> },
}

/// Keys under [`PASSPHRASE`], by key derivations that take no time: PBKDF2 of one iteration and
/// scrypt with N = 2. Made by Python's hashlib and the AES of PyPI cryptography.
const ENCRYPTED: [&[u8]; 3] = [
    include_bytes!("../encrypted_keys/pbkdf2_ml_dsa_44.der"),
    include_bytes!("../encrypted_keys/scrypt_ml_kem_768.der"),
    include_bytes!("../encrypted_keys/scrypt_x_wing.pem"),
];
const PASSPHRASE: &[u8] = b"passphrase";

/// Honest files: encrypted ones, then those of each algorithm.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let kems = KemAlgorithm::ALL.map(|kem| {
        DecapsulationKey::from_seed_bytes(kem, &vec![7; kem.seed_bytes()]).unwrap().into()
    });
    let signatures =
        SignatureAlgorithm::ALL.map(|set| SigningKey::from_seed(set, Secret::from([7; 32])).into());
    let mut files = ENCRYPTED.map(<[u8]>::to_vec).to_vec();
    for key in kems.iter().chain(&signatures) {
        files.extend(files_of(key));
    }
    files
});

/// The honest files.
#[cfg(feature = "inspect")]
pub(crate) fn honest() -> &'static [Vec<u8>] {
    &FILES
}

/// PKCS#8 and SPKI in DER and PEM; then PKCS#8 in each of the three forms, without and with the
/// public key beside it, where the algorithm has them.
fn files_of(key: &PrivateKey) -> Vec<Vec<u8>> {
    let (seed, expanded) = match key {
        PrivateKey::Decapsulation(key) => {
            (key.expose_seed().unwrap().expose_bytes(), key.expose_expanded())
        }
        PrivateKey::Signing(key) => {
            (key.expose_seed().unwrap().expose_bytes().as_slice(), Some(key.expose_expanded()))
        }
        other => panic!("{other:?}"),
    };
    let public = key.public_key();
    let spki = public.to_der().unwrap();
    let mut files = vec![
        key.to_der().unwrap().expose_bytes().to_vec(),
        key.to_pem().unwrap().as_bytes().to_vec(),
        spki.clone(),
        public.to_pem().unwrap().into_bytes(),
    ];
    let Some(expanded) = expanded else { return files };
    let identifier = &spki[4..6 + usize::from(spki[5])];
    let beside = element(0x81, &[&[0], public.as_bytes()]);
    let seed_form = element(0x80, &[seed]);
    let expanded_form = element(OCTETS, &[expanded.expose_bytes()]);
    let both_form = element(SEQUENCE, &[&element(OCTETS, &[seed]), &expanded_form]);
    for form in [seed_form, expanded_form, both_form] {
        let private = element(OCTETS, &[&form]);
        files.push(element(SEQUENCE, &[&[2, 1, 0], identifier, &private]));
        files.push(element(SEQUENCE, &[&[2, 1, 1], identifier, &private, &beside]));
    }
    files
}

const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// One element of DER: tag, length, content.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [.., high, low] = content.len().to_be_bytes();
    let length = match content.len() {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], &length[..], &content].concat()
}

/// Makes the honest files, before an input's time counts.
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
        Input::Edited { file, edits } => {
            let honest = &FILES[usize::from(file) % FILES.len()];
            let bytes = edited(honest, &edits);
            if bytes == *honest {
                assert!(inspect(&bytes).is_ok());
            }
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
    let affordable = match inspected.map(|found| found.content) {
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
            other => panic!("{other:?}"),
        },
        // Refused before anything is derived.
        _ => true,
    };
    if affordable {
        decrypt(bytes);
    }
}

/// Nothing authenticates these files: what opens is a key, if another one, and no honest file is
/// refused.
fn decrypt(bytes: &[u8]) {
    let opened = match str::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN") => PrivateKey::from_encrypted_pem(text, PASSPHRASE),
        _ => PrivateKey::from_encrypted_der(bytes, PASSPHRASE),
    };
    match opened {
        Ok(key) => {
            let written = key.to_der().unwrap();
            let again = PrivateKey::from_der(written.expose_bytes()).unwrap();
            assert_eq!(again.public_key(), key.public_key());
        }
        Err(_) => assert!(!ENCRYPTED.contains(&bytes)),
    }
}
