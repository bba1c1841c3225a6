//! The statements behind each [`Write`].

use pqc_core::token::TokenKind;
use pqc_core::{AccountId, Timestamp, TokenId};

use super::rows::{millis, token_kind_name};
use super::sql::{Arg, Writes, bytes, integer, text};
use super::writer::{Failure, Write};
use super::{AccountRecord, KeyRecord, TokenRecord};
use crate::error::Error;

/// Makes the change and counts the rows that it touched, or leaves no trace of it and says why (the inner error). The outer error
/// leaves the transaction in doubt.
///
/// No statement here fails because of what is stored: on PostgreSQL, that would end the
/// transaction. A record that does not fit makes no row.
pub(super) async fn all_or_none(
    db: &mut impl Writes,
    write: &Write,
    now: Timestamp,
) -> Result<Result<u64, Error>, Failure> {
    // A single statement undoes itself; several need a mark to go back to.
    let several = matches!(write, Write::CreateAccount { .. } | Write::ReplaceRootToken { .. });
    if !several {
        return make(db, write, now).await;
    }
    db.execute("SAVEPOINT change", &[]).await?;
    let made = make(db, write, now).await?;
    if made.is_err() {
        db.execute("ROLLBACK TO SAVEPOINT change", &[]).await?;
    }
    db.execute("RELEASE SAVEPOINT change", &[]).await?;
    Ok(made)
}

async fn make(
    db: &mut impl Writes,
    write: &Write,
    now: Timestamp,
) -> Result<Result<u64, Error>, Failure> {
    let now = integer(millis(now));
    let changed = match write {
        Write::AddMasterKeyCheck { version, check } => {
            let args = [integer(*version), bytes(check.as_bytes()), now];
            db.execute(
                "INSERT INTO master_keys (version, check_value, created_at) VALUES ($1, $2, $3) \
                 ON CONFLICT DO NOTHING",
                &args,
            )
            .await?
        }
        Write::CreateAccount { account, root_token } => {
            return create_account(db, account, root_token).await;
        }
        Write::SetCustody { account, custody } => {
            let args = [bytes(account.as_bytes()), text(custody.name())];
            db.execute("UPDATE accounts SET custody = $2 WHERE id = $1", &args).await?
        }
        Write::SetDisabled { account, disabled } => {
            let args = [bytes(account.as_bytes()), integer(*disabled)];
            db.execute("UPDATE accounts SET disabled = $2 WHERE id = $1", &args).await?
        }
        Write::InsertToken(token) => return insert_token(db, token).await,
        Write::MintToken { token, by } => {
            if !is_root_in_force(db, token.account, *by).await? {
                return Ok(Ok(0));
            }
            return insert_token(db, token).await;
        }
        Write::ReplaceRootToken { token, revoke_temporary } => {
            revoke_tokens(db, token.account, *revoke_temporary, now).await?;
            return insert_token(db, token).await;
        }
        Write::RevokeToken { account, token } => {
            let args = [bytes(account.as_bytes()), bytes(token.as_bytes()), now];
            db.execute(
                "UPDATE tokens SET revoked_at = $3 \
                 WHERE account = $1 AND id = $2 AND revoked_at IS NULL",
                &args,
            )
            .await?
        }
        Write::InsertKey(key) => insert_key(db, key).await?,
        Write::TrustIssuer(issuer) => {
            db.execute(
                "INSERT INTO trusted_issuers (public_key, created_at) VALUES ($1, $2) \
                 ON CONFLICT DO NOTHING",
                &[bytes(issuer.as_bytes()), now],
            )
            .await?
        }
        Write::DistrustIssuer(issuer) => {
            let args = [bytes(issuer.as_bytes())];
            db.execute("DELETE FROM trusted_issuers WHERE public_key = $1", &args).await?
        }
        Write::RemoveEndedTokens { account, before, limit } => {
            remove_ended_tokens(db, *account, *before, *limit).await?
        }
    };
    Ok(Ok(changed))
}

async fn create_account(
    db: &mut impl Writes,
    account: &AccountRecord,
    root_token: &TokenRecord,
) -> Result<Result<u64, Error>, Failure> {
    let args = [
        bytes(account.id.as_bytes()),
        text(&account.name),
        text(account.custody.name()),
        integer(account.disabled),
        integer(millis(account.created_at)),
    ];
    let made = db
        .execute(
            "INSERT INTO accounts (id, name, custody, disabled, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            &args,
        )
        .await?;
    if made == 0 {
        return Ok(Ok(0));
    }
    insert_token(db, root_token).await
}

/// Revokes what a new root token takes the place of.
async fn revoke_tokens<W: Writes>(
    db: &mut W,
    account: AccountId,
    temporary_too: bool,
    now: Arg<'_>,
) -> Result<(), Failure> {
    if W::SHARED {
        // Waits for who mints by the old token now, so that what they mint is seen by what follows.
        let sql = "SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE";
        db.fetch(sql, &[bytes(account.as_bytes())]).await?;
    }
    let kind = text(token_kind_name(TokenKind::Root));
    let args = [bytes(account.as_bytes()), now, kind, integer(temporary_too)];
    db.execute(
        "UPDATE tokens SET revoked_at = $2 \
         WHERE account = $1 AND revoked_at IS NULL AND (kind = $3 OR $4 <> 0)",
        &args,
    )
    .await
    .map(drop)
}

async fn is_root_in_force<W: Writes>(
    db: &mut W,
    account: AccountId,
    token: TokenId,
) -> Result<bool, Failure> {
    let sql = if W::SHARED { concat!(root_in_force!(), " FOR SHARE") } else { root_in_force!() };
    let kind = text(token_kind_name(TokenKind::Root));
    let args = [bytes(account.as_bytes()), bytes(token.as_bytes()), kind];
    Ok(!db.fetch(sql, &args).await?.is_empty())
}

/// Removes some of the account's tokens that ended by then, the oldest first. Those that another
/// server is removing now are left to it.
async fn remove_ended_tokens<W: Writes>(
    db: &mut W,
    account: AccountId,
    before: Timestamp,
    limit: u32,
) -> Result<u64, Failure> {
    let sql = if W::SHARED { remove_ended!(" FOR UPDATE SKIP LOCKED") } else { remove_ended!("") };
    let args = [bytes(account.as_bytes()), integer(millis(before)), integer(limit)];
    db.execute(sql, &args).await
}

/// Looked for first, and once: PostgreSQL would be free to look again for each row.
macro_rules! remove_ended {
    ($lock:literal) => {
        concat!(
            "WITH ended AS MATERIALIZED (SELECT id FROM tokens \
             WHERE account = $1 AND over_at <= $2 ORDER BY over_at LIMIT $3",
            $lock,
            ") DELETE FROM tokens WHERE account = $1 AND id IN (SELECT id FROM ended)"
        )
    };
}
use remove_ended;

macro_rules! root_in_force {
    () => {
        "SELECT 1 FROM tokens JOIN accounts ON accounts.id = tokens.account \
         WHERE tokens.account = $1 AND tokens.id = $2 AND kind = $3 AND revoked_at IS NULL \
         AND disabled = 0"
    };
}
use root_in_force;

async fn insert_token(
    db: &mut impl Writes,
    token: &TokenRecord,
) -> Result<Result<u64, Error>, Failure> {
    let state = &token.state;
    let key_id = state.scope.key_id.as_ref().map(|id| id.as_bytes());
    let args = [
        bytes(token.account.as_bytes()),
        bytes(token.id.as_bytes()),
        bytes(token.hash.as_bytes()),
        text(token_kind_name(state.kind)),
        Arg::Text(token.label.as_deref()),
        integer(state.scope.operations.bits()),
        Arg::Bytes(key_id),
        integer(millis(token.created_at)),
        Arg::Integer(state.expires_at.map(millis)),
        Arg::Integer(token.attempts.map(i64::from)),
        Arg::Integer(state.attempts_left.map(i64::from)),
        Arg::Integer(state.revoked.then(|| millis(token.created_at))),
        Arg::Integer(token.last_used_at.map(millis)),
    ];
    let made = db
        .execute(
            "INSERT INTO tokens (account, id, hash, kind, label, operations, key_id, created_at, \
             expires_at, attempts, attempts_left, revoked_at, last_used_at) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 \
             WHERE EXISTS (SELECT 1 FROM accounts WHERE id = $1) ON CONFLICT DO NOTHING",
            &args,
        )
        .await?;
    let what = "a new token, whose id or hash is taken, or whose account does not exist";
    Ok(if made > 0 { Ok(made) } else { Err(Error::Internal { what }) })
}

async fn insert_key(db: &mut impl Writes, key: &KeyRecord) -> Result<u64, Failure> {
    let args = [
        bytes(key.account.as_bytes()),
        bytes(key.id.as_bytes()),
        text(key.kind.name()),
        text(&key.algorithm),
        Arg::Integer(key.version.map(i64::from)),
        bytes(&key.public_key),
        bytes(&key.attestation),
        bytes(key.sealed.as_bytes()),
        integer(millis(key.created_at)),
        Arg::Integer(key.retired_at.map(millis)),
    ];
    db.execute(
        "INSERT INTO keys (account, id, kind, algorithm, version, public_key, attestation, \
         sealed, created_at, retired_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT DO NOTHING",
        &args,
    )
    .await
}
