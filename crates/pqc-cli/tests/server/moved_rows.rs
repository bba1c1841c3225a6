//! Rows that someone who can write the database moves about: a sealed secret opens in its own
//! place only. (That a whole row is put back as it was before, nobody can tell.)

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use crate::postgres::Database;
use crate::support::{Client, Folder, KeyPair, Server, block_on, text};

/// A store of either kind, with no server on it.
struct Store {
    folder: Folder,
    options: String,
    database: Option<Database>,
}

impl Store {
    fn serve(&self) -> Server {
        self.folder.serve_with(&format!("--log warn {}", self.options))
    }

    /// A new account: its id in hex, and its root token.
    fn account(&self, name: &str) -> (String, String) {
        let line = format!("account new {name} --json {}", self.options);
        let made = self.folder.verb(line.trim_end()).json();
        (text(&made, "id"), text(&made, "root_token"))
    }

    /// Changes one row, past the program's back. `<…>` is bytes in hex.
    fn change(&self, sql: &str) {
        let (open, close) = if self.database.is_some() { (r"'\x", "'") } else { ("x'", "'") };
        let sql = sql.replace('<', open).replace('>', close);
        let changed = match &self.database {
            Some(database) => database.execute(sql),
            None => block_on(async {
                let options = SqliteConnectOptions::new().filename(self.folder.file("pqc.db"));
                options
                    .connect()
                    .await
                    .unwrap()
                    .execute(AssertSqlSafe(sql))
                    .await
                    .unwrap()
                    .rows_affected()
            }),
        };
        assert_eq!(changed, 1);
    }
}

#[test]
fn on_the_embedded_store() {
    let folder = Folder::new();
    no_moved_row_opens(&Store { folder, options: String::new(), database: None });
}

#[test]
fn on_postgresql() {
    let Some(database) = Database::new() else { return };
    let (folder, options) = (Folder::new(), database.options());
    no_moved_row_opens(&Store { folder, options, database: Some(database) });
}

fn no_moved_row_opens(store: &Store) {
    let server = store.serve();
    let ((alice_id, alice), (bob_id, bob)) = (store.account("alice"), store.account("bob"));
    let (root, other) = (server.holder(&alice), server.holder(&bob));
    let pair = || {
        let pair = root.generate();
        let (cipher, shared_key) = pair.encapsulated_by(&root);
        (pair, cipher, shared_key)
    };
    let (kept, moved, resealed, swapped) = (pair(), pair(), pair(), pair());
    let sealed = encrypt(&other);
    for client in [&root, &other] {
        encrypt(client);
        client.post("/api/signature/sign", &json!({"data": "x"})).ok();
    }
    assert_eq!(decapsulate(&root, &swapped), Ok(swapped.2.clone()));
    assert_eq!(open(&other, &sealed), Ok("x".to_owned()));
    server.stop();

    let of = |account: &str, kind: &str| format!("account = <{account}> AND kind = '{kind}'");
    let id = |(pair, ..): &(KeyPair, String, String)| format!("id = <{}>", pair.key_id);
    let take = |column: &str, from: &str, to: &str| {
        let taken = format!("(SELECT {column} FROM keys WHERE {from})");
        store.change(&format!("UPDATE keys SET {column} = {taken} WHERE {to}"));
    };
    // To another account, to another id, under another public key.
    store.change(&format!("UPDATE keys SET account = <{bob_id}> WHERE {}", id(&moved)));
    take("sealed", &id(&kept), &id(&resealed));
    take("public_key", &id(&kept), &id(&swapped));
    // To another account's key of the same kind; to a key of another kind.
    take("sealed", &of(&alice_id, "aes"), &of(&bob_id, "aes"));
    take("sealed", &of(&bob_id, "sign"), &of(&alice_id, "sign"));
    take("sealed", &of(&bob_id, "sign"), &of(&alice_id, "aes"));

    let server = store.serve();
    let (root, other) = (server.holder(&alice), server.holder(&bob));
    assert_eq!(decapsulate(&root, &moved), Err(404), "it is no longer this account's");
    for (client, pair) in [(&other, &moved), (&root, &resealed), (&root, &swapped)] {
        assert_eq!(decapsulate(client, pair), Err(500));
    }
    assert_eq!(open(&other, &sealed), Err(500));
    for call in ["/api/aes/encrypt_text", "/api/signature/sign"] {
        root.post(call, &json!({"unencrypted": "x", "data": "x"})).problem(500);
    }
    // The twin, which nobody moved.
    assert_eq!(decapsulate(&root, &kept), Ok(kept.2.clone()));
    other.post("/api/signature/sign", &json!({"data": "x"})).ok();
}

fn encrypt(client: &Client) -> String {
    client.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok_text()
}

/// The text, or the status of the refusal.
fn open(client: &Client, sealed: &str) -> Result<String, u16> {
    let answer = client.post("/api/aes/decrypt_text", &json!({"ciphertext": sealed}));
    if answer.status == 200 { Ok(answer.ok_text()) } else { Err(answer.status) }
}

/// The shared key, or the status of the refusal.
fn decapsulate(client: &Client, of: &(KeyPair, String, String)) -> Result<String, u16> {
    let fields = json!({"cipher": of.1, "pk": of.0.pk});
    let answer = client.post("/api/kem/decapsulate_key", &fields);
    if answer.status == 200 { Ok(text(&answer.ok(), "shared_key")) } else { Err(answer.status) }
}
