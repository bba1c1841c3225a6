//! Opening a file: a new one, an old one, another's, a damaged one.

use crate::support::usage;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pqc_core::token::Refusal;
use pqc_service::{By, Error, SqliteStore, Store};
use sqlx::{Connection, Executor};

use crate::support::{
    Place, account, account_id, add_account, hash, key_pair, master_key, root, temporary, token_id,
};

/// Closes a store that has something in it, and gives the place.
async fn closed_place() -> Place {
    let place = Place::new();
    let store = place.open_with_account().await;
    store.insert_token(&By::OPERATOR, temporary(1, 1, 5)).await.unwrap();
    store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap();
    store.close().await;
    place
}

#[tokio::test]
async fn all_its_files_are_for_their_owner_alone() {
    let place = Place::new();
    let store = place.open_with_account().await;
    let files: Vec<_> = fs::read_dir(place.folder.path()).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 3, "the database, its log and the log's index: {files:?}");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
    drop(store);
}

#[tokio::test]
async fn a_closed_store_is_one_file_and_holds_everything() {
    let place = closed_place().await;
    let names: Vec<_> =
        fs::read_dir(place.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["store.db"]);
}

#[tokio::test]
async fn everything_survives_a_reopen() {
    for in_good_order in [true, false] {
        let place = Place::new();
        let store = place.open_with_account().await;
        add_account(&*store, 2).await;
        store.set_disabled(&By::OPERATOR, account_id(2), true).await.unwrap();
        store.insert_token(&By::OPERATOR, temporary(1, 1, 5)).await.unwrap();
        store.insert_token(&By::OPERATOR, temporary(1, 2, 5)).await.unwrap();
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap().unwrap();
        store.revoke_token(&By::OPERATOR, account_id(1), token_id(2)).await.unwrap();
        store.replace_root_token(&By::OPERATOR, root(1, 3), None, false).await.unwrap();
        store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap();
        store.add_master_key(&By::OPERATOR, master_key(1)).await.unwrap();
        let everything = async |store: &SqliteStore| {
            (
                store.accounts().await.unwrap(),
                store.tokens(account_id(1), None, 10).await.unwrap(),
                store.key(account_id(1), &key_pair(1, 1).id).await.unwrap(),
                store.master_keys().await.unwrap(),
            )
        };
        let before = everything(&store).await;
        if in_good_order {
            store.close().await;
        }
        drop(store);
        let store = place.open().await;
        assert_eq!(everything(&store).await, before);
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(3)));
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 2), usage()).await.unwrap(),
            Err(Refusal::Revoked)
        );
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 0), usage()).await.unwrap(),
            Err(Refusal::Revoked)
        );
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(2, 0), usage()).await.unwrap(),
            Err(Refusal::AccountDisabled)
        );
    }
}

#[tokio::test]
async fn no_character_of_a_path_means_anything_else() {
    let place = Place::new();
    let odd = place.folder.path().join("file:odd?mode=memory#%41.db");
    let store = SqliteStore::open(&odd, place.host.clone()).await.unwrap();
    add_account(&store, 1).await;
    store.close().await;
    assert!(odd.metadata().unwrap().len() > 0);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_not_made() {
    let place = Place::new();
    let nowhere = place.folder.path().join("no/such/store.db");
    let refused = SqliteStore::open(&nowhere, place.host.clone()).await;
    let Err(Error::Unavailable(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("store.db"), "{why}");
    assert!(!place.folder.path().join("no").exists());
    let refused = SqliteStore::open(place.folder.path(), place.host.clone()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "a folder in its place: {refused:?}");
}

#[tokio::test]
async fn a_store_that_lost_its_write_ahead_log_gets_it_again() {
    // As a copy made by `VACUUM INTO` has.
    let place = closed_place().await;
    let mut raw = place.raw().await;
    raw.execute("PRAGMA journal_mode = DELETE").await.unwrap();
    raw.close().await.unwrap();
    let store = place.open().await;
    let mut raw = place.raw().await;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut raw).await.unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(4)));
}

#[tokio::test]
async fn a_newer_schema_is_refused_untouched() {
    let place = closed_place().await;
    place.open().await.close().await; // the twin
    let mut raw = place.raw().await;
    raw.execute(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of tomorrow', TRUE, x'00', 0); \
         CREATE TABLE of_tomorrow (id INTEGER PRIMARY KEY)",
    )
    .await
    .unwrap();
    raw.close().await.unwrap();
    let before = fs::read(place.path()).unwrap();
    let refused = place.try_open().await;
    let Err(Error::NewerSchema { found: 9999, known }) = refused else { panic!("{refused:?}") };
    assert!(known < 9999);
    assert_eq!(fs::read(place.path()).unwrap(), before);
}

#[tokio::test]
async fn a_schema_of_another_making_is_refused_untouched() {
    for change in [
        "UPDATE _sqlx_migrations SET checksum = x'00'",
        "UPDATE _sqlx_migrations SET version = -version",
        "DROP TABLE _sqlx_migrations",
    ] {
        let place = closed_place().await;
        let mut raw = place.raw().await;
        raw.execute(change).await.unwrap();
        raw.close().await.unwrap();
        refused_as_corrupt(&place, change).await;
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_untouched() {
    for theirs in [
        "CREATE TABLE photos (id INTEGER PRIMARY KEY)",
        // Of a program that uses the same library, and has applied nothing yet.
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, checksum BLOB NOT NULL)",
    ] {
        let place = Place::new();
        fs::write(place.path(), []).unwrap();
        let mut raw = place.raw().await;
        raw.execute(theirs).await.unwrap();
        raw.close().await.unwrap();
        refused_as_corrupt(&place, theirs).await;
    }
}

#[tokio::test]
async fn an_empty_file_becomes_a_store() {
    let place = Place::new();
    fs::write(place.path(), []).unwrap();
    let store = place.open_with_account().await;
    assert_eq!(store.accounts().await.unwrap(), [account(1)]);
}

/// As a first start leaves it that is killed before the file has a write-ahead log.
#[tokio::test]
async fn a_file_with_a_rollback_journal_becomes_a_store() {
    let half_made = async |place: &Place| {
        let first = Place::new();
        fs::write(first.path(), []).unwrap();
        let mut raw = first.raw().await;
        raw.execute(
            "PRAGMA cache_size = 2; BEGIN; CREATE TABLE half (made); WITH RECURSIVE n (i) AS \
             (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
             INSERT INTO half SELECT randomblob(4000) FROM n",
        )
        .await
        .unwrap();
        for end in ["", "-journal"] {
            let name = |place: &Place| format!("{}{end}", place.path().display());
            fs::copy(name(&first), name(place)).unwrap();
        }
        assert!(fs::metadata(place.path()).unwrap().len() > 0);
        raw.close().await.unwrap();
    };
    let place = Place::new();
    half_made(&place).await;
    let none = SqliteStore::open_existing(&place.path(), place.host.clone()).await;
    assert!(none.unwrap().is_none(), "it is none, and none is made");
    half_made(&place).await;
    let store = place.open_with_account().await;
    assert_eq!(store.accounts().await.unwrap(), [account(1)]);
}

#[tokio::test]
async fn a_damaged_file_is_refused_untouched() {
    type Damage = fn(&mut Vec<u8>);
    let damages: [(&str, Damage); 6] = [
        ("text", |bytes| *bytes = b"To whom it may concern: this is no database.\n".repeat(99)),
        ("ten bytes", |bytes| bytes.truncate(10)),
        ("a flipped bit in the magic string", |bytes| bytes[3] ^= 1),
        ("half of the file", |bytes| bytes.truncate(bytes.len() / 2)),
        ("the first page alone", |bytes| bytes.truncate(4096)),
        ("a schema page of noise", |bytes| bytes[100..4096].fill(0xa5)),
    ];
    for (what, damage) in damages {
        let place = closed_place().await;
        let mut bytes = fs::read(place.path()).unwrap();
        damage(&mut bytes);
        fs::write(place.path(), &bytes).unwrap();
        refused_as_corrupt(&place, what).await;
    }
}

async fn refused_as_corrupt(place: &Place, what: &str) {
    let before = fs::read(place.path()).unwrap();
    let refused = place.try_open().await;
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{what}: {refused:?}");
    assert_eq!(read(&place.path()), before, "{what}");
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
