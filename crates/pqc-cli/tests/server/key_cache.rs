//! Keys in memory change no answer: the tests of what keys and tokens may do pass with none, with one
//! and, in their own run, with as many as by default. That they are there at all is seen by operators.

use std::env;
use std::process::Command;

use pqc_core::EncapsulationKey;
use serde_json::json;

use crate::support::{Call, Client, Folder, KeyPair, Scrape, Server, bytes};

const DECAPSULATE: &str = "/api/kem/decapsulate_key";
const SIGN: &str = "/api/signature/sign";
const LOOKUPS: &str = "pqc_key_cache_lookups_total";
const BYTES: &str = "pqc_key_cache_bytes";
/// The tests that use stored and attested keys, again and again: by their modules.
const SUITE: [&str; 9] = [
    "decapsulation::",
    "encapsulation_refuses::",
    "families::",
    "isolation::",
    "keys::",
    "moved_rows::",
    "order_of_checks::",
    "texts::",
    "token_spending::",
];

fn started(options: &str) -> (Server, Client) {
    let server =
        Folder::new().serve_with(&format!("--log warn --admin-listen 127.0.0.1:0 {options}"));
    let operator = server.operator();
    (server, operator)
}

/// A decapsulation by the pair, and what comes of it. No server encapsulated.
fn to_decapsulate(pair: &KeyPair) -> (Call, String) {
    let key = EncapsulationKey::from_bytes(&bytes(&pair.pk)).unwrap();
    let (ciphertext, secret) = key.encapsulate_unattested(&mut getrandom::SysRng).unwrap();
    let fields = json!({"cipher": hex::encode(ciphertext.as_bytes()), "pk": pair.pk});
    (Call::post(DECAPSULATE, &fields), hex::encode(secret.expose_bytes()))
}

fn lookups(kind: &str, result: &str, count: f64) -> (String, f64) {
    (format!("{LOOKUPS}{{kind=\"{kind}\",result=\"{result}\"}}"), count)
}

/// A little more than one key pair takes.
fn room_for_one() -> u64 {
    let (server, operator) = started("");
    let root = server.root();
    let (call, shared_key) = to_decapsulate(&root.generate());
    assert_eq!(root.send(&call).ok()["shared_key"], shared_key);
    (Scrape::of(&operator).value(BYTES) * 1.25) as u64
}

#[test]
fn calls_that_are_made_again_find_their_keys_in_memory() {
    let (server, operator) = started("");
    let root = server.root();
    let (pair, before) = (root.generate(), Scrape::of(&operator));
    assert_eq!(before.value(BYTES), 0.0);
    let (call, shared_key) = to_decapsulate(&pair);
    for _ in 0..4 {
        assert_eq!(root.send(&call).ok()["shared_key"], shared_key);
    }
    for _ in 0..3 {
        root.post(SIGN, &json!({"data": "x"})).ok();
    }
    pair.encapsulated_by(&root);
    pair.encapsulated_by(&root);
    let after = Scrape::of(&operator);
    let grown = [
        lookups("attested_key", "hit", 1.0),
        lookups("attested_key", "miss", 1.0),
        lookups("decapsulation_key", "hit", 3.0),
        lookups("decapsulation_key", "miss", 1.0),
        lookups("signing_key", "hit", 2.0),
        lookups("signing_key", "miss", 1.0),
    ];
    assert_eq!(after.since(&before, &[LOOKUPS]), grown);

    // A key that is destroyed answers nothing from then on, and leaves.
    root.send(&Call::new("DELETE", format!("/api/v1/keys/{}", pair.key_id))).ok();
    assert!(Scrape::of(&operator).value(BYTES) < after.value(BYTES));
    root.send(&call).problem(404);
    let path = format!("/api/v1/keys/{}/undelete", pair.key_id);
    root.send(&Call::new("POST", path)).ok();
    assert_eq!(root.send(&call).ok()["shared_key"], shared_key);
    let grown = [lookups("decapsulation_key", "miss", 1.0)];
    assert_eq!(Scrape::of(&operator).since(&after, &[LOOKUPS]), grown);
}

#[test]
fn no_key_stays_in_memory_where_there_is_no_room() {
    let (server, operator) = started("--key-cache 0");
    let root = server.root();
    let pair = root.generate();
    let (call, shared_key) = to_decapsulate(&pair);
    let before = Scrape::of(&operator);
    for _ in 0..3 {
        assert_eq!(root.send(&call).ok()["shared_key"], shared_key);
        pair.encapsulated_by(&root);
        root.post(SIGN, &json!({"data": "x"})).ok();
    }
    let after = Scrape::of(&operator);
    let grown = ["attested_key", "decapsulation_key", "signing_key"];
    let grown = grown.map(|kind| lookups(kind, "miss", 3.0));
    assert_eq!((after.since(&before, &[LOOKUPS]), after.value(BYTES)), (grown.to_vec(), 0.0));
}

#[test]
fn what_holds_by_default_holds_with_room_for_no_key_and_for_one() {
    for room in [0, room_for_one()] {
        let mut suite = Command::new(env::current_exe().unwrap());
        suite.args(SUITE).env(Server::KEY_CACHE, room.to_string());
        let ran = suite.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "with room for {room} bytes:\n{said}");
        let passed = said.split_once("test result: ok. ").unwrap().1.split(' ').next().unwrap();
        let passed: u32 = passed.parse().unwrap();
        assert!(passed > 60, "only {passed} ran");
    }
}
