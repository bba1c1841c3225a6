//! The statements behind each [`Write`].

use pqc_core::token::TokenKind;
use pqc_core::{AccountId, Timestamp, TokenId};

use super::key_uses;
use super::replay;
use super::rows::{self, millis, token_kind_name};
use super::sessions;
use super::sql::{Arg, Writes, bytes, integer, text};
use super::usage;
use super::writer::{Failure, Write};
use super::{AccountRecord, KeyRecord, MasterRotation, NewMasterKey, Resealed, TokenRecord};
use crate::error::Error;

/// Makes the change and counts the rows that it touched, or leaves no trace of it and says why (the
/// inner error). The outer error leaves the transaction in doubt.
///
/// No statement here fails because of what is stored: on PostgreSQL, that would end the
/// transaction. A record that does not fit makes no row.
pub(super) async fn all_or_none(
    db: &mut impl Writes,
    write: &Write,
    now: Timestamp,
) -> Result<Result<u64, Error>, Failure> {
    // A single statement undoes itself; several need a mark to go back to.
    let several = matches!(
        write,
        Write::CreateAccount { .. }
            | Write::ReplaceRootToken { .. }
            | Write::RevokeTemporaryTokens { .. }
            | Write::PurgeKeys { .. }
            | Write::BeginMasterRotation { .. }
            | Write::KeepAnswer { .. }
            | Write::BeginSession(_)
    );
    if !several {
        return make(db, write, now).await;
    }
    db.execute("SAVEPOINT change", &[]).await?;
    let made = match write {
        Write::KeepAnswer { answer, effect } => match (replay::keep(db, answer).await?, effect) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(effect)) => make(db, effect, now).await?,
            (Ok(()), None) => Ok(1),
        },
        write => make(db, write, now).await?,
    };
    if !matches!(made, Ok(1..)) {
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
        Write::AddMasterKey(key) => add_master_key(db, key, None, now).await?,
        Write::BeginMasterRotation(rotation) => {
            return begin_master_rotation(db, rotation, now).await;
        }
        Write::EndMasterRotation { from, to } => end_master_rotation(db, *from, *to).await?,
        Write::ResealKeys(keys) => reseal_keys(db, keys).await?,
        Write::CreateAccount { account, root_token } => {
            return create_account(db, account, root_token).await;
        }
        Write::SetCustody { account, custody } => {
            let args = [bytes(account.as_bytes()), text(custody.name())];
            let sql = "UPDATE accounts SET custody = $2 WHERE id = $1 AND custody <> $2";
            // What was given out under the old custody is not given out again under the new one.
            // After it: who keeps an answer now holds the account's row until it is there.
            if db.execute(sql, &args).await? > 0 {
                replay::end_answers(db, *account).await?;
            }
            let [account, _] = &args;
            db.fetch("SELECT 1 FROM accounts WHERE id = $1", &[*account]).await?.len() as u64
        }
        Write::SetDisabled { account, disabled } => {
            let args = [bytes(account.as_bytes()), integer(*disabled)];
            let sql = "UPDATE accounts SET disabled = $2 WHERE id = $1";
            let changed = db.execute(sql, &args).await?;
            if *disabled {
                sessions::end_of_account(db, *account).await?;
            }
            changed
        }
        Write::InsertToken(token) => return insert_token(db, token).await,
        Write::MintToken { token, by } => {
            if !is_root_in_force(db, token.account, *by).await? {
                return Ok(Ok(0));
            }
            return insert_token(db, token).await;
        }
        Write::ReplaceRootToken { token, by, revoke_temporary } => {
            hold_account(db, token.account).await?;
            if let Some(by) = by
                && !is_root_in_force(db, token.account, *by).await?
            {
                return Ok(Ok(0));
            }
            let kinds: &[_] = match revoke_temporary {
                true => &[TokenKind::Root, TokenKind::Temporary],
                false => &[TokenKind::Root],
            };
            revoke_tokens(db, token.account, kinds, now).await?;
            replay::end_of_account(db, token.account, *revoke_temporary).await?;
            sessions::end_of_account(db, token.account).await?;
            return insert_token(db, token).await;
        }
        Write::RevokeToken { account, token } => {
            let args = [bytes(account.as_bytes()), bytes(token.as_bytes()), now];
            let revoked = db
                .execute(
                    "UPDATE tokens SET revoked_at = $3 \
                     WHERE account = $1 AND id = $2 AND revoked_at IS NULL",
                    &args,
                )
                .await?;
            // After it: who claims a call now holds the token's row until its own is there. And
            // where the token's row is gone already, its answers go all the same.
            let ended = replay::end_of_token(db, *account, *token).await?;
            revoked.max(ended.min(1))
        }
        Write::RevokeTemporaryTokens { account } => {
            hold_account(db, *account).await?;
            let revoked = revoke_tokens(db, *account, &[TokenKind::Temporary], now).await?;
            // As above.
            let ended = replay::end_of_temporary(db, *account).await?;
            revoked.max(ended.min(1))
        }
        Write::InsertKey(key) => return insert_key(db, key).await,
        Write::PutInForce(key) => return put_in_force(db, key, now).await,
        Write::DestroyKey { account, key } => {
            let args = [bytes(account.as_bytes()), bytes(key.as_bytes()), now];
            db.execute(
                "UPDATE keys SET destroyed_at = $3 \
                 WHERE account = $1 AND id = $2 AND destroyed_at IS NULL",
                &args,
            )
            .await?
        }
        Write::UndestroyKey { account, key, since } => {
            let since = integer(millis(*since));
            db.execute(
                "UPDATE keys SET destroyed_at = NULL \
                 WHERE account = $1 AND id = $2 AND destroyed_at > $3",
                &[bytes(account.as_bytes()), bytes(key.as_bytes()), since],
            )
            .await?
        }
        Write::PurgeKeys { until, limit } => {
            key_uses::remove_with_keys(db, *until, *limit).await?;
            // The time is looked at twice: a row that was found may be brought back meanwhile.
            db.execute(
                "DELETE FROM keys WHERE destroyed_at <= $1 AND seq IN (SELECT seq FROM keys \
                 WHERE destroyed_at <= $1 ORDER BY destroyed_at, seq LIMIT $2)",
                &[integer(millis(*until)), integer(*limit)],
            )
            .await?
        }
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
        Write::ReleaseAllClaims => replay::release_all(db).await?,
        Write::DropClaim { id, nonce } => replay::drop_claim(db, id, nonce).await?,
        Write::ReleaseClaim { id, nonce } => replay::release(db, id, nonce).await?,
        Write::RemoveEndedAnswers { before, limit } => {
            replay::remove_ended(db, *before, *limit).await?
        }
        Write::BeginSession(session) => sessions::begin(db, session).await?,
        Write::EndSession { account, hash } => sessions::end(db, *account, hash).await?,
        Write::RemoveEndedSessions { before, limit } => {
            sessions::remove_ended(db, *before, *limit).await?
        }
        // What it is made of has a mark to go back to, where it is carried out.
        Write::KeepAnswer { .. } => 0,
        // What is written down is added with that of all others.
        Write::Record(_) => 1,
        Write::AddCheckpoint { number, checkpoint } => {
            let number = integer(i64::try_from(*number).unwrap_or(i64::MAX));
            db.execute(
                "INSERT INTO audit_checkpoints (number, checkpoint) VALUES ($1, $2) \
                 ON CONFLICT DO NOTHING",
                &[number, bytes(checkpoint)],
            )
            .await?
        }
        Write::AddUsage { counter, counts } => usage::add(db, *counter, counts).await?,
        Write::AddKeyUses(uses) => key_uses::add(db, uses).await?,
        Write::NoteBackup(made_at) => {
            db.execute(
                "INSERT INTO last_backup (id, made_at) VALUES (1, $1) \
                 ON CONFLICT (id) DO UPDATE SET made_at = excluded.made_at \
                 WHERE last_backup.made_at < excluded.made_at",
                &[integer(millis(*made_at))],
            )
            .await?
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

/// Waits for who mints by the account's root token now, so that what they mint is seen by what follows.
async fn hold_account<W: Writes>(db: &mut W, account: AccountId) -> Result<(), Failure> {
    if W::SHARED {
        let sql = "SELECT 1 FROM accounts WHERE id = $1 FOR NO KEY UPDATE";
        db.fetch(sql, &[bytes(account.as_bytes())]).await?;
    }
    Ok(())
}

/// Revokes all of the account's tokens of these kinds.
async fn revoke_tokens(
    db: &mut impl Writes,
    account: AccountId,
    kinds: &[TokenKind],
    now: Arg<'_>,
) -> Result<u64, Failure> {
    let mut revoked = 0_u64;
    for kind in kinds {
        let args = [bytes(account.as_bytes()), now, text(token_kind_name(*kind))];
        let sql = "UPDATE tokens SET revoked_at = $2 \
             WHERE account = $1 AND revoked_at IS NULL AND kind = $3";
        revoked = revoked.saturating_add(db.execute(sql, &args).await?);
    }
    Ok(revoked)
}

pub(super) async fn is_root_in_force<W: Writes>(
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

/// Whether no key may be added under this version of the master key. On PostgreSQL it stays so or
/// not so until this transaction ends: who begins a rotation changes the row that is locked here.
async fn is_superseded<W: Writes>(
    db: &mut W,
    master_version: u32,
) -> Result<Result<bool, Error>, Failure> {
    let sql = if W::SHARED { concat!(superseded!(), " FOR SHARE") } else { superseded!() };
    let rows = db.fetch(sql, &[integer(master_version)]).await?;
    Ok(rows.first().map_or(Ok(false), rows::is_superseded))
}

macro_rules! superseded {
    () => {
        "SELECT superseded_at FROM master_keys WHERE version = $1"
    };
}
use superseded;

async fn insert_key<W: Writes>(db: &mut W, key: &KeyRecord) -> Result<Result<u64, Error>, Failure> {
    let master_version = key.sealed.master_version();
    match is_superseded(db, master_version).await? {
        Ok(false) => {}
        Ok(true) => return Ok(Err(Error::StaleMasterKey { version: master_version })),
        Err(error) => return Ok(Err(error)),
    }
    let attestation = Some(&key.attestation[..]).filter(|bytes| !bytes.is_empty());
    let args = [
        bytes(key.account.as_bytes()),
        bytes(key.id.as_bytes()),
        text(key.kind.name()),
        text(&key.algorithm),
        Arg::Integer(key.version.map(i64::from)),
        bytes(&key.public_key),
        bytes(attestation.unwrap_or(W::NO_ATTESTATION)),
        bytes(key.sealed.as_bytes()),
        integer(millis(key.created_at)),
        Arg::Integer(key.retired_at.map(millis)),
    ];
    let made = db
        .execute(
            "INSERT INTO keys (account, id, kind, algorithm, version, public_key, attestation, \
         sealed, created_at, retired_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
         ON CONFLICT DO NOTHING",
            &args,
        )
        .await?;
    Ok(Ok(made))
}

async fn add_master_key(
    db: &mut impl Writes,
    key: &NewMasterKey,
    wrapped: Option<&[u8]>,
    now: Arg<'_>,
) -> Result<u64, Failure> {
    let derivation = key.derivation.as_ref().map(ToString::to_string);
    let args = [
        integer(key.version),
        bytes(key.check.as_bytes()),
        Arg::Text(derivation.as_deref()),
        Arg::Bytes(wrapped),
        now,
    ];
    db.execute(
        "INSERT INTO master_keys (version, check_value, derivation, wrapped, created_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        &args,
    )
    .await
}

async fn begin_master_rotation(
    db: &mut impl Writes,
    rotation: &MasterRotation,
    now: Arg<'_>,
) -> Result<Result<u64, Error>, Failure> {
    let MasterRotation { from, from_wrapped, to, to_wrapped } = rotation;
    let args = [integer(*from), bytes(from_wrapped.as_bytes()), now];
    let superseded = db
        .execute(
            "UPDATE master_keys SET superseded_at = $3, wrapped = $2 \
             WHERE version = $1 AND superseded_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM master_keys WHERE wrapped IS NOT NULL)",
            &args,
        )
        .await?;
    if superseded == 0 {
        return Ok(Ok(0));
    }
    let added = add_master_key(db, to, Some(to_wrapped.as_bytes()), now).await?;
    let what = "a master key is in force beside a newer one";
    Ok(if added > 0 { Ok(added) } else { Err(Error::Corrupt { what }) })
}

/// No key comes to be under the older version any more, so what is counted here stays so. The newer
/// version is left alone if meanwhile a rotation from it began.
async fn end_master_rotation(db: &mut impl Writes, from: u32, to: u32) -> Result<u64, Failure> {
    let sealed_under = from.to_be_bytes();
    let args = [integer(from), integer(to), bytes(&sealed_under)];
    db.execute(
        "UPDATE master_keys SET wrapped = NULL \
         WHERE (version = $1 OR version = $2 AND superseded_at IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM keys WHERE substr(sealed, 3, 4) = $3)",
        &args,
    )
    .await
}

async fn reseal_keys(db: &mut impl Writes, keys: &[Resealed]) -> Result<u64, Failure> {
    let mut replaced = 0_u64;
    for Resealed { account, id, old, new } in keys {
        let args = [
            bytes(account.as_bytes()),
            bytes(id.as_bytes()),
            bytes(old.as_bytes()),
            bytes(new.as_bytes()),
        ];
        let sql = "UPDATE keys SET sealed = $4 WHERE account = $1 AND id = $2 AND sealed = $3";
        replaced = replaced.saturating_add(db.execute(sql, &args).await?);
    }
    Ok(replaced)
}

/// Takes the place of every older version, those that were destroyed and may come back included. Of
/// two that come for the same version, the second waits for the first, and makes no row.
async fn put_in_force(
    db: &mut impl Writes,
    key: &KeyRecord,
    now: Arg<'_>,
) -> Result<Result<u64, Error>, Failure> {
    let account = bytes(key.account.as_bytes());
    let (kind, algorithm) = (text(key.kind.name()), text(&key.algorithm));
    let args = [account, kind, algorithm, Arg::Integer(key.version.map(i64::from)), now];
    let newer = "SELECT 1 FROM keys WHERE account = $1 AND kind = $2 AND algorithm = $3 \
         AND version >= $4 LIMIT 1";
    let [lookup @ .., _] = &args;
    if !db.fetch(newer, lookup).await?.is_empty() {
        return Ok(Ok(0));
    }
    match insert_key(db, key).await? {
        Ok(0) => return Ok(Ok(0)),
        Ok(_) => {}
        Err(error) => return Ok(Err(error)),
    }
    db.execute(
        "UPDATE keys SET retired_at = $5 WHERE account = $1 AND kind = $2 AND algorithm = $3 \
         AND version < $4 AND retired_at IS NULL",
        &args,
    )
    .await?;
    Ok(Ok(1))
}
