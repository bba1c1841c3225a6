//! Spending attempts: one atomic `UPDATE` for each, many to a trip.
//!
//! The `UPDATE` decides and takes the attempt in one step. Only where it did nothing is the
//! token's row read, to have the reason from the core's policy; it is the same transaction, so
//! that nothing can have changed between the two.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use pqc_core::Timestamp;
use pqc_core::token::{self, Refusal, TokenHash};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::failure;
use crate::error::Error;
use crate::store::read;
use crate::store::rows::{self, millis};
use crate::store::sql::{Writes, bytes};
use crate::store::writer::{Failure, Spent};

/// Spends one attempt of each token, in this order: as many answers. The outer error leaves the
/// transaction in doubt.
pub(super) async fn each(
    connection: &mut SqliteConnection,
    tokens: &[TokenHash],
    now: Timestamp,
) -> Result<Vec<Result<Spent, Error>>, Failure> {
    let mut answers = Vec::with_capacity(tokens.len());
    for some in tokens.chunks(MOST_AT_ONCE) {
        let spent = at_once(connection, some, now).await.map_err(|error| failure(&error))?;
        for (hash, left) in some.iter().zip(spent) {
            answers.push(match left {
                Some(left) => left.map(Ok),
                None => {
                    let row = connection.fetch(read::TOKEN, &[bytes(hash.as_bytes())]).await?;
                    refusal(row.first(), now).map(Err)
                }
            });
        }
    }
    Ok(answers)
}

/// What was left of each token's attempts; `None` where none was spent.
async fn at_once(
    connection: &mut SqliteConnection,
    tokens: &[TokenHash],
    now: Timestamp,
) -> Result<Vec<Option<Result<Option<u32>, Error>>>, sqlx::Error> {
    let mut query = sqlx::query(AssertSqlSafe(statements_for(tokens.len()))).bind(millis(now));
    for hash in tokens {
        query = query.bind(hash.as_bytes().as_slice());
    }
    let mut left: Vec<_> = tokens.iter().map(|_| None).collect();
    for row in query.fetch_all(connection).await? {
        let place = rows::place(&row).ok().and_then(|place| left.get_mut(place));
        if let Some(place) = place {
            *place = Some(rows::attempts_left(&row));
        }
    }
    Ok(left)
}

/// Why no attempt was spent of the token in this row.
fn refusal(row: Option<&SqliteRow>, now: Timestamp) -> Result<Refusal, Error> {
    let Some(row) = row else { return Ok(Refusal::Unknown) };
    match token::spend(&rows::token(row)?.state, now) {
        Err(refusal) => Ok(refusal),
        // The policy admits what the statement did not: its columns are no state of a token.
        Ok(_) => Err(Error::Corrupt { what: "a token's row" }),
    }
}

/// The statement, at least `count` times: `$1` is the time, `$2` and on are the hashes. A hash
/// that is not given is NULL and finds no row.
fn statements_for(count: usize) -> Arc<str> {
    let fitting = STATEMENTS.iter().find(|(times, _)| *times >= count);
    fitting.map_or_else(|| repeated(count), |(_, sql)| Arc::clone(sql))
}

/// A few sizes only, so that SQLite parses each once.
static STATEMENTS: LazyLock<[(usize, Arc<str>); 4]> =
    LazyLock::new(|| [1, 4, 16, MOST_AT_ONCE].map(|times| (times, repeated(times))));

fn repeated(times: usize) -> Arc<str> {
    let mut sql = String::new();
    for place in 0..times {
        let hash = place.saturating_add(2);
        // Writing to a string does not fail.
        let _ = write!(
            sql,
            "UPDATE tokens SET attempts_left = attempts_left - 1, last_used_at = $1 \
             WHERE hash = ${hash} AND revoked_at IS NULL \
             AND (expires_at IS NULL OR expires_at > $1) \
             AND (attempts_left IS NULL OR attempts_left > 0) \
             AND EXISTS (SELECT 1 FROM accounts WHERE id = tokens.account AND disabled = 0) \
             RETURNING {place} AS place, attempts_left;"
        );
    }
    sql.into()
}

/// Large enough that the trips to SQLite's thread cost little, small enough to be prepared once.
const MOST_AT_ONCE: usize = 64;
