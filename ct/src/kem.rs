//! ML-KEM by each backend, and X-Wing.

use pqc_core::backend::Backend;
use pqc_core::kem::ParameterSet;
use pqc_core::{Ciphertext, DecapsulationKey, KemAlgorithm, Secret, SecretVec};

use crate::marks::{Undefined, defined, undefined};

/// From a secret seed, for each parameter set. The matrix is sampled from ρ, which is public, but
/// made of the seed inside: what branches there is in the list of what is public.
pub fn key_pair<B: Backend>() -> Vec<u8> {
    ParameterSet::ALL.into_iter().fold(Vec::new(), |mut keys, set| {
        let seed = Secret::from([1; 64]);
        undefined(seed.expose_bytes());
        keys.extend_from_slice(B::kem_key_pair(set, &seed).1.expose_bytes());
        keys
    })
}

/// Of a secret message, for each parameter set.
pub fn encapsulate<B: Backend>() -> Vec<u8> {
    ParameterSet::ALL.into_iter().fold(Vec::new(), |mut secrets, set| {
        let (public, _) = B::kem_key_pair(set, &Secret::from([1; 64]));
        let message = Secret::from([2; 32]);
        undefined(message.expose_bytes());
        let (ciphertext, secret) = B::encapsulate(set, &public, &message).expect("reduced");
        secrets.extend_from_slice(&ciphertext);
        secrets.extend_from_slice(secret.expose_bytes());
        secrets
    })
}

/// By an honest ciphertext and by one that is implicitly rejected, for each parameter set.
pub fn decapsulate<B: Backend>() -> Vec<u8> {
    decapsulate_by::<B>(|set, key, ciphertext| {
        B::decapsulate(set, key, ciphertext).expect("the right lengths")
    })
}

/// The same by a prepared key, and its preparation.
pub fn decapsulate_prepared<B: Backend>() -> Vec<u8> {
    decapsulate_by::<B>(|set, key, ciphertext| {
        let key = B::prepare_decapsulation_key(set, key).expect("the right length");
        key.decapsulate(ciphertext).expect("the right length")
    })
}

fn decapsulate_by<B: Backend>(by: impl Fn(ParameterSet, &[u8], &[u8]) -> Secret<32>) -> Vec<u8> {
    let mut results = Vec::new();
    for set in ParameterSet::ALL {
        let (public, expanded) = B::kem_key_pair(set, &Secret::from([1; 64]));
        let (honest, _) = B::encapsulate(set, &public, &Secret::from([2; 32])).expect("reduced");
        defined(&public);
        defined(&honest);
        mark_expanded(&expanded, public.len());
        for ciphertext in [altered(&honest, 0), honest] {
            let secret = by(set, expanded.expose_bytes(), &ciphertext);
            results.extend_from_slice(secret.expose_bytes());
        }
    }
    results
}

/// dk_PKE ‖ ek ‖ H(ek) ‖ z: the key that is embedded, and its hash, are public.
fn mark_expanded(expanded: &SecretVec, public_bytes: usize) {
    let key = expanded.expose_bytes();
    defined(key);
    undefined(&key[..public_bytes - 32]);
    undefined(&key[key.len() - 32..]);
}

/// A key from a secret seed, encapsulation of secret randomness to it, and decapsulation by it,
/// plain and prepared: honest, with an altered half of ML-KEM, with an altered share of X25519.
pub fn x_wing() -> Vec<u8> {
    let rng = &mut Undefined(3);
    let key = DecapsulationKey::generate(KemAlgorithm::XWing, rng).expect("it never fails");
    let public = key.encapsulation_key();
    defined(public.as_bytes());
    let (honest, sent) = public.encapsulate_unattested(&mut Undefined(4)).expect("it never fails");
    let mut results = sent.expose_bytes().to_vec();
    let honest = honest.as_bytes();
    defined(honest);
    let prepared = key.prepare().expect("a good key");
    for ciphertext in [honest.to_vec(), altered(honest, 0), altered(honest, honest.len() - 1)] {
        let ciphertext = Ciphertext::from_bytes(&ciphertext).expect("the right length");
        for secret in [key.decapsulate(&ciphertext), prepared.decapsulate(&ciphertext)] {
            results.extend_from_slice(secret.expect("no low order").expose_bytes());
        }
    }
    results
}

fn altered(ciphertext: &[u8], at: usize) -> Vec<u8> {
    let mut altered = ciphertext.to_vec();
    altered[at] ^= 1;
    altered
}
