//! A prepared key gives what the key gives that it comes from, by every way, and keeps its secrets.

use pqc_core::sign::{PreHash, PreHashAlgorithm};
use pqc_core::{
    AccountId, Ciphertext, Context, DecapsulationKey, Error, Field, Issuer, KemAlgorithm,
    Signature, SignatureAlgorithm, SigningKey, Timestamp, TrustedIssuers, UnverifiedKey,
    VerifiedEncapsulationKey,
};

use crate::support::{Repeatable, flipped};

#[test]
fn prepared_kem_keys_give_what_the_plain_ones_give() {
    let mut rng = Repeatable::new(1);
    for set in KemAlgorithm::ALL {
        for _ in 0..50 {
            let key = DecapsulationKey::generate(set, &mut rng).unwrap();
            let (public, seed) = (key.encapsulation_key(), rng.number());
            let prepared_public = public.prepare().unwrap();
            assert_eq!(prepared_public.algorithm(), set);
            let (ciphertext, sent) =
                public.encapsulate_unattested(&mut Repeatable::new(seed)).unwrap();
            let (by_prepared, sent_by_prepared) =
                prepared_public.encapsulate_unattested(&mut Repeatable::new(seed)).unwrap();
            assert_eq!(by_prepared, ciphertext);
            assert!(sent_by_prepared.ct_eq(&sent));

            let prepared = key.prepare().unwrap();
            assert_eq!(prepared.algorithm(), set);
            assert!(prepared.decapsulate(&ciphertext).unwrap().ct_eq(&sent));
            // Implicit rejection needs z and the hash, too.
            let bit = rng.below(set.ciphertext_bytes() * 8);
            let wrong = Ciphertext::from_bytes(&flipped(ciphertext.as_bytes(), bit)).unwrap();
            let rejected = key.decapsulate(&wrong).unwrap();
            assert!(prepared.decapsulate(&wrong).unwrap().ct_eq(&rejected));
            assert!(!rejected.ct_eq(&sent));
        }
    }
}

#[test]
fn a_prepared_verified_key_is_the_verified_one() {
    let rng = &mut Repeatable::new(5);
    let (account, now) = (AccountId::from_bytes([1; 16]), Timestamp::from_seconds(1));
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng).unwrap();
    for kem in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(kem, rng).unwrap();
        let public = key.encapsulation_key();
        let verified = VerifiedEncapsulationKey::verify(
            &UnverifiedKey::from_bytes(public.as_bytes()).unwrap(),
            &issuer.attest(account, public, now, None, rng).unwrap(),
            issuer.verifying_key(),
            &TrustedIssuers::new([issuer.verifying_key().clone()]),
            Some(account),
            now,
        );
        let prepared = verified.unwrap().prepare().unwrap();
        let (ciphertext, sent) = prepared.encapsulate(rng).unwrap();
        assert!(key.decapsulate(&ciphertext).unwrap().ct_eq(&sent));
    }
}

#[test]
fn a_prepared_key_refuses_a_ciphertext_of_another_set() {
    let rng = &mut Repeatable::new(2);
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng).unwrap().prepare().unwrap();
    let ciphertext = |set: KemAlgorithm| Ciphertext::from_bytes(&vec![0; set.ciphertext_bytes()]);
    assert!(key.decapsulate(&ciphertext(KemAlgorithm::MlKem768).unwrap()).is_ok());
    let refused = key.decapsulate(&ciphertext(KemAlgorithm::MlKem512).unwrap()).unwrap_err();
    let (expected, actual) = ("ML-KEM-768", "ML-KEM-512");
    assert_eq!(refused, Error::AlgorithmMismatch { field: Field::Ciphertext, expected, actual });
}

#[test]
#[cfg(feature = "hazmat")]
fn a_chosen_message_gives_what_a_generator_that_draws_it_gives() {
    let rng = &mut Repeatable::new(3);
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, rng).unwrap();
        let (public, seed) = (key.encapsulation_key(), rng.number());
        let length = if set == KemAlgorithm::XWing { 64 } else { 32 };
        let message = Repeatable::new(seed).bytes(length);
        let other = Repeatable::new(!seed).bytes(length);
        let drawn = public.encapsulate_unattested(&mut Repeatable::new(seed)).unwrap();
        let chosen = public.hazmat_encapsulate_deterministic(&message).unwrap();
        assert_eq!(chosen.0, drawn.0);
        assert!(chosen.1.ct_eq(&drawn.1));
        let prepared = public.prepare().unwrap();
        let by_prepared = prepared.hazmat_encapsulate_deterministic(&message).unwrap();
        assert_eq!(by_prepared.0, drawn.0);
        assert!(by_prepared.1.ct_eq(&drawn.1));
        assert_ne!(public.hazmat_encapsulate_deterministic(&other).unwrap().0, drawn.0);
        assert!(public.hazmat_encapsulate_deterministic(&message[1..]).is_err());
    }
}

#[test]
fn prepared_signing_keys_make_the_signatures_of_the_plain_ones() {
    let mut rng = Repeatable::new(4);
    for set in SignatureAlgorithm::ALL {
        for _ in 0..10 {
            let key = SigningKey::generate(set, &mut rng).unwrap();
            let (prepared, seed) = (key.prepare().unwrap(), rng.number());
            let public = prepared.verifying_key().prepare().unwrap();
            assert_eq!(public.verifying_key(), key.verifying_key());
            let message = rng.bytes(100);
            let mu = key.verifying_key().mu(&message, context());
            let digest = PreHash::of(PreHashAlgorithm::Sha512, &message);
            let rng = || Repeatable::new(seed);
            let pure = [
                key.sign(&message, context(), &mut rng()),
                key.sign_mu(&mu, &mut rng()),
                prepared.sign(&message, context(), &mut rng()),
                prepared.sign_mu(&mu, &mut rng()),
            ];
            let pure_deterministic = [
                key.sign_deterministic(&message, context()),
                key.sign_mu_deterministic(&mu),
                prepared.sign_deterministic(&message, context()),
                prepared.sign_mu_deterministic(&mu),
            ];
            let prehashed = [
                key.sign_prehash(&digest, context(), &mut rng()),
                prepared.sign_prehash(&digest, context(), &mut rng()),
            ];
            let prehashed_deterministic = [
                key.sign_prehash_deterministic(&digest, context()),
                prepared.sign_prehash_deterministic(&digest, context()),
            ];
            let [pure, pure_deterministic, prehashed, prehashed_deterministic] = [
                the_same(pure),
                the_same(pure_deterministic),
                the_same(prehashed),
                the_same(prehashed_deterministic),
            ];
            for signature in [&pure, &pure_deterministic] {
                assert!(public.verify(&message, context(), signature));
                assert!(public.verify_mu(&mu, signature));
                assert!(!public.verify_prehash(&digest, context(), signature));
            }
            for signature in [&prehashed, &prehashed_deterministic] {
                assert!(public.verify_prehash(&digest, context(), signature));
                assert!(!public.verify(&message, context(), signature));
                assert!(!public.verify_mu(&mu, signature));
            }
            assert_ne!(pure, pure_deterministic);
            assert_ne!(prehashed, prehashed_deterministic);
        }
    }
}

/// A signature of another parameter set is a wrong one, by every way, and no panic.
#[test]
fn a_prepared_key_refuses_a_signature_of_another_set() {
    let rng = &mut Repeatable::new(5);
    let keys = SignatureAlgorithm::ALL.map(|set| SigningKey::generate(set, rng).unwrap());
    for key in &keys {
        let public = key.verifying_key().prepare().unwrap();
        for other in &keys {
            let mu = key.verifying_key().mu(b"message", context());
            let digest = PreHash::of(PreHashAlgorithm::Shake256, b"message");
            let same = other.algorithm() == key.algorithm();
            let signature = other.sign_deterministic(b"message", context()).unwrap();
            assert_eq!(public.verify(b"message", context(), &signature), same);
            let signature = other.sign_mu_deterministic(&mu).unwrap();
            assert_eq!(public.verify_mu(&mu, &signature), same);
            let signature = other.sign_prehash_deterministic(&digest, context()).unwrap();
            assert_eq!(public.verify_prehash(&digest, context(), &signature), same);
        }
    }
}

fn context() -> Context<'static> {
    Context::new(b"context").unwrap()
}

fn the_same<const N: usize>(made: [Result<Signature, Error>; N]) -> Signature {
    let mut made = made.map(Result::unwrap).into_iter();
    let first = made.next().unwrap();
    assert!(made.all(|signature| signature == first));
    first
}
