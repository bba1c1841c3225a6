//! A store that was in use for a year: many stored keys, and calls on each of its days. It is
//! filled in SQL: but for the first, the keys are copies, which nothing opens.

use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection, Executor};

use super::{Folder, Server, block_on};
use crate::store_unavailable::open;

/// How many keys are in the store of [`large`].
pub(crate) const LARGE: usize = 100_000;

/// A server on a store of so many keys, for all tests that change none of them; and the id of the key
/// that is no copy.
pub(crate) fn large() -> (&'static Server, &'static str) {
    static LARGE_ONE: OnceLock<(Server, String)> = OnceLock::new();
    // As the one that is shared, it ends with the tests.
    let (server, key_id) = LARGE_ONE.get_or_init(|| {
        let (folder, key_id) = in_use_for_a_year(LARGE);
        (folder.serve_with("--log warn"), key_id)
    });
    (server, key_id)
}

/// A store in which the account `default` has `keys` key pairs, two at least, made over the year
/// until now, and the usage of that year: ten operations under five labels on each day. With the id of
/// the key that is no copy, the newest.
pub(crate) fn in_use_for_a_year(keys: usize) -> (Folder, String) {
    let folder = Folder::new();
    let server = folder.serve_with("--log warn");
    let key_id = server.root().generate().key_id;
    server.stop();

    let copies = keys - 1;
    let copy = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies}) \
         INSERT INTO keys (account, id, kind, algorithm, public_key, attestation, sealed, \
         created_at) SELECT account, randomblob(32), kind, algorithm, public_key, attestation, \
         sealed, created_at - i * (31536000000 / {keys}) \
         FROM n, (SELECT * FROM keys WHERE version IS NULL LIMIT 1)"
    );
    block_on(async {
        let mut store = open(&folder.file("pqc.db")).await;
        for sql in BEFORE {
            store.execute(sql).await.unwrap();
        }
        let copied = store.execute(AssertSqlSafe(copy)).await.unwrap().rows_affected();
        assert_eq!(copied, copies as u64);
        for sql in AFTER {
            store.execute(sql).await.unwrap();
        }
        store.close().await.unwrap();
    });
    (folder, key_id)
}

/// Without a journal: half a gigabyte is written once, and what fails is thrown away.
const BEFORE: [&str; 4] = [
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "BEGIN",
];

const AFTER: [&str; 5] = [
    // Two of three keys were used, sometime after they were made.
    "INSERT INTO key_uses (account, key, uses, last_used_at) \
     SELECT account, id, 1 + seq * 7 % 400, \
     created_at + (unixepoch() * 1000 - created_at) / (1 + seq % 5) \
     FROM keys WHERE kind = 'kem' AND seq % 3 > 0",
    // More from month to month, less on Saturdays and Sundays; one of 50 calls fails.
    "WITH RECURSIVE days (i, day) AS (SELECT 0, date('now') UNION ALL \
     SELECT i + 1, date('now', '-' || (i + 1) || ' days') FROM days WHERE i < 364), \
     operations (place, operation, often) AS (VALUES (1, 'kem.generate', 6), \
     (2, 'kem.encapsulate', 30), (3, 'kem.decapsulate', 28), (4, 'aes.encrypt', 40), \
     (5, 'aes.decrypt', 36), (6, 'sign', 14), (7, 'verify', 22), (8, 'v1.verify', 12), \
     (9, 'v1.kem.generate', 4), (10, 'v1.sign', 9)), \
     labels (place, label, share) AS (VALUES (1, NULL, 2), (2, 'checkout service', 9), \
     (3, 'mobile app', 6), (4, 'nightly backup', 1), (5, 'partner gateway', 3)), \
     counts AS (SELECT day, operation, label, printf('%016d', labels.place) AS token, \
     max(1, often * share * (730 - i) * (60 + (i * 37 + operations.place * 11 + labels.place * 23) \
     % 41) / 73000 / CASE WHEN strftime('%w', day) IN ('0', '6') THEN 4 ELSE 1 END) AS calls \
     FROM days, operations, labels) \
     INSERT INTO usage (account, day, token, operation, counter, label, calls, failed) \
     SELECT accounts.id, day, CAST(token AS BLOB), operation, zeroblob(16), label, calls, \
     calls / 50 FROM accounts, counts WHERE accounts.name = 'default'",
    "INSERT INTO usage_days (account, day, operation, label, counter, calls, failed) \
     SELECT account, day, operation, coalesce(label, ''), counter, calls, failed FROM usage \
     WHERE counter = zeroblob(16)",
    "COMMIT",
    "PRAGMA journal_mode = WAL",
];
