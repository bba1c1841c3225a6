//! The statements behind each [`Write`].

use pqc_core::token::TokenKind;
use pqc_core::{AccountId, Timestamp, TokenId};
use sqlx::error::ErrorKind;
use sqlx::sqlite::SqliteQueryResult;
use sqlx::{Executor, SqliteConnection};

use super::rows::{millis, token_kind_name};
use crate::error::Error;
use crate::store::writer::Write;
use crate::store::{AccountRecord, KeyRecord, TokenRecord};

/// Makes the change, or leaves no trace of it and says why (the inner error). The outer error
/// leaves the transaction in doubt.
pub(super) async fn all_or_none(
    connection: &mut SqliteConnection,
    write: Write,
    now: Timestamp,
) -> Result<Result<bool, Error>, sqlx::Error> {
    // A single statement undoes itself; several need a mark to go back to.
    let several = matches!(write, Write::CreateAccount { .. } | Write::ReplaceRootToken { .. });
    if several {
        connection.execute("SAVEPOINT change").await?;
    }
    let (end, answer) = match make(connection, write, now).await {
        Ok(made) => ("RELEASE change", Ok(made)),
        Err(error) => {
            let what = refused_record(&error).ok_or(error)?;
            ("ROLLBACK TO change; RELEASE change", Err(Error::Internal { what }))
        }
    };
    if several {
        connection.execute(end).await?;
    }
    Ok(answer)
}

async fn make(
    connection: &mut SqliteConnection,
    write: Write,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let now = millis(now);
    let done =
        match write {
            Write::AddMasterKeyCheck { version, check } => sqlx::query(
                "INSERT INTO master_keys (version, check_value, created_at) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO NOTHING",
            )
            .bind(version)
            .bind(check.as_bytes())
            .bind(now)
            .execute(connection)
            .await?,
            Write::CreateAccount { account, root_token } => {
                return create_account(connection, account, root_token).await;
            }
            Write::SetCustody { account, custody } => {
                sqlx::query("UPDATE accounts SET custody = ?2 WHERE id = ?1")
                    .bind(account.as_bytes().as_slice())
                    .bind(custody.name())
                    .execute(connection)
                    .await?
            }
            Write::SetDisabled { account, disabled } => {
                sqlx::query("UPDATE accounts SET disabled = ?2 WHERE id = ?1")
                    .bind(account.as_bytes().as_slice())
                    .bind(disabled)
                    .execute(connection)
                    .await?
            }
            Write::InsertToken(token) => insert_token(connection, token).await?,
            Write::MintToken { token, by } => {
                if !is_root_in_force(connection, token.account, by).await? {
                    return Ok(false);
                }
                insert_token(connection, token).await?
            }
            Write::ReplaceRootToken { token, revoke_temporary } => {
                revoke_tokens(connection, &token, revoke_temporary, now).await?;
                insert_token(connection, token).await?
            }
            Write::RevokeToken { account, token } => {
                sqlx::query(
                    "UPDATE tokens SET revoked_at = ?3 \
                 WHERE account = ?1 AND id = ?2 AND revoked_at IS NULL",
                )
                .bind(account.as_bytes().as_slice())
                .bind(token.as_bytes().as_slice())
                .bind(now)
                .execute(connection)
                .await?
            }
            Write::InsertKey(key) => insert_key(connection, key).await?,
            Write::TrustIssuer(issuer) => {
                sqlx::query(
                    "INSERT INTO trusted_issuers (public_key, created_at) VALUES (?1, ?2) \
                 ON CONFLICT DO NOTHING",
                )
                .bind(issuer.as_bytes())
                .bind(now)
                .execute(connection)
                .await?
            }
            Write::DistrustIssuer(issuer) => {
                sqlx::query("DELETE FROM trusted_issuers WHERE public_key = ?1")
                    .bind(issuer.as_bytes())
                    .execute(connection)
                    .await?
            }
        };
    Ok(done.rows_affected() > 0)
}

async fn create_account(
    connection: &mut SqliteConnection,
    account: AccountRecord,
    root_token: TokenRecord,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(
        "INSERT INTO accounts (id, name, custody, disabled, created_at) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )
    .bind(account.id.as_bytes().as_slice())
    .bind(account.name)
    .bind(account.custody.name())
    .bind(account.disabled)
    .bind(millis(account.created_at))
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    insert_token(connection, root_token).await?;
    Ok(true)
}

/// Revokes what `token` takes the place of.
async fn revoke_tokens(
    connection: &mut SqliteConnection,
    token: &TokenRecord,
    temporary_too: bool,
    now: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE tokens SET revoked_at = ?2 \
         WHERE account = ?1 AND revoked_at IS NULL AND (kind = ?3 OR ?4)",
    )
    .bind(token.account.as_bytes().as_slice())
    .bind(now)
    .bind(token_kind_name(TokenKind::Root))
    .bind(temporary_too)
    .execute(connection)
    .await
    .map(drop)
}

async fn is_root_in_force(
    connection: &mut SqliteConnection,
    account: AccountId,
    token: TokenId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM tokens JOIN accounts ON accounts.id = tokens.account \
         WHERE tokens.account = ?1 AND tokens.id = ?2 AND kind = ?3 AND revoked_at IS NULL \
         AND disabled = 0)",
    )
    .bind(account.as_bytes().as_slice())
    .bind(token.as_bytes().as_slice())
    .bind(token_kind_name(TokenKind::Root))
    .fetch_one(connection)
    .await
}

async fn insert_token(
    connection: &mut SqliteConnection,
    token: TokenRecord,
) -> Result<SqliteQueryResult, sqlx::Error> {
    let state = token.state;
    sqlx::query(
        "INSERT INTO tokens (account, id, hash, kind, label, operations, key_id, created_at, \
         expires_at, attempts, attempts_left, revoked_at, last_used_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )
    .bind(token.account.as_bytes().as_slice())
    .bind(token.id.as_bytes().as_slice())
    .bind(token.hash.as_bytes().as_slice())
    .bind(token_kind_name(state.kind))
    .bind(token.label)
    .bind(state.scope.operations.bits())
    .bind(state.scope.key_id.map(|id| id.as_bytes().to_vec()))
    .bind(millis(token.created_at))
    .bind(state.expires_at.map(millis))
    .bind(token.attempts)
    .bind(state.attempts_left)
    .bind(state.revoked.then(|| millis(token.created_at)))
    .bind(token.last_used_at.map(millis))
    .execute(connection)
    .await
}

async fn insert_key(
    connection: &mut SqliteConnection,
    key: KeyRecord,
) -> Result<SqliteQueryResult, sqlx::Error> {
    sqlx::query(
        "INSERT INTO keys (account, id, kind, algorithm, version, public_key, attestation, \
         sealed, created_at, retired_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT DO NOTHING",
    )
    .bind(key.account.as_bytes().as_slice())
    .bind(key.id.as_bytes().to_vec())
    .bind(key.kind.name())
    .bind(key.algorithm)
    .bind(key.version)
    .bind(key.public_key)
    .bind(key.attestation)
    .bind(key.sealed.as_bytes())
    .bind(millis(key.created_at))
    .bind(key.retired_at.map(millis))
    .execute(connection)
    .await
}

/// Which rule of the schema a record broke; then its statement left no trace, and the transaction
/// goes on.
fn refused_record(error: &sqlx::Error) -> Option<&'static str> {
    match error.as_database_error()?.kind() {
        ErrorKind::UniqueViolation => Some("a new record, whose id or hash is taken"),
        ErrorKind::ForeignKeyViolation => Some("a new record, whose account does not exist"),
        ErrorKind::NotNullViolation | ErrorKind::CheckViolation => Some("a new record's form"),
        _ => None,
    }
}
