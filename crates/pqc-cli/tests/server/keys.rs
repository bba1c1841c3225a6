//! Stored keys in their owner's hands, over HTTP, and in an operator's, by `pqc keys`.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Account, Call, Client, Folder, KeyPair, bytes_of, names, now, shared, text, wait_until,
};

const KEYS: &str = "/api/v1/keys";
const ENCRYPT: &str = "/api/aes/encrypt_text";
const DECRYPT: &str = "/api/aes/decrypt_text";
const SIGN: &str = "/api/signature/sign";
const JWKS: &str = "/.well-known/jwks.json";
const DAYS: u64 = 24 * 60 * 60;

fn one(id: &str) -> String {
    format!("{KEYS}/{id}")
}

fn delete(id: &str) -> Call {
    Call::new("DELETE", one(id))
}

fn undelete(id: &str) -> Call {
    Call::new("POST", format!("{KEYS}/{id}/undelete"))
}

/// The fields of a decapsulation by the pair, and the shared key it gives.
fn to_decapsulate(root: &Client, pair: &KeyPair) -> (Call, String) {
    let (cipher, shared_key) = pair.encapsulated_by(root);
    let fields = json!({"cipher": cipher, "pk": pair.pk});
    (Call::post("/api/kem/decapsulate_key", &fields), shared_key)
}

fn encrypted(root: &Client) -> Call {
    let text = root.post(ENCRYPT, &json!({"unencrypted": "x"})).ok_text();
    Call::post(DECRYPT, &json!({"ciphertext": text}))
}

fn ids(page: &Value) -> Vec<String> {
    page["keys"].as_array().unwrap().iter().map(|key| text(key, "key_id")).collect()
}

#[test]
fn a_key_is_told_of_without_its_secret() {
    let Account { root, .. } = shared().account();
    let pair = root.generate();
    let signed = root.post(SIGN, &json!({"data": "x"})).ok();
    root.post(ENCRYPT, &json!({"unencrypted": "x"})).ok_text();
    let page = root.get(KEYS).ok();
    assert_eq!((names(&page), &page["next_cursor"]), (vec!["keys", "next_cursor"], &Value::Null));
    let listed = page["keys"].as_array().unwrap();
    let kinds: Vec<_> = listed.iter().map(|key| text(key, "kind")).collect();
    assert_eq!(kinds, ["kem", "signing", "aes"]);

    let short = "algorithm created_at destroyed_at key_id kind purge_after retired_at version";
    let whole = "algorithm created_at destroyed_at key_id kind pk purge_after retired_at \
                 verification_key verification_signature version";
    for key in listed {
        assert_eq!(names(key), short.split(' ').collect::<Vec<_>>());
        let told = root.get(&one(&text(key, "key_id"))).ok();
        assert_eq!(names(&told), whole.split(' ').collect::<Vec<_>>());
        for name in names(key) {
            assert_eq!(told[name], key[name], "{name}");
        }
        assert!(told["created_at"].as_u64().unwrap().abs_diff(now()) < 60);
        assert!(told["destroyed_at"].is_null() && told["purge_after"].is_null());
    }
    let told = root.get(&one(&pair.key_id)).ok();
    let expected = json!([pair.pk, pair.attestation, pair.issuer, "ML-KEM-768", null]);
    let names = ["pk", "verification_signature", "verification_key", "algorithm", "version"];
    assert_eq!(json!(names.map(|name| told[name].clone())), expected);
    let told = root.get(&one(&text(&signed, "key_id"))).ok();
    assert_eq!((&told["pk"], &told["version"]), (&signed["pk"], &json!(1)));
    assert!(told["verification_key"].is_null() && told["verification_signature"].is_null());
    let told = root.get(&one(&text(&listed[2], "key_id"))).ok();
    assert_eq!((&told["pk"], &told["algorithm"]), (&Value::Null, &json!("AES-256")));
    // An id is read in every form.
    root.get(&one(&pair.key_id.to_uppercase())).ok();
}

#[test]
fn pages_come_one_after_the_other_to_the_end() {
    let Account { root, .. } = shared().account();
    let made: Vec<_> = (0..7).map(|_| root.generate().key_id).collect();
    for limit in [1, 3, 7, 1000] {
        let (mut seen, mut pages) = (Vec::new(), 0);
        let mut next = format!("{KEYS}?limit={limit}");
        loop {
            let page = root.get(&next).ok();
            seen.extend(ids(&page));
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{KEYS}?limit={limit}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(pages, 7_usize.div_ceil(limit));
        assert_eq!(seen.len(), 7);
        assert_eq!(BTreeSet::from_iter(seen), BTreeSet::from_iter(made.clone()));
    }
    assert_eq!(ids(&root.get(KEYS).ok()).len(), 7);
}

#[test]
fn what_is_wrong_with_a_call_is_said() {
    let Account { root, .. } = shared().account();
    let id = root.generate().key_id;
    let cursor = text(
        &{
            root.generate();
            root.get(&format!("{KEYS}?limit=1")).ok()
        },
        "next_cursor",
    );
    root.get(&format!("{KEYS}?limit=1&cursor={cursor}")).ok();
    for query in [
        "limit=0".to_owned(),
        "limit=1001".to_owned(),
        "limit=-1".to_owned(),
        "limit=x".to_owned(),
        "limit=99999999999999999999".to_owned(),
        "cursor=".to_owned(),
        "cursor=AAAA".to_owned(),
        "cursor=*".to_owned(),
        format!("cursor={cursor}A"),
        format!("cursor={}", &cursor[1..]),
        format!("cursor={cursor}%3D"),
    ] {
        let problem = root.get(&format!("{KEYS}?{query}")).problem(422);
        let name = query.split_once('=').unwrap().0;
        assert_eq!(problem["errors"][0]["loc"], json!(["query", name]), "{query}");
    }
    root.get(&format!("{KEYS}?limit=1&limit=1")).problem(400);
    for id in ["x", "00", &id[1..], "%ff", &format!("{id}00")] {
        for call in [Call::get(one(id)), delete(id), undelete(id)] {
            let problem = root.send(&call).problem(422);
            assert_eq!(problem["errors"][0]["loc"], json!(["path", "key_id"]), "{id}");
        }
    }
    let unknown = "00".repeat(32);
    for call in [Call::get(one(&unknown)), delete(&unknown), undelete(&unknown), undelete(&id)] {
        assert_eq!(root.send(&call).problem(404)["type"], "urn:pqc:problem:unknown-key");
    }
    for (path, method, allow) in [
        (KEYS.to_owned(), "POST", "GET, HEAD"),
        (one(&id), "POST", "GET, HEAD, DELETE"),
        (format!("{}/undelete", one(&id)), "GET", "POST"),
    ] {
        let answer = root.send(&Call::new(method, path.clone()));
        answer.problem(405);
        assert_eq!(answer.header("allow"), Some(allow), "{path}");
        root.send(&Call::new(method, format!("{path}/"))).problem(405);
    }
}

#[test]
fn keys_are_for_root_tokens_and_a_refused_call_spends_nothing() {
    let server = shared();
    let Account { root, .. } = server.account();
    let id = root.generate().key_id;
    let temporary = root.mint_counted(3);
    for call in [Call::get(KEYS), Call::get(one(&id)), delete(&id), undelete(&id)] {
        temporary.send(&call).problem(403);
        server.anyone().send(&call).problem(401);
    }
    // The token is looked at before what it asks for.
    temporary.get(&format!("{KEYS}?limit=0")).problem(403);
    server.anyone().get(&one("x")).problem(401);
    assert_eq!(temporary.attempts_left(), 3);
    root.send(&delete(&id)).ok();
}

#[test]
fn a_destroyed_key_does_nothing_until_it_is_brought_back() {
    let Account { root, .. } = shared().account();
    let pair = root.generate();
    let (decapsulate, shared_key) = to_decapsulate(&root, &pair);
    let decrypt = encrypted(&root);
    let aes = text(&root.get(KEYS).ok()["keys"][1], "key_id");
    let sign = |id: &Value| Call::post(SIGN, &json!({"data": "x", "key_id": id}));
    let signed = root.post(SIGN, &json!({"data": "x"})).ok();
    let signing = text(&signed, "key_id");

    for id in [&pair.key_id, &aes, &signing] {
        let gone = root.send(&delete(id)).ok();
        let at = gone["destroyed_at"].as_u64().unwrap();
        assert!(at.abs_diff(now()) < 60);
        assert_eq!(gone["purge_after"], at + 30 * DAYS);
        assert_eq!(root.get(&one(id)).ok(), gone, "it is told of still");
        root.send(&delete(id)).problem(404);
    }
    assert_eq!(ids(&root.get(KEYS).ok()).len(), 3);
    root.send(&decapsulate).problem(404);
    root.send(&decrypt).problem(422);
    root.send(&sign(&json!(signing))).problem(404);
    root.post("/api/token/new", &json!({"key_id": pair.key_id})).problem(404);
    // What needs a key and names none gets a new one.
    let again = root.post(SIGN, &json!({"data": "x"})).ok();
    assert_ne!(text(&again, "pk"), text(&signed, "pk"));
    root.send(&encrypted(&root)).ok_text();

    for id in [&pair.key_id, &aes, &signing] {
        let back = root.send(&undelete(id)).ok();
        assert!(back["destroyed_at"].is_null() && back["purge_after"].is_null(), "{back}");
        root.send(&undelete(id)).problem(404);
    }
    assert_eq!(root.send(&decapsulate).ok()["shared_key"], shared_key);
    assert_eq!(root.send(&decrypt).ok_text(), "x");
    root.send(&sign(&json!(signing))).ok();
    // The new ones stay in force.
    assert_eq!(root.post(SIGN, &json!({"data": "x"})).ok()["pk"], again["pk"]);
    assert!(root.get(&one(&signing)).ok()["retired_at"].is_u64());
}

#[test]
fn an_operator_rotates_beside_a_running_server() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let signed = root.post(SIGN, &json!({"data": "x"})).ok();
    let old = encrypted(&root);
    let rotate = |line: &str| server.verb(&format!("keys rotate --account {name} {line}"));
    let made = rotate("--kind signing --json").json();
    assert_eq!((&made["account"], &made["key"]["version"]), (&json!(name), &json!(2)));
    let again = root.post(SIGN, &json!({"data": "x"})).ok();
    assert_eq!(again["key_id"], made["key"]["key_id"]);
    let verify = json!({"data": "x", "pk": signed["pk"], "signature": signed["signature"]});
    assert_eq!(root.post("/api/signature/verify", &verify).ok(), json!({"verified": true}));

    let line = rotate("--kind aes").line();
    assert!(line.contains("version 2") && line.contains(&name), "{line}");
    assert_eq!(root.send(&old).ok_text(), "x");
    root.send(&encrypted(&root)).ok_text();
    let line = rotate("--kind signing --algorithm ML-DSA-44").line();
    assert!(line.contains("ML-DSA-44, version 1"), "{line}");

    for (wrong, code, why) in [
        ("", 2, "--kind"),
        ("--kind kem", 2, "kem"),
        ("--kind aes --algorithm ML-DSA-65", 2, "--kind signing"),
        ("--kind issuer", 2, "the server's"),
        ("--kind signing --algorithm RSA", 2, "ML-DSA-44"),
    ] {
        rotate(wrong).refused(code, why);
    }
    server.verb("keys rotate --kind aes --account nobody").refused(1, "no account is named");
}

#[test]
fn a_new_issuer_is_followed_and_the_old_one_is_believed() {
    let server = Folder::new().serve();
    let root = server.root();
    let old = root.generate();
    let before = server.anyone().get(JWKS).json()["keys"].clone();
    for line in ["keys rotate --kind issuer --json", "issuer rotate --json"] {
        let start = Instant::now();
        let made = server.verb(line).json();
        assert!(made["account"].is_null());
        let issuer =
            || pqc_core::VerifyingKey::from_bytes(&hex::decode(root.generate().issuer).unwrap());
        let id = text(&made["key"], "key_id");
        wait_until("it attests", || issuer().unwrap().key_id().to_string() == id);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    let keys = server.anyone().get(JWKS).json()["keys"].clone();
    assert_eq!((keys.as_array().unwrap().len(), &keys[2]), (3, &before[0]));
    let new = root.generate();
    assert_ne!(new.issuer, old.issuer);
    for pair in [&old, &new] {
        let (decapsulate, shared_key) = to_decapsulate(&root, pair);
        assert_eq!(root.send(&decapsulate).ok()["shared_key"], shared_key);
        assert_eq!(text(&root.get(&one(&pair.key_id)).ok(), "verification_key"), pair.issuer);
    }
    // All stays so over a new start.
    let server = server.kill().serve();
    assert_eq!(server.anyone().get(JWKS).json()["keys"], keys);
    let latest = server.root().generate();
    assert_eq!(latest.issuer, new.issuer);
    let pinned = bytes_of(&server.root().get(&one(&old.key_id)).ok(), "verification_key");
    assert_eq!(hex::encode(pinned), old.issuer);
}

#[test]
fn an_operator_lists_destroys_and_brings_back() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let verb = |line: &str| server.verb(&format!("keys {line} --account {name}"));
    assert_eq!(verb("list --json").json(), json!({"account": name, "keys": []}));
    assert_eq!(verb("list").ended(0).stdout.lines().count(), 1);
    // More than one page of the verb's.
    let made: BTreeSet<_> = (0..3).map(|_| root.generate().key_id).collect();
    root.post(SIGN, &json!({"data": "x"})).ok();
    let pair = root.generate();
    let listed = verb("list --json").json();
    assert_eq!(listed["keys"], root.get(KEYS).ok()["keys"]);
    assert!(made.is_subset(&ids(&listed).into_iter().collect()));
    let table = verb("list").ended(0).stdout;
    assert_eq!(table.lines().count(), 6);
    assert!(table.lines().last().unwrap().ends_with(&pair.key_id), "{table}");

    let (decapsulate, _) = to_decapsulate(&root, &pair);
    let said = verb(&format!("destroy {}", pair.key_id)).ended(0).stdout;
    assert!(said.contains("until 20") && said.contains("pqc keys undelete"), "{said}");
    root.send(&decapsulate).problem(404);
    assert!(verb("list").ended(0).stdout.contains("destroyed"));
    verb(&format!("destroy {}", pair.key_id)).refused(1, "no such key");
    let back = verb(&format!("undelete {} --json", pair.key_id)).json();
    assert_eq!(back["key"]["key_id"], pair.key_id);
    root.send(&decapsulate).ok();
    verb(&format!("undelete {}", pair.key_id)).refused(1, "no such key");
    for wrong in ["destroy 00", "undelete x"] {
        verb(wrong).refused(2, "a key id has");
    }
    let other = server.account().name;
    let line = format!("keys destroy {} --account {other}", pair.key_id);
    server.verb(&line).refused(1, "no such key");
    server.verb("keys list --account nobody").refused(1, "no account is named");
}

#[test]
fn a_list_longer_than_a_page_is_whole() {
    let server = Folder::new().serve();
    let root = server.root();
    let made: BTreeSet<_> = crate::support::together(1100, |_| {
        let root = root.clone();
        let call = Call::post("/api/kem/generate_keys", &json!({"algorithm": "ML-KEM-512"}));
        async move { text(&root.try_send(call).await.unwrap().ok(), "key_id") }
    })
    .into_iter()
    .collect();
    let listed = server.verb("keys list --json").json();
    assert_eq!(ids(&listed).len(), 1100);
    assert_eq!(ids(&listed).into_iter().collect::<BTreeSet<_>>(), made);
    assert_eq!(server.verb("keys list").ended(0).stdout.lines().count(), 1101);
}

#[test]
fn the_grace_is_a_setting() {
    let folder = Folder::new();
    let settings = folder.beside("pqc.toml");
    std::fs::write(&settings, "key_destruction_grace = '2h'").unwrap();
    let server = folder.serve_with(&format!("--config {}", settings.display()));
    let root = server.root();
    let grace =
        |key: &Value| key["purge_after"].as_u64().unwrap() - key["destroyed_at"].as_u64().unwrap();
    let id = root.generate().key_id;
    assert_eq!(grace(&root.send(&delete(&id)).ok()), 2 * 3600);
    // To an operator with no grace, it is gone.
    let undelete = |options: &str| server.verb(&format!("keys undelete {id} {options}"));
    undelete("--key-destruction-grace 0").refused(1, "no such key");
    undelete("--key-destruction-grace 1d").ended(0);
    let destroyed = server.verb(&format!("keys destroy {id} --json")).json();
    assert_eq!(grace(&destroyed["key"]), 30 * DAYS);
    for wrong in ["-1", "soon", "36501d"] {
        let line = format!("serve --listen 127.0.0.1:0 --key-destruction-grace={wrong}");
        server.verb(&line).refused(2, "a grace is days");
    }
}
