//! What is read: one statement each, scoped by account where there is one.

use pqc_core::audit::{ChainHead, ChainId, Checkpoint, Entry};
use pqc_core::replay::ReplayId;
use pqc_core::seal::RecordKind;
use pqc_core::token::TokenHash;
use pqc_core::{AccountId, KeyId, Timestamp, TokenId, VerifyingKey};

use super::rows::{self, account_columns, key_columns, millis, select_key_info, token_columns};
use super::sql::{Arg, Reads, bytes, integer, text};
use super::writer::Failure;
use crate::error::Error;
use crate::store::{AccountRecord, KeyInfo, KeyRecord, MasterKeyRecord, NumberedKey, TokenRecord};
use crate::usage::{UsageBy, UsagePlace, UsageQuery, UsageSum};

pub(super) async fn clock(db: &impl Reads) -> Result<Timestamp, Error> {
    let rows = db.fetch("SELECT greatest FROM clock WHERE id = 1", &[]).await?;
    rows::clock(rows.first().ok_or(NO_CLOCK)?)
}

pub(super) async fn master_keys(db: &impl Reads) -> Result<Vec<MasterKeyRecord>, Error> {
    let sql = "SELECT version, check_value, created_at, superseded_at, wrapped, derivation \
         FROM master_keys ORDER BY version";
    db.fetch(sql, &[]).await?.iter().map(rows::master_key).collect()
}

pub(super) async fn keys_under(
    db: &impl Reads,
    master_version: u32,
    after: u64,
    limit: u32,
) -> Result<Vec<NumberedKey>, Error> {
    const SQL: &str = concat!(
        "SELECT seq, ",
        key_columns!(),
        " FROM keys WHERE substr(sealed, 3, 4) = $1 AND seq > $2 ORDER BY seq LIMIT $3"
    );
    let after = place(after);
    let version = master_version.to_be_bytes();
    let args = [bytes(&version), integer(after), integer(limit)];
    let rows = db.fetch(SQL, &args).await?;
    rows.iter().map(|row| Ok((rows::number_of_key(row)?, rows::key(row)))).collect()
}

pub(super) async fn keys_by_master_key(db: &impl Reads) -> Result<Vec<(u32, u64)>, Error> {
    let sql = "SELECT substr(sealed, 3, 4) AS master, count(*) AS count FROM keys \
         GROUP BY substr(sealed, 3, 4) ORDER BY substr(sealed, 3, 4)";
    db.fetch(sql, &[]).await?.iter().map(rows::keys_of_master_key).collect()
}

pub(super) async fn accounts(db: &impl Reads) -> Result<Vec<AccountRecord>, Error> {
    const SQL: &str = concat!("SELECT ", account_columns!(), " FROM accounts AS a ORDER BY a.seq");
    db.fetch(SQL, &[]).await?.iter().map(rows::account).collect()
}

pub(super) async fn account_by_name(
    db: &impl Reads,
    name: &str,
) -> Result<Option<AccountRecord>, Error> {
    const SQL: &str =
        concat!("SELECT ", account_columns!(), " FROM accounts AS a WHERE a.name = $1");
    db.fetch(SQL, &[text(name)]).await?.first().map(rows::account).transpose()
}

pub(super) async fn token_by_hash(
    db: &impl Reads,
    hash: &TokenHash,
) -> Result<Option<(TokenRecord, AccountRecord)>, Error> {
    let rows = db.fetch(TOKEN, &[bytes(hash.as_bytes())]).await?;
    rows.first().map(|row| Ok((rows::token(row)?, rows::account(row)?))).transpose()
}

/// A token with its account, or why its rows can't be read.
type FoundToken = Result<(TokenRecord, AccountRecord), Failure>;

/// The clock, and those of up to [`MOST_TOKENS`] tokens that there are, in one statement: the clock's
/// row is always there.
pub(super) async fn clock_and_tokens(
    db: &impl Reads,
    hashes: &[TokenHash],
) -> Result<(Timestamp, Vec<(TokenHash, FoundToken)>), Failure> {
    macro_rules! sql {
        ($places:literal) => {
            concat!(
                "SELECT c.greatest, ",
                token_columns!(),
                ", ",
                account_columns!(),
                " FROM clock AS c LEFT JOIN tokens AS t ON t.hash IN (",
                $places,
                ") LEFT JOIN accounts AS a ON a.id = t.account WHERE c.id = 1"
            )
        };
    }
    // Few forms, so that each is prepared once; places that are left over repeat the first hash.
    const ONE: &str = sql!("$1");
    const FOUR: &str = sql!("$1, $2, $3, $4");
    const MOST: &str =
        sql!("$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16");
    let (sql, places) = match hashes.len() {
        0 | 1 => (ONE, 1),
        2..=4 => (FOUR, 4),
        _ => (MOST, MOST_TOKENS),
    };
    let first = hashes.first().into_iter().cycle();
    let args = hashes.iter().chain(first).take(places).map(|hash| bytes(hash.as_bytes()));
    let rows = db.fetch_few(sql, &args.collect::<Vec<_>>()).await?;
    let clock = rows.first().ok_or(NO_CLOCK).and_then(rows::clock).map_err(unreadable)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        if rows::has_token(row).map_err(unreadable)? {
            let hash = rows::token_hash(row).map_err(unreadable)?;
            let token = || Ok((rows::token(row)?, rows::account(row)?));
            found.push((hash, token().map_err(unreadable)));
        }
    }
    Ok((clock, found))
}

fn unreadable(error: Error) -> Failure {
    match error {
        Error::Corrupt { what } => Failure::Corrupt(what),
        other => Failure::Unavailable(other.to_string()),
    }
}

/// The most tokens that [`clock_and_tokens`] looks up.
pub(super) const MOST_TOKENS: usize = 16;

pub(super) async fn tokens(
    db: &impl Reads,
    account: AccountId,
    after: Option<TokenId>,
    limit: u32,
) -> Result<Vec<TokenRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        token_columns!(),
        " FROM tokens AS t JOIN accounts AS a ON a.id = t.account \
         WHERE t.account = $1 AND t.id > $2 ORDER BY t.id LIMIT $3"
    );
    // The empty string comes before every id.
    let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
    let args = [bytes(account.as_bytes()), bytes(after), integer(limit)];
    db.fetch(SQL, &args).await?.iter().map(rows::token).collect()
}

pub(super) async fn newest_tokens(
    db: &impl Reads,
    account: AccountId,
    before: Option<TokenId>,
    limit: u32,
) -> Result<Vec<TokenRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        token_columns!(),
        " FROM tokens AS t JOIN accounts AS a ON a.id = t.account \
         WHERE t.account = $1 AND t.id < $2 ORDER BY t.id DESC LIMIT $3"
    );
    // After every id.
    const END: [u8; TokenId::BYTES + 1] = [0xff; TokenId::BYTES + 1];
    let before = before.as_ref().map_or(&END[..], |id| id.as_bytes());
    let args = [bytes(account.as_bytes()), bytes(before), integer(limit)];
    db.fetch(SQL, &args).await?.iter().map(rows::token).collect()
}

/// Counts no further than it must; over the index by the tokens' end, in which a root token in force
/// has no place.
pub(super) async fn live_tokens(
    db: &impl Reads,
    account: AccountId,
    now: Timestamp,
    at_most: u64,
) -> Result<u64, Error> {
    let sql = "SELECT count(*) AS count FROM \
         (SELECT 1 FROM tokens WHERE account = $1 AND over_at > $2 LIMIT $3) AS live";
    count_living(db, sql, account, now, at_most).await
}

pub(super) async fn begun_call(
    db: &impl Reads,
    id: &ReplayId,
    now: Timestamp,
) -> Result<Option<(TokenId, AccountRecord)>, Error> {
    const SQL: &str = concat!(
        "SELECT r.token, ",
        account_columns!(),
        " FROM replays AS r JOIN accounts AS a ON a.id = r.account \
         WHERE r.id = $1 AND r.expires_at > $2"
    );
    let args = [bytes(id.as_bytes()), integer(millis(now))];
    let rows = db.fetch(SQL, &args).await?;
    rows.first().map(|row| Ok((rows::token_of_call(row)?, rows::account(row)?))).transpose()
}

pub(super) async fn kept_answers(
    db: &impl Reads,
    account: AccountId,
    now: Timestamp,
    at_most: u64,
) -> Result<u64, Error> {
    let sql = "SELECT count(*) AS count FROM \
         (SELECT 1 FROM replays WHERE account = $1 AND expires_at > $2 LIMIT $3) AS kept";
    count_living(db, sql, account, now, at_most).await
}

/// What of an account (`$1`) is not over at a time (`$2`), as far as it must be counted (`$3`).
async fn count_living(
    db: &impl Reads,
    sql: &'static str,
    account: AccountId,
    now: Timestamp,
    at_most: u64,
) -> Result<u64, Error> {
    let args = [bytes(account.as_bytes()), integer(millis(now)), most(at_most)];
    rows::count(db.fetch(sql, &args).await?.first().ok_or(NO_COUNT)?)
}

/// Whether there is an answer that ended at `before` or earlier.
pub(super) async fn has_ended_answer(db: &impl Reads, before: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM replays WHERE expires_at <= $1 LIMIT 1";
    Ok(!db.fetch(sql, &[integer(millis(before))]).await?.is_empty())
}

/// One look into the index for each account, whatever else it holds.
pub(super) async fn accounts_with_ended_tokens(
    db: &impl Reads,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<AccountId>, Error> {
    let sql = "SELECT a.id FROM accounts AS a WHERE (SELECT t.over_at FROM tokens AS t \
         WHERE t.account = a.id AND t.over_at <= $1 ORDER BY t.over_at LIMIT 1) IS NOT NULL \
         ORDER BY a.seq LIMIT $2";
    let args = [integer(rows::millis(before)), integer(limit)];
    db.fetch(sql, &args).await?.iter().map(rows::account_id).collect()
}

pub(super) async fn stored_keys(
    db: &impl Reads,
    account: AccountId,
    at_most: u64,
) -> Result<u64, Error> {
    let sql = "SELECT count(*) AS count FROM \
         (SELECT 1 FROM keys WHERE account = $1 LIMIT $2) AS stored";
    let args = [bytes(account.as_bytes()), most(at_most)];
    rows::count(db.fetch(sql, &args).await?.first().ok_or(NO_COUNT)?)
}

fn most(count: u64) -> Arg<'static> {
    integer(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(super) async fn key(
    db: &impl Reads,
    account: AccountId,
    id: &KeyId,
) -> Result<Option<KeyRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM keys WHERE account = $1 AND id = $2 AND destroyed_at IS NULL"
    );
    let args = [bytes(account.as_bytes()), bytes(id.as_bytes())];
    db.fetch_few(SQL, &args).await?.first().map(rows::key).transpose()
}

pub(super) async fn current_key(
    db: &impl Reads,
    account: AccountId,
    kind: RecordKind,
    algorithm: &str,
) -> Result<Option<KeyRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM keys WHERE account = $1 AND kind = $2 AND algorithm = $3 \
         AND version IS NOT NULL AND retired_at IS NULL AND destroyed_at IS NULL \
         ORDER BY version DESC LIMIT 1"
    );
    let args = [bytes(account.as_bytes()), text(kind.name()), text(algorithm)];
    db.fetch_few(SQL, &args).await?.first().map(rows::key).transpose()
}

pub(super) async fn key_versions(
    db: &impl Reads,
    account: AccountId,
    kind: RecordKind,
) -> Result<Vec<KeyRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM keys WHERE account = $1 AND kind = $2 AND version IS NOT NULL \
         AND destroyed_at IS NULL ORDER BY created_at DESC, version DESC, seq DESC"
    );
    let args = [bytes(account.as_bytes()), text(kind.name())];
    db.fetch(SQL, &args).await?.iter().map(rows::key).collect()
}

pub(super) async fn newest_version(
    db: &impl Reads,
    account: AccountId,
    kind: RecordKind,
    algorithm: &str,
) -> Result<Option<u32>, Error> {
    let sql = "SELECT max(version) AS version FROM keys \
         WHERE account = $1 AND kind = $2 AND algorithm = $3 AND version IS NOT NULL";
    let args = [bytes(account.as_bytes()), text(kind.name()), text(algorithm)];
    let rows = db.fetch(sql, &args).await?;
    rows.first().map_or(Ok(None), rows::version)
}

pub(super) async fn keys(
    db: &impl Reads,
    account: AccountId,
    after: Option<(Timestamp, KeyId)>,
    limit: u32,
) -> Result<Vec<KeyInfo>, Error> {
    const SQL: &str = concat!(
        select_key_info!(),
        " WHERE k.account = $1 AND (k.created_at, k.id) > ($2, $3) \
         ORDER BY k.created_at, k.id LIMIT $4"
    );
    // Before every time, and the empty string before every id.
    let (time, id) = match &after {
        Some((time, id)) => (millis(*time), id.as_bytes()),
        None => (-1, &[][..]),
    };
    let args = [bytes(account.as_bytes()), integer(time), bytes(id), integer(limit)];
    db.fetch(SQL, &args).await?.iter().map(rows::key_info).collect()
}

pub(super) async fn newest_keys(
    db: &impl Reads,
    account: AccountId,
    before: Option<(Timestamp, KeyId)>,
    limit: u32,
) -> Result<Vec<KeyInfo>, Error> {
    const SQL: &str = concat!(
        select_key_info!(),
        " WHERE k.account = $1 AND (k.created_at, k.id) < ($2, $3) \
         ORDER BY k.created_at DESC, k.id DESC LIMIT $4"
    );
    // After every time.
    let (time, id) = match &before {
        Some((time, id)) => (millis(*time), id.as_bytes()),
        None => (i64::MAX, &[][..]),
    };
    let args = [bytes(account.as_bytes()), integer(time), bytes(id), integer(limit)];
    db.fetch(SQL, &args).await?.iter().map(rows::key_info).collect()
}

/// In the order of their ids, which have an index with the account's.
pub(super) async fn keys_between(
    db: &impl Reads,
    account: AccountId,
    first: &[u8],
    last: &[u8],
    limit: u32,
) -> Result<Vec<KeyInfo>, Error> {
    const SQL: &str = concat!(
        select_key_info!(),
        " WHERE k.account = $1 AND k.id BETWEEN $2 AND $3 ORDER BY k.id LIMIT $4"
    );
    let args = [bytes(account.as_bytes()), bytes(first), bytes(last), integer(limit)];
    db.fetch(SQL, &args).await?.iter().map(rows::key_info).collect()
}

pub(super) async fn key_info(
    db: &impl Reads,
    account: AccountId,
    id: &KeyId,
) -> Result<Option<KeyInfo>, Error> {
    const SQL: &str = concat!(select_key_info!(), " WHERE k.account = $1 AND k.id = $2");
    let args = [bytes(account.as_bytes()), bytes(id.as_bytes())];
    db.fetch(SQL, &args).await?.first().map(rows::key_info).transpose()
}

/// Whether there is a key that was destroyed at `until` or before.
pub(super) async fn has_destroyed_key(db: &impl Reads, until: Timestamp) -> Result<bool, Error> {
    let sql = "SELECT 1 FROM keys WHERE destroyed_at <= $1 LIMIT 1";
    Ok(!db.fetch(sql, &[integer(millis(until))]).await?.is_empty())
}

pub(super) async fn trusted_issuers(db: &impl Reads) -> Result<Vec<VerifyingKey>, Error> {
    let sql = "SELECT public_key FROM trusted_issuers ORDER BY seq";
    db.fetch(sql, &[]).await?.iter().map(rows::issuer).collect()
}

pub(super) async fn last_backup(db: &impl Reads) -> Result<Option<Timestamp>, Error> {
    let rows = db.fetch("SELECT made_at FROM last_backup WHERE id = 1", &[]).await?;
    rows.first().map(rows::backup).transpose()
}

pub(super) async fn audit_rows(
    db: &impl Reads,
    after: Option<(ChainId, u64)>,
    limit: u32,
) -> Result<Vec<(ChainHead, Entry)>, Error> {
    let sql = "SELECT chain, number, hash, entry FROM audit WHERE (chain, number) > ($1, $2) \
         ORDER BY chain, number LIMIT $3";
    // The empty string is before every chain.
    let (chain, number) = match &after {
        Some((chain, number)) => (&chain.as_bytes()[..], place(*number)),
        None => (&[][..], 0),
    };
    let args = [bytes(chain), integer(number), integer(limit)];
    db.fetch(sql, &args).await?.iter().map(rows::audit_row).collect()
}

pub(super) async fn audit_of(
    db: &impl Reads,
    account: AccountId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<(u64, Entry)>, Error> {
    let sql = "SELECT id, account, entry FROM audit WHERE account = $1 AND id < $2 \
         ORDER BY id DESC LIMIT $3";
    let before = before.map_or(i64::MAX, place);
    let args = [bytes(account.as_bytes()), integer(before), integer(limit)];
    db.fetch(sql, &args).await?.iter().map(rows::audit_entry).collect()
}

pub(super) async fn usage(
    db: &impl Reads,
    query: &UsageQuery,
    after: Option<&UsagePlace>,
    limit: u32,
) -> Result<Vec<UsageSum>, Error> {
    /// Some of an account's usage added up by a column, here `$4`.
    macro_rules! sums {
        ($table:literal, $group:literal, $columns:literal) => {
            concat!(
                "SELECT ",
                $columns,
                ", operation, CAST(sum(calls) AS BIGINT) AS calls, \
                 CAST(sum(failed) AS BIGINT) AS failed FROM ",
                $table,
                " WHERE account = $1 AND day BETWEEN $2 AND $3 AND (",
                $group,
                ", operation) > ($4, $5) GROUP BY ",
                $group,
                ", operation ORDER BY ",
                $group,
                ", operation LIMIT $6"
            )
        };
    }
    let (sql, is_token) = match query.by {
        UsageBy::Day => (sums!("usage_days", "day", "day AS place"), false),
        UsageBy::Month => {
            (sums!("usage_days", "substr(day, 1, 7)", "substr(day, 1, 7) AS place"), false)
        }
        UsageBy::Label => (sums!("usage_days", "label", "label AS place"), false),
        UsageBy::Token => (sums!("usage", "token", "token, min(label) AS label"), true),
    };
    let (from, to) = (query.from.to_string(), query.to.to_string());
    // The empty string comes before every group and operation.
    let group = match after {
        Some(place) if is_token => bytes(place.token.as_ref().map_or(&[], |id| id.as_bytes())),
        Some(place) => text(&place.group),
        None if is_token => bytes(&[]),
        None => text(""),
    };
    let operation = text(after.map_or("", |place| &place.operation));
    let account = bytes(query.account.as_bytes());
    let args = [account, text(&from), text(&to), group, operation, integer(limit)];
    let rows = db.fetch(sql, &args).await?;
    rows.iter().map(|row| rows::usage_sum(row, is_token)).collect()
}

pub(super) async fn checkpoints(
    db: &impl Reads,
    after: u64,
    limit: u32,
) -> Result<Vec<Checkpoint>, Error> {
    let sql = "SELECT checkpoint FROM audit_checkpoints WHERE number > $1 ORDER BY number LIMIT $2";
    let args = [integer(place(after)), integer(limit)];
    db.fetch(sql, &args).await?.iter().map(rows::checkpoint).collect()
}

pub(super) async fn last_checkpoint(db: &impl Reads) -> Result<Option<Checkpoint>, Error> {
    let sql = "SELECT checkpoint FROM audit_checkpoints ORDER BY number DESC LIMIT 1";
    db.fetch(sql, &[]).await?.first().map(rows::checkpoint).transpose()
}

/// No row has a number beyond.
fn place(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The row of the token with the hash `$1`, and of its account.
pub(super) const TOKEN: &str = concat!(
    "SELECT ",
    token_columns!(),
    ", ",
    account_columns!(),
    " FROM tokens AS t JOIN accounts AS a ON a.id = t.account WHERE t.hash = $1"
);

const NO_COUNT: Error = Error::Corrupt { what: "a count" };
const NO_CLOCK: Error = Error::Corrupt { what: "the clock" };
