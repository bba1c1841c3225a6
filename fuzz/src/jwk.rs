//! A JSON text is a JWK whose key writes back the same, or none.

use pqc_core::VerifyingKey;
use pqc_core::keyfile::Jwk;

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
    // The right members, so that the key itself is reached; its length may be another algorithm's.
    let alg = ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"][usize::from(choice % 3)];
    let length = [1750, 2603, 3456][usize::from(choice / 3 % 3)];
    let mut padded = public.to_owned();
    padded.extend(std::iter::repeat_n('A', length - public.len().min(length)));
    for public in [public.to_owned(), padded] {
        let (kty, alg) = ("AKP".to_owned(), alg.to_owned());
        read(&Jwk { kty, alg, public, kid: None, usage: None });
    }
}

fn read(jwk: &Jwk) {
    if let Ok(key) = VerifyingKey::try_from(jwk) {
        let again = Jwk::from(&key);
        assert_eq!((&again.kty, &again.alg, &again.public), (&jwk.kty, &jwk.alg, &jwk.public));
        assert_eq!(VerifyingKey::try_from(&again).unwrap(), key);
    }
}
