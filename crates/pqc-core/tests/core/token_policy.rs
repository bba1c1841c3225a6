//! The token policy against a model that counts in its own way, and each refusal beside its twin.

use pqc_core::token::{
    Demand, MintPolicy, MintTerms, Operation, OperationSet, OutOfScope, Refusal, Scope, TokenKind,
    TokenState, authenticate, authorize, authorize_key, spend,
};
use pqc_core::{Error, Field, KeyId, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// What can happen to an account's tokens.
#[derive(Debug, Clone)]
enum Event {
    Mint { lifetime: u64, attempts: u64 },
    Spend(Index),
    Ask(Index),
    Wait { millis: u64 },
    Revoke(Index),
    Disable(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0..70u64, 0..6u64).prop_map(|(lifetime, attempts)| Event::Mint { lifetime, attempts }),
        8 => any::<Index>().prop_map(Event::Spend),
        2 => any::<Index>().prop_map(Event::Ask),
        3 => prop_oneof![1..3000u64, Just(1000), Just(60_000)]
            .prop_map(|millis| Event::Wait { millis }),
        1 => any::<Index>().prop_map(Event::Revoke),
        1 => any::<bool>().prop_map(Event::Disable),
    ]
}

/// What a token was promised and what it has had: no subtraction, no deadline, no state machine.
struct Promise {
    minted: u64,
    lifetime: u64,
    attempts: u64,
    served: Vec<u64>,
    revoked: bool,
}

impl Promise {
    fn is_alive(&self, now: u64, disabled: bool) -> bool {
        let age = now - self.minted;
        !disabled
            && !self.revoked
            && age < self.lifetime * 1000
            && (self.served.len() as u64) < self.attempts
    }
}

const LONGEST: u64 = 60;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_policy_does_what_the_model_does(events in vec(event(), 1..80), start in 0..1u64 << 40) {
        let policy = MintPolicy { max_lifetime_seconds: LONGEST };
        let (mut now, mut disabled) = (start, false);
        let mut tokens: Vec<(TokenState, Promise)> = Vec::new();
        for event in events {
            let time = Timestamp::from_millis(now);
            match event {
                Event::Mint { lifetime, attempts } => {
                    let terms = policy.terms(time, Some(lifetime), Some(attempts));
                    let allowed = (1..=LONGEST).contains(&lifetime) && attempts >= 1;
                    prop_assert_eq!(terms.is_ok(), allowed);
                    if let Ok(MintTerms { expires_at, attempts: left }) = terms {
                        let state = TokenState {
                            expires_at: Some(expires_at),
                            attempts_left: Some(left),
                            account_disabled: disabled,
                            ..temporary()
                        };
                        let promise = Promise {
                            minted: now, lifetime, attempts, served: Vec::new(), revoked: false,
                        };
                        tokens.push((state, promise));
                    }
                }
                Event::Wait { millis } => now += millis,
                Event::Disable(value) => {
                    disabled = value;
                    tokens.iter_mut().for_each(|(state, _)| state.account_disabled = value);
                }
                Event::Spend(_) | Event::Ask(_) | Event::Revoke(_) if tokens.is_empty() => {}
                Event::Revoke(which) => {
                    let (state, promise) = which.get_mut(&mut tokens);
                    state.revoked = true;
                    promise.revoked = true;
                }
                Event::Ask(which) => {
                    let (state, promise) = which.get(&tokens);
                    let alive = promise.is_alive(now, disabled);
                    prop_assert_eq!(authenticate(state, time).is_ok(), alive);
                }
                Event::Spend(which) => {
                    let (state, promise) = which.get_mut(&mut tokens);
                    let alive = promise.is_alive(now, disabled);
                    match spend(state, time) {
                        Ok(after) => {
                            prop_assert!(alive);
                            promise.served.push(now);
                            let left = promise.attempts - promise.served.len() as u64;
                            prop_assert_eq!(after.attempts_left.map(u64::from), Some(left));
                            let expected = TokenState { attempts_left: after.attempts_left, ..state.clone() };
                            prop_assert_eq!(&after, &expected);
                            *state = after;
                        }
                        Err(refusal) => {
                            prop_assert!(!alive);
                            prop_assert_eq!(authenticate(state, time), Err(refusal));
                        }
                    }
                }
            }
        }
        for (_, promise) in &tokens {
            prop_assert!(promise.served.len() as u64 <= promise.attempts);
            let end = promise.minted + promise.lifetime * 1000;
            prop_assert!(promise.served.iter().all(|at| (promise.minted..end).contains(at)));
        }
    }
}

/// A temporary token at second 10 with one attempt: it lives until second 20.
fn temporary() -> TokenState {
    TokenState {
        kind: TokenKind::Temporary,
        scope: Scope::FULL,
        expires_at: Some(Timestamp::from_seconds(20)),
        attempts_left: Some(1),
        revoked: false,
        account_disabled: false,
    }
}

fn root() -> TokenState {
    TokenState { kind: TokenKind::Root, expires_at: None, attempts_left: None, ..temporary() }
}

const NOW: Timestamp = Timestamp::from_seconds(10);

#[track_caller]
fn is_refused(token: &TokenState, now: Timestamp, refusal: Refusal) {
    assert_eq!(authenticate(token, now), Err(refusal));
    assert_eq!(spend(token, now), Err(refusal));
}

#[track_caller]
fn passes(token: &TokenState, now: Timestamp) {
    assert_eq!(authenticate(token, now), Ok(()));
    assert!(spend(token, now).is_ok());
}

#[test]
fn each_refusal_has_a_passing_twin() {
    passes(&temporary(), NOW);
    is_refused(&TokenState { revoked: true, ..temporary() }, NOW, Refusal::Revoked);
    is_refused(
        &TokenState { account_disabled: true, ..temporary() },
        NOW,
        Refusal::AccountDisabled,
    );
    is_refused(&TokenState { attempts_left: Some(0), ..temporary() }, NOW, Refusal::Spent);
    passes(&temporary(), Timestamp::from_millis(19_999));
    is_refused(&temporary(), Timestamp::from_millis(20_000), Refusal::Expired);

    passes(&root(), NOW);
    passes(&root(), Timestamp::from_millis(u64::MAX));
    is_refused(&TokenState { revoked: true, ..root() }, NOW, Refusal::Revoked);
    is_refused(&TokenState { account_disabled: true, ..root() }, NOW, Refusal::AccountDisabled);
}

/// All four are wrong; each step rights the first of them, and the next one is named.
#[test]
fn refusals_come_in_their_order() {
    let mut token =
        TokenState { account_disabled: true, revoked: true, attempts_left: Some(0), ..temporary() };
    let late = Timestamp::from_seconds(20);
    is_refused(&token, late, Refusal::AccountDisabled);
    token.account_disabled = false;
    is_refused(&token, late, Refusal::Revoked);
    token.revoked = false;
    is_refused(&token, late, Refusal::Expired);
    is_refused(&token, NOW, Refusal::Spent);
    token.attempts_left = Some(1);
    passes(&token, NOW);
}

#[test]
fn a_temporary_token_without_bounds_is_refused() {
    is_refused(&TokenState { expires_at: None, ..temporary() }, NOW, Refusal::Expired);
    is_refused(&TokenState { attempts_left: None, ..temporary() }, NOW, Refusal::Spent);
    passes(&temporary(), NOW);
}

#[test]
fn a_spent_token_is_refused_and_a_root_token_is_never_spent() {
    let three = TokenState { attempts_left: Some(3), ..temporary() };
    let mut token = three.clone();
    for left in [2, 1, 0] {
        token = spend(&token, NOW).unwrap();
        assert_eq!(token, TokenState { attempts_left: Some(left), ..three.clone() });
    }
    is_refused(&token, NOW, Refusal::Spent);
    assert_eq!(spend(&root(), NOW), Ok(root()));
}

#[test]
fn the_terms_of_a_new_token_have_bounds() {
    let policy = MintPolicy::default();
    assert_eq!(policy.max_lifetime_seconds, 86_400);
    let lifetime = |seconds| policy.terms(NOW, Some(seconds), None);
    let too_long = Error::OutOfRange { field: Field::TokenLifetime, min: 1, max: 86_400 };
    for seconds in [1, 2, 900, 86_399, 86_400] {
        let expires_at = Timestamp::from_seconds(10 + seconds);
        assert_eq!(lifetime(seconds), Ok(MintTerms { expires_at, attempts: 1 }));
    }
    for seconds in [0, 86_401, u64::from(u32::MAX) + 2, u64::MAX] {
        assert_eq!(lifetime(seconds), Err(too_long.clone()));
    }

    let attempts = |count| policy.terms(NOW, None, Some(count));
    let too_many = Error::OutOfRange { field: Field::TokenAttempts, min: 1, max: 1_000_000 };
    let expires_at = Timestamp::from_seconds(910);
    for count in [1, 2, 999_999, 1_000_000] {
        let terms = MintTerms { expires_at, attempts: count as u32 };
        assert_eq!(attempts(count), Ok(terms));
    }
    // 2³² + 1 would be 1 if it were cut off.
    for count in [0, 1_000_001, u64::from(u32::MAX), (1 << 32) + 1, u64::MAX] {
        assert_eq!(attempts(count), Err(too_many.clone()));
    }
    assert_eq!(policy.terms(NOW, None, None), Ok(MintTerms { expires_at, attempts: 1 }));
}

#[test]
fn the_operators_bound_holds_for_the_default_too() {
    let expires_after = |max_lifetime_seconds, asked| {
        let terms = MintPolicy { max_lifetime_seconds }.terms(NOW, asked, None);
        terms.map(|terms| terms.expires_at.seconds() - 10)
    };
    assert_eq!(expires_after(60, None), Ok(60));
    assert_eq!(expires_after(60, Some(60)), Ok(60));
    assert!(expires_after(60, Some(61)).is_err());
    assert_eq!(expires_after(900, None), Ok(900));
    assert_eq!(expires_after(901, None), Ok(900));
    assert!(expires_after(0, None).is_err());
    assert!(expires_after(0, Some(1)).is_err());
}

#[test]
fn a_token_minted_at_the_end_of_time_is_expired_at_the_end_of_time() {
    let last = Timestamp::from_millis(u64::MAX);
    let unbounded = MintPolicy { max_lifetime_seconds: u64::MAX };
    let terms = unbounded.terms(last, Some(u64::MAX), None).unwrap();
    assert_eq!(terms.expires_at, last);
    let token = TokenState { expires_at: Some(terms.expires_at), ..temporary() };
    is_refused(&token, last, Refusal::Expired);
    passes(&token, Timestamp::from_millis(u64::MAX - 1));
}

#[test]
fn only_a_root_token_mints_and_any_token_asks_about_itself() {
    let narrow = TokenState { scope: narrowed(&["sign"], Some(KEY)), ..temporary() };
    assert_eq!(authorize(&root(), Demand::Root), Ok(()));
    for token in [&temporary(), &narrow] {
        assert_eq!(authorize(token, Demand::Root), Err(OutOfScope));
        assert_eq!(authorize(token, Demand::Itself), Ok(()));
    }
    assert_eq!(authorize(&root(), Demand::Itself), Ok(()));
}

#[test]
fn a_narrowed_token_does_the_named_operations_and_no_other() {
    for demanded in Operation::ALL {
        assert_eq!(authorize(&root(), Demand::Operation(demanded)), Ok(()));
        assert_eq!(authorize(&temporary(), Demand::Operation(demanded)), Ok(()));
        for named in Operation::ALL {
            let scope = narrowed(&[named.name()], None);
            let token = TokenState { scope, ..temporary() };
            let allowed = authorize(&token, Demand::Operation(demanded)).is_ok();
            assert_eq!(allowed, named == demanded, "{named} for {demanded}");
        }
        let others = Operation::ALL.into_iter().filter(|o| *o != demanded).map(Operation::name);
        let scope = narrowed(&others.collect::<Vec<_>>(), None);
        let token = TokenState { scope, ..temporary() };
        assert_eq!(authorize(&token, Demand::Operation(demanded)), Err(OutOfScope));
    }
}

#[test]
fn a_token_for_one_key_does_only_what_can_name_a_key() {
    let token = TokenState { scope: Scope { key_id: Some(KEY), ..Scope::FULL }, ..temporary() };
    for operation in Operation::ALL {
        let cannot = matches!(operation, Operation::KemGenerate | Operation::V1);
        let allowed = authorize(&token, Demand::Operation(operation)).is_ok();
        assert_eq!(allowed, !cannot, "{operation}");
        assert_eq!(authorize(&temporary(), Demand::Operation(operation)), Ok(()));
    }
    // Both narrowings at once.
    let token = TokenState { scope: narrowed(&["sign"], Some(KEY)), ..temporary() };
    assert_eq!(authorize(&token, Demand::Operation(Operation::Sign)), Ok(()));
    assert_eq!(authorize(&token, Demand::Operation(Operation::Verify)), Err(OutOfScope));
}

#[test]
fn a_token_for_one_key_uses_no_other() {
    let one = Scope { key_id: Some(KEY), ..Scope::FULL };
    let same_bytes = KeyId::Symmetric([7; 16]);
    assert_eq!(authorize_key(&one, Some(KEY)), Ok(()));
    for other in [None, Some(KeyId::Pair([8; 32])), Some(same_bytes)] {
        assert_eq!(authorize_key(&one, other), Err(OutOfScope));
        assert_eq!(authorize_key(&Scope::FULL, other), Ok(()));
    }
    let symmetric = Scope { key_id: Some(same_bytes), ..Scope::FULL };
    assert_eq!(authorize_key(&symmetric, Some(same_bytes)), Ok(()));
    assert_eq!(authorize_key(&symmetric, Some(KEY)), Err(OutOfScope));
}

#[test]
fn an_empty_set_admits_nothing() {
    let scope = Scope { operations: OperationSet::from_bits(0), key_id: None };
    let token = TokenState { scope, ..temporary() };
    for operation in Operation::ALL {
        assert_eq!(authorize(&token, Demand::Operation(operation)), Err(OutOfScope));
    }
}

const KEY: KeyId = KeyId::Pair([7; 32]);

fn narrowed(names: &[&str], key_id: Option<KeyId>) -> Scope {
    Scope { operations: OperationSet::from_names(names.iter().copied()).unwrap(), key_id }
}
