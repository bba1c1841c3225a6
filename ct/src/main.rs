//! The core's operations on secrets, with the secrets marked undefined for valgrind's memcheck.
//!
//! Memcheck reports each branch and each address that depends on an undefined bit: run so, a report
//! is a timing leak. `cargo xtask ct` runs each check twice: as it is, which must be silent, and
//! with `leak` behind its name, where a branch on its result must be reported. That second run
//! shows that the marks were there and reached the end.

use std::ffi::c_void;
use std::hint::black_box;
use std::process::ExitCode;

use crabgrind::memcheck::{MemState, mark_memory};
use pqc_core::backend::{Active, Backend, RustCrypto};
use pqc_core::token::{TokenKind, TokenValue};
use pqc_core::kem::ParameterSet;
use pqc_core::{BoxKey, Context, Secret, SignatureAlgorithm, SigningKey};
use rand_core::{TryCryptoRng, TryRng};

/// A check gives bytes that depend on its secrets, still undefined.
type Check = fn() -> Vec<u8>;

const CHECKS: &[(&str, Check)] = &[
    ("decapsulate", decapsulate::<Active>),
    ("decapsulate-reference", decapsulate::<RustCrypto>),
    ("sign", sign),
    ("compare-secrets", compare_secrets),
    ("hash-token", hash_token),
    ("seal-box", seal_box),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (name, leaks) = (arguments.next(), arguments.next().is_some_and(|word| word == "leak"));
    let Some((_, check)) = CHECKS.iter().find(|(known, _)| name.as_deref() == Some(*known)) else {
        CHECKS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let result = check();
    assert!(!result.is_empty());
    if leaks && black_box(&result).iter().any(|byte| *byte == 7) {
        println!("one of the bytes is 7");
    }
    ExitCode::SUCCESS
}

/// By an honest ciphertext and by one that is implicitly rejected, for each parameter set.
fn decapsulate<B: Backend>() -> Vec<u8> {
    let mut results = Vec::new();
    for set in ParameterSet::ALL {
        let (public, expanded) = B::kem_key_pair(set, &Secret::from([1; 64]));
        let (honest, _) = B::encapsulate(set, &public, &Secret::from([2; 32])).expect("reduced");
        defined(&public);
        defined(&honest);
        let mut altered = honest.clone();
        altered[0] ^= 1;
        // dk_PKE ‖ ek ‖ H(ek) ‖ z: the key that is embedded, and its hash, are public.
        let key = expanded.expose_bytes();
        defined(key);
        undefined(&key[..public.len() - 32]);
        undefined(&key[key.len() - 32..]);
        for ciphertext in [honest, altered] {
            let secret = B::decapsulate(set, key, &ciphertext).expect("the right lengths");
            results.extend_from_slice(secret.expose_bytes());
        }
    }
    results
}

/// Hedged by a secret, for each parameter set and ten messages, each of which is rejected and tried
/// again another number of times. What libcrux takes for public in that, it marks as defined where
/// it branches on it, and gives its reasons there.
fn sign() -> Vec<u8> {
    let mut results = Vec::new();
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::from_seed(set, Secret::from([3; 32]));
        let expanded = key.expose_expanded().expose_bytes();
        // ρ ‖ K ‖ tr ‖ s1 ‖ s2 ‖ t0 (FIPS 204, Algorithm 24).
        let t0_bytes = 416
            * match set.name() {
                "ML-DSA-44" => 4,
                "ML-DSA-65" => 6,
                _ => 8,
            };
        defined(expanded);
        undefined(&expanded[32..64]);
        undefined(&expanded[128..expanded.len() - t0_bytes]);
        for message in 0..10u8 {
            let signature = key.sign(&[message], Context::EMPTY, &mut Undefined(message));
            results.extend_from_slice(signature.expect("a good key").as_bytes());
        }
    }
    results
}

/// The comparison of all types that hold secrets, shared secrets among them.
fn compare_secrets() -> Vec<u8> {
    let (mut one, mut other) = ([5; 32], [5; 32]);
    other[31] = 6;
    undefined(&one);
    undefined(&other);
    let (one, other) = (Secret::from(*black_box(&mut one)), Secret::from(*black_box(&mut other)));
    vec![u8::from(one.ct_eq(&other)), u8::from(one.ct_eq(&one))]
}

/// A store compares hashes, so all that touches a token's bytes is encoding and hashing.
fn hash_token() -> Vec<u8> {
    let token = TokenValue::generate(TokenKind::Root, &mut Undefined(9)).expect("it never fails");
    token.hash().as_bytes().to_vec()
}

/// The key derivations and AES-256-GCM, under a secret key over a secret text.
fn seal_box() -> Vec<u8> {
    let (mut key, text) = ([5; 32], [6; 1000]);
    undefined(&key);
    undefined(&text);
    let key = BoxKey::from_caller(&Secret::from(*black_box(&mut key)));
    let sealed = key.seal(&text, b"data", &mut Fixed(1)).expect("it never fails");
    sealed.as_bytes()[42..].to_vec()
}

fn undefined(bytes: &[u8]) {
    mark(bytes, MemState::Undefined);
}

fn defined(bytes: &[u8]) {
    mark(bytes, MemState::Defined);
}

fn mark(bytes: &[u8], state: MemState) {
    mark_memory(bytes.as_ptr().cast::<c_void>(), bytes.len(), state)
        .expect("this program checks something under valgrind only");
}

/// Gives one byte again and again: a nonce, which is public.
struct Fixed(u8);

/// The same, marked undefined: a secret.
struct Undefined(u8);

macro_rules! generator {
    ($name:ident, $then:expr) => {
        impl TryRng for $name {
            type Error = std::convert::Infallible;

            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                rand_core::utils::next_word_via_fill(self)
            }

            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                rand_core::utils::next_word_via_fill(self)
            }

            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
                bytes.fill(self.0);
                $then(bytes);
                Ok(())
            }
        }

        impl TryCryptoRng for $name {}
    };
}

generator!(Fixed, defined);
generator!(Undefined, undefined);
