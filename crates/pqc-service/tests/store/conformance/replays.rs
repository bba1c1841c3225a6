//! Calls that can be repeated: claimed by one at a time, paid once, answered for as long as their
//! token would live.

use std::sync::Arc;

use pqc_core::Timestamp;
use pqc_core::replay::SealedAnswer;
use pqc_core::token::Refusal;
use pqc_service::store::replay::{Claimed, Effect, KeptAnswer, LEASE_MILLIS, NewClaim, Payment};
use pqc_service::{By, Custody, Error, Store};

use crate::ground::{Ground, on_every_ground};
use crate::support::{
    account_id, at, attempts_left, expiring, hash, key_pair, new_claim, on_every_store, replay_id,
    request_hash, root, temporary, token_id,
};

const FIRST: Claimed = Claimed::Ours { before: false };
const TAKEN_OVER: Claimed = Claimed::Ours { before: true };

fn sealed() -> SealedAnswer {
    SealedAnswer::from_bytes([&[1, 1][..], &[7; 60]].concat()).unwrap()
}

fn answer_to(claim: &NewClaim) -> KeptAnswer {
    let (id, nonce, custody) = (claim.id, claim.nonce, Custody::Server);
    KeptAnswer { id, nonce, custody, sealed: sealed() }
}

/// By another call.
fn again(claim: &NewClaim, nonce: u8) -> NewClaim {
    NewClaim { nonce: [nonce; 16], ..claim.clone() }
}

/// By who comes when the token is spent.
fn returning(claim: &NewClaim) -> NewClaim {
    NewClaim { payment: Payment::Before(Refusal::Spent), ..again(claim, 99) }
}

async fn claim(store: &(impl Store + ?Sized), claim: &NewClaim) -> Claimed {
    store.claim(&By::OPERATOR, claim.clone()).await.unwrap()
}

async fn answer(
    store: &(impl Store + ?Sized),
    answer: KeptAnswer,
    effect: Effect,
) -> Result<bool, Error> {
    store.keep_answer(&By::OPERATOR, answer, effect).await
}

/// With account 1 and its token 1, of so many attempts.
async fn with_token(ground: &Ground, attempts: u32) -> Arc<dyn crate::ground::Counting> {
    let store = ground.open_with_account().await;
    store.insert_token(&By::OPERATOR, temporary(1, 1, attempts)).await.unwrap();
    store
}

#[tokio::test]
async fn a_call_is_paid_once_and_answered_again() {
    on_every_ground(async |ground: Ground| {
        let store = with_token(&ground, 2).await;
        let first = new_claim(1, 1, 1);
        assert_eq!(claim(&*store, &first).await, FIRST);
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(1));
        assert_eq!(claim(&*store, &again(&first, 2)).await, Claimed::InFlight);
        let other = NewClaim { request: request_hash(2), ..again(&first, 2) };
        assert_eq!(claim(&*store, &other).await, Claimed::OtherRequest);

        let key = Effect::InsertKey(key_pair(1, 1));
        assert!(answer(&*store, answer_to(&first), key).await.unwrap());
        let key = store.key(account_id(1), &key_pair(1, 1).id).await.unwrap();
        assert_eq!(key, Some(key_pair(1, 1)));
        let answered = |is_first| Claimed::Answered { sealed: sealed(), is_first };
        assert_eq!(claim(&*store, &again(&first, 2)).await, answered(true));
        assert_eq!(claim(&*store, &returning(&first)).await, answered(false));
        assert_eq!(claim(&*store, &other).await, Claimed::OtherRequest);
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(1));
        // It is not given up, or answered, once more.
        assert!(!store.release_claim(&By::OPERATOR, &first.id, &first.nonce).await.unwrap());
        let late = answer(&*store, answer_to(&first), Effect::Nothing).await;
        assert!(matches!(late, Err(Error::InFlight)), "{late:?}");

        // Another name is another call.
        let second = NewClaim { id: replay_id(2), ..again(&first, 3) };
        assert_eq!(claim(&*store, &second).await, FIRST);
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(0));
        let third = NewClaim { id: replay_id(3), ..again(&first, 4) };
        assert_eq!(claim(&*store, &third).await, Claimed::Refused(Refusal::Spent));
        assert_eq!(claim(&*store, &returning(&third)).await, Claimed::Refused(Refusal::Spent));
        assert_eq!(store.kept_answers(account_id(1), at(0), 100).await.unwrap(), 2);
        assert_eq!(store.kept_answers(account_id(1), at(0), 1).await.unwrap(), 1);

        let told = store.audit_of(account_id(1), None, 100).await.unwrap();
        let told: Vec<_> = told.iter().rev().map(|(_, entry)| &*entry.outcome).collect();
        // The account, its token; the first, its key, that somebody came again; the second.
        assert_eq!(told, ["done", "done", "admitted", "done", "again", "admitted"]);
    })
    .await;
}

#[tokio::test]
async fn what_fails_is_left_to_who_comes_next_and_makes_nothing() {
    on_every_ground(async |ground: Ground| {
        let store = with_token(&ground, 1).await;
        store.insert_key(&By::OPERATOR, key_pair(1, 1)).await.unwrap();
        let first = new_claim(1, 1, 1);
        assert_eq!(claim(&*store, &first).await, FIRST);
        // The effect makes nothing: then there is no answer either.
        let key = Effect::InsertKey(key_pair(1, 1));
        assert!(!answer(&*store, answer_to(&first), key).await.unwrap());
        let mint = Effect::MintToken { token: temporary(1, 8, 1), root: token_id(1) };
        assert!(!answer(&*store, answer_to(&first), mint).await.unwrap());
        assert_eq!(claim(&*store, &returning(&first)).await, Claimed::InFlight);
        assert!(!store.release_claim(&By::OPERATOR, &first.id, &[9; 16]).await.unwrap());
        assert!(store.release_claim(&By::OPERATOR, &first.id, &first.nonce).await.unwrap());

        let next = returning(&first);
        assert_eq!(claim(&*store, &next).await, TAKEN_OVER);
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(0));
        // Who gave it up does nothing any more.
        let late = answer(&*store, answer_to(&first), Effect::InsertKey(key_pair(1, 2))).await;
        assert!(matches!(late, Err(Error::InFlight)), "{late:?}");
        assert_eq!(store.key(account_id(1), &key_pair(1, 2).id).await.unwrap(), None);
        let mint = Effect::MintToken { token: temporary(1, 8, 1), root: token_id(0) };
        assert!(answer(&*store, answer_to(&next), mint).await.unwrap());
        assert!(store.token_by_hash(&hash(1, 8)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_nobody_answers_can_be_taken_after_a_minute() {
    on_every_ground(async |ground: Ground| {
        let store = with_token(&ground, 1).await;
        let first = new_claim(1, 1, 1);
        assert_eq!(claim(&*store, &first).await, FIRST);
        let lease = i64::try_from(LEASE_MILLIS / 1000).unwrap();
        ground.set_time(at(lease - 1)).await;
        assert_eq!(claim(&*store, &returning(&first)).await, Claimed::InFlight);
        ground.set_time(at(lease)).await;
        let next = returning(&first);
        assert_eq!(claim(&*store, &next).await, TAKEN_OVER);
        assert_eq!(claim(&*store, &again(&first, 3)).await, Claimed::InFlight, "a new lease");
        let frozen = answer(&*store, answer_to(&first), Effect::InsertKey(key_pair(1, 1))).await;
        assert!(matches!(frozen, Err(Error::InFlight)), "{frozen:?}");
        assert_eq!(store.stored_keys(account_id(1), 10).await.unwrap(), 0);
        assert!(answer(&*store, answer_to(&next), Effect::Nothing).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_a_revoked_token_began_ends_with_it() {
    on_every_store(async |store: Arc<dyn Store>| {
        crate::support::add_account(&*store, 1).await;
        for n in [1, 2, 3] {
            store.insert_token(&By::OPERATOR, temporary(1, n, 2)).await.unwrap();
        }
        let claims = [1, 2, 3].map(|n| new_claim(1, n, n as u8));
        let free = NewClaim { payment: Payment::Free, ..new_claim(1, 0, 4) };
        for one in claims.iter().chain([&free]) {
            assert_eq!(claim(&*store, one).await, FIRST);
        }
        let [first, second, third] = &claims;
        answer(&*store, answer_to(first), Effect::Nothing).await.unwrap();
        let revoke =
            async |n| store.revoke_token(&By::OPERATOR, account_id(1), token_id(n)).await.unwrap();
        let is_begun = async |claim: &NewClaim| {
            let begun = store.begun_call(&claim.id, at(0)).await.unwrap();
            assert!(begun.as_ref().is_none_or(|(token, _)| *token == claim.token));
            begun.is_some()
        };
        assert!(is_begun(first).await && revoke(1).await);
        assert!(!is_begun(first).await);
        let gone = Claimed::Refused(Refusal::Spent);
        assert_eq!(claim(&*store, &returning(first)).await, gone);
        assert_eq!(claim(&*store, &again(first, 7)).await, Claimed::Refused(Refusal::Revoked));
        assert!(!is_begun(first).await, "no row is left of what could not be paid");

        // Of a token whose own row is gone: its answers can be ended, once.
        let all = pqc_core::Timestamp::from_millis(u64::MAX >> 1);
        store.remove_ended_tokens(&By::OPERATOR, account_id(1), all, 100).await.unwrap();
        assert!(is_begun(second).await && revoke(2).await);
        assert!(!is_begun(second).await && !revoke(2).await);

        // Under way when it was revoked: it makes nothing.
        assert!(revoke(3).await);
        let late = answer(&*store, answer_to(third), Effect::InsertKey(key_pair(1, 1))).await;
        assert!(matches!(late, Err(Error::Unauthorized(Refusal::Revoked))), "{late:?}");
        assert_eq!(store.stored_keys(account_id(1), 10).await.unwrap(), 0);
        assert!(is_begun(&free).await);
    })
    .await;
}

#[tokio::test]
async fn a_new_root_token_ends_what_the_old_one_began() {
    for temporary_too in [false, true] {
        on_every_store(async |store: Arc<dyn Store>| {
            crate::support::add_account(&*store, 1).await;
            crate::support::add_account(&*store, 2).await;
            for account in [1, 2] {
                store.insert_token(&By::OPERATOR, temporary(account, 1, 2)).await.unwrap();
            }
            let mine = new_claim(1, 1, 1);
            let theirs = new_claim(2, 1, 2);
            let by_root = NewClaim { payment: Payment::Free, ..new_claim(1, 0, 3) };
            for one in [&mine, &theirs, &by_root] {
                assert_eq!(claim(&*store, one).await, FIRST);
            }
            store.replace_root_token(&By::OPERATOR, root(1, 9), None, temporary_too).await.unwrap();
            let is_begun = async |claim: &NewClaim| {
                store.begun_call(&claim.id, at(0)).await.unwrap().is_some()
            };
            assert!(!is_begun(&by_root).await);
            assert_eq!(is_begun(&mine).await, !temporary_too);
            assert!(is_begun(&theirs).await);
            // And it begins nothing more.
            let refused = Claimed::Refused(Refusal::Revoked);
            assert_eq!(claim(&*store, &again(&by_root, 4)).await, refused);
            assert!(!is_begun(&by_root).await);
            let by_new = NewClaim { payment: Payment::Free, ..new_claim(1, 9, 4) };
            assert_eq!(claim(&*store, &by_new).await, FIRST);
        })
        .await;
    }
}

#[tokio::test]
async fn when_all_temporary_tokens_are_revoked_what_they_began_ends_too() {
    on_every_store(async |store: Arc<dyn Store>| {
        crate::support::add_account(&*store, 1).await;
        crate::support::add_account(&*store, 2).await;
        for account in [1, 2] {
            store.insert_token(&By::OPERATOR, temporary(account, 1, 1)).await.unwrap();
        }
        let (mine, theirs) = (new_claim(1, 1, 1), new_claim(2, 1, 2));
        let by_root = NewClaim { payment: Payment::Free, ..new_claim(1, 0, 3) };
        for one in [&mine, &theirs, &by_root] {
            assert_eq!(claim(&*store, one).await, FIRST);
        }
        // Its answer outlives the row of a token that was spent.
        let (account, end) = (account_id(1), Timestamp::from_millis(u64::MAX));
        assert_eq!(store.remove_ended_tokens(&By::OPERATOR, account, end, 9).await.unwrap(), 1);
        assert!(store.revoke_temporary_tokens(&By::OPERATOR, account).await.unwrap() > 0);
        let is_begun =
            async |claim: &NewClaim| store.begun_call(&claim.id, at(0)).await.unwrap().is_some();
        assert!(!is_begun(&mine).await && is_begun(&theirs).await && is_begun(&by_root).await);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_answered_to_a_disabled_account() {
    on_every_ground(async |ground: Ground| {
        let store = with_token(&ground, 2).await;
        let first = new_claim(1, 1, 1);
        assert_eq!(claim(&*store, &first).await, FIRST);
        answer(&*store, answer_to(&first), Effect::Nothing).await.unwrap();
        let set = async |disabled| {
            store.set_disabled(&By::OPERATOR, account_id(1), disabled).await.unwrap()
        };
        set(true).await;
        let disabled = Claimed::Refused(Refusal::AccountDisabled);
        assert_eq!(claim(&*store, &returning(&first)).await, disabled);
        let other = NewClaim { id: replay_id(2), ..again(&first, 3) };
        assert_eq!(claim(&*store, &other).await, disabled);
        set(false).await;
        let answered = |is_first| Claimed::Answered { sealed: sealed(), is_first };
        assert_eq!(claim(&*store, &returning(&first)).await, answered(true));
    })
    .await;
}

#[tokio::test]
async fn another_custody_ends_answers_and_holds_those_back_that_come_of_the_old_one() {
    on_every_ground(async |ground: Ground| {
        let store = with_token(&ground, 1).await;
        store.insert_token(&By::OPERATOR, temporary(1, 2, 1)).await.unwrap();
        let set = async |custody| {
            assert!(store.set_custody(&By::OPERATOR, account_id(1), custody).await.unwrap());
        };
        let (done, begun) = (new_claim(1, 1, 1), new_claim(1, 2, 2));
        assert_eq!(claim(&*store, &done).await, FIRST);
        assert_eq!(claim(&*store, &begun).await, FIRST);
        answer(&*store, answer_to(&done), Effect::Nothing).await.unwrap();
        // The one that it has changes nothing.
        set(Custody::Server).await;
        let answered = Claimed::Answered { sealed: sealed(), is_first: true };
        assert_eq!(claim(&*store, &returning(&done)).await, answered);

        set(Custody::ServerOnly).await;
        let spent = Claimed::Refused(Refusal::Spent);
        assert_eq!(claim(&*store, &returning(&done)).await, spent);
        let effect = || Effect::InsertKey(key_pair(1, 1));
        let held_back = answer(&*store, answer_to(&begun), effect()).await;
        assert!(matches!(held_back, Err(Error::InFlight)), "{held_back:?}");
        assert_eq!(store.key(account_id(1), &key_pair(1, 1).id).await.unwrap(), None);
        // It is paid all the same, for who comes again.
        assert!(store.release_claim(&By::OPERATOR, &begun.id, &begun.nonce).await.unwrap());
        let next = returning(&begun);
        assert_eq!(claim(&*store, &next).await, TAKEN_OVER);
        let now = KeptAnswer { custody: Custody::ServerOnly, ..answer_to(&next) };
        assert!(answer(&*store, now, effect()).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn calls_of_an_ended_server_are_left_to_the_next() {
    on_every_ground(async |ground: Ground| {
        let store = with_token(&ground, 2).await;
        let (first, done) = (new_claim(1, 1, 1), new_claim(1, 1, 2));
        assert_eq!(claim(&*store, &first).await, FIRST);
        assert_eq!(claim(&*store, &done).await, FIRST);
        answer(&*store, answer_to(&done), Effect::Nothing).await.unwrap();
        assert_eq!(claim(&*store, &again(&first, 3)).await, Claimed::InFlight);
        assert_eq!(store.release_all_claims().await.unwrap(), 1);
        assert_eq!(claim(&*store, &again(&first, 3)).await, Claimed::Ours { before: true });
        let answered = Claimed::Answered { sealed: sealed(), is_first: true };
        assert_eq!(claim(&*store, &returning(&done)).await, answered);
    })
    .await;
}

#[tokio::test]
async fn an_answer_ends_when_it_should_and_is_removed() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open_with_account().await;
        let token = expiring(temporary(1, 1, 9), at(20));
        store.insert_token(&By::OPERATOR, token).await.unwrap();
        let ends = |claim, end| NewClaim { expires_at: at(end), ..claim };
        let (short, long) = (ends(new_claim(1, 1, 1), 10), ends(new_claim(1, 1, 2), 20));
        for one in [&short, &long] {
            assert_eq!(claim(&*store, one).await, FIRST);
            answer(&*store, answer_to(one), Effect::Nothing).await.unwrap();
        }
        ground.set_time(at(9)).await;
        let answered = Claimed::Answered { sealed: sealed(), is_first: true };
        assert_eq!(claim(&*store, &returning(&short)).await, answered);
        ground.set_time(at(10)).await;
        assert!(store.begun_call(&short.id, at(10)).await.unwrap().is_none());
        assert!(store.begun_call(&long.id, at(10)).await.unwrap().is_some());
        let remove = async |before, limit| {
            store.remove_ended_answers(&By::SERVER, at(before), limit).await.unwrap()
        };
        assert_eq!((remove(9, 10).await, remove(30, 0).await), (0, 0));
        // To a living token it is as if it had not been.
        assert_eq!(claim(&*store, &ends(again(&short, 3), 20)).await, FIRST);
        assert_eq!(attempts_left(&*store, &hash(1, 1)).await, Some(6));
        ground.set_time(at(20)).await;
        assert_eq!(
            claim(&*store, &returning(&long)).await,
            Claimed::Refused(Refusal::Spent),
            "as if there were no row"
        );
        assert_eq!(store.kept_answers(account_id(1), at(19), 100).await.unwrap(), 1);
        assert_eq!(store.kept_answers(account_id(1), at(20), 100).await.unwrap(), 0);
        assert_eq!((remove(20, 10).await, remove(20, 10).await), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_one_is_first() {
    on_every_ground(async |ground: Ground| {
        let stores = [with_token(&ground, 5).await, ground.open().await];
        let mut calls = tokio::task::JoinSet::new();
        for n in 0..40 {
            let store = Arc::clone(&stores[usize::from(n) % 2]);
            let claim = again(&new_claim(1, 1, 1), n);
            calls.spawn(async move { store.claim(&By::OPERATOR, claim).await.unwrap() });
        }
        let all = calls.join_all().await;
        assert_eq!(all.iter().filter(|claimed| **claimed == FIRST).count(), 1);
        assert_eq!(all.iter().filter(|claimed| **claimed == Claimed::InFlight).count(), 39);
        assert_eq!(attempts_left(&*stores[0], &hash(1, 1)).await, Some(4));
    })
    .await;
}
