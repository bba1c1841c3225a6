//! One transaction of the writer: changes, uses of tokens, and what the audit log says of them.

use pqc_core::Timestamp;
use pqc_core::audit::ChainHead;
use pqc_core::token::TokenHash;

use super::{Engine, Failure, Spent, Write};
use crate::audit::{By, Event};
use crate::error::Error;
use crate::store::audited::Trail;
use crate::store::replay::{Begun, Claimed, NewClaim, Payment};

/// What each change, each use and each claim gets to know.
pub(super) struct Answers {
    pub(super) made: Vec<Result<u64, Error>>,
    pub(super) spent: Vec<Result<Spent, Error>>,
    pub(super) claimed: Vec<Result<Claimed, Error>>,
}

/// What one transaction is to do; a use for each token.
pub(super) struct Changes<'a> {
    pub(super) writes: &'a [(Write, By)],
    pub(super) tokens: &'a [TokenHash],
    pub(super) uses: &'a [(Event, By)],
    pub(super) claims: &'a [(NewClaim, By)],
}

/// One transaction, tried again where something was in its way; and how far the chain of the audit
/// log has come by it.
pub(super) async fn transact(
    engine: &mut impl Engine,
    changes: &Changes<'_>,
    head: Option<ChainHead>,
) -> Result<(Answers, Option<ChainHead>), Failure> {
    let mut tries = 1;
    loop {
        match transact_once(engine, changes, head).await {
            Err(Failure::Conflict(why)) if tries < MAX_TRIES => {
                tracing::debug!(why, tries, "a store transaction is tried again");
                tries += 1;
            }
            done => return done,
        }
    }
}

async fn transact_once(
    engine: &mut impl Engine,
    changes: &Changes<'_>,
    head: Option<ChainHead>,
) -> Result<(Answers, Option<ChainHead>), Failure> {
    let now = engine.begin().await?;
    match apply(engine, changes, head, now).await {
        Ok(done) => engine.commit().await.map(|()| done),
        Err(failure) => {
            engine.rollback().await;
            Err(failure)
        }
    }
}

async fn apply(
    engine: &mut impl Engine,
    Changes { writes, tokens, uses, claims }: &Changes<'_>,
    head: Option<ChainHead>,
    now: Timestamp,
) -> Result<(Answers, Option<ChainHead>), Failure> {
    let mut trail = Trail::from(head, now)?;
    let mut made = Vec::with_capacity(writes.len());
    for (write, by) in *writes {
        let rows = engine.write(write, now).await?;
        if let Some(event) = rows.as_ref().ok().and_then(|rows| write.event(*rows)) {
            trail.add(event, by);
        }
        made.push(rows);
    }
    let spent = if tokens.is_empty() { Vec::new() } else { engine.spend(tokens, now).await? };
    for (spent, (usage, by)) in spent.iter().zip(*uses) {
        if let Ok(Ok(_)) = spent {
            trail.add(usage.clone(), by);
        }
    }
    let mut claimed = Vec::with_capacity(claims.len());
    for (claim, by) in *claims {
        let answer = self::claim(engine, claim, now).await?;
        match (&answer, &claim.admitted) {
            (Ok(Claimed::Ours { before: false }), Some(admitted)) => {
                trail.add(admitted.clone(), by);
            }
            (Ok(Claimed::Ours { before: true }), Some(admitted)) => {
                trail.add(admitted.clone().saying("once more, and paid before"), by);
            }
            (Ok(Claimed::Answered { is_first: true, .. }), _) => {
                trail.add(claim.again.clone(), by);
            }
            _ => {}
        }
        claimed.push(answer);
    }
    let answers = Answers { made, spent, claimed };
    if trail.rows.is_empty() {
        return Ok((answers, head));
    }
    engine.record(&trail.rows).await?;
    Ok((answers, Some(trail.head)))
}

/// The row and the attempt, both or neither.
async fn claim(
    engine: &mut impl Engine,
    claim: &NewClaim,
    now: Timestamp,
) -> Result<Result<Claimed, Error>, Failure> {
    match engine.begin_claim(claim, now).await? {
        Ok(Begun::Unpaid) => {}
        Ok(Begun::Over(claimed)) => return Ok(Ok(claimed)),
        Err(error) => return Ok(Err(error)),
    }
    let Payment::Attempt(token) = claim.payment else {
        return Ok(Ok(Claimed::Ours { before: false }));
    };
    let refused = match engine.spend(&[token], now).await?.pop() {
        Some(Ok(Ok(_))) => return Ok(Ok(Claimed::Ours { before: false })),
        Some(Ok(Err(refusal))) => Ok(Claimed::Refused(refusal)),
        Some(Err(error)) => Err(error),
        None => Err(Error::Internal { what: "spending an attempt" }),
    };
    let (id, nonce) = (claim.id, claim.nonce);
    Ok(engine.write(&Write::DropClaim { id, nonce }, now).await?.and(refused))
}

/// How often a transaction is tried that comes into a conflict.
const MAX_TRIES: u32 = 10;
