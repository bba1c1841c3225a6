//! Tokens: minting, finding, paging, revoking, resetting. (Spending has its own file.)

use crate::support::usage;
use std::sync::Arc;

use pqc_core::token::{OperationSet, Scope};
use pqc_core::{KeyId, Timestamp};
use pqc_service::{By, Error, Store, TokenRecord};

use crate::support::{
    START, account, account_id, add_account, at, expiring, hash, on_every_store, root, temporary,
    token_id,
};

#[tokio::test]
async fn a_token_comes_back_as_it_was_minted() {
    let scopes = [
        Scope::FULL,
        Scope { operations: OperationSet::from_names(["sign", "verify"]).unwrap(), key_id: None },
        Scope { operations: OperationSet::ALL, key_id: Some(KeyId::Pair([7; 32])) },
        Scope { operations: OperationSet::ALL, key_id: Some(KeyId::Symmetric([7; 16])) },
    ];
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        for (n, scope) in (1..).zip(scopes) {
            let mut minted = expiring(temporary(1, n, u32::MAX), at(60));
            minted.state.scope = scope;
            minted.label = (n != 1).then(|| format!("the {n}th, «ünïcode»\n"));
            minted.created_at = at(n as i64);
            minted.last_used_at = (n == 3).then_some(START);
            store.insert_token(&By::OPERATOR, minted.clone()).await.unwrap();
            let found = store.token_by_hash(&minted.hash).await.unwrap();
            assert_eq!(found, Some((minted, account(1))));
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_comes_with_the_time_as_it_comes_alone() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            add_account(&*store, n).await;
            store.insert_token(&By::OPERATOR, temporary(n, 1, 2)).await.unwrap();
        }
        store.set_disabled(&By::OPERATOR, account_id(2), true).await.unwrap();
        for hash in [hash(1, 0), hash(1, 1), hash(2, 1), hash(9, 9)] {
            let (time, found) = store.token_and_time(&hash).await.unwrap();
            assert_eq!(found, store.token_by_hash(&hash).await.unwrap());
            assert_eq!(time, store.now().await.unwrap());
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_hash_is_none() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        assert_eq!(store.token_by_hash(&hash(1, 1)).await.unwrap(), None);
        assert!(store.token_by_hash(&hash(1, 0)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn tokens_come_in_pages_in_the_order_of_their_ids() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            add_account(&*store, n).await;
        }
        for n in [5, 300, 2, 4, 3, 1] {
            store.insert_token(&By::OPERATOR, temporary(1, n, 1)).await.unwrap();
            store.insert_token(&By::OPERATOR, temporary(2, n, 1)).await.unwrap();
        }
        let page = async |after: Option<u64>, limit| -> Vec<TokenRecord> {
            store.tokens(account_id(1), after.map(token_id), limit).await.unwrap()
        };
        let of = |ids: &[u64]| -> Vec<TokenRecord> {
            ids.iter().map(|&n| if n == 0 { root(1, 0) } else { temporary(1, n, 1) }).collect()
        };
        assert_eq!(page(None, 3).await, of(&[0, 1, 2]));
        assert_eq!(page(Some(2), 3).await, of(&[3, 4, 5]));
        assert_eq!(page(Some(5), 3).await, of(&[300]));
        assert_eq!(page(Some(300), 3).await, []);
        assert_eq!(page(Some(6), 3).await, of(&[300]), "after an id that is not there");
        assert_eq!(page(None, u32::MAX).await, of(&[0, 1, 2, 3, 4, 5, 300]));
        assert_eq!(page(None, 0).await, []);
        assert_eq!(store.tokens(account_id(3), None, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn the_newest_tokens_come_first_page_by_page() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        add_account(&*store, 2).await;
        for n in 1..=4 {
            store.insert_token(&By::OPERATOR, temporary(1, n, 1)).await.unwrap();
        }
        let page = async |account, before: Option<u64>, limit| {
            let account = account_id(account);
            let page = store.newest_tokens(account, before.map(token_id), limit).await.unwrap();
            page.into_iter().map(|token| token.id).collect::<Vec<_>>()
        };
        let ids = |ids: &[u64]| ids.iter().copied().map(token_id).collect::<Vec<_>>();
        assert_eq!(page(1, None, 2).await, ids(&[4, 3]));
        assert_eq!(page(1, Some(3), 2).await, ids(&[2, 1]));
        assert_eq!(page(1, Some(1), 2).await, ids(&[0]), "the root token");
        assert_eq!(page(1, Some(0), 2).await, []);
        assert_eq!(page(2, None, 9).await, ids(&[0]));
    })
    .await;
}

#[tokio::test]
async fn a_page_shows_that_the_account_is_disabled() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        store.set_disabled(&By::OPERATOR, account_id(1), true).await.unwrap();
        let page = store.tokens(account_id(1), None, 10).await.unwrap();
        assert!(page.len() == 1 && page[0].state.account_disabled);
    })
    .await;
}

#[tokio::test]
async fn an_id_and_a_hash_are_used_once() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            add_account(&*store, n).await;
        }
        store.insert_token(&By::OPERATOR, temporary(1, 1, 5)).await.unwrap();
        let mut same_id = temporary(1, 1, 9);
        same_id.hash = hash(1, 2);
        let mut same_hash = temporary(1, 2, 9);
        same_hash.hash = hash(1, 1);
        for taken in [same_id, same_hash] {
            let refused = store.insert_token(&By::OPERATOR, taken).await;
            assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
        }
        let all = store.tokens(account_id(1), None, 10).await.unwrap();
        assert_eq!(all, [root(1, 0), temporary(1, 1, 5)]);
        // The twin: the same id in another account.
        store.insert_token(&By::OPERATOR, temporary(2, 1, 5)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_token_of_no_account_is_refused() {
    on_every_store(async |store: Arc<dyn Store>| {
        let refused = store.insert_token(&By::OPERATOR, temporary(1, 1, 1)).await;
        assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
        assert_eq!(store.token_by_hash(&hash(1, 1)).await.unwrap(), None);
        add_account(&*store, 1).await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, 1)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_account_has_one_root_token_in_force() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        let refused = store.insert_token(&By::OPERATOR, root(1, 1)).await;
        assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
        assert!(store.revoke_token(&By::OPERATOR, account_id(1), token_id(0)).await.unwrap());
        store.insert_token(&By::OPERATOR, root(1, 1)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_new_root_token_takes_the_place_of_the_old_one() {
    for revoke_temporary in [false, true] {
        on_every_store(async |store: Arc<dyn Store>| {
            for n in [1, 2] {
                add_account(&*store, n).await;
                store.insert_token(&By::OPERATOR, temporary(n, 5, 1)).await.unwrap();
            }
            store
                .replace_root_token(&By::OPERATOR, root(1, 9), None, revoke_temporary)
                .await
                .unwrap();
            let is_revoked = async |account, n| {
                let found = store.token_by_hash(&hash(account, n)).await.unwrap().unwrap();
                found.0.state.revoked
            };
            assert!(is_revoked(1, 0).await);
            assert_eq!(is_revoked(1, 5).await, revoke_temporary);
            assert!(!is_revoked(1, 9).await);
            assert!(!is_revoked(2, 0).await && !is_revoked(2, 5).await, "another account's");
            assert_eq!(store.spend(&By::OPERATOR, &hash(1, 9), usage()).await.unwrap(), Ok(None));
        })
        .await;
    }
}

#[tokio::test]
async fn only_a_root_token_in_force_mints() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            add_account(&*store, n).await;
        }
        let mint = async |n, by| {
            store.mint_token(&By::OPERATOR, temporary(1, n, 1), token_id(by)).await.unwrap()
        };
        assert!(mint(5, 0).await);
        assert!(!mint(6, 5).await, "a temporary token");
        assert!(!mint(6, 4).await, "no token");
        store.replace_root_token(&By::OPERATOR, root(1, 9), None, false).await.unwrap();
        assert!(!mint(6, 0).await, "one that was replaced");
        store.set_disabled(&By::OPERATOR, account_id(1), true).await.unwrap();
        assert!(!mint(6, 9).await, "that of a disabled account");
        assert_eq!(store.token_by_hash(&hash(1, 6)).await.unwrap(), None);
        store.set_disabled(&By::OPERATOR, account_id(1), false).await.unwrap();
        assert!(mint(6, 9).await);
        // Accounts may have tokens of the same id.
        store.replace_root_token(&By::OPERATOR, root(2, 7), None, false).await.unwrap();
        assert!(!mint(8, 7).await, "another account's");
    })
    .await;
}

#[tokio::test]
async fn a_root_token_that_cannot_be_added_leaves_the_old_one_in_force() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            add_account(&*store, n).await;
        }
        store.insert_token(&By::OPERATOR, temporary(1, 5, 1)).await.unwrap();
        let mut taken = root(1, 9);
        taken.hash = hash(2, 0);
        let refused = store.replace_root_token(&By::OPERATOR, taken, None, true).await;
        assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
        let all = store.tokens(account_id(1), None, 10).await.unwrap();
        assert_eq!(all, [root(1, 0), temporary(1, 5, 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_token_is_revoked_once_and_by_its_own_account() {
    on_every_store(async |store: Arc<dyn Store>| {
        for n in [1, 2] {
            add_account(&*store, n).await;
        }
        store.insert_token(&By::OPERATOR, temporary(1, 1, 5)).await.unwrap();
        assert!(
            !store.revoke_token(&By::OPERATOR, account_id(2), token_id(1)).await.unwrap(),
            "not its token"
        );
        assert!(
            !store.revoke_token(&By::OPERATOR, account_id(1), token_id(2)).await.unwrap(),
            "no such token"
        );
        let found = store.token_by_hash(&hash(1, 1)).await.unwrap().unwrap();
        assert_eq!(found.0, temporary(1, 1, 5));
        assert!(store.revoke_token(&By::OPERATOR, account_id(1), token_id(1)).await.unwrap());
        assert!(
            !store.revoke_token(&By::OPERATOR, account_id(1), token_id(1)).await.unwrap(),
            "a second time"
        );
        let found = store.token_by_hash(&hash(1, 1)).await.unwrap().unwrap();
        let mut revoked = temporary(1, 1, 5);
        revoked.state.revoked = true;
        assert_eq!(found.0, revoked);
    })
    .await;
}

#[tokio::test]
async fn times_and_counts_at_their_ends_come_back() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        let mut token = temporary(1, 1, 0);
        token.attempts = Some(u32::MAX);
        token.created_at = Timestamp::from_millis(0);
        token.state.expires_at = Some(Timestamp::from_millis(i64::MAX as u64));
        store.insert_token(&By::OPERATOR, token.clone()).await.unwrap();
        assert_eq!(store.token_by_hash(&token.hash).await.unwrap().unwrap().0, token);
        // Past the end of a column's time is the end of time, not its beginning.
        let mut eternal = temporary(1, 2, 1);
        eternal.state.expires_at = Some(Timestamp::from_millis(u64::MAX));
        store.insert_token(&By::OPERATOR, eternal.clone()).await.unwrap();
        assert_eq!(store.spend(&By::OPERATOR, &eternal.hash, usage()).await.unwrap(), Ok(Some(0)));
    })
    .await;
}

#[tokio::test]
async fn all_temporary_tokens_are_revoked_at_once_and_no_other() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        add_account(&*store, 2).await;
        for account in [1, 2] {
            for n in [1, 2, 3] {
                let token = temporary(account, n, 5);
                store.insert_token(&By::OPERATOR, token).await.unwrap();
            }
        }
        let revoke_all =
            async || store.revoke_temporary_tokens(&By::OPERATOR, account_id(1)).await.unwrap();
        assert!(store.revoke_token(&By::OPERATOR, account_id(1), token_id(3)).await.unwrap());
        assert_eq!(revoke_all().await, 2);
        assert_eq!(revoke_all().await, 0);
        let is_revoked = async |account, n| {
            let found = store.token_by_hash(&hash(account, n)).await.unwrap();
            found.unwrap().0.state.revoked
        };
        for n in [1, 2, 3] {
            assert!(is_revoked(1, n).await && !is_revoked(2, n).await, "{n}");
        }
        assert!(!is_revoked(1, 0).await, "the root token");
    })
    .await;
}

#[tokio::test]
async fn of_two_resets_by_one_token_the_first_is_made() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        let reset = async |n, by| {
            store.replace_root_token(&By::OPERATOR, root(1, n), Some(token_id(by)), true).await
        };
        assert!(reset(7, 0).await.unwrap());
        assert!(!reset(8, 0).await.unwrap(), "it was revoked");
        assert!(store.token_by_hash(&hash(1, 8)).await.unwrap().is_none());
        let first = store.token_by_hash(&hash(1, 7)).await.unwrap().unwrap().0;
        assert!(!first.state.revoked, "it stays in force");
        let temporary = temporary(1, 9, 1);
        store.insert_token(&By::OPERATOR, temporary).await.unwrap();
        assert!(!reset(8, 9).await.unwrap(), "it is no root token");
        assert!(reset(8, 7).await.unwrap());
    })
    .await;
}
