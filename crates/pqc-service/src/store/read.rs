//! What is read: one statement each, scoped by account where there is one.

use pqc_core::seal::RecordKind;
use pqc_core::token::TokenHash;
use pqc_core::{AccountId, KeyId, SealedRecord, Timestamp, TokenId, VerifyingKey};

use super::rows::{self, account_columns, key_columns, token_columns};
use super::sql::{Arg, Reads, bytes, integer, text};
use crate::error::Error;
use crate::store::{AccountRecord, KeyRecord, TokenRecord};

pub(super) async fn clock(db: &impl Reads) -> Result<Timestamp, Error> {
    let rows = db.fetch("SELECT greatest FROM clock WHERE id = 1", &[]).await?;
    rows::clock(rows.first().ok_or(NO_CLOCK)?)
}

pub(super) async fn master_key_checks(db: &impl Reads) -> Result<Vec<(u32, SealedRecord)>, Error> {
    let sql = "SELECT version, check_value FROM master_keys ORDER BY version";
    db.fetch(sql, &[]).await?.iter().map(rows::master_key_check).collect()
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

/// The clock, and the token with its account, in one statement: the clock's row is always there.
pub(super) async fn clock_and_token(
    db: &impl Reads,
    hash: &TokenHash,
) -> Result<(Timestamp, Option<(TokenRecord, AccountRecord)>), Error> {
    const SQL: &str = concat!(
        "SELECT c.greatest, ",
        token_columns!(),
        ", ",
        account_columns!(),
        " FROM clock AS c LEFT JOIN tokens AS t ON t.hash = $1 \
         LEFT JOIN accounts AS a ON a.id = t.account WHERE c.id = 1"
    );
    let rows = db.fetch(SQL, &[bytes(hash.as_bytes())]).await?;
    let row = rows.first().ok_or(NO_CLOCK)?;
    let token = match rows::has_token(row)? {
        true => Some((rows::token(row)?, rows::account(row)?)),
        false => None,
    };
    Ok((rows::clock(row)?, token))
}

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
    let args = [bytes(account.as_bytes()), integer(rows::millis(now)), most(at_most)];
    rows::count(db.fetch(sql, &args).await?.first().ok_or(NO_COUNT)?)
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
    const SQL: &str =
        concat!("SELECT ", key_columns!(), " FROM keys WHERE account = $1 AND id = $2");
    let args = [bytes(account.as_bytes()), bytes(id.as_bytes())];
    db.fetch(SQL, &args).await?.first().map(rows::key).transpose()
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
         AND version IS NOT NULL AND retired_at IS NULL ORDER BY version DESC LIMIT 1"
    );
    let args = [bytes(account.as_bytes()), text(kind.name()), text(algorithm)];
    db.fetch(SQL, &args).await?.first().map(rows::key).transpose()
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
         ORDER BY created_at DESC, version DESC, seq DESC"
    );
    let args = [bytes(account.as_bytes()), text(kind.name())];
    db.fetch(SQL, &args).await?.iter().map(rows::key).collect()
}

pub(super) async fn trusted_issuers(db: &impl Reads) -> Result<Vec<VerifyingKey>, Error> {
    let sql = "SELECT public_key FROM trusted_issuers ORDER BY seq";
    db.fetch(sql, &[]).await?.iter().map(rows::issuer).collect()
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
