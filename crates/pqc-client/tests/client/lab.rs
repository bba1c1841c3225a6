//! The real server in this process, on a store in a folder of its own.

use std::sync::Arc;

use pqc_client::{Client, Error, NewToken};
use pqc_core::token::TokenValue;
use pqc_core::{Secret, VerifyingKey};
use pqc_http::Tls;
use pqc_service::{By, Custody, Service, Settings, SqliteStore, System};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A server with one account.
pub(crate) struct Lab {
    pub(crate) url: String,
    pub(crate) root_token: TokenValue,
    /// The server's issuer key, as its operator knows it.
    pub(crate) pinned: Vec<VerifyingKey>,
    _folder: TempDir,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with_tls(None).await
    }

    pub(crate) async fn with_tls(tls: Option<Tls>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Arc::new(System);
        let store = SqliteStore::open(&folder.path().join("store"), host.clone()).await.unwrap();
        let key = Secret::from([7; 32]);
        let service = Service::open(Arc::new(store), host, key, Settings::default()).await.unwrap();
        let pending = service.prepare_account("lab", Custody::Server).await.unwrap();
        let root_token = service.create_account(&By::OPERATOR, pending).await.unwrap();
        let pinned = service.issuer_keys().await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}", listener.local_addr().unwrap());
        let (service, config) = (Arc::new(service), pqc_http::Config::default());
        // It ends with the runtime of its test.
        let never = std::future::pending();
        tokio::spawn(pqc_http::serve(listener, tls, None, service, config, never));
        Self { url, root_token, pinned, _folder: folder }
    }

    /// A client with the root token.
    pub(crate) fn owner(&self) -> Client {
        Client::new(&self.url, &self.root_token).unwrap()
    }

    /// A client with a temporary token of so many attempts.
    pub(crate) async fn borrower(&self, attempts: u64) -> Client {
        let owner = self.owner();
        let request = NewToken { attempts: Some(attempts), ..NewToken::default() };
        owner.with_token(&owner.new_token(&request).await.unwrap().token).unwrap()
    }
}

/// How many attempts a client's token has left: one that is spent is not even told what it is.
pub(crate) async fn left(client: &Client) -> u32 {
    match client.token_self().await {
        Err(Error::Refused(refusal)) if refusal.status == 401 => 0,
        told => told.unwrap().attempts_left.unwrap(),
    }
}
