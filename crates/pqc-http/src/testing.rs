//! For tests: a real service on a real store.

use std::sync::Arc;

use pqc_core::token::TokenValue;
use pqc_core::{AccountId, Secret};
use pqc_service::{By, Custody, Service, Settings, SqliteStore, System};
use tempfile::TempDir;

/// A service with one account, whose root token is given in a header line.
pub(crate) struct Lab {
    pub(crate) service: Arc<Service>,
    pub(crate) account: AccountId,
    pub(crate) authorization: String,
    _folder: TempDir,
}

pub(crate) async fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let host = Arc::new(System);
    let store = SqliteStore::open(&folder.path().join("store"), host.clone()).await.unwrap();
    let key = Secret::from([7; 32]);
    let service = Service::open(Arc::new(store), host, key, Settings::default()).await.unwrap();
    let pending = service.prepare_account("lab", Custody::Server).await.unwrap();
    let token = service.create_account(&By::OPERATOR, pending).await.unwrap();
    let account = service.account("lab").await.unwrap().id;
    Lab { service: Arc::new(service), account, authorization: header(&token), _folder: folder }
}

/// The header line with a token.
pub(crate) fn header(token: &TokenValue) -> String {
    format!("Authorization: Bearer {}", *token.expose_text())
}
