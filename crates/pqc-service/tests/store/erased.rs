//! After a key is removed, its sealed bytes are in none of the embedded store's files.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use pqc_core::seal::RecordKind::AesKey;
use pqc_core::{KeyId, SealedRecord, Secret};
use pqc_service::{By, Custody, KeyRecord, Service, Settings, Store, System};
use sqlx::Executor;

use crate::support::{Place, START, account_id, at, key_pair, versioned};

/// Sealed bytes that are like no others: 78 of them.
fn unlike_others() -> SealedRecord {
    let mut bytes = [0; 78];
    getrandom::fill(&mut bytes).unwrap();
    bytes[..6].copy_from_slice(&[1, 1, 0, 0, 0, 1]);
    SealedRecord::from_bytes(bytes.to_vec()).unwrap()
}

fn files(place: &Place) -> Vec<PathBuf> {
    ["", "-wal", "-shm"].map(|end| place.folder.path().join(format!("store.db{end}"))).to_vec()
}

/// Of which of these records any 16 bytes, where 16 bytes are no chance, stand in a file.
fn found(place: &Place, records: &[KeyRecord]) -> BTreeSet<usize> {
    let parts: HashMap<_, _> = records
        .iter()
        .enumerate()
        .flat_map(|(n, key)| key.sealed.as_bytes()[6..].chunks_exact(16).map(move |part| (part, n)))
        .collect();
    let find = |file: PathBuf| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(16).filter_map(|part| parts.get(part).copied()).collect::<Vec<_>>()
    };
    files(place).into_iter().flat_map(find).collect()
}

/// The end of a rotation leaves nothing that the older master key opens.
#[tokio::test]
async fn what_was_sealed_under_a_retired_master_key_is_gone_from_all_files() {
    let place = Place::new();
    let store: Arc<dyn Store> = place.open().await;
    let open = async |key: u8| {
        let key = Secret::from([key; 32]);
        Service::open(Arc::clone(&store), Arc::new(System), key, Settings::default()).await.unwrap()
    };
    let service = open(7).await;
    let pending = service.prepare_account("alice", Custody::Server).await.unwrap();
    service.create_account(&By::OPERATOR, pending).await.unwrap();
    let alice = service.account("alice").await.unwrap().id;
    for _ in 0..20 {
        service.rotate_account_key(&By::OPERATOR, alice).await.unwrap();
    }
    let sealed = async || {
        let keys = store.keys_under(1, 0, 100).await.unwrap();
        keys.into_iter().map(|(_, key)| key.unwrap()).collect::<Vec<_>>()
    };
    let before = sealed().await;
    assert_eq!(found(&place, &before).len(), before.len());
    let next = Secret::from([8; 32]).into();
    let rotation = service.begin_rotation(&By::OPERATOR, &next).await.unwrap().unwrap();
    service.complete_rotation(&By::OPERATOR, rotation).await.unwrap();
    assert!(before.len() > 20 && sealed().await.is_empty());
    assert_eq!(found(&place, &before), BTreeSet::new());
}

/// Keys of every length: symmetric ones, which could lie many to a page, signing keys, and key
/// pairs, which fill pages beyond their own.
fn keys(count: u16) -> Vec<KeyRecord> {
    let of = |n: u16| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        let public_key = vec![0; if n % 11 == 5 { 1952 } else { 0 }];
        let own = KeyRecord { public_key, ..versioned(1, AesKey, "AES-256", u32::from(n) + 1) };
        let record = if n % 50 == 7 { key_pair(1, 0) } else { own };
        KeyRecord { id: KeyId::Symmetric(id), sealed: unlike_others(), ..record }
    };
    (0..count).map(of).collect()
}

/// SQLite overwrites a row that is deleted, but not what stays behind of one that it moved to
/// another page when its neighbours grew or went.
#[tokio::test]
async fn a_removed_keys_bytes_are_gone_from_all_files() {
    for seed in 1..=SEEDS {
        let place = Place::new();
        let store = place.open_with_account().await;
        let account = account_id(1);
        let keys = keys(300);
        for key in &keys {
            assert!(store.insert_key(&By::OPERATOR, key.clone()).await.unwrap());
        }
        // Out of order, so that rows grow, shrink and go between others.
        let order = shuffled(keys.len(), seed);
        let destroy = async |n: usize, seconds: usize| {
            place.host.set(at(seconds as i64));
            assert!(store.destroy_key(&By::OPERATOR, account, &keys[n].id).await.unwrap());
        };
        for (seconds, n) in order[..200].iter().enumerate() {
            destroy(*n, seconds + 1).await;
        }
        for n in order[..200].iter().skip(1).step_by(2) {
            assert!(
                store.undestroy_key(&By::OPERATOR, account, &keys[*n].id, START).await.unwrap()
            );
        }
        for (seconds, n) in order.iter().enumerate().skip(200).step_by(2) {
            destroy(*n, seconds + 1).await;
        }
        let removed: BTreeSet<_> = order.iter().copied().step_by(2).collect();
        assert_eq!(found(&place, &keys), (0..keys.len()).collect(), "all are there");

        let mut left = removed.len() as u64;
        while left > 0 {
            let purged = store.purge_destroyed_keys(&By::OPERATOR, at(3600), 20).await.unwrap();
            assert!(purged.erased && purged.keys == left.min(20), "{purged:?}");
            left -= purged.keys;
        }
        let kept: BTreeSet<_> = (0..keys.len()).filter(|n| !removed.contains(n)).collect();
        assert_eq!(found(&place, &keys), kept, "seed {seed}");
        for n in kept {
            let read = store.key(account, &keys[n].id).await.unwrap();
            assert_eq!(read.as_ref(), Some(&keys[n]));
        }
        store.close().await;
    }
}

/// The numbers below `count` in an order of their own (xorshift, Fisher and Yates).
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut order: Vec<_> = (0..count).collect();
    for last in (1..count).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(last, (state % (last as u64 + 1)) as usize);
    }
    order
}

const SEEDS: u64 = 4;

#[tokio::test]
async fn a_reader_in_the_way_is_told_and_tried_again() {
    let place = Place::new();
    let store = place.open_with_account().await;
    let key = KeyRecord { sealed: unlike_others(), ..key_pair(1, 1) };
    store.insert_key(&By::OPERATOR, key.clone()).await.unwrap();
    store.destroy_key(&By::OPERATOR, account_id(1), &key.id).await.unwrap();
    let mut reader = place.raw().await;
    reader.execute("BEGIN; SELECT count(*) FROM keys").await.unwrap();

    let purged = store.purge_destroyed_keys(&By::OPERATOR, START, 10).await.unwrap();
    assert_eq!((purged.keys, purged.erased), (1, false));
    assert!(!found(&place, std::slice::from_ref(&key)).is_empty(), "the reader sees it as it was");
    let again = store.purge_destroyed_keys(&By::OPERATOR, START, 10).await.unwrap();
    assert_eq!((again.keys, again.erased), (0, false));
    // The writer does not wait for the reader.
    assert!(store.insert_key(&By::OPERATOR, key_pair(1, 2)).await.unwrap());

    reader.execute("COMMIT").await.unwrap();
    let at_last = store.purge_destroyed_keys(&By::OPERATOR, START, 10).await.unwrap();
    assert_eq!((at_last.keys, at_last.erased), (0, true));
    assert_eq!(found(&place, std::slice::from_ref(&key)).len(), 0);
    store.close().await;
}

#[tokio::test]
async fn what_an_ended_process_left_in_the_log_is_erased_by_the_next() {
    let place = Place::new();
    let store = place.open_with_account().await;
    let key = KeyRecord { sealed: unlike_others(), ..key_pair(1, 1) };
    store.insert_key(&By::OPERATOR, key.clone()).await.unwrap();
    // As a process that dies between the removal and the cut.
    let mut other = place.raw().await;
    other.execute("PRAGMA secure_delete = ON; DELETE FROM keys").await.unwrap();
    assert!(!found(&place, std::slice::from_ref(&key)).is_empty());
    let next = place.open().await;
    let purged = next.purge_destroyed_keys(&By::OPERATOR, START, 10).await.unwrap();
    assert_eq!((purged.keys, purged.erased), (0, true));
    assert_eq!(found(&place, std::slice::from_ref(&key)).len(), 0);
    next.close().await;
    store.close().await;
}
