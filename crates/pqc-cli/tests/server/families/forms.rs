//! The forms of one and the same call: schemes, methods, slashes, encodings.

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};
use reqwest::Url;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Client, bytes, shared, text, with};

/// A call that works.
struct Row {
    path: &'static str,
    get: bool,
    fields: Value,
    /// The fields that are bytes.
    binary: &'static [&'static str],
    /// The answer, where it is always the same.
    answer: Option<Value>,
}

impl Row {
    fn new(path: &'static str, fields: Value, binary: &'static [&'static str]) -> Self {
        Self { path, get: false, fields, binary, answer: None }
    }

    fn or_get(self) -> Self {
        Self { get: true, ..self }
    }

    fn answering(self, answer: Value) -> Self {
        Self { answer: Some(answer), ..self }
    }

    #[track_caller]
    fn check(&self, answer: &Answer) {
        let answer = answer.ok();
        assert!(self.answer.as_ref().is_none_or(|expected| *expected == answer), "{}", self.path);
    }

    fn calls(&self, slash: &str, fields: &Value) -> Vec<Call> {
        let path = format!("{}{slash}", self.path);
        let mut calls = vec![Call::post(&path, fields)];
        if self.get {
            let query = query(fields);
            calls.push(Call::get(format!("{path}{query}")));
            // The fields in the query of a POST, with a body or none.
            calls.push(Call::empty_post(format!("{path}{query}")));
            calls.push(Call::post(format!("{path}{query}"), &json!({})));
        }
        calls
    }
}

fn query(fields: &Value) -> String {
    let pairs = fields.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str()));
    let pairs = pairs.map(|(name, value)| (name, value.unwrap()));
    let url = Url::parse_with_params("http://any/", pairs).unwrap();
    url.query().filter(|query| !query.is_empty()).map_or_else(String::new, |q| format!("?{q}"))
}

/// All rows of both families.
fn rows(root: &Client) -> Vec<Row> {
    let pair = root.generate();
    let (cipher, shared_key) = pair.encapsulated_by(root);
    let held = root.generate_with(&json!({"custody": "client"}));
    let (held_cipher, held_shared_key) = held.encapsulated_by(root);
    let held_sk = held.sk.clone().unwrap();
    let shared_secret = json!({"shared_secret": held_shared_key});
    let account = text(&root.token_self(), "account");
    let sealed =
        root.post("/api/aes/encrypt_text", &json!({"unencrypted": "é", "key": shared_key}));
    let signed = root.post("/api/signature/sign", &json!({"data": "é"})).ok();
    let (pk, signature) = (&signed["pk"], &signed["signature"]);
    vec![
        Row::new("/api/token/new", json!({"label": "é"}), &[]).or_get(),
        Row::new("/api/kem/generate_keys", json!({"algorithm": "ML-KEM-512"}), &[]).or_get(),
        Row::new(
            "/api/kem/encapsulate_key",
            with(&pair.to_encapsulate(), "account", account),
            &["pk", "signature", "verif_key", "account"],
        ),
        Row::new(
            "/api/kem/decapsulate_key",
            json!({"cipher": cipher, "pk": pair.pk}),
            &["cipher", "pk"],
        )
        .or_get()
        .answering(json!({"shared_key": shared_key})),
        Row::new(
            "/api/kem/decapsulate_key",
            json!({"cipher": held_cipher, "sk": held_sk}),
            &["cipher", "sk"],
        )
        .answering(json!({"shared_key": held_shared_key})),
        Row::new("/api/aes/encrypt_text", json!({"unencrypted": "é", "key": shared_key}), &["key"]),
        Row::new(
            "/api/aes/decrypt_text",
            json!({"ciphertext": sealed.ok_text(), "key": shared_key}),
            &["ciphertext", "key"],
        )
        .answering(json!("é")),
        Row::new(
            "/api/signature/sign",
            json!({"data": "é", "key_id": signed["key_id"]}),
            &["key_id"],
        ),
        Row::new(
            "/api/signature/verify",
            json!({"data": "é", "pk": pk, "signature": signature}),
            &["pk", "signature"],
        )
        .answering(json!({"verified": true})),
        Row::new("/api/v1/pqc/kem/generate-keys", json!({}), &[]),
        Row::new(
            "/api/v1/pqc/kem/encapsulate",
            json!({"encapsulation_key": held.pk}),
            &["encapsulation_key"],
        ),
        Row::new(
            "/api/v1/pqc/kem/decapsulate",
            json!({"decapsulation_key": held_sk, "ciphertext": held_cipher}),
            &["decapsulation_key", "ciphertext"],
        )
        .answering(shared_secret),
        Row::new("/api/v1/pqc/sign/generate-keys", json!({}), &[]),
        Row::new(
            "/api/v1/pqc/sign/sign",
            json!({"secret_key": "1f".repeat(32), "message": "é"}),
            &["secret_key"],
        ),
        Row::new(
            "/api/v1/pqc/sign/verify",
            json!({"public_key": pk, "message": "é", "signature": signature}),
            &["public_key", "signature"],
        )
        .answering(json!({"valid": true})),
    ]
}

#[test]
fn every_call_takes_both_schemes_both_slashes_and_the_methods_that_are_named() {
    let root = shared().account().root;
    let mut count = 0;
    for row in rows(&root) {
        for scheme in ["auth_token", "Bearer"] {
            for slash in ["", "/"] {
                for call in row.calls(slash, &row.fields) {
                    row.check(&root.with_scheme(scheme).send(&call));
                    count += 1;
                }
            }
        }
    }
    println!("{count} calls");
    assert_eq!(count, 4 * (12 + 3 * 4));
}

#[test]
fn a_scheme_is_read_in_any_case() {
    let root = shared().account().root;
    for scheme in ["AUTH_TOKEN", "Auth_Token", "bearer", "BEARER", "Bearer ", " Bearer"] {
        root.with_scheme(scheme).token_self();
    }
    for scheme in ["Token", "Basic", "auth-token", "Bearer:", "auth_token=", "Bearer Bearer"] {
        root.with_scheme(scheme).get("/api/v1/token/self").problem(401);
    }
}

#[test]
fn bytes_are_read_in_hex_of_either_case_and_in_four_kinds_of_base64() {
    let root = shared().account().root;
    let mixed = |bytes: &[u8]| {
        let (upper, lower) = (hex::encode_upper(bytes), hex::encode(bytes));
        format!("{}{}", &upper[..bytes.len()], &lower[bytes.len()..])
    };
    let encodings: [fn(&[u8]) -> String; 6] = [
        |bytes| hex::encode_upper(bytes),
        mixed,
        Base64::encode_string,
        Base64Unpadded::encode_string,
        Base64Url::encode_string,
        Base64UrlUnpadded::encode_string,
    ];
    let mut count = 0;
    for row in rows(&root) {
        for encode in &encodings {
            let mut fields = row.fields.clone();
            for name in row.binary {
                let encoded = encode(&bytes(&text(&row.fields, name)));
                fields = with(&fields, name, encoded);
            }
            for call in row.calls("", &fields) {
                row.check(&root.send(&call));
                count += 1;
            }
        }
    }
    println!("{count} calls");
    assert_eq!(count, 6 * (12 + 3 * 4));
}

#[test]
fn what_is_almost_an_encoding_is_refused() {
    let root = shared().account().root;
    let row = json!({"unencrypted": "", "key": "00".repeat(32)});
    let base64 = Base64::encode_string(&[0xfb, 0xff].repeat(16));
    for wrong in [
        "0x".to_owned() + &"00".repeat(32),
        "00 ".repeat(32),
        base64.replace('=', "=="),
        base64.replacen("+/", "-/", 1),
        base64.replacen('=', "", 1) + "\n",
        base64.clone() + "\n",
    ] {
        assert_ne!(wrong, base64);
        root.post("/api/aes/encrypt_text", &with(&row, "key", wrong)).invalid(&["body.key"]);
    }
    root.post("/api/aes/encrypt_text", &with(&row, "key", base64)).ok();
}

#[test]
fn unknown_fields_and_null_are_passed_over() {
    let root = shared().account().root;
    let (pair, other) = (root.generate(), root.generate());
    let (cipher, shared_key) = pair.encapsulated_by(&root);
    let fields = json!({
        "cipher": cipher, "pk": pair.pk, "sk": null, "colour": "red", "deep": [{"a": [1.5, {}]}],
    });
    let path = "/api/kem/decapsulate_key?colour=blue&empty=&x";
    assert_eq!(root.post(path, &fields).ok(), json!({"shared_key": shared_key}));
    // The body's word counts before the query's.
    let path = format!("/api/kem/decapsulate_key?pk={}", other.pk);
    assert_eq!(root.post(&path, &fields).ok(), json!({"shared_key": shared_key}));
}
