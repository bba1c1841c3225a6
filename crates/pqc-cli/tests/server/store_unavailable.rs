//! A store that cannot write: nothing is done, no attempt is lost, and it passes by itself.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

use serde_json::json;

use crate::support::{Call, Folder, block_on};

/// Another program holds the database's write lock, for longer than the server waits for it.
#[test]
fn while_nothing_can_be_written_calls_are_refused_and_lose_nothing() {
    let server = Folder::new().serve();
    let token = server.root().mint_counted(2);
    let spending = Call::post("/api/aes/encrypt_text", &json!({"unencrypted": "x"}));
    let minting = Call::get("/api/token/new");
    let mut other = block_on(open(&server.folder.file("pqc.db")));
    block_on(other.execute("BEGIN IMMEDIATE")).unwrap();

    for (client, call) in [(&token, &spending), (&server.root(), &minting)] {
        let refused = client.send(call);
        let problem = refused.problem(503);
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert_eq!(problem.get("attempt"), None, "nothing was spent, and that is known");
        assert!(!problem.to_string().contains("locked"), "no word of the store's inside");
    }
    assert_eq!(token.attempts_left(), 2);
    assert_eq!(server.anyone().get("/readyz").status, 200, "it can still be read");

    block_on(other.execute("ROLLBACK")).unwrap();
    block_on(other.close()).unwrap();
    token.send(&spending).ok_text();
    assert_eq!(token.attempts_left(), 1);
}

async fn open(path: &std::path::Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}
