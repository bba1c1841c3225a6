//! Stored keys.

use std::sync::Arc;

use pqc_core::seal::RecordKind::{AesKey, DecapsulationKey, IssuerKey, SigningKey};
use pqc_core::{AccountId, KeyId};
use pqc_service::{By, KeyRecord, Store};

use crate::support::{START, account_id, add_account, at, key_pair, on_every_store, versioned};

#[tokio::test]
async fn a_key_comes_back_as_it_was_stored() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        let retired = KeyRecord { retired_at: Some(at(9)), ..versioned(1, AesKey, "AES-256", 7) };
        for key in [key_pair(1, 1), versioned(1, SigningKey, "ML-DSA-65", u32::MAX), retired] {
            assert!(store.insert_key(&By::OPERATOR, key.clone()).await.unwrap());
            assert_eq!(store.key(account_id(1), &key.id).await.unwrap(), Some(key));
        }
    })
    .await;
}

#[tokio::test]
async fn the_server_has_keys_and_no_account() {
    on_every_store(async |store: Arc<dyn Store>| {
        let issuer =
            KeyRecord { account: AccountId::SERVER, ..versioned(0, IssuerKey, "ML-DSA-65", 1) };
        assert!(store.insert_key(&By::OPERATOR, issuer.clone()).await.unwrap());
        let found = store.current_key(AccountId::SERVER, IssuerKey, "ML-DSA-65").await.unwrap();
        assert_eq!(found, Some(issuer));
        assert_eq!(store.accounts().await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn stored_keys_are_counted() {
    on_every_store(async |store: Arc<dyn Store>| {
        let count = async |n, at_most| store.stored_keys(account_id(n), at_most).await.unwrap();
        assert_eq!(count(1, 100).await, 0);
        for key in [key_pair(1, 1), key_pair(1, 2), versioned(1, SigningKey, "ML-DSA-65", 1)] {
            assert!(store.insert_key(&By::OPERATOR, key).await.unwrap());
        }
        store.insert_key(&By::OPERATOR, key_pair(2, 1)).await.unwrap();
        let retired = KeyRecord { retired_at: Some(at(9)), ..versioned(2, AesKey, "AES-256", 7) };
        store.insert_key(&By::OPERATOR, retired).await.unwrap();
        assert_eq!((count(1, 100).await, count(2, 100).await), (3, 2));
        assert_eq!((count(1, 2).await, count(1, u64::MAX).await), (2, 3));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_key_is_none() {
    on_every_store(async |store: Arc<dyn Store>| {
        store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap();
        assert_eq!(store.key(account_id(1), &KeyId::Pair([2; 32])).await.unwrap(), None);
        assert_eq!(store.key(account_id(1), &KeyId::Symmetric([1; 16])).await.unwrap(), None);
        assert!(store.key(account_id(1), &KeyId::Pair([1; 32])).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn an_id_is_stored_once_an_account() {
    on_every_store(async |store: Arc<dyn Store>| {
        assert!(store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap());
        let other = KeyRecord { public_key: vec![9; 1184], ..key_pair(1, 1) };
        assert!(!store.insert_key(&By::OPERATOR, other).await.unwrap());
        assert_eq!(
            store.key(account_id(1), &key_pair(1, 1).id).await.unwrap(),
            Some(key_pair(1, 1))
        );
        assert!(
            store.insert_key(&By::OPERATOR, key_pair(2, 1)).await.unwrap(),
            "another account's"
        );
        assert!(
            store.insert_key(&By::OPERATOR, key_pair(1, 2)).await.unwrap(),
            "another of no version"
        );
    })
    .await;
}

#[tokio::test]
async fn a_version_is_stored_once_a_kind_and_algorithm() {
    on_every_store(async |store: Arc<dyn Store>| {
        let first = versioned(1, SigningKey, "ML-DSA-65", 1);
        assert!(store.insert_key(&By::OPERATOR, first.clone()).await.unwrap());
        let rival = KeyRecord { id: KeyId::Pair([9; 32]), ..first.clone() };
        assert!(!store.insert_key(&By::OPERATOR, rival.clone()).await.unwrap());
        assert_eq!(store.key(account_id(1), &rival.id).await.unwrap(), None);
        for other in [
            versioned(1, SigningKey, "ML-DSA-65", 2),
            versioned(1, SigningKey, "ML-DSA-44", 1),
            versioned(1, AesKey, "ML-DSA-65", 1),
            versioned(2, SigningKey, "ML-DSA-65", 1),
        ] {
            assert!(store.insert_key(&By::OPERATOR, other).await.unwrap());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_first_keys_at_once_one_is_stored() {
    on_every_store(async |store: Arc<dyn Store>| {
        let mut rivals = tokio::task::JoinSet::new();
        for n in 0..50 {
            let store = Arc::clone(&store);
            let id = KeyId::Symmetric([n; 16]);
            let key = KeyRecord { id, ..versioned(1, AesKey, "AES-256", 1) };
            rivals.spawn(async move {
                store.insert_key(&By::OPERATOR, key).await.unwrap().then_some(id)
            });
        }
        let stored: Vec<_> = rivals.join_all().await.into_iter().flatten().collect();
        assert_eq!(stored.len(), 1);
        let current = store.current_key(account_id(1), AesKey, "AES-256").await.unwrap();
        assert_eq!(current.unwrap().id, stored[0]);
    })
    .await;
}

#[tokio::test]
async fn the_current_key_is_the_newest_that_is_not_retired() {
    on_every_store(async |store: Arc<dyn Store>| {
        let current = async |account, kind, algorithm: &str| {
            let key = store.current_key(account_id(account), kind, algorithm).await.unwrap();
            key.map(|key| key.version.unwrap())
        };
        assert_eq!(current(1, SigningKey, "ML-DSA-65").await, None);
        for version in [2, 1, 10, 9] {
            let key = versioned(1, SigningKey, "ML-DSA-65", version);
            assert!(store.insert_key(&By::OPERATOR, key).await.unwrap());
        }
        assert_eq!(current(1, SigningKey, "ML-DSA-65").await, Some(10));
        let mut retired = versioned(1, SigningKey, "ML-DSA-65", 11);
        retired.retired_at = Some(START);
        assert!(store.insert_key(&By::OPERATOR, retired).await.unwrap());
        assert_eq!(current(1, SigningKey, "ML-DSA-65").await, Some(10));
        assert_eq!(current(1, SigningKey, "ML-DSA-87").await, None);
        assert_eq!(current(1, AesKey, "ML-DSA-65").await, None);
        assert_eq!(current(2, SigningKey, "ML-DSA-65").await, None);
    })
    .await;
}

#[tokio::test]
async fn a_key_without_version_is_never_the_current_one() {
    on_every_store(async |store: Arc<dyn Store>| {
        store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap();
        let current = store.current_key(account_id(1), DecapsulationKey, "ML-KEM-768").await;
        assert_eq!(current.unwrap(), None);
        assert_eq!(store.key_versions(account_id(1), DecapsulationKey).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn all_versions_come_newest_first() {
    on_every_store(async |store: Arc<dyn Store>| {
        let versions = [1, 2, 10].map(|version| versioned(1, SigningKey, "ML-DSA-65", version));
        let [first, second, tenth] = versions;
        let second = KeyRecord { retired_at: Some(at(5)), ..second };
        let other = KeyRecord { created_at: at(4), ..versioned(1, SigningKey, "ML-DSA-44", 1) };
        for key in [&second, &first, &tenth, &other, &versioned(1, AesKey, "AES-256", 1)] {
            assert!(store.insert_key(&By::OPERATOR, key.clone()).await.unwrap());
        }
        let all = store.key_versions(account_id(1), SigningKey).await.unwrap();
        assert_eq!(all, [tenth, other, second, first]);
        assert_eq!(store.key_versions(account_id(2), SigningKey).await.unwrap(), []);
    })
    .await;
}
