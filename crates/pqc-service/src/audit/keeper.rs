//! Who signs checkpoints, and writes down what is counted: beside the calls, in every server.
//!
//! A server states how far its own chain has come as it remembers it, not as it reads it: so what
//! somebody put into the store is never signed.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pqc_core::audit::{ChainHead, ChainId, Checkpoint, CheckpointKey};
use pqc_core::seal::RecordKind;
use pqc_core::{AccountId, MasterKeys, VerifyingKey};
use tokio::time::timeout;

use super::{By, Event};
use crate::error::Error;
use crate::rotation;
use crate::service::Service;
use crate::store::KeyRecord;

/// When a checkpoint is due: whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointPolicy {
    /// After so many rows; by default 10,000.
    pub rows: u64,
    /// After this time, if there is a row; by default 60 seconds.
    pub time: Duration,
}

impl Default for CheckpointPolicy {
    fn default() -> Self {
        Self { rows: 10_000, time: Duration::from_secs(60) }
    }
}

/// How far the chains of this process are covered, and since when.
#[derive(Debug)]
pub(crate) struct Keeper {
    covered: Mutex<Covered>,
    /// One signs at a time: only servers are in each other's way.
    signing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Covered {
    /// The last row of each chain that is.
    rows: HashMap<ChainId, u64>,
    since: Instant,
}

impl Keeper {
    pub(crate) fn new() -> Self {
        let covered = Covered { rows: HashMap::new(), since: Instant::now() };
        Self { covered: Mutex::new(covered), signing: tokio::sync::Mutex::default() }
    }

    fn covered(&self) -> MutexGuard<'_, Covered> {
        self.covered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cover(&self, head: ChainHead) {
        let mut covered = self.covered();
        covered.rows.insert(head.chain, head.number);
        covered.since = Instant::now();
    }

    /// How many rows of the chain no checkpoint covers.
    fn uncovered(&self, head: &ChainHead) -> u64 {
        let covered = self.covered().rows.get(&head.chain).copied();
        head.number.saturating_sub(covered.unwrap_or(0))
    }
}

impl Service {
    /// Signs how far the chain of this process has come, and before it how far those had come that it
    /// left; gives the last checkpoint. `None`: all that is signed already.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: other servers were in the way. Those of the store;
    /// [`Error::Core`]: the generator failed.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let _alone = self.keeper.signing.lock().await;
        let mut last = None;
        for head in self.store.audit_heads() {
            if self.keeper.uncovered(&head) > 0 {
                last = Some(self.sign_head(head).await?);
            }
        }
        Ok(last)
    }

    async fn sign_head(&self, head: ChainHead) -> Result<Checkpoint, Error> {
        let record = rotation::current_checkpoint_key(&self.masters, &*self.host).await?;
        let open = |masters: &MasterKeys, record: &KeyRecord| {
            CheckpointKey::open(masters, &record.public_key, &record.sealed)
        };
        let key = self.masters.open_record(&record, open).await?;
        for _ in 0..MAX_TRIES {
            let before = self.store.last_checkpoint().await?;
            let now = self.store.now().await?;
            let checkpoint = key.sign(before.as_ref(), &head, now, &mut self.rng())?;
            if self.store.add_checkpoint(&checkpoint).await? {
                self.keeper.cover(head);
                // Logs are kept elsewhere: there it tells of a log that was cut off.
                tracing::info!(
                    number = checkpoint.number(),
                    hash = hex::encode(checkpoint.hash()),
                    chain = %head.chain,
                    row = head.number,
                    "audit checkpoint"
                );
                return Ok(checkpoint);
            }
        }
        Err(Error::Unavailable("other servers' checkpoints are in the way".to_owned()))
    }

    /// Writes down that an operator asked for a checkpoint, and signs that.
    ///
    /// # Errors
    /// As [`Self::checkpoint`].
    pub async fn note_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        self.store.record(&By::OPERATOR, Event::done("audit.checkpoint")).await?;
        self.checkpoint().await
    }

    /// The public halves of the keys of checkpoints, the one in force first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn checkpoint_keys(&self) -> Result<Vec<VerifyingKey>, Error> {
        let kind = RecordKind::CheckpointKey;
        let records = self.store.key_versions(AccountId::SERVER, kind).await?;
        let keys = records.iter().map(|record| VerifyingKey::from_bytes(&record.public_key));
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Writes down that the server begins to serve.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note_start(&self, version: &str) -> Result<(), Error> {
        self.store.record(&By::SERVER, Event::done("server.start").saying(version)).await
    }

    /// Writes down what was counted, and that the server ends, and signs it. To be called once, when
    /// no call is under way.
    pub async fn note_stop(&self) {
        if let Err(error) = self.add_usage().await {
            tracing::warn!(%error, "the last usage could not be added up");
        }
        // Each for itself: what can be written is.
        let refusals = self.write_refusals().await;
        let stop = self.store.record(&By::SERVER, Event::done("server.stop")).await;
        let signed = self.checkpoint().await.map(drop);
        if let Err(error) = refusals.and(stop).and(signed) {
            tracing::warn!(%error, "the end of the audit log could not be written and signed");
        }
    }

    /// Signs checkpoints when they are due and writes down refused tokens once a minute, until `stop`;
    /// what is under way then is ended. Failures are logged when they begin, and tried again.
    pub async fn keep_audit(&self, stop: impl Future<Output = ()>) {
        let (mut stop, mut fails, mut written) = (pin!(stop), false, Instant::now());
        while timeout(LOOK_EVERY, &mut stop).await.is_err() {
            let done = async {
                if written.elapsed() >= REFUSALS_EVERY {
                    self.write_refusals().await?;
                    written = Instant::now();
                }
                match self.checkpoint_is_due() {
                    true => self.checkpoint().await.map(drop),
                    false => Ok(()),
                }
            };
            match done.await {
                Ok(()) => fails = false,
                Err(error) if !std::mem::replace(&mut fails, true) => {
                    tracing::warn!(%error, "the audit log can't be signed now; it is tried again");
                }
                Err(_) => {}
            }
        }
    }

    fn checkpoint_is_due(&self) -> bool {
        let heads = self.store.audit_heads();
        let Some((current, left)) = heads.split_last() else { return false };
        let CheckpointPolicy { rows, time } = self.settings.checkpoints;
        let new = self.keeper.uncovered(current);
        // What was left grows no more.
        left.iter().any(|head| self.keeper.uncovered(head) > 0)
            || new >= rows
            || (new > 0 && self.keeper.covered().since.elapsed() >= time)
    }

    async fn write_refusals(&self) -> Result<(), Error> {
        let counts = self.refusals.take();
        let Some(event) = counts.event() else { return Ok(()) };
        let written = self.store.record(&By::SERVER, event).await;
        // What may be there is not written twice.
        if let Err(error) = &written
            && !matches!(error, Error::OutcomeUnknown(_))
        {
            self.refusals.put_back(&counts);
        }
        written
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);
const REFUSALS_EVERY: Duration = Duration::from_secs(60);
/// How often a number is tried that other servers take.
const MAX_TRIES: u32 = 20;
