//! One transaction of the writer: changes, uses of tokens, and what the audit log says of them.

use pqc_core::Timestamp;
use pqc_core::audit::ChainHead;
use pqc_core::token::TokenHash;

use super::{Engine, Failure, Spent, Write};
use crate::audit::{By, Event};
use crate::error::Error;
use crate::store::audited::Trail;

/// What each change and each use gets to know.
pub(super) type Answers = (Vec<Result<u64, Error>>, Vec<Result<Spent, Error>>);

/// What one transaction is to do; a use for each token.
pub(super) struct Changes<'a> {
    pub(super) writes: &'a [(Write, By)],
    pub(super) tokens: &'a [TokenHash],
    pub(super) uses: &'a [(Event, By)],
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
    Changes { writes, tokens, uses }: &Changes<'_>,
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
    if trail.rows.is_empty() {
        return Ok(((made, spent), head));
    }
    engine.record(&trail.rows).await?;
    Ok(((made, spent), Some(trail.head)))
}

/// How often a transaction is tried that comes into a conflict.
const MAX_TRIES: u32 = 10;
