//! The end of tokens: which are counted as living, and which are removed.

use crate::support::usage;
use std::sync::Arc;

use pqc_core::Timestamp;
use pqc_core::token::Refusal;
use pqc_service::By;
use pqc_service::Store;

use crate::ground::{Counting, Ground, on_every_ground};
use crate::support::{account_id, add_account, at, expiring, hash, root, temporary, token_id};

/// The tokens that are there, by their numbers.
async fn there(store: &(impl Store + ?Sized), account: u8) -> Vec<u64> {
    let all = store.tokens(account_id(account), None, 1000).await.unwrap();
    let number = |id: [u8; 16]| u64::from_be_bytes(id[8..].try_into().unwrap());
    all.iter().map(|token| number(*token.id.as_bytes())).collect()
}

/// Account 1 with a root token that was replaced (0) by one in force (9), and tokens that live (1),
/// expire after ten seconds (2), were spent at the start (3), were revoked at the start (4); a
/// second use of (5) is left. Account 2 has a spent token (3) too.
async fn furnished(ground: &Ground) -> Arc<dyn Counting> {
    let store = ground.open_with_account().await;
    add_account(&*store, 2).await;
    store.replace_root_token(&By::OPERATOR, root(1, 9), None, true).await.unwrap();
    for (n, attempts) in [(1, 1), (3, 1), (4, 5), (5, 2)] {
        store.insert_token(&By::OPERATOR, temporary(1, n, attempts)).await.unwrap();
    }
    store.insert_token(&By::OPERATOR, expiring(temporary(1, 2, 5), at(10))).await.unwrap();
    store.insert_token(&By::OPERATOR, temporary(2, 3, 1)).await.unwrap();
    for hash in [hash(1, 3), hash(1, 5), hash(2, 3)] {
        store.spend(&By::OPERATOR, &hash, usage()).await.unwrap().unwrap();
    }
    assert!(store.revoke_token(&By::OPERATOR, account_id(1), token_id(4)).await.unwrap());
    store
}

#[tokio::test]
async fn what_ended_is_removed_and_nothing_else() {
    on_every_ground(async |ground: Ground| {
        let store = furnished(&ground).await;
        let remove = async |account, before: Timestamp| {
            store
                .remove_ended_tokens(&By::OPERATOR, account_id(account), before, 100)
                .await
                .unwrap()
        };
        assert_eq!(remove(1, at(-1)).await, 0, "what ended later stays");
        assert_eq!(there(&*store, 1).await, [0, 1, 2, 3, 4, 5, 9]);
        assert_eq!(remove(1, at(0)).await, 3);
        assert_eq!(there(&*store, 1).await, [1, 2, 5, 9]);
        assert_eq!(remove(1, at(9)).await, 0);
        assert_eq!(remove(1, at(10)).await, 1);
        assert_eq!(there(&*store, 1).await, [1, 5, 9]);
        assert_eq!(there(&*store, 2).await, [0, 3], "another account's");
        assert_eq!(remove(3, at(10)).await, 0, "no account");

        // A token that is gone is unknown; the others are as they were.
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 3), usage()).await.unwrap(),
            Err(Refusal::Unknown)
        );
        assert_eq!(store.token_by_hash(&hash(1, 3)).await.unwrap(), None);
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(2, 3), usage()).await.unwrap(),
            Err(Refusal::Spent)
        );
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 5), usage()).await.unwrap(), Ok(Some(0)));
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 9), usage()).await.unwrap(), Ok(None));
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn as_many_are_removed_as_was_said_the_oldest_first() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        for n in 1..=7 {
            let token = expiring(temporary(1, n, 1), at(100 - n as i64));
            store.insert_token(&By::OPERATOR, token).await.unwrap();
        }
        let remove = async |limit| {
            store.remove_ended_tokens(&By::OPERATOR, account_id(1), at(200), limit).await.unwrap()
        };
        assert_eq!(remove(0).await, 0);
        assert_eq!(remove(3).await, 3);
        assert_eq!(there(&*store, 1).await, [0, 1, 2, 3, 4]);
        assert_eq!(remove(3).await, 3);
        assert_eq!(remove(3).await, 1);
        assert_eq!(remove(3).await, 0);
        assert_eq!(there(&*store, 1).await, [0]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn accounts_are_named_that_have_something_to_remove() {
    on_every_ground(async |ground: Ground| {
        let store = furnished(&ground).await;
        add_account(&*store, 3).await;
        store.insert_token(&By::OPERATOR, temporary(3, 1, 1)).await.unwrap();
        let named =
            async |before, limit| store.accounts_with_ended_tokens(before, limit).await.unwrap();
        assert_eq!(named(at(-1), 10).await, []);
        assert_eq!(named(at(0), 10).await, [account_id(1), account_id(2)]);
        assert_eq!(named(at(0), 1).await, [account_id(1)]);
        store.remove_ended_tokens(&By::OPERATOR, account_id(1), at(0), 100).await.unwrap();
        assert_eq!(named(at(0), 10).await, [account_id(2)]);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn tokens_that_live_are_counted() {
    on_every_ground(async |ground: Ground| {
        let store = furnished(&ground).await;
        let live = async |account, now: Timestamp, at_most| {
            store.live_tokens(account_id(account), now, at_most).await.unwrap()
        };
        assert_eq!(live(1, at(0), 100).await, 3);
        assert_eq!(live(1, at(9), 100).await, 3);
        assert_eq!(live(1, at(10), 100).await, 2, "one expired");
        assert_eq!(live(1, at(0), 2).await, 2, "no further than asked");
        assert_eq!(live(1, at(0), u64::MAX).await, 3);
        assert_eq!(live(2, at(0), 100).await, 0);
        assert_eq!(live(3, at(0), 100).await, 0);
        store.spend(&By::OPERATOR, &hash(1, 5), usage()).await.unwrap().unwrap();
        assert_eq!(live(1, at(0), 100).await, 2);
        store.replace_root_token(&By::OPERATOR, root(1, 10), None, true).await.unwrap();
        assert_eq!(live(1, at(0), 100).await, 0);
        store.close().await;
    })
    .await;
}
