//! Durable uses of tokens: one commit for each, and commits that callers share.

use pqc_service::audit::Event;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pqc_core::token::TokenHash;
use pqc_service::By;
use pqc_service::tokens::MintRequest;
use tokio::task::JoinSet;

use crate::Extent;
use crate::ground::{Ground, Opened};

pub(crate) async fn measure(ground: &Ground, extent: Extent) {
    let opened = ground.open().await;
    let durability = ground.durability().await;
    let mut alone = 0.0;
    for callers in [1, 8, 64, 256] {
        let before = (opened.commits)();
        let (uses, per_second) = uses(&opened, callers, extent.time).await;
        let commits = (opened.commits)() - before;
        if callers == 1 {
            assert!(commits >= uses, "one commit for each use");
            alone = per_second;
        }
        println!(
            "{:?}: {callers} callers: {per_second:.0} uses/s, {:.1} times one commit a use \
             ({:.0} uses a commit; {durability})",
            ground.kind,
            per_second / alone,
            uses as f64 / commits as f64,
        );
    }
    let (_, last) = last_uses(&opened, 256, extent.time).await;
    println!("{:?}: 256 callers, tokens of one attempt: {last:.0} uses/s", ground.kind);
    opened.store.close().await;
}

/// Each caller uses its own token, over and over: how often all of them did, and how often a second.
pub(crate) async fn uses(opened: &Opened, callers: usize, time: Duration) -> (u64, f64) {
    let tokens = mint(opened, callers, 1_000_000).await;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for token in tokens {
        let store = Arc::clone(&opened.store);
        tasks.spawn(async move {
            let mut uses = 0;
            while begun.elapsed() < time {
                store.spend(&By::OPERATOR, &token, Event::done("sign")).await.unwrap().unwrap();
                uses += 1;
            }
            uses
        });
    }
    rate(tasks, begun).await
}

/// As [`uses`], of tokens that end with it.
async fn last_uses(opened: &Opened, callers: usize, time: Duration) -> (u64, f64) {
    let count = if time >= Duration::from_secs(1) { 100_000 } else { callers };
    let tokens = mint(opened, count, 1).await;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for some in tokens.chunks(count / callers) {
        let (store, some) = (Arc::clone(&opened.store), some.to_vec());
        tasks.spawn(async move {
            for token in &some {
                store.spend(&By::OPERATOR, token, Event::done("sign")).await.unwrap().unwrap();
            }
            some.len() as u64
        });
    }
    rate(tasks, begun).await
}

/// Mints from 64 callers: how many, and how many a second.
pub(crate) async fn mints(opened: &Opened, time: Duration) -> (u64, f64) {
    let account = opened.account().await;
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let service = Arc::clone(&opened.service);
        tasks.spawn(async move {
            let mut minted = 0;
            while begun.elapsed() < time {
                service.mint_for(&By::OPERATOR, account, MintRequest::default()).await.unwrap();
                minted += 1;
            }
            minted
        });
    }
    rate(tasks, begun).await
}

async fn rate(tasks: JoinSet<u64>, begun: Instant) -> (u64, f64) {
    let count: u64 = tasks.join_all().await.iter().sum();
    (count, count as f64 / begun.elapsed().as_secs_f64())
}

async fn mint(opened: &Opened, count: usize, attempts: u64) -> Vec<TokenHash> {
    let account = opened.account().await;
    let mut tasks = JoinSet::new();
    let callers = count.min(256);
    for caller in 0..callers {
        let service = Arc::clone(&opened.service);
        tasks.spawn(async move {
            let mut minted = Vec::new();
            for _ in (caller..count).step_by(callers) {
                let request = MintRequest { attempts: Some(attempts), ..MintRequest::default() };
                minted.push(
                    service.mint_for(&By::OPERATOR, account, request).await.unwrap().value.hash(),
                );
            }
            minted
        });
    }
    tasks.join_all().await.concat()
}
