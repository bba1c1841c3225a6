//! `kill -9` at random moments: what was acknowledged is there, and nothing is spent twice.
//!
//! The child is this test program itself, with [`CHILD`] in its environment: it writes as fast as
//! it can and prints each acknowledgement. The parent kills it, keeps the ledger, and looks.

use crate::support::usage;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pqc_core::KeyId;
use pqc_core::replay::{ReplayId, SealedAnswer};
use pqc_service::store::replay::{Claimed, Effect, KeptAnswer, NewClaim};
use pqc_service::{By, Custody, KeyRecord, PostgresStore, SqliteStore, Store, System};

use crate::ground::{Ground, on_every_ground};
use crate::support::{account_id, attempts_left, hash, key_pair, new_claim, temporary, token_id};
use crate::torture::{Moments, rounds};

const CHILD: &str = "PQC_TEST_STORE_CHILD";
const GRANTED: u32 = 1_000_000;

/// What the children were told.
#[derive(Default)]
struct Ledger {
    /// The attempts that were left after each acknowledged use.
    left: BTreeSet<u32>,
    tokens: Vec<u64>,
    keys: Vec<u64>,
    /// Calls that can be repeated: those that were paid, and those that were answered.
    claims: Vec<u64>,
    answers: Vec<u64>,
}

impl Ledger {
    fn enter(&mut self, line: &str) {
        let Some((what, number)) = line.split_once(' ') else { return };
        match what {
            "spent" => assert!(self.left.insert(number.parse().unwrap()), "{line}: spent twice"),
            "token" => self.tokens.push(number.parse().unwrap()),
            "claim" => self.claims.push(number.parse().unwrap()),
            "answer" => self.answers.push(number.parse().unwrap()),
            "key" => self.keys.push(number.parse().unwrap()),
            _ => {} // the test harness's own lines
        }
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_spent_twice() {
    on_every_ground(async |ground: Ground| lives_and_deaths(&ground).await).await;
}

async fn lives_and_deaths(ground: &Ground) {
    let store = ground.open_with_account().await;
    store.insert_token(&By::OPERATOR, temporary(1, 1, GRANTED)).await.unwrap();
    store.close().await;

    let mut ledger = Ledger::default();
    let mut moments = Moments::new();
    let mut checked = 0;
    for round in 1..=u64::from(rounds(12)) {
        let life = Duration::from_millis(30) + moments.less_than(256);
        for line in live_and_die(ground, round, life) {
            ledger.enter(&line);
        }
        let store = ground.open().await;
        let left = attempts_left(&*store, &hash(1, 1)).await.unwrap();
        let spent = (GRANTED - left) as usize;
        assert!(ledger.left.len() <= spent, "{} acknowledged, {spent} spent", ledger.left.len());
        assert!(ledger.left.first().is_none_or(|least| *least >= left), "an attempt came back");
        let kept = store.tokens(account_id(1), None, u32::MAX).await.unwrap();
        let kept: BTreeSet<_> = kept.into_iter().map(|token| token.id).collect();
        assert!(ledger.tokens.iter().all(|n| kept.contains(&token_id(*n))), "a token was lost");
        // The new ones, and some of the old.
        let (old, new) = ledger.keys.split_at(checked);
        for &n in old.iter().step_by(16).chain(new) {
            let key = store.key(account_id(1), &numbered_key(n).id).await.unwrap();
            assert_eq!(key, Some(numbered_key(n)), "a key was lost");
        }
        checked = ledger.keys.len();
        check_calls(&*store, &ledger).await;
        store.close().await;
        // At most what was under way when it died is spent without an acknowledgement.
        assert!(spent - ledger.left.len() <= (round * CALLERS) as usize);
    }
    let Ledger { left, tokens, keys, answers, .. } = &ledger;
    let enough = left.len() > 50 && tokens.len() > 10 && keys.len() > 1 && answers.len() > 1;
    let counts = [left.len(), tokens.len(), keys.len(), answers.len()];
    assert!(enough, "{counts:?} uses, tokens, keys, answers");
}

/// Each call was paid once, and its key and its answer are both there or neither is.
async fn check_calls(store: &dyn Store, ledger: &Ledger) {
    for &n in &ledger.claims {
        let next = NewClaim { nonce: [0xff; 16], ..numbered_call(n) };
        let claimed = store.claim(&By::OPERATOR, next).await.unwrap();
        let is_answered = matches!(claimed, Claimed::Answered { .. });
        let is_paid = matches!(claimed, Claimed::InFlight | Claimed::Ours { before: true });
        assert!(is_answered || is_paid, "call {n} was lost: {claimed:?}");
        let key = store.key(account_id(1), &numbered_key(n).id).await.unwrap();
        assert_eq!(key.is_some(), is_answered, "call {n}");
        assert!(is_answered || !ledger.answers.contains(&n), "the answer to {n} was lost");
        assert_eq!(attempts_left(store, &hash(1, n)).await, Some(1), "call {n}");
    }
}

/// Lets a child write for a while, and gives the lines that it managed to print.
fn live_and_die(ground: &Ground, round: u64, life: Duration) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["killed::the_child_that_is_killed", "--exact", "--nocapture"])
        .env(CHILD, address(ground))
        .env("PQC_TEST_STORE_ROUND", round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    // On a slow disk, some of its lives must be long enough for each kind of change.
    let first = ["key", "spent", "answer"][(round % 3) as usize];
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    // Its life begins with its first acknowledgement.
    for line in lines.by_ref().map(Result::unwrap) {
        let begun = line.starts_with(first);
        seen.push(line);
        if begun {
            break;
        }
    }
    let reader = std::thread::spawn(move || {
        // A line that was cut short was not an acknowledgement: each ends with a full stop.
        lines.map_while(Result::ok).collect::<Vec<_>>()
    });
    std::thread::sleep(life);
    assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    seen.extend(reader.join().unwrap());
    seen.iter().filter_map(|line| line.strip_suffix('.')).map(str::to_owned).collect()
}

/// The file, or the URL.
fn address(ground: &Ground) -> String {
    match ground {
        Ground::Sqlite(place) => place.path().to_str().unwrap().to_owned(),
        Ground::Postgres(database) => database.url(),
    }
}

async fn open(address: &str) -> Arc<dyn Store> {
    if address.starts_with("postgres:") {
        Arc::new(PostgresStore::open(address).await.unwrap())
    } else {
        Arc::new(SqliteStore::open(Path::new(address), Arc::new(System)).await.unwrap())
    }
}

const CALLERS: u64 = 32;

#[tokio::test(flavor = "multi_thread")]
async fn the_child_that_is_killed() {
    let Ok(address) = std::env::var(CHILD) else { return };
    let round: u64 = std::env::var("PQC_TEST_STORE_ROUND").unwrap().parse().unwrap();
    let store = open(&address).await;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            for n in 0.. {
                if n % 64 == 0 && caller >= 24 {
                    let id = 1 << 63 | round << 40 | caller << 20 | n;
                    store.insert_token(&By::OPERATOR, temporary(1, id, 2)).await.unwrap();
                    let call = numbered_call(id);
                    let (call_id, nonce) = (call.id, call.nonce);
                    let claimed = store.claim(&By::OPERATOR, call).await.unwrap();
                    assert_eq!(claimed, Claimed::Ours { before: false });
                    acknowledge("claim", id);
                    let sealed = [&[1, 1][..], &[7; 60]].concat();
                    let sealed = SealedAnswer::from_bytes(sealed).unwrap();
                    let answer =
                        KeptAnswer { id: call_id, nonce, custody: Custody::Server, sealed };
                    let key = Effect::InsertKey(numbered_key(id));
                    assert!(store.keep_answer(&By::OPERATOR, answer, key).await.unwrap());
                    acknowledge("answer", id);
                }
                let left = store
                    .spend(&By::OPERATOR, &hash(1, 1), usage())
                    .await
                    .unwrap()
                    .unwrap()
                    .unwrap();
                acknowledge("spent", u64::from(left));
                if n % 32 == 0 {
                    let id = 1 + (round << 40 | caller << 20 | n);
                    store.insert_token(&By::OPERATOR, temporary(1, id, 1)).await.unwrap();
                    acknowledge("token", id);
                }
                if n == 0 && caller < 16 {
                    let id = round * 16 + caller;
                    assert!(store.insert_key(&By::OPERATOR, numbered_key(id)).await.unwrap());
                    acknowledge("key", id);
                }
            }
        });
    }
    callers.join_all().await;
}

/// A key pair of more numbers than a byte has.
fn numbered_key(n: u64) -> KeyRecord {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&n.to_le_bytes());
    KeyRecord { id: KeyId::Pair(id), ..key_pair(1, n as u8) }
}

/// Call `n`, by an attempt of token `n`.
fn numbered_call(n: u64) -> NewClaim {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&n.to_le_bytes());
    NewClaim { id: ReplayId::from_bytes(id), ..new_claim(1, n, 1) }
}

/// One write of one line, past the test harness.
fn acknowledge(what: &str, number: u64) {
    let line = format!("{what} {number}.\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}
