//! Tokens that are looked up together: each caller gets its own, whoever asks beside it.

use std::sync::Arc;

use pqc_service::{By, Error};
use tokio::task::JoinSet;

use crate::ground::{Ground, on_every_ground};
use crate::support::{add_account, hash, temporary, token_id};

/// More than a group holds, and of each size that a statement has.
const COUNTS: [u32; 6] = [1, 2, 4, 5, 16, 40];

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_gets_its_own_token() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        for account in [1, 2] {
            add_account(&*store, account).await;
            for n in 1..=40 {
                store.insert_token(&By::OPERATOR, temporary(account, n.into(), n)).await.unwrap();
            }
        }
        for count in COUNTS {
            let mut callers = JoinSet::new();
            // Each twice, and beside it one that there is not.
            let tokens = |account| (1..=u64::from(count)).map(move |n| (account, n));
            for (account, n) in [1, 2, 1, 2, 3].into_iter().flat_map(tokens) {
                let store = Arc::clone(&store);
                callers.spawn(async move {
                    let (time, found) = store.token_and_time(&hash(account, n)).await.unwrap();
                    assert!(time.seconds() > 0);
                    match found {
                        Some((token, owner)) => {
                            assert_eq!((token.id, token.hash), (token_id(n), hash(account, n)));
                            assert_eq!(token.account, owner.id);
                            assert_eq!(owner.name, format!("account {account}"));
                        }
                        None => assert_eq!(account, 3, "token {n} was not found"),
                    }
                    u32::from(account < 3)
                });
            }
            let found: u32 = callers.join_all().await.into_iter().sum();
            assert_eq!(found, 4 * count);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_damaged_leaves_the_others_be() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        add_account(&*store, 1).await;
        for n in 1..=16 {
            store.insert_token(&By::OPERATOR, temporary(1, n.into(), n)).await.unwrap();
        }
        ground.damage("UPDATE tokens SET created_at = -1 WHERE attempts = 7").await;
        let mut callers = JoinSet::new();
        for n in 1..=16 {
            let store = Arc::clone(&store);
            callers.spawn(async move { (n, store.token_and_time(&hash(1, n)).await) });
        }
        for (n, found) in callers.join_all().await {
            match found {
                Err(Error::Corrupt { .. }) => assert_eq!(n, 7),
                Ok((_, token)) => assert_eq!(token.unwrap().0.id, token_id(n)),
                Err(error) => panic!("token {n}: {error}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_closed_has_none() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, 5)).await.unwrap();
        assert!(store.token_and_time(&hash(1, 1)).await.unwrap().1.is_some());
        store.close().await;
        let found = store.token_and_time(&hash(1, 1)).await;
        assert!(matches!(found, Err(Error::Unavailable(_))), "{found:?}");
    })
    .await;
}
