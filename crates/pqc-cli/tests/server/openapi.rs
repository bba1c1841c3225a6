//! The documentation holds: every example of the OpenAPI document is sent to a running server, and
//! every answer must be of the documented status and fit its schema, without a field more.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::{Answer, Call, Client, Folder, Server, shared, text};

/// A server that trusts the issuer of the examples, and its document.
fn server_and_document() -> (Server, Document) {
    server_and_document_with("")
}

fn server_and_document_with(options: &str) -> (Server, Document) {
    let server = Folder::new().serve_with(&format!("--log warn {options}"));
    let answer = server.anyone().get("/openapi.json");
    assert_eq!(answer.status, 200, "{}", answer.start());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    let document = Document(answer.json());
    // Among the examples is the key set of the server that made them.
    let issuer =
        &document.0["paths"]["/.well-known/jwks.json"]["get"]["responses"]["200"]["content"];
    let issuer = issuer["application/jwk-set+json"]["example"].to_string();
    server.folder.verb_reading("issuer trust -", issuer.as_bytes()).ended(0);
    (server, document)
}

struct Document(Value);

/// A documented method of a path.
#[derive(Clone, Copy)]
struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    it: &'a Value,
}

impl Document {
    fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        paths
            .flat_map(|(path, item)| {
                item.as_object().unwrap().iter().map(move |(method, it)| Operation {
                    path,
                    method,
                    it,
                })
            })
            .collect()
    }

    /// What a response is, by status: itself, or the one it refers to.
    fn response<'a>(&'a self, operation: Operation<'a>, status: u16) -> &'a Value {
        let response = &operation.it["responses"][status.to_string()];
        assert!(
            !response.is_null(),
            "{} {}: {status} is undocumented",
            operation.method,
            operation.path
        );
        match response["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
            None => response,
        }
    }

    /// Asserts that the answer is one that the operation is documented to give.
    fn assert_documents(&self, operation: Operation<'_>, answer: &Answer) {
        let what = format!("{} {}: {}", operation.method, operation.path, answer.start());
        let response = self.response(operation, answer.status);
        for name in response["headers"].as_object().unwrap().keys() {
            // These are there if tokens have a rate, which one of the tests sets.
            // And this is there if the call was made before.
            if name.starts_with("RateLimit") || name == "Idempotent-Replayed" {
                continue;
            }
            assert!(answer.header(name).is_some(), "{name}: {what}");
        }
        if operation.method == "head" {
            assert!(answer.body.is_empty(), "{what}");
            return;
        }
        let media_type = answer.header("content-type").unwrap();
        let media_type = media_type.split(';').next().unwrap();
        let schema = &response["content"][media_type]["schema"];
        assert!(!schema.is_null(), "{media_type} is undocumented: {what}");
        let value = match media_type {
            "text/html" | "text/css" | "text/javascript" | "text/plain" => {
                Value::String(String::from_utf8(answer.body.clone()).unwrap())
            }
            _ => answer.json(),
        };
        self.assert_fits(&closed(schema), &value, &what);
    }

    fn assert_fits(&self, schema: &Value, value: &Value, what: &str) {
        let schema = json!({"components": self.0["components"], "allOf": [schema]});
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{what}: {errors:?}");
    }
}

/// The schema, refusing members that it does not name. The document itself stays open: it says of
/// itself no more than that it is OpenAPI.
fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let mut closed: Map<_, _> =
                members.iter().map(|(name, value)| (name.clone(), self::closed(value))).collect();
            let properties = members.get("properties").and_then(Value::as_object);
            if properties.is_some_and(|properties| !properties.contains_key("openapi")) {
                closed.insert("additionalProperties".to_owned(), false.into());
            }
            Value::Object(closed)
        }
        Value::Array(items) => items.iter().map(self::closed).collect(),
        other => other.clone(),
    }
}

/// The calls that the examples of an operation are, each with the status it is documented to get.
fn calls(operation: Operation<'_>) -> Vec<(Call, u16)> {
    let method = operation.method.to_uppercase();
    let examples = &operation.it["requestBody"]["content"]["application/json"]["examples"];
    if let Some(examples) = examples.as_object() {
        let of = |example: &Value| {
            let status = text(example, "summary").get(..3).unwrap().parse().unwrap();
            let body = serde_json::to_vec(&example["value"]).unwrap();
            (Call::new(&method, operation.path).json(body), status)
        };
        return examples.values().map(of).collect();
    }
    let (mut path, mut query) = (operation.path.to_owned(), Vec::new());
    for parameter in operation.it["parameters"].as_array().into_iter().flatten() {
        let value = match &parameter["example"] {
            Value::Null if parameter["required"] == json!(true) => {
                panic!("no example: {parameter}")
            }
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(names) => {
                names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>().join(",")
            }
            other => other.to_string(),
        };
        let name = text(parameter, "name");
        match text(parameter, "in").as_str() {
            "path" => path = path.replace(&format!("{{{name}}}"), &value),
            // One key is for one request.
            "header" => {}
            _ => query.push(format!("{name}={}", value.replace(' ', "%20"))),
        }
    }
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let status = operation.it["x-status-of-examples"].as_u64().unwrap_or(200);
    vec![(Call::new(&method, path), status as u16)]
}

#[test]
fn every_example_sent_to_a_server_is_answered_as_documented() {
    let (server, document) = server_and_document();
    let root = server.root();
    let mut sent = 0;
    for operation in document.operations() {
        for (call, status) in calls(operation) {
            let answer = root.send(&call);
            assert_eq!(
                answer.status,
                status,
                "{} {}: {}",
                operation.method,
                operation.path,
                answer.start()
            );
            document.assert_documents(operation, &answer);
            if operation.method == "head" {
                let length = root.get(&call.path).body.len().to_string();
                assert_eq!(answer.header("content-length"), Some(&*length), "{}", call.path);
            }
            sent += 1;
        }
    }
    assert_eq!(sent, 47, "examples that were sent");
}

#[test]
fn a_repeated_call_is_answered_as_documented() {
    let (server, document) = server_and_document();
    let root = server.root();
    let mut repeated = 0;
    for operation in document.operations() {
        let parameters = operation.it["parameters"].as_array().into_iter().flatten();
        let Some(key) = parameters.into_iter().find(|it| it["name"] == "Idempotency-Key") else {
            assert!(operation.it["responses"]["409"].is_null(), "{}", operation.path);
            continue;
        };
        assert_eq!((&key["in"], &key["required"]), (&json!("header"), &json!(false)));
        assert!(!operation.it["responses"]["409"].is_null(), "{}", operation.path);
        let name = format!("{}-{}", operation.method, operation.path);
        let (call, _) = calls(operation).remove(0);
        let call = call.header("idempotency-key", name);
        let other = call.at(&format!("{}?unknown=1", operation.path));
        for (call, status) in [(&call, 200), (&call, 200), (&other, 422)] {
            let answer = root.send(call);
            assert_eq!(answer.status, status, "{}", answer.start());
            document.assert_documents(operation, &answer);
        }
        repeated += 1;
    }
    assert_eq!(repeated, 6);
}

#[test]
fn answers_that_nothing_random_goes_into_are_those_of_the_examples() {
    let (server, document) = server_and_document();
    let root = server.root();
    for path in [
        "/api/kem/decapsulate_key",
        "/api/aes/decrypt_text",
        "/api/signature/verify",
        "/api/v1/pqc/kem/decapsulate",
        "/api/v1/pqc/sign/verify",
    ] {
        let it = &document.0["paths"][path]["post"];
        let (call, status) = calls(Operation { path, method: "post", it }).remove(0);
        assert_eq!(status, 200);
        let documented = &document.response(Operation { path, method: "post", it }, 200)["content"];
        assert_eq!(root.send(&call).ok(), documented["application/json"]["example"], "{path}");
    }
}

/// The examples name keys that no account stores; here are keys that this one does.
#[test]
fn what_is_stored_is_answered_as_documented() {
    let (server, document) = server_and_document();
    let root = server.root();
    let pair = root.generate();
    let (cipher, shared_key) = pair.encapsulated_by(&root);
    root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok();
    let signing = text(&root.post("/api/signature/sign", &json!({"data": "x"})).ok(), "key_id");
    let aes = root.get("/api/v1/keys").ok()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|key| (key["kind"] == "aes").then(|| text(key, "key_id")));
    let aes = aes.unwrap();
    let check = |method: &str, template: &str, path: String| {
        let it = &document.0["paths"][template][method];
        let answer = root.send(&Call::new(&method.to_uppercase(), path));
        assert_eq!(answer.status, 200, "{}", answer.start());
        document.assert_documents(Operation { path: template, method, it }, &answer);
        answer
    };
    let one = "/api/v1/keys/{key_id}";
    for id in [&pair.key_id, &signing, &aes] {
        check("get", one, one.replace("{key_id}", id));
        check("head", one, one.replace("{key_id}", id));
    }
    check("delete", one, one.replace("{key_id}", &pair.key_id));
    check("get", "/api/v1/keys", "/api/v1/keys".to_owned());
    let undelete = "/api/v1/keys/{key_id}/undelete";
    check("post", undelete, undelete.replace("{key_id}", &pair.key_id));
    let by_get = "/api/kem/decapsulate_key";
    let answer = check("get", by_get, format!("{by_get}?cipher={cipher}&pk={}", pair.pk));
    assert_eq!(answer.json()["shared_key"].as_str(), Some(shared_key.as_str()));
    let narrow = root.mint(&json!({"key_id": pair.key_id, "operations": ["sign"]}));
    let self_ = "/api/v1/token/self";
    for client in [&root, &narrow] {
        let it = &document.0["paths"][self_]["get"];
        document.assert_documents(Operation { path: self_, method: "get", it }, &client.get(self_));
    }
}

#[test]
fn every_refusal_is_one_that_is_documented() {
    let (server, document) = server_and_document();
    let root = server.root();
    let nothing = root.mint(&json!({"operations": ["verify"], "expire_after_attempts": 1000}));
    let anyone = server.anyone();
    let mut statuses = BTreeSet::new();
    for operation in document.operations() {
        let (call, _) = calls(operation).remove(0);
        let (path, _) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let mut tries: Vec<(&Client, Call)> = vec![
            (&anyone, call.clone()),
            (&nothing, call.clone()),
            (&root, call.clone().header("host", "elsewhere.example")),
            (&root, call.clone().header("x-long", "x".repeat(17_000))),
            (&root, call.at(&format!("{path}?{}", "x".repeat(9000)))),
            (&root, call.at(&format!("{path}?sk=00"))),
            (&root, call.at(&format!("{path}?limit=0&expiry_time=0"))),
        ];
        if operation.method == "post" {
            tries.push((&root, call.clone().header("content-type", "text/plain")));
            tries.push((&root, call.clone().json("[]")));
            tries.push((&root, call.clone().json("{\"algorithm\": 1, \"label\": 1, \"key\": 1}")));
            tries.push((&root, call.clone().json(vec![b' '; 2 * 1024 * 1024])));
        }
        for (client, call) in tries {
            let answer = client.send(&call);
            document.assert_documents(operation, &answer);
            statuses.insert(answer.status);
        }
    }
    assert_eq!(statuses, BTreeSet::from([200, 400, 401, 403, 404, 413, 414, 415, 422, 431]));
}

#[test]
fn a_token_is_told_how_it_stands_by_every_call_and_refused_as_documented() {
    let (server, document) = server_and_document_with("--token-rate 1");
    let mut refused = 0;
    for operation in document.operations() {
        if operation.it["security"].is_null() {
            continue;
        }
        let (call, _) = calls(operation).remove(0);
        let what = format!("{} {}", operation.method, operation.path);
        // One that was not used yet.
        let root = server.account().root;
        let first = root.send(&call);
        assert_ne!(first.status, 429, "{what}");
        let late = (0..10).map(|_| root.send(&call)).find(|answer| answer.status == 429);
        let late = late.unwrap_or_else(|| panic!("{what}"));
        document.assert_documents(operation, &late);
        for answer in [first, late] {
            assert_eq!(answer.header("ratelimit"), Some("\"token\";r=0;t=1"), "{what}");
            assert_eq!(answer.header("ratelimit-policy"), Some("\"token\";q=1;w=1"), "{what}");
        }
        refused += 1;
    }
    assert_eq!(refused, 29, "calls that take a token");
}

#[test]
fn calls_without_a_token_have_a_rate_by_address_and_those_for_its_health_have_none() {
    let limited = "--trusted-proxies 127.0.0.1 --address-rate 1";
    let (server, document) = server_and_document_with(limited);
    let mut refused = 0;
    for operation in document.operations() {
        if !operation.it["security"].is_null() {
            continue;
        }
        let (call, _) = calls(operation).remove(0);
        let call = call.header("x-forwarded-for", "203.0.113.7");
        let mut answers = (0..10).map(|_| server.anyone().send(&call));
        let late = answers.find(|answer| answer.status == 429);
        if ["/healthz", "/readyz"].contains(&operation.path) {
            assert!(late.is_none(), "{}", operation.path);
            continue;
        }
        let late = late.unwrap_or_else(|| panic!("{} {}", operation.method, operation.path));
        document.assert_documents(operation, &late);
        refused += 1;
    }
    assert_eq!(refused, 8, "calls that take no token");
}

#[test]
fn the_page_loads_nothing_from_elsewhere_and_holds_no_script() {
    let anyone = shared().anyone();
    let page = anyone.get("/docs");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    let html = String::from_utf8(page.body.clone()).unwrap();
    assert!(!html.contains("//") && !html.contains("style="), "{html}");
    let mut loaded = 0;
    for part in html.split(['"']).filter(|part| part.starts_with("/docs/")) {
        let file = anyone.get(part);
        assert_eq!(file.status, 200, "{part}");
        assert_eq!(file.header("content-security-policy"), Some(policy));
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        let kind = if part.ends_with(".css") { "text/css" } else { "text/javascript" };
        assert_eq!(file.header("content-type"), Some(format!("{kind}; charset=utf-8").as_str()));
        let head = anyone.send(&Call::new("HEAD", part));
        assert_eq!(head.header("content-length"), Some(file.body.len().to_string().as_str()));
        assert!(head.body.is_empty());
        loaded += 1;
    }
    assert_eq!(loaded, 3, "{html}");
    // Every script is a file.
    assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/docs/").count());
    anyone.get("/docs/index.html").problem(404);
    anyone.get("/docs/..%2fCargo.toml").problem(404);
}
