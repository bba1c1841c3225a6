//! What is read: one statement each, on a read-only connection, scoped by account where there is
//! one.

use pqc_core::seal::RecordKind;
use pqc_core::token::TokenHash;
use pqc_core::{AccountId, KeyId, SealedRecord, Timestamp, TokenId, VerifyingKey};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteExecutor, SqlitePool};

use super::error;
use super::rows::{self, account_columns, key_columns, token_columns};
use crate::error::Error;
use crate::store::{AccountRecord, KeyRecord, TokenRecord};

pub(super) async fn clock(pool: &SqlitePool) -> Result<Timestamp, Error> {
    let row = sqlx::query("SELECT greatest FROM clock WHERE id = 1")
        .fetch_optional(pool)
        .await
        .map_err(error)?;
    rows::clock(&row.ok_or(Error::Corrupt { what: "the clock" })?)
}

pub(super) async fn master_key_checks(
    pool: &SqlitePool,
) -> Result<Vec<(u32, SealedRecord)>, Error> {
    let rows = sqlx::query("SELECT version, check_value FROM master_keys ORDER BY version")
        .fetch_all(pool)
        .await
        .map_err(error)?;
    rows.iter().map(rows::master_key_check).collect()
}

pub(super) async fn accounts(pool: &SqlitePool) -> Result<Vec<AccountRecord>, Error> {
    const SQL: &str = concat!("SELECT ", account_columns!(), " FROM accounts AS a ORDER BY a.seq");
    let rows = sqlx::query(SQL).fetch_all(pool).await.map_err(error)?;
    rows.iter().map(rows::account).collect()
}

pub(super) async fn account_by_name(
    pool: &SqlitePool,
    name: &str,
) -> Result<Option<AccountRecord>, Error> {
    const SQL: &str =
        concat!("SELECT ", account_columns!(), " FROM accounts AS a WHERE a.name = ?1");
    let row = sqlx::query(SQL).bind(name).fetch_optional(pool).await.map_err(error)?;
    row.as_ref().map(rows::account).transpose()
}

pub(super) async fn token_by_hash(
    pool: &SqlitePool,
    hash: &TokenHash,
) -> Result<Option<(TokenRecord, AccountRecord)>, Error> {
    let row = token_row(pool, hash).await.map_err(error)?;
    row.map(|row| Ok((rows::token(&row)?, rows::account(&row)?))).transpose()
}

/// The clock, and the token with its account, in one statement: the clock's row is always there.
pub(super) async fn clock_and_token(
    pool: &SqlitePool,
    hash: &TokenHash,
) -> Result<(Timestamp, Option<(TokenRecord, AccountRecord)>), Error> {
    const SQL: &str = concat!(
        "SELECT c.greatest, ",
        token_columns!(),
        ", ",
        account_columns!(),
        " FROM clock AS c LEFT JOIN tokens AS t ON t.hash = ?1 \
         LEFT JOIN accounts AS a ON a.id = t.account WHERE c.id = 1"
    );
    let row = sqlx::query(SQL)
        .bind(hash.as_bytes().as_slice())
        .fetch_optional(pool)
        .await
        .map_err(error)?
        .ok_or(Error::Corrupt { what: "the clock" })?;
    let token = match rows::has_token(&row)? {
        true => Some((rows::token(&row)?, rows::account(&row)?)),
        false => None,
    };
    Ok((rows::clock(&row)?, token))
}

/// The row of the token and its account.
pub(super) async fn token_row(
    executor: impl SqliteExecutor<'_>,
    hash: &TokenHash,
) -> Result<Option<SqliteRow>, sqlx::Error> {
    const SQL: &str = concat!(
        "SELECT ",
        token_columns!(),
        ", ",
        account_columns!(),
        " FROM tokens AS t JOIN accounts AS a ON a.id = t.account WHERE t.hash = ?1"
    );
    sqlx::query(SQL).bind(hash.as_bytes().as_slice()).fetch_optional(executor).await
}

pub(super) async fn tokens(
    pool: &SqlitePool,
    account: AccountId,
    after: Option<TokenId>,
    limit: u32,
) -> Result<Vec<TokenRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        token_columns!(),
        " FROM tokens AS t JOIN accounts AS a ON a.id = t.account \
         WHERE t.account = ?1 AND t.id > ?2 ORDER BY t.id LIMIT ?3"
    );
    // The empty string comes before every id.
    let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
    let rows = sqlx::query(SQL)
        .bind(account.as_bytes().as_slice())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await
        .map_err(error)?;
    rows.iter().map(rows::token).collect()
}

pub(super) async fn key(
    pool: &SqlitePool,
    account: AccountId,
    id: &KeyId,
) -> Result<Option<KeyRecord>, Error> {
    const SQL: &str =
        concat!("SELECT ", key_columns!(), " FROM keys WHERE account = ?1 AND id = ?2");
    let row = sqlx::query(SQL)
        .bind(account.as_bytes().as_slice())
        .bind(id.as_bytes())
        .fetch_optional(pool)
        .await
        .map_err(error)?;
    row.as_ref().map(rows::key).transpose()
}

pub(super) async fn current_key(
    pool: &SqlitePool,
    account: AccountId,
    kind: RecordKind,
    algorithm: &str,
) -> Result<Option<KeyRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM keys WHERE account = ?1 AND kind = ?2 AND algorithm = ?3 \
         AND version IS NOT NULL AND retired_at IS NULL ORDER BY version DESC LIMIT 1"
    );
    let row = sqlx::query(SQL)
        .bind(account.as_bytes().as_slice())
        .bind(kind.name())
        .bind(algorithm)
        .fetch_optional(pool)
        .await
        .map_err(error)?;
    row.as_ref().map(rows::key).transpose()
}

pub(super) async fn key_versions(
    pool: &SqlitePool,
    account: AccountId,
    kind: RecordKind,
) -> Result<Vec<KeyRecord>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        key_columns!(),
        " FROM keys WHERE account = ?1 AND kind = ?2 AND version IS NOT NULL \
         ORDER BY created_at DESC, version DESC, seq DESC"
    );
    let rows = sqlx::query(SQL)
        .bind(account.as_bytes().as_slice())
        .bind(kind.name())
        .fetch_all(pool)
        .await
        .map_err(error)?;
    rows.iter().map(rows::key).collect()
}

pub(super) async fn trusted_issuers(pool: &SqlitePool) -> Result<Vec<VerifyingKey>, Error> {
    let rows = sqlx::query("SELECT public_key FROM trusted_issuers ORDER BY seq")
        .fetch_all(pool)
        .await
        .map_err(error)?;
    rows.iter().map(rows::issuer).collect()
}
