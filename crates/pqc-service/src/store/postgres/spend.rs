//! Spending attempts: all that wait, in three statements.
//!
//! The rows are locked first, all in one order, so that two servers with the same tokens wait for
//! each other and never cross. Then they are read, in a statement of its own, which sees what was
//! committed while the locks were waited for: revocations, disabled accounts, and the time. The
//! core's policy answers each use in the order of its coming, and one statement writes what is
//! left.

use std::collections::HashMap;

use pqc_core::Timestamp;
use pqc_core::token::{self, Refusal, TokenHash, TokenState};
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::connect::{ANSWER_TIMEOUT, within};
use super::failure;
use crate::error::Error;
use crate::store::rows::{self, account_columns, millis, token_columns};
use crate::store::writer::{Failure, Spent};

/// Spends one attempt of each token, in this order: as many answers. The outer error leaves the
/// transaction in doubt.
pub(super) async fn each(
    connection: &mut PgConnection,
    tokens: &[TokenHash],
) -> Result<Vec<Result<Spent, Error>>, Failure> {
    let mut found = lock_and_read(connection, tokens).await.map_err(|error| failure(&error))?;
    let answers = tokens.iter().map(|hash| match found.get_mut(hash) {
        None => Ok(Err(Refusal::Unknown)),
        Some(Err(what)) => Err(Error::Corrupt { what }),
        Some(Ok(found)) => Ok(found.spend()),
    });
    let answers = answers.collect();
    write(connection, &found).await.map_err(|error| failure(&error))?;
    Ok(answers)
}

/// A token as it is now; `is_used` once an attempt was spent here.
struct Found {
    state: TokenState,
    now: Timestamp,
    is_used: bool,
}

impl Found {
    fn spend(&mut self) -> Spent {
        self.state = token::spend(&self.state, self.now)?;
        self.is_used = true;
        Ok(self.state.attempts_left)
    }
}

/// By hash; one whose row cannot be read by what that is called.
type ByHash = HashMap<TokenHash, Result<Found, &'static str>>;

async fn lock_and_read(
    connection: &mut PgConnection,
    tokens: &[TokenHash],
) -> Result<ByHash, sqlx::Error> {
    const LOCK: &str = "SELECT 1 FROM tokens WHERE hash = ANY($1) ORDER BY hash FOR NO KEY UPDATE";
    const READ: &str = concat!(
        "SELECT c.greatest, ",
        token_columns!(),
        ", ",
        account_columns!(),
        " FROM clock AS c, tokens AS t JOIN accounts AS a ON a.id = t.account \
         WHERE t.hash = ANY($1)"
    );
    let mut hashes: Vec<_> = tokens.iter().map(|hash| hash.as_bytes().as_slice()).collect();
    hashes.sort_unstable();
    hashes.dedup();
    within(ANSWER_TIMEOUT, sqlx::query(LOCK).bind(&hashes).execute(&mut *connection)).await?;
    let read = sqlx::query(READ).bind(&hashes).fetch_all(connection);
    let rows = within(ANSWER_TIMEOUT, read).await?;
    let by_hash = |row: &PgRow| Some((rows::token_hash(row).ok()?, self::found(row)));
    Ok(rows.iter().filter_map(by_hash).collect())
}

fn found(row: &PgRow) -> Result<Found, &'static str> {
    let read = || Ok((rows::token(row)?.state, rows::clock(row)?));
    match read() {
        Ok((state, now)) => Ok(Found { state, now, is_used: false }),
        Err(Error::Corrupt { what }) => Err(what),
        Err(_) => Err("a token's row"),
    }
}

async fn write(connection: &mut PgConnection, found: &ByHash) -> Result<(), sqlx::Error> {
    const WRITE: &str = "UPDATE tokens SET attempts_left = used.attempts_left, \
         last_used_at = used.at FROM unnest($1, $2, $3) AS used (hash, attempts_left, at) \
         WHERE tokens.hash = used.hash";
    let (mut hashes, mut left, mut at) = (Vec::new(), Vec::new(), Vec::new());
    for (hash, found) in found {
        if let Ok(Found { state, now, is_used: true }) = found {
            hashes.push(hash.as_bytes().as_slice());
            left.push(state.attempts_left.map(i64::from));
            at.push(millis(*now));
        }
    }
    if hashes.is_empty() {
        return Ok(());
    }
    let write = sqlx::query(WRITE).bind(hashes).bind(left).bind(at).execute(connection);
    within(ANSWER_TIMEOUT, write).await.map(drop)
}
