//! Encrypted key files: what is written, what is read, and what it may cost.

use pqc_core::keyfile::{Content, KeyAlgorithm, KeyDerivation, PrivateKey, inspect};
use pqc_core::{Error, Field, SignatureAlgorithm};

use super::{OCTETS, element, key, sequence};
use crate::support::{Counting, Failing, Repeatable};

const ALGORITHM: KeyAlgorithm = KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa44);
const NULL: [u8; 2] = [0x05, 0x00];

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const SCRYPT: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];
const HMAC_SHA_1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x07];
const HMAC_SHA_256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09];
const HMAC_SHA_512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x0b];
const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const AES_256_GCM: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2e];
const SALT: [u8; 16] = [7; 16];

fn algorithm(oid: &[u8], parameters: &[u8]) -> Vec<u8> {
    sequence(&[&element(0x06, oid), parameters])
}

fn integer(value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count().min(7);
    let sign: &[u8] = if bytes[zeros] >= 0x80 { &[0] } else { &[] };
    element(0x02, &[sign, &bytes[zeros..]].concat())
}

fn scrypt(n: u64, r: u64, p: u64) -> Vec<u8> {
    let salt = element(OCTETS, &SALT);
    algorithm(SCRYPT, &sequence(&[&salt, &integer(n), &integer(r), &integer(p)]))
}

fn pbkdf2(iterations: u64, prf: &[u8]) -> Vec<u8> {
    let salt = element(OCTETS, &SALT);
    let prf = if prf.is_empty() { vec![] } else { algorithm(prf, &NULL) };
    algorithm(PBKDF2, &sequence(&[&salt, &integer(iterations), &prf]))
}

fn file(kdf: &[u8], cipher: &[u8], iv: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let cipher = algorithm(cipher, &element(OCTETS, iv));
    let scheme = algorithm(PBES2, &sequence(&[kdf, &cipher]));
    sequence(&[&scheme, &element(OCTETS, ciphertext)])
}

#[test]
fn an_encrypted_file_is_read_under_its_passphrase() {
    for algorithm in KeyAlgorithm::ALL {
        let key = key(algorithm, 0);
        let text = key.to_encrypted_pem(b"passphrase", &mut Repeatable::new(1)).unwrap();
        let read = PrivateKey::from_encrypted_pem(&text, b"passphrase").unwrap();
        assert_eq!(read.to_der().unwrap().expose_bytes(), key.to_der().unwrap().expose_bytes());
        let content = inspect(text.as_bytes()).unwrap().content;
        let derivation = KeyDerivation::Scrypt { n: 16384, r: 8, p: 5 };
        assert_eq!(content, Content::EncryptedPrivateKey { derivation });
    }
}

#[test]
fn a_file_is_written_as_it_is_read() {
    let key = key(ALGORITHM, 0);
    let der = key.to_encrypted_der(b"passphrase", &mut Counting::from_zero()).unwrap();
    // The last 64 bytes: 54 of the file inside, and 10 of padding.
    let ciphertext = &der[der.len() - 64..];
    let iv: [u8; 16] = super::counting_from(16);
    let mut expected = file(&scrypt(16384, 8, 5), AES_256_CBC, &iv, ciphertext);
    let at = expected.windows(16).position(|window| window == SALT).unwrap();
    expected[at..at + 16].copy_from_slice(&super::counting_from::<16>(0));
    assert_eq!(der, expected);
}

/// PBKDF2, with few iterations: many wrong passphrases leave padding that looks right.
#[test]
fn no_wrong_passphrase_gives_anything() {
    // Computed by Python's hashlib.pbkdf2_hmac and the AES of PyPI cryptography.
    const CIPHERTEXT: &str = "91d07d79013c417b139b1f289da248295e295ee8e91bd614589766c639ccfed3\
        69618c27f64783842b5dc1b84db729b3fc36612126d0f99c209c259469f0001f";
    let key = key(ALGORITHM, 0);
    let der =
        file(&pbkdf2(1, HMAC_SHA_256), AES_256_CBC, &[9; 16], &hex::decode(CIPHERTEXT).unwrap());
    let read = PrivateKey::from_encrypted_der(&der, b"passphrase").unwrap();
    assert_eq!(read.public_key(), key.public_key());
    let near = [&b""[..], b"Passphrase", b"passphrase ", b"passphras"].map(<[u8]>::to_vec);
    let others = (0..2000u32).map(|wrong| wrong.to_be_bytes().to_vec());
    for wrong in near.into_iter().chain(others) {
        let refused = PrivateKey::from_encrypted_der(&der, &wrong).err();
        assert_eq!(refused, Some(Error::KeyFileDecryption));
    }
    // Cut to no whole count of blocks, and to none.
    for ciphertext in [&[0; 63][..], &[]] {
        let der = file(&pbkdf2(1, HMAC_SHA_256), AES_256_CBC, &[9; 16], ciphertext);
        let refused = PrivateKey::from_encrypted_der(&der, b"passphrase").err();
        assert_eq!(refused, Some(Error::KeyFileDecryption));
    }
}

#[test]
fn what_a_file_may_cost_is_bounded() {
    let outcome = |kdf: &[u8]| {
        let der = file(kdf, AES_256_CBC, &[9; 16], &[0; 64]);
        let inspected = inspect(&der).map(|found| found.content);
        let refused = PrivateKey::from_encrypted_der(&der, b"passphrase").unwrap_err();
        match inspected {
            Ok(Content::EncryptedPrivateKey { derivation }) => {
                assert_eq!(refused, Error::KeyFileDecryption);
                Ok(derivation)
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                assert_eq!(refused, error);
                Err(error)
            }
        }
    };
    let scrypt_range = Error::OutOfRange { field: Field::ScryptCost, min: 2, max: 1 << 20 };
    for (n, r, p) in [(2, 1, 1), (1 << 10, 1, 1), (2, 1 << 10, 1), (16, 1, 1 << 10)] {
        let expected = KeyDerivation::Scrypt { n, r: r as u16, p: p as u16 };
        assert_eq!(outcome(&scrypt(n, r, p)), Ok(expected));
    }
    for (n, r, p) in [
        (1 << 18, 8, 1),
        (1 << 17, 8, 2),
        (2, 0xffff, 0xffff),
        (1 << 63, 1, 1),
        (1 << 63, 0xffff, 0xffff),
        (0, 8, 1),
        (1 << 14, 0, 1),
        (1 << 14, 8, 0),
        (1, 1, 1),
    ] {
        assert_eq!(outcome(&scrypt(n, r, p)), Err(scrypt_range.clone()), "{n} {r} {p}");
    }
    let malformed = |expected| Error::Malformed { field: Field::EncryptedKeyFile, expected };
    for n in [1, 3, 16383] {
        let expected = malformed("scrypt with a power of two as N");
        assert_eq!(outcome(&scrypt(n, 8, 1)), Err(expected));
    }
    assert!(outcome(&scrypt(1 << 15, 1, 1)).is_ok());
    for n in [1 << 16, 1 << 20] {
        let expected = malformed("scrypt with an N that fits its r");
        assert_eq!(outcome(&scrypt(n, 1, 1)), Err(expected));
    }
    // Greater than the library's types hold.
    let expected = malformed("DER of a PKCS#8 EncryptedPrivateKeyInfo");
    assert_eq!(outcome(&scrypt(2, 0x1_0000, 1)), Err(expected.clone()));
    assert_eq!(outcome(&pbkdf2(1 << 32, HMAC_SHA_256)), Err(expected.clone()));
    let long_salt =
        [&element(OCTETS, &[7; 33])[..], &integer(1), &algorithm(HMAC_SHA_256, &NULL)].concat();
    assert_eq!(outcome(&algorithm(PBKDF2, &element(0x30, &long_salt))), Err(expected));

    let field = Field::Pbkdf2Iterations;
    let iterations_range = Error::OutOfRange { field, min: 1, max: 1_000_000 };
    for iterations in [1, 2048] {
        let expected = KeyDerivation::Pbkdf2HmacSha256 { iterations };
        assert_eq!(outcome(&pbkdf2(iterations.into(), HMAC_SHA_256)), Ok(expected));
    }
    for iterations in [0, 1_000_001, u32::MAX.into()] {
        assert_eq!(outcome(&pbkdf2(iterations, HMAC_SHA_256)), Err(iterations_range.clone()));
    }
}

#[test]
fn other_encryption_is_refused_by_name() {
    let expected = "PBES2 with scrypt or PBKDF2-HMAC-SHA-256, and AES-256-CBC";
    let unsupported = Some(Error::UnsupportedKeyFileEncryption { expected });
    let good = pbkdf2(1, HMAC_SHA_256);
    let refused = |der: &[u8]| PrivateKey::from_encrypted_der(der, b"passphrase").err();
    let right = file(&good, AES_256_CBC, &[9; 16], &[0; 64]);
    assert_eq!(refused(&right), Some(Error::KeyFileDecryption));
    for der in [
        file(&pbkdf2(1, HMAC_SHA_512), AES_256_CBC, &[9; 16], &[0; 64]),
        file(&pbkdf2(1, HMAC_SHA_1), AES_256_CBC, &[9; 16], &[0; 64]),
        // PBKDF2's default is SHA-1.
        file(&pbkdf2(1, &[]), AES_256_CBC, &[9; 16], &[0; 64]),
        file(&good, AES_128_CBC, &[9; 16], &[0; 64]),
        file(&good, AES_256_GCM, &[9; 12], &[0; 64]),
        file(&good, &[0x2a, 0x03], &[9; 16], &[0; 64]),
        file(&algorithm(&[0x2a, 0x03], &NULL), AES_256_CBC, &[9; 16], &[0; 64]),
    ] {
        assert_eq!(refused(&der), unsupported);
    }
    let malformed = |expected| Some(Error::Malformed { field: Field::EncryptedKeyFile, expected });
    let no_file = malformed("DER of a PKCS#8 EncryptedPrivateKeyInfo");
    assert_eq!(refused(&file(&good, AES_256_CBC, &[9; 15], &[0; 64])), no_file);
    assert_eq!(refused(&[&right[..], &[0]].concat()), no_file);
    assert_eq!(refused(&[]), no_file);

    let with_length = |bytes| {
        let parts = [&element(OCTETS, &SALT)[..], &integer(1), &integer(bytes)].concat();
        let prf = algorithm(HMAC_SHA_256, &NULL);
        let kdf = algorithm(PBKDF2, &sequence(&[&parts, &prf]));
        file(&kdf, AES_256_CBC, &[9; 16], &[0; 64])
    };
    assert_eq!(refused(&with_length(32)), Some(Error::KeyFileDecryption));
    assert_eq!(refused(&with_length(16)), malformed("a derived key of 32 bytes"));
}

#[test]
fn a_generator_that_fails_leaves_no_file() {
    let key = key(ALGORITHM, 0);
    for fails_at in 0..2 {
        let mut rng = Failing::at(fails_at);
        assert_eq!(key.to_encrypted_der(b"passphrase", &mut rng), Err(Error::Randomness));
        assert_eq!(rng.calls, fails_at + 1);
    }
    assert!(key.to_encrypted_der(b"passphrase", &mut Failing::at(2)).is_ok());
}
