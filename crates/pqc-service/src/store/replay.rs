//! Calls with an idempotency key: who is at one, and the answer, kept for who comes again.
//!
//! A row comes to be in the step that spends the attempt, so where there is one, the call is paid.
//! It is claimed by one call at a time, which either keeps an answer in the step that does what the
//! call asks for, or gives its claim up; a claim of a server that ended can be taken after
//! [`LEASE_MILLIS`]. The answers are sealed by the core, and nothing here can open them.

use pqc_core::replay::{ReplayId, RequestHash, SealedAnswer};
use pqc_core::token::{Refusal, TokenHash};
use pqc_core::{AccountId, Timestamp, TokenId};

use super::change::is_root_in_force;
use super::rows::{self, millis};
use super::sql::{Writes, bytes, integer};
use super::writer::Failure;
use super::{KeyRecord, TokenRecord};
use crate::account::Custody;
use crate::audit::Event;
use crate::error::Error;

/// A call that would be at it.
#[derive(Debug, Clone)]
pub struct NewClaim {
    /// Of what call.
    pub id: ReplayId,
    /// Of what request.
    pub request: RequestHash,
    /// The token's account.
    pub account: AccountId,
    /// The token that was presented.
    pub token: TokenId,
    /// Tells this claim from all others.
    pub nonce: [u8; NONCE_BYTES],
    /// Until when there will be an answer.
    pub expires_at: Timestamp,
    /// How it is paid, if it was not before.
    pub payment: Payment,
    /// Written down when it is admitted.
    pub admitted: Option<Event>,
    /// Written down when the answer is given again.
    pub again: Event,
}

/// How a call is paid.
#[derive(Debug, Clone, Copy)]
pub enum Payment {
    /// By an attempt of this token.
    Attempt(TokenHash),
    /// It is free, for the root token in force.
    Free,
    /// It was paid before, or else this is why it is refused.
    Before(Refusal),
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours, and paid; now, or `before`.
    Ours {
        /// Another call came before, to no end.
        before: bool,
    },
    /// There is an answer.
    Answered {
        /// What was kept.
        sealed: SealedAnswer,
        /// Whether nobody came again before.
        is_first: bool,
    },
    /// The idempotency key was used for another request.
    OtherRequest,
    /// Another call is at it.
    InFlight,
    /// The token is not accepted.
    Refused(Refusal),
}

/// The answer of a call that is ours.
#[derive(Debug, Clone)]
pub struct KeptAnswer {
    /// Of what call.
    pub id: ReplayId,
    /// Whose claim it is.
    pub nonce: [u8; NONCE_BYTES],
    /// The account's custody, as the call saw it.
    pub custody: Custody,
    /// The answer.
    pub sealed: SealedAnswer,
}

/// What a call does to the store.
#[derive(Debug, Clone)]
pub enum Effect {
    /// As [`Store::mint_token`](super::Store::mint_token).
    MintToken {
        /// The new token.
        token: TokenRecord,
        /// The root token.
        root: TokenId,
    },
    /// As [`Store::insert_key`](super::Store::insert_key).
    InsertKey(KeyRecord),
    /// Something is written down.
    Record(Event),
    /// Nothing.
    Nothing,
}

/// How far a claim came before it is paid.
#[derive(Debug)]
pub(super) enum Begun {
    /// There is a row for it now, to be paid or dropped.
    Unpaid,
    Over(Claimed),
}

/// Looks for a call that was begun, and else begins one.
pub(super) async fn begin<W: Writes>(
    db: &mut W,
    claim: &NewClaim,
    now: Timestamp,
) -> Result<Result<Begun, Error>, Failure> {
    let over = |claimed| Ok(Ok(Begun::Over(claimed)));
    let id = bytes(claim.id.as_bytes());
    let at = integer(millis(now));
    db.execute("DELETE FROM replays WHERE id = $1 AND expires_at <= $2", &[id, at]).await?;
    if let Payment::Free = claim.payment
        && !is_root_in_force(db, claim.account, claim.token).await?
    {
        return over(Claimed::Refused(Refusal::Revoked));
    }
    let is_unpaid = !matches!(claim.payment, Payment::Before(_));
    if is_unpaid && insert(db, claim, now).await? {
        return Ok(Ok(Begun::Unpaid));
    }
    let rows = db.fetch(if W::SHARED { BEGUN_LOCKED } else { BEGUN }, &[id]).await?;
    let row = match (rows.first(), &claim.payment) {
        (Some(row), _) => row,
        (None, Payment::Before(refusal)) => return over(Claimed::Refused(*refusal)),
        // It was removed between the two statements.
        (None, _) => return Err(Failure::Conflict("a call that just ended".to_owned())),
    };
    let begun = match rows::begun_call(row) {
        Ok(begun) => begun,
        Err(error) => return Ok(Err(error)),
    };
    if begun.account_disabled {
        return over(Claimed::Refused(Refusal::AccountDisabled));
    }
    if !begun.request.ct_eq(&claim.request) {
        return over(Claimed::OtherRequest);
    }
    if let Some(sealed) = begun.answer {
        // The first who comes again is written down. A row for each would be a way to fill the disk.
        let sql = "UPDATE replays SET repeated = 1 WHERE id = $1 AND repeated = 0";
        let is_first = db.execute(sql, &[id]).await? > 0;
        return over(Claimed::Answered { sealed, is_first });
    }
    let lease_ends = begun.claimed_at.millis().saturating_add(LEASE_MILLIS);
    if begun.is_claimed && now.millis() < lease_ends {
        return over(Claimed::InFlight);
    }
    let sql = "UPDATE replays SET claim = $2, claimed_at = $3 WHERE id = $1";
    db.execute(sql, &[id, bytes(&claim.nonce), at]).await?;
    over(Claimed::Ours { before: true })
}

async fn insert(db: &mut impl Writes, claim: &NewClaim, now: Timestamp) -> Result<bool, Failure> {
    let args = [
        bytes(claim.id.as_bytes()),
        bytes(claim.account.as_bytes()),
        bytes(claim.token.as_bytes()),
        bytes(claim.request.as_bytes()),
        bytes(&claim.nonce),
        integer(millis(now)),
        integer(millis(claim.expires_at)),
    ];
    let sql = "INSERT INTO replays (id, account, token, request, claim, claimed_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    Ok(db.execute(sql, &args).await? > 0)
}

/// Takes away the row of a claim that could not be paid.
pub(super) async fn drop_claim(
    db: &mut impl Writes,
    id: &ReplayId,
    nonce: &[u8],
) -> Result<u64, Failure> {
    let args = [bytes(id.as_bytes()), bytes(nonce)];
    db.execute("DELETE FROM replays WHERE id = $1 AND claim = $2", &args).await
}

/// Leaves the call to whoever comes next.
pub(super) async fn release(
    db: &mut impl Writes,
    id: &ReplayId,
    nonce: &[u8],
) -> Result<u64, Failure> {
    let args = [bytes(id.as_bytes()), bytes(nonce)];
    db.execute("UPDATE replays SET claim = NULL WHERE id = $1 AND claim = $2", &args).await
}

/// Puts the answer into the row that is claimed, if it still is by this call, and if the account has
/// the custody that the call saw: else it is left to who comes again.
pub(super) async fn keep<W: Writes>(
    db: &mut W,
    answer: &KeptAnswer,
) -> Result<Result<(), Error>, Failure> {
    let KeptAnswer { id, nonce, custody, sealed } = answer;
    let id = bytes(id.as_bytes());
    // Locked: who changes the custody now waits, and then sees the answer.
    let rows = db.fetch(if W::SHARED { CUSTODY_LOCKED } else { CUSTODY }, &[id]).await?;
    let Some(row) = rows.first() else { return Ok(Err(Refusal::Revoked.into())) };
    match rows::custody(row) {
        Ok(in_force) if in_force == *custody => {}
        Ok(_) => return Ok(Err(Error::InFlight)),
        Err(error) => return Ok(Err(error)),
    }
    let args = [id, bytes(nonce), bytes(sealed.as_bytes())];
    let sql = "UPDATE replays SET answer = $3, claim = NULL WHERE id = $1 AND claim = $2";
    Ok(if db.execute(sql, &args).await? > 0 { Ok(()) } else { Err(Error::InFlight) })
}

/// Leaves all calls to whoever comes next: those who were at them are gone.
pub(super) async fn release_all(db: &mut impl Writes) -> Result<u64, Failure> {
    db.execute("UPDATE replays SET claim = NULL WHERE claim IS NOT NULL", &[]).await
}

/// Ends what was begun by a token that was revoked.
pub(super) async fn end_of_token(
    db: &mut impl Writes,
    account: AccountId,
    token: TokenId,
) -> Result<u64, Failure> {
    let args = [bytes(account.as_bytes()), bytes(token.as_bytes())];
    db.execute("DELETE FROM replays WHERE account = $1 AND token = $2", &args).await
}

/// Ends what was begun by root tokens of the account, or by any of its tokens.
pub(super) async fn end_of_account(
    db: &mut impl Writes,
    account: AccountId,
    temporary_too: bool,
) -> Result<(), Failure> {
    let sql = "DELETE FROM replays WHERE account = $1 AND ($2 <> 0 OR token IN \
         (SELECT id FROM tokens WHERE account = $1 AND kind = 'root'))";
    db.execute(sql, &[bytes(account.as_bytes()), integer(temporary_too)]).await.map(drop)
}

/// Ends what was begun by temporary tokens of the account.
pub(super) async fn end_of_temporary(
    db: &mut impl Writes,
    account: AccountId,
) -> Result<u64, Failure> {
    let sql = "DELETE FROM replays WHERE account = $1 AND token NOT IN \
         (SELECT id FROM tokens WHERE account = $1 AND kind = 'root')";
    db.execute(sql, &[bytes(account.as_bytes())]).await
}

/// Ends all answers of the account, but no call that is under way.
pub(super) async fn end_answers(db: &mut impl Writes, account: AccountId) -> Result<(), Failure> {
    let sql = "DELETE FROM replays WHERE account = $1 AND answer IS NOT NULL";
    db.execute(sql, &[bytes(account.as_bytes())]).await.map(drop)
}

/// Removes some of what ended by then. What another server is removing now is left to it.
pub(super) async fn remove_ended<W: Writes>(
    db: &mut W,
    before: Timestamp,
    limit: u32,
) -> Result<u64, Failure> {
    let sql = if W::SHARED { removal!(" FOR UPDATE SKIP LOCKED") } else { removal!("") };
    db.execute(sql, &[integer(millis(before)), integer(limit)]).await
}

macro_rules! removal {
    ($lock:literal) => {
        concat!(
            "WITH ended AS MATERIALIZED (SELECT id FROM replays WHERE expires_at <= $1 \
             ORDER BY expires_at LIMIT $2",
            $lock,
            ") DELETE FROM replays WHERE id IN (SELECT id FROM ended)"
        )
    };
}
use removal;

const BEGUN: &str = "SELECT r.request, r.claim, r.claimed_at, r.answer, a.disabled AS a_disabled \
     FROM replays AS r JOIN accounts AS a ON a.id = r.account WHERE r.id = $1";
const BEGUN_LOCKED: &str = "SELECT r.request, r.claim, r.claimed_at, r.answer, a.disabled AS a_disabled \
     FROM replays AS r JOIN accounts AS a ON a.id = r.account WHERE r.id = $1 FOR UPDATE OF r";
const CUSTODY: &str = "SELECT a.custody AS a_custody FROM replays AS r JOIN accounts AS a ON a.id = r.account \
     WHERE r.id = $1";
const CUSTODY_LOCKED: &str = "SELECT a.custody AS a_custody FROM replays AS r JOIN accounts AS a ON a.id = r.account \
     WHERE r.id = $1 FOR SHARE OF a";
/// Of what tells claims from one another.
pub const NONCE_BYTES: usize = 16;
/// How long a claim holds without an answer. A call that takes longer loses it to one that comes
/// again, and then does nothing.
pub const LEASE_MILLIS: u64 = 60_000;
