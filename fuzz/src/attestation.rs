//! Bytes are an attestation that writes back the same, or none; and none that the issuer did not
//! make vouches for a key, nor does a genuine one for another key.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::kem::ParameterSet;
use pqc_core::{
    AccountId, Attestation, DecapsulationKey, Issuer, Secret, SignatureAlgorithm, Timestamp,
    TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey,
};

use crate::{Constant, Edit, decode, edited};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any bytes; of the length that a small choice names: the fuzzer need not find 2453 by itself.
    Any { choice: u8, bytes: &'a [u8] },
    /// A genuine attestation after some edits.
    Edited { issuer: u8, edits: Vec<Edit<'a>> },
    /// A genuine attestation, and the key after some edits.
    OfEditedKey { issuer: u8, edits: Vec<Edit<'a>> },
}

struct Fixture {
    key: Vec<u8>,
    /// Each with its attestation of the key, which is good for a day.
    issuers: [(Issuer, Vec<u8>); 3],
    trusted: TrustedIssuers,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from([7; 64]));
    let key = key.encapsulation_key();
    let issuers = SignatureAlgorithm::ALL.map(|set| {
        let rng = &mut Constant(7);
        let issuer = Issuer::generate(set, rng).unwrap();
        let (account, end) = (AccountId::from_bytes([7; 16]), NOW.plus_seconds(86_400));
        let genuine = issuer.attest(account, key, NOW, Some(end), rng).unwrap().to_bytes();
        (issuer, genuine)
    });
    let trusted = issuers.each_ref().map(|(issuer, _)| issuer.verifying_key().clone());
    Fixture { key: key.as_bytes().to_vec(), issuers, trusted: TrustedIssuers::new(trusted) }
});
const NOW: Timestamp = Timestamp::from_seconds(1);

/// Makes the genuine attestations, before an input's time counts.
pub fn prepare() {
    LazyLock::force(&FIXTURE);
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: Input<'_>) {
    let fixture = &*FIXTURE;
    let genuine = |issuer: u8| &fixture.issuers[usize::from(issuer % 3)].1;
    match input {
        Input::Any { choice, bytes } => {
            let mut bytes = bytes.to_vec();
            if let Some(set) = SignatureAlgorithm::ALL.get(usize::from(choice)) {
                bytes.resize(Attestation::bytes(*set), choice);
            }
            verify(&fixture.key, &bytes);
        }
        Input::Edited { issuer, edits } => verify(&fixture.key, &edited(genuine(issuer), &edits)),
        Input::OfEditedKey { issuer, edits } => {
            verify(&edited(&fixture.key, &edits), genuine(issuer));
        }
    }
}

/// Only what the issuer made verifies, and that does.
fn verify(key: &[u8], bytes: &[u8]) {
    let Ok(read) = Attestation::from_bytes(bytes) else { return };
    assert_eq!(read.to_bytes(), bytes);
    let Ok(unverified) = UnverifiedKey::from_bytes(key) else { return };
    let fixture = &*FIXTURE;
    for (issuer, genuine) in &fixture.issuers {
        let verified = VerifiedEncapsulationKey::verify(
            &unverified,
            &read,
            issuer.verifying_key(),
            &fixture.trusted,
            None,
            NOW,
        );
        assert_eq!(verified.is_ok(), key == fixture.key && bytes == genuine);
    }
}
