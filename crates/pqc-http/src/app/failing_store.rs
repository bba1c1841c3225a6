//! The whole flow over a store whose n-th call fails, for every n: each failure is a clear 503,
//! nothing that was answered is lost, and the same call works when it is made again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that panics has failed")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::Body;
use http::{HeaderName, Request, StatusCode};
use http_body_util::BodyExt;
use pqc_core::audit::{ChainHead, ChainId, Checkpoint, Entry};
use pqc_core::replay::ReplayId;
use pqc_core::seal::RecordKind;
use pqc_core::session::SessionHash;
use pqc_core::token::{Refusal, TokenHash, TokenValue};
use pqc_core::{AccountId, KeyId, Secret, Timestamp, TokenId, VerifyingKey};
use pqc_service::audit::Event;
use pqc_service::store::copy::Row;
use pqc_service::store::replay::{Claimed, Effect, KeptAnswer, NONCE_BYTES, NewClaim};
use pqc_service::store::{
    KeyInfo, MasterKeyRecord, MasterRotation, NewMasterKey, NumberedKey, Purged, Resealed,
    SessionRecord,
};
use pqc_service::usage::{CounterId, KeyUse, UsageCount, UsagePlace, UsageQuery, UsageSum};
use pqc_service::{
    AccountRecord, By, Custody, Error, KeyRecord, Service, Settings, SqliteStore, Store, System,
    TokenRecord,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::{App, Config};

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The store is not reached.
    Before,
    /// It is, and does not say so: a change is made, and its outcome is not known.
    After,
}

/// A store of which one call fails.
struct Failing {
    store: SqliteStore,
    fatal: usize,
    how: How,
    calls: AtomicUsize,
}

impl Failing {
    async fn read<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.fatal {
            return Err(Error::Unavailable(INSIDE.to_owned()));
        }
        call.await
    }

    /// What a task in the background asks too, whose calls come at any time.
    async fn same<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        call.await
    }

    async fn change<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if self.calls.load(Ordering::SeqCst) == self.fatal && self.how == How::After {
            self.calls.fetch_add(1, Ordering::SeqCst);
            call.await?;
            return Err(Error::OutcomeUnknown(INSIDE.to_owned()));
        }
        self.read(call).await
    }

    /// Whether a call has failed by now.
    fn has_failed(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.fatal
    }
}

/// No caller is to read this.
const INSIDE: &str = "connection to db-7.internal reset";

macro_rules! store_that_may_fail {
    ($($kind:ident $name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for Failing {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$answer, Error> {
                self.$kind(self.store.$name($($arg),*)).await
            })*

            async fn close(&self) {
                self.store.close().await;
            }

            fn kind(&self) -> &'static str {
                self.store.kind()
            }

            fn audit_heads(&self) -> Vec<ChainHead> {
                self.store.audit_heads()
            }
        }
    };
}

store_that_may_fail! {
    read now() -> Timestamp;
    read ping() -> ();
    same master_keys() -> Vec<MasterKeyRecord>;
    change add_master_key(by: &By, key: NewMasterKey) -> bool;
    change begin_master_rotation(by: &By, rotation: MasterRotation) -> bool;
    change end_master_rotation(by: &By, from: u32, to: u32) -> bool;
    read keys_under(master_version: u32, after: u64, limit: u32) -> Vec<NumberedKey>;
    read keys_by_master_key() -> Vec<(u32, u64)>;
    change reseal_keys(by: &By, keys: Vec<Resealed>) -> u64;
    read accounts() -> Vec<AccountRecord>;
    read account_by_name(name: &str) -> Option<AccountRecord>;
    change create_account(by: &By, account: AccountRecord, root_token: TokenRecord) -> bool;
    change set_custody(by: &By, account: AccountId, custody: Custody) -> bool;
    change set_disabled(by: &By, account: AccountId, disabled: bool) -> bool;
    read token_by_hash(hash: &TokenHash) -> Option<(TokenRecord, AccountRecord)>;
    read token_and_time(hash: &TokenHash) -> (Timestamp, Option<(TokenRecord, AccountRecord)>);
    read tokens(account: AccountId, after: Option<TokenId>, limit: u32) -> Vec<TokenRecord>;
    read newest_tokens(
        account: AccountId,
        before: Option<TokenId>,
        limit: u32
    ) -> Vec<TokenRecord>;
    change insert_token(by: &By, token: TokenRecord) -> ();
    change mint_token(by: &By, token: TokenRecord, root: TokenId) -> bool;
    change replace_root_token(
        by: &By,
        token: TokenRecord,
        root: Option<TokenId>,
        revoke_temporary: bool
    ) -> bool;
    change revoke_token(by: &By, account: AccountId, token: TokenId) -> bool;
    change revoke_temporary_tokens(by: &By, account: AccountId) -> u64;
    read live_tokens(account: AccountId, now: Timestamp, at_most: u64) -> u64;
    read accounts_with_ended_tokens(before: Timestamp, limit: u32) -> Vec<AccountId>;
    change remove_ended_tokens(by: &By, account: AccountId, before: Timestamp, limit: u32) -> u64;
    change spend(by: &By, hash: &TokenHash, usage: Event) -> Result<Option<u32>, Refusal>;
    read begun_call(id: &ReplayId, now: Timestamp) -> Option<(TokenId, AccountRecord)>;
    change claim(by: &By, claim: NewClaim) -> Claimed;
    change release_all_claims() -> u64;
    change release_claim(by: &By, id: &ReplayId, nonce: &[u8; NONCE_BYTES]) -> bool;
    change keep_answer(by: &By, answer: KeptAnswer, effect: Effect) -> bool;
    read kept_answers(account: AccountId, now: Timestamp, at_most: u64) -> u64;
    change remove_ended_answers(by: &By, before: Timestamp, limit: u32) -> u64;
    change begin_session(by: &By, session: SessionRecord) -> bool;
    read session(hash: &SessionHash) -> Option<(SessionRecord, TokenRecord, AccountRecord)>;
    change end_session(by: &By, account: AccountId, hash: &SessionHash) -> bool;
    change remove_ended_sessions(by: &By, before: Timestamp, limit: u32) -> u64;
    change record(by: &By, event: Event) -> ();
    read audit_rows(after: Option<(ChainId, u64)>, limit: u32) -> Vec<(ChainHead, Entry)>;
    read audit_of(account: AccountId, before: Option<u64>, limit: u32) -> Vec<(u64, Entry)>;
    change add_checkpoint(checkpoint: &Checkpoint) -> bool;
    read checkpoints(after: u64, limit: u32) -> Vec<Checkpoint>;
    read last_checkpoint() -> Option<Checkpoint>;
    change add_usage(counter: CounterId, counts: &[UsageCount]) -> ();
    change add_key_uses(uses: &[KeyUse]) -> ();
    read usage(query: &UsageQuery, after: Option<&UsagePlace>, limit: u32) -> Vec<UsageSum>;
    change insert_key(by: &By, key: KeyRecord) -> bool;
    change put_in_force(by: &By, key: KeyRecord) -> bool;
    read key(account: AccountId, id: &KeyId) -> Option<KeyRecord>;
    read current_key(account: AccountId, kind: RecordKind, algorithm: &str) -> Option<KeyRecord>;
    read stored_keys(account: AccountId, at_most: u64) -> u64;
    read newest_version(account: AccountId, kind: RecordKind, algorithm: &str) -> Option<u32>;
    read keys(
        account: AccountId,
        after: Option<(Timestamp, KeyId)>,
        limit: u32
    ) -> Vec<KeyInfo>;
    read newest_keys(
        account: AccountId,
        before: Option<(Timestamp, KeyId)>,
        limit: u32
    ) -> Vec<KeyInfo>;
    read keys_that_begin(account: AccountId, hex: &str, limit: u32) -> Vec<KeyInfo>;
    read key_info(account: AccountId, id: &KeyId) -> Option<KeyInfo>;
    change destroy_key(by: &By, account: AccountId, id: &KeyId) -> bool;
    change undestroy_key(by: &By, account: AccountId, id: &KeyId, since: Timestamp) -> bool;
    change purge_destroyed_keys(by: &By, until: Timestamp, limit: u32) -> Purged;
    read key_versions(account: AccountId, kind: RecordKind) -> Vec<KeyRecord>;
    change trust_issuer(by: &By, issuer: &VerifyingKey) -> bool;
    change distrust_issuer(by: &By, issuer: &VerifyingKey) -> bool;
    read trusted_issuers() -> Vec<VerifyingKey>;
    change note_backup(made_at: Timestamp) -> ();
    read last_backup() -> Option<Timestamp>;
    read copy_out(to: mpsc::Sender<Vec<Row>>) -> ();
}

/// One play of the flow.
struct Play {
    store: Arc<Failing>,
    service: Arc<Service>,
    app: Arc<App>,
    /// The refusals that were told, in either way.
    refused: usize,
    /// Of a spending whose outcome is not known.
    unknown: usize,
}

impl Play {
    /// Opens the service; where that fails, once more.
    async fn open(store: SqliteStore, fatal: usize, how: How) -> Self {
        let store = Arc::new(Failing { store, fatal, how, calls: AtomicUsize::new(0) });
        let mut refused = 0;
        let service = loop {
            let (store, key) = (Arc::clone(&store), Secret::from([7; 32]));
            match Service::open(store, Arc::new(System), key, Settings::default()).await {
                Ok(service) => break Arc::new(service),
                Err(error) => refused += usize::from(is_refusal(&error)),
            }
        };
        let app = App::new(Arc::clone(&service), Config::default());
        Self { store, service, app, refused, unknown: 0 }
    }

    /// An operator's deed; where it fails, once more.
    async fn operate<T>(&mut self, deed: impl AsyncFn(&Service) -> Result<T, Error>) -> T {
        loop {
            match deed(&self.service).await {
                Ok(done) => return done,
                Err(error) => self.refused += usize::from(is_refusal(&error)),
            }
        }
    }

    /// A call by the holder of `token`, made again if it is refused; its answer. Its attempts are
    /// accounted for.
    async fn call(&mut self, token: &TokenValue, path: &str, fields: Value) -> Value {
        for _ in 0..2 {
            let before = self.attempts_left(token).await;
            let (status, retry_after, body) = self.send(token, path, &fields).await;
            let spent = before.zip(self.attempts_left(token).await).map(|(was, is)| was - is);
            let answer: Value = serde_json::from_str(&body).unwrap();
            if status == StatusCode::OK {
                assert!(spent.is_none_or(|spent| spent == 1), "{path}: {spent:?}");
                return answer;
            }
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {body}");
            assert_eq!(retry_after.as_deref(), Some("1"), "{path}");
            for secret in [INSIDE, "db-7", "pqc_", "attack at dawn", &*token.expose_text()] {
                assert!(!body.contains(secret), "{path}: {body}");
            }
            let expected = match answer["attempt"].as_str() {
                None => 0,
                Some("spent") => 1,
                Some("unknown") => {
                    self.unknown += 1;
                    1 // This store makes each change whose outcome it does not tell.
                }
                other => panic!("{path}: {other:?}"),
            };
            assert!(spent.is_none_or(|spent| spent == expected), "{path}: {spent:?}: {body}");
            self.refused += 1;
        }
        panic!("{path} is refused twice");
    }

    async fn send(
        &self,
        token: &TokenValue,
        path: &str,
        fields: &Value,
    ) -> (StatusCode, Option<String>, String) {
        let name = HeaderName::from_static("x-nothing");
        self.send_with(token, path, fields, name).await
    }

    async fn send_with(
        &self,
        token: &TokenValue,
        path: &str,
        fields: &Value,
        header: HeaderName,
    ) -> (StatusCode, Option<String>, String) {
        let request = Request::post(path)
            .header(header, "k")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", *token.expose_text()))
            .body(Body::from(fields.to_string()))
            .unwrap();
        let response = Arc::clone(&self.app).into_service().oneshot(request).await.unwrap();
        let status = response.status();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, retry_after, String::from_utf8(body.to_vec()).unwrap())
    }

    /// What the store itself says; `None`: without count.
    async fn attempts_left(&self, token: &TokenValue) -> Option<u32> {
        let found = self.store.store.token_by_hash(&token.hash()).await.unwrap();
        found.unwrap().0.state.attempts_left
    }

    /// The status of a call by the holder of `token` that only looks.
    async fn look(&mut self, token: &TokenValue) -> StatusCode {
        let (status, _, _) = self.send(token, "/api/aes/encrypt_text", &json!({})).await;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            self.refused += 1;
            return self.send(token, "/api/aes/encrypt_text", &json!({})).await.0;
        }
        status
    }
}

/// The two errors of a store that fails, and no other; `true`.
fn is_refusal(error: &Error) -> bool {
    assert!(matches!(error, Error::Unavailable(_) | Error::OutcomeUnknown(_)), "{error:?}");
    true
}

/// From an empty store to a token that is revoked; gives what happened.
async fn play(fatal: usize, how: How) -> (bool, usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store"), Arc::new(System)).await.unwrap();
    let mut play = Play::open(store, fatal, how).await;

    let root = play.operate(async |service| make_account(service).await).await;
    let account = play.operate(async |service| service.account("alice").await).await.id;
    let minted = |answer: Value| TokenValue::parse(answer["new_token"].as_str().unwrap()).unwrap();
    let token =
        minted(play.call(&root, "/api/token/new", json!({"expire_after_attempts": 20})).await);

    let pair = play.call(&token, "/api/kem/generate_keys", json!({})).await;
    let (pk, issuer) = (&pair["pk"], &pair["verification_key"]);
    let to = json!({"pk": pk, "signature": pair["signature"], "verif_key": issuer});
    let sent = play.call(&token, "/api/kem/encapsulate_key", to).await;
    let received = json!({"pk": pk, "cipher": sent["cipher"]});
    let shared = play.call(&token, "/api/kem/decapsulate_key", received.clone()).await;
    assert_eq!(shared["shared_key"], sent["shared_key"]);

    let text = json!({"unencrypted": "attack at dawn"});
    let sealed = play.call(&token, "/api/aes/encrypt_text", text).await;
    let sealed = json!({"ciphertext": sealed});
    assert_eq!(play.call(&token, "/api/aes/decrypt_text", sealed.clone()).await, "attack at dawn");
    let data = json!({"data": "attack at dawn"});
    let signed = play.call(&token, "/api/signature/sign", data.clone()).await;
    let claim =
        json!({"data": "attack at dawn", "pk": signed["pk"], "signature": signed["signature"]});
    assert_eq!(play.call(&token, "/api/signature/verify", claim).await["verified"], true);

    // Revoked: the token, then with a new root token all that the old one made.
    let other = minted(play.call(&root, "/api/token/new", json!({})).await);
    let id = play.store.store.token_by_hash(&other.hash()).await.unwrap().unwrap().0.id;
    play.operate(async |service| match service.revoke(&By::OPERATOR, account, id).await {
        // It was done by the call whose outcome was not known.
        Err(Error::UnknownToken) if how == How::After => Ok(()),
        done => done,
    })
    .await;
    assert_eq!(play.look(&other).await, StatusCode::UNAUTHORIZED);
    let new_root = play
        .operate(async |service| service.reset_root_token(&By::OPERATOR, account, false).await)
        .await;
    for old in [&root, &token] {
        assert_eq!(play.look(old).await, StatusCode::UNAUTHORIZED);
    }

    // All that was answered is there.
    let shared = play.call(&new_root, "/api/kem/decapsulate_key", received).await;
    assert_eq!(shared["shared_key"], sent["shared_key"]);
    assert_eq!(play.call(&new_root, "/api/aes/decrypt_text", sealed).await, "attack at dawn");
    let again = play.call(&new_root, "/api/signature/sign", data).await;
    assert_eq!(again["pk"], signed["pk"]);

    // Destroyed and brought back: once it is done, no failure says that it was not.
    let id = play.store.store.keys(account, None, 10).await.unwrap();
    let id = id.iter().find(|key| key.kind == RecordKind::DecapsulationKey).unwrap().id;
    play.operate(async |service| match service.destroy_key(&By::OPERATOR, account, &id).await {
        Err(Error::UnknownKey) if how == How::After => Ok(()),
        done => done.map(drop),
    })
    .await;
    let is_destroyed = async |play: &Play| {
        let key = play.store.store.key_info(account, &id).await.unwrap();
        key.unwrap().destroyed_at.is_some()
    };
    assert!(is_destroyed(&play).await);
    play.operate(async |service| match service.undestroy_key(&By::OPERATOR, account, &id).await {
        Err(Error::UnknownKey) if how == How::After => Ok(()),
        done => done.map(drop),
    })
    .await;
    assert!(!is_destroyed(&play).await);
    let issuers = play.store.store.keys(AccountId::SERVER, None, 10).await.unwrap().len();
    play.operate(async |service| service.rotate_issuer(&By::OPERATOR).await.map(drop)).await;
    let more = play.store.store.keys(AccountId::SERVER, None, 10).await.unwrap().len() - issuers;
    assert!(more == 1 || more == 2 && how == How::After, "{more}");
    (play.store.has_failed(), play.refused, play.unknown)
}

/// The account and its root token, whether it was there before or not.
async fn make_account(service: &Service) -> Result<TokenValue, Error> {
    let pending = service.prepare_account("alice", Custody::Server).await?;
    let text = pending.root_token().expose_text();
    match service.create_account(&By::OPERATOR, pending).await {
        // The operator has put the token down before, and finds that it works.
        Err(Error::OutcomeUnknown(_)) => {
            let token = TokenValue::parse(&text).unwrap();
            service.authenticate(&text).await.unwrap();
            Ok(token)
        }
        made => made,
    }
}

#[tokio::test]
async fn whichever_call_of_the_store_fails_nothing_is_lost_and_the_next_try_works() {
    for how in [How::Before, How::After] {
        let (mut fatal, mut unknown_spendings) = (0, 0);
        loop {
            let (failed, refused, unknown) = play(fatal, how).await;
            if !failed {
                assert_eq!(refused, 0, "{how:?}");
                break;
            }
            // The account's making is looked into at once.
            assert!(refused <= 1, "{how:?}, call {fatal}: {refused} refusals");
            unknown_spendings += unknown;
            fatal += 1;
        }
        println!("{how:?}: each of {fatal} calls failed, {unknown_spendings} in doubt");
        assert!(fatal > 40, "{fatal}");
        // The seven uses of the temporary token, the two that mint, and the root token's three of
        // stored secrets, which are written down before they happen.
        assert_eq!(unknown_spendings, if how == How::After { 12 } else { 0 });
    }
}

/// A call under an idempotency key, made again until it is answered; gives whether one failed.
async fn play_repeated(fatal: usize, how: How, path: &str, by_root: bool) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store"), Arc::new(System)).await.unwrap();
    let mut play = Play::open(store, fatal, how).await;
    let root = play.operate(async |service| make_account(service).await).await;
    let account = play.operate(async |service| service.account("alice").await).await.id;
    let attempts = json!({"expire_after_attempts": 2});
    let minted = play.call(&root, "/api/token/new", attempts).await;
    let token = TokenValue::parse(minted["new_token"].as_str().unwrap()).unwrap();
    let token = if by_root { root } else { token };
    let counts = async |play: &Play| {
        let store = &play.store.store;
        let tokens = store.tokens(account, None, 10).await.unwrap().len();
        (tokens, store.stored_keys(account, 10).await.unwrap())
    };

    let before = counts(&play).await;
    let header = HeaderName::from_static("idempotency-key");
    let mut answers = Vec::new();
    while answers.len() < 2 {
        let (status, _, body) = play.send_with(&token, path, &json!({}), header.clone()).await;
        if status == StatusCode::OK {
            answers.push(body);
            continue;
        }
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{how:?}, call {fatal}: {body}");
        play.refused += 1;
        assert!(play.refused < 3, "{how:?}, call {fatal}: {body}");
    }
    assert_eq!(answers[0], answers[1], "{how:?}, call {fatal}");
    assert_eq!(play.attempts_left(&token).await, (!by_root).then_some(1));
    let after = counts(&play).await;
    let made = (after.0 - before.0, after.1 - before.1);
    let expected = match path {
        "/api/token/new" => (1, 0),
        "/api/kem/generate_keys" => (0, 1),
        _ => (0, 0),
    };
    assert_eq!(made, expected, "{how:?}, call {fatal}");
    play.store.has_failed()
}

#[tokio::test]
async fn whichever_call_of_the_store_fails_a_repeated_call_is_paid_and_carried_out_once() {
    for (path, by_root) in [
        ("/api/token/new", true),
        ("/api/kem/generate_keys", false),
        ("/api/kem/generate_keys", true),
        ("/api/v1/pqc/sign/generate-keys", false),
    ] {
        for how in [How::Before, How::After] {
            let mut fatal = 0;
            while play_repeated(fatal, how, path, by_root).await {
                fatal += 1;
            }
            println!("{path}, {how:?}: each of {fatal} calls failed");
            assert!(fatal > 15, "{fatal}");
        }
    }
}
