//! Both backends and AWS-LC (C and assembly) open, verify and refuse what the others made. Without
//! the feature `libcrux` the backends are one.
//!
//! AWS-LC draws its own randomness and has no context strings: so ciphertexts and signatures are
//! exchanged, while keys, secrets and verdicts are compared.

use aws_lc_rs::kem::{self, ML_KEM_512, ML_KEM_768, ML_KEM_1024};
use aws_lc_rs::signature::{
    KeyPair, ML_DSA_44, ML_DSA_44_SIGNING, ML_DSA_65, ML_DSA_65_SIGNING, ML_DSA_87,
    ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm, PqdsaVerificationAlgorithm,
    UnparsedPublicKey,
};
use pqc_core::kem::ParameterSet;
use pqc_core::{
    Ciphertext, DecapsulationKey, EncapsulationKey, Secret, Signature, SignatureAlgorithm,
    SigningKey, VerifyingKey,
};

use crate::backends::{both_backends, cases};
use crate::support::{Repeatable, flipped, say};

#[test]
fn ml_kem_secrets_are_the_same_both_ways() {
    let counts = for_each_case(ParameterSet::ALL, |set, rng, count| {
        let theirs = aws_kem(set);
        let seed = rng.array();
        let [(public, expanded), (same_public, same_expanded)] =
            both_backends().map(|backend| (backend.kem_key_pair)(set, &Secret::from(seed)));
        let expanded = expanded.expose_bytes();
        assert_eq!((&public, expanded), (&same_public, same_expanded.expose_bytes()));
        let their_key = kem::DecapsulationKey::new(theirs, expanded).unwrap();
        let decapsulates = |ciphertext: &[u8]| {
            let secret = their_key.decapsulate(ciphertext.into()).unwrap();
            for backend in both_backends() {
                let ours = (backend.decapsulate)(set, expanded, ciphertext).unwrap();
                assert_eq!(secret.as_ref(), ours.expose_bytes(), "{}", backend.name);
            }
            secret.as_ref().to_vec()
        };

        let message = rng.array();
        let [(ciphertext, sent), (same, same_sent)] = both_backends()
            .map(|backend| (backend.encapsulate)(set, &public, &Secret::from(message)).unwrap());
        assert_eq!((&ciphertext, sent.expose_bytes()), (&same, same_sent.expose_bytes()));
        assert_eq!(decapsulates(&ciphertext), sent.expose_bytes());
        count("ours decapsulated");

        let their_public = kem::EncapsulationKey::new(theirs, &public).unwrap();
        let (made, their_secret) = their_public.encapsulate().unwrap();
        assert_eq!(decapsulates(made.as_ref()), their_secret.as_ref());
        count("theirs decapsulated");

        let altered = flipped(&ciphertext, rng.below(ciphertext.len() * 8));
        let rejected = [decapsulates(&altered), decapsulates(&rng.bytes(ciphertext.len()))];
        assert!(!rejected.contains(&sent.expose_bytes().to_vec()));
        count("implicitly rejected");

        let wrong = [&ciphertext[1..], &[&ciphertext[..], b"."].concat()];
        for wrong in wrong {
            assert!(Ciphertext::from_bytes(wrong).is_err());
            assert!(their_key.decapsulate(wrong.into()).is_err());
        }
        count("lengths refused");
    });
    report("ML-KEM", &counts);
}

#[test]
fn ml_kem_keys_are_judged_alike() {
    let counts = for_each_case(ParameterSet::ALL, |set, rng, count| {
        let theirs = aws_kem(set);
        let key = DecapsulationKey::from_seed(set, Secret::from(rng.array()));
        let public = key.encapsulation_key().as_bytes();

        // One coefficient of 12 bits becomes q or more, or stays below.
        let mut altered = public.to_vec();
        let at = rng.below((public.len() - 32) / 3) * 3;
        let coefficient = 3329 - 2 + rng.below(4) as u16;
        altered[at] = coefficient as u8;
        altered[at + 1] = altered[at + 1] & 0xf0 | (coefficient >> 8) as u8;
        let reduced = coefficient < 3329;
        assert_eq!(EncapsulationKey::from_bytes(&altered).is_ok(), reduced);
        for backend in both_backends() {
            let taken = (backend.encapsulation_key_is_reduced)(set, &altered);
            assert_eq!(taken, reduced, "{}: {set}, {coefficient}", backend.name);
        }
        let encapsulated =
            kem::EncapsulationKey::new(theirs, &altered).is_ok_and(|key| key.encapsulate().is_ok());
        assert_eq!(encapsulated, reduced, "{set}, {coefficient}");
        count(if reduced { "reduced key taken" } else { "unreduced key refused" });

        // A flipped bit in the embedded key or in its hash.
        let expanded = key.expose_expanded().unwrap().expose_bytes();
        let start = public.len() - 32;
        let bit = start * 8 + rng.below((public.len() + 32) * 8);
        let altered = flipped(expanded, bit);
        assert!(DecapsulationKey::from_expanded(&altered).is_err());
        let (ciphertext, _) = key.encapsulation_key().encapsulate_unattested(rng).unwrap();
        let decapsulated = kem::DecapsulationKey::new(theirs, &altered)
            .is_ok_and(|key| key.decapsulate(ciphertext.as_bytes().into()).is_ok());
        assert!(!decapsulated, "{set}: AWS-LC took a key whose hash is wrong");
        count("wrong hash refused");

        for wrong in [&public[1..], &[public, b"."].concat()] {
            assert!(EncapsulationKey::from_bytes(wrong).is_err());
            assert!(kem::EncapsulationKey::new(theirs, wrong).is_err());
        }
        for wrong in [&expanded[1..], &[expanded, b"."].concat()] {
            assert!(DecapsulationKey::from_expanded(wrong).is_err());
            assert!(kem::DecapsulationKey::new(theirs, wrong).is_err());
        }
        count("lengths refused");

        let generated = kem::DecapsulationKey::generate(theirs).unwrap();
        let read = DecapsulationKey::from_expanded(generated.key_bytes().unwrap().as_ref());
        let their_public = generated.encapsulation_key().unwrap();
        let read = read.unwrap();
        assert_eq!(read.encapsulation_key().as_bytes(), their_public.key_bytes().unwrap().as_ref());
        let (made, secret) = their_public.encapsulate().unwrap();
        let read = read.expose_expanded().unwrap().expose_bytes();
        for backend in both_backends() {
            let ours = (backend.decapsulate)(set, read, made.as_ref()).unwrap();
            assert_eq!(ours.expose_bytes(), secret.as_ref(), "{}", backend.name);
        }
        count("their key used");
    });
    report("ML-KEM keys", &counts);
}

#[test]
fn ml_dsa_keys_are_the_same_and_signatures_judged_alike() {
    let counts = for_each_case(SignatureAlgorithm::ALL, |set, rng, count| {
        let (signing, verifying) = aws_dsa(set);
        let seed = rng.array();
        let theirs = PqdsaKeyPair::from_seed(signing, &seed).unwrap();
        let [(public, expanded), (same_public, same_expanded)] =
            both_backends().map(|backend| (backend.signing_key_pair)(set, &Secret::from(seed)));
        let (public, expanded) = (&public[..], expanded.expose_bytes());
        assert_eq!((public, expanded), (&same_public[..], same_expanded.expose_bytes()));
        assert_eq!(theirs.public_key().as_ref(), public);
        let read = PqdsaKeyPair::from_raw_private_key(signing, expanded).unwrap();
        assert_eq!(read.public_key().as_ref(), public);
        count("same key");

        let length = rng.below(2000);
        let message = rng.bytes(length);
        let verdict = |public: &[u8], message: &[u8], signature: &[u8]| {
            let theirs = UnparsedPublicKey::new(verifying, public).verify(message, signature);
            // Of other lengths, which the backends leave to the types above them, nothing verifies.
            let of_lengths = Signature::from_bytes(signature).is_ok()
                && VerifyingKey::from_bytes(public).is_ok();
            for backend in both_backends() {
                let ours = of_lengths && (backend.verify)(set, public, message, b"", signature);
                assert_eq!(theirs.is_ok(), ours, "{}", backend.name);
            }
            theirs.is_ok()
        };
        let hedge = rng.array();
        let [ours, same] = both_backends().map(|backend| {
            (backend.sign)(set, expanded, &message, b"", &Secret::from(hedge)).unwrap()
        });
        assert_eq!(ours, same);
        let mut made = vec![0; signing.signature_len()];
        theirs.sign(&message, &mut made).unwrap();
        for signature in [&ours, &made] {
            assert!(verdict(public, &message, signature));
        }
        count("verified both ways");

        let random = rng.bytes(made.len());
        for wrong in [
            &flipped(&made, rng.below(made.len() * 8))[..],
            &flipped(&made, (made.len() - 1 - rng.below(60)) * 8 + rng.below(8)),
            &made[1..],
            &[&made[..], b"."].concat(),
            &random,
        ] {
            assert!(!verdict(public, &message, wrong));
        }
        count("wrong signatures refused");

        let wrong_key = flipped(public, rng.below(public.len() * 8));
        assert!(!verdict(&wrong_key, &message, &made));
        assert!(!verdict(public, &[&message[..], b"."].concat(), &made));
        for wrong in [&public[1..], &[public, b"."].concat()] {
            assert!(!verdict(wrong, &message, &made));
        }
        for wrong in [&expanded[1..], &[expanded, b"."].concat()] {
            assert!(SigningKey::from_expanded(wrong).is_err());
            assert!(PqdsaKeyPair::from_raw_private_key(signing, wrong).is_err());
        }
        count("wrong keys and messages refused");
    });
    report("ML-DSA", &counts);
}

type Counts = std::collections::BTreeMap<&'static str, usize>;

fn for_each_case<S: Copy>(
    sets: [S; 3],
    mut case: impl FnMut(S, &mut Repeatable, &mut dyn FnMut(&'static str)),
) -> Counts {
    let mut counts = Counts::new();
    for at in 0..cases() {
        let mut count = |what| *counts.entry(what).or_default() += 1;
        case(sets[at % 3], &mut Repeatable::new(at as u64), &mut count);
    }
    counts
}

/// Asserts that no kind of case was left out, and says how many there were.
fn report(what: &str, counts: &Counts) {
    let (split, whole): (Vec<_>, Vec<_>) =
        counts.iter().partition(|(kind, _)| kind.contains("reduced key"));
    assert!(whole.iter().all(|(_, count)| **count == cases()), "{counts:?}");
    assert!(split.is_empty() || split.iter().map(|(_, count)| **count).sum::<usize>() == cases());
    say(&format!("AWS-LC, {what}: {counts:?}"));
}

fn aws_kem(set: ParameterSet) -> &'static kem::Algorithm {
    match set.name() {
        "ML-KEM-512" => &ML_KEM_512,
        "ML-KEM-768" => &ML_KEM_768,
        _ => &ML_KEM_1024,
    }
}

fn aws_dsa(
    set: SignatureAlgorithm,
) -> (&'static PqdsaSigningAlgorithm, &'static PqdsaVerificationAlgorithm) {
    match set.name() {
        "ML-DSA-44" => (&ML_DSA_44_SIGNING, &ML_DSA_44),
        "ML-DSA-65" => (&ML_DSA_65_SIGNING, &ML_DSA_65),
        _ => (&ML_DSA_87_SIGNING, &ML_DSA_87),
    }
}
