//! Many stored keys without making them: rows as long as those of ML-KEM-768 pairs, which no key
//! opens, beside those that a store of the server has.

use std::path::Path;

use anyhow::ensure;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// Fills in so many rows. The store has one pair at least, and no server.
///
/// # Errors
/// SQLite's; there is no pair to go by.
pub(crate) async fn keys(file: &Path, count: u64) -> anyhow::Result<()> {
    let mut database = SqliteConnectOptions::new().filename(file).connect().await?;
    let mut left = count;
    while left > 0 {
        let some = left.min(AT_ONCE);
        let sql = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {some}) \
             INSERT INTO keys (account, id, kind, algorithm, public_key, attestation, sealed, \
             created_at) SELECT account, randomblob(32), kind, algorithm, \
             randomblob(length(public_key)), randomblob(length(attestation)), \
             CAST(substr(sealed, 1, 6) || randomblob(length(sealed) - 6) AS BLOB), created_at + i \
             FROM n, (SELECT * FROM keys WHERE version IS NULL LIMIT 1)"
        );
        let filled = database.execute(AssertSqlSafe(sql)).await?.rows_affected();
        ensure!(filled == some, "the store has no pair to go by");
        left -= some;
    }
    database.execute("ANALYZE keys").await?;
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    database.close().await?;
    Ok(())
}

const AT_ONCE: u64 = 50_000;
