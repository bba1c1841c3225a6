//! Of two faults the earlier check answers; and when an attempt is spent.

use serde_json::json;

use super::{DECAPSULATE, ENCAPSULATE, ENCRYPT, KEY, Things};
use crate::support::{Call, Folder, shared};

fn encrypt() -> Call {
    Call::post(ENCRYPT, &json!({"unencrypted": "x", "key": KEY}))
}

#[test]
fn of_two_faults_the_earlier_check_answers() {
    let server = shared();
    let things = Things::new();
    let root = &things.account.root;
    let narrow = root.mint(&json!({"operations": ["sign"], "expire_after_attempts": 9}));
    let stranger = server.holder("pqc_t_unknown");
    let text = |call: Call| call.header("content-type", "text/plain");
    let long = || Call::post_raw(ENCAPSULATE, "x".repeat((1 << 20) + 1));
    let long_url = format!("/nowhere?{}", "x".repeat(8 * 1024));

    // 1. framing, route, method, before the token
    stranger.send(&Call::get(long_url.as_str())).problem(414);
    stranger.send(&Call::get(long_url).header("x", "x".repeat(1 << 14))).problem(414);
    stranger.send(&Call::get("/nowhere").header("x", "x".repeat(1 << 14))).problem(431);
    stranger.send(&Call::get("/nowhere").header("host", "a.example")).problem(400);
    stranger.send(&text(Call::post("/nowhere", &json!({})))).problem(404);
    stranger.send(&Call::get(ENCAPSULATE)).problem(405);
    // 3. the token, before its scope and the body
    stranger.send(&text(long())).problem(401);
    stranger.send(&Call::get("/api/token/new")).problem(401);
    // 4. the scope, before the body
    narrow.send(&text(long())).problem(403);
    narrow.send(&long()).problem(403);
    narrow.send(&Call::post_raw(ENCAPSULATE, "{")).problem(403);
    let one_key = root.mint(&json!({"key_id": things.pair.key_id, "expire_after_attempts": 9}));
    one_key.send(&text(Call::post("/api/v1/pqc/kem/generate-keys", &json!({})))).problem(403);
    one_key.send(&text(long())).problem(415);
    // 5. the body's type, then its size, then its form
    root.send(&text(long())).problem(415);
    root.send(&long()).problem(413);
    root.send(&Call::post_raw(format!("{ENCRYPT}?key=00"), "{")).problem(400);
    // 7. the fields
    root.send(&Call::post(format!("{ENCRYPT}?key=00"), &json!({}))).invalid(&["query.key"]);
    root.send(&Call::post(ENCRYPT, &json!({}))).invalid(&["body.unencrypted"]);
    assert_eq!(narrow.attempts_left(), 9);
    root.send(&encrypt()).ok();
}

#[test]
fn an_attempt_is_spent_when_the_body_is_there_and_not_before() {
    let server = Folder::new().serve();
    let token = server.root().mint_counted(1);
    let body = json!({"unencrypted": "x", "key": KEY}).to_string();
    let authorization = format!("Authorization: Bearer {}", token.token);
    let length = format!("Content-Length: {}", body.len());
    let headers =
        [authorization.as_str(), &length, "Content-Type: application/json", "Expect: 100-continue"];
    let mut slow = server.raw();
    slow.head("POST /api/aes/encrypt_text HTTP/1.1", &headers);
    assert_eq!(slow.answer().status, 100, "the token is accepted");
    slow.write(&body[..9]);
    assert_eq!(token.attempts_left(), 1);
    // The quick one takes the attempt; none is left for the slow one.
    token.send(&encrypt()).ok();
    slow.write(&body[9..]).answer().problem(401);
}

#[test]
fn a_body_that_breaks_off_spends_nothing() {
    let server = Folder::new().serve();
    let token = server.root().mint_counted(1);
    let authorization = format!("Authorization: Bearer {}", token.token);
    let json = "Content-Type: application/json";
    for (framing, part) in [
        ("Content-Length: 90", "{\"unencrypted\":\"x\""),
        ("Transfer-Encoding: chunked", "12\r\n{\"unencrypted\":\"x\"\r\n"),
        ("Transfer-Encoding: chunked", "zz\r\n{}\r\n"),
    ] {
        let mut broken = server.raw();
        let headers = [authorization.as_str(), json, framing];
        broken.head("POST /api/aes/encrypt_text HTTP/1.1", &headers).write(part).end();
        // It is answered 400, or the connection is gone.
        if !broken.is_closed() {
            assert_eq!(broken.answer().status, 400, "{framing}");
        }
        assert_eq!(token.attempts_left(), 1, "{framing}");
    }
    token.send(&encrypt()).ok();
}

#[test]
fn a_chunked_body_over_the_limit_spends_nothing() {
    let server = Folder::new().serve();
    let token = server.root().mint_counted(1);
    let authorization = format!("Authorization: Bearer {}", token.token);
    let headers =
        [authorization.as_str(), "Content-Type: application/json", "Transfer-Encoding: chunked"];
    let mut long = server.raw();
    long.head("POST /api/kem/decapsulate_key HTTP/1.1", &headers);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    for _ in 0..16 {
        long.write(&chunk);
    }
    // So far it is 1 MiB, the limit; then comes one byte more.
    long.write("1\r\n{\r\n0\r\n\r\n");
    long.answer().problem(413);
    assert_eq!(token.attempts_left(), 1);
    token.send(&encrypt()).ok();
}

#[test]
fn who_expects_a_refusal_is_refused_before_it_sends() {
    let server = Folder::new().serve();
    let (token, root) = (server.root().mint_counted(1), server.root());
    for (holder, headers, status) in [
        ("pqc_t_unknown", ["Content-Type: application/json", "Content-Length: 9"], 401),
        (&token.token, ["Content-Type: text/plain", "Content-Length: 9"], 415),
        (&token.token, ["Content-Type: application/json", "Content-Length: 1048577"], 413),
    ] {
        let authorization = format!("Authorization: Bearer {holder}");
        let mut asking = server.raw();
        let [kind, length] = headers;
        let headers = [authorization.as_str(), kind, length, "Expect: 100-continue"];
        asking.head(&format!("POST {DECAPSULATE} HTTP/1.1"), &headers).answer().problem(status);
    }
    assert_eq!(token.attempts_left(), 1);
    root.token_self();
}
