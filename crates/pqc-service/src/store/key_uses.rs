//! The statements about how often keys were used.

use std::sync::LazyLock;

use pqc_core::Timestamp;

use super::bulk::Insert;
use super::rows::millis;
use super::sql::{Arg, Writes, bytes, integer};
use super::writer::Failure;
use crate::usage::KeyUse;

/// Adds them to those there are. Of servers that do it at the same time, each takes the rows in the
/// same order, so that none waits for another that waits for it.
pub(super) async fn add(db: &mut impl Writes, uses: &[KeyUse]) -> Result<u64, Failure> {
    let mut uses: Vec<_> = uses.iter().collect();
    uses.sort_unstable_by_key(|one| (one.account.as_bytes(), one.key.as_bytes()));
    INSERT.rows(db, &uses, |one| values(one)).await
}

/// Removes those of keys that are about to be removed: `limit` of what was destroyed at `until` or
/// before.
pub(super) async fn remove_with_keys(
    db: &mut impl Writes,
    until: Timestamp,
    limit: u32,
) -> Result<(), Failure> {
    db.execute(
        "DELETE FROM key_uses WHERE (account, key) IN (SELECT account, id FROM keys \
         WHERE destroyed_at <= $1 ORDER BY destroyed_at, seq LIMIT $2)",
        &[integer(millis(until)), integer(limit)],
    )
    .await
    .map(drop)
}

fn values(one: &KeyUse) -> Vec<Arg<'_>> {
    vec![
        bytes(one.account.as_bytes()),
        bytes(one.key.as_bytes()),
        integer(i64::try_from(one.uses).unwrap_or(i64::MAX)),
        integer(millis(one.last_used_at)),
    ]
}

static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO key_uses (account, key, uses, last_used_at)",
        4,
        "ON CONFLICT (account, key) DO UPDATE SET uses = key_uses.uses + excluded.uses, \
         last_used_at = CASE WHEN excluded.last_used_at > key_uses.last_used_at \
         THEN excluded.last_used_at ELSE key_uses.last_used_at END",
    )
});
