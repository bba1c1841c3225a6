//! A host whose clock jumps, a place for an embedded store, and records to put into any.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pqc_core::replay::{ReplayId, RequestHash};
use pqc_core::seal::RecordKind;
use pqc_core::token::{Scope, TokenHash, TokenKind, TokenState};
use pqc_core::{AccountId, KeyId, SealedRecord, Timestamp, TokenId};
use pqc_service::host::RandomnessFailed;
use pqc_service::store::NewMasterKey;
use pqc_service::store::replay::{NewClaim, Payment};
use pqc_service::{AccountRecord, By, Custody, Host, KeyRecord, SqliteStore, Store, TokenRecord};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::ground::{Ground, on_every_ground};

/// A host with a clock that is set by hand.
pub(crate) struct FakeHost(AtomicU64);

impl FakeHost {
    pub(crate) fn at(time: Timestamp) -> Self {
        Self(AtomicU64::new(time.millis()))
    }

    pub(crate) fn set(&self, time: Timestamp) {
        self.0.store(time.millis(), Ordering::SeqCst);
    }
}

impl Host for FakeHost {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomnessFailed> {
        getrandom::fill(bytes).map_err(|_| RandomnessFailed)
    }

    fn halt(&self, why: &str) {
        panic!("no test here has a failing disk: {why}");
    }
}

/// The time at which every fake host starts.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
pub(crate) const HOUR: u64 = 3600;

/// `seconds` after the start, or before it.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START.millis().checked_add_signed(seconds * 1000).unwrap())
}

/// A folder for an embedded store, with the host that it runs on.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) host: Arc<FakeHost>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let host = Arc::new(FakeHost::at(START));
        Self { folder: tempfile::tempdir().unwrap(), host }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    pub(crate) async fn try_open(&self) -> Result<SqliteStore, pqc_service::Error> {
        let host: Arc<FakeHost> = Arc::clone(&self.host);
        SqliteStore::open(&self.path(), host).await
    }

    pub(crate) async fn open(&self) -> Arc<SqliteStore> {
        Arc::new(self.try_open().await.unwrap())
    }

    /// A store with account 1.
    pub(crate) async fn open_with_account(&self) -> Arc<SqliteStore> {
        let store = self.open().await;
        add_account(&*store, 1).await;
        store
    }

    /// A connection past the store's back.
    pub(crate) async fn raw(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap()
    }
}

/// Plays a behaviour on every store that there is.
pub(crate) async fn on_every_store(behaviour: impl AsyncFn(Arc<dyn Store>)) {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        behaviour(Arc::clone(&store) as Arc<dyn Store>).await;
        store.close().await;
    })
    .await;
}

pub(crate) fn account_id(n: u8) -> AccountId {
    AccountId::from_bytes([n; 16])
}

pub(crate) fn account(n: u8) -> AccountRecord {
    AccountRecord {
        id: account_id(n),
        name: format!("account {n}"),
        custody: Custody::Server,
        disabled: false,
        created_at: START,
    }
}

/// Account `n`, and its root token, which is token 0.
pub(crate) async fn add_account(store: &(impl Store + ?Sized), n: u8) {
    assert!(store.create_account(&By::OPERATOR, account(n), root(n, 0)).await.unwrap());
}

pub(crate) fn token_id(n: u64) -> TokenId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    TokenId::from_bytes(bytes)
}

/// The hash of token `n` of that account. (Any 32 bytes will do for a store.)
pub(crate) fn hash(account: u8, n: u64) -> TokenHash {
    let mut bytes = [account; 32];
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    TokenHash::from_bytes(bytes)
}

/// Root token `n` of the account.
pub(crate) fn root(account: u8, n: u64) -> TokenRecord {
    TokenRecord {
        id: token_id(n),
        account: account_id(account),
        hash: hash(account, n),
        label: None,
        attempts: None,
        created_at: START,
        last_used_at: None,
        state: TokenState {
            kind: TokenKind::Root,
            scope: Scope::FULL,
            expires_at: None,
            attempts_left: None,
            revoked: false,
            account_disabled: false,
        },
    }
}

/// Temporary token `n` of the account, which does not expire in any test's lifetime.
pub(crate) fn temporary(account: u8, n: u64, attempts: u32) -> TokenRecord {
    let mut token = root(account, n);
    token.attempts = Some(attempts);
    token.state.kind = TokenKind::Temporary;
    token.state.attempts_left = Some(attempts);
    token.state.expires_at = Some(Timestamp::from_millis(1 << 50));
    token
}

pub(crate) fn expiring(mut token: TokenRecord, end: Timestamp) -> TokenRecord {
    token.state.expires_at = Some(end);
    token
}

/// The form of a sealed record; no key opens it.
pub(crate) fn sealed(byte: u8) -> SealedRecord {
    sealed_under(1, byte)
}

/// The same under that version of the master key.
pub(crate) fn sealed_under(master_version: u32, byte: u8) -> SealedRecord {
    let mut bytes = vec![byte; 78];
    bytes[..2].copy_from_slice(&[1, 1]);
    bytes[2..6].copy_from_slice(&master_version.to_be_bytes());
    SealedRecord::from_bytes(bytes).unwrap()
}

/// A master key of that version.
pub(crate) fn master_key(version: u32) -> NewMasterKey {
    NewMasterKey { version, check: sealed(version as u8), derivation: None }
}

/// Key pair `n` of the account, of a kind without versions.
pub(crate) fn key_pair(account: u8, n: u8) -> KeyRecord {
    KeyRecord {
        account: account_id(account),
        id: KeyId::Pair([n; 32]),
        kind: RecordKind::DecapsulationKey,
        algorithm: "ML-KEM-768".to_owned(),
        version: None,
        public_key: vec![n; 1184],
        attestation: vec![n; 3342],
        sealed: sealed(n),
        created_at: START,
        retired_at: None,
    }
}

/// A key of which the account has one in force.
pub(crate) fn versioned(account: u8, kind: RecordKind, algorithm: &str, version: u32) -> KeyRecord {
    let tag = account ^ algorithm.bytes().fold(kind.name().len() as u8, u8::wrapping_add);
    KeyRecord {
        id: KeyId::Symmetric([tag ^ (version as u8).wrapping_mul(31); 16]),
        kind,
        algorithm: algorithm.to_owned(),
        version: Some(version),
        public_key: Vec::new(),
        attestation: Vec::new(),
        created_at: at(i64::from(version)),
        ..key_pair(account, 0)
    }
}

pub(crate) async fn attempts_left(store: &(impl Store + ?Sized), hash: &TokenHash) -> Option<u32> {
    store.token_by_hash(hash).await.unwrap().unwrap().0.state.attempts_left
}

pub(crate) fn replay_id(n: u8) -> ReplayId {
    ReplayId::from_bytes([n; 32])
}

pub(crate) fn request_hash(n: u8) -> RequestHash {
    RequestHash::from_bytes([n; 32])
}

/// Call `n`, by an attempt of that token of the account.
pub(crate) fn new_claim(account: u8, token: u64, n: u8) -> NewClaim {
    NewClaim {
        id: replay_id(n),
        request: request_hash(1),
        account: account_id(account),
        token: token_id(token),
        nonce: [n; 16],
        expires_at: Timestamp::from_millis(1 << 50),
        payment: Payment::Attempt(hash(account, token)),
        admitted: Some(told(account, "admitted")),
        again: told(account, "again"),
    }
}

fn told(account: u8, outcome: &'static str) -> pqc_service::audit::Event {
    let account = Some(account_id(account));
    pqc_service::audit::Event { account, outcome: outcome.into(), ..usage() }
}

/// What tokens are used for here.
pub(crate) fn usage() -> pqc_service::audit::Event {
    pqc_service::audit::Event::done("sign")
}
