//! Input that is wrong in each way there is: a typed refusal, nothing changed, and the next call
//! works.

use serde_json::{Value, json};

use crate::support::{Answer, Call, Client, Raw, shared, text};

const ENCRYPT: &str = "/api/aes/encrypt_text";
const SIGN: &str = "/api/signature/sign";
const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

#[track_caller]
fn assert_works(client: &Client) {
    client.post(ENCRYPT, &json!({"unencrypted": "x", "key": KEY})).ok_text();
}

#[track_caller]
fn assert_bad(client: &Client, body: impl Into<Vec<u8>>) {
    let answer = client.send(&Call::post_raw(SIGN, body));
    let problem = answer.problem(400);
    assert!(text(&problem, "type").ends_with(":bad-request"), "{problem}");
}

#[test]
fn a_body_that_is_no_json_object_is_400() {
    let root = shared().account().root;
    let right = r#"{"data":"x"}"#;
    let deep = |depth: usize| {
        format!(r#"{{"data":"x","deep":{}{}}}"#, "[".repeat(depth), "]".repeat(depth))
    };
    let deep_objects =
        format!(r#"{{"data":"x","deep":{}1{}}}"#, r#"{"a":"#.repeat(5000), "}".repeat(5000));
    for wrong in [
        "",
        " ",
        "null",
        "true",
        "7",
        "\"data\"",
        "[]",
        "[{\"data\":\"x\"}]",
        "{",
        "}",
        "{}{}",
        "{\"data\"}",
        "{\"data\":}",
        "{\"data\":x}",
        "{'data':'x'}",
        "{data:\"x\"}",
        "{\"data\":\"x\",}",
        "{\"data\":\"x\"",
        "{\"data\":\"x}",
        "{\"data\":\"x\"}x",
        "{\"data\":\"\n\"}",
        "{\"data\":\"\\x\"}",
        "{\"data\":\"\\u12\"}",
        "{\"data\":01}",
        "{\"data\":NaN}",
        "{\"data\":1e999}",
        "// x\n{\"data\":\"x\"}",
        "\u{feff}{\"data\":\"x\"}",
        "data=x",
        "<data>x</data>",
        "\0",
    ] {
        assert_bad(&root, wrong);
        assert!(serde_json::from_str::<serde_json::Map<String, Value>>(wrong).is_err(), "{wrong}");
    }
    for wrong in [deep(128), deep(5000), deep(300_000), deep_objects] {
        assert_bad(&root, wrong);
    }
    for fine in [right, " \t\r\n{ \"data\" : \"x\" }\n", r#"{"d\u0061ta":"x"}"#, &deep(100)] {
        root.send(&Call::post_raw(SIGN, fine)).ok();
    }
}

#[test]
fn a_name_twice_and_text_that_is_not_unicode_are_400() {
    let root = shared().account().root;
    for wrong in [
        r#"{"data":"x","data":"x"}"#,
        r#"{"data":"x","d\u0061ta":"y"}"#,
        r#"{"data":"x","u":1,"u":2}"#,
        r#"{"data":"\ud83d"}"#,
        r#"{"data":"\udc00\ud800"}"#,
        r#"{"data":"x","other":"\ud83d"}"#,
        r#"{"data":"x","other":["\ud83d"]}"#,
        r#"{"data":"x","\ud83d":1}"#,
    ] {
        assert_bad(&root, wrong);
    }
    let invalid: [&[u8]; 5] =
        [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xf5\x80\x80\x80"];
    for bytes in invalid {
        assert_bad(&root, [b"{\"data\":\"", bytes, b"\"}"].concat());
    }
    root.send(&Call::post_raw(SIGN, r#"{"data":"\ud83d\ude00","other":1}"#)).ok();
    root.get("/api/kem/generate_keys?x=1&%78=2").problem(400);
    root.get("/api/kem/generate_keys?x=1&y=1").ok();
}

#[test]
fn too_many_fields_are_refused_and_many_passed_over() {
    let root = shared().account().root;
    let fields = |count: usize| {
        let others: String = (0..count).map(|index| format!(r#","x{index}":null"#)).collect();
        Call::post_raw(SIGN, format!(r#"{{"data":"x"{others}}}"#))
    };
    root.send(&fields(63)).ok();
    root.send(&fields(64)).problem(400);
    root.send(&fields(50_000)).problem(400);
}

#[test]
fn a_wrong_type_is_422_for_its_field() {
    let root = shared().account().root;
    for wrong in [json!(1), json!(-1.5), json!(true), json!([]), json!({}), json!(["x"])] {
        root.post(SIGN, &json!({"data": wrong})).invalid(&["body.data"]);
        let fields = json!({"data": "x", "context": wrong, "key_id": wrong});
        let found = root.post(SIGN, &fields).problem(422);
        assert_eq!(found["errors"][0]["type"], "type", "{found}");
    }
    root.post(SIGN, &json!({"data": null})).invalid(&["body.data"]);
    root.post(SIGN, &json!({"data": "x", "context": null})).ok();
    root.get("/api/kem/decapsulate_key").invalid(&["body.cipher", "body.pk"]);
    root.get("/api/kem/decapsulate_key?cipher=00&pk=!").invalid(&["query.cipher", "query.pk"]);
}

#[test]
fn a_secret_in_the_query_is_422_wherever_it_stands() {
    let root = shared().account().root;
    let names = ["sk", "key", "unencrypted", "data", "decapsulation_key", "secret_key", "message"];
    for name in names {
        let place = format!("query.{name}");
        let query = format!("?{name}={KEY}");
        for answer in [
            root.get(&format!("/api/kem/generate_keys{query}")),
            root.get(&format!("/api/kem/decapsulate_key{query}")),
            root.get(&format!("/api/token/new{query}")),
            root.post(&format!("{SIGN}{query}"), &json!({"data": "x"})),
            root.post(&format!("{ENCRYPT}{query}"), &json!({"unencrypted": "x", "key": KEY})),
            root.post(&format!("/api/v1/pqc/kem/generate-keys/{query}"), &json!({})),
        ] {
            let problem = answer.invalid(&[&place]);
            assert!(!problem.to_string().contains(KEY), "{problem}");
        }
    }
    // Written in another way it is the same.
    root.get("/api/kem/generate_keys?%73k=00").invalid(&["query.sk"]);
    root.get("/api/kem/generate_keys?a=1&sk").invalid(&["query.sk"]);
    root.get("/api/kem/generate_keys?sk2=00").ok();
}

#[test]
fn a_url_and_headers_have_their_limits() {
    let root = shared().account().root;
    let url = |length: usize| {
        let path = "/api/kem/generate_keys?x=";
        Call::get(format!("{path}{}", "y".repeat(length - path.len())))
    };
    root.send(&url(8 * 1024)).ok();
    let problem = root.send(&url(8 * 1024 + 1)).problem(414);
    assert!(text(&problem, "detail").contains("8192"), "{problem}");
    root.send(&url(30 * 1024)).problem(414);

    let headers = |length: usize| Call::get("/healthz").header("x-long", "y".repeat(length));
    shared().anyone().send(&headers(15 * 1024)).ok();
    let problem = shared().anyone().send(&headers(16 * 1024)).problem(431);
    assert!(text(&problem, "detail").contains("16384"), "{problem}");
    assert_works(&root);
}

#[test]
fn the_longest_query_of_the_contract_fits() {
    let root = shared().account().root;
    let pair = root.generate_with(&json!({"algorithm": "ML-KEM-1024"}));
    let (cipher, shared_key) = pair.encapsulated_by(&root);
    let path = format!("/api/kem/decapsulate_key?cipher={cipher}&pk={}", pair.pk);
    assert_eq!(root.get(&path).ok()["shared_key"], shared_key);
}

#[test]
fn a_foreign_host_is_400_on_loopback() {
    let anyone = shared().anyone();
    let port = shared().address.port();
    let asked = |host: &str| anyone.send(&Call::get("/healthz").header("host", host));
    for wrong in [
        "example.com",
        "example.com:8000",
        "localhost.example.com",
        "127.0.0.1.example.com",
        "10.0.0.1",
        "[::2]",
        "localhost:x",
        "user@localhost",
        "127.0.0.1:80:80",
        "2130706433",
        "0.0.0.0",
    ] {
        asked(wrong).problem(400);
    }
    let with_port = format!("localhost:{port}");
    for fine in ["localhost", "LocalHost:1", &with_port, "127.0.0.1", "127.9.9.9:80", "[::1]:8000"]
    {
        asked(fine).ok();
    }
}

#[test]
fn a_host_that_is_missing_or_there_twice_is_400() {
    let address = shared().address;
    let ask = |request: &str| {
        let mut raw = shared().raw();
        raw.write(request).answer()
    };
    ask("GET /healthz HTTP/1.1\r\n\r\n").problem(400);
    ask(&format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nHost: {address}\r\n\r\n"))
        .problem(400);
    ask(&format!("GET http://example.com/healthz HTTP/1.1\r\nHost: {address}\r\n\r\n"))
        .problem(400);
    ask(&format!("GET http://{address}/healthz HTTP/1.1\r\nHost: {address}\r\n\r\n")).ok();
    ask("GET /healthz HTTP/1.0\r\n\r\n").ok();
}

/// What the server says to bytes that are no request: a refusal, and the end of the connection.
fn refusal(raw: &mut Raw) -> Answer {
    let answer = raw.answer();
    assert!(raw.is_closed());
    answer
}

#[test]
fn broken_framing_is_400_and_ends_the_connection() {
    let address = shared().address;
    let root = shared().account().root;
    let head = format!(
        "POST {SIGN} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n",
        root.token
    );
    for wrong in [
        "hello\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /healthz\r\n\r\n".to_owned(),
        "GET /healthz HTTP/9.9\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\x00\x01\x00\x01\x7c".to_owned(),
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nno colon\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nx y: z\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nx: \0\r\n\r\n"),
        format!("{head}Content-Length: x\r\n\r\n"),
        format!("{head}Content-Length: -1\r\n\r\n"),
        format!("{head}Content-Length: 12\r\nContent-Length: 13\r\n\r\n{{\"data\":\"x\"}}"),
        format!("{head}Content-Length: 99999999999999999999999\r\n\r\n"),
        format!("{head}Transfer-Encoding: gzip\r\n\r\n"),
        format!("{head}Transfer-Encoding: chunked, gzip\r\n\r\n"),
    ] {
        let mut raw = shared().raw();
        let answer = refusal(raw.write(&wrong));
        assert_eq!(answer.status, 400, "{wrong:?}: {}", answer.start());
        assert_works(&root);
    }
    let mut raw = shared().raw();
    let long = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nx: {}", "y".repeat(100_000));
    assert_eq!(refusal(raw.write(long)).status, 431);
    let mut raw = shared().raw();
    raw.write(format!("{head}Content-Length: 12\r\n\r\n{{\"data\":\"x\"}}")).answer().ok();
    assert_works(&root);
}

#[test]
fn a_request_hidden_in_another_is_not_answered() {
    // Two lengths for one body: what one reader takes for a body another takes for a request.
    let address = shared().address;
    let root = shared().account().root;
    let hidden = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let request = format!(
        "POST {SIGN} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\n{hidden}",
        root.token,
        hidden.len() + 5
    );
    let mut raw = shared().raw();
    let first = raw.write(request).answer();
    assert_eq!(first.status, 400, "{}", first.start());
    assert!(raw.is_closed(), "the connection is of no more use");
}

#[test]
fn a_body_over_the_limit_is_413_announced_or_chunked() {
    let root = shared().account().root;
    let limit = 1024 * 1024;
    for (path, limit) in [(SIGN, limit), (ENCRYPT, 2 * 16 * limit + 64 * 1024)] {
        let authorization = format!("Authorization: Bearer {}", root.token);
        let json = "Content-Type: application/json";
        let length = format!("Content-Length: {}", limit + 1);
        let line = format!("POST {path} HTTP/1.1");
        let mut raw = shared().raw();
        let headers = [authorization.as_str(), json, &length, "Expect: 100-continue"];
        let problem = raw.head(&line, &headers).answer().problem(413);
        assert!(text(&problem, "detail").contains(&limit.to_string()), "{problem}");

        let mut raw = shared().raw();
        raw.head(&line, &[&authorization, json, "Transfer-Encoding: chunked"]);
        raw.write(format!("{limit:x}\r\n{}\r\n1\r\n", " ".repeat(limit))).write(" \r\n0\r\n\r\n");
        raw.answer().problem(413);
    }
    assert_works(&root);
}

#[test]
fn many_bad_requests_on_one_connection_leave_it_usable() {
    let root = shared().account().root;
    let mut raw = shared().raw();
    let authorization = format!("Authorization: Bearer {}", root.token);
    for status in [404, 405, 401, 415, 400, 422] {
        let (path, token) = match status {
            404 => ("GET /nowhere", authorization.as_str()),
            405 => ("DELETE /healthz", &*authorization),
            401 => ("POST /api/signature/sign", "X: y"),
            _ => ("POST /api/signature/sign", &*authorization),
        };
        let kind = if status == 415 { "text/plain" } else { "application/json" };
        let body = if status == 400 { "[]" } else { "{}" };
        let headers = [token, &format!("Content-Type: {kind}"), "Content-Length: 2"];
        raw.head(&format!("{path} HTTP/1.1"), &headers).write(body).answer().problem(status);
    }
    raw.head("GET /healthz HTTP/1.1", &[]).answer().ok();
}
