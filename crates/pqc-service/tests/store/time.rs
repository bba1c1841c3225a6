//! The store's time, on a host, or a database, whose clock jumps.

use crate::support::usage;
use std::sync::Arc;
use std::time::Duration;

use pqc_core::Timestamp;
use pqc_core::token::Refusal;
use pqc_service::By;
use pqc_service::Store;
use sqlx::Executor;

use crate::ground::{Counting, Ground, on_every_ground};
use crate::support::{FakeHost, HOUR, Place, START, at, attempts_left, expiring, hash, temporary};

const END: i64 = 60;

/// A store with a token that ends.
async fn on(ground: &Ground) -> Arc<dyn Counting> {
    let store = ground.open_with_account().await;
    store.insert_token(&By::OPERATOR, expiring(temporary(1, 1, 5), at(END))).await.unwrap();
    store
}

async fn place_with_a_token_that_ends() -> (Place, Arc<pqc_service::SqliteStore>) {
    let place = Place::new();
    let store = place.open_with_account().await;
    store.insert_token(&By::OPERATOR, expiring(temporary(1, 1, 5), at(END))).await.unwrap();
    (place, store)
}

#[tokio::test]
async fn a_token_lives_until_the_millisecond_of_its_end() {
    on_every_ground(async |ground: Ground| {
        let store = on(&ground).await;
        ground.set_time(Timestamp::from_millis(at(END).millis() - 1)).await;
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(4)));
        let used = store.token_by_hash(&hash(1, 1)).await.unwrap().unwrap().0.last_used_at;
        assert_eq!(used.unwrap().millis(), at(END).millis() - 1);
        ground.set_time(at(END)).await;
        assert_eq!(store.now().await.unwrap(), at(END));
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
            Err(Refusal::Expired)
        );
    })
    .await;
}

#[tokio::test]
async fn a_clock_set_back_revives_nothing() {
    let (place, store) = place_with_a_token_that_ends().await;
    place.host.set(at(END));
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
    place.host.set(at(-(HOUR as i64)));
    assert_eq!(store.now().await.unwrap(), at(END));
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
    // What lives at the store's time goes on living.
    store.insert_token(&By::OPERATOR, temporary(1, 2, 5)).await.unwrap();
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 2), usage()).await.unwrap(), Ok(Some(4)));
}

#[tokio::test]
async fn a_clock_set_back_revives_nothing_over_a_restart() {
    for in_good_order in [true, false] {
        let (place, store) = place_with_a_token_that_ends().await;
        place.host.set(at(END));
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
            Err(Refusal::Expired)
        );
        if in_good_order {
            store.close().await;
        }
        drop(store);
        place.host.set(at(-(HOUR as i64)));
        let store = place.open().await;
        assert_eq!(store.now().await.unwrap(), at(END));
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
            Err(Refusal::Expired)
        );
    }
}

#[tokio::test]
async fn time_that_was_only_read_holds_over_a_restart() {
    let (place, store) = place_with_a_token_that_ends().await;
    // No write: the token was found, and refused because of the time alone.
    let commits = store.commits();
    let mut other = place.raw().await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    place.host.set(at(END));
    for _ in 0..100 {
        assert_eq!(store.now().await.unwrap(), at(END));
    }
    other.execute("COMMIT").await.unwrap();
    store.close().await;
    assert_eq!(store.commits() - commits, 1, "it is committed once, however often it is asked for");
    drop(store);
    place.host.set(START);
    let store = place.open().await;
    assert_eq!(store.now().await.unwrap(), at(END));
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
    assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(5));
}

#[tokio::test]
async fn a_day_forward_and_back_ages_no_one_and_revives_no_one() {
    let (place, store) = place_with_a_token_that_ends().await;
    let day = 24 * HOUR as i64;
    store.insert_token(&By::OPERATOR, expiring(temporary(1, 2, 5), at(day + 60))).await.unwrap();
    place.host.set(at(day));
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
    place.host.set(at(1));
    assert_eq!(store.now().await.unwrap(), at(day));
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 2), usage()).await.unwrap(), Ok(Some(4)));
    // Once the clock has caught up, time goes on.
    place.host.set(at(day + 60));
    assert_eq!(store.now().await.unwrap(), at(day + 60));
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 2), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
}

#[tokio::test]
async fn the_time_of_another_process_counts() {
    let (place, store) = place_with_a_token_that_ends().await;
    let ahead = Place { host: Arc::new(FakeHost::at(at(END))), ..Place::new() };
    let ahead = pqc_service::SqliteStore::open(&place.path(), ahead.host).await.unwrap();
    assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(4)));
    assert!(ahead.spend(&By::OPERATOR, &hash(1, 99), usage()).await.unwrap().is_err()); // commits its time
    assert_eq!(store.now().await.unwrap(), at(END));
    assert_eq!(
        store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
        Err(Refusal::Expired)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_while_its_use_waits_is_refused() {
    on_every_ground(async |ground: Ground| {
        let store = on(&ground).await;
        let other = ground.lock().await;
        let waiting = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap() }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        ground.set_time(at(END)).await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        other.release().await;
        assert_eq!(waiting.await.unwrap(), Err(Refusal::Expired));
    })
    .await;
}
