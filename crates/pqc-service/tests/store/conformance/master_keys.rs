//! Master keys, and the way from one to the next.

use std::sync::Arc;

use pqc_core::PassphraseParameters;
use pqc_core::seal::RecordKind::SigningKey;
use pqc_service::store::{MasterKeyRecord, MasterRotation, NewMasterKey, Resealed};
use pqc_service::{By, Error, KeyRecord, Store};
use tokio::task::JoinSet;

use crate::ground::{Ground, on_every_ground};
use crate::support::{
    account_id, key_pair, master_key, on_every_store, sealed, sealed_under, versioned,
};

fn rotation(from: u32) -> MasterRotation {
    MasterRotation {
        from,
        from_wrapped: sealed_under(from + 1, 7),
        to: master_key(from + 1),
        to_wrapped: sealed_under(from, 8),
    }
}

fn under(master_version: u32, key: KeyRecord) -> KeyRecord {
    let sealed = sealed_under(master_version, key.sealed.as_bytes()[70]);
    KeyRecord { sealed, ..key }
}

fn resealed(key: &KeyRecord, master_version: u32) -> Resealed {
    let (account, id, old) = (key.account, key.id, key.sealed.clone());
    Resealed { account, id, old, new: under(master_version, key.clone()).sealed }
}

/// Of each version: whether it was superseded, and what is wrapped.
async fn state(store: &(impl Store + ?Sized)) -> Vec<(u32, bool, Option<u32>)> {
    let keys = store.master_keys().await.unwrap();
    let state = |key: MasterKeyRecord| {
        let wrapped = key.wrapped.map(|wrapped| wrapped.master_version());
        (key.version, key.superseded_at.is_some(), wrapped)
    };
    keys.into_iter().map(state).collect()
}

/// The numbers of the rows under that version, and their keys.
async fn page(store: &dyn Store, under: u32, after: u64, limit: u32) -> (Vec<u64>, Vec<KeyRecord>) {
    let page = store.keys_under(under, after, limit).await.unwrap();
    page.into_iter().map(|(number, key)| (number, key.unwrap())).unzip()
}

#[tokio::test]
async fn a_version_is_added_once() {
    on_every_store(async |store: Arc<dyn Store>| {
        assert_eq!(store.master_keys().await.unwrap(), []);
        let parameters = PassphraseParameters::new(65536, 3, 4, [7; 16]).unwrap();
        let derived = NewMasterKey { derivation: Some(parameters), ..master_key(2) };
        for key in [derived.clone(), master_key(u32::MAX), master_key(1)] {
            assert!(store.add_master_key(&By::OPERATOR, key).await.unwrap());
        }
        assert!(!store.add_master_key(&By::OPERATOR, master_key(2)).await.unwrap());
        let keys = store.master_keys().await.unwrap();
        assert_eq!(keys.iter().map(|key| key.version).collect::<Vec<_>>(), [1, 2, u32::MAX]);
        assert_eq!((&keys[1].check, &keys[1].derivation), (&derived.check, &derived.derivation));
        assert!(keys.iter().all(|key| key.superseded_at.is_none() && key.wrapped.is_none()));
        assert_eq!(keys[0].derivation, None);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_begins_from_the_key_in_force_and_one_at_a_time() {
    on_every_store(async |store: Arc<dyn Store>| {
        assert!(
            !store.begin_master_rotation(&By::OPERATOR, rotation(1)).await.unwrap(),
            "there is no key"
        );
        store.add_master_key(&By::OPERATOR, master_key(1)).await.unwrap();
        assert_eq!(state(&*store).await, [(1, false, None)]);
        assert!(store.begin_master_rotation(&By::OPERATOR, rotation(1)).await.unwrap());
        let begun = [(1, true, Some(2)), (2, false, Some(1))];
        assert_eq!(state(&*store).await, begun);
        let keys = store.master_keys().await.unwrap();
        for from in [1, 2, 3] {
            assert!(
                !store.begin_master_rotation(&By::OPERATOR, rotation(from)).await.unwrap(),
                "{from}"
            );
        }
        assert_eq!(store.master_keys().await.unwrap(), keys, "a refusal changes nothing");
    })
    .await;
}

#[tokio::test]
async fn a_new_version_that_is_there_leaves_the_old_one_in_force() {
    on_every_store(async |store: Arc<dyn Store>| {
        for version in [1, 2] {
            store.add_master_key(&By::OPERATOR, master_key(version)).await.unwrap();
        }
        let refused = store.begin_master_rotation(&By::OPERATOR, rotation(1)).await;
        assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
        assert_eq!(state(&*store).await, [(1, false, None), (2, false, None)]);
        assert!(store.begin_master_rotation(&By::OPERATOR, rotation(2)).await.unwrap()); // the twin
    })
    .await;
}

#[tokio::test]
async fn no_key_is_added_under_a_superseded_master_key() {
    on_every_store(async |store: Arc<dyn Store>| {
        store.add_master_key(&By::OPERATOR, master_key(1)).await.unwrap();
        assert!(store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap());
        store.begin_master_rotation(&By::OPERATOR, rotation(1)).await.unwrap();
        for key in [key_pair(1, 2), versioned(1, SigningKey, "ML-DSA-65", 1)] {
            let refused = store.insert_key(&By::OPERATOR, key.clone()).await;
            assert!(matches!(refused, Err(Error::StaleMasterKey { version: 1 })), "{refused:?}");
            assert_eq!(store.key(account_id(1), &key.id).await.unwrap(), None);
            assert!(store.insert_key(&By::OPERATOR, under(2, key)).await.unwrap());
        }
        // The end of the rotation changes nothing of it.
        store.reseal_keys(&By::OPERATOR, vec![resealed(&key_pair(1, 1), 2)]).await.unwrap();
        assert!(store.end_master_rotation(&By::OPERATOR, 1, 2).await.unwrap());
        assert!(store.insert_key(&By::OPERATOR, key_pair(1, 3)).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_rotation_ends_when_no_key_is_under_the_older_one() {
    on_every_store(async |store: Arc<dyn Store>| {
        store.add_master_key(&By::OPERATOR, master_key(1)).await.unwrap();
        for n in [1, 2] {
            store.insert_key(&By::OPERATOR, key_pair(n, 1)).await.unwrap();
        }
        store.begin_master_rotation(&By::OPERATOR, rotation(1)).await.unwrap();
        let begun = store.master_keys().await.unwrap();
        for n in [1, 2] {
            assert!(!store.end_master_rotation(&By::OPERATOR, 1, 2).await.unwrap());
            assert_eq!(store.master_keys().await.unwrap(), begun);
            assert_eq!(
                store.reseal_keys(&By::OPERATOR, vec![resealed(&key_pair(n, 1), 2)]).await.unwrap(),
                1
            );
        }
        assert_eq!(store.keys_by_master_key().await.unwrap(), [(2, 2)]);
        // Who did the same beside it may end it again.
        for _ in 0..2 {
            assert!(store.end_master_rotation(&By::OPERATOR, 1, 2).await.unwrap());
            assert_eq!(state(&*store).await, [(1, true, None), (2, false, None)]);
        }
        // And takes nothing from the next one.
        assert!(store.begin_master_rotation(&By::OPERATOR, rotation(2)).await.unwrap());
        store.end_master_rotation(&By::OPERATOR, 1, 2).await.unwrap();
        let next = [(1, true, None), (2, true, Some(3)), (3, false, Some(2))];
        assert_eq!(state(&*store).await, next);
    })
    .await;
}

#[tokio::test]
async fn the_keys_under_a_master_key_come_in_pages() {
    on_every_store(async |store: Arc<dyn Store>| {
        let keys: Vec<_> = (1..=5).map(|n| key_pair(n % 2, n)).collect();
        for (n, key) in keys.iter().enumerate() {
            store.insert_key(&By::OPERATOR, key.clone()).await.unwrap();
            let other = under([2, 256, 0x0100_0000, u32::MAX, 2][n], key_pair(9, n as u8));
            store.insert_key(&By::OPERATOR, other).await.unwrap();
        }
        let (numbers, first) = page(&*store, 1, 0, 3).await;
        assert_eq!(first, keys[..3]);
        let (_, rest) = page(&*store, 1, numbers[2], 3).await;
        assert_eq!(rest, keys[3..]);
        assert_eq!(page(&*store, 1, u64::MAX, 3).await, (vec![], vec![]));
        assert_eq!(page(&*store, 3, 0, 3).await, (vec![], vec![]));
        let counts = [(1, 5), (2, 2), (256, 1), (0x0100_0000, 1), (u32::MAX, 1)];
        assert_eq!(store.keys_by_master_key().await.unwrap(), counts);
    })
    .await;
}

#[tokio::test]
async fn a_sealed_secret_is_replaced_where_it_is_still_the_old_one() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            store.insert_key(&By::OPERATOR, key_pair(1, n)).await.unwrap();
        }
        let wrong = Resealed { old: sealed(9), ..resealed(&key_pair(1, 1), 2) };
        let elsewhere = Resealed { account: account_id(2), ..resealed(&key_pair(1, 1), 2) };
        assert_eq!(
            store.reseal_keys(&By::OPERATOR, vec![wrong.clone(), elsewhere]).await.unwrap(),
            0
        );
        assert_eq!(store.reseal_keys(&By::OPERATOR, vec![]).await.unwrap(), 0);
        assert_eq!(store.keys_by_master_key().await.unwrap(), [(1, 2)]);
        let right = resealed(&key_pair(1, 2), 2);
        assert_eq!(store.reseal_keys(&By::OPERATOR, vec![wrong, right.clone()]).await.unwrap(), 1);
        let kept = async |n| store.key(account_id(1), &key_pair(1, n).id).await.unwrap().unwrap();
        assert_eq!(kept(1).await, key_pair(1, 1));
        assert_eq!(kept(2).await, KeyRecord { sealed: right.new.clone(), ..key_pair(1, 2) });
        assert_eq!(
            store.reseal_keys(&By::OPERATOR, vec![right]).await.unwrap(),
            0,
            "it is there already"
        );
    })
    .await;
}

/// Whoever adds a key beside the beginning of a rotation has it counted, or is told.
#[tokio::test(flavor = "multi_thread")]
async fn none_slips_in_while_a_rotation_begins() {
    on_every_ground(async |ground: Ground| {
        let (one, other) = (ground.open().await, ground.open().await);
        one.add_master_key(&By::OPERATOR, master_key(1)).await.unwrap();
        let mut adding = JoinSet::new();
        for account in 0..8 {
            let store = Arc::clone(if account % 2 == 0 { &one } else { &other });
            adding.spawn(async move {
                for n in 0..=255 {
                    match store.insert_key(&By::OPERATOR, key_pair(account, n)).await {
                        Err(Error::StaleMasterKey { .. }) => return u64::from(n),
                        added => assert!(added.unwrap()),
                    }
                }
                256
            });
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        assert!(other.begin_master_rotation(&By::OPERATOR, rotation(1)).await.unwrap());
        let counted = other.keys_by_master_key().await.unwrap();
        let added: u64 = adding.join_all().await.into_iter().sum();
        assert_eq!(other.keys_by_master_key().await.unwrap(), counted);
        assert!(added < 8 * 256, "the rotation began too late to try anything");
        assert_eq!(counted.first().map_or(0, |(_, count)| *count), added);
    })
    .await;
}
