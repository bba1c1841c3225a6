//! What belongs to the server, beside its master keys: trusted issuers, the time.

use std::sync::Arc;

use pqc_core::VerifyingKey;
use pqc_service::By;
use pqc_service::Store;

use crate::support::{at, master_key, on_every_store};

#[tokio::test]
async fn an_issuer_is_trusted_once() {
    on_every_store(async |store: Arc<dyn Store>| {
        assert_eq!(store.trusted_issuers().await.unwrap(), []);
        // Every string of the right length is a verifying key.
        let issuers = [1952, 1312, 2592].map(|bytes| VerifyingKey::from_bytes(&vec![7; bytes]));
        let issuers = issuers.map(Result::unwrap);
        for issuer in &issuers {
            assert!(store.trust_issuer(&By::OPERATOR, issuer).await.unwrap());
            assert!(!store.trust_issuer(&By::OPERATOR, issuer).await.unwrap());
        }
        assert_eq!(store.trusted_issuers().await.unwrap(), issuers);
        assert!(store.distrust_issuer(&By::OPERATOR, &issuers[0]).await.unwrap());
        assert!(!store.distrust_issuer(&By::OPERATOR, &issuers[0]).await.unwrap());
        assert_eq!(store.trusted_issuers().await.unwrap(), issuers[1..]);
        assert!(store.trust_issuer(&By::OPERATOR, &issuers[0]).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_does_not_go_back() {
    on_every_store(async |store: Arc<dyn Store>| {
        store.ping().await.unwrap();
        let mut last = store.now().await.unwrap();
        for version in 1..20 {
            store.add_master_key(&By::OPERATOR, master_key(version)).await.unwrap();
            let now = store.now().await.unwrap();
            assert!(now >= last);
            last = now;
        }
    })
    .await;
}

#[tokio::test]
async fn the_last_backup_is_the_latest_that_was_made() {
    on_every_store(async |store: Arc<dyn Store>| {
        assert_eq!(store.last_backup().await.unwrap(), None);
        for (made, last) in [(5, 5), (9, 9), (7, 9)] {
            store.note_backup(at(made)).await.unwrap();
            assert_eq!(store.last_backup().await.unwrap(), Some(at(last)));
        }
    })
    .await;
}
