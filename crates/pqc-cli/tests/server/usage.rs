//! How much an account did, as its tenant and the operator read it.

use serde_json::{Value, json};

use std::time::Duration;

use sqlx::{Connection, Executor};

use crate::store_unavailable::open;
use crate::support::{Account, Call, Folder, block_on, shared, text, wait_until};

/// What the account did, as its root token reads it.
fn usage(account: &Account, query: &str) -> Value {
    account.root.get(&format!("/api/v1/usage{query}")).ok()
}

fn calls(usage: &Value, operation: &str) -> (u64, u64) {
    let sums = usage["usage"].as_array().unwrap();
    let of = sums.iter().filter(|sum| sum["operation"] == operation);
    let number = |sum: &Value, name: &str| sum[name].as_u64().unwrap();
    of.fold((0, 0), |(calls, failed), sum| {
        (calls + number(sum, "calls"), failed + number(sum, "failed"))
    })
}

fn wait_for(account: &Account, operation: &str, expected: (u64, u64)) {
    wait_until(&format!("{operation} is counted {expected:?}"), || {
        calls(&usage(account, ""), operation) == expected
    });
}

#[test]
fn every_admitted_call_is_counted_once_by_token_and_operation() {
    let server = shared();
    let account = server.account();
    let pair = account.root.generate();
    let token = account.root.mint(&json!({"expire_after_attempts": 3, "label": "a client"}));
    for _ in 0..2 {
        pair.encapsulated_by(&token);
    }
    // Stateless calls count too, and those that fail; those that are not admitted do not.
    let verify = json!({"data": "x", "signature": "00", "public_key": "00"});
    account.root.post("/api/signature/verify", &verify).problem(422);
    account.root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    account
        .root
        .send(&Call::new("DELETE", format!("/api/v1/keys/{}", "00".repeat(32))))
        .problem(404);
    server.anyone().post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).problem(401);
    token.post("/api/token/new", &json!({})).problem(403);

    // One that is repeated is done once.
    for _ in 0..2 {
        let repeated = Call::post("/api/v1/pqc/kem/generate-keys/", &json!({}));
        account.root.send(&repeated.header("idempotency-key", "the-call")).ok();
    }

    // The last of the calls: what came before it is added with it, or before.
    wait_for(&account, "v1.kem.generate", (1, 0));
    let all = usage(&account, "");
    for (operation, counted) in [
        ("kem.generate", (1, 0)),
        ("token.mint", (1, 0)),
        ("verify", (1, 1)),
        ("aes.encrypt", (1, 0)),
        ("v1.kem.generate", (1, 0)),
        ("key.destroy", (1, 1)),
    ] {
        assert_eq!(calls(&all, operation), counted, "{operation} in {all:#}");
    }
    assert_eq!(all["by"], "day");

    let token_id = text(&token.token_self(), "id");
    let by_token = usage(&account, "?by=token");
    let of_token: Vec<_> = by_token["usage"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|sum| sum["token_id"] == token_id.as_str())
        .collect();
    let expected = json!({
        "token_id": token_id, "label": "a client", "operation": "kem.encapsulate", "calls": 2,
        "failed": 0,
    });
    assert_eq!(of_token, [&expected]);
    let by_label = usage(&account, "?by=label");
    let labelled =
        by_label["usage"].as_array().unwrap().iter().filter(|sum| sum["label"] == "a client");
    assert_eq!(labelled.count(), 1);
    let month = &text(&all, "to")[..7];
    let by_month = usage(&account, "?by=month");
    let sums = by_month["usage"].as_array().unwrap();
    assert!(sums.iter().all(|sum| sum["month"] == month && sum.get("day").is_none()), "{sums:?}");
    // Nobody sees another's.
    let other = server.account();
    assert_eq!(usage(&other, "?by=token")["usage"], json!([]));
}

/// A token that is labelled fails after its calls were added to the store.
#[test]
fn failures_are_counted_with_the_label_of_their_calls() {
    let server = Folder::new().serve_with("--log warn");
    let account = server.account();
    let token = account.root.mint(&json!({"expire_after_attempts": 100, "label": "web"}));
    // A long one, so that some are under way whenever the counts are added.
    let text = "x".repeat(4 * 1024 * 1024);
    let sealing = json!({"unencrypted": text, "key": "11".repeat(32)});
    let sealed = account.root.post("/api/aes/encrypt_text", &sealing).ok_text();
    let wrong = json!({"ciphertext": sealed, "key": "22".repeat(32)});
    let failed = 40;
    for _ in 0..failed {
        token.post("/api/aes/decrypt_text", &wrong).problem(422);
    }
    wait_for(&account, "aes.decrypt", (failed, failed));
    let by_label = usage(&account, "?by=label");
    let sums = by_label["usage"].as_array().unwrap().iter();
    let of: Vec<_> = sums.filter(|sum| sum["operation"] == "aes.decrypt").collect();
    let all =
        json!({"label": "web", "operation": "aes.decrypt", "calls": failed, "failed": failed});
    assert_eq!(of, [&all]);
}

/// Another program holds the store's lock while the counts are being added, and SIGTERM comes.
#[test]
fn counts_that_are_being_added_at_the_end_are_added() {
    let folder = Folder::new();
    let server = folder.serve_with("--log warn");
    let (root, anyone) = (server.root(), server.anyone());
    let mut other = block_on(open(&folder.file("pqc.db")));
    block_on(other.execute("BEGIN IMMEDIATE")).unwrap();
    for _ in 0..50 {
        let call = json!({"unencrypted": "x", "key": "11".repeat(32)});
        root.post("/api/aes/encrypt_text", &call).ok();
    }
    anyone.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).problem(401);
    std::thread::sleep(Duration::from_millis(1500));
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(500));
    block_on(other.execute("ROLLBACK")).unwrap();
    block_on(other.close()).unwrap();
    assert_eq!(server.wait().status.code(), Some(0));
    let told = folder.verb("usage --json").json();
    assert_eq!(calls(&told, "aes.encrypt"), (50, 0), "{told:#}");
    let log = folder.verb("audit export").ended(0).stdout;
    assert!(log.contains("no token 1"), "{log}");
}

#[test]
fn pages_follow_one_another_and_wrong_questions_are_told() {
    let account = shared().account();
    account.root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    account.root.mint_counted(1);
    wait_for(&account, "token.mint", (1, 0));
    let (mut query, mut operations) = ("?limit=1&by=token".to_owned(), Vec::new());
    loop {
        let page = usage(&account, &query);
        let sums = page["usage"].as_array().unwrap();
        operations.extend(sums.iter().map(|sum| text(sum, "operation")));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=1&by=token&cursor={cursor}");
    }
    assert_eq!(operations[..2], ["aes.encrypt", "token.mint"]);
    let long_ago = usage(&account, "?from=2001-01-01&to=2001-12-31");
    assert_eq!((&long_ago["usage"], &long_ago["from"]), (&json!([]), &json!("2001-01-01")));
    for (query, place) in [
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("by=hour", "by"),
        ("cursor=x", "cursor"),
        ("limit=0", "limit"),
    ] {
        account.root.get(&format!("/api/v1/usage?{query}")).invalid(&[&format!("query.{place}")]);
    }
    let token = account.root.mint_counted(1);
    token.get("/api/v1/usage").problem(403);
}

#[test]
fn counts_outlive_the_server_and_the_operator_reads_them() {
    let folder = Folder::new();
    let server = folder.serve();
    let root = server.root();
    for _ in 0..5 {
        root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    }
    // Not a second passes: the end adds what is left.
    let ended = server.stop();
    let told = folder.verb("usage --json").json();
    assert_eq!(calls(&told, "aes.encrypt"), (5, 0), "{told:#}");
    assert_eq!((&told["account"], &told["by"]), (&json!("default"), &json!("day")));
    drop(ended);

    let server = folder.serve();
    server.root().post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    wait_until("the next server's call is added to them", || {
        calls(&server.verb("usage --by month --json").json(), "aes.encrypt") == (6, 0)
    });
    let text = server.verb("usage --by token").ended(0).stdout;
    let cells: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["TOKEN", "OPERATION", "CALLS", "FAILED", "LABEL"]);
    assert_eq!(cells[1][1..], ["aes.encrypt", "6", "0"]);
    server.verb("usage --account nobody").refused(1, "nobody");
    server.verb("usage --from 2026-13-01").refused(2, "2026-13-01");
}
