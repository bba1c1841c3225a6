//! Every operation that takes an account, tried with another account's identifiers.

use crate::support::usage;
use std::sync::Arc;

use pqc_core::Timestamp;
use pqc_core::seal::RecordKind::SigningKey;
use pqc_core::session::SessionHash;
use pqc_service::{By, Custody, KeyRecord, SessionRecord, Store};

use crate::support::{
    account_id, add_account, hash, key_pair, new_claim, on_every_store, root, temporary, token_id,
    versioned,
};

#[tokio::test]
async fn nothing_of_another_account_is_seen_or_changed() {
    on_every_store(async |store: Arc<dyn Store>| {
        let (mine, theirs) = (account_id(1), account_id(2));
        for n in [1, 2] {
            add_account(&*store, n).await;
        }
        store.insert_token(&By::OPERATOR, temporary(2, 5, 5)).await.unwrap();
        store.insert_token(&By::OPERATOR, temporary(2, 6, 5)).await.unwrap();
        assert!(store.revoke_token(&By::OPERATOR, theirs, token_id(6)).await.unwrap());
        store.insert_key(&By::OPERATOR, key_pair(2, 1)).await.unwrap();
        store.insert_key(&By::OPERATOR, versioned(2, SigningKey, "ML-DSA-65", 1)).await.unwrap();
        store.insert_key(&By::OPERATOR, key_pair(2, 2)).await.unwrap();
        assert!(store.destroy_key(&By::OPERATOR, theirs, &key_pair(2, 2).id).await.unwrap());
        store.claim(&By::OPERATOR, new_claim(2, 5, 1)).await.unwrap();
        let session = SessionRecord {
            hash: SessionHash::from_bytes([2; 32]),
            account: theirs,
            token: token_id(0),
            created_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(1),
        };
        assert!(store.begin_session(&By::OPERATOR, session.clone()).await.unwrap());
        let everything = async || {
            (
                store.account_by_name("account 2").await.unwrap().unwrap(),
                store.tokens(theirs, None, 100).await.unwrap(),
                store.key(theirs, &key_pair(2, 1).id).await.unwrap().unwrap(),
                store.key_versions(theirs, SigningKey).await.unwrap(),
                store.keys(theirs, None, 100).await.unwrap(),
                store.live_tokens(theirs, Timestamp::from_millis(0), 100).await.unwrap(),
                store.stored_keys(theirs, 100).await.unwrap(),
                store.kept_answers(theirs, Timestamp::from_millis(0), 100).await.unwrap(),
                store.session(&session.hash).await.unwrap().unwrap(),
            )
        };
        let before = everything().await;

        assert!(store.set_custody(&By::OPERATOR, mine, Custody::Client).await.unwrap());
        assert!(store.set_disabled(&By::OPERATOR, mine, true).await.unwrap());
        assert_eq!(store.tokens(mine, None, 100).await.unwrap().len(), 1);
        assert_eq!(store.tokens(mine, Some(token_id(4)), 100).await.unwrap(), []);
        assert_eq!(store.newest_tokens(mine, None, 100).await.unwrap().len(), 1);
        assert!(!store.revoke_token(&By::OPERATOR, mine, token_id(5)).await.unwrap());
        assert_eq!(store.revoke_temporary_tokens(&By::OPERATOR, mine).await.unwrap(), 0);
        assert!(!store.mint_token(&By::OPERATOR, temporary(1, 6, 1), token_id(5)).await.unwrap());
        store.replace_root_token(&By::OPERATOR, root(1, 7), None, true).await.unwrap();
        assert_eq!(store.key(mine, &key_pair(2, 1).id).await.unwrap(), None);
        assert_eq!(store.current_key(mine, SigningKey, "ML-DSA-65").await.unwrap(), None);
        assert_eq!(store.key_versions(mine, SigningKey).await.unwrap(), []);
        assert_eq!(store.newest_version(mine, SigningKey, "ML-DSA-65").await.unwrap(), None);
        assert_eq!(store.keys(mine, None, 100).await.unwrap(), []);
        assert_eq!(store.newest_keys(mine, None, 100).await.unwrap(), []);
        assert_eq!(store.keys_that_begin(mine, "", 100).await.unwrap(), []);
        let place = Some((Timestamp::from_millis(0), key_pair(2, 1).id));
        assert_eq!(store.keys(mine, place, 100).await.unwrap(), []);
        for theirs in [key_pair(2, 1), key_pair(2, 2), versioned(2, SigningKey, "ML-DSA-65", 1)] {
            assert_eq!(store.key_info(mine, &theirs.id).await.unwrap(), None);
            assert!(!store.destroy_key(&By::OPERATOR, mine, &theirs.id).await.unwrap());
            let long_ago = Timestamp::from_millis(0);
            assert!(!store.undestroy_key(&By::OPERATOR, mine, &theirs.id, long_ago).await.unwrap());
        }
        assert!(!store.end_session(&By::OPERATOR, mine, &session.hash).await.unwrap());
        let end = Timestamp::from_millis(u64::MAX);
        assert_eq!(store.remove_ended_tokens(&By::OPERATOR, mine, end, 100).await.unwrap(), 1);
        assert_eq!(store.live_tokens(mine, Timestamp::from_millis(0), 100).await.unwrap(), 0);
        assert_eq!(store.stored_keys(mine, 100).await.unwrap(), 0);
        assert_eq!(store.kept_answers(mine, Timestamp::from_millis(0), 100).await.unwrap(), 0);
        assert!(store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap());
        assert!(
            store
                .insert_key(&By::OPERATOR, versioned(1, SigningKey, "ML-DSA-65", 1))
                .await
                .unwrap()
        );
        for key in [key_pair(1, 3), versioned(1, SigningKey, "ML-DSA-65", 2)] {
            let version = Some(key.version.unwrap_or(3));
            assert!(store.put_in_force(&By::OPERATOR, KeyRecord { version, ..key }).await.unwrap());
        }

        let told = store.audit_of(mine, None, 100).await.unwrap();
        assert!(!told.is_empty() && told.iter().all(|(_, entry)| entry.account == Some(mine)));
        assert_eq!(everything().await, before);
        assert_eq!(store.spend(&By::OPERATOR, &hash(2, 5), usage()).await.unwrap(), Ok(Some(3)));
    })
    .await;
}

/// Whoever adds a method that is scoped by an account adds it to the test above, and here.
#[test]
fn every_scoped_method_is_tried() {
    const TRIED: [&str; 22] = [
        "set_custody",
        "set_disabled",
        "tokens",
        "newest_tokens",
        "revoke_token",
        "revoke_temporary_tokens",
        "live_tokens",
        "remove_ended_tokens",
        "kept_answers",
        "end_session",
        "audit_of",
        "key",
        "stored_keys",
        "current_key",
        "newest_version",
        "key_versions",
        "keys",
        "newest_keys",
        "keys_that_begin",
        "key_info",
        "destroy_key",
        "undestroy_key",
    ];
    let (_, store) = include_str!("../../../src/store/mod.rs").split_once("trait Store").unwrap();
    let scoped = store.split("async fn ").skip(1).filter_map(|method| {
        let (signature, _) = method.split_once("->").unwrap_or((method, ""));
        let (name, arguments) = signature.split_once('(').unwrap();
        arguments.contains("AccountId").then_some(name)
    });
    assert_eq!(scoped.collect::<Vec<_>>(), TRIED);
}
