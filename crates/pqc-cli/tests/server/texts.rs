//! Texts: what goes in comes out exactly, for its key alone, or not at all.

use pqc_core::{BoxKey, MessageBox, Secret};
use serde_json::{Value, json};

use crate::support::{Answer, Call, Client, Folder, bytes, flipped, shared, text, with};

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const MAX_TEXT: usize = 16 * 1024 * 1024;

fn encrypt(client: &Client, fields: &Value) -> Answer {
    client.post("/api/aes/encrypt_text", fields)
}

fn decrypt(client: &Client, fields: &Value) -> Answer {
    client.post("/api/aes/decrypt_text", fields)
}

/// Once with a caller's key, once with the account's.
fn with_each_key(fields: &Value) -> [Value; 2] {
    [with(fields, "key", KEY), fields.clone()]
}

/// Sends `unencrypted` as it is written in JSON, and asserts that `text` comes back.
#[track_caller]
fn assert_round_trip(client: &Client, written: &str, text: &str) {
    for key in [format!(r#","key":"{KEY}""#), String::new()] {
        let body = format!(r#"{{"unencrypted":"{written}"{key}}}"#);
        let sealed = client.send(&Call::post_raw("/api/aes/encrypt_text", body)).ok_text();
        assert_eq!(sealed.len(), 2 * (text.len() + 58));
        let body = format!(r#"{{"ciphertext":"{sealed}"{key}}}"#);
        let opened = client.send(&Call::post_raw("/api/aes/decrypt_text", body)).ok_text();
        assert!(opened == text, "another text came back");
    }
}

#[test]
fn short_texts_come_back() {
    let root = shared().account().root;
    for text in [
        "",
        " ",
        "a",
        "Zażółć gęślą jaźń",
        "😀👩‍👩‍👧‍👦",
        "\0",
        "\0\0a\0",
        "\u{feff}",
        "e\u{301}",
        "\u{10ffff}",
        "\u{d7ff}\u{e000}",
        "\"\\/",
        "null",
        "\r\n",
        "\u{2028}\u{7f}\u{85}",
    ] {
        let written = serde_json::to_string(text).unwrap();
        assert_round_trip(&root, &written[1..written.len() - 1], text);
    }
}

#[test]
fn every_escaped_control_character_comes_back() {
    let root = shared().account().root;
    let controls: String = (0..0x20u8).map(char::from).collect();
    let written: String = (0..0x20).map(|code| format!("\\u{code:04x}")).collect();
    assert_round_trip(&root, &written, &controls);
    assert_round_trip(&root, &written.to_uppercase().replace("\\U", "\\u"), &controls);
    assert_round_trip(&root, r#"\b\f\n\r\t\"\\\/"#, "\u{8}\u{c}\n\r\t\"\\/");
}

#[test]
fn every_escaped_surrogate_pair_comes_back() {
    let root = shared().account().root;
    let beyond: String = ('\u{10000}'..='\u{10ffff}').collect();
    let mut written = String::with_capacity(12 * 1024 * 1024);
    for character in beyond.chars() {
        for unit in character.encode_utf16(&mut [0; 2]) {
            written += &format!("\\u{unit:04x}");
        }
    }
    assert_eq!(written.len(), 0x10_0000 * 12);
    assert_round_trip(&root, &written, &beyond);
}

#[test]
fn every_escaped_character_of_the_first_plane_comes_back() {
    let root = shared().account().root;
    let plane: String = ('\0'..='\u{ffff}').collect();
    let written: String = plane.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    assert_round_trip(&root, &written, &plane);
}

#[test]
fn a_lone_surrogate_is_no_text() {
    let root = shared().account().root;
    for written in
        [r"\ud800", r"\udfff", r"\ud83d!", r"\ud83d\u0041", r"\ude00\ud83d", r"\ud83d\ud83d"]
    {
        let body = format!(r#"{{"unencrypted":"{written}","key":"{KEY}"}}"#);
        root.send(&Call::post_raw("/api/aes/encrypt_text", body)).problem(400);
    }
    let body = b"{\"unencrypted\":\"\xed\xa0\x80\"}";
    root.send(&Call::post_raw("/api/aes/encrypt_text", body)).problem(400);
    assert_round_trip(&root, r"\ud83d\ude00", "😀");
}

#[test]
fn the_longest_text_comes_back_and_one_byte_more_is_refused() {
    let root = shared().account().root;
    // Three bytes a character and one more: the limit is in bytes.
    let longest = "€".repeat(MAX_TEXT / 3) + "x";
    assert_eq!(longest.len(), MAX_TEXT);
    assert_round_trip(&root, &longest, &longest);
    for fields in with_each_key(&json!({"unencrypted": longest + "x"})) {
        let problem = encrypt(&root, &fields).invalid(&["body.unencrypted"]);
        assert!(text(&problem, "detail").contains("16777216"), "{problem}");
    }
}

#[test]
fn the_longest_text_can_be_set() {
    let server = Folder::new().serve_with("--log warn --max-text 10");
    let root = server.root();
    for fields in with_each_key(&json!({"unencrypted": "ten bytes!"})) {
        let sealed = encrypt(&root, &fields).ok_text();
        let fields = with(&with(&fields, "ciphertext", sealed), "unencrypted", Value::Null);
        assert_eq!(decrypt(&root, &fields).ok_text(), "ten bytes!");
        let longer = with(&fields, "unencrypted", "eleven byte");
        encrypt(&root, &longer).invalid(&["body.unencrypted"]);
    }
}

#[test]
fn the_longest_text_that_can_be_set_comes_back() {
    let server = Folder::new().serve_with("--log warn --max-text 67108864");
    let longest = "x".repeat(67_108_864);
    let key = "07".repeat(32);
    let sealed = encrypt(&server.root(), &json!({"unencrypted": longest, "key": key})).ok_text();
    let opened = decrypt(&server.root(), &json!({"ciphertext": sealed, "key": key})).ok_text();
    assert!(opened == longest);
}

#[test]
fn a_flipped_bit_anywhere_gives_422_and_no_plaintext() {
    let root = shared().account().root;
    for fields in with_each_key(&json!({"unencrypted": "Meet me at noon."})) {
        let sealed = encrypt(&root, &fields).ok_text();
        let length = sealed.len() / 2;
        assert_eq!(length, 58 + 16);
        let fields = with(&fields, "unencrypted", Value::Null);
        for index in 0..length {
            let wrong = with(&fields, "ciphertext", flipped(&sealed, index));
            let answer = decrypt(&root, &wrong);
            answer.invalid(&["body.ciphertext"]);
            assert!(!answer.start().contains("noon"), "byte {index}");
        }
        for cut in [2, 32, sealed.len() - 116, sealed.len()] {
            let shorter = with(&fields, "ciphertext", &sealed[..sealed.len() - cut]);
            decrypt(&root, &shorter).invalid(&["body.ciphertext"]);
        }
        let longer = with(&fields, "ciphertext", format!("{sealed}00"));
        decrypt(&root, &longer).invalid(&["body.ciphertext"]);
        assert_eq!(
            decrypt(&root, &with(&fields, "ciphertext", sealed)).ok_text(),
            "Meet me at noon."
        );
    }
}

#[test]
fn a_key_has_32_bytes() {
    let root = shared().account().root;
    let fields = json!({"unencrypted": "x", "key": KEY});
    let sealed = encrypt(&root, &fields).ok_text();
    let to_open = json!({"ciphertext": sealed, "key": KEY});
    for wrong in ["", "00", &KEY[2..], &format!("{KEY}00"), &KEY[1..], "no key"] {
        let problem = encrypt(&root, &with(&fields, "key", wrong)).invalid(&["body.key"]);
        assert!(wrong.len() < 8 || !problem.to_string().contains(wrong));
        decrypt(&root, &with(&to_open, "key", wrong)).invalid(&["body.key"]);
    }
    let problem = encrypt(&root, &with(&fields, "key", &KEY[2..])).problem(422);
    assert_eq!(problem["errors"][0]["msg"], "must be 32 bytes, not 31");
    assert_eq!(decrypt(&root, &to_open).ok_text(), "x");
    let another = with(&to_open, "key", flipped(KEY, 31));
    decrypt(&root, &another).invalid(&["body.ciphertext"]);
}

#[test]
fn without_a_key_it_is_the_accounts_and_no_other_account_opens_it() {
    let (owner, other) = (shared().account().root, shared().account().root);
    let sealed = encrypt(&owner, &json!({"unencrypted": "mine"})).ok_text();
    let fields = json!({"ciphertext": sealed});
    assert_eq!(decrypt(&owner, &fields).ok_text(), "mine");
    decrypt(&other, &fields).invalid(&["body.ciphertext"]);
    // Also once the other has a key of its own.
    let theirs = encrypt(&other, &json!({"unencrypted": "theirs"})).ok_text();
    decrypt(&other, &fields).invalid(&["body.ciphertext"]);
    assert_eq!(decrypt(&other, &json!({"ciphertext": theirs})).ok_text(), "theirs");
    // The key's id stands in the head: one key an account, made once.
    let again = encrypt(&owner, &json!({"unencrypted": "mine"})).ok_text();
    assert_eq!(sealed[..36], again[..36]);
    assert_ne!(sealed[4..36], theirs[4..36]);
    assert_ne!(sealed[36..84], again[36..84], "a fresh nonce each time");
}

#[test]
fn an_accounts_text_and_a_callers_do_not_open_by_the_others_key() {
    let root = shared().account().root;
    let [callers, accounts] =
        with_each_key(&json!({"unencrypted": "x"})).map(|fields| encrypt(&root, &fields).ok_text());
    assert_eq!(callers[4..36], "00".repeat(16));
    decrypt(&root, &json!({"ciphertext": callers})).invalid(&["body.ciphertext"]);
    let wrong = json!({"ciphertext": accounts, "key": KEY});
    decrypt(&root, &wrong).invalid(&["body.ciphertext"]);
}

#[test]
fn associated_data_has_to_be_the_same() {
    let root = shared().account().root;
    for fields in with_each_key(&json!({"unencrypted": "x", "aad": "for Bob"})) {
        let sealed = encrypt(&root, &fields).ok_text();
        let right = with(&with(&fields, "ciphertext", sealed), "unencrypted", Value::Null);
        assert_eq!(decrypt(&root, &right).ok_text(), "x");
        for wrong in [json!(null), json!(""), json!("for bob"), json!("for Bob ")] {
            decrypt(&root, &with(&right, "aad", wrong)).invalid(&["body.ciphertext"]);
        }
        decrypt(&root, &with(&right, "aad", 7)).invalid(&["body.aad"]);
    }
}

#[test]
fn the_core_opens_the_servers_texts_and_the_server_the_cores() {
    let root = shared().account().root;
    let key = BoxKey::from_caller(&Secret::from(<[u8; 32]>::try_from(bytes(KEY)).unwrap()));
    let fields = json!({"unencrypted": "ünï", "key": KEY, "aad": "ä"});
    let sealed = MessageBox::from_bytes(bytes(&encrypt(&root, &fields).ok_text())).unwrap();
    let opened = key.open(&sealed, "ä".as_bytes()).unwrap();
    assert_eq!(opened.expose_bytes(), "ünï".as_bytes());
    let sealed = key.seal(b"from afar", b"", &mut getrandom::SysRng).unwrap();
    let fields = json!({"ciphertext": hex::encode(sealed.as_bytes()), "key": KEY});
    assert_eq!(decrypt(&root, &fields).ok_text(), "from afar");
}

#[test]
fn a_box_that_holds_no_text_is_told_of_its_field() {
    let root = shared().account().root;
    let key = BoxKey::from_caller(&Secret::from(<[u8; 32]>::try_from(bytes(KEY)).unwrap()));
    let sealed = key.seal(b"\xff\xfe", b"", &mut getrandom::SysRng).unwrap();
    let fields = json!({"ciphertext": hex::encode(sealed.as_bytes()), "key": KEY});
    decrypt(&root, &fields).invalid(&["body.ciphertext"]);
}
