//! Sessions: begun by a root token in force, found by their hash, ended with what they hang on.

use std::sync::Arc;

use pqc_core::Secret;
use pqc_core::audit::Actor;
use pqc_core::session::{LIFETIME_SECONDS, SessionHash, SessionValue};
use pqc_core::token::{Refusal, TokenValue};
use pqc_service::audit::{Use, WrittenDown};
use pqc_service::store::MOST_SESSIONS;
use pqc_service::tokens::MintRequest;
use pqc_service::{
    By, Custody, Error, Service, SessionRecord, Settings, Store, System, TokenRecord,
};

use crate::ground::{Ground, on_every_ground};
use crate::support::{
    account, account_id, add_account, at, on_every_store, root, temporary, token_id,
};

fn hash(n: u8) -> SessionHash {
    SessionHash::from_bytes([n; 32])
}

/// Session `n`, by the root token 0 of the account.
fn session(account: u8, n: u8) -> SessionRecord {
    SessionRecord {
        hash: hash(n),
        account: account_id(account),
        token: token_id(0),
        created_at: at(i64::from(n)),
        expires_at: at(i64::from(n) + 100),
    }
}

async fn begin(store: &(impl Store + ?Sized), session: SessionRecord) -> bool {
    store.begin_session(&By::OPERATOR, session).await.unwrap()
}

async fn is_there(store: &(impl Store + ?Sized), n: u8) -> bool {
    store.session(&hash(n)).await.unwrap().is_some()
}

#[tokio::test]
async fn a_session_comes_back_with_its_token_and_account_and_ends_once() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        add_account(&*store, 2).await;
        assert!(begin(&*store, session(1, 1)).await);
        let found = store.session(&hash(1)).await.unwrap();
        let token = TokenRecord { last_used_at: Some(at(1)), ..root(1, 0) };
        assert_eq!(found, Some((session(1, 1), token, account(1))));
        assert!(!is_there(&*store, 2).await);
        // The hash is taken.
        assert!(!begin(&*store, session(2, 1)).await);

        let end = async |account| {
            store.end_session(&By::OPERATOR, account_id(account), &hash(1)).await.unwrap()
        };
        assert!(!end(2).await, "another account's");
        assert!(is_there(&*store, 1).await);
        assert!(end(1).await && !end(1).await);
        assert!(!is_there(&*store, 1).await);
        let told = store.audit_of(account_id(1), None, 2).await.unwrap();
        let told: Vec<_> = told.iter().map(|(_, entry)| (&*entry.act, entry.token)).collect();
        assert_eq!(told, [("session.end", None), ("session.begin", Some(token_id(0)))]);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_begun_by_a_root_token_in_force_alone() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        store.insert_token(&By::OPERATOR, temporary(1, 1, 1)).await.unwrap();
        let by = |token| SessionRecord { token: token_id(token), ..session(1, 1) };
        for token in [1, 77] {
            assert!(!begin(&*store, by(token)).await, "{token}");
        }
        store.set_disabled(&By::OPERATOR, account_id(1), true).await.unwrap();
        assert!(!begin(&*store, by(0)).await);
        store.set_disabled(&By::OPERATOR, account_id(1), false).await.unwrap();
        store.replace_root_token(&By::OPERATOR, root(1, 9), None, false).await.unwrap();
        assert!(!begin(&*store, by(0)).await);
        assert!(begin(&*store, by(9)).await);
    })
    .await;
}

#[tokio::test]
async fn a_reset_and_a_disabled_account_end_its_sessions_and_no_others() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        add_account(&*store, 2).await;
        for (account, n) in [(1, 1), (1, 2), (2, 3)] {
            assert!(begin(&*store, session(account, n)).await);
        }
        store.set_disabled(&By::OPERATOR, account_id(1), true).await.unwrap();
        store.set_disabled(&By::OPERATOR, account_id(1), false).await.unwrap();
        assert!(!is_there(&*store, 1).await && !is_there(&*store, 2).await, "they stay ended");
        assert!(is_there(&*store, 3).await);

        assert!(begin(&*store, session(1, 4)).await);
        store.replace_root_token(&By::OPERATOR, root(2, 9), None, false).await.unwrap();
        assert!(!is_there(&*store, 3).await);
        assert!(is_there(&*store, 4).await);
        // One whose root token was revoked by its id is there, and does not live.
        store.revoke_token(&By::OPERATOR, account_id(1), token_id(0)).await.unwrap();
        let (_, token, _) = store.session(&hash(4)).await.unwrap().unwrap();
        assert!(token.state.revoked);
    })
    .await;
}

#[tokio::test]
async fn of_many_sessions_the_newest_stay_and_those_that_ended_are_removed() {
    on_every_store(async |store: Arc<dyn Store>| {
        add_account(&*store, 1).await;
        add_account(&*store, 2).await;
        assert!(begin(&*store, session(2, 250)).await);
        let most = u8::try_from(MOST_SESSIONS).unwrap();
        for n in 1..=most + 2 {
            assert!(begin(&*store, session(1, n)).await);
        }
        assert!(!is_there(&*store, 1).await && !is_there(&*store, 2).await);
        assert!(is_there(&*store, 3).await && is_there(&*store, most + 2).await);
        assert!(is_there(&*store, 250).await);

        let remove = async |before, limit| {
            store.remove_ended_sessions(&By::SERVER, at(before), limit).await.unwrap()
        };
        assert_eq!(remove(102, 100).await, 0);
        assert_eq!(remove(105, 2).await, 2, "the oldest first");
        assert!(!is_there(&*store, 4).await && is_there(&*store, 5).await);
        assert_eq!(remove(105, 2).await, 1);
        assert_eq!(remove(105, 2).await, 0);
        assert!(is_there(&*store, 6).await);
    })
    .await;
}

async fn service(store: Arc<dyn Store>) -> Service {
    let settings = Settings { audit_all: true, ..Settings::default() };
    Service::open(store, Arc::new(System), Secret::from([7; 32]), settings).await.unwrap()
}

async fn new_account(service: &Service, name: &str) -> TokenValue {
    let pending = service.prepare_account(name, Custody::Server).await.unwrap();
    service.create_account(&By::OPERATOR, pending).await.unwrap()
}

async fn sign_in(service: &Service, token: &TokenValue) -> Result<SessionValue, Error> {
    let caller = service.authenticate(&token.expose_text()).await?;
    Ok(service.sign_in(caller, None).await?.value)
}

async fn refusal(service: &Service, session: &SessionValue) -> Refusal {
    match service.session(session).await {
        Err(Error::Unauthorized(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_does_what_the_root_token_does_until_the_session_ends() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = service(Arc::clone(&store) as Arc<dyn Store>).await;
        let token = new_account(&service, "alice").await;
        let value = sign_in(&service, &token).await.unwrap();

        let session = service.session(&value).await.unwrap();
        assert_eq!(session.account_name(), "alice");
        assert_eq!(session.expires_at(), at(0).plus_seconds(LIFETIME_SECONDS));
        service.note_look(&session, Use::new("key.list", WrittenDown::IfAll)).await.unwrap();
        let (alice, root) = (session.account_id(), session.token().id);
        let usage = Use::new("token.mint", WrittenDown::ByEffect);
        let admitted = service.spend(session.authorize().unwrap(), usage).await.unwrap();
        let minted = service.mint(&admitted, MintRequest::default(), |_| Ok("")).await.unwrap().0;
        let told = store.audit_of(alice, None, 3).await.unwrap();
        let acts: Vec<_> = told.iter().map(|(_, entry)| &*entry.act).collect();
        assert_eq!(acts, ["token.mint", "key.list", "session.begin"]);
        assert!(told.iter().all(|(_, entry)| entry.actor == Actor::Token(root)));

        // A temporary token begins none, nor does one that nobody has.
        let refused = sign_in(&service, &minted.value).await;
        assert!(matches!(refused, Err(Error::OutOfScope)), "{refused:?}");
        let unknown = SessionValue::generate(&mut getrandom::SysRng).unwrap();
        assert_eq!(refusal(&service, &unknown).await, Refusal::Unknown);

        // Signed out, of one of two.
        let other = sign_in(&service, &token).await.unwrap();
        let session = service.session(&value).await.unwrap();
        assert!(service.sign_out(&session, &value, None).await.unwrap());
        assert!(!service.sign_out(&session, &value, None).await.unwrap());
        assert_eq!(refusal(&service, &value).await, Refusal::Unknown);
        service.session(&other).await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_token_its_account_and_its_time() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = service(Arc::clone(&store) as Arc<dyn Store>).await;
        let token = new_account(&service, "alice").await;
        let reset = sign_in(&service, &token).await.unwrap();
        let alice = service.session(&reset).await.unwrap().account_id();
        let token = service.reset_root_token(&By::OPERATOR, alice, true).await.unwrap();
        assert_eq!(refusal(&service, &reset).await, Refusal::Unknown);

        let disabled = sign_in(&service, &token).await.unwrap();
        service.session(&disabled).await.unwrap();
        for is_disabled in [true, false] {
            service.set_disabled(&By::OPERATOR, "alice", is_disabled).await.unwrap();
            assert_eq!(refusal(&service, &disabled).await, Refusal::Unknown);
        }

        let old = sign_in(&service, &token).await.unwrap();
        let lifetime = i64::try_from(LIFETIME_SECONDS).unwrap();
        ground.set_time(at(lifetime - 1)).await;
        service.session(&old).await.unwrap();
        ground.set_time(at(lifetime)).await;
        assert_eq!(refusal(&service, &old).await, Refusal::Expired);
        let round = service.housekeeping_step().await.unwrap();
        assert_eq!((round.sessions_removed, round.is_done), (1, true));
        assert_eq!(refusal(&service, &old).await, Refusal::Unknown);

        // By the id of its root token.
        let revoked = sign_in(&service, &token).await.unwrap();
        let root = service.session(&revoked).await.unwrap().token().id;
        service.revoke(&By::OPERATOR, alice, root).await.unwrap();
        assert_eq!(refusal(&service, &revoked).await, Refusal::Revoked);
        store.close().await;
    })
    .await;
}
