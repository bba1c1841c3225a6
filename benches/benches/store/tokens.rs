//! A store with a million records of tokens beside one with none.

use std::time::Instant;

use pqc_core::TokenId;

use crate::ground::Ground;
use crate::{Extent, latency, program, uses};

pub(crate) async fn measure(ground: &Ground, extent: Extent) {
    let opened = ground.open().await;
    // Warm, so that the first figure is not that of a cold start.
    uses::uses(&opened, 64, extent.time / 4).await;
    let (_, uses_empty) = uses::uses(&opened, 64, extent.time).await;
    let (_, mints_empty) = uses::mints(&opened, extent.time).await;
    let bytes = ground.bytes().await;
    let begun = Instant::now();
    fill(ground, &hex::encode(opened.account().await.as_bytes()), extent.many).await;
    println!("{:?}: {} records in {:?}", ground.kind, extent.many, begun.elapsed());
    let per_record = (ground.bytes().await - bytes) / i64::try_from(extent.many).unwrap();
    uses::uses(&opened, 64, extent.time / 4).await;
    let (_, uses_full) = uses::uses(&opened, 64, extent.time).await;
    let (_, mints_full) = uses::mints(&opened, extent.time).await;
    println!(
        "{:?}: with {} records, half of them ended: {uses_full:.0} uses/s ({:.2} of {uses_empty:.0} \
         without), {mints_full:.0} mints/s ({:.2} of {mints_empty:.0}); {per_record} bytes a record",
        ground.kind,
        extent.many,
        uses_full / uses_empty,
        mints_full / mints_empty,
    );

    let account = opened.account().await;
    let mut after = None;
    let (median, greatest) = latency(50, async |n| {
        if n == 25 {
            // From the middle on.
            after = Some(TokenId::from_bytes([0x7f; 16]));
        }
        let page = opened.store.tokens(account, after, 500).await.unwrap();
        after = page.last().map(|token| token.id);
    })
    .await;
    println!("{:?}: a page of 500: median {median:?}, at most {greatest:?}", ground.kind);
    let (median, _) = latency(5, async |_| {
        let now = opened.store.now().await.unwrap();
        opened.store.live_tokens(account, now, 100_000).await.unwrap()
    })
    .await;
    println!("{:?}: a count of 100,000 live tokens: median {median:?}", ground.kind);
    if let Some(list) = program::verb(ground, &["token", "list", "--limit", "500"]) {
        let (median, greatest) = latency(21, async |_| list()).await;
        println!(
            "{:?}: pqc token list --limit 500, the whole process: median {median:?}, at most \
             {greatest:?}",
            ground.kind
        );
    }

    let begun = Instant::now();
    let mut removed = 0;
    // What ended while this ran is not a minute old.
    loop {
        let round = opened.service.housekeeping_step().await.unwrap();
        removed += round.tokens_removed;
        if round.is_done {
            break;
        }
    }
    let rate = removed as f64 / begun.elapsed().as_secs_f64();
    println!("{:?}: {removed} removed in {:?} ({rate:.0}/s)", ground.kind, begun.elapsed());
    opened.store.close().await;
}

/// Rows of the account: every second one lives for a day yet, the others ended an hour ago.
async fn fill(ground: &Ground, account: &str, count: u64) {
    let columns = "INSERT INTO tokens (account, id, hash, kind, operations, created_at, \
         expires_at, attempts, attempts_left)";
    let values = "'temporary', 127, c.now - 7200000, \
         c.now + CASE i % 2 WHEN 0 THEN 86400000 ELSE -3600000 END, 1, 1";
    let sqlite = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
         {columns} SELECT x'{account}', randomblob(16), randomblob(32), {values} \
         FROM n, (SELECT greatest AS now FROM clock) AS c"
    );
    let postgres = format!(
        "{columns} SELECT '\\x{account}', uuid_send(gen_random_uuid()), sha256(i::text::bytea), \
         {values} FROM generate_series(1, {count}) AS i, (SELECT greatest AS now FROM clock) AS c; \
         ANALYZE tokens"
    );
    ground.execute(&sqlite, &postgres).await;
}
