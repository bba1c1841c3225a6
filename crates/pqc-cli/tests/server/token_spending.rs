//! Temporary tokens: exactly as many calls as were granted, for as long as was granted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::support::{
    Account, Answer, Call, Client, Folder, names, now, shared, text, together, wait_until,
};

/// A call that any token without a narrow scope may do, and that costs the server little.
fn cheap() -> Call {
    Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "", "key": "00".repeat(32)}))
}

/// What the token that outlives its server is granted.
const GRANTED: u32 = 1500;

#[test]
fn n_attempts_serve_exactly_n_of_200_calls_at_once() {
    let root = shared().account().root;
    for granted in [1, 37] {
        let token = root.mint_counted(granted);
        let answers = together(200, |_| {
            let token = token.clone();
            async move { token.try_send(cheap()).await.unwrap() }
        });
        let served = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(served, granted as usize);
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            refused.problem(401);
        }
        token.send(&cheap()).problem(401);
    }
}

#[test]
fn a_writing_call_is_counted_the_same() {
    let token = shared().account().root.mint_counted(5);
    let answers = together(40, |_| {
        let token = token.clone();
        async move { token.try_send(Call::get("/api/kem/generate_keys")).await.unwrap().status }
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 5);
}

#[test]
fn after_kill_9_in_the_middle_both_lives_together_serve_no_more() {
    const CALLERS: u32 = 16;
    let server = Folder::new().serve_with("--log warn");
    let token = server.root().mint_counted(GRANTED);

    let served = Arc::new(AtomicU32::new(0));
    let calling = std::thread::spawn({
        let (served, token) = (Arc::clone(&served), token.clone());
        move || together(CALLERS as usize, |_| call_to_the_end(token.clone(), Arc::clone(&served)))
    });
    wait_until("some calls are served", || served.load(Ordering::SeqCst) >= 40);
    let folder = server.kill();
    calling.join().unwrap();
    let first_life = served.load(Ordering::SeqCst);
    assert!(first_life < GRANTED, "killed in the middle");

    let server = folder.serve_with("--log warn");
    let token = server.holder(&token.token);
    let left = u32::try_from(token.attempts_left()).unwrap();
    together(CALLERS as usize, |_| call_to_the_end(token.clone(), Arc::clone(&served)));
    let both_lives = served.load(Ordering::SeqCst);
    println!("served {first_life}, then {}", both_lives - first_life);
    assert_eq!(both_lives - first_life, left);
    assert!(both_lives <= GRANTED, "over-spent: {both_lives}");
    assert!(both_lives >= GRANTED - CALLERS, "only calls under way lose theirs: {both_lives}");
}

/// Calls until it is refused or the server is gone.
async fn call_to_the_end(token: Client, served: Arc<AtomicU32>) {
    while let Ok(answer) = token.try_send(cheap()).await {
        if answer.status != 200 {
            answer.problem(401);
            break;
        }
        let before = served.fetch_add(1, Ordering::SeqCst);
        assert!(before < GRANTED, "over-spent");
    }
}

#[test]
fn a_temporary_token_cannot_mint() {
    let token = shared().account().root.mint_counted(2);
    token.post("/api/token/new", &json!({})).problem(403);
    token.get("/api/token/new").problem(403);
    assert_eq!(token.attempts_left(), 2);
    token.send(&cheap()).ok();
}

#[test]
fn a_token_serves_until_it_expires_and_not_after() {
    let root = shared().account().root;
    let minted = root.post("/api/token/new", &json!({"expiry_time": 2})).ok();
    let token = root.with_token(minted["new_token"].as_str().unwrap());
    token.token_self();
    let expires_at = minted["expires_at"].as_u64().unwrap();
    wait_until("it expires", || token.get("/api/v1/token/self").status != 200);
    token.get("/api/v1/token/self").problem(401);
    token.send(&cheap()).problem(401);
    assert!(now() >= expires_at);
}

#[test]
fn what_a_token_is_granted_has_bounds_and_defaults() {
    let root = shared().account().root;
    let minted = root.post("/api/token/new", &json!({})).ok();
    assert_eq!(names(&minted), ["attempts", "expires_at", "new_token"]);
    assert_eq!(minted["attempts"], 1);
    let lifetime = minted["expires_at"].as_u64().unwrap() - now();
    assert!((890..=900).contains(&lifetime), "{lifetime}");
    let token = text(&minted, "new_token");
    assert!(token.starts_with("pqc_t_") && token.len() == 49);

    for (name, right, wrong) in [
        ("expiry_time", [json!(1), json!(86_400)], vec![json!(0), json!(86_401), json!("60")]),
        (
            "expire_after_attempts",
            [json!(1), json!(1_000_000)],
            vec![json!(0), json!(1_000_001), json!(-1), json!(1.5), json!(u64::MAX)],
        ),
    ] {
        for value in right {
            root.post("/api/token/new", &json!({name: value})).ok();
        }
        for value in wrong {
            let answer = root.post("/api/token/new", &json!({name: value}));
            answer.invalid(&[&format!("body.{name}")]);
        }
        root.get(&format!("/api/token/new?{name}=60")).ok();
        root.get(&format!("/api/token/new?{name}=0")).invalid(&[&format!("query.{name}")]);
    }
    for label in ["", "a\nb", &"x".repeat(101)] {
        root.post("/api/token/new", &json!({"label": label})).invalid(&["body.label"]);
    }
    let many = |count| vec!["sign"; count];
    for operations in [
        json!([]),
        json!(["fly"]),
        json!(["sign", 1]),
        json!("sign"),
        json!(many(65)),
        json!(many(99)),
    ] {
        let fields = json!({"operations": operations});
        root.post("/api/token/new", &fields).invalid(&["body.operations"]);
    }
    root.post("/api/token/new", &json!({"operations": many(64)})).ok();
    let query = |count| format!("/api/token/new?operations={}", many(count).join(","));
    root.get(&query(64)).ok();
    root.get(&query(65)).invalid(&["query.operations"]);
    let fields = json!({"label": "é", "operations": ["sign", "v1"], "expire_after_attempts": 3});
    let about = root.mint(&fields).token_self();
    assert_eq!((&about["label"], &about["operations"]), (&json!("é"), &json!(["sign", "v1"])));
    assert_eq!((&about["kind"], &about["attempts"]), (&json!("temporary"), &json!(3)));
}

/// All that a caller can see of a refusal, but the time.
fn seen(client: &Client) -> Answer {
    let mut answer = client.send(&cheap().header("x-request-id", "the-same"));
    answer.problem(401);
    answer.headers.remove("date");
    answer
}

#[test]
fn every_reason_for_401_looks_the_same() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let unknown = server.holder(&format!("pqc_t_{}", "A".repeat(43)));
    let expired = root.mint(&json!({"expiry_time": 1, "expire_after_attempts": 9}));
    let spent = root.mint_counted(1);
    spent.send(&cheap()).ok();
    let revoked = root.mint_counted(9);
    let id = text(&revoked.token_self(), "id");
    server.verb(&format!("token revoke {id} --account {name}")).ended(0);
    let disabled = server.account();
    server.verb(&format!("account disable {}", disabled.name)).ended(0);
    wait_until("it expires", || expired.get("/api/v1/token/self").status == 401);

    let expected = seen(&unknown);
    let others = [
        ("expired", expired),
        ("spent", spent),
        ("revoked", revoked),
        ("of a disabled account", disabled.root.clone()),
        ("none", server.anyone()),
        ("malformed", server.holder("hunter2")),
        ("another prefix", server.holder(&root.token.replace("pqc_r_", "pqc_t_"))),
        ("another scheme", root.with_scheme("Basic")),
        ("no scheme", root.with_authorization(&root.token)),
    ];
    for (what, client) in others {
        assert_eq!(seen(&client), expected, "{what}");
    }
    assert_eq!(expected.header("www-authenticate"), Some("Bearer"));
    // Their twins: a living token, and the account enabled again.
    root.mint_counted(1).send(&cheap()).ok();
    server.verb(&format!("account enable {}", disabled.name)).ended(0);
    disabled.root.send(&cheap()).ok();
}

#[test]
fn a_cookie_authorizes_nothing() {
    let root = shared().account().root;
    let cookie = format!("token={0}; auth_token={0}; session={0}", root.token);
    shared().anyone().send(&cheap().header("cookie", cookie)).problem(401);
    root.send(&cheap()).ok();
}

#[test]
fn two_authorization_headers_are_none() {
    let server = shared();
    let line = format!("Authorization: Bearer {}", server.account().root.token);
    let mut twice = server.raw();
    twice.head("GET /api/v1/token/self HTTP/1.1", &[&line, &line]).answer().problem(401);
    twice.head("GET /api/v1/token/self HTTP/1.1", &[&line]).answer().ok();
}

#[test]
fn a_revocation_counts_for_the_next_call() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let (token, other) = (root.mint_counted(100), root.mint_counted(100));
    token.send(&cheap()).ok();
    let id = text(&token.token_self(), "id");
    server.verb(&format!("token revoke {id} --account {name}")).ended(0);
    token.send(&cheap()).problem(401);
    other.send(&cheap()).ok();
    root.token_self();
}

#[test]
fn a_root_reset_ends_the_old_token_and_what_it_minted() {
    let server = shared();
    let Account { name, root, .. } = server.account();
    let temporary = root.mint_counted(9);
    let keep = server.verb(&format!("token root-reset --account {name} --keep-temporary")).line();
    root.get("/api/v1/token/self").problem(401);
    temporary.token_self();
    let second = server.holder(&keep);
    assert_eq!(second.token_self()["kind"], "root");

    let third = server.verb(&format!("token root-reset --account {name} --json")).json();
    second.get("/api/v1/token/self").problem(401);
    temporary.get("/api/v1/token/self").problem(401);
    server.holder(&text(&third, "root_token")).send(&cheap()).ok();
}

#[test]
fn a_root_reset_of_the_first_account_rewrites_its_file() {
    let server = Folder::new().serve();
    let old = server.root();
    let printed = server.verb("token root-reset").line();
    assert_eq!(server.folder.root_token(), printed);
    old.get("/api/v1/token/self").problem(401);
    server.root().token_self();
}

#[test]
fn asking_about_a_token_spends_nothing_and_shows_no_value() {
    let root = shared().account().root;
    let token = root.mint(&json!({"expire_after_attempts": 2, "label": "for a friend"}));
    let mut last = Value::Null;
    for _ in 0..5 {
        last = token.token_self();
        assert_eq!(last["attempts_left"], 2);
    }
    let expected = "account attempts attempts_left created_at expires_at id key_id kind label \
                    operations";
    assert_eq!(names(&last), expected.split(' ').collect::<Vec<_>>());
    assert!(!last.to_string().contains(&token.token[6..]));
    // In both forms of the path, and by a spent token not at all.
    token.get("/api/v1/token/self/").ok();
    token.send(&cheap()).ok();
    assert_eq!(token.attempts_left(), 1);
    token.send(&cheap()).ok();
    token.get("/api/v1/token/self").problem(401);
}
