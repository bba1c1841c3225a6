//! Family B: the keys lie with the client, and the server keeps none.

use pqc_core::backend::{Backend, RustCrypto};
use pqc_core::{
    Ciphertext, DecapsulationKey, EncapsulationKey, Field, KemAlgorithm, Secret,
    SignatureAlgorithm, SigningKey,
};
use serde_json::{Value, json};
use x_wing::Decapsulate;

use crate::support::{Client, bytes_of, flipped, names, shared, text, unreduced, with};

fn post(client: &Client, call: &str, fields: &Value) -> Value {
    client.post(&format!("/api/v1/pqc/{call}/"), fields).ok()
}

fn refused(client: &Client, call: &str, fields: &Value, places: &[&str]) {
    client.post(&format!("/api/v1/pqc/{call}/"), fields).invalid(places);
}

/// What another implementation decapsulates by the seed.
fn by_reference(kem: KemAlgorithm, seed: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let Some(set) = kem.parameter_set() else {
        let key = x_wing::DecapsulationKey::from(<[u8; 32]>::try_from(seed).unwrap());
        return key.decapsulate(&ciphertext.try_into().unwrap()).to_vec();
    };
    let seed = Secret::from_slice(Field::DecapsulationKey, seed).unwrap();
    let (_, expanded) = RustCrypto::kem_key_pair(set, &seed);
    let secret = RustCrypto::decapsulate(set, expanded.expose_bytes(), ciphertext).unwrap();
    secret.expose_bytes().to_vec()
}

#[test]
fn a_kem_key_pair_comes_as_a_seed_and_works_on_both_sides() {
    let root = shared().account().root;
    for set in KemAlgorithm::ALL {
        let pair = post(&root, "kem/generate-keys", &json!({"algorithm": set.name()}));
        assert_eq!(names(&pair), ["algorithm", "decapsulation_key", "encapsulation_key"]);
        assert_eq!(pair["algorithm"], set.name());
        let seed = bytes_of(&pair, "decapsulation_key");
        let key = DecapsulationKey::from_seed_or_expanded(set, &seed).unwrap();
        let public = bytes_of(&pair, "encapsulation_key");
        assert_eq!(key.encapsulation_key().as_bytes(), public);

        let fields = json!({"encapsulation_key": pair["encapsulation_key"]});
        let sent = post(&root, "kem/encapsulate", &fields);
        assert_eq!(names(&sent), ["ciphertext", "shared_secret"]);
        // The reference opens what the server made …
        let ciphertext = bytes_of(&sent, "ciphertext");
        assert_eq!(bytes_of(&sent, "shared_secret"), by_reference(set, &seed, &ciphertext));
        // … and the server what the core made.
        let public = EncapsulationKey::from_bytes(&public).unwrap();
        let (ciphertext, secret) = public.encapsulate_unattested(&mut getrandom::SysRng).unwrap();
        let expanded = key.expose_expanded().map(|key| hex::encode(key.expose_bytes()));
        for key in [text(&pair, "decapsulation_key")].into_iter().chain(expanded) {
            let fields = json!({
                "decapsulation_key": key, "ciphertext": hex::encode(ciphertext.as_bytes()),
            });
            let expected = json!({"shared_secret": hex::encode(secret.expose_bytes())});
            assert_eq!(post(&root, "kem/decapsulate", &fields), expected);
            let fields = with(&fields, "algorithm", set.name());
            assert_eq!(post(&root, "kem/decapsulate", &fields), expected);
        }
    }
}

#[test]
fn a_wrong_ciphertext_gives_another_secret() {
    let root = shared().account().root;
    let pair = post(&root, "kem/generate-keys", &json!({}));
    assert_eq!(pair["algorithm"], "ML-KEM-768");
    let sent = post(&root, "kem/encapsulate", &with(&pair, "decapsulation_key", Value::Null));
    let fields = with(&pair, "ciphertext", text(&sent, "ciphertext"));
    let right = post(&root, "kem/decapsulate", &fields);
    assert_eq!(right["shared_secret"], sent["shared_secret"]);
    let wrong = with(&fields, "ciphertext", flipped(&text(&sent, "ciphertext"), 99));
    assert_ne!(post(&root, "kem/decapsulate", &wrong), right);
}

#[test]
fn kem_fields_have_their_form() {
    let root = shared().account().root;
    let pair = post(&root, "kem/generate-keys", &json!({"algorithm": "ML-KEM-512"}));
    let fields = json!({"encapsulation_key": pair["encapsulation_key"]});
    let sent = post(&root, "kem/encapsulate", &fields);
    let public = bytes_of(&pair, "encapsulation_key");
    let encapsulate = |key: Value| with(&fields, "encapsulation_key", key);
    for wrong in [json!(""), json!("00"), json!("zz"), json!(1), json!(hex::encode(&public[1..]))] {
        refused(&root, "kem/encapsulate", &encapsulate(wrong), &["body.encapsulation_key"]);
    }
    refused(&root, "kem/encapsulate", &json!({}), &["body.encapsulation_key"]);
    let wrong = encapsulate(json!(hex::encode(unreduced(&public))));
    refused(&root, "kem/encapsulate", &wrong, &["body.encapsulation_key"]);
    let wrong = with(&fields, "algorithm", "ML-KEM-768");
    refused(&root, "kem/encapsulate", &wrong, &["body.encapsulation_key"]);
    refused(&root, "kem/generate-keys", &json!({"algorithm": "x"}), &["body.algorithm"]);

    let fields = json!({
        "decapsulation_key": pair["decapsulation_key"], "ciphertext": sent["ciphertext"],
    });
    let (ciphertext, seed) = (text(&fields, "ciphertext"), text(&fields, "decapsulation_key"));
    for (name, wrong) in [
        ("ciphertext", &ciphertext[2..]),
        ("ciphertext", "zz"),
        ("decapsulation_key", &seed[2..]),
        ("decapsulation_key", "zz"),
    ] {
        let place = format!("body.{name}");
        refused(&root, "kem/decapsulate", &with(&fields, name, wrong), &[&place]);
    }
    let wrong = with(&fields, "algorithm", "ML-KEM-768");
    refused(&root, "kem/decapsulate", &wrong, &["body.ciphertext"]);
    let both = &["body.ciphertext", "body.decapsulation_key"];
    refused(&root, "kem/decapsulate", &json!({}), both);
    post(&root, "kem/decapsulate", &fields);
}

#[test]
fn a_signing_key_pair_comes_as_a_seed_and_signs_what_any_verifier_accepts() {
    let root = shared().account().root;
    for set in SignatureAlgorithm::ALL {
        let pair = post(&root, "sign/generate-keys", &json!({"algorithm": set.name()}));
        assert_eq!(names(&pair), ["algorithm", "public_key", "secret_key"]);
        let seed = bytes_of(&pair, "secret_key");
        let key = SigningKey::from_seed_or_expanded(Some(set), &seed).unwrap();
        let public = bytes_of(&pair, "public_key");
        assert_eq!(key.verifying_key().as_bytes(), public);
        let expanded = hex::encode(key.expose_expanded().expose_bytes());
        for (secret_key, algorithm) in
            [(text(&pair, "secret_key"), Some(set.name())), (expanded, None)]
        {
            let fields = json!({"secret_key": secret_key, "message": "é", "context": "c"});
            let fields = with(&fields, "algorithm", json!(algorithm));
            let signed = post(&root, "sign/sign", &fields);
            assert_eq!(names(&signed), ["algorithm", "public_key", "signature"]);
            assert_eq!(signed["algorithm"], set.name());
            assert_eq!(signed["public_key"], pair["public_key"]);
            let signature = bytes_of(&signed, "signature");
            assert!(RustCrypto::verify(set, &public, "é".as_bytes(), b"c", &signature));
            let fields = json!({
                "public_key": pair["public_key"], "message": "é", "context": "c",
                "signature": signed["signature"],
            });
            assert_eq!(post(&root, "sign/verify", &fields), json!({"valid": true}));
            for (name, value) in [("message", "e"), ("context", "d")] {
                let wrong = with(&fields, name, value);
                assert_eq!(post(&root, "sign/verify", &wrong), json!({"valid": false}));
            }
            let wrong = with(&fields, "signature", flipped(&text(&fields, "signature"), 9));
            assert_eq!(post(&root, "sign/verify", &wrong), json!({"valid": false}));
        }
    }
}

#[test]
fn a_seed_without_an_algorithm_is_ml_dsa_65() {
    let root = shared().account().root;
    let pair = post(&root, "sign/generate-keys", &json!({}));
    assert_eq!(pair["algorithm"], "ML-DSA-65");
    let fields = json!({"secret_key": pair["secret_key"], "message": ""});
    assert_eq!(post(&root, "sign/sign", &fields)["public_key"], pair["public_key"]);
    let other = with(&fields, "algorithm", "ML-DSA-44");
    assert_ne!(post(&root, "sign/sign", &other)["public_key"], pair["public_key"]);
}

#[test]
fn the_server_verifies_what_the_reference_signed() {
    let root = shared().account().root;
    for set in SignatureAlgorithm::ALL {
        let seed = Secret::<32>::generate(&mut getrandom::SysRng).unwrap();
        let hedge = Secret::<32>::generate(&mut getrandom::SysRng).unwrap();
        let (public, expanded) = RustCrypto::signing_key_pair(set, &seed);
        let signature =
            RustCrypto::sign(set, expanded.expose_bytes(), b"\xff\x00", b"", &hedge).unwrap();
        let fields = json!({
            "public_key": hex::encode(public), "message": "ff00", "encoding": "hex",
            "signature": hex::encode(signature), "algorithm": set.name(),
        });
        assert_eq!(post(&root, "sign/verify", &fields), json!({"valid": true}));
        let as_text = with(&fields, "encoding", Value::Null);
        assert_eq!(post(&root, "sign/verify", &as_text), json!({"valid": false}));
        let base64 = with(&with(&fields, "encoding", "base64"), "message", "/wA=");
        assert_eq!(post(&root, "sign/verify", &base64), json!({"valid": true}));
    }
}

#[test]
fn signing_fields_have_their_form() {
    let root = shared().account().root;
    let pair = post(&root, "sign/generate-keys", &json!({}));
    let fields = json!({"secret_key": pair["secret_key"], "message": "m"});
    let signed = post(&root, "sign/sign", &fields);
    let seed = bytes_of(&pair, "secret_key");
    let key = SigningKey::from_seed_or_expanded(None, &seed).unwrap();
    let expanded = key.expose_expanded().expose_bytes();
    // ρ ‖ K ‖ tr ‖ s1 ‖ s2 ‖ t0 (FIPS 204, Algorithm 24): tr, and a coefficient of s1.
    let (mut tr, mut s1) = (expanded.to_vec(), expanded.to_vec());
    tr[64] ^= 1;
    s1[128] = 0xff;
    for wrong in [hex::encode(tr), hex::encode(s1), hex::encode(&expanded[1..]), "00".into()] {
        refused(&root, "sign/sign", &with(&fields, "secret_key", wrong), &["body.secret_key"]);
    }
    let mismatch = with(&fields, "secret_key", hex::encode(expanded));
    post(&root, "sign/sign", &mismatch);
    let mismatch = with(&mismatch, "algorithm", "ML-DSA-44");
    refused(&root, "sign/sign", &mismatch, &["body.secret_key"]);
    refused(&root, "sign/sign", &with(&fields, "message", Value::Null), &["body.message"]);
    let long = with(&fields, "context", "é".repeat(128));
    refused(&root, "sign/sign", &long, &["body.context"]);

    let fields = with(&signed, "message", "m");
    assert_eq!(post(&root, "sign/verify", &fields), json!({"valid": true}));
    for (name, at) in [("public_key", 2), ("signature", 2), ("signature", 1)] {
        let wrong = with(&fields, name, &text(&fields, name)[at..]);
        refused(&root, "sign/verify", &wrong, &[&format!("body.{name}")]);
    }
    let wrong = with(&fields, "algorithm", "ML-DSA-87");
    refused(&root, "sign/verify", &wrong, &["body.public_key"]);
}

#[test]
fn a_message_may_be_empty_and_a_ciphertext_may_not() {
    let root = shared().account().root;
    let signed = post(&root, "sign/sign", &json!({"secret_key": "00".repeat(32), "message": ""}));
    let fields = with(&signed, "message", "");
    assert_eq!(post(&root, "sign/verify", &fields), json!({"valid": true}));
    let fields = json!({"decapsulation_key": "00".repeat(64), "ciphertext": ""});
    refused(&root, "kem/decapsulate", &fields, &["body.ciphertext"]);
    assert!(Ciphertext::from_bytes(&[]).is_err());
}
