//! PostgreSQL stopped and started again under load.

use crate::support::usage;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pqc_service::{By, Error, PostgresStore, Store};
use tokio::task::JoinSet;

use crate::cluster::Cluster;
use crate::support::{account_id, add_account, attempts_left, hash, temporary, token_id};

const GRANTED: u32 = 1_000_000;
const CALLERS: u64 = 32;

/// What the callers were told.
#[derive(Default)]
struct Ledger {
    left: BTreeSet<u32>,
    tokens: Vec<u64>,
    unknown: usize,
    unavailable: usize,
    longest: Duration,
    last_refusal: Option<Instant>,
    first_after: Option<Instant>,
}

impl Ledger {
    fn enter<T>(&mut self, begin: Instant, answer: Result<T, Error>) -> Option<T> {
        self.longest = self.longest.max(begin.elapsed());
        match answer {
            Ok(answer) => return Some(answer),
            Err(Error::Unavailable(_)) => self.unavailable += 1,
            Err(Error::OutcomeUnknown(_)) => self.unknown += 1,
            Err(other) => panic!("{other:?}"),
        }
        self.last_refusal = Some(Instant::now());
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_under_load_is_unavailable_meanwhile_and_loses_nothing() {
    if std::env::var_os("PQC_TEST_POSTGRES").is_none() {
        return crate::ground::skipped();
    }
    let cluster = Cluster::start().unwrap().unwrap();
    let store = Arc::new(PostgresStore::open(&cluster.url("postgres")).await.unwrap());
    add_account(&*store, 1).await;
    store.insert_token(&By::OPERATOR, temporary(1, 1, GRANTED)).await.unwrap();

    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let ended = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let (store, ledger, ended) = (Arc::clone(&store), Arc::clone(&ledger), Arc::clone(&ended));
        callers.spawn(async move {
            for n in 0.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let begin = Instant::now();
                let spent = store.spend(&By::OPERATOR, &hash(1, 1), usage()).await;
                let spent = ledger.lock().unwrap().enter(begin, spent);
                if let Some(left) = spent {
                    let mut ledger = ledger.lock().unwrap();
                    assert!(ledger.left.insert(left.unwrap().unwrap()), "spent twice");
                    ledger.first_after.get_or_insert_with(Instant::now);
                } else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                if n % 8 == 0 {
                    let id = 1 + (1 << 40 | caller << 20 | n);
                    let begin = Instant::now();
                    let made = store.insert_token(&By::OPERATOR, temporary(1, id, 1)).await;
                    let mut ledger = ledger.lock().unwrap();
                    if ledger.enter(begin, made).is_some() {
                        ledger.tokens.push(id);
                    }
                }
            }
        });
    }
    for mode in ["fast", "immediate"] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokio::task::block_in_place(|| cluster.stop(mode)).unwrap();
        ledger.lock().unwrap().unavailable = 0;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert!(ledger.lock().unwrap().unavailable > 0, "{mode}: refused meanwhile");
        let read = store.accounts().await;
        assert!(matches!(read, Err(Error::Unavailable(_))), "{mode}: {read:?}");
        assert!(matches!(store.ping().await, Err(Error::Unavailable(_))), "{mode}");
        tokio::task::block_in_place(|| cluster.resume()).unwrap();
        let back = Instant::now();
        ledger.lock().unwrap().first_after = None;
        while ledger.lock().unwrap().first_after.is_none() || store.ping().await.is_err() {
            assert!(back.elapsed() < Duration::from_secs(5), "{mode}: it does not recover");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("{mode}: back after {:?}", back.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
        let quiet = ledger.lock().unwrap().last_refusal.unwrap();
        assert!(quiet < back + Duration::from_secs(5), "{mode}: it refused again");
    }
    ended.store(true, Ordering::Relaxed);
    callers.join_all().await;

    let ledger = std::mem::take(&mut *ledger.lock().unwrap());
    let left = attempts_left(&*store, &hash(1, 1)).await.unwrap();
    let spent = (GRANTED - left) as usize;
    let (acknowledged, unknown) = (ledger.left.len(), ledger.unknown);
    println!("{spent} spent, {acknowledged} acknowledged, {unknown} in doubt");
    println!("the longest answer took {:?}", ledger.longest);
    assert!((acknowledged..=acknowledged + unknown).contains(&spent));
    assert!(ledger.left.first().is_none_or(|least| *least >= left), "an attempt came back");
    let kept = store.tokens(account_id(1), None, u32::MAX).await.unwrap();
    let kept: BTreeSet<_> = kept.into_iter().map(|token| token.id).collect();
    assert!(ledger.tokens.iter().all(|n| kept.contains(&token_id(*n))), "a token was lost");
    assert!(acknowledged > 100 && ledger.tokens.len() > 10);
    assert!(ledger.longest < Duration::from_secs(5), "an answer took {:?}", ledger.longest);
    store.close().await;
}
