//! One account's identifiers in another account's hands: whatever path they are brought to, there
//! is nothing there, and nothing changes.

use serde_json::{Value, json};

use crate::postgres::Database;
use crate::support::{Call, Client, Folder, KeyPair, shared, text};

/// Paths that take no id, key, text or cursor of an account.
const NOTHING_TAKEN: [&str; 16] = [
    "/.well-known/jwks.json",
    "/api/aes/encrypt_text",
    "/api/kem/generate_keys",
    // All that they use comes in the call.
    "/api/signature/verify",
    "/api/v1/pqc/kem/decapsulate",
    "/api/v1/pqc/kem/encapsulate",
    "/api/v1/pqc/kem/generate-keys",
    "/api/v1/pqc/sign/generate-keys",
    "/api/v1/pqc/sign/sign",
    "/api/v1/pqc/sign/verify",
    // The token it is asked with.
    "/api/v1/token/self",
    "/docs",
    "/docs/{file}",
    "/healthz",
    "/openapi.json",
    "/readyz",
];

/// A call with the victim's identifiers, by the path it is for, and the status it gets from
/// whoever else makes it. By its owner it is served.
struct Try {
    path: &'static str,
    call: Call,
    status: u16,
}

/// An account with something of each kind.
struct Victim {
    root: Client,
    pair: KeyPair,
    cipher: String,
    text: String,
    signing_key: String,
    destroyed: String,
    cursor: String,
}

impl Victim {
    fn new(root: Client) -> Self {
        let pair = root.generate();
        let (cipher, _) = pair.encapsulated_by(&root);
        let sealed = root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok_text();
        let signed = root.post("/api/signature/sign", &json!({"data": "x"})).ok();
        let destroyed = root.generate().key_id;
        root.send(&Call::new("DELETE", format!("/api/v1/keys/{destroyed}"))).ok();
        let cursor = text(&root.get("/api/v1/keys?limit=1").ok(), "next_cursor");
        let signing_key = text(&signed, "key_id");
        Self { root, pair, cipher, text: sealed, signing_key, destroyed, cursor }
    }

    fn tries(&self) -> Vec<Try> {
        let key = |id: &str, rest: &str| format!("/api/v1/keys/{id}{rest}");
        let one = |path, call, status| Try { path, call, status };
        let mut tries = vec![
            one(
                "/api/kem/decapsulate_key",
                Call::post(
                    "/api/kem/decapsulate_key",
                    &json!({"cipher": self.cipher, "pk": self.pair.pk}),
                ),
                404,
            ),
            one(
                "/api/aes/decrypt_text",
                Call::post("/api/aes/decrypt_text", &json!({"ciphertext": self.text})),
                422,
            ),
            one(
                "/api/signature/sign",
                Call::post(
                    "/api/signature/sign",
                    &json!({"data": "x", "key_id": self.signing_key}),
                ),
                404,
            ),
        ];
        for id in [&self.pair.key_id, &self.signing_key] {
            let mint = Call::post("/api/token/new", &json!({"key_id": id}));
            tries.push(one("/api/token/new", mint, 404));
            tries.push(one("/api/v1/keys/{key_id}", Call::get(key(id, "")), 404));
        }
        let undelete = Call::new("POST", key(&self.destroyed, "/undelete"));
        tries.push(one("/api/v1/keys/{key_id}/undelete", undelete, 404));
        let destroy = Call::new("DELETE", key(&self.pair.key_id, ""));
        tries.push(one("/api/v1/keys/{key_id}", destroy, 404));
        tries
    }

    /// All that can be seen of it.
    fn state(&self) -> Vec<Value> {
        let page = self.root.get("/api/v1/keys").ok();
        let ids: Vec<_> =
            page["keys"].as_array().unwrap().iter().map(|key| text(key, "key_id")).collect();
        let mut state: Vec<_> =
            ids.iter().map(|id| self.root.get(&format!("/api/v1/keys/{id}")).ok()).collect();
        state.push(page);
        state
    }
}

/// `thief` brings all that is the victim's to every path that would take it.
fn walk(victim: &Victim, thief: &Client) {
    let mut covered = NOTHING_TAKEN.to_vec();
    let before = victim.state();

    for Try { path, call, status } in victim.tries() {
        thief.send(&call).problem(status);
        covered.push(path);
    }
    // Anyone may encapsulate to a key that is attested, but not as to another account's.
    let path = "/api/kem/encapsulate_key";
    let mut fields = victim.pair.to_encapsulate();
    assert_eq!(thief.post(path, &fields).ok()["account"], victim.root.token_self()["account"]);
    fields["account"] = thief.token_self()["account"].clone();
    thief.post(path, &fields).problem(403);
    covered.push(path);
    // A cursor is a place among one's own keys.
    let path = "/api/v1/keys";
    assert_eq!(thief.get(path).ok()["keys"], json!([]));
    let own = thief.generate().key_id;
    for query in ["", &format!("?cursor={}", victim.cursor)] {
        let page = thief.get(&format!("{path}{query}")).ok();
        let seen: Vec<_> =
            page["keys"].as_array().unwrap().iter().map(|key| &key["key_id"]).collect();
        assert_eq!(seen, [&json!(own)], "{query}");
    }
    covered.push(path);
    let path = "/api/v1/audit";
    let told = thief.get(path).ok();
    let own = &thief.token_self()["account"];
    let entries = told["entries"].as_array().unwrap();
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry["account"] == *own));
    covered.push(path);

    let path = "/api/v1/usage";
    victim.root.get(path).ok();
    let token = &text(&victim.root.token_self(), "id");
    let own = thief.get(&format!("{path}?by=token&limit=1000")).ok();
    assert!(own["usage"].as_array().unwrap().iter().all(|sum| sum["token_id"] != **token));
    covered.push(path);

    assert_eq!(victim.state(), before, "nothing changed");
    // The same calls by their owner are served: each could have failed.
    for Try { call, .. } in victim.tries() {
        assert_eq!(victim.root.send(&call).status, 200, "{}", call.path);
    }

    covered.sort_unstable();
    covered.dedup();
    let mut paths = pqc_http::paths();
    paths.sort_unstable();
    assert_eq!(covered, paths, "every path of the server is tried, or takes nothing");
}

#[test]
fn nothing_of_another_account_is_there_on_the_embedded_store() {
    let server = shared();
    let victim = Victim::new(server.account().root);
    walk(&victim, &server.account().root);
}

#[test]
fn nothing_of_another_account_is_there_on_postgresql() {
    let Some(database) = Database::new() else { return };
    let folder = Folder::new();
    let server = database.serve(&folder);
    let account = |name: &str| {
        let line = format!("account new {name} {}", database.options());
        server.holder(&folder.verb(&line).line())
    };
    walk(&Victim::new(account("victim")), &account("thief"));
}

#[test]
fn the_servers_own_keys_are_no_accounts() {
    let server = Folder::new().serve();
    let root = server.root();
    let issuer = root.generate().issuer;
    let issuer = pqc_core::VerifyingKey::from_bytes(&hex::decode(issuer).unwrap()).unwrap();
    let path = format!("/api/v1/keys/{}", issuer.key_id());
    root.get(&path).problem(404);
    root.send(&Call::new("DELETE", path.clone())).problem(404);
    root.send(&Call::new("POST", format!("{path}/undelete"))).problem(404);
    server.verb(&format!("keys destroy {}", issuer.key_id())).refused(1, "no such key");
    root.generate();
}
