//! A store that an older version made is brought up to date, and loses nothing by it.

use std::path::Path;

use crate::support::usage;
use pqc_core::token::Refusal;
use pqc_service::By;
use sqlx::migrate::{Migrate, Migrator};

use crate::ground::{Ground, on_every_ground};
use crate::support::{account, account_id, hash, key_pair, token_id};

/// The files, as the library reads them.
async fn migrations(of: &str) -> Migrator {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/migrations");
    Migrator::new(Path::new(folder).join(of)).await.unwrap()
}

/// Makes the schema as it was when only the first migration was there.
async fn make_first_version(ground: &Ground) {
    async fn apply(connection: &mut impl Migrate, migrations: &Migrator, table: &'static str) {
        let first = migrations.iter().next().unwrap();
        assert_eq!(first.version, 1);
        connection.ensure_migrations_table(table).await.unwrap();
        connection.apply(table, first).await.unwrap();
    }
    match ground {
        Ground::Sqlite(place) => {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path());
            let options = options.create_if_missing(true);
            let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
            apply(&mut connection, &migrations("sqlite").await, "_sqlx_migrations").await;
        }
        Ground::Postgres(database) => {
            let migrations = migrations("postgres").await;
            apply(&mut database.raw().await, &migrations, "pqc_migrations").await;
        }
    }
}

#[tokio::test]
async fn a_store_of_the_first_version_goes_on() {
    on_every_ground(async |ground: Ground| {
        make_first_version(&ground).await;
        let (account_hex, key) = ("01".repeat(16), key_pair(1, 7));
        let token = |n: u64| format!("x'{}'", hex::encode(token_id(n).as_bytes()));
        let token_hash = |n: u64| format!("x'{}'", hex::encode(hash(1, n).as_bytes()));
        ground
            .damage(&format!(
                "INSERT INTO accounts (id, name, custody, disabled, created_at) \
                 VALUES (x'{account_hex}', 'account 1', 'server', 0, 1700000000000); \
                 INSERT INTO tokens (account, id, hash, kind, operations, created_at, expires_at, \
                 attempts, attempts_left, last_used_at) VALUES \
                 (x'{account_hex}', {}, {}, 'temporary', 511, 1700000000000, 1125899906842624, \
                 2, 2, NULL), \
                 (x'{account_hex}', {}, {}, 'temporary', 511, 1700000000000, 1125899906842624, \
                 2, 0, 1700000000001); \
                 INSERT INTO keys (account, id, kind, algorithm, public_key, attestation, sealed, \
                 created_at) VALUES (x'{account_hex}', x'{}', 'kem', 'ML-KEM-768', x'{}', x'{}', \
                 x'{}', 1700000000000)",
                token(1),
                token_hash(1),
                token(2),
                token_hash(2),
                hex::encode(key.id.as_bytes()),
                hex::encode(&key.public_key),
                hex::encode(&key.attestation),
                hex::encode(key.sealed.as_bytes()),
            ))
            .await;
        let store = ground.open().await;
        assert_eq!(store.accounts().await.unwrap(), [account(1)]);
        assert_eq!(store.key(account_id(1), &key.id).await.unwrap(), Some(key));
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(1)));
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 2), usage()).await.unwrap(),
            Err(Refusal::Spent)
        );
        store.close().await;
    })
    .await;
}

/// What has landed is what stores were made with: it is not edited.
#[tokio::test]
async fn the_first_migrations_are_as_they_were() {
    let checksum = |migrator: &Migrator, version: i64| {
        let found = migrator.iter().find(|migration| migration.version == version).unwrap();
        hex::encode(&found.checksum[..8])
    };
    assert_eq!(checksum(&migrations("sqlite").await, 1), "db0a7262797f9409");
    assert_eq!(checksum(&migrations("postgres").await, 1), "0eead3d07f82a08b");
}
