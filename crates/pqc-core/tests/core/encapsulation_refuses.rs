//! The one door to an encapsulation: each refusal beside the twin that passes, and the order.
//!
//! Statements are also built here by hand, from `docs/formats.md`: so the bytes that are signed are
//! checked apart from the code that signs them, and a key that no honest issuer would sign can be
//! signed.

use pqc_core::{
    AccountId, Attestation, Context, DecapsulationKey, EncapsulationKey, Error, Issuer,
    KemAlgorithm, SignatureAlgorithm, SigningKey, Timestamp, TrustedIssuers, UnverifiedKey,
    VerifiedEncapsulationKey, VerifyingKey,
};

use crate::support::{Repeatable, flipped};

const ALICE: AccountId = AccountId::from_bytes([0xa1; 16]);
const BOB: AccountId = AccountId::from_bytes([0xb0; 16]);
const SET: KemAlgorithm = KemAlgorithm::MlKem768;
const CONTEXT: &[u8] = b"pqc/v1/attestation";

/// Everything that a verification is given. Made right; a test spoils one thing.
#[derive(Clone)]
struct Call {
    key: Vec<u8>,
    attestation: Vec<u8>,
    issuer: VerifyingKey,
    trusted: TrustedIssuers,
    expected: Option<AccountId>,
    now: Timestamp,
}

impl Call {
    fn result(&self) -> Result<VerifiedEncapsulationKey, Error> {
        VerifiedEncapsulationKey::verify(
            &UnverifiedKey::from_bytes(&self.key)?,
            &Attestation::from_bytes(&self.attestation)?,
            &self.issuer,
            &self.trusted,
            self.expected,
            self.now,
        )
    }

    #[track_caller]
    fn passes(&self) {
        self.result().unwrap();
    }

    #[track_caller]
    fn is_refused_with(&self, error: Error) {
        assert_eq!(self.result().unwrap_err(), error);
    }
}

/// An honest call: a key attested for Alice at second 100, good until second 200; now is 150.
fn honest() -> Call {
    let mut rng = Repeatable::new(1);
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, &mut rng).unwrap();
    let key = DecapsulationKey::generate(SET, &mut rng).unwrap();
    let attestation =
        issuer.attest(ALICE, key.encapsulation_key(), at(100), Some(at(200)), &mut rng).unwrap();
    Call {
        key: key.encapsulation_key().as_bytes().to_vec(),
        attestation: attestation.to_bytes(),
        issuer: issuer.verifying_key().clone(),
        trusted: TrustedIssuers::new([issuer.verifying_key().clone()]),
        expected: Some(ALICE),
        now: at(150),
    }
}

/// What is signed, by hand, and how.
struct Statement<'a> {
    version: u8,
    account: AccountId,
    times: [u64; 2],
    name: &'a str,
    key: &'a [u8],
    context: &'a [u8],
}

impl Statement<'_> {
    fn head(&self) -> Vec<u8> {
        let [issued, expires] = self.times.map(u64::to_be_bytes);
        [&[self.version], self.account.as_bytes().as_slice(), &issued, &expires].concat()
    }

    fn sign(&self, issuer: &SigningKey) -> Call {
        let mut signed = self.head();
        signed.push(self.name.len() as u8);
        signed.extend_from_slice(self.name.as_bytes());
        signed.extend_from_slice(&(self.key.len() as u32).to_be_bytes());
        signed.extend_from_slice(self.key);
        let context = Context::new(self.context).unwrap();
        let signature = issuer.sign(&signed, context, &mut Repeatable::new(2)).unwrap();
        Call {
            key: self.key.to_vec(),
            attestation: [self.head().as_slice(), signature.as_bytes()].concat(),
            issuer: issuer.verifying_key().clone(),
            trusted: TrustedIssuers::new([issuer.verifying_key().clone()]),
            expected: Some(ALICE),
            now: at(150),
        }
    }
}

fn statement(key: &[u8]) -> Statement<'_> {
    Statement {
        version: 1,
        account: ALICE,
        times: [100, 200],
        name: "ML-KEM-768",
        key,
        context: CONTEXT,
    }
}

#[test]
fn a_key_with_its_attestation_is_accepted_for_every_pair_of_sets() {
    let mut rng = Repeatable::new(3);
    for issuer in SignatureAlgorithm::ALL {
        let issuer = Issuer::generate(issuer, &mut rng).unwrap();
        for set in KemAlgorithm::ALL {
            let secret = DecapsulationKey::generate(set, &mut rng).unwrap();
            let key = secret.encapsulation_key();
            let attestation = issuer.attest(ALICE, key, at(100), None, &mut rng).unwrap();
            let call = Call {
                key: key.as_bytes().to_vec(),
                attestation: attestation.to_bytes(),
                issuer: issuer.verifying_key().clone(),
                trusted: TrustedIssuers::new([issuer.verifying_key().clone()]),
                ..honest()
            };
            assert_eq!(
                call.attestation.len(),
                Attestation::bytes(issuer.verifying_key().algorithm())
            );
            let verified = call.result().unwrap();
            assert_eq!(verified.account(), ALICE);
            assert_eq!(verified.key(), key);
            let (ciphertext, sent) = verified.encapsulate(&mut rng).unwrap();
            assert!(secret.decapsulate(&ciphertext).unwrap().ct_eq(&sent));
        }
    }
}

#[test]
fn an_issuer_that_is_not_trusted_is_refused() {
    let call = honest();
    let stranger = signing_key(9).verifying_key().clone();
    let trusting = |trusted| Call { trusted, ..call.clone() };
    trusting(TrustedIssuers::new([])).is_refused_with(Error::UntrustedIssuer);
    trusting(TrustedIssuers::new([stranger.clone()])).is_refused_with(Error::UntrustedIssuer);
    trusting(TrustedIssuers::new([stranger, call.issuer.clone()])).passes();
    trusting(TrustedIssuers::dangerously_any()).passes();
}

#[test]
fn a_trusted_issuer_that_did_not_sign_is_refused() {
    let call = honest();
    let other = signing_key(9).verifying_key().clone();
    let trusted = TrustedIssuers::new([call.issuer.clone(), other.clone()]);
    Call { trusted: trusted.clone(), ..call.clone() }.passes();
    Call { trusted, issuer: other, ..call }.is_refused_with(Error::AttestationSignature);
}

#[test]
fn trusting_anyone_still_asks_for_the_signature() {
    let call = Call { trusted: TrustedIssuers::dangerously_any(), ..honest() };
    call.passes();
    let issuer = signing_key(9).verifying_key().clone();
    Call { issuer, ..call }.is_refused_with(Error::AttestationSignature);
}

#[test]
fn another_key_under_the_same_attestation_is_refused() {
    let call = honest();
    let mut rng = Repeatable::new(4);
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, &mut rng).unwrap();
        let key = key.encapsulation_key().as_bytes().to_vec();
        Call { key, ..call.clone() }.is_refused_with(Error::AttestationSignature);
    }
    for byte in 0..call.key.len() {
        let key = flipped(&call.key, byte * 8 + byte % 8);
        Call { key, ..call.clone() }.is_refused_with(Error::AttestationSignature);
    }
    call.passes();
}

#[test]
fn a_flipped_bit_anywhere_in_the_attestation_is_refused() {
    let call = honest();
    let unknown = Error::UnknownFormat { field: pqc_core::Field::Attestation };
    for bit in 0..8 {
        let attestation = flipped(&call.attestation, bit);
        Call { attestation, ..call.clone() }.is_refused_with(unknown.clone());
    }
    // Every bit of the head; of the signature one in each byte.
    let signature = (33..call.attestation.len()).map(|byte| byte * 8 + byte % 8);
    for bit in (8..33 * 8).chain(signature) {
        let attestation = flipped(&call.attestation, bit);
        Call { attestation, ..call.clone() }.is_refused_with(Error::AttestationSignature);
    }
    call.passes();
}

#[test]
fn a_head_swapped_for_that_of_another_valid_attestation_is_refused() {
    let mut rng = Repeatable::new(1);
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, &mut rng).unwrap();
    let call = honest();
    assert_eq!(*issuer.verifying_key(), call.issuer);
    let key = EncapsulationKey::from_bytes(&call.key).unwrap();
    let for_bob = issuer.attest(BOB, &key, at(100), Some(at(200)), &mut rng).unwrap().to_bytes();
    let for_bob = Call { attestation: for_bob, expected: Some(BOB), ..call.clone() };
    for_bob.passes();
    let swapped = [&for_bob.attestation[..33], &call.attestation[33..]].concat();
    Call { attestation: swapped, ..for_bob }.is_refused_with(Error::AttestationSignature);
}

#[test]
fn the_signed_statement_is_the_documented_one_and_no_other() {
    let (issuer, key) = (signing_key(5), honest().key);
    let right = || statement(&key);
    right().sign(&issuer).passes();
    let contexts: [&[u8]; 3] = [b"", b"pqc/v1/attestatioN", b"pqc/v1/audit"];
    for context in contexts {
        let call = Statement { context, ..right() }.sign(&issuer);
        call.is_refused_with(Error::AttestationSignature);
    }
    for name in ["ML-KEM-512", "ML-KEM-1024", "ml-kem-768", "X-Wing", ""] {
        let call = Statement { name, ..right() }.sign(&issuer);
        call.is_refused_with(Error::AttestationSignature);
    }
    let unknown = Error::UnknownFormat { field: pqc_core::Field::Attestation };
    for version in [0, 2] {
        Statement { version, ..right() }.sign(&issuer).is_refused_with(unknown.clone());
    }
}

#[test]
fn another_account_than_the_expected_one_is_refused() {
    let call = honest();
    call.passes();
    Call { expected: Some(BOB), ..call.clone() }.is_refused_with(Error::AttestationAccount);
    let unasked = Call { expected: None, ..call }.result().unwrap();
    assert_eq!(unasked.account(), ALICE);
}

#[test]
fn an_attestation_ends_with_its_last_second() {
    let call = honest();
    let at = |now| Call { now, ..call.clone() };
    at(Timestamp::from_millis(199_999)).passes();
    at(Timestamp::from_millis(200_000)).is_refused_with(Error::AttestationExpired);
    at(Timestamp::from_millis(u64::MAX)).is_refused_with(Error::AttestationExpired);
}

#[test]
fn an_attestation_without_an_end_never_expires_and_an_early_end_is_not_none() {
    let mut rng = Repeatable::new(6);
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, &mut rng).unwrap();
    let call = Call {
        issuer: issuer.verifying_key().clone(),
        trusted: TrustedIssuers::new([issuer.verifying_key().clone()]),
        now: Timestamp::from_millis(u64::MAX),
        ..honest()
    };
    let key = EncapsulationKey::from_bytes(&call.key).unwrap();
    let mut until = |end| {
        let attestation = issuer.attest(ALICE, &key, at(0), end, &mut rng).unwrap().to_bytes();
        Call { attestation, ..call.clone() }
    };
    until(None).passes();
    // Less than a second after the epoch is 0 in whole seconds, which would read as "none".
    until(Some(Timestamp::from_millis(999))).is_refused_with(Error::AttestationExpired);
    until(Some(Timestamp::from_millis(u64::MAX))).is_refused_with(Error::AttestationExpired);
}

#[test]
fn an_unreduced_key_is_refused_though_it_is_rightly_signed() {
    let (issuer, key) = (signing_key(5), honest().key);
    statement(&key).sign(&issuer).passes();
    // The first coefficient: q − 1 is the greatest that passes.
    let with_first = |coefficient: u16| {
        let mut key = key.clone();
        key[0] = coefficient as u8;
        key[1] = key[1] & 0xf0 | (coefficient >> 8) as u8;
        key
    };
    statement(&with_first(3328)).sign(&issuer).passes();
    for coefficient in [3329, 4095] {
        let key = with_first(coefficient);
        statement(&key).sign(&issuer).is_refused_with(Error::EncapsulationKeyModulus);
    }
}

/// All five are wrong; each step rights the first of them, and the next one is named.
#[test]
fn the_checks_come_in_their_order() {
    let issuer = signing_key(5);
    let mut key = honest().key;
    (key[0], key[1]) = (0xff, 0xff);
    let right = statement(&key).sign(&issuer);
    let mut call = Call {
        attestation: flipped(&right.attestation, 40 * 8),
        trusted: TrustedIssuers::new([]),
        expected: Some(BOB),
        now: at(200),
        ..right.clone()
    };
    call.is_refused_with(Error::UntrustedIssuer);
    call.trusted = right.trusted;
    call.is_refused_with(Error::AttestationSignature);
    call.attestation = right.attestation;
    call.is_refused_with(Error::AttestationAccount);
    call.expected = Some(ALICE);
    call.is_refused_with(Error::AttestationExpired);
    call.now = at(199);
    call.is_refused_with(Error::EncapsulationKeyModulus);
    statement(&honest().key).sign(&issuer).passes();
}

#[test]
fn wrong_lengths_are_refused_before_anything_else() {
    let call = honest();
    let is_length = |call: Call| matches!(call.result(), Err(Error::Length { .. }));
    for key in [&call.key[1..], &[call.key.as_slice(), &[0]].concat(), &[]] {
        assert!(is_length(Call { key: key.to_vec(), ..call.clone() }));
    }
    let attestation = call.attestation.as_slice();
    for attestation in [&attestation[1..], &[attestation, &[0]].concat(), &attestation[..33], &[]] {
        assert!(is_length(Call { attestation: attestation.to_vec(), ..call.clone() }));
    }
    call.passes();
}

fn signing_key(seed: u64) -> SigningKey {
    SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut Repeatable::new(seed)).unwrap()
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_seconds(second)
}
