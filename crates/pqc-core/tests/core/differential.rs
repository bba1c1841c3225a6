//! The active backend, the reference and a third implementation give the same bytes for the same
//! input, be it honest, random or hostile. Without the feature `libcrux` the first two are one.

use std::collections::BTreeMap;

use pqc_core::kem::ParameterSet;
use pqc_core::{DecapsulationKey, Secret, SignatureAlgorithm, SigningKey};
use sha3::{Digest, Sha3_256};

use crate::backends::{both_backends, cases};
use crate::peers::implementations;
use crate::support::{Repeatable, flipped, say};

#[test]
fn kem_keys_ciphertexts_and_secrets_are_the_same() {
    for_each_case("honest ML-KEM", ParameterSet::ALL, |set, rng| {
        let (seed, message) = (rng.array(), rng.array());
        let made = implementations().map(|backend| {
            let (public, expanded) = (backend.kem_key_pair)(set, &Secret::from(seed));
            let (ciphertext, secret) =
                (backend.encapsulate)(set, &public, &Secret::from(message)).unwrap();
            let expanded = expanded.expose_bytes().to_vec();
            (public, expanded, ciphertext, *secret.expose_bytes())
        });
        let (_, expanded, ciphertext, secret) = agreed(made);
        let altered = flipped(&ciphertext, rng.below(ciphertext.len() * 8));
        let random = rng.bytes(ciphertext.len());
        assert_eq!(decapsulated(set, &expanded, &ciphertext), secret);
        assert_ne!(decapsulated(set, &expanded, &altered), secret);
        assert_ne!(decapsulated(set, &expanded, &random), secret);
    });
}

#[test]
fn kem_keys_of_any_coefficients_are_judged_and_used_alike() {
    let (mut reduced, mut unreduced) = (0, 0);
    for_each_case("hostile encapsulation keys", ParameterSet::ALL, |set, rng| {
        let mut key = twelve_bit(rng, polynomials(set), Q - 1);
        if rng.below(2) == 0 {
            let coefficient = [Q - 1, Q, Q + 1, 4095, 0][rng.below(5)];
            let at = rng.below(polynomials(set) * 256);
            set_coefficient(&mut key, at, coefficient);
        }
        key.extend(rng.bytes(32));
        let verdict =
            agreed(implementations().map(|b| (b.encapsulation_key_is_reduced)(set, &key)));
        let coefficients = coefficients(&key[..polynomials(set) * 384]);
        assert_eq!(verdict, coefficients.iter().all(|c| *c < Q));
        if !verdict {
            unreduced += 1;
            return;
        }
        reduced += 1;
        let message = rng.array();
        let (ciphertext, secret) = agreed(implementations().map(|backend| {
            let (ciphertext, secret) =
                (backend.encapsulate)(set, &key, &Secret::from(message)).unwrap();
            (ciphertext, *secret.expose_bytes())
        }));
        for backend in both_backends() {
            let prepared = (backend.prepare_encapsulation_key)(set, &key).unwrap();
            let by_prepared = prepared.encapsulate(&Secret::from(message));
            assert_eq!(by_prepared.0, ciphertext);
            assert_eq!(*by_prepared.1.expose_bytes(), secret);
        }
    });
    let enough = cases() / 10;
    assert!(reduced > enough && unreduced > enough, "{reduced} reduced, {unreduced} unreduced");
}

/// dk_PKE was never an honest one; the embedded key and its hash are. No secret comes out of such
/// a key, but what comes out is the same.
#[test]
fn decapsulation_keys_of_any_coefficients_are_used_alike() {
    for_each_case("hostile decapsulation keys", ParameterSet::ALL, |set, rng| {
        let max = [Q - 1, 4095][rng.below(2)];
        let secret = twelve_bit(rng, polynomials(set), max);
        let [backend, ..] = implementations();
        let (public, _) = (backend.kem_key_pair)(set, &Secret::from(rng.array()));
        let (ciphertext, _) =
            (backend.encapsulate)(set, &public, &Secret::from(rng.array())).unwrap();
        let hash = Sha3_256::digest(&public);
        let key = [secret.as_slice(), &public, &hash, &rng.bytes(32)].concat();
        assert!(DecapsulationKey::from_expanded(&key).is_ok());
        decapsulated(set, &key, &ciphertext);
        decapsulated(set, &key, &rng.bytes(ciphertext.len()));
    });
}

/// FIPS 203, Algorithm 6 decodes 12 bits modulo q, and Section 7.3 does not look at dk_PKE: an
/// honest key of which some coefficients were written as c + q is the same key.
#[test]
fn a_secret_coefficient_of_q_or_more_counts_modulo_q() {
    for_each_case("unreduced decapsulation keys", ParameterSet::ALL, |set, rng| {
        let [backend, ..] = implementations();
        let (public, expanded) = (backend.kem_key_pair)(set, &Secret::from(rng.array()));
        let mut key = expanded.expose_bytes().to_vec();
        let one_in = 1 + rng.below(200);
        let secret = coefficients(&key[..polynomials(set) * 384]);
        let small = secret.iter().enumerate().filter(|(_, c)| **c <= 4095 - Q);
        for (at, coefficient) in small.step_by(one_in) {
            set_coefficient(&mut key, at, coefficient + Q);
        }
        assert_ne!(key, expanded.expose_bytes());
        let (ciphertext, secret) =
            (backend.encapsulate)(set, &public, &Secret::from(rng.array())).unwrap();
        assert_eq!(decapsulated(set, &key, &ciphertext), *secret.expose_bytes());
    });
}

#[test]
fn signing_keys_and_signatures_are_the_same_and_altered_ones_are_refused_alike() {
    for_each_case("ML-DSA", SignatureAlgorithm::ALL, |set, rng| {
        let (seed, hedge) = (rng.array(), rng.array());
        let (message, context) = (random_length(rng, 2000), random_length(rng, 256));
        let made = implementations().map(|backend| {
            let (public, expanded) = (backend.signing_key_pair)(set, &Secret::from(seed));
            let expanded = expanded.expose_bytes().to_vec();
            let hedge = Secret::from(hedge);
            let made = (backend.sign)(set, &expanded, &message, &context, &hedge).unwrap();
            (public, expanded, made)
        });
        let (public, _, signature) = agreed(made);
        assert!(verifies(set, &public, &message, &context, &signature));
        let bits = signature.len() * 8;
        let hints = signature.len() - hint_bytes(set);
        let mut other_hints = signature.clone();
        other_hints[hints..].fill_with(|| rng.below(256) as u8);
        let mut swapped_hints = signature.clone();
        swapped_hints.swap(hints, hints + 1);
        let mut one_hint = signature.clone();
        one_hint[hints + rng.below(hint_bytes(set))] = rng.below(256) as u8;
        let altered = [
            flipped(&signature, rng.below(256)),
            flipped(&signature, rng.below(bits)),
            flipped(&signature, hints * 8 + rng.below(hint_bytes(set) * 8)),
            other_hints,
            swapped_hints,
            one_hint,
            rng.bytes(signature.len()),
        ];
        for altered in altered {
            let same = altered == signature;
            assert_eq!(verifies(set, &public, &message, &context, &altered), same);
        }
        let bit = rng.below(public.len() * 8);
        assert!(!verifies(set, &flipped(&public, bit), &message, &context, &signature));
        assert!(!verifies(set, &rng.bytes(public.len()), &message, &context, &signature));
        assert!(!verifies(set, &public, &[&message[..], b"."].concat(), &context, &signature));
        assert!(!verifies(set, &public, &message, b"another", &signature));
    });
}

/// K and t0 are parts that reading an expanded key cannot or does not check. A wrong t0 can make
/// the rejection sampling give up, and the two do so after different counts of attempts (libcrux:
/// 814, FIPS 204, Appendix C): that aside, they make the same signature, be it good or not.
#[test]
fn hostile_expanded_signing_keys_sign_alike() {
    let mut outcomes = BTreeMap::<_, usize>::new();
    for_each_case("hostile signing keys", SignatureAlgorithm::ALL, |set, rng| {
        let (_, expanded) =
            (implementations()[0].signing_key_pair)(set, &Secret::from(rng.array()));
        let mut key = expanded.expose_bytes().to_vec();
        let t0 = key.len() - t0_bytes(set);
        for _ in 0..1 + rng.below(50) {
            let at = t0 + rng.below(t0_bytes(set));
            key[at] = rng.below(256) as u8;
        }
        key[32 + rng.below(32)] ^= 1;
        let read = SigningKey::from_expanded(&key).unwrap();
        let hedge = rng.array();
        let made = implementations()
            .map(|b| (b.sign)(set, &key, b"message", b"", &Secret::from(hedge)).ok());
        let gave_up = made.iter().any(Option::is_none);
        let signatures: Vec<_> = made.into_iter().flatten().collect();
        assert!(signatures.windows(2).all(|pair| pair[0] == pair[1]));
        let public = read.verifying_key().as_bytes();
        let outcome = match signatures.first() {
            _ if gave_up => "gave up",
            Some(made) if verifies(set, public, b"message", b"", made) => "good",
            _ => "bad",
        };
        *outcomes.entry(outcome).or_default() += 1;
    });
    say(&format!("signatures by keys with a wrong t0: {outcomes:?}"));
    let at_least = |outcome, share| outcomes.get(outcome).is_some_and(|n| *n >= cases() / share);
    assert!(at_least("good", 25) && at_least("bad", 2), "{outcomes:?}");
}

/// Each backend's internal interface, and its prepared keys, which may compute in another way.
#[test]
fn prepared_keys_and_framed_messages_give_the_same_on_both() {
    for_each_case("prepared and framed ML-DSA", SignatureAlgorithm::ALL, |set, rng| {
        let hedge = Secret::from(rng.array());
        let framed = random_length(rng, 500);
        let (message, context) = (random_length(rng, 500), random_length(rng, 256));
        let (public, key) = (both_backends()[0].signing_key_pair)(set, &Secret::from(rng.array()));
        let key = key.expose_bytes();
        let [active, reference] = both_backends().map(|backend| {
            let prepared = (backend.prepare_signing_key)(set, key).unwrap();
            let made = (backend.sign_internal)(set, key, &framed, &hedge).unwrap();
            assert_eq!(prepared.sign_internal(&framed, &hedge).unwrap(), made);
            let pure = prepared.sign(&message, &context, &hedge).unwrap();
            let by_mu = prepared.sign_mu(&[7; 64], &hedge).unwrap();
            [made, pure, by_mu]
        });
        assert_eq!(active, reference);
        let [made, pure, by_mu] = active;
        let altered = flipped(&made, rng.below(made.len() * 8));
        for backend in both_backends() {
            let prepared = (backend.prepare_verifying_key)(set, &public).unwrap();
            assert!((backend.verify_internal)(set, &public, &framed, &made));
            assert!(!(backend.verify_internal)(set, &public, &framed, &altered));
            assert!(prepared.verify_internal(&framed, &made));
            assert!(!prepared.verify_internal(&framed, &altered));
            assert!(prepared.verify(&message, &context, &pure));
            assert!(!prepared.verify(&message, &context, &altered));
            assert!(prepared.verify_mu(&[7; 64], &by_mu));
            assert!(!prepared.verify_mu(&[7; 64], &altered));
        }
    });
}

fn decapsulated(set: ParameterSet, expanded: &[u8], ciphertext: &[u8]) -> [u8; 32] {
    let [active, reference, third] = implementations().map(|backend| {
        (backend.decapsulate)(set, expanded, ciphertext).map(|secret| *secret.expose_bytes())
    });
    let reduced = coefficients(&expanded[..polynomials(set) * 384]).iter().all(|c| *c < Q);
    assert_eq!(third.is_ok(), reduced, "fips203 refuses a dk_PKE that is not reduced");
    let secret = agreed([active, reference]).unwrap();
    assert!(third.is_err() || third == Ok(secret));
    for backend in both_backends() {
        let prepared = (backend.prepare_decapsulation_key)(set, expanded).unwrap();
        assert_eq!(*prepared.decapsulate(ciphertext).unwrap().expose_bytes(), secret);
    }
    secret
}

fn verifies(
    set: SignatureAlgorithm,
    public: &[u8],
    message: &[u8],
    context: &[u8],
    signature: &[u8],
) -> bool {
    agreed(implementations().map(|b| (b.verify)(set, public, message, context, signature)))
}

/// What all of them gave.
fn agreed<T: PartialEq + std::fmt::Debug, const N: usize>(results: [T; N]) -> T {
    let mut results = results.into_iter();
    let first = results.next().unwrap();
    results.for_each(|other| assert_eq!(first, other));
    first
}

fn for_each_case<S: Copy + std::fmt::Display>(
    what: &str,
    sets: [S; 3],
    mut case: impl FnMut(S, &mut Repeatable),
) {
    let cases = cases();
    for at in 0..cases {
        case(sets[at % 3], &mut Repeatable::new(at as u64));
    }
    let [active, reference, third] = implementations().map(|backend| backend.name);
    say(&format!("{active}, {reference} and {third}, {what}: {cases} cases"));
}

const Q: u16 = 3329;

fn polynomials(set: ParameterSet) -> usize {
    (set.encapsulation_key_bytes() - 32) / 384
}

/// The bytes of the hint at a signature's end: ω + k (FIPS 204, Algorithm 20).
fn hint_bytes(set: SignatureAlgorithm) -> usize {
    match set.name() {
        "ML-DSA-44" => 80 + 4,
        "ML-DSA-65" => 55 + 6,
        _ => 75 + 8,
    }
}

/// The bytes of t0 at an expanded signing key's end: 13 bits a coefficient (FIPS 204, Algorithm 24).
fn t0_bytes(set: SignatureAlgorithm) -> usize {
    416 * match set.name() {
        "ML-DSA-44" => 4,
        "ML-DSA-65" => 6,
        _ => 8,
    }
}

fn random_length(rng: &mut Repeatable, bound: usize) -> Vec<u8> {
    let length = rng.below(bound);
    rng.bytes(length)
}

/// Random coefficients of 0 to `max`, encoded in 12 bits each (FIPS 203, Algorithm 5).
fn twelve_bit(rng: &mut Repeatable, polynomials: usize, max: u16) -> Vec<u8> {
    let mut bytes = vec![0; polynomials * 384];
    for at in 0..polynomials * 256 {
        set_coefficient(&mut bytes, at, rng.below(usize::from(max) + 1) as u16);
    }
    bytes
}

fn set_coefficient(bytes: &mut [u8], at: usize, value: u16) {
    let (low, high) = (at / 2 * 3, value.to_le_bytes());
    if at.is_multiple_of(2) {
        bytes[low] = high[0];
        bytes[low + 1] = bytes[low + 1] & 0xf0 | high[1];
    } else {
        bytes[low + 1] = bytes[low + 1] & 0x0f | high[0] << 4;
        bytes[low + 2] = (value >> 4) as u8;
    }
}

fn coefficients(bytes: &[u8]) -> Vec<u16> {
    let pairs = bytes.chunks(3).flat_map(|b| {
        let [a, b, c] = [b[0], b[1], b[2]].map(u16::from);
        [a | (b & 0x0f) << 8, b >> 4 | c << 4]
    });
    pairs.collect()
}
