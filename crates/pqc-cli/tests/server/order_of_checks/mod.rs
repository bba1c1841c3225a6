//! The order of checks, and what an attempt is spent on: one row for each refusal of the error
//! table, each beside a twin that is served.

mod custody;
mod precedence;
mod scopes;

use pqc_core::SignatureAlgorithm;
use serde_json::{Value, json};

use crate::support::{
    Account, Call, Client, Issuer, KeyPair, bytes, flipped, shared, text, unreduced, with,
};

const ENCAPSULATE: &str = "/api/kem/encapsulate_key";
const DECAPSULATE: &str = "/api/kem/decapsulate_key";
const ENCRYPT: &str = "/api/aes/encrypt_text";
const DECRYPT: &str = "/api/aes/decrypt_text";
const SIGN: &str = "/api/signature/sign";
const VERIFY: &str = "/api/signature/verify";
const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

/// An account with something of each kind, and the calls that it can make with it.
struct Things {
    account: Account,
    pair: KeyPair,
    encapsulate: Value,
    decapsulate: Value,
    decrypt: Value,
    sign: Value,
    verify: Value,
}

impl Things {
    fn new() -> Self {
        let account = shared().account();
        let root = &account.root;
        let pair = root.generate();
        let (cipher, _) = pair.encapsulated_by(root);
        let sealed = root.post(ENCRYPT, &json!({"unencrypted": "x"})).ok_text();
        let signed = root.post(SIGN, &json!({"data": "x"})).ok();
        Self {
            encapsulate: pair.to_encapsulate(),
            decapsulate: json!({"cipher": cipher, "pk": pair.pk}),
            decrypt: json!({"ciphertext": sealed}),
            sign: json!({"data": "x", "key_id": signed["key_id"]}),
            verify: json!({"data": "x", "pk": signed["pk"], "signature": signed["signature"]}),
            pair,
            account,
        }
    }
}

/// A call that is refused, and the one it differs from in one thing.
struct Row {
    what: &'static str,
    status: u16,
    spends: u64,
    call: Call,
    twin: Call,
}

/// Sends the row's call by a token with counted attempts, then its twin.
#[track_caller]
fn check(root: &Client, row: &Row) {
    let Row { what, status, spends, call, twin } = row;
    let token = root.mint_counted(3);
    let answer = token.send(call);
    assert_eq!(answer.status, *status, "{what}: {}", answer.start());
    answer.problem(*status);
    assert_eq!(token.attempts_left(), 3 - spends, "{what}");
    let answer = token.send(twin);
    assert_eq!(answer.status, 200, "the twin of: {what}: {}", answer.start());
    assert_eq!(token.attempts_left(), 2 - spends, "the twin of: {what}");
}

fn row(what: &'static str, status: u16, spends: u64, call: Call, twin: &Call) -> Row {
    Row { what, status, spends, call, twin: twin.clone() }
}

#[test]
fn what_is_refused_before_the_operation_spends_nothing() {
    let things = Things::new();
    let right = Call::post(ENCAPSULATE, &things.encapsulate);
    let body = |json: &str| Call::post_raw(ENCAPSULATE, json);
    let object = things.encapsulate.to_string();
    let twice = object.replacen('{', "{\"pk\":\"00\",", 1);
    let surrogate = object.replacen('{', r#"{"x":"\ud800","#, 1);
    let long_url = format!("{ENCAPSULATE}?x={}", "x".repeat(8 * 1024));
    let rows = [
        row("no such route", 404, 0, right.at("/api/kem/encapsulate"), &right),
        row("another method", 405, 0, Call::get(ENCAPSULATE), &right),
        row("a long URL", 414, 0, right.at(&long_url), &right),
        row("long headers", 431, 0, right.clone().header("x-y", "x".repeat(16 * 1024)), &right),
        row("a foreign host", 400, 0, right.clone().header("host", "example.com"), &right),
        row("minting", 403, 0, Call::get("/api/token/new"), &right),
        row("another type", 415, 0, right.clone().header("content-type", "text/plain"), &right),
        row("no type", 415, 0, Call::new("POST", ENCAPSULATE).body(object.as_str()), &right),
        row("a coding", 415, 0, right.clone().header("content-encoding", "gzip"), &right),
        row("a long body", 413, 0, body(&format!("{object}{}", " ".repeat(1 << 20))), &right),
        row("no body", 400, 0, Call::empty_post(ENCAPSULATE), &right),
        row("an empty body", 400, 0, body(""), &right),
        row("not JSON", 400, 0, body(&object[1..]), &right),
        row("not an object", 400, 0, body(&format!("[{object}]")), &right),
        row("not UTF-8", 400, 0, Call::post_raw(ENCAPSULATE, b"{\"x\":\"\xff\"}"), &right),
        row("a name twice", 400, 0, body(&twice), &right),
        row("a lone surrogate", 400, 0, body(&surrogate), &right),
    ];
    for row in &rows {
        check(&things.account.root, row);
    }
}

#[test]
fn what_fails_in_encapsulation_has_spent_its_attempt() {
    let things = Things::new();
    let Account { root, id, .. } = &things.account;
    let issuer = Issuer::new(SignatureAlgorithm::MlDsa65).trusted_by(shared());
    let (pk, other) = (bytes(&things.pair.pk), shared().account());
    let call = |fields: &Value| Call::post(ENCAPSULATE, fields);
    let changed = |name, value: Value| call(&with(&things.encapsulate, name, value));
    let right = call(&things.encapsulate);
    let own = changed("account", json!(id));
    let stranger = Issuer::new(SignatureAlgorithm::MlDsa65).vouches_for(&pk, id, 0);
    let by_issuer = call(&issuer.vouches_for(&pk, id, 0));
    let in_time = call(&issuer.vouches_for(&pk, id, crate::support::now() + 3600));
    let over = call(&issuer.vouches_for(&pk, id, crate::support::now()));
    let modulus = call(&issuer.vouches_for(&unreduced(&pk), id, 0));
    // The head of another, just as genuine, attestation.
    let second = root.generate().attestation;
    let swapped =
        format!("{}{}", &issuer_head(&issuer, &pk, &other.id), &things.pair.attestation[66..]);
    let second = format!("{}{}", &things.pair.attestation[..66], &second[66..]);
    let rows = [
        row("an issuer that is not trusted", 403, 1, call(&stranger), &by_issuer),
        row("a swapped head", 422, 1, changed("signature", json!(swapped)), &right),
        row("a swapped signature", 422, 1, changed("signature", json!(second)), &right),
        row("another account", 403, 1, changed("account", json!(other.id)), &own),
        row("an expired attestation", 422, 1, over, &in_time),
        row("an unreduced key", 422, 1, modulus, &by_issuer),
        row("a short key", 422, 1, changed("pk", json!("00")), &right),
        row("a missing field", 422, 1, changed("verif_key", Value::Null), &right),
        row("a wrong type", 422, 1, changed("pk", json!(1)), &right),
        row("not hex", 422, 1, changed("pk", json!("!")), &right),
    ];
    for row in &rows {
        check(root, row);
    }
}

/// The head of an attestation for `account`, in hex.
fn issuer_head(issuer: &Issuer, pk: &[u8], account: &str) -> String {
    text(&issuer.vouches_for(pk, account, 0), "signature")[..66].to_owned()
}

#[test]
fn what_fails_in_any_other_operation_has_spent_its_attempt() {
    let things = Things::new();
    let root = &things.account.root;
    let others = Things::new();
    let (small, _) = root.generate_with(&json!({"algorithm": "ML-KEM-512"})).encapsulated_by(root);
    let unknown = flipped(&things.pair.pk, 0);
    let flipped_text = flipped(&text(&things.decrypt, "ciphertext"), 50);
    let generate = Call::get("/api/kem/generate_keys");
    let decapsulate = Call::post(DECAPSULATE, &things.decapsulate);
    let encrypt = json!({"unencrypted": "x", "key": KEY});
    let (encrypt_call, decrypt) =
        (Call::post(ENCRYPT, &encrypt), Call::post(DECRYPT, &things.decrypt));
    let (sign, verify) = (Call::post(SIGN, &things.sign), Call::post(VERIFY, &things.verify));
    let v1 = json!({"encapsulation_key": things.pair.pk});
    let v1_call = Call::post("/api/v1/pqc/kem/encapsulate/", &v1);
    let but =
        |path, fields: &Value, name, value: Value| Call::post(path, &with(fields, name, value));
    let opened = |name, value: Value| but(DECAPSULATE, &things.decapsulate, name, value);
    let others_pk = json!(others.pair.pk);
    let in_query = Call::post(format!("{ENCRYPT}?key={KEY}"), &encrypt);
    let rows = [
        row(
            "an unknown algorithm",
            422,
            1,
            Call::get("/api/kem/generate_keys?algorithm=x"),
            &generate,
        ),
        row("an unknown pk", 404, 1, opened("pk", json!(unknown)), &decapsulate),
        row("another account's pk", 404, 1, opened("pk", others_pk), &decapsulate),
        row("another set's cipher", 422, 1, opened("cipher", json!(small)), &decapsulate),
        row("a short cipher", 422, 1, opened("cipher", json!("00")), &decapsulate),
        row("a short sk", 422, 1, opened("sk", json!("00")), &decapsulate),
        row("no fields", 422, 1, Call::get(DECAPSULATE), &decapsulate),
        row("a secret in the query", 422, 1, in_query, &encrypt_call),
        row("a short key", 422, 1, but(ENCRYPT, &encrypt, "key", json!("00")), &encrypt_call),
        row("no text", 422, 1, but(ENCRYPT, &encrypt, "unencrypted", Value::Null), &encrypt_call),
        row(
            "a flipped bit",
            422,
            1,
            Call::post(DECRYPT, &json!({"ciphertext": flipped_text})),
            &decrypt,
        ),
        row("another account's text", 422, 1, Call::post(DECRYPT, &others.decrypt), &decrypt),
        row("a short text", 422, 1, Call::post(DECRYPT, &json!({"ciphertext": "00"})), &decrypt),
        row("another account's key", 404, 1, Call::post(SIGN, &others.sign), &sign),
        row(
            "a long context",
            422,
            1,
            but(SIGN, &things.sign, "context", json!("x".repeat(256))),
            &sign,
        ),
        row(
            "a short signature",
            422,
            1,
            but(VERIFY, &things.verify, "signature", json!("00")),
            &verify,
        ),
        row(
            "a short key of the client's",
            422,
            1,
            but("/api/v1/pqc/kem/encapsulate", &v1, "encapsulation_key", json!("00")),
            &v1_call,
        ),
    ];
    for row in &rows {
        check(root, row);
    }
    // A wrong signature is no refusal, and a call like any other.
    let token = root.mint_counted(2);
    let wrong = but(VERIFY, &things.verify, "data", json!("y"));
    assert_eq!(token.send(&wrong).ok(), json!({"verified": false}));
    assert_eq!(token.attempts_left(), 1);
}
