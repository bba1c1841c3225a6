//! A narrowed token does what it was narrowed to and nothing else, and is refused for free.

use serde_json::{Value, json};

use super::{DECAPSULATE, DECRYPT, ENCAPSULATE, ENCRYPT, KEY, SIGN, Things, VERIFY};
use crate::support::{Call, Client, shared, text, with};

/// Every operation, with a call of each path that belongs to it.
fn calls(things: &Things) -> Vec<(&'static str, Vec<Call>)> {
    let v1 = |call: &str, fields: Value| Call::post(format!("/api/v1/pqc/{call}/"), &fields);
    let seed = "02".repeat(64);
    let cipher = text(&things.decapsulate, "cipher");
    let (pk, signature) = (text(&things.verify, "pk"), text(&things.verify, "signature"));
    vec![
        ("kem.generate", vec![Call::get("/api/kem/generate_keys")]),
        ("kem.encapsulate", vec![Call::post(ENCAPSULATE, &things.encapsulate)]),
        ("kem.decapsulate", vec![Call::post(DECAPSULATE, &things.decapsulate)]),
        ("aes.encrypt", vec![Call::post(ENCRYPT, &json!({"unencrypted": "x", "key": KEY}))]),
        ("aes.decrypt", vec![Call::post(DECRYPT, &things.decrypt)]),
        ("sign", vec![Call::post(SIGN, &things.sign)]),
        ("verify", vec![Call::post(VERIFY, &things.verify)]),
        (
            "v1",
            vec![
                v1("kem/generate-keys", json!({})),
                v1("kem/encapsulate", json!({"encapsulation_key": things.pair.pk})),
                v1("kem/decapsulate", json!({"decapsulation_key": seed, "ciphertext": cipher})),
                v1("sign/generate-keys", json!({})),
                v1("sign/sign", json!({"secret_key": KEY, "message": "x"})),
                v1(
                    "sign/verify",
                    json!({"public_key": pk, "message": "x", "signature": signature}),
                ),
            ],
        ),
    ]
}

#[track_caller]
fn refused(token: &Client, call: &Call, what: &str) {
    let before = token.attempts_left();
    let answer = token.send(call);
    assert_eq!(answer.status, 403, "{what}: {} {}", call.path, answer.start());
    let problem = answer.problem(403);
    assert!(text(&problem, "type").ends_with(":out-of-scope"), "{problem}");
    assert_eq!(token.attempts_left(), before, "{what}: {}", call.path);
}

#[track_caller]
fn served(token: &Client, call: &Call, what: &str) {
    let before = token.attempts_left();
    let answer = token.send(call);
    assert_eq!(answer.status, 200, "{what}: {} {}", call.path, answer.start());
    assert_eq!(token.attempts_left(), before - 1, "{what}: {}", call.path);
}

#[test]
fn a_token_narrowed_to_an_operation_does_that_one_and_no_other() {
    let things = Things::new();
    let calls = calls(&things);
    for (allowed, _) in &calls {
        let token = things.account.root.mint(&json!({
            "operations": [allowed], "expire_after_attempts": 9,
        }));
        for (operation, calls) in &calls {
            for call in calls {
                if operation == allowed {
                    served(&token, call, allowed);
                } else {
                    refused(&token, call, allowed);
                }
            }
        }
        refused(&token, &Call::get("/api/token/new"), allowed);
        token.token_self();
    }
}

#[test]
fn several_operations_are_allowed_together_by_json_query_or_verb() {
    let things = Things::new();
    let calls = calls(&things);
    let root = &things.account.root;
    let by_query = root.get("/api/token/new?operations=sign,verify&expire_after_attempts=9").ok();
    let verb = format!(
        "token temp --operations sign,verify --attempts 9 --account {}",
        things.account.name
    );
    for token in [
        root.mint(&json!({"operations": ["sign", "verify"], "expire_after_attempts": 9})),
        root.with_token(&text(&by_query, "new_token")),
        root.with_token(&shared().verb(&verb).line()),
    ] {
        for (operation, calls) in &calls {
            let allowed = ["sign", "verify"].contains(operation);
            let check = if allowed { served } else { refused };
            calls.iter().for_each(|call| check(&token, call, operation));
        }
    }
}

#[test]
fn a_token_narrowed_to_a_kem_key_uses_that_key_and_no_other() {
    let things = Things::new();
    let root = &things.account.root;
    let other = root.generate();
    let (cipher, _) = other.encapsulated_by(root);
    let token = root.mint(&json!({"key_id": things.pair.key_id, "expire_after_attempts": 9}));
    assert_eq!(token.token_self()["key_id"], things.pair.key_id);

    served(&token, &Call::post(DECAPSULATE, &things.decapsulate), "its key");
    served(&token, &Call::post(ENCAPSULATE, &things.encapsulate), "its key");
    let query = format!(
        "{DECAPSULATE}?pk={}&cipher={}",
        things.pair.pk,
        text(&things.decapsulate, "cipher")
    );
    served(&token, &Call::get(query), "its key");

    let decapsulate = json!({"cipher": cipher, "pk": other.pk});
    refused(&token, &Call::post(DECAPSULATE, &decapsulate), "another stored key");
    let clients = with(&things.decapsulate, "sk", "02".repeat(64));
    refused(&token, &Call::post(DECAPSULATE, &clients), "a key of the client's");
    refused(&token, &Call::post(ENCAPSULATE, &other.to_encapsulate()), "another key");
    for (operation, calls) in calls(&things) {
        if !operation.starts_with("kem.") || operation == "kem.generate" {
            calls.iter().for_each(|call| refused(&token, call, operation));
        }
    }
    // Wrong fields use no key: they are the operation's to refuse, at the price of an attempt.
    let left = token.attempts_left();
    token.post(DECAPSULATE, &with(&things.decapsulate, "pk", "00")).invalid(&["body.pk"]);
    assert_eq!(token.attempts_left(), left - 1);
}

#[test]
fn a_token_narrowed_to_a_signing_key_signs_and_verifies_with_it() {
    let things = Things::new();
    let root = &things.account.root;
    let other = root.post(SIGN, &json!({"data": "x", "algorithm": "ML-DSA-87"})).ok();
    let token = root.mint(&json!({"key_id": things.sign["key_id"], "expire_after_attempts": 9}));
    served(&token, &Call::post(SIGN, &json!({"data": "x"})), "the key in force");
    served(&token, &Call::post(SIGN, &things.sign), "by its id");
    served(&token, &Call::post(VERIFY, &things.verify), "its signature");
    let by_id = json!({"data": "x", "key_id": other["key_id"]});
    refused(&token, &Call::post(SIGN, &by_id), "another by its id");
    for algorithm in ["ML-DSA-87", "ML-DSA-44"] {
        let fields = json!({"data": "x", "algorithm": algorithm});
        refused(&token, &Call::post(SIGN, &fields), algorithm);
    }
    let fields = json!({"data": "x", "pk": other["pk"], "signature": other["signature"]});
    refused(&token, &Call::post(VERIFY, &fields), "another's signature");
    refused(&token, &Call::post(DECAPSULATE, &things.decapsulate), "a KEM key");
    refused(&token, &Call::post(DECRYPT, &things.decrypt), "an AES key");
}

#[test]
fn a_token_narrowed_to_the_aes_key_encrypts_and_decrypts_with_it() {
    let things = Things::new();
    let root = &things.account.root;
    // The key's id stands in the head of each text.
    let key_id = &text(&things.decrypt, "ciphertext")[4..36];
    let token = root.mint(&json!({"key_id": key_id, "expire_after_attempts": 9}));
    served(&token, &Call::post(ENCRYPT, &json!({"unencrypted": "x"})), "its key");
    served(&token, &Call::post(DECRYPT, &things.decrypt), "its key");
    let callers = json!({"unencrypted": "x", "key": KEY});
    refused(&token, &Call::post(ENCRYPT, &callers), "a caller's key");
    let sealed = root.post(ENCRYPT, &callers).ok_text();
    let fields = json!({"ciphertext": sealed, "key": KEY});
    refused(&token, &Call::post(DECRYPT, &fields), "a caller's key");
    refused(&token, &Call::post(SIGN, &things.sign), "a signing key");
}

#[test]
fn a_key_and_operations_narrow_together() {
    let things = Things::new();
    let token = things.account.root.mint(&json!({
        "key_id": things.pair.key_id, "operations": ["kem.decapsulate"],
        "expire_after_attempts": 9,
    }));
    served(&token, &Call::post(DECAPSULATE, &things.decapsulate), "both");
    refused(&token, &Call::post(ENCAPSULATE, &things.encapsulate), "the key alone");
}

#[test]
fn only_a_stored_key_of_the_account_can_be_narrowed_to() {
    let (things, other) = (Things::new(), Things::new());
    let root = &things.account.root;
    let mint = |key_id: Value| root.post("/api/token/new", &json!({"key_id": key_id}));
    mint(json!(other.pair.key_id)).problem(404);
    mint(json!("00".repeat(32))).problem(404);
    mint(json!("00")).invalid(&["body.key_id"]);
    mint(json!(7)).invalid(&["body.key_id"]);
    mint(json!(things.pair.key_id)).ok();
}
