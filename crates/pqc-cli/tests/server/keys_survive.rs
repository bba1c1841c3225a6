//! What was answered is on disk: it outlives `kill -9`.

use serde_json::json;

use crate::support::{Call, Folder, text};

#[test]
fn a_key_pair_decapsulates_after_kill_9_and_a_new_start() {
    let server = Folder::new().serve();
    let root = server.root();
    let pairs: Vec<_> = ["ML-KEM-512", "ML-KEM-768", "ML-KEM-1024"]
        .into_iter()
        .map(|set| {
            let pair = root.generate_with(&json!({"algorithm": set}));
            let (cipher, shared_key) = pair.encapsulated_by(&root);
            (json!({"cipher": cipher, "pk": pair.pk}), shared_key)
        })
        .collect();
    let server = server.kill().serve();
    for (fields, shared_key) in pairs {
        let answer = server.root().post("/api/kem/decapsulate_key", &fields).ok();
        assert_eq!(answer, json!({"shared_key": shared_key}));
    }
}

#[test]
fn the_accounts_own_keys_and_the_issuer_stay_the_same() {
    let server = Folder::new().serve();
    let issuer = server.anyone().get("/.well-known/jwks.json").json();
    let sealed = server.root().post("/api/aes/encrypt_text", &json!({"unencrypted": "é"}));
    let signed = server.root().post("/api/signature/sign", &json!({"data": "é"})).ok();
    let server = server.kill().serve();
    let root = server.root();
    assert_eq!(server.anyone().get("/.well-known/jwks.json").json(), issuer);
    let opened = root.post("/api/aes/decrypt_text", &json!({"ciphertext": sealed.ok_text()}));
    assert_eq!(opened.ok_text(), "é");
    let again = root.post("/api/signature/sign", &json!({"data": "é"})).ok();
    assert_eq!(text(&again, "pk"), text(&signed, "pk"));
}

#[test]
fn killed_right_after_each_answer_it_loses_none() {
    let mut server = Folder::new().serve();
    let mut answered = Vec::new();
    for round in 0..10 {
        let pair = server.root().generate();
        server = server.kill().serve();
        let (cipher, shared_key) = pair.encapsulated_by(&server.root());
        answered.push((json!({"cipher": cipher, "pk": pair.pk}), shared_key));
        for (fields, shared_key) in &answered {
            let answer = server.root().post("/api/kem/decapsulate_key", fields).ok();
            assert_eq!(&text(&answer, "shared_key"), shared_key, "round {round}");
        }
    }
}

#[test]
fn a_token_and_what_is_left_of_it_survive() {
    let server = Folder::new().serve();
    let token = server.root().mint_counted(3);
    let verb = server.verb("token temp --attempts 1").line();
    token.generate();
    let server = server.kill().serve();
    let token = server.holder(&token.token);
    assert_eq!(token.attempts_left(), 2);
    token.generate();
    token.generate();
    token.send(&Call::get("/api/kem/generate_keys")).problem(401);
    server.holder(&verb).generate();
}
