//! After a key is removed, its sealed bytes are in none of the embedded store's files.

use std::path::PathBuf;

use pqc_core::seal::RecordKind::AesKey;
use pqc_core::{KeyId, SealedRecord};
use pqc_service::{KeyRecord, Store};
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

/// In how many of the files any 16 bytes of the record stand, where 16 bytes are no chance.
fn found(place: &Place, sealed: &SealedRecord) -> usize {
    let parts: Vec<_> = sealed.as_bytes()[6..].chunks_exact(16).collect();
    files(place)
        .iter()
        .filter(|file| {
            let bytes = std::fs::read(file).unwrap();
            bytes.windows(16).any(|window| parts.contains(&window))
        })
        .count()
}

/// Symmetric keys lie many to a page, key pairs fill pages beyond their own.
fn keys(count: u8) -> Vec<KeyRecord> {
    let of = |n: u8| {
        let id = KeyId::Symmetric([n; 16]);
        let aes = KeyRecord { id, ..versioned(1, AesKey, "AES-256", u32::from(n) + 1) };
        [aes, key_pair(1, n)].map(|key| KeyRecord { sealed: unlike_others(), ..key })
    };
    (0..count).flat_map(of).collect()
}

#[tokio::test]
async fn a_removed_keys_bytes_are_gone_from_all_files() {
    let place = Place::new();
    let store = place.open_with_account().await;
    let keys = keys(60);
    for key in &keys {
        // Each retires the one before, so that its row is written anew and grows.
        let added = match key.version {
            Some(_) => store.put_in_force(key.clone()).await,
            None => store.insert_key(key.clone()).await,
        };
        assert!(added.unwrap());
    }
    let (removed, kept): (Vec<_>, Vec<_>) = keys.iter().enumerate().partition(|(n, _)| n % 3 == 0);
    for (_, key) in &removed {
        assert!(store.destroy_key(account_id(1), &key.id).await.unwrap());
    }
    assert!(keys.iter().all(|key| found(&place, &key.sealed) > 0), "they are to be found");

    place.host.set(at(60));
    let mut left = removed.len() as u64;
    while left > 0 {
        let purged = store.purge_destroyed_keys(at(60), 7).await.unwrap();
        assert!(purged.erased && purged.keys == left.min(7), "{purged:?}");
        left -= purged.keys;
    }
    let still: Vec<_> = removed.iter().filter(|(_, key)| found(&place, &key.sealed) > 0).collect();
    assert!(still.is_empty(), "{} of {} are there still", still.len(), removed.len());
    for (_, key) in kept {
        assert!(found(&place, &key.sealed) > 0);
        assert_eq!(store.key(account_id(1), &key.id).await.unwrap().unwrap().sealed, key.sealed);
    }
    store.close().await;
}

#[tokio::test]
async fn a_reader_in_the_way_is_told_and_tried_again() {
    let place = Place::new();
    let store = place.open_with_account().await;
    let [key] = [KeyRecord { sealed: unlike_others(), ..key_pair(1, 1) }];
    store.insert_key(key.clone()).await.unwrap();
    store.destroy_key(account_id(1), &key.id).await.unwrap();
    let mut reader = place.raw().await;
    reader.execute("BEGIN; SELECT count(*) FROM keys").await.unwrap();

    let purged = store.purge_destroyed_keys(START, 10).await.unwrap();
    assert_eq!((purged.keys, purged.erased), (1, false));
    assert!(found(&place, &key.sealed) > 0, "the reader sees it as it was");
    let again = store.purge_destroyed_keys(START, 10).await.unwrap();
    assert_eq!((again.keys, again.erased), (0, false));
    // The writer does not wait for the reader.
    assert!(store.insert_key(key_pair(1, 2)).await.unwrap());

    reader.execute("COMMIT").await.unwrap();
    let at_last = store.purge_destroyed_keys(START, 10).await.unwrap();
    assert_eq!((at_last.keys, at_last.erased), (0, true));
    assert_eq!(found(&place, &key.sealed), 0);
    store.close().await;
}

#[tokio::test]
async fn what_an_ended_process_left_in_the_log_is_erased_by_the_next() {
    let place = Place::new();
    let store = place.open_with_account().await;
    let key = KeyRecord { sealed: unlike_others(), ..key_pair(1, 1) };
    store.insert_key(key.clone()).await.unwrap();
    // As a process that dies between the removal and the cut.
    let mut other = place.raw().await;
    other.execute("PRAGMA secure_delete = ON; DELETE FROM keys").await.unwrap();
    assert!(found(&place, &key.sealed) > 0);
    let next = place.open().await;
    let purged = next.purge_destroyed_keys(START, 10).await.unwrap();
    assert_eq!((purged.keys, purged.erased), (0, true));
    assert_eq!(found(&place, &key.sealed), 0);
    next.close().await;
    store.close().await;
}
