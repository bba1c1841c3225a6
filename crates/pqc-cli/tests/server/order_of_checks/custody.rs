//! Who holds the secret keys: an account says it, a call may ask, and `server-only` lets none out.

use serde_json::{Value, json};

use super::{DECAPSULATE, KEY};
use crate::support::{
    Account, Call, Client, Folder, Issuer, KeyPair, bytes, flipped, shared, text, with,
};

/// Whether the server keeps the secret key of the pair.
fn is_stored(root: &Client, pair: &KeyPair) -> bool {
    let (cipher, shared_key) = pair.encapsulated_by(root);
    let answer = root.post(DECAPSULATE, &json!({"cipher": cipher, "pk": pair.pk}));
    if answer.status == 404 {
        answer.problem(404);
        return false;
    }
    assert_eq!(answer.ok()["shared_key"], shared_key);
    true
}

#[test]
fn by_default_the_server_keeps_the_secret_key_and_gives_none() {
    let root = shared().account().root;
    let pair = root.generate();
    assert!(pair.sk.is_none());
    assert!(is_stored(&root, &pair));
}

#[test]
fn a_call_can_ask_to_hold_the_key_and_then_nothing_is_stored() {
    let root = shared().account().root;
    let fields = json!({"custody": "client"});
    for answer in [
        root.post("/api/kem/generate_keys", &fields),
        root.get("/api/kem/generate_keys?custody=client"),
    ] {
        let pair = KeyPair::from(&answer.ok());
        assert_eq!(bytes(pair.sk.as_ref().unwrap()).len(), 64);
        assert!(!is_stored(&root, &pair));
        let (cipher, shared_key) = pair.encapsulated_by(&root);
        let opened = root.post(DECAPSULATE, &json!({"cipher": cipher, "sk": pair.sk})).ok();
        assert_eq!(opened["shared_key"], shared_key);
    }
    assert!(is_stored(&root, &root.generate_with(&json!({"custody": "server"}))));
    for wrong in ["server-only", "Client", "", "me"] {
        let fields = json!({"custody": wrong});
        root.post("/api/kem/generate_keys", &fields).invalid(&["body.custody"]);
    }
}

#[test]
fn a_client_custody_account_holds_its_keys() {
    let root = shared().account_with_custody("client").root;
    let pair = root.generate();
    assert!(pair.sk.is_some() && !is_stored(&root, &pair));
    let pair = root.generate_with(&json!({"custody": "server"}));
    assert!(pair.sk.is_none() && is_stored(&root, &pair));
}

#[test]
fn server_only_lets_no_secret_key_out() {
    let server = shared();
    let Account { name, root, .. } = server.account_with_custody("server-only");
    let pair = root.generate();
    assert!(pair.sk.is_none() && is_stored(&root, &pair));

    let client = json!({"custody": "client"});
    let asking = [
        Call::post("/api/kem/generate_keys", &client),
        Call::get("/api/kem/generate_keys?custody=client"),
        Call::post("/api/v1/pqc/kem/generate-keys/", &json!({})),
        Call::post("/api/v1/pqc/sign/generate-keys/", &json!({})),
    ];
    let token = root.mint_counted(9);
    for (count, call) in (1..).zip(&asking) {
        let answer = token.send(call);
        let problem = answer.problem(403);
        assert!(text(&problem, "type").ends_with(":custody"), "{problem}");
        assert_eq!(token.attempts_left(), 9 - count, "it is the operation that refuses");
    }
    // What gives no secret key away works: with stored keys, and with those that clients bring.
    let fields = json!({"secret_key": KEY, "message": "x"});
    root.post("/api/v1/pqc/sign/sign/", &fields).ok();
    root.post("/api/signature/sign", &json!({"data": "x"})).ok();
    root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    // Its twin, from the next call on.
    server.verb(&format!("account set {name} --custody server")).ended(0);
    for call in &asking {
        root.send(call).ok();
    }
    server.verb(&format!("account set {name} --custody server-only")).ended(0);
    root.send(&asking[0]).problem(403);
    assert!(is_stored(&root, &pair));
}

#[test]
fn trust_any_issuer_trusts_any_and_says_so_but_checks_the_signature() {
    let folder = Folder::new();
    let server = folder.serve_with("--trust-any-issuer --log warn");
    let root = server.root();
    let account = text(&root.token_self(), "account");
    let pk = bytes(&root.generate().pk);
    let fields = Issuer::new(pqc_core::SignatureAlgorithm::MlDsa65).vouches_for(&pk, &account, 0);
    let encapsulate = |client: &Client, fields: &Value| client.post(super::ENCAPSULATE, fields);
    encapsulate(&root, &fields).ok();
    let wrong = with(&fields, "signature", flipped(&text(&fields, "signature"), 99));
    encapsulate(&root, &wrong).invalid(&["body.signature"]);
    let ended = server.stop();
    assert!(ended.stderr.contains("--trust-any-issuer"), "{}", ended.stderr);
    // Its twin: without the option the same is refused, and nothing is said.
    let server = folder.serve();
    encapsulate(&server.root(), &fields).problem(403);
    assert!(!server.stop().stderr.contains("trust-any-issuer"));
}
