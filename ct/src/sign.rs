//! ML-DSA by each backend: key generation, signing, signing by a prepared key.

use pqc_core::backend::Backend;
use pqc_core::sign::{PreHash, PreHashAlgorithm};
use pqc_core::{Context, Secret, SecretVec, SignatureAlgorithm, SigningKey};

use crate::marks::{Undefined, defined, undefined};

/// From a secret seed, for each parameter set.
pub fn key_pair<B: Backend>() -> Vec<u8> {
    SignatureAlgorithm::ALL.into_iter().fold(Vec::new(), |mut keys, set| {
        let seed = Secret::from([3; 32]);
        undefined(seed.expose_bytes());
        keys.extend_from_slice(B::signing_key_pair(set, &seed).1.expose_bytes());
        keys
    })
}

/// Hedged by a secret, for each parameter set and ten messages, each of which is rejected and tried
/// again another number of times. What libcrux takes for public in that, it marks as defined where
/// it branches on it, and gives its reasons there; what ml-dsa branches on, of the same kind, is in
/// the list of what is public.
pub fn sign<B: Backend>() -> Vec<u8> {
    let mut results = Vec::new();
    for set in SignatureAlgorithm::ALL {
        let (_, expanded) = B::signing_key_pair(set, &Secret::from([3; 32]));
        mark_expanded(set, &expanded);
        for message in 0..10u8 {
            let hedge = Secret::from([message; 32]);
            undefined(hedge.expose_bytes());
            let signature = B::sign(set, expanded.expose_bytes(), &[message], b"", &hedge);
            results.extend_from_slice(&signature.expect("a good key"));
        }
    }
    results
}

/// By a key of the active backend and its prepared form: a message, a digest, and μ, which ml-dsa
/// signs on every build.
pub fn sign_in_each_way() -> Vec<u8> {
    let mut results = Vec::new();
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::from_seed(set, Secret::from([3; 32]));
        defined(key.verifying_key().as_bytes());
        mark_expanded(set, key.expose_expanded());
        let prepared = key.prepare().expect("a good key");
        for message in 0..3u8 {
            let digest = PreHash::of(PreHashAlgorithm::Sha512, &[message]);
            let mu = key.verifying_key().mu(&[message], Context::EMPTY);
            let rng = || Undefined(message);
            for signature in [
                key.sign(&[message], Context::EMPTY, &mut rng()),
                key.sign_prehash(&digest, Context::EMPTY, &mut rng()),
                key.sign_mu(&mu, &mut rng()),
                prepared.sign(&[message], Context::EMPTY, &mut rng()),
                prepared.sign_prehash(&digest, Context::EMPTY, &mut rng()),
                prepared.sign_mu(&mu, &mut rng()),
            ] {
                results.extend_from_slice(signature.expect("a good key").as_bytes());
            }
        }
    }
    results
}

/// ρ ‖ K ‖ tr ‖ s1 ‖ s2 ‖ t0 (FIPS 204, Algorithm 24): ρ, tr and t0 are public, t0 by FIPS 204,
/// Section 6.1.
fn mark_expanded(set: SignatureAlgorithm, expanded: &SecretVec) {
    let t0_bytes = 416
        * match set.name() {
            "ML-DSA-44" => 4,
            "ML-DSA-65" => 6,
            _ => 8,
        };
    let key = expanded.expose_bytes();
    defined(key);
    undefined(&key[32..64]);
    undefined(&key[128..key.len() - t0_bytes]);
}
