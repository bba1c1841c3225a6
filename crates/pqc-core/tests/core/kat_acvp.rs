//! NIST's ACVP sample vectors, where they lie beside the checkout (they are not part of it):
//! `../shared/vectors/acvp` from the workspace's root, or the folder that `PQC_ACVP_VECTORS` names.
//! Both backends answer every case of an interface that the core serves; the rest is counted.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use pqc_core::backend::{Active, Backend, RustCrypto};
use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, Error, KemAlgorithm, Secret,
    Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};
use serde_json::Value;

use crate::support::say;

#[test]
fn ml_kem_key_generation() {
    run("ML-KEM-keyGen-FIPS203", &[("keyGen", 25)], |case| {
        let set = KemAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let seed = || Secret::try_from_parts(&case.bytes("d"), &case.bytes("z"));
        for backend in both_backends() {
            let (public, expanded) = (backend.kem_key_pair)(set, &seed());
            assert_eq!(public, case.answer("ek"));
            assert_eq!(expanded, case.answer("dk"));
        });
        Some("keyGen")
    });
}

#[test]
fn ml_kem_encapsulation_decapsulation_and_key_checks() {
    let served = [
        ("decapsulation", 10),
        ("decapsulationKeyCheck", 10),
        ("encapsulation", 25),
        ("encapsulationKeyCheck", 10),
    ];
    run("ML-KEM-encapDecap-FIPS203", &served, |case| {
        let set = KemAlgorithm::from_name(case.text("parameterSet")).unwrap();
        match case.text("function") {
            "encapsulation" => {
                let key = EncapsulationKey::from_bytes(&case.bytes("ek")).unwrap();
                assert_eq!(key.algorithm(), set);
                let message = Secret::from(<[u8; 32]>::try_from(case.bytes("m")).unwrap());
                for backend in both_backends() {
                    let (ciphertext, secret) =
                        (backend.encapsulate)(set, key.as_bytes(), &message).unwrap();
                    assert_eq!(ciphertext, case.answer("c"));
                    assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
                });
            }
            "decapsulation" => {
                let (key, ciphertext) = (case.bytes("dk"), case.bytes("c"));
                for backend in both_backends() {
                    let secret = (backend.decapsulate)(set, &key, &ciphertext).unwrap();
                    assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
                });
                let key = DecapsulationKey::from_expanded(&key).unwrap();
                let ciphertext = Ciphertext::from_bytes(&ciphertext).unwrap();
                let secret = key.decapsulate(&ciphertext).unwrap();
                assert_eq!(secret.expose_bytes().as_slice(), case.answer("k"));
            }
            "encapsulationKeyCheck" => {
                let key = case.bytes("ek");
                for backend in both_backends() {
                    assert_eq!((backend.encapsulation_key_is_reduced)(set, &key), case.passes());
                });
                let read = EncapsulationKey::from_bytes(&key);
                assert_eq!(read.is_ok(), case.passes());
                assert!(read.is_ok() || read == Err(Error::EncapsulationKeyModulus));
            }
            "decapsulationKeyCheck" => {
                let read = DecapsulationKey::from_expanded(&case.bytes("dk"));
                assert_eq!(read.is_ok(), case.passes());
                assert!(read.is_ok() || read.is_err_and(|e| e == Error::DecapsulationKeyHash));
            }
            other => panic!("unknown function {other}"),
        }
        Some(case.text("function"))
    });
}

#[test]
fn ml_dsa_key_generation() {
    run("ML-DSA-keyGen-FIPS204", &[("keyGen", 25)], |case| {
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let seed = <[u8; 32]>::try_from(case.bytes("seed")).unwrap();
        for backend in both_backends() {
            let (public, expanded) = (backend.signing_key_pair)(set, &Secret::from(seed));
            assert_eq!(public, case.answer("pk"));
            assert_eq!(expanded, case.answer("sk"));
        });
        let key = SigningKey::from_expanded(&case.answer("sk")).unwrap();
        assert_eq!(key.verifying_key().as_bytes(), case.answer("pk"));
        Some("keyGen")
    });
}

#[test]
fn ml_dsa_signing() {
    run("ML-DSA-sigGen-FIPS204", &[("pure, deterministic", 15), ("pure, hedged", 15)], |case| {
        if !case.is_pure_external() {
            return None;
        }
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let (message, context) = (case.bytes("message"), case.bytes("context"));
        let deterministic = case.group["deterministic"] == Value::Bool(true);
        let rnd = if deterministic { vec![0; 32] } else { case.bytes("rnd") };
        let rnd = <[u8; 32]>::try_from(rnd).unwrap();
        let key = SigningKey::from_expanded(&case.bytes("sk")).unwrap();
        for backend in both_backends() {
            let expanded = key.expose_expanded().expose_bytes();
            let hedge = Secret::from(rnd);
            let signature = (backend.sign)(set, expanded, &message, &context, &hedge).unwrap();
            assert_eq!(signature, case.answer("signature"));
        });
        let signature = Signature::from_bytes(&case.answer("signature")).unwrap();
        let context = Context::new(&context).unwrap();
        assert!(key.verifying_key().verify(&message, context, &signature));
        Some(if deterministic { "pure, deterministic" } else { "pure, hedged" })
    });
}

#[test]
fn ml_dsa_verification() {
    run("ML-DSA-sigVer-FIPS204", &[("pure", 15)], |case| {
        if !case.is_pure_external() {
            return None;
        }
        let set = SignatureAlgorithm::from_name(case.text("parameterSet")).unwrap();
        let (key, message) = (case.bytes("pk"), case.bytes("message"));
        let (context, signature) = (case.bytes("context"), case.bytes("signature"));
        for backend in both_backends() {
            let verified = (backend.verify)(set, &key, &message, &context, &signature);
            assert_eq!(verified, case.passes());
        });
        let key = VerifyingKey::from_bytes(&key).unwrap();
        let signature = Signature::from_bytes(&signature).unwrap();
        let context = Context::new(&context).unwrap();
        assert_eq!(key.verify(&message, context, &signature), case.passes());
        Some("pure")
    });
}
