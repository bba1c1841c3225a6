//! Accounts.

use std::sync::Arc;

use pqc_service::{AccountRecord, By, Custody, Error, Store};

use crate::support::{account, account_id, add_account, hash, on_every_store, root};

#[tokio::test]
async fn an_account_comes_back_as_it_was_made() {
    on_every_store(async |store: Arc<dyn Store>| {
        for (n, custody) in (1..).zip(Custody::ALL) {
            let made = AccountRecord { custody, ..account(n) };
            assert!(store.create_account(&By::OPERATOR, made.clone(), root(n, 0)).await.unwrap());
            assert_eq!(store.account_by_name(&made.name).await.unwrap(), Some(made.clone()));
            let (token, owner) = store.token_by_hash(&hash(n, 0)).await.unwrap().unwrap();
            assert_eq!((token, owner), (root(n, 0), made));
        }
    })
    .await;
}

#[tokio::test]
async fn accounts_come_in_the_order_of_their_making() {
    on_every_store(async |store: Arc<dyn Store>| {
        assert_eq!(store.accounts().await.unwrap(), []);
        let order = [3, 1, 2, 9, 4];
        for n in order {
            add_account(&*store, n).await;
        }
        assert_eq!(store.accounts().await.unwrap(), order.map(account));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_name_is_none() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        for name in ["account 2", "Account 1", "account 1 ", ""] {
            assert_eq!(store.account_by_name(name).await.unwrap(), None, "{name:?}");
        }
        assert!(store.account_by_name("account 1").await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_taken_name_makes_neither_account_nor_token() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        let same_name = AccountRecord { name: account(1).name, ..account(2) };
        assert!(!store.create_account(&By::OPERATOR, same_name, root(2, 0)).await.unwrap());
        assert_eq!(store.accounts().await.unwrap(), [account(1)]);
        assert_eq!(store.token_by_hash(&hash(2, 0)).await.unwrap(), None);
        // The twin: another name.
        assert!(store.create_account(&By::OPERATOR, account(2), root(2, 0)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_account_whose_token_cannot_be_added_is_not_made() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        let mut taken = root(2, 0);
        taken.hash = hash(1, 0);
        let refused = store.create_account(&By::OPERATOR, account(2), taken).await;
        assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
        assert_eq!(store.accounts().await.unwrap(), [account(1)]);
    })
    .await;
}

#[tokio::test]
async fn custody_and_standing_change_for_that_account_alone() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        add_account(&*store, 2).await;
        for custody in Custody::ALL {
            assert!(store.set_custody(&By::OPERATOR, account_id(1), custody).await.unwrap());
            let changed = AccountRecord { custody, ..account(1) };
            assert_eq!(store.accounts().await.unwrap(), [changed, account(2)]);
        }
        assert!(store.set_custody(&By::OPERATOR, account_id(1), Custody::Server).await.unwrap());
        for disabled in [true, true, false] {
            assert!(store.set_disabled(&By::OPERATOR, account_id(1), disabled).await.unwrap());
            let changed = AccountRecord { disabled, ..account(1) };
            assert_eq!(store.accounts().await.unwrap(), [changed.clone(), account(2)]);
            let (token, owner) = store.token_by_hash(&hash(1, 0)).await.unwrap().unwrap();
            assert_eq!((token.state.account_disabled, owner), (disabled, changed));
        }
    })
    .await;
}

#[tokio::test]
async fn an_account_that_is_not_there_does_not_change() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        assert!(!store.set_custody(&By::OPERATOR, account_id(2), Custody::Client).await.unwrap());
        assert!(!store.set_disabled(&By::OPERATOR, account_id(2), true).await.unwrap());
        assert_eq!(store.accounts().await.unwrap(), [account(1)]);
    })
    .await;
}
