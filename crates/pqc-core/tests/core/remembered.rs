//! What was verified once is known again byte by byte, and what may have changed is checked as the
//! first time.

use std::sync::OnceLock;

use pqc_core::attest::RememberedAttestation;
use pqc_core::{
    AccountId, Attestation, DecapsulationKey, Error, Issuer, KemAlgorithm, SignatureAlgorithm,
    Timestamp, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey, VerifyingKey,
};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::support::{Repeatable, flipped};

const ALICE: AccountId = AccountId::from_bytes([0xa1; 16]);
const BOB: AccountId = AccountId::from_bytes([0xb0; 16]);

/// A key that one of two issuers attested for Alice at second 100, until second 200 or for ever.
struct Attested {
    receiver: DecapsulationKey,
    key: UnverifiedKey,
    until_200: Attestation,
    for_ever: Attestation,
    issuer: VerifyingKey,
    other: VerifyingKey,
}

fn attested() -> &'static Attested {
    static ATTESTED: OnceLock<Attested> = OnceLock::new();
    ATTESTED.get_or_init(|| {
        let mut rng = Repeatable::new(1);
        let [issuer, other] =
            [(); 2].map(|()| Issuer::generate(SignatureAlgorithm::MlDsa44, &mut rng).unwrap());
        let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem512, &mut rng).unwrap();
        let public = receiver.encapsulation_key();
        let mut attest = |end| issuer.attest(ALICE, public, at(100), end, &mut rng).unwrap();
        Attested {
            until_200: attest(Some(at(200))),
            for_ever: attest(None),
            key: UnverifiedKey::from_bytes(public.as_bytes()).unwrap(),
            receiver,
            issuer: issuer.verifying_key().clone(),
            other: other.verifying_key().clone(),
        }
    })
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_seconds(second)
}

fn remembered(attestation: &Attestation) -> RememberedAttestation {
    let Attested { key, issuer, .. } = attested();
    let trusted = TrustedIssuers::new([issuer.clone()]);
    RememberedAttestation::verify(key, attestation, issuer, &trusted, Some(ALICE), at(150)).unwrap()
}

proptest! {
    #[test]
    fn it_is_refused_again_exactly_as_it_would_be_at_first(
        ends: bool,
        trusted in prop_oneof![
            4 => subsequence(vec![0, 1], 0..=2).prop_map(Some),
            1 => Just(None),
        ],
        expected in select(vec![None, Some(ALICE), Some(BOB)]),
        now in prop_oneof![0..400_u64, 199..202_u64],
    ) {
        let Attested { receiver, key, until_200, for_ever, issuer, other } = attested();
        let attestation = if ends { until_200 } else { for_ever };
        let trusted = match trusted {
            Some(indexes) => TrustedIssuers::new(indexes.iter().map(|i| [issuer, other][*i].clone())),
            None => TrustedIssuers::dangerously_any(),
        };
        let verify = VerifiedEncapsulationKey::verify;
        let first = verify(key, attestation, issuer, &trusted, expected, at(now));
        let known = remembered(attestation);
        match (first, known.verify_again(&trusted, expected, at(now))) {
            (Err(first), Err(again)) => prop_assert_eq!(first, again),
            (Ok(first), Ok(again)) => {
                prop_assert_eq!(first.account(), known.account());
                let (ciphertext, sent) = again.encapsulate(&mut Repeatable::new(now)).unwrap();
                prop_assert!(receiver.decapsulate(&ciphertext).unwrap().ct_eq(&sent));
            }
            (first, again) => prop_assert!(false, "{first:?} and {again:?}"),
        }
    }
}

#[test]
fn it_is_of_what_was_verified_and_of_nothing_that_differs_in_a_byte() {
    let Attested { receiver, key, until_200, for_ever, issuer, other } = attested();
    let known = remembered(until_200);
    assert!(known.is_of(key, until_200, issuer));
    assert!(!known.is_of(key, for_ever, issuer));
    assert!(!known.is_of(key, until_200, other));
    let bytes = receiver.encapsulation_key().as_bytes();
    for index in 0..bytes.len() {
        let altered = UnverifiedKey::from_bytes(&flipped(bytes, index * 8 + index % 8)).unwrap();
        assert!(!known.is_of(&altered, until_200, issuer), "byte {index} of the key");
    }
    let bytes = until_200.to_bytes();
    // The first byte is the format's version, of which there is one.
    for index in 1..bytes.len() {
        let altered = Attestation::from_bytes(&flipped(&bytes, index * 8 + index % 8)).unwrap();
        assert!(!known.is_of(key, &altered, issuer), "byte {index} of the attestation");
    }
    for index in 0..issuer.as_bytes().len() {
        let altered = flipped(issuer.as_bytes(), index * 8 + index % 8);
        let altered = VerifyingKey::from_bytes(&altered).unwrap();
        assert!(!known.is_of(key, until_200, &altered), "byte {index} of the issuer");
    }
}

#[test]
fn what_would_not_be_verified_is_not_remembered() {
    let Attested { key, until_200, issuer, other, .. } = attested();
    let both = TrustedIssuers::new([issuer.clone(), other.clone()]);
    let remember = |issuer, expected, now| {
        RememberedAttestation::verify(key, until_200, issuer, &both, expected, at(now)).map(|_| ())
    };
    assert_eq!(remember(issuer, Some(ALICE), 199), Ok(()));
    assert_eq!(remember(other, Some(ALICE), 199), Err(Error::AttestationSignature));
    assert_eq!(remember(issuer, Some(BOB), 199), Err(Error::AttestationAccount));
    assert_eq!(remember(issuer, Some(ALICE), 200), Err(Error::AttestationExpired));
}

#[test]
fn what_it_takes_of_memory_is_no_less_than_its_parts() {
    let known = remembered(&attested().until_200);
    let parts = 800 + Attestation::bytes(SignatureAlgorithm::MlDsa44) + 1312;
    let prepared = attested().receiver.encapsulation_key().prepare().unwrap().memory_bytes();
    assert!(prepared >= 800, "{prepared}");
    let decapsulating = attested().receiver.prepare().unwrap().memory_bytes();
    assert!(decapsulating >= 1632, "{decapsulating}");
    let bytes = known.memory_bytes();
    assert!((parts + prepared..parts + prepared + 1000).contains(&bytes), "{bytes}");
}
