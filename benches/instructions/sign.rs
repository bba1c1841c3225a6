//! ML-DSA: by the active backend, with keys as they are (prepared ones take the same way there); and
//! from mu, by keys that were prepared, on RustCrypto.
//!
//! Signing is deterministic and each run signs another message: FIPS 204 then fixes how many
//! attempts they take together, whatever reads the generator before.

use pqc_core::{Context, SignatureAlgorithm, SigningKey};

use crate::case::Case;
use crate::seeded::Seeded;

/// Attempts vary by as much as their mean.
const SIGNATURES: u32 = 24;
const RUNS: u32 = 10;
const MESSAGE: &[u8] = &[0x5a; 64];

pub(crate) fn cases() -> Vec<Case> {
    SignatureAlgorithm::ALL.into_iter().flat_map(of).collect()
}

fn of(set: SignatureAlgorithm) -> [Case; 5] {
    let case = |operation: &str| format!("sign/{operation}/{}", set.name());
    [
        Case::new(case("keygen"), RUNS, move || {
            let mut rng = Seeded::new();
            move || SigningKey::generate(set, &mut rng).unwrap()
        }),
        Case::new(case("sign"), SIGNATURES, move || {
            let (key, mut message) = (key(set), messages());
            move || key.sign_deterministic(&message(), Context::EMPTY).unwrap()
        }),
        Case::new(case("sign-mu-prepared"), SIGNATURES, move || {
            let (key, mut message) = (key(set), messages());
            let prepared = key.prepare().unwrap();
            move || {
                let mu = key.verifying_key().mu(&message(), Context::EMPTY);
                prepared.sign_mu_deterministic(&mu).unwrap()
            }
        }),
        Case::new(case("verify"), RUNS, move || {
            let key = key(set);
            let signature = key.sign_deterministic(MESSAGE, Context::EMPTY).unwrap();
            move || assert!(key.verifying_key().verify(MESSAGE, Context::EMPTY, &signature))
        }),
        Case::new(case("verify-mu-prepared"), RUNS, move || {
            let key = key(set);
            let mu = key.verifying_key().mu(MESSAGE, Context::EMPTY);
            let signature = key.sign_mu_deterministic(&mu).unwrap();
            let prepared = key.verifying_key().prepare().unwrap();
            move || assert!(prepared.verify_mu(&mu, &signature))
        }),
    ]
}

fn key(set: SignatureAlgorithm) -> SigningKey {
    SigningKey::generate(set, &mut Seeded::new()).unwrap()
}

/// Messages of one length, each once.
fn messages() -> impl FnMut() -> [u8; 64] {
    let mut count = 0_u64;
    move || {
        count += 1;
        let mut message = [0x5a; 64];
        message.iter_mut().zip(count.to_le_bytes()).for_each(|(byte, count)| *byte = count);
        message
    }
}
