//! Several servers on one PostgreSQL: together they spend what was granted, and no more.

use crate::support::usage;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use pqc_core::token::Refusal;
use pqc_service::{By, PostgresStore, Store};
use sqlx::Executor;
use tokio::task::JoinSet;

use crate::ground::Database;
use crate::support::{add_account, attempts_left, hash, temporary};

const GRANTED: u32 = 100;
const CHILD: &str = "PQC_TEST_SERVER_CHILD";

/// Four stores on one database, with a token of [`GRANTED`] attempts.
async fn four() -> Option<(Database, Vec<Arc<PostgresStore>>)> {
    let database = Database::new().await?;
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(database.open().await);
    }
    add_account(&*stores[0], 1).await;
    stores[0].insert_token(&By::OPERATOR, temporary(1, 1, GRANTED)).await.unwrap();
    Some((database, stores))
}

/// What was left after each use that succeeded.
async fn spend_400(stores: &[Arc<PostgresStore>]) -> Vec<u32> {
    let mut uses = JoinSet::new();
    for n in 0..400 {
        let store = Arc::clone(&stores[n % stores.len()]);
        uses.spawn(async move { store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap() });
    }
    let answers = uses.join_all().await;
    let refused = answers.iter().filter(|answer| **answer == Err(Refusal::Spent)).count();
    let mut left: Vec<_> = answers.iter().filter_map(|answer| answer.ok()?).collect();
    assert_eq!(left.len() + refused, 400);
    left.sort_unstable();
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn of_400_uses_on_four_servers_exactly_as_many_succeed_as_were_granted() {
    let Some((_database, stores)) = four().await else { return };
    assert_eq!(spend_400(&stores).await, (0..GRANTED).collect::<Vec<_>>());
    assert_eq!(attempts_left(&*stores[0], &hash(1, 1)).await, Some(0));
    assert!(stores.iter().all(|store| store.commits() > 0), "each had its part");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_one_server_killed_in_the_middle_no_more_succeed_than_were_granted() {
    for _ in 0..3 {
        let Some((database, stores)) = four().await else { return };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["many_servers::the_server_that_is_killed", "--exact", "--nocapture"])
            .env(CHILD, database.url())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut left: Vec<u32> = Vec::new();
        let spent = |line: String| -> Option<u32> {
            line.strip_prefix("spent ")?.strip_suffix('.')?.parse().ok()
        };
        left.extend(lines.by_ref().find_map(spent));
        let others = tokio::spawn(async move { spend_400(&stores[1..]).await });
        left.extend(lines.by_ref().filter_map(spent).take(3));
        child.kill().unwrap();
        child.wait().unwrap();
        left.extend(lines.filter_map(spent));
        let by_the_killed = left.len();
        left.extend(others.await.unwrap());
        left.sort_unstable();
        let count = left.len();
        left.dedup();
        assert_eq!(left.len(), count, "an attempt was spent twice");
        assert!(by_the_killed > 0 && count <= GRANTED as usize, "{by_the_killed} and {count}");
        // What the killed one had in its hands is spent, or was left for the others.
        assert!(count >= (GRANTED - IN_HANDS) as usize, "{count}");
    }
}

const IN_HANDS: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn the_server_that_is_killed() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let store = Arc::new(PostgresStore::open(&url).await.unwrap());
    let mut callers = JoinSet::new();
    for _ in 0..IN_HANDS {
        let store = Arc::clone(&store);
        callers.spawn(async move {
            while let Ok(Some(left)) =
                store.spend(&By::OPERATOR, &hash(1, 1), usage()).await.unwrap()
            {
                let line = format!("spent {left}.\n");
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    callers.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_with_the_same_tokens_in_any_order_do_not_get_stuck() {
    let Some((database, stores)) = four().await else { return };
    for n in 2..=40 {
        stores[0].insert_token(&By::OPERATOR, temporary(1, n, 1000)).await.unwrap();
    }
    let mut callers = JoinSet::new();
    for caller in 0..160_u64 {
        let store = Arc::clone(&stores[caller as usize % 4]);
        callers.spawn(async move {
            for step in 0..20 {
                // Each server comes by the tokens in another order.
                let n = 2 + (caller * 7 + step * [1, 11, 17, 38][caller as usize % 4]) % 39;
                store.spend(&By::OPERATOR, &hash(1, n), usage()).await.unwrap().unwrap();
            }
        });
    }
    callers.join_all().await;
    let mut raw = database.raw().await;
    raw.execute("SELECT pg_stat_force_next_flush()").await.unwrap();
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks: i64 = sqlx::query_scalar(sql).fetch_one(&mut raw).await.unwrap();
    assert_eq!(deadlocks, 0);
}
