//! Keys that are listed, destroyed, brought back and removed.

use std::sync::Arc;

use pqc_core::seal::RecordKind::{AesKey, SigningKey};
use pqc_core::{KeyId, Timestamp};
use pqc_service::{By, KeyInfo, KeyRecord, Store};

use crate::ground::{Ground, on_every_ground};
use crate::support::{
    START, account_id, add_account, at, key_pair, on_every_store, sealed, versioned,
};

/// The key as it is told of.
fn info(key: KeyRecord, destroyed_at: Option<Timestamp>) -> KeyInfo {
    KeyInfo { destroyed_at, ..KeyInfo::from(key) }
}

#[tokio::test]
async fn what_is_told_of_a_key_is_what_was_stored() {
    on_every_store(async |store: Arc<dyn Store>| {
        let retired = KeyRecord { retired_at: Some(at(9)), ..versioned(1, AesKey, "AES-256", 7) };
        for key in [key_pair(1, 1), versioned(1, SigningKey, "ML-DSA-65", u32::MAX), retired] {
            assert!(store.insert_key(&By::OPERATOR, key.clone()).await.unwrap());
            let told = store.key_info(account_id(1), &key.id).await.unwrap();
            assert_eq!(told, Some(info(key, None)));
        }
        assert_eq!(store.key_info(account_id(1), &KeyId::Pair([9; 32])).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn keys_come_in_pages_in_the_order_of_their_making() {
    on_every_store(async |store: Arc<dyn Store>| {
        // Made at four times; at two of them several, whose ids then tell. Of ids of both lengths,
        // a shorter one comes before those that it begins.
        let made = |seconds, id| KeyRecord { id, created_at: at(seconds), ..key_pair(1, 1) };
        let in_order = [
            made(-5, KeyId::Pair([9; 32])),
            made(0, KeyId::Pair([1; 32])),
            made(0, KeyId::Symmetric([2; 16])),
            made(0, KeyId::Pair([2; 32])),
            made(1, KeyId::Symmetric([255; 16])),
            made(2, KeyId::Pair([0; 32])),
            made(2, KeyId::Pair([255; 32])),
        ];
        for key in [4, 0, 6, 2, 1, 5, 3].map(|n: usize| &in_order[n]) {
            assert!(store.insert_key(&By::OPERATOR, key.clone()).await.unwrap());
            let other = KeyRecord { account: account_id(2), ..key.clone() };
            assert!(store.insert_key(&By::OPERATOR, other).await.unwrap());
        }
        let page = async |after: Option<usize>, limit| {
            let after = after.map(|n| (in_order[n].created_at, in_order[n].id));
            store.keys(account_id(1), after, limit).await.unwrap()
        };
        let of = |range: std::ops::Range<usize>| -> Vec<KeyInfo> {
            in_order[range].iter().map(|key| info(key.clone(), None)).collect()
        };
        assert_eq!(page(None, 100).await, of(0..7));
        for n in 0..7 {
            assert_eq!(page(Some(n), 2).await, of(n + 1..7.min(n + 3)), "after {n}");
        }
        assert_eq!(page(None, 0).await, []);
        let absent = Some((at(0), KeyId::Symmetric([1; 16])));
        assert_eq!(store.keys(account_id(1), absent, 1).await.unwrap(), of(1..2));
        let last = Some((Timestamp::from_millis(u64::MAX), KeyId::Symmetric([0; 16])));
        assert_eq!(store.keys(account_id(1), last, 10).await.unwrap(), []);
        assert_eq!(store.keys(account_id(3), None, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_destroyed_key_is_unknown_until_it_is_brought_back() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let account = account_id(1);
        let (pair, aes) = (key_pair(1, 1), versioned(1, AesKey, "AES-256", 1));
        let in_force = async || store.current_key(account, AesKey, "AES-256").await.unwrap();
        for key in [&pair, &aes] {
            store.insert_key(&By::OPERATOR, key.clone()).await.unwrap();
        }
        ground.set_time(at(5)).await;
        for key in [&pair, &aes] {
            assert!(
                !store.undestroy_key(&By::OPERATOR, account, &key.id, START).await.unwrap(),
                "it lives"
            );
            assert!(store.destroy_key(&By::OPERATOR, account, &key.id).await.unwrap());
            assert!(
                !store.destroy_key(&By::OPERATOR, account, &key.id).await.unwrap(),
                "it is destroyed"
            );
            assert_eq!(store.key(account, &key.id).await.unwrap(), None);
            let told = store.key_info(account, &key.id).await.unwrap();
            assert_eq!(told, Some(info(key.clone(), Some(at(5)))));
        }
        assert_eq!(in_force().await, None);
        assert_eq!(store.key_versions(account, AesKey).await.unwrap(), []);
        assert_eq!(store.newest_version(account, AesKey, "AES-256").await.unwrap(), Some(1));
        assert_eq!(store.keys(account, None, 10).await.unwrap().len(), 2);
        assert!(
            !store.insert_key(&By::OPERATOR, pair.clone()).await.unwrap(),
            "its id is taken still"
        );

        for key in [&pair, &aes] {
            assert!(
                !store.undestroy_key(&By::OPERATOR, account, &key.id, at(5)).await.unwrap(),
                "too long ago"
            );
            assert!(store.undestroy_key(&By::OPERATOR, account, &key.id, at(4)).await.unwrap());
            assert_eq!(store.key(account, &key.id).await.unwrap().as_ref(), Some(key));
            assert!(!store.undestroy_key(&By::OPERATOR, account, &key.id, START).await.unwrap());
        }
        assert_eq!(in_force().await, Some(aes));
        assert!(!store.destroy_key(&By::OPERATOR, account, &KeyId::Pair([9; 32])).await.unwrap());
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn keys_are_removed_when_they_were_destroyed_long_ago_and_no_others() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        for account in [1, 2] {
            add_account(&*store, account).await;
            for n in 0..6 {
                store.insert_key(&By::OPERATOR, key_pair(account, n)).await.unwrap();
            }
        }
        // Of each account: 0 lives, 1 to 4 are destroyed at that second, 5 is brought back.
        for n in 1..6 {
            ground.set_time(at(n)).await;
            for account in [1, 2].map(account_id) {
                store
                    .destroy_key(&By::OPERATOR, account, &KeyId::Pair([n as u8; 32]))
                    .await
                    .unwrap();
            }
        }
        for account in [1, 2].map(account_id) {
            assert!(
                store
                    .undestroy_key(&By::OPERATOR, account, &KeyId::Pair([5; 32]), START)
                    .await
                    .unwrap()
            );
        }
        let left = async || {
            let mut left = Vec::new();
            for account in [1, 2].map(account_id) {
                let keys = store.keys(account, None, 10).await.unwrap();
                left.push(keys.iter().map(|key| key.id.as_bytes()[0]).collect::<Vec<_>>());
            }
            left
        };
        let purge = async |until, limit| {
            let purged = store.purge_destroyed_keys(&By::OPERATOR, until, limit).await.unwrap();
            assert!(purged.erased);
            purged.keys
        };
        assert_eq!(purge(at(0), 100).await, 0);
        assert_eq!(left().await, [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]]);
        assert_eq!(purge(at(2), 3).await, 3, "no more than asked for");
        assert_eq!(purge(at(2), 3).await, 1);
        assert_eq!(purge(at(2), 3).await, 0);
        assert_eq!(left().await, [[0, 3, 4, 5], [0, 3, 4, 5]]);
        assert_eq!(purge(at(3600), 100).await, 4);
        assert_eq!(left().await, [[0, 5], [0, 5]]);
        assert!(
            !store
                .undestroy_key(&By::OPERATOR, account_id(1), &KeyId::Pair([3; 32]), START)
                .await
                .unwrap()
        );
        assert!(store.insert_key(&By::OPERATOR, key_pair(1, 3)).await.unwrap(), "its id is free");
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_version_put_in_force_retires_the_older_ones_and_no_others() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let key = |version| versioned(1, SigningKey, "ML-DSA-65", version);
        let others = [
            versioned(1, SigningKey, "ML-DSA-44", 1),
            versioned(1, AesKey, "ML-DSA-65", 1),
            versioned(2, SigningKey, "ML-DSA-65", 1),
            key_pair(1, 200),
        ];
        for other in &others {
            store.insert_key(&By::OPERATOR, other.clone()).await.unwrap();
        }
        let all = async || store.key_versions(account_id(1), SigningKey).await.unwrap();
        assert!(store.put_in_force(&By::OPERATOR, key(1)).await.unwrap());
        ground.set_time(at(60)).await;
        store.destroy_key(&By::OPERATOR, account_id(1), &key(1).id).await.unwrap();
        assert!(store.put_in_force(&By::OPERATOR, key(2)).await.unwrap());
        ground.set_time(at(70)).await;
        assert!(store.put_in_force(&By::OPERATOR, key(4)).await.unwrap());

        // A number that was taken, or passed over, or an id that was: nothing is retired.
        for refused in [
            KeyRecord { id: KeyId::Symmetric([77; 16]), ..key(4) },
            KeyRecord { id: KeyId::Symmetric([77; 16]), ..key(3) },
            KeyRecord { id: key(2).id, ..key(5) },
        ] {
            assert!(!store.put_in_force(&By::OPERATOR, refused).await.unwrap());
        }
        let current = store.current_key(account_id(1), SigningKey, "ML-DSA-65").await.unwrap();
        assert_eq!(current, Some(key(4)));
        let retired =
            |version, seconds| KeyRecord { retired_at: Some(at(seconds)), ..key(version) };
        let expected = [key(4), retired(2, 70), others[0].clone()];
        assert_eq!(all().await, expected);
        // One that comes back was retired when the next one was made.
        store.undestroy_key(&By::OPERATOR, account_id(1), &key(1).id, START).await.unwrap();
        assert_eq!(store.key(account_id(1), &key(1).id).await.unwrap(), Some(retired(1, 60)));
        for other in others {
            let found = store.key(other.account, &other.id).await.unwrap();
            assert_eq!(found, Some(other));
        }
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_put_in_force_at_once_one_is_in_force() {
    on_every_store(async |store: Arc<dyn Store>| {
        let mut rivals = tokio::task::JoinSet::new();
        for n in 0..60 {
            let store = Arc::clone(&store);
            let version = n / 3 + 1;
            let id = KeyId::Symmetric([n as u8; 16]);
            let key = KeyRecord { id, ..versioned(1, AesKey, "AES-256", version) };
            rivals.spawn(async move {
                store.put_in_force(&By::OPERATOR, key).await.unwrap().then_some(version)
            });
        }
        let mut made: Vec<_> = rivals.join_all().await.into_iter().flatten().collect();
        made.sort_unstable();
        let all = store.key_versions(account_id(1), AesKey).await.unwrap();
        let mut stored: Vec<_> = all.iter().map(|key| key.version.unwrap()).collect();
        stored.sort_unstable();
        assert_eq!(made, stored, "each version once");
        let in_force: Vec<_> = all.iter().filter(|key| key.retired_at.is_none()).collect();
        assert_eq!((in_force.len(), in_force[0].version), (1, Some(20)));
    })
    .await;
}

#[tokio::test]
async fn the_newest_version_is_that_of_one_account_kind_and_algorithm() {
    on_every_store(async |store: Arc<dyn Store>| {
        let newest = async |account, kind, algorithm| {
            store.newest_version(account_id(account), kind, algorithm).await.unwrap()
        };
        assert_eq!(newest(1, AesKey, "AES-256").await, None);
        let retired = KeyRecord { retired_at: Some(START), ..versioned(1, AesKey, "AES-256", 10) };
        for key in [versioned(1, AesKey, "AES-256", 9), retired, key_pair(1, 1)] {
            store.insert_key(&By::OPERATOR, KeyRecord { sealed: sealed(7), ..key }).await.unwrap();
        }
        assert_eq!(newest(1, AesKey, "AES-256").await, Some(10));
        assert_eq!(newest(1, AesKey, "AES-128").await, None);
        assert_eq!(newest(1, SigningKey, "AES-256").await, None);
        assert_eq!(newest(2, AesKey, "AES-256").await, None);
    })
    .await;
}
