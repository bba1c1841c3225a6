//! What stands around every call: ids, headers, methods, health, the published issuer.

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::json;

use crate::support::{Call, bytes, names, shared, text};

/// Every path of the server, with the methods that it takes.
const PATHS: [(&str, &str); 24] = [
    ("/api/token/new", "GET, POST"),
    ("/api/kem/generate_keys", "GET, POST"),
    ("/api/kem/encapsulate_key", "POST"),
    ("/api/kem/decapsulate_key", "GET, POST"),
    ("/api/aes/encrypt_text", "POST"),
    ("/api/aes/decrypt_text", "POST"),
    ("/api/signature/sign", "POST"),
    ("/api/signature/verify", "POST"),
    ("/api/v1/pqc/kem/generate-keys", "POST"),
    ("/api/v1/pqc/kem/encapsulate", "POST"),
    ("/api/v1/pqc/kem/decapsulate", "POST"),
    ("/api/v1/pqc/sign/generate-keys", "POST"),
    ("/api/v1/pqc/sign/sign", "POST"),
    ("/api/v1/pqc/sign/verify", "POST"),
    ("/api/v1/token/self", "GET, HEAD"),
    ("/api/v1/keys", "GET, HEAD"),
    ("/api/v1/keys/00", "GET, HEAD, DELETE"),
    ("/api/v1/keys/00/undelete", "POST"),
    ("/healthz", "GET, HEAD"),
    ("/readyz", "GET, HEAD"),
    ("/.well-known/jwks.json", "GET, HEAD"),
    ("/openapi.json", "GET, HEAD"),
    ("/docs", "GET, HEAD"),
    ("/docs/swagger-ui.css", "GET, HEAD"),
];

#[test]
fn another_method_is_405_with_those_that_would_do_before_any_token_is_asked_for() {
    for (path, allow) in PATHS {
        for slash in ["", "/"] {
            let path = format!("{path}{slash}");
            for method in ["GET", "POST", "HEAD", "DELETE", "PUT", "PATCH", "TRACE", "BREW"] {
                let answer = shared().anyone().send(&Call::new(method, &path));
                if allow.split(", ").any(|allowed| allowed == method) {
                    assert_ne!(answer.status, 405, "{method} {path}");
                    continue;
                }
                assert_eq!(answer.status, 405, "{method} {path}");
                assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
                if method != "HEAD" {
                    let problem = answer.problem(405);
                    assert!(text(&problem, "detail").contains(allow), "{problem}");
                }
            }
            let options = shared().anyone().send(&Call::new("OPTIONS", &path));
            assert_eq!(options.status, 204, "{path}");
            assert_eq!(options.header("allow"), Some(allow), "{path}");
            assert!(options.body.is_empty());
        }
    }
}

#[test]
fn an_unknown_path_is_404_for_everyone() {
    let root = shared().account().root;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/token",
        "/api/token/new/x",
        "/api/Token/new",
        "/api//token/new",
        "/api/v1/pqc/kem/generate_keys",
        "/api/kem/../token/new/x",
        "/%2e%2e/etc/passwd",
        "/api/token/new%00",
    ] {
        for client in [&root, &shared().anyone()] {
            for method in ["GET", "POST", "DELETE"] {
                client.send(&Call::new(method, path)).problem(404);
            }
        }
    }
}

#[test]
fn a_well_formed_request_id_is_kept_and_any_other_replaced() {
    let anyone = shared().anyone();
    let asked = |id: &str| {
        let answer = anyone.send(&Call::get("/healthz").header("x-request-id", id));
        answer.ok();
        answer.header("x-request-id").unwrap().to_owned()
    };
    let long = "x".repeat(128);
    for id in ["a", "0196f1c2-a3b4-7c5d-8e9f-a0b1c2d3e4f5", "A_b.C-9", &long] {
        assert_eq!(asked(id), id);
    }
    for id in ["", "a b", "a,b", "é", "a;b", "{}", &(long + "x")] {
        let made = asked(id);
        assert_ne!(made, id);
        assert_eq!(hex::decode(&made).unwrap().len(), 16, "{made}");
    }
    assert_ne!(asked(""), asked(""));
    // Of a refusal too, where the body names it.
    let call = Call::get("/nowhere").header("x-request-id", "mine");
    assert_eq!(anyone.send(&call).problem(404)["request_id"], "mine");
}

#[test]
fn health_and_readiness_need_no_token() {
    let anyone = shared().anyone();
    for (path, status) in [("/healthz", "ok"), ("/readyz", "ready")] {
        for slash in ["", "/"] {
            let path = format!("{path}{slash}");
            assert_eq!(anyone.get(&path).ok(), json!({"status": status}));
            let head = anyone.send(&Call::new("HEAD", &path));
            assert_eq!((head.status, head.body.len()), (200, 0));
            let length = head.header("content-length").unwrap();
            assert_eq!(length, anyone.get(&path).body.len().to_string());
        }
    }
}

#[test]
fn the_issuer_key_is_published_as_a_jwk() {
    let answer = shared().anyone().get("/.well-known/jwks.json");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let set = answer.json();
    assert_eq!(names(&set), ["keys"]);
    let [key] = set["keys"].as_array().unwrap().as_slice() else { panic!("{set}") };
    assert_eq!(names(key), ["alg", "kid", "kty", "pub", "use"]);
    assert_eq!((&key["kty"], &key["alg"]), (&json!("AKP"), &json!("ML-DSA-65")));
    assert_eq!(key["use"], "sig");
    let public = Base64UrlUnpadded::decode_vec(&text(key, "pub")).unwrap();
    assert_eq!(bytes(&shared().account().root.generate().issuer), public);
    // The same as the operator sees.
    assert_eq!(shared().verb("issuer show --json").json(), set);
}

#[test]
fn what_may_hold_a_secret_is_not_to_be_kept() {
    // `ok` and `problem` assert it of every answer; here of those that are neither.
    let options = shared().anyone().send(&Call::new("OPTIONS", "/api/token/new"));
    assert_eq!(options.header("cache-control"), Some("no-store"));
    let head = shared().anyone().send(&Call::new("HEAD", "/api/token/new"));
    assert_eq!((head.status, head.body.len()), (405, 0));
    assert_eq!(head.header("cache-control"), Some("no-store"));
}

#[test]
fn a_page_from_elsewhere_gets_no_leave_to_read_answers() {
    let origin = "https://elsewhere.example";
    let root = shared().account().root;
    let answer = root.send(&Call::get("/api/v1/token/self").header("origin", origin));
    answer.ok();
    let preflight = Call::new("OPTIONS", "/api/token/new").header("origin", origin);
    let preflight = preflight.header("access-control-request-method", "POST");
    for answer in [answer, shared().anyone().send(&preflight)] {
        for (name, _) in &answer.headers {
            assert!(!name.as_str().starts_with("access-control-"), "{name}");
        }
    }
}
