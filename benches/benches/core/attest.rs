//! The issuer's statement over an ML-KEM-768 key, by the set of the issuer.

use criterion::Criterion;
use getrandom::SysRng;
use pqc_core::{
    AccountId, DecapsulationKey, Issuer, KemAlgorithm, SignatureAlgorithm, Timestamp,
    TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey,
};

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const NOW: Timestamp = Timestamp::from_seconds(1);

pub(crate) fn all(criterion: &mut Criterion) {
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut SysRng).unwrap();
    let key = key.encapsulation_key();

    let mut group = criterion.benchmark_group("attest/attest");
    for set in SignatureAlgorithm::ALL {
        let issuer = Issuer::generate(set, &mut SysRng).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| issuer.attest(ACCOUNT, key, NOW, None, &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("attest/verify");
    for set in SignatureAlgorithm::ALL {
        let issuer = Issuer::generate(set, &mut SysRng).unwrap();
        let attestation = issuer.attest(ACCOUNT, key, NOW, None, &mut SysRng).unwrap();
        let unverified = UnverifiedKey::from_bytes(key.as_bytes()).unwrap();
        let issuer = issuer.verifying_key();
        let trusted = TrustedIssuers::new([issuer.clone()]);
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| {
                VerifiedEncapsulationKey::verify(
                    &unverified,
                    &attestation,
                    issuer,
                    &trusted,
                    Some(ACCOUNT),
                    NOW,
                )
                .unwrap()
            });
        });
    }
    group.finish();
}
