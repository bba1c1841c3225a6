//! Spending attempts.

use crate::support::usage;
use std::sync::Arc;

use pqc_core::token::Refusal;
use pqc_service::By;
use pqc_service::Store;
use tokio::task::JoinSet;

use crate::support::{
    account_id, add_account, at, attempts_left, expiring, hash, on_every_store, temporary, token_id,
};

#[tokio::test]
async fn attempts_count_down_to_none() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, 3)).await.unwrap();
        let spent_from = store.now().await.unwrap();
        for left in [2, 1, 0] {
            assert_eq!(
                store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
                Ok(Some(left))
            );
            assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(left));
        }
        let spent = store.token_by_hash(&hash(1, 1)).await.unwrap().unwrap().0;
        assert_eq!(spent.attempts, Some(3));
        assert!(spent.last_used_at >= Some(spent_from));
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(),
            Err(Refusal::Spent)
        );
        assert_eq!(store.token_by_hash(&hash(1, 1)).await.unwrap().unwrap().0, spent);
    })
    .await;
}

#[tokio::test]
async fn a_root_token_is_used_without_count() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        for _ in 0..3 {
            assert_eq!(store.spend(&By::OPERATOR, &hash(1, 0), usage()).await.unwrap(), Ok(None));
        }
        let used = store.token_by_hash(&hash(1, 0)).await.unwrap().unwrap().0;
        assert_eq!(used.state.attempts_left, None);
        assert!(used.last_used_at.is_some());
    })
    .await;
}

#[tokio::test]
async fn each_refusal_has_its_reason_and_spends_nothing() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            add_account(&*store, n).await;
        }
        let past = at(-3600);
        let refused = [
            (temporary(1, 1, 0), Refusal::Spent),
            (expiring(temporary(1, 2, 5), past), Refusal::Expired),
            (temporary(1, 3, 5), Refusal::Revoked),
            (temporary(2, 4, 5), Refusal::AccountDisabled),
        ];
        for (token, _) in &refused {
            store.insert_token(&By::OPERATOR, token.clone()).await.unwrap();
        }
        // Each one's twin, one change away.
        for hash in [hash(1, 3), hash(2, 4)] {
            assert_eq!(store.spend(&By::OPERATOR, &hash, usage()).await.unwrap(), Ok(Some(4)));
        }
        store.insert_token(&By::OPERATOR, temporary(1, 5, 5)).await.unwrap();
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 5), usage()).await.unwrap(), Ok(Some(4)));

        assert!(store.revoke_token(&By::OPERATOR, account_id(1), token_id(3)).await.unwrap());
        assert!(store.set_disabled(&By::OPERATOR, account_id(2), true).await.unwrap());
        for (token, refusal) in &refused {
            let before = store.token_by_hash(&token.hash).await.unwrap();
            assert_eq!(
                store.spend(&By::OPERATOR, &token.hash, usage()).await.unwrap(),
                Err(*refusal)
            );
            assert_eq!(store.token_by_hash(&token.hash).await.unwrap(), before, "{refusal}");
        }
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(2, 0), usage()).await.unwrap(),
            Err(Refusal::AccountDisabled)
        );
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 99), usage()).await.unwrap(),
            Err(Refusal::Unknown)
        );

        assert!(store.set_disabled(&By::OPERATOR, account_id(2), false).await.unwrap());
        assert_eq!(store.spend(&By::OPERATOR, &hash(2, 4), usage()).await.unwrap(), Ok(Some(3)));
    })
    .await;
}

#[tokio::test]
async fn a_root_token_that_was_replaced_is_refused() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 0), usage()).await.unwrap(), Ok(None));
        store
            .replace_root_token(&By::OPERATOR, crate::support::root(1, 1), None, false)
            .await
            .unwrap();
        assert_eq!(
            store.spend(&By::OPERATOR, &hash(1, 0), usage()).await.unwrap(),
            Err(Refusal::Revoked)
        );
        assert_eq!(store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_200_concurrent_uses_exactly_as_many_succeed_as_were_granted() {
    const GRANTED: u32 = 70;
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, GRANTED)).await.unwrap();
        let mut uses = JoinSet::new();
        for _ in 0..200 {
            let store = Arc::clone(&store);
            uses.spawn(
                async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap() },
            );
        }
        let answers = uses.join_all().await;
        let mut left: Vec<_> = answers.iter().filter_map(|answer| answer.ok()?).collect();
        left.sort_unstable();
        assert_eq!(left, (0..GRANTED).collect::<Vec<_>>(), "each attempt once");
        let refused = answers.iter().filter(|answer| **answer == Err(Refusal::Spent)).count();
        assert_eq!(refused, 200 - GRANTED as usize);
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_of_many_tokens_at_once_do_not_mix() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        for n in 1..=150 {
            store.insert_token(&By::OPERATOR, temporary(1, n, 2)).await.unwrap();
        }
        let mut uses = JoinSet::new();
        for n in (0..450).map(|use_of| use_of % 150 + 1) {
            let store = Arc::clone(&store);
            uses.spawn(async move {
                (n, store.spend(&By::OPERATOR, &hash(1, n), usage()).await.unwrap())
            });
        }
        let mut answers = uses.join_all().await;
        answers.sort_by_key(|(n, answer)| (*n, answer.unwrap_or(Some(u32::MAX))));
        let expected: Vec<_> = (1..=150)
            .flat_map(|n| [(n, Ok(Some(0))), (n, Ok(Some(1))), (n, Err(Refusal::Spent))])
            .collect();
        assert_eq!(answers, expected);
    })
    .await;
}
