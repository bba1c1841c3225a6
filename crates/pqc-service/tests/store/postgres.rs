//! The store on PostgreSQL: opening, and what happens to connections and transactions.

use crate::support::usage;
use std::sync::Arc;
use std::time::Duration;

use pqc_core::token::Refusal;
use pqc_core::{Secret, Timestamp};
use pqc_service::{By, Error, Host, PostgresStore, Service, Settings, Store, System};
use sqlx::{AssertSqlSafe, Executor};
use tokio::task::JoinSet;

use crate::ground::Database;
use crate::support::{
    account_id, add_account, attempts_left, expiring, hash, root, temporary, token_id,
};

/// A database, and a store on it with account 1 and its token 1 of 1000 attempts.
async fn database_with_a_token() -> Option<(Database, Arc<PostgresStore>)> {
    let database = Database::new().await?;
    let store = database.open().await;
    fill(&store).await;
    Some((database, store))
}

async fn fill(store: &PostgresStore) {
    add_account(store, 1).await;
    store.insert_token(&By::OPERATOR, temporary(1, 1, 1000)).await.unwrap();
}

async fn execute(database: &Database, sql: &str) {
    database.raw().await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

/// Time enough for what was asked to reach the database.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

/// Every name in the database, and what was applied.
async fn contents(database: &Database) -> Vec<String> {
    let mut raw = database.raw().await;
    let sql = "SELECT concat(relname, ' ', relkind, ' ', relnatts) FROM pg_class WHERE relnamespace \
               IN (SELECT oid FROM pg_namespace WHERE nspname = 'public') ORDER BY 1";
    sqlx::query_scalar(sql).fetch_all(&mut raw).await.unwrap()
}

async fn refused_untouched(database: &Database, what: &str) -> Error {
    let before = contents(database).await;
    let refused = PostgresStore::open(&database.url()).await.unwrap_err();
    assert_eq!(contents(database).await, before, "{what}");
    refused
}

#[tokio::test]
async fn its_time_is_the_databases_clock() {
    let Some(database) = Database::new().await else { return };
    let store = database.open_as_is().await;
    let apart = store.now().await.unwrap().millis().abs_diff(System.now().millis());
    assert!(apart < 5000, "{apart} ms from this machine's clock, on which the database runs too");
    add_account(&*store, 1).await;
    let end = Timestamp::from_millis(store.now().await.unwrap().millis() + 700);
    store.insert_token(&By::OPERATOR, expiring(temporary(1, 1, 5), end)).await.unwrap();
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(4)));
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused_untouched() {
    let Some(database) = Database::new().await else { return };
    database.open().await.close().await;
    database.open().await.close().await; // the twin
    execute(
        &database,
        "INSERT INTO pqc_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of tomorrow', TRUE, '\\x00', 0); \
         CREATE TABLE of_tomorrow (id BIGINT PRIMARY KEY)",
    )
    .await;
    let refused = refused_untouched(&database, "of tomorrow").await;
    assert!(matches!(refused, Error::NewerSchema { found: 9999, known: 4.. }), "{refused:?}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_untouched() {
    for theirs in [
        "CREATE TABLE photos (id BIGINT PRIMARY KEY)",
        "CREATE VIEW photos AS SELECT 1 AS id",
        // Of a program that uses the same library.
        "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, checksum BYTEA NOT NULL)",
        "CREATE TABLE pqc_migrations (version BIGINT PRIMARY KEY, checksum BYTEA NOT NULL)",
    ] {
        let Some(database) = Database::new().await else { return };
        execute(&database, theirs).await;
        let refused = refused_untouched(&database, theirs).await;
        assert!(matches!(refused, Error::Corrupt { .. }), "{theirs}: {refused:?}");
    }
    for change in [
        "UPDATE pqc_migrations SET checksum = '\\x00'",
        "UPDATE pqc_migrations SET version = -version",
        "DELETE FROM pqc_migrations",
        "DROP TABLE pqc_migrations",
    ] {
        let Some(database) = Database::new().await else { return };
        database.open_as_is().await.close().await;
        execute(&database, change).await;
        let refused = refused_untouched(&database, change).await;
        assert!(matches!(refused, Error::Corrupt { .. }), "{change}: {refused:?}");
    }
    // The twin: another schema of the same database may be anyone's.
    let Some(database) = Database::new().await else { return };
    execute(&database, "CREATE SCHEMA theirs; CREATE TABLE theirs.photos (id BIGINT)").await;
    database.open_as_is().await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_said_without_the_password() {
    let Some(database) = Database::new().await else { return };
    let url = database.url();
    let (_, place) = url.rsplit_once('@').unwrap();
    let (address, name) = place.split_once('/').unwrap();
    for (url, word) in [
        (format!("postgres://nobody:hunter2@{place}"), "nobody"),
        (format!("postgres://pqc:hunter2@127.0.0.1:1/{name}"), "refused"),
        (url.replace(&format!("/{name}"), "/no_such_database"), "no_such_database"),
        (format!("postgres://pqc:hunter2@{address}"), "names no database"),
    ] {
        let refused = PostgresStore::open(&url).await.unwrap_err();
        let said = format!("{refused} {refused:?}");
        assert!(said.contains(word) && !said.contains("hunter2"), "{said}");
    }
    let store = database.open_as_is().await;
    let (_, rest) = url.split_once("://").unwrap();
    let password = rest.split_once('@').unwrap().0.split_once(':').unwrap().1;
    assert!(password.len() < 3 || !format!("{store:?}").contains(password));
}

#[tokio::test]
async fn a_database_in_another_encoding_is_refused() {
    let Some(database) = Database::new().await else { return };
    let name = format!("latin_{}", std::process::id());
    let sql = format!(
        "CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    );
    execute(&database, &sql).await;
    let (base, _) =
        database.url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let refused = PostgresStore::open(&format!("{base}/{name}")).await.unwrap_err();
    assert!(refused.to_string().contains("ENCODING 'UTF8'"), "{refused}");
    Database::remove(&name).await;
}

#[tokio::test]
async fn its_connections_wait_for_the_disk_and_not_for_ever() {
    let Some((database, store)) = database_with_a_token().await else { return };
    let mut lock = database.raw().await;
    lock.execute("BEGIN; LOCK TABLE tokens IN EXCLUSIVE MODE").await.unwrap();
    let begin = std::time::Instant::now();
    let refused = store.spend(&By::OPERATOR, &hash(1, 1), usage()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert!((4..7).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    lock.execute("ROLLBACK").await.unwrap();
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(999)));
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pqc' \
               AND datname = current_database()";
    let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut lock).await.unwrap();
    assert!(count >= 1, "they say whose they are");
}

const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE application_name = 'pqc' AND datname = current_database()";

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_lost_between_calls_are_not_noticed() {
    let Some((database, store)) = database_with_a_token().await else { return };
    for left in (995..1000).rev() {
        let mut reads = JoinSet::new();
        for _ in 0..20 {
            let store = Arc::clone(&store);
            reads.spawn(async move { store.now().await.unwrap() });
        }
        reads.join_all().await;
        execute(&database, TERMINATE).await;
        settle().await;
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(left)));
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(left));
        store.ping().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_before_the_commit_leaves_nothing_done() {
    let Some((database, store)) = database_with_a_token().await else { return };
    let mut lock = database.raw().await;
    lock.execute("BEGIN; LOCK TABLE tokens IN EXCLUSIVE MODE").await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await }
    });
    settle().await;
    execute(&database, TERMINATE).await;
    let refused = waiting.await.unwrap();
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    lock.execute("ROLLBACK").await.unwrap();
    assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(1000));
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(999)));
}

/// Something that runs in each commit that spends.
async fn at_commit(database: &Database, does: &str) {
    let sql = format!(
        "CREATE SEQUENCE commits; \
         CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN {does} RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER at_commit AFTER UPDATE ON tokens \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()"
    );
    execute(database, &sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_in_the_commit_leaves_the_outcome_unknown() {
    let Some(database) = Database::new().await else { return };
    let store = database.open().await;
    let (shared, key) = (Arc::clone(&store) as Arc<dyn Store>, Secret::from([7; 32]));
    let service = Service::open(shared, Arc::new(System), key, Settings::default()).await.unwrap();
    fill(&store).await;
    at_commit(&database, "IF nextval('commits') = 1 THEN PERFORM pg_sleep(3); END IF;").await;
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await }
    });
    let mut raw = database.raw().await;
    let sleeps = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' \
                  AND datname = current_database()";
    while raw.fetch_optional(sleeps).await.unwrap().is_none() {
        settle().await;
    }
    execute(&database, TERMINATE).await;
    let doubtful = waiting.await.unwrap();
    assert!(matches!(doubtful, Err(Error::OutcomeUnknown(_))), "{doubtful:?}");
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(999)));

    // What was written down before it is signed, though another chain was begun.
    let heads = store.audit_heads();
    assert_eq!(heads.len(), 2);
    assert!(service.checkpoint().await.unwrap().is_some());
    let signed = store.checkpoints(0, 10).await.unwrap();
    assert_eq!(signed.iter().map(|checkpoint| *checkpoint.head()).collect::<Vec<_>>(), heads);
    assert!(service.checkpoint().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_others_undid_is_tried_again() {
    for code in ["40001", "40P01"] {
        let Some((database, store)) = database_with_a_token().await else { return };
        let does = "IF nextval('commits') < 4 THEN RAISE EXCEPTION 'undone' USING ERRCODE = ";
        at_commit(&database, &format!("{does} '{code}'; END IF;")).await;
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
            Ok(Some(999)),
            "{code}"
        );
    }
    // The twin: what is no matter of others is not.
    let Some((database, store)) = database_with_a_token().await else { return };
    at_commit(&database, "RAISE EXCEPTION 'never' USING ERRCODE = '23514';").await;
    let refused = store.spend(&By::OPERATOR, &hash(1, 1), usage()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_minted_by_a_root_token_that_is_just_revoked() {
    let Some((database, store)) = database_with_a_token().await else { return };
    let mut other = database.raw().await;
    other.execute("BEGIN; UPDATE tokens SET revoked_at = 1 WHERE kind = 'root'").await.unwrap();
    let minting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.mint_token(&By::OPERATOR, temporary(1, 7, 1), token_id(0)).await.unwrap() }
    });
    settle().await;
    assert!(!minting.is_finished(), "it waits for the word of the other");
    other.execute("COMMIT").await.unwrap();
    assert!(!minting.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_revokes_what_another_server_is_just_minting() {
    let Some((database, store)) = database_with_a_token().await else { return };
    // As the other server's store does it.
    let mut other = database.raw().await;
    let mint = "BEGIN; SELECT 1 FROM tokens JOIN accounts ON accounts.id = tokens.account \
                WHERE kind = 'root' FOR SHARE; \
                INSERT INTO tokens SELECT account, '\\x07070707070707070707070707070707', \
                sha256('7'), kind, label, operations, key_id, created_at, expires_at, attempts, \
                attempts_left, NULL, NULL FROM tokens WHERE kind = 'temporary'";
    other.execute(mint).await.unwrap();
    let reset = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.replace_root_token(&By::OPERATOR, root(1, 9), None, true).await.unwrap() }
    });
    settle().await;
    assert!(!reset.is_finished(), "it waits for who mints");
    other.execute("COMMIT").await.unwrap();
    reset.await.unwrap();
    let all = store.tokens(account_id(1), None, 10).await.unwrap();
    let living: Vec<_> =
        all.iter().filter(|token| !token.state.revoked).map(|token| token.id).collect();
    assert_eq!((all.len(), living), (4, vec![token_id(9)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_disabled_while_a_use_waits_is_refused() {
    let Some((database, store)) = database_with_a_token().await else { return };
    let mut other = database.raw().await;
    other.execute("BEGIN; SELECT 1 FROM tokens FOR UPDATE").await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap() }
    });
    settle().await;
    execute(&database, "UPDATE accounts SET disabled = 1").await;
    other.execute("COMMIT").await.unwrap();
    assert_eq!(waiting.await.unwrap(), Err(Refusal::AccountDisabled));
}
