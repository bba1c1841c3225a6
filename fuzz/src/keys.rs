//! Bytes are a key that writes back the same and works, or none. The structure of expanded keys is
//! met half-way, so that what lies behind their checks is reached.

use arbitrary::Arbitrary;
use pqc_core::kem::ParameterSet;
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Error, KemAlgorithm, Secret,
    Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};

use crate::{Constant, decode};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any bytes, as every type that is read from bytes.
    Any(&'a [u8]),
    /// Any bytes, brought to a length that fits.
    Fitting { set: u8, bytes: &'a [u8] },
    /// An honest expanded key, of which some bytes were changed.
    Changed { set: u8, seed: u8, changes: Vec<(u16, u8)> },
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: Input<'_>) {
    match input {
        Input::Any(bytes) => {
            read_all(bytes);
        }
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
        Input::Changed { set, seed, changes } => {
            let set = usize::from(set % 3);
            let (kem, signature) = (ParameterSet::ALL[set], SignatureAlgorithm::ALL[set]);
            let key = DecapsulationKey::from_seed(kem, Secret::from([seed; 64]));
            read_all(&changed(key.expose_expanded().unwrap().expose_bytes(), &changes));
            let key = SigningKey::from_seed(signature, Secret::from([seed; 32]));
            read_all(&changed(key.expose_expanded().expose_bytes(), &changes));
        }
    }
}

fn changed(bytes: &[u8], changes: &[(u16, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, change) in changes {
        let at = usize::from(*at) % bytes.len();
        bytes[at] ^= change;
    }
    bytes
}

fn read_all(bytes: &[u8]) {
    if let Ok(key) = EncapsulationKey::from_bytes(bytes) {
        assert_eq!(key.as_bytes(), bytes);
        key.encapsulate_unattested(&mut Constant(7)).unwrap();
    }
    if let Ok(ciphertext) = Ciphertext::from_bytes(bytes) {
        assert_eq!(ciphertext.as_bytes(), bytes);
        let algorithm = ciphertext.algorithm();
        let seed = vec![7; algorithm.seed_bytes()];
        let key = DecapsulationKey::from_seed_bytes(algorithm, &seed).unwrap();
        match key.decapsulate(&ciphertext) {
            Err(Error::LowOrder { .. }) => assert_eq!(algorithm, KemAlgorithm::XWing),
            decapsulated => drop(decapsulated.unwrap()),
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
        let signature = Signature::from_bytes(&vec![0; key.algorithm().signature_bytes()]).unwrap();
        let _ = key.verify(b"message", Context::EMPTY, &signature);
    }
    if let Ok(signature) = Signature::from_bytes(bytes) {
        assert_eq!(signature.as_bytes(), bytes);
        let key = SigningKey::from_seed(signature.algorithm(), Secret::from([7; 32]));
        assert!(!key.verifying_key().verify(b"message", Context::EMPTY, &signature));
    }
    if let Ok(key) = SigningKey::from_expanded(bytes) {
        assert_eq!(key.expose_expanded().expose_bytes(), bytes);
        match key.sign(b"message", Context::EMPTY, &mut Constant(7)) {
            Ok(made) => assert!(key.verifying_key().verify(b"message", Context::EMPTY, &made)),
            Err(error) => assert_eq!(error, Error::InconsistentSigningKey),
        }
    }
}
