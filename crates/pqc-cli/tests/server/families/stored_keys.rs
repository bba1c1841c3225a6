//! Family A: the keys lie in the server.

use pqc_core::backend::{Backend, RustCrypto};
use pqc_core::kem::ParameterSet;
use pqc_core::{KemAlgorithm, KeyId, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::support::{Account, Call, bytes, bytes_of, flipped, names, now, shared, text, with};

const SIGN: &str = "/api/signature/sign";
const VERIFY: &str = "/api/signature/verify";

#[test]
fn generate_keys_answers_a_key_that_the_published_issuer_attests() {
    let Account { root, id, .. } = shared().account();
    for set in KemAlgorithm::ALL {
        let answer = root.post("/api/kem/generate_keys", &json!({"algorithm": set.name()})).ok();
        let expected = "account algorithm key_id pk signature verification_key \
                        verification_signature";
        assert_eq!(names(&answer), expected.split(' ').collect::<Vec<_>>(), "no secret key");
        assert_eq!(answer["algorithm"], set.name());
        assert_eq!(answer["account"], id);
        assert_eq!(answer["signature"], answer["verification_signature"]);
        let pk = bytes_of(&answer, "pk");
        assert_eq!(pk.len(), set.encapsulation_key_bytes());
        // X-Wing's begins with one of ML-KEM-768.
        let ml_kem = set.parameter_set().unwrap_or(ParameterSet::MlKem768);
        let (ml_kem_key, _) = pk.split_at(ml_kem.encapsulation_key_bytes());
        assert!(RustCrypto::encapsulation_key_is_reduced(ml_kem, ml_kem_key));
        assert_eq!(text(&answer, "key_id"), KeyId::of_pair(set.name(), &pk).to_string());

        // 0x01 ‖ account ‖ issued_at ‖ expires_at ‖ signature over that head, name and key.
        let word = bytes_of(&answer, "verification_signature");
        let issuer = bytes_of(&answer, "verification_key");
        assert_eq!((word.len(), issuer.len()), (3342, 1952));
        let (head, signature) = word.split_at(33);
        assert_eq!(head[..17], [vec![1], hex::decode(&id).unwrap()].concat());
        let issued_at = u64::from_be_bytes(head[17..25].try_into().unwrap());
        assert!((now() - 60..=now()).contains(&issued_at), "{issued_at}");
        assert_eq!(head[25..], [0; 8], "it does not expire");
        let name = set.name().as_bytes();
        let lengths = ([name.len() as u8], (pk.len() as u32).to_be_bytes());
        let signed = [head, &lengths.0, name, &lengths.1, &pk].concat();
        let verifies = |message: &[u8], context: &[u8]| {
            RustCrypto::verify(SignatureAlgorithm::MlDsa65, &issuer, message, context, signature)
        };
        assert!(verifies(&signed, b"pqc/v1/attestation"));
        assert!(!verifies(&signed, b""), "it verifies for this purpose alone");
    }
}

#[test]
fn generate_keys_makes_ml_kem_768_unless_another_is_asked_for() {
    let root = shared().account().root;
    for call in [
        Call::get("/api/kem/generate_keys"),
        Call::empty_post("/api/kem/generate_keys"),
        Call::post("/api/kem/generate_keys", &json!({})),
        Call::get("/api/kem/generate_keys?algorithm=ml-kem-768"),
        Call::empty_post("/api/kem/generate_keys").header("content-type", "application/json"),
    ] {
        assert_eq!(root.send(&call).ok()["algorithm"], "ML-KEM-768");
    }
    let answer = root.get("/api/kem/generate_keys?algorithm=ML-KEM-1024").ok();
    assert_eq!(bytes_of(&answer, "pk").len(), 1568);
    for wrong in ["ML-KEM-2048", "ML-DSA-65", "kyber768", ""] {
        let fields = json!({"algorithm": wrong});
        root.post("/api/kem/generate_keys", &fields).invalid(&["body.algorithm"]);
    }
}

#[test]
fn two_key_pairs_are_two() {
    let root = shared().account().root;
    assert_ne!(root.generate().pk, root.generate().pk);
}

#[test]
fn encapsulate_key_takes_the_names_of_the_answer_too() {
    let root = shared().account().root;
    let pair = root.generate();
    for issuer in ["verif_key", "verification_key"] {
        for signature in ["signature", "verification_signature"] {
            let fields = json!({"pk": pair.pk, signature: pair.attestation, issuer: pair.issuer});
            let answer = root.post("/api/kem/encapsulate_key", &fields).ok();
            assert_eq!(names(&answer), ["account", "cipher", "shared_key"]);
            let fields = with(&fields, signature, flipped(&pair.attestation, 40));
            let refused = root.post("/api/kem/encapsulate_key", &fields);
            refused.problem(422);
        }
    }
    // The answer as a whole can be sent on; only its algorithm has to be the key's.
    let whole = root.post("/api/kem/generate_keys", &json!({})).ok();
    root.post("/api/kem/encapsulate_key", &whole).ok();
    let wrong = with(&whole, "algorithm", "ML-KEM-512");
    root.post("/api/kem/encapsulate_key", &wrong).invalid(&["body.pk"]);
}

#[test]
fn sign_answers_a_signature_that_any_verifier_accepts() {
    let root = shared().account().root;
    for set in SignatureAlgorithm::ALL {
        for (context, data) in [("", "é\0"), ("for é", ""), (&*"x".repeat(255), "data")] {
            let fields = json!({"data": data, "context": context, "algorithm": set.name()});
            let answer = root.post(SIGN, &fields).ok();
            assert_eq!(names(&answer), ["algorithm", "key_id", "pk", "signature"]);
            assert_eq!(answer["algorithm"], set.name());
            let (pk, signature) = (bytes_of(&answer, "pk"), bytes_of(&answer, "signature"));
            assert_eq!(pk.len(), set.verifying_key_bytes());
            assert_eq!(signature.len(), set.signature_bytes());
            assert_eq!(text(&answer, "key_id"), KeyId::of_pair(set.name(), &pk).to_string());
            let verifies = |data: &str, context: &str| {
                RustCrypto::verify(set, &pk, data.as_bytes(), context.as_bytes(), &signature)
            };
            assert!(verifies(data, context), "{set}");
            assert!(!verifies(&format!("{data}x"), context) && !verifies(data, "another"));
        }
    }
    assert_eq!(root.post(SIGN, &json!({"data": ""})).ok()["algorithm"], "ML-DSA-65");
}

#[test]
fn the_signing_key_is_made_once_and_is_the_accounts_own() {
    let (one, other) = (shared().account().root, shared().account().root);
    let sign = |client: &crate::support::Client| client.post(SIGN, &json!({"data": "x"})).ok();
    let (first, second, others) = (sign(&one), sign(&one), sign(&other));
    assert_eq!(first["pk"], second["pk"]);
    assert_ne!(first["signature"], second["signature"], "signing is hedged");
    assert_ne!(first["pk"], others["pk"]);
    // By its id, and only in its own account.
    let fields = json!({"data": "x", "key_id": first["key_id"]});
    assert_eq!(one.post(SIGN, &fields).ok()["pk"], first["pk"]);
    other.post(SIGN, &fields).problem(404);
    let fields = with(&fields, "algorithm", "ML-DSA-87");
    one.post(SIGN, &fields).invalid(&["body.algorithm"]);
    let kem = json!({"data": "x", "key_id": one.generate().key_id});
    one.post(SIGN, &kem).problem(404);
}

#[test]
fn the_first_use_by_many_at_once_makes_one_key() {
    let root = shared().account().root;
    let keys = crate::support::together(12, |_| {
        let root = root.clone();
        async move {
            let answer = root.try_send(Call::post(SIGN, &json!({"data": "x"}))).await.unwrap();
            text(&answer.ok(), "pk")
        }
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn verify_says_true_or_false_and_refuses_what_has_no_form() {
    let root = shared().account().root;
    let fields = json!({"data": "é", "context": "c"});
    let signed = root.post(SIGN, &fields).ok();
    let right =
        with(&with(&fields, "pk", text(&signed, "pk")), "signature", text(&signed, "signature"));
    let verified = |fields: &Value| root.post(VERIFY, fields).ok();
    assert_eq!(verified(&right), json!({"verified": true}));
    let wrong = [
        ("data", "è".to_owned()),
        ("context", "d".to_owned()),
        ("pk", flipped(&text(&right, "pk"), 40)),
        ("signature", flipped(&text(&right, "signature"), 40)),
    ];
    for (name, value) in wrong {
        assert_eq!(verified(&with(&right, name, value)), json!({"verified": false}), "{name}");
    }
    for name in ["pk", "signature"] {
        for value in [&text(&right, name)[2..], "xyz", ""] {
            root.post(VERIFY, &with(&right, name, value)).invalid(&[&format!("body.{name}")]);
        }
    }
    // A signature of another set has a form, but not this key's.
    let other = root.post(SIGN, &with(&fields, "algorithm", "ML-DSA-44")).ok();
    let other = with(&right, "signature", text(&other, "signature"));
    root.post(VERIFY, &other).invalid(&["body.signature"]);
    let other = with(&right, "algorithm", "ML-DSA-44");
    root.post(VERIFY, &other).invalid(&["body.pk"]);
    assert_eq!(verified(&with(&right, "algorithm", "ML-DSA-65")), json!({"verified": true}));
    let long = with(&right, "context", "x".repeat(256));
    root.post(VERIFY, &long).invalid(&["body.context"]);
}

#[test]
fn data_can_be_bytes_in_hex_or_base64() {
    let root = shared().account().root;
    let data = b"\x00\xff not UTF-8 \xfe";
    let base64 = <base64ct::Base64 as base64ct::Encoding>::encode_string(data);
    for (encoding, written) in [("hex", hex::encode(data)), ("base64", base64)] {
        let fields = json!({"data": written, "encoding": encoding});
        let signed = root.post(SIGN, &fields).ok();
        let (pk, signature) = (bytes_of(&signed, "pk"), bytes_of(&signed, "signature"));
        let set = SignatureAlgorithm::MlDsa65;
        assert!(RustCrypto::verify(set, &pk, data, b"", &signature), "{encoding}");
        let fields = with(&fields, "pk", text(&signed, "pk"));
        let fields = with(&fields, "signature", text(&signed, "signature"));
        assert_eq!(root.post(VERIFY, &fields).ok(), json!({"verified": true}));
        let as_text = with(&fields, "encoding", "utf-8");
        assert_eq!(root.post(VERIFY, &as_text).ok(), json!({"verified": false}));
        root.post(VERIFY, &with(&fields, "data", "!")).invalid(&["body.data"]);
    }
    let unknown = json!({"data": "", "encoding": "rot13"});
    root.post(SIGN, &unknown).invalid(&["body.encoding"]);
}

#[test]
fn long_data_is_signed_whole() {
    let root = shared().account().root;
    let data = "0123456789abcdef".repeat(60_000);
    let signed = root.post(SIGN, &json!({"data": data})).ok();
    let (pk, signature) = (bytes_of(&signed, "pk"), bytes_of(&signed, "signature"));
    let set = SignatureAlgorithm::MlDsa65;
    assert!(RustCrypto::verify(set, &pk, data.as_bytes(), b"", &signature));
    let changed = flipped(&hex::encode(&data), data.len() - 1);
    assert!(!RustCrypto::verify(set, &pk, &bytes(&changed), b"", &signature));
}
