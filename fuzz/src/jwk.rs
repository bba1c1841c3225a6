//! A JSON text is a JWK, public or private, whose key writes back the same, or none. Honest ones
//! are met half-way: a private one that was changed names its own public key, or is none.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::keyfile::{Jwk, PrivateJwk, PrivateKey, PublicKey};
use pqc_core::{
    DecapsulationKey, KemAlgorithm, Secret, SignatureAlgorithm, SigningKey, VerifyingKey,
};

use crate::{Edit, decode, edited};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any JSON; and an algorithm's members around any public key.
    Any(&'a str, u8, &'a str),
    /// An honest JWK after some edits.
    Edited { honest: u8, edits: Vec<Edit<'a>> },
}

/// Of each algorithm that has a name in JWK, a private and a public one.
static HONEST: LazyLock<Vec<String>> = LazyLock::new(|| {
    let kems = KemAlgorithm::ALL.into_iter().filter(|kem| *kem != KemAlgorithm::XWing);
    let kems = kems.map(|kem| {
        let seed = vec![7; kem.seed_bytes()];
        PrivateKey::from(DecapsulationKey::from_seed_bytes(kem, &seed).unwrap())
    });
    let signatures = SignatureAlgorithm::ALL
        .map(|set| PrivateKey::from(SigningKey::from_seed(set, Secret::from([7; 32]))));
    let keys = kems.chain(signatures);
    let both = keys.flat_map(|key| {
        let private = PrivateJwk::try_from(&key).unwrap();
        let public = Jwk::try_from(&key.public_key()).unwrap();
        [serde_json::to_string(&private), serde_json::to_string(&public)]
    });
    both.map(Result::unwrap).collect()
});

/// Makes the honest keys, before an input's time counts.
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
        Input::Any(json, choice, public) => {
            read_json(json.as_bytes());
            read_members(choice, public);
        }
        Input::Edited { honest, edits } => {
            let honest = &HONEST[usize::from(honest) % HONEST.len()];
            let json = edited(honest.as_bytes(), &edits);
            let read = read_json(&json);
            if json == honest.as_bytes() {
                assert_eq!(read, [true, honest.contains("\"priv\"")]);
            }
        }
    }
}

/// Whether it is read as a public key, and as a private one.
fn read_json(json: &[u8]) -> [bool; 2] {
    let public = serde_json::from_slice(json).is_ok_and(|jwk| read(&jwk));
    let private = serde_json::from_slice(json).is_ok_and(|jwk| read_private(&jwk));
    [public, private]
}

/// The right members, so that the key itself is reached; its length may be another algorithm's.
fn read_members(choice: u8, public: &str) {
    let (alg, length, seed) = [
        ("ML-DSA-44", 1750, 43),
        ("ML-DSA-65", 2603, 43),
        ("ML-DSA-87", 3456, 43),
        ("ML-KEM-512", 1067, 86),
        ("ML-KEM-768", 1579, 86),
        ("ML-KEM-1024", 2091, 86),
    ][usize::from(choice % 6)];
    let length = if choice < 128 { length } else { 1750 };
    let mut padded = public.to_owned();
    padded.extend(std::iter::repeat_n('A', length - public.len().min(length)));
    for public in [public.to_owned(), padded] {
        let (kty, alg) = ("AKP".to_owned(), alg.to_owned());
        let private: String = public.chars().take(seed).collect();
        read_private(&PrivateJwk {
            kty: kty.clone(),
            alg: alg.clone(),
            public: public.clone(),
            private: private.into(),
        });
        read(&Jwk { kty, alg, public, kid: None, usage: None });
    }
}

fn read_private(jwk: &PrivateJwk) -> bool {
    let Ok(key) = PrivateKey::try_from(jwk) else { return false };
    let again = PrivateJwk::try_from(&key).unwrap();
    assert_eq!((&again.kty, &again.alg), (&jwk.kty, &jwk.alg));
    assert_eq!((&again.public, &again.private), (&jwk.public, &jwk.private));
    true
}

fn read(jwk: &Jwk) -> bool {
    let verifying = VerifyingKey::try_from(jwk);
    if let Ok(key) = PublicKey::try_from(jwk) {
        let again = Jwk::try_from(&key).unwrap();
        assert_eq!((&again.kty, &again.alg, &again.public), (&jwk.kty, &jwk.alg, &jwk.public));
        assert_eq!(PublicKey::try_from(&again).unwrap(), key);
        assert_eq!(verifying.is_ok(), matches!(key, PublicKey::Verifying(_)));
        true
    } else {
        assert!(verifying.is_err());
        false
    }
}
