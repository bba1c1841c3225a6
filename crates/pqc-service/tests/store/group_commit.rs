//! One transaction for the changes that wait: what they share, and what they do not.
//!
//! A connection past the store's back holds the lock ([`Held`]), so that what is asked meanwhile
//! waits together and then makes one batch.

use crate::support::usage;
use std::sync::Arc;
use std::time::Duration;

use pqc_core::token::Refusal;
use pqc_service::{By, Error, Store};
use tokio::task::JoinSet;

use crate::ground::{Counting, Ground, Lock, on_every_ground};
use crate::support::{
    account_id, attempts_left, hash, key_pair, on_every_store, root, temporary, token_id,
};

/// The lock, held by another; one use of token 1 waits for it, and what comes now waits behind.
struct Held(Lock);

impl Held {
    async fn new(ground: &Ground, store: &Arc<dyn Counting>) -> Self {
        store.insert_token(&By::OPERATOR, temporary(1, 1, 1000)).await.unwrap();
        let held = Self(ground.lock().await);
        let store = Arc::clone(store);
        tokio::spawn(
            async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap() },
        );
        held.settle().await;
        held
    }

    /// Time enough for what was asked to reach the queue.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(150)).await;
    }

    async fn release(self) {
        self.0.release().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_share_commits() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        for n in 1..=64 {
            store.insert_token(&By::OPERATOR, temporary(1, n, 20)).await.unwrap();
        }
        let before = store.commits();
        let mut writers = JoinSet::new();
        for n in 1..=64 {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                for left in (0..20).rev() {
                    assert_eq!(
                        store.spend(&By::OPERATOR, &hash(1, n), usage()).await.unwrap(),
                        Ok(Some(left))
                    );
                }
            });
        }
        writers.join_all().await;
        let commits = store.commits() - before;
        assert!((20..=64 * 20 / 4).contains(&commits), "{commits} commits for {} uses", 64 * 20);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_statement_undoes_its_whole_batch_and_no_other() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        ground
            .execute(
                "CREATE TRIGGER broken BEFORE INSERT ON tokens WHEN NEW.label = 'broken' \
                 BEGIN SELECT RAISE(ABORT, 'broken'); END",
                "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql \
                 AS 'BEGIN RAISE EXCEPTION ''broken''; END'; \
                 CREATE TRIGGER broken BEFORE INSERT ON tokens FOR EACH ROW \
                 WHEN (NEW.label = 'broken') EXECUTE FUNCTION broken()",
            )
            .await;
        let held = Held::new(&ground, &store).await;
        let mut batch = JoinSet::new();
        for n in 10..40 {
            let store = Arc::clone(&store);
            batch.spawn(async move {
                match n % 3 {
                    0 => store.insert_token(&By::OPERATOR, temporary(1, n, 1)).await.map(drop),
                    1 => store.insert_key(&By::OPERATOR, key_pair(1, n as u8)).await.map(drop),
                    _ => store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.map(drop),
                }
            });
        }
        let mut broken = temporary(1, 99, 1);
        broken.label = Some("broken".to_owned());
        batch.spawn({
            let store = Arc::clone(&store);
            async move { store.insert_token(&By::OPERATOR, broken).await }
        });
        held.settle().await;
        held.release().await;
        for answer in batch.join_all().await {
            assert!(matches!(answer, Err(Error::Unavailable(_))), "{answer:?}");
        }
        assert_eq!(
            attempts_left(&*store, &hash(1, 1)).await,
            Some(999),
            "the use before the batch"
        );
        assert_eq!(store.tokens(account_id(1), None, 100).await.unwrap().len(), 2);
        assert_eq!(store.key(account_id(1), &key_pair(1, 10).id).await.unwrap(), None);
        // The twin: the same without the broken one.
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(998)));
        assert!(store.insert_key(&By::OPERATOR, key_pair(1, 10)).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_record_leaves_its_batch_alone() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let held = Held::new(&ground, &store).await;
        let mut batch = JoinSet::new();
        for n in 10..30 {
            let store = Arc::clone(&store);
            batch.spawn(async move { store.insert_token(&By::OPERATOR, temporary(1, n, 1)).await });
        }
        let mut refused = JoinSet::new();
        for n in 10..20 {
            let store = Arc::clone(&store);
            refused.spawn(async move {
                let mut taken = root(1, 100 + n);
                taken.hash = hash(1, 0);
                match n % 3 {
                    0 => store.insert_token(&By::OPERATOR, taken).await,
                    1 => store.replace_root_token(&By::OPERATOR, taken, None, true).await.map(drop),
                    _ => store.insert_token(&By::OPERATOR, temporary(9, n, 1)).await,
                }
            });
        }
        held.settle().await;
        let commits = store.commits();
        held.release().await;
        for answer in batch.join_all().await {
            answer.unwrap();
        }
        for answer in refused.join_all().await {
            assert!(matches!(answer, Err(Error::Internal { .. })), "{answer:?}");
        }
        assert_eq!(store.commits() - commits, 2, "the use that waited first, and one batch");
        let tokens = store.tokens(account_id(1), None, 100).await.unwrap();
        assert_eq!(tokens.len(), 2 + 20);
        assert!(tokens.iter().all(|token| !token.state.revoked));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_holds_for_the_uses_that_waited_beside_it() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let held = Held::new(&ground, &store).await;
        store_two(&store, held).await;
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(999));
    })
    .await;
}

/// A use, and then a revocation of the same token, in one batch.
async fn store_two(store: &Arc<dyn Counting>, held: Held) {
    let used = tokio::spawn({
        let store = Arc::clone(store);
        async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap() }
    });
    held.settle().await;
    let revoked = tokio::spawn({
        let store = Arc::clone(store);
        async move { store.revoke_token(&By::OPERATOR, account_id(1), token_id(1)).await.unwrap() }
    });
    held.settle().await;
    held.release().await;
    assert!(revoked.await.unwrap());
    assert_eq!(used.await.unwrap(), Err(Refusal::Revoked));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_disturbs_no_other() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let held = Held::new(&ground, &store).await;
        let mut uses = Vec::new();
        for _ in 0..100 {
            let store = Arc::clone(&store);
            uses.push(tokio::spawn(async move {
                store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap()
            }));
        }
        held.settle().await;
        let (gone, staying): (Vec<_>, Vec<_>) =
            uses.into_iter().enumerate().partition(|(n, _)| n % 3 == 0);
        for (_, one) in &gone {
            one.abort();
        }
        held.settle().await;
        held.release().await;
        for (_, one) in gone {
            assert!(one.await.unwrap_err().is_cancelled());
        }
        let staying_count = staying.len() as u32;
        for (_, one) in staying {
            one.await.unwrap().unwrap();
        }
        // The first one, those that stayed, and none for those that went before their turn.
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(1000 - 1 - staying_count));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_callers_than_the_queue_holds_wait_and_are_served() {
    on_every_ground(async |ground: Ground| {
        const CALLERS: u32 = 4000;
        let store = ground.open_with_account().await;
        store.insert_token(&By::OPERATOR, temporary(1, 2, CALLERS)).await.unwrap();
        let held = Held::new(&ground, &store).await;
        let mut uses = JoinSet::new();
        for _ in 0..CALLERS {
            let store = Arc::clone(&store);
            uses.spawn(async move {
                store.spend(&By::OPERATOR, &hash(1, 2), usage()).await.unwrap().unwrap()
            });
        }
        held.settle().await;
        held.release().await;
        let mut left: Vec<_> = uses.join_all().await.into_iter().flatten().collect();
        left.sort_unstable();
        assert_eq!(left, (0..CALLERS).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_are_served_in_the_order_of_their_coming() {
    on_every_store(async |store: Arc<dyn Store>| {
        crate::support::add_account(&*store, 1).await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, 300)).await.unwrap();
        // Polled in this order by one task, they reach the queue in this order.
        let (report, mut reports) = tokio::sync::mpsc::unbounded_channel();
        let local = tokio::task::LocalSet::new();
        for n in 0..300 {
            let (store, report) = (Arc::clone(&store), report.clone());
            local.spawn_local(async move {
                let left = store
                    .spend(&By::OPERATOR, &hash(1, 1), usage())
                    .await
                    .unwrap()
                    .unwrap()
                    .unwrap();
                report.send((n, left)).unwrap();
            });
        }
        drop(report);
        local.await;
        while let Some((n, left)) = reports.recv().await {
            assert_eq!(left, 299 - n);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_serves_those_who_wait_and_refuses_those_who_come() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let held = Held::new(&ground, &store).await;
        let mut waiting = JoinSet::new();
        for _ in 0..50 {
            let store = Arc::clone(&store);
            waiting.spawn(async move {
                store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap()
            });
        }
        held.settle().await;
        let closing = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.close().await }
        });
        held.settle().await;
        let late = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await }
        });
        held.settle().await;
        held.release().await;
        assert!(waiting.join_all().await.iter().all(Result::is_ok));
        closing.await.unwrap();
        let late = late.await.unwrap();
        assert!(matches!(late, Err(Error::Unavailable(_))), "{late:?}");
        assert!(matches!(store.now().await, Err(Error::Unavailable(_))));
        assert!(matches!(store.ping().await, Err(Error::Unavailable(_))));
        assert!(matches!(store.accounts().await, Err(Error::Unavailable(_))));
        store.close().await; // again, in vain
        let again = ground.open().await;
        assert_eq!(attempts_left(&*again, &hash(1, 1)).await, Some(1000 - 51));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_do_not_wait_for_a_writer() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let held = Held::new(&ground, &store).await;
        let reads = async {
            for _ in 0..100 {
                store.now().await.unwrap();
                assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(1000));
            }
        };
        tokio::time::timeout(Duration::from_secs(3), reads).await.unwrap();
        held.release().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_do_not_wait_for_a_reader() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, 100)).await.unwrap();
        let reader = ground.read().await;
        let writes = async {
            for left in (0..100).rev() {
                assert_eq!(
                    store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
                    Ok(Some(left))
                );
            }
        };
        // One that waits for the reader waits for ever.
        tokio::time::timeout(Duration::from_secs(120), writes).await.unwrap();
        reader.release().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_never_freed_is_unavailable_and_nothing_is_done() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, 10)).await.unwrap();
        let other = ground.lock().await;
        let refused = store.spend(&By::OPERATOR, &hash(1, 1), usage()).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        other.release().await;
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(9)));
    })
    .await;
}
