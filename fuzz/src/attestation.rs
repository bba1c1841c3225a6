//! Bytes are an attestation that writes back the same, or none; and none that the issuer did not
//! make vouches for a key.

use std::sync::LazyLock;

use pqc_core::kem::ParameterSet;
use pqc_core::{
    Attestation, DecapsulationKey, Secret, SignatureAlgorithm, SigningKey, Timestamp,
    TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey, VerifyingKey,
};

use crate::decode;

struct Fixture {
    key: UnverifiedKey,
    issuers: [VerifyingKey; 3],
    trusted: TrustedIssuers,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from([7; 64]));
    let issuers = SignatureAlgorithm::ALL
        .map(|set| SigningKey::from_seed(set, Secret::from([7; 32])).verifying_key().clone());
    Fixture {
        key: UnverifiedKey::from_bytes(key.encapsulation_key().as_bytes()).unwrap(),
        trusted: TrustedIssuers::new(issuers.clone()),
        issuers,
    }
});

// The signature's length is chosen first: the fuzzer need not find 2453 bytes by itself.
/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: (u8, &[u8])) {
    let (choice, bytes) = input;
    let mut bytes = bytes.to_vec();
    if let Some(set) = SignatureAlgorithm::ALL.get(usize::from(choice)) {
        bytes.resize(Attestation::bytes(*set), choice);
    }
    let Ok(read) = Attestation::from_bytes(&bytes) else { return };
    assert_eq!(read.to_bytes(), bytes);
    let fixture = &*FIXTURE;
    let now = Timestamp::from_seconds(1);
    for issuer in &fixture.issuers {
        let verified = VerifiedEncapsulationKey::verify(
            &fixture.key,
            &read,
            issuer,
            &fixture.trusted,
            None,
            now,
        );
        assert!(verified.is_err());
    }
}
