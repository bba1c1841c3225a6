//! `Idempotency-Key`: a call that is repeated makes no second key and spends no second attempt.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::postgres::Database;
use crate::support::{
    Answer, Call, Client, Folder, Server, block_on, bytes_of, shared, text, together, wait_until,
};

const KEY: &str = "idempotency-key";

/// Every call that can be repeated, and whether it needs a root token.
fn repeatable() -> Vec<(Call, bool)> {
    let custody = json!({"custody": "client"});
    vec![
        (Call::post("/api/token/new", &json!({"label": "once"})), true),
        (Call::get("/api/token/new?label=once"), true),
        (Call::empty_post("/api/kem/generate_keys"), false),
        (Call::get("/api/kem/generate_keys?algorithm=ML-KEM-512"), false),
        (Call::post("/api/kem/generate_keys", &custody), false),
        (Call::post("/api/v1/pqc/kem/generate-keys/", &json!({})), false),
        (Call::post("/api/v1/pqc/sign/generate-keys", &json!({"algorithm": "ML-DSA-44"})), false),
    ]
}

fn named(call: &Call, key: &str) -> Call {
    call.clone().header(KEY, key)
}

fn generate() -> Call {
    Call::post("/api/kem/generate_keys", &json!({}))
}

/// Asserts the first answer, byte for byte, and that it says so.
#[track_caller]
fn assert_again(first: &Answer, again: &Answer) {
    again.ok();
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.header("idempotent-replayed"), None);
}

/// How many keys the account has.
fn keys(root: &Client) -> usize {
    root.get("/api/v1/keys?limit=1000").ok()["keys"].as_array().unwrap().len()
}

/// The outcomes that the audit log has of a token's uses, the first first.
fn outcomes(root: &Client, token: &Value) -> Vec<String> {
    let log = root.get("/api/v1/audit?limit=1000").ok();
    let entries = log["entries"].as_array().unwrap().iter().rev();
    let by = entries.filter(|entry| entry["actor"] == token["id"]);
    by.map(|entry| format!("{} {}", text(entry, "act"), text(entry, "outcome"))).collect()
}

#[test]
fn a_repeated_call_has_the_first_answer_and_costs_nothing() {
    let account = shared().account();
    let root = &account.root;
    for (n, (call, by_root)) in repeatable().into_iter().enumerate() {
        let token = if by_root { root.clone() } else { root.mint_counted(3) };
        let before = keys(root);
        let left = || {
            let told = token.get("/api/v1/token/self");
            if told.status == 401 { Some(0) } else { told.ok()["attempts_left"].as_u64() }
        };
        let once = named(&call, &format!("call-{n}"));
        let first = token.send(&once);
        first.ok();
        let made = keys(root) - before;
        assert_eq!(left(), (!by_root).then_some(2), "{}", call.path);
        for _ in 0..2 {
            assert_again(&first, &token.send(&once));
        }
        // In quotes it is the same key, and a slash at the end is no part of the path.
        assert_again(&first, &token.send(&named(&call, &format!("\"call-{n}\""))));
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let slash = call.at(&format!("{}/{query}", path.trim_end_matches('/')));
        assert_again(&first, &token.send(&named(&slash, &format!("call-{n}"))));
        assert_eq!(left(), (!by_root).then_some(2), "{}", call.path);
        assert_eq!(keys(root) - before, made, "{}", call.path);

        // Under another key, or without one, it is a new call.
        let second = token.send(&named(&call, &format!("another-{n}")));
        second.ok();
        let third = token.send(&call);
        third.ok();
        assert!(first.body != second.body && second.body != third.body);
        assert_eq!(left(), (!by_root).then_some(0), "{}", call.path);
        assert_eq!(keys(root) - before, 3 * made, "{}", call.path);
    }
}

#[test]
fn minting_once_more_gives_the_same_token() {
    let server = Folder::new().serve();
    let root = server.root();
    let mint = named(&Call::post("/api/token/new", &json!({"expire_after_attempts": 2})), "m");
    let first = root.send(&mint);
    assert_again(&first, &root.send(&mint));
    let token = server.holder(&text(&first.ok(), "new_token"));
    assert_eq!(token.attempts_left(), 2);
    let listed = server.verb("token list --json").json();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2, "the root token, and this one");
}

#[test]
fn a_token_that_is_spent_by_the_call_has_its_answer_all_the_same() {
    let server = Folder::new().serve();
    let root = server.root();
    let token = root.mint_counted(1);
    let id = token.token_self();
    let once = named(&generate(), "spent");
    let first = token.send(&once);
    first.ok();
    assert_again(&first, &token.send(&once));
    // For nothing else.
    token.send(&generate()).problem(401);
    token.send(&named(&generate(), "other")).problem(401);
    token.get("/api/v1/token/self").problem(401);
    let other = Call::post("/api/kem/generate_keys", &json!({"algorithm": "ML-KEM-512"}));
    token.send(&named(&other, "spent")).invalid(&["header.Idempotency-Key"]);
    // Another's is another.
    root.mint_counted(1).send(&once).ok();
    server.account().root.mint_counted(1).send(&once).ok();
    assert_eq!(keys(&root), 2);

    let expected = ["kem.generate admitted", "key.generate done", "kem.generate answered again"];
    assert_eq!(outcomes(&root, &id), expected);
    assert_again(&first, &token.send(&once));
    assert_eq!(outcomes(&root, &id), expected);
}

#[test]
fn the_answer_outlives_the_tokens_row_and_the_server_but_not_a_revocation() {
    let folder = Folder::new();
    let server = folder.serve();
    let root = server.root();
    let once = named(&generate(), "k");
    let tokens: Vec<_> = (0..3).map(|_| root.mint_counted(1)).collect();
    let ids: Vec<_> = tokens.iter().map(|token| text(&token.token_self(), "id")).collect();
    let first: Vec<_> = tokens.iter().map(|token| token.send(&once)).collect();
    first.iter().for_each(|answer| drop(answer.ok()));
    let folder = server.kill();
    // As the housekeeping does a minute later.
    forget(&folder, &ids[..2]);
    let server = folder.serve();
    let again = |n: usize| server.holder(&tokens[n].token).send(&once);
    for (n, first) in first.iter().enumerate() {
        assert_again(first, &again(n));
    }
    // Its row is gone, but its answers can still be ended: once.
    server.verb(&format!("token revoke {}", ids[0])).ended(0);
    server.verb(&format!("token revoke {}", ids[0])).ended(1);
    again(0).problem(401);
    server.verb(&format!("token revoke {}", ids[2])).ended(0);
    again(2).problem(401);
    assert_again(&first[1], &again(1));
    server.verb("account disable default").ended(0);
    again(1).problem(401);
    server.verb("account enable default").ended(0);
    assert_again(&first[1], &again(1));
    server.verb("token root-reset").ended(0);
    again(1).problem(401);
}

/// Removes these tokens' rows.
fn forget(folder: &Folder, ids: &[String]) {
    for id in ids {
        let sql = format!("DELETE FROM tokens WHERE id = x'{id}'");
        assert_eq!(execute(folder, &sql), 1);
    }
}

fn execute(folder: &Folder, sql: &str) -> u64 {
    use sqlx::{AssertSqlSafe, ConnectOptions, Executor, sqlite::SqliteConnectOptions};
    block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.file("pqc.db"));
        let mut connection = options.connect().await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap().rows_affected()
    })
}

#[test]
fn the_answer_ends_with_the_tokens_time() {
    let root = shared().account().root;
    let token = root.mint(&json!({"expiry_time": 2, "expire_after_attempts": 2}));
    let once = named(&generate(), "k");
    let first = token.send(&once);
    first.ok();
    assert_again(&first, &token.send(&once));
    wait_until("its end", || token.get("/api/v1/token/self").status == 401);
    let refused = token.send(&once);
    let unknown = root.with_token(&format!("pqc_t_{}", "A".repeat(43))).send(&once);
    for answer in [&refused, &unknown] {
        answer.problem(401);
    }
    let plain = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        for name in ["x-request-id", "date"] {
            headers.remove(name);
        }
        let mut body = answer.json();
        body["request_id"] = json!(null);
        (headers, body)
    };
    assert_eq!(plain(&refused), plain(&unknown));
}

#[test]
fn another_request_under_the_key_is_refused_and_spends_nothing() {
    let root = shared().account().root;
    let token = root.mint_counted(9);
    let body = json!({"algorithm": "ML-KEM-512"});
    let call = Call::post("/api/kem/generate_keys", &body);
    let first = token.send(&named(&call, "k"));
    first.ok();
    for other in [
        Call::post("/api/kem/generate_keys", &json!({"algorithm": "ML-KEM-768"})),
        Call::post_raw("/api/kem/generate_keys", r#"{"algorithm": "ML-KEM-512"}"#),
        Call::post("/api/kem/generate_keys?algorithm=ML-KEM-512", &body),
        Call::get("/api/kem/generate_keys?algorithm=ML-KEM-512"),
        Call::empty_post("/api/kem/generate_keys"),
        Call::post("/api/v1/pqc/kem/generate-keys", &body),
        Call::post("/api/v1/pqc/sign/generate-keys", &json!({})),
    ] {
        let problem = token.send(&named(&other, "k")).invalid(&["header.Idempotency-Key"]);
        assert_eq!(problem["errors"][0]["type"], "idempotency_key_reused");
    }
    assert_eq!(token.attempts_left(), 8);
    assert_again(&first, &token.send(&named(&call, "k")));
}

#[test]
fn a_key_that_is_none_is_refused_and_spends_nothing() {
    let root = shared().account().root;
    let token = root.mint_counted(2);
    let long = "x".repeat(256);
    for wrong in ["", "two words", "\"", "\"\"", "\"a", "\"a\"b", "\"a\\b\"", &long] {
        let answer = token.send(&named(&generate(), wrong));
        answer.invalid(&["header.Idempotency-Key"]);
    }
    assert_eq!(token.attempts_left(), 2);
    // Who has no token learns nothing of it.
    root.with_token("pqc_t_guess").send(&named(&generate(), "two words")).problem(401);
    // Elsewhere it is not read.
    let text = json!({"unencrypted": "x", "key": "00".repeat(32)});
    let encrypt = Call::post("/api/aes/encrypt_text", &text);
    token.send(&named(&encrypt, "two words")).ok();
    assert_eq!(token.attempts_left(), 1);
    token.send(&named(&generate(), &"x".repeat(255))).ok();
}

#[test]
fn of_many_at_once_one_makes_a_key() {
    let root = shared().account().root;
    for granted in [1, 5] {
        let token = root.mint_counted(granted);
        let before = keys(&root);
        let answers = together(20, |_| {
            let (token, call) = (token.clone(), named(&generate(), "at-once"));
            async move { token.try_send(call).await.unwrap() }
        });
        let served: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        let first = served.iter().filter(|answer| answer.header("idempotent-replayed").is_none());
        assert_eq!(first.count(), 1, "{:?}", answers.iter().map(Answer::start).collect::<Vec<_>>());
        assert!(served.iter().all(|answer| answer.body == served[0].body));
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            let problem = refused.problem(409);
            assert_eq!(problem["type"], "urn:pqc:problem:in-flight");
            assert_eq!(refused.header("retry-after"), Some("1"));
        }
        assert_eq!(keys(&root), before + 1);
        if granted > 1 {
            assert_eq!(token.attempts_left(), u64::from(granted) - 1);
        }
    }
}

#[test]
fn a_call_that_was_refused_is_refused_again_and_done_once() {
    let folder = Folder::new();
    let server = folder.serve_with("--log info --max-keys 1");
    let root = server.root();
    root.generate();
    let (token, other) = (root.mint_counted(1), root.mint_counted(1));
    let about = token.token_self();
    let once = named(&generate(), "k");
    let wrong = named(&Call::post("/api/kem/generate_keys", &json!({"algorithm": 7})), "w");
    let (full, invalid) = (token.send(&once), other.send(&wrong));
    full.problem(403);
    invalid.invalid(&["body.algorithm"]);
    let check = |token: &Client, call: &Call, first: &Answer| {
        let again = token.send(call);
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
        assert_eq!(again.header("content-type"), Some("application/problem+json"));
    };
    for _ in 0..3 {
        check(&token, &once, &full);
        check(&other, &wrong, &invalid);
    }
    token.get("/api/v1/token/self").problem(401);
    // The first repetition is written down, and no other: a row for each would fill the disk.
    let generate = |outcome| format!("kem.generate {outcome}");
    let expected = ["admitted", "failed, 403", "answered again"].map(generate);
    assert_eq!(outcomes(&root, &about), expected);
    // There would be room now, but the call was answered.
    drop(server);
    let server = folder.serve_with("--log info --max-keys 2");
    check(&server.holder(&token.token), &once, &full);
    assert_eq!(keys(&server.root()), 1);
}

#[test]
fn no_secret_key_comes_again_once_the_custody_forbids_it() {
    let server = Folder::new().serve();
    let root = server.root();
    let make = |path: &str| named(&Call::post(path, &json!({})), path);
    let calls = ["/api/v1/pqc/kem/generate-keys/", "/api/v1/pqc/sign/generate-keys/"].map(make);
    for call in &calls {
        let first = root.send(call);
        assert_again(&first, &root.send(call));
    }
    server.verb("account set default --custody server-only").ended(0);
    for call in &calls {
        root.send(call).problem(403);
    }
}

#[test]
fn a_server_that_was_killed_leaves_no_call_in_the_way() {
    let server = Folder::new().serve();
    let root = server.root();
    let token = root.mint_counted(1);
    let once = named(&generate(), "k");
    token.send(&once).ok();
    let folder = server.kill();
    // As a server leaves it that dies between the two steps.
    let claimed = "UPDATE replays SET answer = NULL, claim = zeroblob(16), \
                   claimed_at = (SELECT greatest FROM clock)";
    assert_eq!(execute(&folder, claimed), 1);
    let server = folder.serve();
    server.holder(&token.token).send(&once).ok();
}

#[test]
fn an_account_has_so_many_answers_and_no_more() {
    let server = Folder::new().serve_with("--log info --max-kept-answers 2");
    let root = server.root();
    let token = root.mint_counted(9);
    let first = token.send(&named(&generate(), "1"));
    token.send(&named(&generate(), "2")).ok();
    let problem = token.send(&named(&generate(), "3")).problem(403);
    assert_eq!(problem["detail"], "The account's kept answer quota is full.");
    assert_eq!(token.attempts_left(), 7, "nothing was spent");
    // What is there is there, and a call without a key needs no room.
    assert_again(&first, &token.send(&named(&generate(), "1")));
    token.send(&generate()).ok();
    server.account().root.send(&named(&generate(), "3")).ok();
}

#[test]
fn after_kill_9_a_call_is_repeated_and_no_key_is_made_twice() {
    let mut folder = Folder::new();
    let mut answered = 0;
    for round in 0_u32..6 {
        let server = folder.serve_with("--log warn");
        let root = server.root();
        let before = keys(&root);
        let tokens: Vec<_> = (0..24).map(|_| root.mint_counted(1)).collect();
        let calling = std::thread::spawn({
            let tokens = tokens.clone();
            move || {
                together(tokens.len(), |n| {
                    let token = tokens[n].clone();
                    async move { token.try_send(named(&generate(), "k")).await.ok() }
                })
            }
        });
        std::thread::sleep(Duration::from_millis(u64::from(round) * 4));
        folder = server.kill();
        let first = calling.join().unwrap();
        let server = folder.serve_with("--log warn");
        for (token, first) in tokens.iter().zip(first) {
            // One that was under way when the server died is taken over at once.
            let again = server.holder(&token.token).send(&named(&generate(), "k"));
            again.ok();
            if let Some(first) = first {
                assert_again(&first, &again);
                answered += 1;
            }
        }
        assert_eq!(keys(&server.root()) - before, tokens.len());
        drop(server);
    }
    println!("{answered} were answered before the kill");
}

#[test]
fn another_server_of_the_store_gives_the_answer_too() {
    let Some(database) = Database::new() else { return };
    let (here, there) = (Folder::new(), Folder::new());
    let one = database.serve(&here);
    let other = database.serve(&there);
    let root = one.holder(&here.root_token());
    let token = root.mint_counted(1);
    let at = |server: &Server, token: &Client| server.holder(&token.token);
    let first = token.send(&named(&generate(), "k"));
    first.ok();
    assert_again(&first, &at(&other, &token).send(&named(&generate(), "k")));

    let token = root.mint_counted(3);
    let answers = together(20, |n| {
        let token = at(if n % 2 == 0 { &one } else { &other }, &token);
        async move { token.try_send(named(&generate(), "k")).await.unwrap() }
    });
    let first: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200 && answer.header("idempotent-replayed").is_none())
        .collect();
    assert_eq!(first.len(), 1);
    for answer in &answers {
        match answer.status {
            409 => drop(answer.problem(409)),
            _ => assert_eq!(answer.body, first[0].body, "{}", answer.start()),
        }
    }
    assert_eq!(token.attempts_left(), 2);
    assert_eq!(keys(&root), 2);
    let id = text(&token.token_self(), "id");
    let revoked = one.folder.verb(&format!("token revoke {id} {}", database.options()));
    revoked.ended(0);
    wait_until("it is revoked", || at(&other, &token).send(&named(&generate(), "k")).status == 401);
}

#[test]
fn no_answer_stands_in_the_stores_files() {
    let folder = Folder::new();
    let server = folder.serve_with("--log trace");
    let root = server.root();
    let mut secrets = Vec::new();
    for (n, (call, by_root)) in repeatable().into_iter().enumerate() {
        let token = if by_root { root.clone() } else { root.mint_counted(1) };
        let once = named(&call, &format!("a-name-of-{n}"));
        let first = token.send(&once);
        assert_again(&first, &token.send(&once));
        let answer = first.ok();
        for name in ["new_token", "sk", "decapsulation_key", "secret_key"] {
            match answer.get(name) {
                Some(Value::String(token)) if name == "new_token" => {
                    secrets.push(token.clone().into_bytes());
                    secrets.push(token.as_bytes()[6..].to_vec());
                }
                Some(_) => {
                    secrets.push(bytes_of(&answer, name));
                    secrets.push(text(&answer, name).into_bytes());
                }
                None => {}
            }
        }
        secrets.push(format!("a-name-of-{n}").into_bytes());
    }
    assert_eq!(secrets.len(), 7 + 4 + 6);
    let ended = server.stop();
    let mut searched = vec![ended.stderr.into_bytes(), ended.stdout.into_bytes()];
    for file in fs::read_dir(folder.data_dir()).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("pqc.db") {
            searched.push(fs::read(path).unwrap());
        }
    }
    assert!(searched.len() >= 3);
    for (place, bytes) in searched.iter().enumerate() {
        for (n, secret) in secrets.iter().enumerate() {
            let part = &secret[..secret.len().min(24)];
            let is_there = bytes.windows(part.len()).any(|window| window == part);
            assert!(!is_there, "secret {n} in {place}");
        }
    }
}
