//! What stands around every call: ids, headers, methods, health, the published issuer.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::json;

use crate::support::{Answer, Call, bytes, names, shared, text};

/// Every path of the OpenAPI document, with the methods that it takes.
fn paths() -> Vec<(String, BTreeSet<String>)> {
    let document = shared().anyone().get("/openapi.json").json();
    let paths = document["paths"].as_object().unwrap().iter().map(|(path, item)| {
        let methods = item.as_object().unwrap().keys().map(|method| method.to_uppercase());
        // Ids and names that are none are names all the same.
        (path.replace("{key_id}", "00").replace("{file}", "LICENSE"), methods.collect())
    });
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths.len(), 26, "paths of the document");
    paths
}

fn allowed(answer: &Answer) -> BTreeSet<String> {
    let allow = answer.header("allow").unwrap_or_else(|| panic!("no Allow: {}", answer.start()));
    allow.split(", ").map(str::to_owned).collect()
}

#[test]
fn another_method_is_405_with_those_that_would_do_before_any_token_is_asked_for() {
    for (path, methods) in paths() {
        for slash in ["", "/"] {
            let path = format!("{path}{slash}");
            for method in METHODS {
                let call = Call::new(method, &path);
                let answer = shared().anyone().send(&call);
                if methods.contains(method) {
                    assert_ne!(answer.status, 405, "{method} {path}");
                    continue;
                }
                // Whatever else is wrong or right with it.
                for answer in [answer, shared().root().send(&call.json("{}"))] {
                    assert_eq!(answer.status, 405, "{method} {path}");
                    assert_eq!(allowed(&answer), methods, "{method} {path}");
                    if method == "HEAD" {
                        assert!(answer.body.is_empty(), "{path}");
                        continue;
                    }
                    let problem = answer.problem(405);
                    let allow = answer.header("allow").unwrap();
                    assert!(text(&problem, "detail").contains(allow), "{problem}");
                }
            }
        }
    }
}

#[test]
fn options_is_answered_on_every_path_with_its_methods_and_nothing_else() {
    for (path, methods) in paths() {
        for client in [shared().anyone(), shared().root()] {
            for call in [Call::new("OPTIONS", &path), Call::new("OPTIONS", &path).json("{}")] {
                let answer = client.send(&call);
                assert_eq!(answer.status, 204, "{path}");
                assert_eq!(allowed(&answer), methods, "{path}");
                assert!(answer.body.is_empty() && answer.header("content-type").is_none());
            }
        }
    }
    shared().anyone().send(&Call::new("OPTIONS", "/nowhere")).problem(404);
}

#[test]
fn head_is_get_without_its_body_wherever_get_only_reads() {
    let mut asked = 0;
    for (path, methods) in paths() {
        // What makes something new by GET, for old clients, is not to be made by who only looks.
        let reads = methods.contains("GET") && !methods.contains("POST");
        assert_eq!(methods.contains("HEAD"), reads, "{path}");
        if !reads {
            continue;
        }
        // Looking is counted too: of a day that is over, nothing changes between the two.
        let path = match &*path {
            "/api/v1/usage" => format!("{path}?from=2001-01-01&to=2001-01-01"),
            _ => path,
        };
        for client in [shared().anyone(), shared().root()] {
            let get = client.get(&path);
            let head = client.send(&Call::new("HEAD", &path));
            assert_eq!(head.status, get.status, "{path}");
            assert!(head.body.is_empty(), "{path}");
            let length = get.body.len().to_string();
            assert_eq!(head.header("content-length"), Some(&*length), "{path}");
            for (name, value) in &get.headers {
                if ["x-request-id", "date"].contains(&name.as_str()) {
                    continue;
                }
                assert_eq!(head.headers.get(name), Some(value), "{name} of {path}");
            }
            asked += 1;
        }
    }
    assert_eq!(asked, 22);
}

const METHODS: [&str; 8] = ["GET", "POST", "HEAD", "DELETE", "PUT", "PATCH", "TRACE", "BREW"];

#[test]
fn an_unknown_path_is_404_for_everyone() {
    let root = shared().account().root;
    for path in [
        "/x",
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
