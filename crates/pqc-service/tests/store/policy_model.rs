//! Any sequence of minting, spending, waiting and revoking goes as the core's policy says.

use crate::support::usage;
use pqc_service::By;
use std::collections::{BTreeMap, BTreeSet};

use pqc_core::token::{self, Refusal, TokenState};
use proptest::prelude::*;

use crate::ground::{Ground, on_every_ground};
use crate::support::{account_id, add_account, at, expiring, hash, root, temporary, token_id};

#[derive(Debug, Clone)]
enum Step {
    Mint { account: u8, token: u64, attempts: u32, lives_for: i64 },
    Spend { account: u8, token: u64 },
    SpendAll,
    Wait { seconds: i64 },
    Revoke { account: u8, token: u64 },
    ResetRoot { account: u8, revoke_temporary: bool },
    Disable { account: u8, disabled: bool },
    Sweep { kept: i64 },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (account, token) = (1..=2_u8, 1..=4_u64);
    prop_oneof![
        3 => (account.clone(), token.clone(), 1..=3_u32, 1..=90_i64).prop_map(
            |(account, token, attempts, lives_for)| Step::Mint {
                account, token, attempts, lives_for
            }
        ),
        6 => (account.clone(), 0..=4_u64).prop_map(|(account, token)| Step::Spend { account, token }),
        2 => Just(Step::SpendAll),
        2 => (-60..=60_i64).prop_map(|seconds| Step::Wait { seconds }),
        1 => (account.clone(), token).prop_map(|(account, token)| Step::Revoke { account, token }),
        1 => (account.clone(), any::<bool>()).prop_map(|(account, revoke_temporary)| {
            Step::ResetRoot { account, revoke_temporary }
        }),
        1 => (account, any::<bool>()).prop_map(|(account, disabled)| Step::Disable {
            account, disabled
        }),
        2 => (0..=30_i64).prop_map(|kept| Step::Sweep { kept: kept.saturating_sub(10).max(0) }),
        1 => Just(Step::Restart),
    ]
}

/// What the store should know: the tokens' states and the greatest time.
#[derive(Default)]
struct Model {
    tokens: BTreeMap<(u8, u64), TokenState>,
    host: i64,
    greatest: i64,
    disabled: [bool; 3],
    roots: [u64; 3],
}

impl Model {
    fn spend(&mut self, account: u8, token: u64) -> Result<Option<u32>, Refusal> {
        let now = at(self.greatest);
        let Some(state) = self.tokens.get_mut(&(account, token)) else {
            return Err(Refusal::Unknown);
        };
        state.account_disabled = self.disabled[usize::from(account)];
        *state = token::spend(state, now)?;
        Ok(state.attempts_left)
    }
}

async fn play(ground: &Ground, steps: Vec<Step>) {
    let mut store = ground.open().await;
    let mut model = Model::default();
    for account in [1, 2] {
        add_account(&*store, account).await;
        model.tokens.insert((account, 0), root(account, 0).state);
    }
    for (n, step) in steps.into_iter().enumerate() {
        // Waiting alone commits no time.
        if !matches!(step, Step::Wait { .. } | Step::Restart) {
            model.greatest = match ground {
                Ground::Sqlite(_) => model.greatest.max(model.host),
                // The database's clock is believed.
                Ground::Postgres(_) => model.host,
            };
        }
        match step.clone() {
            Step::Mint { account, token, attempts, lives_for } => {
                let minted =
                    expiring(temporary(account, token, attempts), at(model.greatest + lives_for));
                let is_new = !model.tokens.contains_key(&(account, token));
                assert_eq!(
                    store.insert_token(&By::OPERATOR, minted.clone()).await.is_ok(),
                    is_new,
                    "{n}: {step:?}"
                );
                if is_new {
                    model.tokens.insert((account, token), minted.state);
                }
            }
            Step::Spend { account, token } => {
                let answer =
                    store.spend(&By::OPERATOR, &hash(account, token), usage()).await.unwrap();
                assert_eq!(answer, model.spend(account, token), "{n}: {step:?}");
            }
            Step::SpendAll => {
                // More than one statement at once holds, and each token several times.
                let which: Vec<_> = (0..100).map(|i| (1 + i % 2, u64::from(i / 2 % 7))).collect();
                let mut uses = tokio::task::JoinSet::new();
                for &(account, token) in &which {
                    let store = std::sync::Arc::clone(&store);
                    uses.spawn(async move {
                        (
                            (account, token),
                            store
                                .spend(&By::OPERATOR, &hash(account, token), usage())
                                .await
                                .unwrap(),
                        )
                    });
                }
                let mut answers = uses.join_all().await;
                let mut expected: Vec<_> =
                    which.into_iter().map(|(a, t)| ((a, t), model.spend(a, t))).collect();
                // Which of the uses of one token got which answer is not said: most left first.
                let order = |(token, answer): &((u8, u64), Result<Option<u32>, Refusal>)| {
                    (*token, answer.is_err(), answer.ok().flatten().map(std::cmp::Reverse))
                };
                answers.sort_by_key(order);
                expected.sort_by_key(order);
                for (answer, expected) in answers.into_iter().zip(expected) {
                    assert_eq!(answer, expected, "{n}: {step:?}");
                }
            }
            Step::Wait { seconds } => {
                model.host += seconds;
                ground.set_time(at(model.host)).await;
            }
            Step::Revoke { account, token } => {
                let state = model.tokens.get_mut(&(account, token));
                let was_in_force = state.as_ref().is_some_and(|state| !state.revoked);
                if let Some(state) = state {
                    state.revoked = true;
                }
                let revoked = store
                    .revoke_token(&By::OPERATOR, account_id(account), token_id(token))
                    .await
                    .unwrap();
                assert_eq!(revoked, was_in_force, "{n}: {step:?}");
            }
            Step::ResetRoot { account, revoke_temporary } => {
                let last = &mut model.roots[usize::from(account)];
                *last += 1;
                let new = root(account, 1000 + *last);
                store
                    .replace_root_token(&By::OPERATOR, new.clone(), None, revoke_temporary)
                    .await
                    .unwrap();
                for ((owner, _), state) in &mut model.tokens {
                    let replaced = revoke_temporary || state.kind == token::TokenKind::Root;
                    state.revoked |= *owner == account && replaced;
                }
                model.tokens.insert((account, 1000 + *last), new.state);
            }
            Step::Disable { account, disabled } => {
                store.set_disabled(&By::OPERATOR, account_id(account), disabled).await.unwrap();
                model.disabled[usize::from(account)] = disabled;
            }
            Step::Sweep { kept } => {
                let now = at(model.greatest);
                let mut left = BTreeSet::new();
                for account in [1, 2] {
                    let (id, before) = (account_id(account), at(model.greatest - kept));
                    store.remove_ended_tokens(&By::OPERATOR, id, before, 100).await.unwrap();
                    let tokens = store.tokens(id, None, 100).await.unwrap();
                    left.extend(tokens.iter().map(|token| (account, token.id)));
                }
                model.tokens.retain(|&(account, token), state| {
                    let state = TokenState { account_disabled: false, ..state.clone() };
                    let lives = token::authenticate(&state, now).is_ok();
                    let stays = left.contains(&(account, token_id(token)));
                    assert!(stays || !lives, "{n}: {step:?}: a living token was removed");
                    // A clock that goes back, as a database's may, leaves some for later.
                    let all = kept == 0 && matches!(ground, Ground::Sqlite(_));
                    assert!(lives || !stays || !all, "{n}: {step:?}: a dead one was not");
                    stays
                });
            }
            Step::Restart => {
                store.close().await;
                store = ground.open().await;
            }
        }
        for account in [1, 2] {
            for found in store.tokens(account_id(account), None, 100).await.unwrap() {
                let (key, _) = model
                    .tokens
                    .iter()
                    .find(|((owner, n), _)| *owner == account && token_id(*n) == found.id)
                    .unwrap();
                let mut expected = model.tokens[key].clone();
                expected.account_disabled = model.disabled[usize::from(account)];
                assert_eq!(found.state, expected, "after {n}: {step:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..<_>::default() })]
    #[test]
    fn the_store_does_what_the_policy_says(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(on_every_ground(async |ground| play(&ground, steps.clone()).await));
    }
}
