//! The issuer's statement over an ML-KEM-768 key, by an issuer of the default set.

use pqc_core::{
    AccountId, DecapsulationKey, Issuer, KemAlgorithm, SignatureAlgorithm, Timestamp,
    TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey,
};

use crate::case::Case;
use crate::seeded::Seeded;

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const NOW: Timestamp = Timestamp::from_seconds(1);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        // Signed with randomness: a mean over many.
        Case::new("attest/issue", 40, || {
            let (issuer, key, mut rng) = issuer_and_key();
            move || issuer.attest(ACCOUNT, key.encapsulation_key(), NOW, None, &mut rng).unwrap()
        }),
        Case::new("attest/verify", 10, || {
            let (issuer, key, mut rng) = issuer_and_key();
            let key = key.encapsulation_key();
            let attestation = issuer.attest(ACCOUNT, key, NOW, None, &mut rng).unwrap();
            let key = UnverifiedKey::from_bytes(key.as_bytes()).unwrap();
            let issuer = issuer.verifying_key().clone();
            let trusted = TrustedIssuers::new([issuer.clone()]);
            let account = Some(ACCOUNT);
            move || {
                VerifiedEncapsulationKey::verify(
                    &key,
                    &attestation,
                    &issuer,
                    &trusted,
                    account,
                    NOW,
                )
                .unwrap()
            }
        }),
    ]
}

fn issuer_and_key() -> (Issuer, DecapsulationKey, Seeded) {
    let mut rng = Seeded::new();
    let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, &mut rng).unwrap();
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng).unwrap();
    (issuer, key, rng)
}
