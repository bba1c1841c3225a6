//! Tokens that ended are removed beside the calls: by several servers at once, and in no call's way.

use crate::support::usage;
use pqc_service::audit::{Use, WrittenDown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pqc_core::Secret;
use pqc_core::token::{Demand, Operation, Refusal};
use pqc_service::tokens::MintRequest;
use pqc_service::{By, Custody, Error, Service, Settings, System};
use tokio::task::JoinSet;

use crate::ground::{Counting, Ground, on_every_ground};
use crate::support::{START, account_id, add_account, at, hash, temporary};

/// So many tokens of account 1 that ended at the start, past the store's back.
async fn add_ended(ground: &Ground, count: u64) {
    let (account, end) = ("01".repeat(16), START.millis());
    let columns = "INSERT INTO tokens (account, id, hash, kind, operations, created_at, \
         expires_at, attempts, attempts_left)";
    let sqlite = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         {columns} SELECT x'{account}', randomblob(16), randomblob(32), 'temporary', 0, 0, {end}, \
         1, 1 FROM n"
    );
    let postgres = format!(
        "{columns} SELECT '\\x{account}', uuid_send(gen_random_uuid()), sha256(i::text::bytea), \
         'temporary', 0, 0, {end}, 1, 1 FROM generate_series(1, {count}) AS i"
    );
    assert_eq!(ground.execute(&sqlite, &postgres).await, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn uses_and_minting_go_on_while_two_servers_remove_many() {
    const MANY: u64 = 20_000;
    on_every_ground(async |ground: Ground| {
        let (one, other) = (ground.open_with_account().await, ground.open().await);
        add_ended(&ground, MANY).await;
        one.insert_token(&By::OPERATOR, temporary(1, 1, 1_000_000)).await.unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for caller in 1..=8_u64 {
            let store = Arc::clone(if caller % 2 == 0 { &one } else { &other });
            let is_over = Arc::clone(&is_over);
            callers.spawn(async move {
                let mut calls = 0;
                while !is_over.load(Ordering::SeqCst) {
                    calls += 1;
                    let new = 1000 * caller + calls;
                    store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap().unwrap();
                    store.insert_token(&By::OPERATOR, temporary(1, new, 2)).await.unwrap();
                    assert_eq!(
                        store.spend(&By::OPERATOR, &hash(1, new), usage()).await.unwrap(),
                        Ok(Some(1))
                    );
                }
                calls
            });
        }
        let removed = Arc::new(AtomicU64::new(0));
        let mut sweeps = JoinSet::new();
        for store in [Arc::clone(&one), other] {
            let removed = Arc::clone(&removed);
            sweeps.spawn(async move {
                while removed.load(Ordering::SeqCst) < MANY {
                    let some = store
                        .remove_ended_tokens(&By::OPERATOR, account_id(1), START, 250)
                        .await
                        .unwrap();
                    assert!(some <= 250);
                    removed.fetch_add(some, Ordering::SeqCst);
                }
            });
        }
        sweeps.join_all().await;
        is_over.store(true, Ordering::SeqCst);
        let calls = callers.join_all().await;
        assert!(calls.iter().all(|calls| *calls > 1), "{calls:?}");
        assert_eq!(removed.load(Ordering::SeqCst), MANY, "each once");
        let minted: u64 = calls.iter().sum();
        let left = one.tokens(account_id(1), None, u32::MAX).await.unwrap().len();
        assert_eq!(left as u64, 2 + minted, "the root token, the one that all used, and the new");
    })
    .await;
}

async fn service(store: Arc<dyn Counting>) -> Service {
    let key = Secret::from([7; 32]);
    Service::open(store, Arc::new(System), key, Settings::default()).await.unwrap()
}

#[tokio::test]
async fn a_token_is_kept_for_a_minute_after_its_end_and_refused_like_any_other_then() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = service(Arc::clone(&store)).await;
        let pending = service.prepare_account("alice", Custody::Server).await.unwrap();
        let root = service.create_account(&By::OPERATOR, pending).await.unwrap().expose_text();
        let caller = service.authenticate(&root).await.unwrap();
        let alice = caller.account_id();
        let admitted = service
            .spend(caller.authorize(Demand::Root).unwrap(), Use::new("sign", WrittenDown::IfAll))
            .await
            .unwrap();
        let request = MintRequest { lifetime_seconds: Some(3600), ..MintRequest::default() };
        let spent = service.mint(&admitted, request.clone(), |_| Ok("")).await.unwrap().0.value;
        let kept = service.mint(&admitted, request, |_| Ok("")).await.unwrap().0.value;
        let demand = Demand::Operation(Operation::Sign);
        let caller = service.authenticate(&spent.expose_text()).await.unwrap();
        service
            .spend(caller.authorize(demand).unwrap(), Use::new("sign", WrittenDown::IfAll))
            .await
            .unwrap();

        let count = async || service.tokens(alice, None, 10).await.unwrap().len();
        let refusal = async || match service.authenticate(&spent.expose_text()).await {
            Err(Error::Unauthorized(why)) => why,
            other => panic!("{other:?}"),
        };
        ground.set_time(at(59)).await;
        let round = service.housekeeping_step().await.unwrap();
        assert_eq!((round.tokens_removed, round.is_done), (0, true));
        assert_eq!((count().await, refusal().await), (3, Refusal::Spent));
        ground.set_time(at(60)).await;
        let round = service.housekeeping_step().await.unwrap();
        assert_eq!((round.tokens_removed, round.is_done), (1, true));
        assert_eq!((count().await, refusal().await), (2, Refusal::Unknown));
        service.authenticate(&kept.expose_text()).await.unwrap();
        // A root token that was replaced goes the same way.
        service.reset_root_token(&By::OPERATOR, alice, true).await.unwrap();
        ground.set_time(at(120)).await;
        assert_eq!(service.housekeeping_step().await.unwrap().tokens_removed, 1);
        service.authenticate(&kept.expose_text()).await.unwrap();
        store.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_removes_all_that_ended_in_every_account() {
    on_every_ground(async |ground: Ground| {
        let store = ground.open().await;
        let service = service(Arc::clone(&store)).await;
        add_account(&*store, 1).await;
        add_ended(&ground, 1001).await;
        for n in 2..=4 {
            add_account(&*store, n).await;
            store.insert_token(&By::OPERATOR, temporary(n, 1, 1)).await.unwrap();
            store.insert_token(&By::OPERATOR, temporary(n, 2, 1)).await.unwrap();
            store.spend(&By::OPERATOR, &hash(n, 1), usage()).await.unwrap().unwrap();
        }
        ground.set_time(at(61)).await;
        let round = service.housekeeping_step().await.unwrap();
        assert_eq!((round.tokens_removed, round.is_done), (1004, true));
        for n in 1..=4 {
            let left = store.tokens(account_id(n), None, 10).await.unwrap().len();
            assert_eq!(left, if n == 1 { 1 } else { 2 });
        }
        store.close().await;
    })
    .await;
}
