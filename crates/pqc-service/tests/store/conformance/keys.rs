//! Stored keys.

use std::sync::Arc;

use pqc_core::seal::RecordKind::{AesKey, DecapsulationKey, IssuerKey, SigningKey};
use pqc_core::{AccountId, KeyId, Timestamp};
use pqc_service::usage::KeyUse;
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

#[tokio::test]
async fn keys_are_found_by_how_their_ids_begin() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        add_account(&*store, 2).await;
        let aes = versioned(1, AesKey, "AES-256", 1);
        let keys =
            [key_pair(1, 0xa1), key_pair(1, 0xa2), key_pair(1, 0xb1), key_pair(2, 0xa3), aes];
        for key in &keys {
            assert!(store.insert_key(&By::OPERATOR, key.clone()).await.unwrap());
        }
        let [first, second, third, _, aes] = &keys;
        assert!(store.destroy_key(&By::OPERATOR, account_id(1), &second.id).await.unwrap());
        let found = async |hex: &str, limit| {
            let found = store.keys_that_begin(account_id(1), hex, limit).await.unwrap();
            found.into_iter().map(|key| key.id).collect::<Vec<_>>()
        };
        assert_eq!(found("a", 9).await, [first.id, second.id]);
        assert_eq!(found("A1", 9).await, [first.id]);
        assert_eq!(found("a", 1).await, [first.id]);
        for key in [first, third, aes] {
            let id = key.id.to_string();
            assert_eq!(found(&id, 9).await, [key.id]);
            assert_eq!(found(&id[..21], 9).await, [key.id]);
        }
        assert_eq!(found("", 9).await.len(), 4);
        for none in ["c", "a3", "no hex", "a%"] {
            assert_eq!(found(none, 9).await, [], "{none}");
        }
    })
    .await;
}

#[tokio::test]
async fn uses_are_added_to_those_there_are_and_go_with_their_key() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        for n in [1, 2] {
            assert!(store.insert_key(&By::OPERATOR, key_pair(1, n)).await.unwrap());
        }
        let one = |n, uses, last| KeyUse {
            account: account_id(1),
            key: key_pair(1, n).id,
            uses,
            last_used_at: at(last),
        };
        let told = async |n| {
            let key = store.key_info(account_id(1), &key_pair(1, n).id).await.unwrap().unwrap();
            (key.uses, key.last_used_at)
        };
        assert_eq!(told(1).await, (0, None));
        store.add_key_uses(&[one(1, 3, 20), one(2, 1, 5)]).await.unwrap();
        // Another server's, which were earlier.
        store.add_key_uses(&[one(1, 2, 10)]).await.unwrap();
        assert_eq!((told(1).await, told(2).await), ((5, Some(at(20))), (1, Some(at(5)))));
        let listed = store.keys(account_id(1), None, 10).await.unwrap();
        assert_eq!(listed.iter().map(|key| key.uses).sum::<u64>(), 6);
        // Of a key that is not there any more: nobody's.
        store.add_key_uses(&[one(9, 1, 1)]).await.unwrap();
        assert_eq!(store.keys(account_id(1), None, 10).await.unwrap(), listed);

        assert!(store.destroy_key(&By::OPERATOR, account_id(1), &one(1, 0, 0).key).await.unwrap());
        assert_eq!(told(1).await.0, 5, "it may come back");
        let end = Timestamp::from_millis(u64::MAX);
        assert_eq!(store.purge_destroyed_keys(&By::OPERATOR, end, 10).await.unwrap().keys, 1);
        assert!(store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap());
        assert_eq!((told(1).await, told(2).await.0), ((0, None), 1));
    })
    .await;
}

#[tokio::test]
async fn the_newest_keys_come_first_page_by_page() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        for (n, made) in [(1, 5), (2, 5), (3, 1), (4, 9), (5, 7)] {
            let key = KeyRecord { created_at: at(made), ..key_pair(1, n) };
            assert!(store.insert_key(&By::OPERATOR, key).await.unwrap());
        }
        let mut all = store.keys(account_id(1), None, 10).await.unwrap();
        all.reverse();
        for limit in 1..=6 {
            let (mut seen, mut before) = (Vec::new(), None);
            loop {
                let page = store.newest_keys(account_id(1), before, limit).await.unwrap();
                let Some(last) = page.last() else { break };
                before = Some((last.created_at, last.id));
                seen.extend(page);
            }
            assert_eq!(seen, all, "by {limit}");
        }
    })
    .await;
}
