//! A JSON text is a JWK, public or private, whose key writes back the same, or none.

use pqc_core::VerifyingKey;
use pqc_core::keyfile::{Jwk, PrivateJwk, PrivateKey, PublicKey};

use crate::decode;

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: (&str, u8, &str)) {
    let (json, choice, public) = input;
    if let Ok(jwk) = serde_json::from_str::<Jwk>(json) {
        read(&jwk);
    }
    if let Ok(jwk) = serde_json::from_str::<PrivateJwk>(json) {
        read_private(&jwk);
    }
    // The right members, so that the key itself is reached; its length may be another algorithm's.
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
        let mut private = public.clone();
        private.truncate(seed);
        read_private(&PrivateJwk {
            kty: kty.clone(),
            alg: alg.clone(),
            public: public.clone(),
            private: private.into(),
        });
        read(&Jwk { kty, alg, public, kid: None, usage: None });
    }
}

fn read_private(jwk: &PrivateJwk) {
    if let Ok(key) = PrivateKey::try_from(jwk) {
        let again = PrivateJwk::try_from(&key).unwrap();
        assert_eq!((&again.kty, &again.alg), (&jwk.kty, &jwk.alg));
        assert_eq!((&again.public, &again.private), (&jwk.public, &jwk.private));
    }
}

fn read(jwk: &Jwk) {
    let verifying = VerifyingKey::try_from(jwk);
    if let Ok(key) = PublicKey::try_from(jwk) {
        let again = Jwk::try_from(&key).unwrap();
        assert_eq!((&again.kty, &again.alg, &again.public), (&jwk.kty, &jwk.alg, &jwk.public));
        assert_eq!(PublicKey::try_from(&again).unwrap(), key);
        assert_eq!(verifying.is_ok(), matches!(key, PublicKey::Verifying(_)));
    } else {
        assert!(verifying.is_err());
    }
}
