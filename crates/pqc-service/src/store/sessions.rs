//! The statements about sessions.

use pqc_core::session::SessionHash;
use pqc_core::{AccountId, Timestamp};

use super::change::is_root_in_force;
use super::rows::{self, account_columns, millis, token_columns};
use super::sql::{Reads, Writes, bytes, integer};
use super::writer::Failure;
use super::{AccountRecord, SessionRecord, TokenRecord};
use crate::error::Error;

/// How many sessions an account may have at a time; a further one ends the oldest.
pub const MOST_SESSIONS: u32 = 100;

pub(super) async fn find(
    db: &impl Reads,
    hash: &SessionHash,
) -> Result<Option<(SessionRecord, TokenRecord, AccountRecord)>, Error> {
    const SQL: &str = concat!(
        "SELECT s.created_at AS s_created_at, s.expires_at AS s_expires_at, ",
        token_columns!(),
        ", ",
        account_columns!(),
        " FROM sessions AS s JOIN tokens AS t ON t.account = s.account AND t.id = s.token \
         JOIN accounts AS a ON a.id = s.account WHERE s.hash = $1"
    );
    let rows = db.fetch(SQL, &[bytes(hash.as_bytes())]).await?;
    let found = rows.first().map(|row| {
        let (token, account) = (rows::token(row)?, rows::account(row)?);
        Ok((rows::session(row, *hash, &token)?, token, account))
    });
    found.transpose()
}

/// Whether there is one that ended at `before` or earlier.
pub(super) async fn has_ended(db: &impl Reads, before: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM sessions WHERE expires_at <= $1 LIMIT 1";
    Ok(!db.fetch(sql, &[integer(millis(before))]).await?.is_empty())
}

pub(super) async fn begin<W: Writes>(db: &mut W, session: &SessionRecord) -> Result<u64, Failure> {
    let SessionRecord { hash, account, token, created_at, expires_at } = session;
    if W::SHARED {
        // In the order of who replaces a root token: first its account.
        let sql = "SELECT 1 FROM accounts WHERE id = $1 FOR SHARE";
        db.fetch(sql, &[bytes(account.as_bytes())]).await?;
    }
    // Before it is looked at: who read the row to change it later would be in the way of another.
    let used = [bytes(account.as_bytes()), bytes(token.as_bytes()), integer(millis(*created_at))];
    let sql = "UPDATE tokens SET last_used_at = $3 WHERE account = $1 AND id = $2";
    db.execute(sql, &used).await?;
    if !is_root_in_force(db, *account, *token).await? {
        return Ok(0);
    }
    let oldest = [bytes(account.as_bytes()), integer(EVERY), integer(MOST_SESSIONS - 1)];
    db.execute(
        "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions WHERE account = $1 \
         ORDER BY created_at DESC, hash LIMIT $2 OFFSET $3)",
        &oldest,
    )
    .await?;
    let args = [
        bytes(hash.as_bytes()),
        bytes(account.as_bytes()),
        bytes(token.as_bytes()),
        integer(millis(*created_at)),
        integer(millis(*expires_at)),
    ];
    db.execute(
        "INSERT INTO sessions (hash, account, token, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        &args,
    )
    .await
}

pub(super) async fn end(
    db: &mut impl Writes,
    account: AccountId,
    hash: &SessionHash,
) -> Result<u64, Failure> {
    let args = [bytes(account.as_bytes()), bytes(hash.as_bytes())];
    db.execute("DELETE FROM sessions WHERE account = $1 AND hash = $2", &args).await
}

/// After the change that they end with: who begins one now holds the rows of its account and of its
/// root token until it is there.
pub(super) async fn end_of_account(
    db: &mut impl Writes,
    account: AccountId,
) -> Result<u64, Failure> {
    db.execute("DELETE FROM sessions WHERE account = $1", &[bytes(account.as_bytes())]).await
}

pub(super) async fn remove_ended(
    db: &mut impl Writes,
    before: Timestamp,
    limit: u32,
) -> Result<u64, Failure> {
    db.execute(
        "DELETE FROM sessions WHERE hash IN \
         (SELECT hash FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
        &[integer(millis(before)), integer(limit)],
    )
    .await
}

/// One database knows no OFFSET without a LIMIT.
const EVERY: i64 = i64::MAX;
