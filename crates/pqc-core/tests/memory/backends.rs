//! Both backends, through the seam: also the one that this build does not compute with.

use pqc_core::backend::{Active, Backend, RustCrypto};
use pqc_core::kem::ParameterSet;
use pqc_core::{Secret, SigningKey};

use super::{Secrets, nothing};

pub(super) fn leave_no_secret_of_ml_kem(
    set: ParameterSet,
    secrets: &Secrets,
    seed: &[u8; 64],
    message: &[u8; 32],
) {
    ml_kem::<Active>(set, secrets, seed, message);
    ml_kem::<RustCrypto>(set, secrets, seed, message);
}

fn ml_kem<B: Backend>(set: ParameterSet, secrets: &Secrets, seed: &[u8; 64], message: &[u8; 32]) {
    nothing(B::NAME, secrets, || {
        let (public, expanded) = B::kem_key_pair(set, &Secret::from(*seed));
        let (ciphertext, sent) = B::encapsulate(set, &public, &Secret::from(*message)).unwrap();
        let received = B::decapsulate(set, expanded.expose_bytes(), &ciphertext).unwrap();
        assert!(sent.ct_eq(&received));
    });
}

pub(super) fn leave_no_secret_of_ml_dsa(
    key: &SigningKey,
    secrets: &Secrets,
    seed: &[u8; 32],
    hedge: &[u8; 32],
) {
    ml_dsa::<Active>(key, secrets, seed, hedge);
    ml_dsa::<RustCrypto>(key, secrets, seed, hedge);
}

fn ml_dsa<B: Backend>(key: &SigningKey, secrets: &Secrets, seed: &[u8; 32], hedge: &[u8; 32]) {
    let set = key.algorithm();
    nothing(B::NAME, secrets, || {
        let (_, expanded) = B::signing_key_pair(set, &Secret::from(*seed));
        B::sign(set, expanded.expose_bytes(), b"message", b"", &Secret::from(*hedge)).unwrap()
    });
    let expanded = key.expose_expanded().expose_bytes();
    nothing(B::NAME, secrets, || {
        let hedge = Secret::from(*hedge);
        B::sign_internal(set, expanded, b"framed", &hedge).unwrap();
        let prepared = B::prepare_signing_key(set, expanded).unwrap();
        prepared.sign(b"message", b"", &hedge).unwrap();
        prepared.sign_internal(b"framed", &hedge).unwrap();
        prepared.sign_mu(&[7; 64], &hedge).unwrap();
        prepared
    });
}
