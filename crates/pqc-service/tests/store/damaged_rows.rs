//! Values that this program would not have written: an error for who asks for them, no one else.

use crate::support::usage;
use std::sync::Arc;

use pqc_core::seal::RecordKind::SigningKey;
use pqc_service::By;
use pqc_service::Error;

use crate::ground::{Counting, Ground, on_every_ground};
use crate::support::{
    account_id, add_account, hash, key_pair, master_key, temporary, token_id, versioned,
};

/// A store with two of each thing, of which the first is then changed past the store's back.
async fn damaged(ground: &Ground, table: &str, column: &str, value: &str) -> Arc<dyn Counting> {
    let store = ground.open().await;
    for n in [1, 2] {
        add_account(&*store, n).await;
        store.insert_token(&By::OPERATOR, temporary(n, 1, 5)).await.unwrap();
        store.insert_key(&By::OPERATOR, versioned(n, SigningKey, "ML-DSA-65", 1)).await.unwrap();
        store.add_master_key(&By::OPERATOR, master_key(n.into())).await.unwrap();
    }
    let which = match table {
        "accounts" => format!("id = x'{}'", "01".repeat(16)),
        "tokens" => format!("account = x'{}' AND kind = 'temporary'", "01".repeat(16)),
        "keys" => format!("account = x'{}'", "01".repeat(16)),
        _ => "TRUE".to_owned(),
    };
    let sql = format!("UPDATE {table} SET {column} = {value} WHERE {which}");
    let done = ground.damage(&sql).await;
    assert!(done >= 1);
    store
}

fn assert_corrupt<T: std::fmt::Debug>(answer: Result<T, Error>, case: &str) {
    assert!(matches!(answer, Err(Error::Corrupt { .. })), "{case}: {answer:?}");
}

#[tokio::test]
async fn an_account() {
    for (column, value) in [("custody", "'nobody'"), ("disabled", "7"), ("created_at", "-1")] {
        on_every_ground(async |ground: Ground| {
            let store = damaged(&ground, "accounts", column, value).await;
            let case = format!("{column} = {value}");
            assert_corrupt(store.account_by_name("account 1").await, &case);
            assert_corrupt(store.accounts().await, &case);
            assert_corrupt(store.token_by_hash(&hash(1, 1)).await, &case);
            assert!(store.account_by_name("account 2").await.unwrap().is_some(), "{case}");
            assert!(store.token_by_hash(&hash(2, 1)).await.unwrap().is_some(), "{case}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_token() {
    for (column, value) in [
        ("id", "x'00'"),
        ("kind", "'imperial'"),
        ("operations", "65536"),
        ("operations", "-1"),
        ("key_id", "x'0011'"),
        ("created_at", "-1"),
        ("expires_at", "-1"),
        ("attempts", "4294967296"),
        ("attempts_left", "-1"),
        ("attempts_left", "4294967299"),
        ("revoked_at", "-1"),
        ("last_used_at", "-1"),
    ] {
        on_every_ground(async |ground: Ground| {
            let store = damaged(&ground, "tokens", column, value).await;
            let case = format!("{column} = {value}");
            assert_corrupt(store.token_by_hash(&hash(1, 1)).await, &case);
            assert_corrupt(store.tokens(account_id(1), None, 10).await, &case);
            assert!(store.token_by_hash(&hash(2, 1)).await.unwrap().is_some(), "{case}");
            assert_eq!(store.tokens(account_id(2), None, 10).await.unwrap().len(), 2, "{case}");
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_use_of_a_token_fails_alone() {
    for (column, value) in [
        ("attempts_left", "-1"),
        ("attempts_left", "4294967299"),
        ("expires_at", "-1"),
        ("revoked_at", "-1"),
    ] {
        on_every_ground(async |ground: Ground| {
            let store = damaged(&ground, "tokens", column, value).await;
            let case = format!("{column} = {value}");
            let (one, other) = (hash(1, 1), hash(2, 1));
            // Polled together, they wait together.
            let (damaged, sound) = tokio::join!(
                store.spend(&By::OPERATOR, &one, usage()),
                store.spend(&By::OPERATOR, &other, usage())
            );
            assert_corrupt(damaged, &case);
            assert_eq!(sound.unwrap(), Ok(Some(4)), "{case}");
            assert!(store.revoke_token(&By::OPERATOR, account_id(2), token_id(1)).await.unwrap());
        })
        .await;
    }
}

#[tokio::test]
async fn a_key() {
    for (column, value) in [
        ("id", "x'00'"),
        ("kind", "'skeleton'"),
        ("version", "4294967296"),
        ("sealed", "x'0101'"),
        ("sealed", "zeroblob(78)"),
        ("created_at", "-1"),
        ("retired_at", "-1"),
    ] {
        on_every_ground(async |ground: Ground| {
            let store = damaged(&ground, "keys", column, value).await;
            let case = format!("{column} = {value}");
            let id = versioned(1, SigningKey, "ML-DSA-65", 1).id;
            match column {
                // Then it is not found by the name it had.
                "id" => assert_corrupt(store.key_versions(account_id(1), SigningKey).await, &case),
                _ => assert_corrupt(store.key(account_id(1), &id).await, &case),
            }
            let sound = store.current_key(account_id(2), SigningKey, "ML-DSA-65").await.unwrap();
            assert!(sound.is_some(), "{case}");
            assert!(store.insert_key(&By::OPERATOR, key_pair(1, 9)).await.unwrap(), "{case}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_master_key_and_an_issuer() {
    on_every_ground(async |ground: Ground| {
        let store = damaged(&ground, "master_keys", "check_value", "x'00'").await;
        assert_corrupt(store.master_keys().await, "check_value");
        assert_eq!(store.trusted_issuers().await.unwrap(), []); // the twin
        let sql = "INSERT INTO trusted_issuers (public_key, created_at) VALUES (x'00', 0)";
        ground.damage(sql).await;
        assert_corrupt(store.trusted_issuers().await, "public_key");
    })
    .await;
}

#[tokio::test]
async fn the_clock() {
    on_every_ground(async |ground: Ground| {
        let store = damaged(&ground, "master_keys", "created_at", "0").await;
        store.now().await.unwrap(); // the twin
        ground.execute("DELETE FROM clock", "DELETE FROM test_clock").await;
        assert_corrupt(store.now().await, "no clock");
        assert_corrupt(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await, "no clock");
        assert_corrupt(store.ping().await, "no clock");
    })
    .await;
}

#[tokio::test]
async fn a_row_of_the_audit_log_that_is_put_to_another_account() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        add_account(&*store, 2).await;
        assert_eq!(store.audit_of(account_id(1), None, 9).await.unwrap().len(), 1);
        let sql = format!("UPDATE audit SET account = x'{}'", "01".repeat(16));
        assert_eq!(ground.damage(&sql).await, 2);
        assert_corrupt(store.audit_of(account_id(1), None, 9).await, "another's");
    })
    .await;
}
