//! The line that each request leaves in the log.

use serde_json::{Value, json};

use crate::support::{Call, Folder, names};

#[test]
fn a_line_says_who_asked_what_and_nothing_that_may_be_secret() {
    let server = Folder::new().serve_with("--log info --log-format json");
    let account = server.account();
    let (root, anyone) = (&account.root, server.anyone());
    let token = root.mint_counted(10);
    let key_id = token.generate().key_id;
    let by_account = Some(account.id.as_str());
    let (secret, key, oddity) = (&token.token, "/api/v1/keys/{key_id}", "/odd-path?odd-query=1");
    let calls = [
        (root, Call::get(format!("/api/v1/keys/{key_id}")), key, 200, by_account),
        (root, Call::get(format!("/api/v1/keys/{secret}")), key, 422, by_account),
        (&token, Call::get("/api/v1/token/self"), "/api/v1/token/self", 200, by_account),
        (&token, Call::get("/api/v1/keys"), "/api/v1/keys", 403, by_account),
        (&anyone, Call::get("/api/v1/keys"), "/api/v1/keys", 401, None),
        (&anyone, Call::get(format!("/{secret}")), "-", 404, None),
        (&anyone, Call::get(oddity), "-", 404, None),
        (
            &token,
            Call::post("/api/signature/sign", &json!({"data": "odd-text"})),
            "/api/signature/sign",
            200,
            by_account,
        ),
        (&token, Call::new("BREW", oddity), "-", 404, None),
    ];
    for (number, (client, call, _, status, _)) in calls.iter().enumerate() {
        let answer = client.send(&call.clone().header("x-request-id", format!("call-{number}")));
        assert_eq!(answer.status, *status, "{}", answer.start());
    }
    // An id that holds a token is not taken.
    for id in [secret.clone(), format!("id-{secret}"), format!("a.pqc_{}", "b".repeat(43))] {
        let answer = anyone.send(&Call::get("/healthz").header("x-request-id", id.as_str()));
        assert_ne!(answer.header("x-request-id"), Some(id.as_str()));
    }

    let log = server.stop().stderr;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answered: Vec<_> = lines.filter(|line| line["message"] == "answered").collect();
    for (number, (_, _, route, status, account)) in calls.iter().enumerate() {
        let id = format!("call-{number}");
        let of_it: Vec<_> = answered.iter().filter(|line| line["request_id"] == id).collect();
        let [line] = of_it.as_slice() else { panic!("{id}: {of_it:?}") };
        assert_eq!((&line["route"], &line["status"]), (&json!(route), &json!(status)), "{line}");
        assert_eq!(line.get("account").and_then(Value::as_str), *account, "{line}");
        assert!(line["micros"].as_u64().is_some_and(|micros| micros > 0), "{line}");
        let mut there = names(line);
        there.retain(|name| *name != "account");
        let expected = [
            "level",
            "message",
            "method",
            "micros",
            "request_id",
            "route",
            "status",
            "target",
            "timestamp",
        ];
        assert_eq!(there, expected, "{line}");
    }
    for word in ["odd-", "BREW", secret, &root.token, &token.token[6..], &key_id] {
        assert!(!log.contains(word), "{word} stands in {log}");
    }
}
