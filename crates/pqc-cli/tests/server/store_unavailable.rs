//! A store that cannot write: nothing is done, no attempt is lost, and it passes by itself.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

use serde_json::json;

use crate::support::{Call, Folder, block_on, run, without_settings};

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
    assert_eq!(server.anyone().get("/readyz").status, 503);

    block_on(other.execute("ROLLBACK")).unwrap();
    block_on(other.close()).unwrap();
    assert_eq!(server.anyone().get("/readyz").status, 200, "by itself");
    token.send(&spending).ok_text();
    assert_eq!(token.attempts_left(), 1);
}

/// As a user who may not write the file: the superuser may write any.
#[cfg(unix)]
#[test]
fn a_store_that_cannot_be_written_is_told_at_the_start() {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    let folder = Folder::new();
    folder.serve().stop();
    let program = folder.beside("pqc");
    std::fs::copy(env!("CARGO_BIN_EXE_pqc"), &program).unwrap();
    let database = folder.file("pqc.db");
    std::fs::set_permissions(&database, PermissionsExt::from_mode(0o444)).unwrap();
    let mut serve = without_settings(std::process::Command::new(&program));
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.data_dir());
    if folder
        .data_dir()
        .metadata()
        .is_ok_and(|data| std::os::unix::fs::MetadataExt::uid(&data) == 0)
    {
        const NOBODY: u32 = 65534;
        for path in [folder.beside("."), folder.data_dir()] {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        for file in std::fs::read_dir(folder.data_dir()).unwrap() {
            chown(file.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        serve.uid(NOBODY).gid(NOBODY);
    }
    let refused = run(&mut serve, b"");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("writable for this user"), "{refused:?}");
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_damaged_file_is_refused_at_the_start_and_left_as_it_is() {
    let folder = Folder::new();
    folder.serve().stop();
    let database = folder.file("pqc.db");
    let whole = std::fs::read(&database).unwrap();
    let mut flipped = whole.clone();
    flipped[3] ^= 1;
    for damaged in [whole[..whole.len() / 2].to_vec(), flipped, b"rows".repeat(4096)] {
        std::fs::write(&database, &damaged).unwrap();
        for line in ["serve --listen 127.0.0.1:0", "account list"] {
            let refused = folder.verb(line);
            assert_eq!((refused.code, &*refused.stdout), (2, ""), "{refused:?}");
            assert!(refused.stderr.contains("put it back from a backup"), "{refused:?}");
            assert!(std::fs::read(&database).unwrap() == damaged, "it was changed");
        }
    }
    // The twin: the file as it was.
    std::fs::write(&database, &whole).unwrap();
    folder.serve().root().generate();
}

#[test]
fn a_clock_that_is_behind_the_store_is_told() {
    let folder = Folder::new();
    folder.serve().stop();
    let mut store = block_on(open(&folder.file("pqc.db")));
    block_on(store.execute("UPDATE clock SET greatest = greatest + 3600000")).unwrap();
    block_on(store.close()).unwrap();
    let server = folder.serve();
    assert!(server.stderr.wait_for("clock is behind the store's time"));
}

pub(crate) async fn open(path: &std::path::Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}
