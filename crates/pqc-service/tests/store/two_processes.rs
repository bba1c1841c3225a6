//! Two stores on one file or database, as when the command line works beside a server.

use crate::support::usage;
use pqc_service::By;
use std::sync::Arc;

use pqc_core::token::Refusal;
use tokio::task::JoinSet;

use crate::ground::{Ground, on_every_ground};
use crate::support::{account_id, add_account, attempts_left, hash, key_pair, temporary, token_id};

#[tokio::test]
async fn what_one_writes_the_other_sees_at_once() {
    on_every_ground(async |ground: Ground| {
        let (one, other) = (ground.open().await, ground.open().await);
        for (writer, reader, n) in [(&one, &other, 1), (&other, &one, 2)] {
            add_account(&**writer, n).await;
            assert!(reader.account_by_name(&format!("account {n}")).await.unwrap().is_some());
            writer.insert_token(&By::OPERATOR, temporary(n, 1, 3)).await.unwrap();
            assert_eq!(
                reader.spend(&By::OPERATOR, &hash(n, 1), usage()).await.unwrap(),
                Ok(Some(2))
            );
            assert_eq!(attempts_left(&**writer, &hash(n, 1)).await, Some(2));
            assert_eq!(
                writer.spend(&By::OPERATOR, &hash(n, 1), usage()).await.unwrap(),
                Ok(Some(1))
            );
            writer.set_disabled(&By::OPERATOR, account_id(n), true).await.unwrap();
            assert_eq!(
                reader.spend(&By::OPERATOR, &hash(n, 1), usage()).await.unwrap(),
                Err(Refusal::AccountDisabled)
            );
            writer.set_disabled(&By::OPERATOR, account_id(n), false).await.unwrap();
            assert_eq!(
                reader.spend(&By::OPERATOR, &hash(n, 1), usage()).await.unwrap(),
                Ok(Some(0))
            );
            writer.insert_key(&By::OPERATOR, key_pair(n, 1)).await.unwrap();
            assert!(reader.key(account_id(n), &key_pair(n, 1).id).await.unwrap().is_some());
            writer.insert_token(&By::OPERATOR, temporary(n, 2, 3)).await.unwrap();
            assert_eq!(
                reader.spend(&By::OPERATOR, &hash(n, 2), usage()).await.unwrap(),
                Ok(Some(2))
            );
            assert!(writer.revoke_token(&By::OPERATOR, account_id(n), token_id(2)).await.unwrap());
            assert_eq!(
                reader.spend(&By::OPERATOR, &hash(n, 2), usage()).await.unwrap(),
                Err(Refusal::Revoked)
            );
            assert!(reader.token_by_hash(&hash(n, 2)).await.unwrap().unwrap().0.state.revoked);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_together_spend_no_more_than_was_granted() {
    on_every_ground(async |ground: Ground| {
        let stores = [ground.open_with_account().await, ground.open().await];
        stores[0].insert_token(&By::OPERATOR, temporary(1, 1, 100)).await.unwrap();
        let mut uses = JoinSet::new();
        for n in 0..400 {
            let store = Arc::clone(&stores[n % 2]);
            uses.spawn(
                async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap() },
            );
        }
        let answers = uses.join_all().await;
        let mut left: Vec<_> = answers.iter().filter_map(|answer| answer.ok()?).collect();
        left.sort_unstable();
        assert_eq!(left, (0..100).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_a_new_one_at_once() {
    on_every_ground(async |ground: Ground| {
        let ground = Arc::new(ground);
        let mut opening = JoinSet::new();
        for n in 1..=12 {
            let ground = Arc::clone(&ground);
            opening.spawn(async move {
                let store = ground.open().await;
                add_account(&*store, n).await;
                store.close().await;
            });
        }
        opening.join_all().await;
        assert_eq!(ground.open().await.accounts().await.unwrap().len(), 12);
    })
    .await;
}

#[tokio::test]
async fn one_closes_and_the_other_goes_on() {
    on_every_ground(async |ground: Ground| {
        let (one, other) = (ground.open_with_account().await, ground.open().await);
        one.close().await;
        drop(one);
        other.insert_token(&By::OPERATOR, temporary(1, 1, 3)).await.unwrap();
        assert_eq!(other.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(2)));
        let again = ground.open().await;
        assert_eq!(again.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(1)));
        assert_eq!(other.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap(), Ok(Some(0)));
    })
    .await;
}
