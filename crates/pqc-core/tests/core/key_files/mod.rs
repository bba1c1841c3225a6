//! Key files: the RFCs' examples, what is refused, encryption, and another program.
//!
//! The DER that goes in is assembled here, byte by byte, not by the library that reads it.

mod encryption;
mod examples;
mod interop;
mod properties;
mod refusals;
mod x_wing;

use pqc_core::keyfile::{KeyAlgorithm, PrivateKey};
use pqc_core::{DecapsulationKey, KemAlgorithm, Secret, SignatureAlgorithm, SigningKey};

pub(crate) const OCTETS: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const BITS: u8 = 0x03;
const OID: u8 = 0x06;

/// The last two arcs of each algorithm's object identifier, under 2.16.840.1.101.3.4.
fn arcs(algorithm: KeyAlgorithm) -> [u8; 2] {
    match algorithm.name() {
        "ML-KEM-512" => [4, 1],
        "ML-KEM-768" => [4, 2],
        "ML-KEM-1024" => [4, 3],
        "ML-DSA-44" => [3, 17],
        "ML-DSA-65" => [3, 18],
        "ML-DSA-87" => [3, 19],
        other => panic!("{other}"),
    }
}

/// One element: tag, length, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..0x80 => vec![tag, length as u8],
        0x80..0x100 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [&head, content].concat()
}

pub(crate) fn sequence(elements: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &elements.concat())
}

pub(crate) fn identifier(algorithm: KeyAlgorithm, parameters: &[u8]) -> Vec<u8> {
    let oid = match algorithm.name() {
        // 1.3.6.1.4.1.62253.25722
        "X-Wing" => vec![0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xe6, 0x2d, 0x81, 0xc8, 0x7a],
        _ => [&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04], &arcs(algorithm)[..]].concat(),
    };
    sequence(&[&element(OID, &oid), parameters])
}

/// PKCS#8 of version 1 around a private key in one of its forms.
pub(crate) fn pkcs8(algorithm: KeyAlgorithm, form: &[u8]) -> Vec<u8> {
    sequence(&[&[0x02, 0x01, 0x00], &identifier(algorithm, &[]), &element(OCTETS, form)])
}

/// The algorithms whose files an RFC defines, in three forms.
pub(crate) const IN_RFCS: [KeyAlgorithm; 6] = [
    KeyAlgorithm::Kem(KemAlgorithm::MlKem512),
    KeyAlgorithm::Kem(KemAlgorithm::MlKem768),
    KeyAlgorithm::Kem(KemAlgorithm::MlKem1024),
    KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa44),
    KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa65),
    KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa87),
];

/// PKCS#8 of version 2: with a public key.
pub(crate) fn pkcs8_with_public(algorithm: KeyAlgorithm, form: &[u8], public: &[u8]) -> Vec<u8> {
    let public = element(0x81, &[&[0], public].concat());
    let private = element(OCTETS, form);
    sequence(&[&[0x02, 0x01, 0x01], &identifier(algorithm, &[]), &private, &public])
}

pub(crate) fn spki(algorithm: KeyAlgorithm, public: &[u8]) -> Vec<u8> {
    sequence(&[&identifier(algorithm, &[]), &element(BITS, &[&[0], public].concat())])
}

pub(crate) fn seed_form(seed: &[u8]) -> Vec<u8> {
    element(0x80, seed)
}

pub(crate) fn both_form(seed: &[u8], expanded: &[u8]) -> Vec<u8> {
    sequence(&[&element(OCTETS, seed), &element(OCTETS, expanded)])
}

/// The key of the seed `first`, `first` + 1, …: of the RFCs' examples for 0.
pub(crate) fn key(algorithm: KeyAlgorithm, first: u8) -> PrivateKey {
    match algorithm {
        KeyAlgorithm::Kem(set) => {
            let seed: [u8; 64] = counting_from(first);
            DecapsulationKey::from_seed_bytes(set, &seed[..set.seed_bytes()]).unwrap().into()
        }
        KeyAlgorithm::Signature(set) => {
            SigningKey::from_seed(set, Secret::from(counting_from(first))).into()
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn counting_from<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|i| first.wrapping_add(i as u8))
}

pub(crate) fn seed(key: &PrivateKey) -> &[u8] {
    match key {
        PrivateKey::Decapsulation(key) => key.expose_seed().unwrap().expose_bytes(),
        PrivateKey::Signing(key) => key.expose_seed().unwrap().expose_bytes(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn expanded(key: &PrivateKey) -> &[u8] {
    match key {
        PrivateKey::Decapsulation(key) => key.expose_expanded().unwrap().expose_bytes(),
        PrivateKey::Signing(key) => key.expose_expanded().expose_bytes(),
        other => panic!("{other:?}"),
    }
}

/// PEM, written without the library: lines of 64.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    let text = Base64::encode_string(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
