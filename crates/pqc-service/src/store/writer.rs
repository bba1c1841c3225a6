//! Group commit: one task owns the connection that writes, and makes one transaction of all the
//! changes that wait.
//!
//! A change comes in by [`Writer::write`] or [`Writer::spend`] and is answered after the commit
//! that it was part of: all of a batch, or none. The queue is bounded: when it is full, callers
//! wait. There is no SQL here; an [`Engine`] knows how one database begins, applies and commits.

mod counts;
mod transaction;

use std::future::Future;
use std::sync::{Arc, PoisonError, RwLock};

use pqc_core::audit::ChainHead;
use pqc_core::replay::ReplayId;
use pqc_core::session::SessionHash;
use pqc_core::token::{Refusal, TokenHash};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId, VerifyingKey};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use self::counts::{Counts, Waiting};
use self::transaction::{Answers, Changes, transact};
use super::audited::AuditRow;
use super::figures::StoreFigures;
use super::replay::{Begun, Claimed, KeptAnswer, NONCE_BYTES, NewClaim};
use super::{
    AccountRecord, KeyRecord, MasterRotation, NewMasterKey, Resealed, SessionRecord, TokenRecord,
};
use crate::account::Custody;
use crate::audit::{By, Event};
use crate::error::Error;
use crate::usage::{CounterId, KeyUse, UsageCount};

/// The attempts left after one was spent (`None`: without count), or why none was.
pub(super) type Spent = Result<Option<u32>, Refusal>;

/// A change that answers how many rows it made, changed or removed: none, if it was not made.
#[derive(Debug)]
pub(super) enum Write {
    AddMasterKey(NewMasterKey),
    BeginMasterRotation(MasterRotation),
    EndMasterRotation {
        from: u32,
        to: u32,
    },
    ResealKeys(Vec<Resealed>),
    CreateAccount {
        account: AccountRecord,
        root_token: TokenRecord,
    },
    SetCustody {
        account: AccountId,
        custody: Custody,
    },
    SetDisabled {
        account: AccountId,
        disabled: bool,
    },
    InsertToken(TokenRecord),
    MintToken {
        token: TokenRecord,
        by: TokenId,
    },
    ReplaceRootToken {
        token: TokenRecord,
        by: Option<TokenId>,
        revoke_temporary: bool,
    },
    RevokeToken {
        account: AccountId,
        token: TokenId,
    },
    RevokeTemporaryTokens {
        account: AccountId,
    },
    InsertKey(KeyRecord),
    PutInForce(KeyRecord),
    DestroyKey {
        account: AccountId,
        key: KeyId,
    },
    UndestroyKey {
        account: AccountId,
        key: KeyId,
        since: Timestamp,
    },
    PurgeKeys {
        until: Timestamp,
        limit: u32,
    },
    TrustIssuer(VerifyingKey),
    DistrustIssuer(VerifyingKey),
    RemoveEndedTokens {
        account: AccountId,
        before: Timestamp,
        limit: u32,
    },
    /// Leaves all calls to whoever comes next.
    ReleaseAllClaims,
    /// Takes away a claim that could not be paid.
    DropClaim {
        id: ReplayId,
        nonce: [u8; NONCE_BYTES],
    },
    ReleaseClaim {
        id: ReplayId,
        nonce: [u8; NONCE_BYTES],
    },
    /// An answer, and what is done with it; as many rows as that, or 1.
    KeepAnswer {
        answer: KeptAnswer,
        effect: Option<Box<Write>>,
    },
    RemoveEndedAnswers {
        before: Timestamp,
        limit: u32,
    },
    BeginSession(SessionRecord),
    EndSession {
        account: AccountId,
        hash: SessionHash,
    },
    RemoveEndedSessions {
        before: Timestamp,
        limit: u32,
    },
    /// Something to be written down that changes nothing else.
    Record(Event),
    AddCheckpoint {
        number: u64,
        checkpoint: Vec<u8>,
    },
    AddUsage {
        counter: CounterId,
        counts: Vec<UsageCount>,
    },
    AddKeyUses(Vec<KeyUse>),
    NoteBackup(Timestamp),
}

/// Why a transaction came to nothing, or may have. Every change in it gets this answer.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Nothing was done.
    Unavailable(String),
    /// Nothing was done: another server, or a log without room, was in the way, which passes.
    Conflict(String),
    /// Nothing was done: the database is damaged.
    Corrupt(&'static str),
    /// The commit was not confirmed.
    OutcomeUnknown(String),
    /// As [`Self::OutcomeUnknown`], and what is asked next could be answered wrongly: the engine
    /// has told the host to end the process, and nobody gets an answer any more.
    Halted(String),
}

/// One connection to a database with transactions.
///
/// In [`Engine::write`] and [`Engine::spend`] the outer error ends the transaction, the inner one
/// is the answer to one change, which then left no trace while the others go on.
pub(super) trait Engine: Send + 'static {
    /// Begins a transaction, on a new connection if the last one was lost, and gives the store's
    /// time in it. After an error no transaction is open.
    fn begin(&mut self) -> impl Future<Output = Result<Timestamp, Failure>> + Send;

    /// Makes one change: how many rows it touched.
    fn write(
        &mut self,
        write: &Write,
        now: Timestamp,
    ) -> impl Future<Output = Result<Result<u64, Error>, Failure>> + Send;

    /// Spends one attempt of each of these tokens, in this order: as many answers.
    fn spend(
        &mut self,
        tokens: &[TokenHash],
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<Result<Spent, Error>>, Failure>> + Send;

    /// Looks for a call with an idempotency key, and else makes a row for it, to be paid.
    fn begin_claim(
        &mut self,
        claim: &NewClaim,
        now: Timestamp,
    ) -> impl Future<Output = Result<Result<Begun, Error>, Failure>> + Send;

    /// Adds rows to the audit log.
    fn record(&mut self, rows: &[AuditRow]) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Makes the transaction durable. After an error no transaction is open.
    fn commit(&mut self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Undoes the transaction, if need be by giving up the connection.
    fn rollback(&mut self) -> impl Future<Output = ()> + Send;

    /// Ends the connection in good order.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// The way to the one task that writes. When it is dropped, the task ends after what waits.
#[derive(Debug)]
pub(super) struct Writer<E> {
    /// `None` once it was closed; the task ends when every sender is gone.
    jobs: RwLock<Option<mpsc::Sender<Job>>>,
    counts: Arc<Counts>,
    heads: Arc<RwLock<Heads>>,
    task: Mutex<Option<JoinHandle<E>>>,
}

impl<E: Engine> Writer<E> {
    /// Starts the task.
    pub(super) fn start(engine: E) -> Self {
        let (jobs, queue) = mpsc::channel(MAX_WAITING);
        let (counts, heads) = (Arc::default(), Arc::default());
        let task = tokio::spawn(run(engine, queue, Arc::clone(&counts), Arc::clone(&heads)));
        Self { jobs: RwLock::new(Some(jobs)), counts, heads, task: Mutex::new(Some(task)) }
    }

    /// Makes one change: whether there was anything to do. The answer comes after its commit.
    pub(super) async fn write(&self, by: &By, write: Write) -> Result<bool, Error> {
        Ok(self.count(by, write).await? > 0)
    }

    /// As [`Self::write`]: of how many rows.
    pub(super) async fn count(&self, by: &By, write: Write) -> Result<u64, Error> {
        let job = |answer| Job::Write(Box::new((write, by.clone())), answer);
        self.counts.writes.time(self.submit(job)).await
    }

    /// Spends one attempt of the token, for this use; the answer comes after its commit.
    pub(super) async fn spend(
        &self,
        by: &By,
        token: TokenHash,
        usage: Event,
    ) -> Result<Spent, Error> {
        let job = |answer| Job::Spend(token, Box::new((usage, by.clone())), answer);
        self.counts.spends.time(self.submit(job)).await
    }

    /// Claims a call with an idempotency key; the answer comes after its commit.
    pub(super) async fn claim(&self, by: &By, claim: NewClaim) -> Result<Claimed, Error> {
        let job = |answer| Job::Claim(Box::new((claim, by.clone())), answer);
        self.counts.spends.time(self.submit(job)).await
    }

    /// How far the chains of the audit log have come that this writer made, the one that it makes
    /// last.
    pub(super) fn audit_heads(&self) -> Vec<ChainHead> {
        let heads = self.heads.read().unwrap_or_else(PoisonError::into_inner);
        heads.left.iter().copied().chain(heads.current).collect()
    }

    /// Whether the last transaction came to nothing.
    pub(super) fn failed_last(&self) -> bool {
        self.counts.failed_last()
    }

    /// Makes a transaction that changes nothing but the time.
    pub(super) async fn try_out(&self) -> Result<(), Error> {
        self.submit(Job::TryOut).await
    }

    /// Has the time committed, soon. Where the queue is full, the next transaction does it anyway.
    pub(super) fn commit_time(&self) {
        if let Some(jobs) = self.jobs() {
            let _ = jobs.try_send(Job::CommitTime);
        }
    }

    /// Whether the task takes changes.
    pub(super) fn is_alive(&self) -> bool {
        self.jobs().is_some_and(|jobs| !jobs.is_closed())
    }

    /// How many transactions were committed.
    pub(super) fn commits(&self) -> u64 {
        self.counts.commits()
    }

    /// What it did; it reads nothing.
    pub(super) fn figures(&self) -> StoreFigures {
        self.counts.figures()
    }

    /// Lets no more changes in and waits until those that wait are answered; the first caller gets
    /// the engine.
    pub(super) async fn finish(&self) -> Option<E> {
        *self.jobs.write().unwrap_or_else(PoisonError::into_inner) = None;
        let mut task = self.task.lock().await;
        let ended = match task.as_mut() {
            Some(handle) => handle.await,
            None => return None,
        };
        *task = None;
        ended.ok()
    }

    async fn submit<T>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Job,
    ) -> Result<T, Error> {
        let _waiting = Waiting::in_count(&self.counts);
        let (answer, answered) = oneshot::channel();
        let closed = || Error::Unavailable("it was closed".to_owned());
        let jobs = self.jobs().ok_or_else(closed)?;
        jobs.send(job(answer)).await.map_err(|_| closed())?;
        drop(jobs);
        answered.await.unwrap_or_else(|_| {
            Err(Error::OutcomeUnknown("the task that writes has ended".to_owned()))
        })
    }
}

impl<E> Writer<E> {
    fn jobs(&self) -> Option<mpsc::Sender<Job>> {
        self.jobs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug)]
enum Job {
    Write(Box<(Write, By)>, Answer<u64>),
    Spend(TokenHash, Box<(Event, By)>, Answer<Spent>),
    Claim(Box<(NewClaim, By)>, Answer<Claimed>),
    TryOut(Answer<()>),
    CommitTime,
}

type Answer<T> = oneshot::Sender<Result<T, Error>>;

async fn run<E: Engine>(
    mut engine: E,
    mut queue: mpsc::Receiver<Job>,
    counts: Arc<Counts>,
    heads: Arc<RwLock<Heads>>,
) -> E {
    let mut jobs = Vec::with_capacity(MAX_BATCH);
    while queue.recv_many(&mut jobs, MAX_BATCH).await > 0 {
        if let Some(batch) = Batch::of(&mut jobs) {
            if let Err(Halted) = batch.carry_out(&mut engine, &counts, &heads).await {
                break;
            }
            // Those who were answered may have their next change ready.
            tokio::task::yield_now().await;
        }
    }
    engine
}

/// The store makes no more changes.
struct Halted;

/// How far the chains of the audit log have come that this writer makes.
#[derive(Debug, Default)]
struct Heads {
    current: Option<ChainHead>,
    /// Those that it left, as far as it knows them.
    left: Vec<ChainHead>,
}

impl Heads {
    fn after<T>(&mut self, done: &Result<(T, Option<ChainHead>), Failure>) {
        match done {
            Ok((_, head)) => self.current = *head,
            // Where the chain is can't be known: another begins.
            Err(Failure::OutcomeUnknown(_)) => self.left.extend(self.current.take()),
            Err(_) => {}
        }
    }
}

/// What one transaction does: first the changes, then the uses of tokens, then those with an
/// idempotency key, each in the order of their coming. None was answered before the others came, so
/// no caller can tell; and a revocation holds for the uses that waited beside it.
#[derive(Default)]
struct Batch {
    writes: Vec<(Write, By)>,
    write_answers: Vec<Answer<u64>>,
    tokens: Vec<TokenHash>,
    uses: Vec<(Event, By)>,
    token_answers: Vec<Answer<Spent>>,
    claims: Vec<(NewClaim, By)>,
    claim_answers: Vec<Answer<Claimed>>,
    tried_out: Vec<Answer<()>>,
}

impl Batch {
    /// Takes all `jobs` whose callers still wait; `None` if there is nothing to do.
    fn of(jobs: &mut Vec<Job>) -> Option<Self> {
        let mut batch = Self::default();
        let mut any = false;
        for job in jobs.drain(..) {
            match job {
                Job::Write(_, answer) if answer.is_closed() => continue,
                Job::Spend(_, _, answer) if answer.is_closed() => continue,
                Job::Claim(_, answer) if answer.is_closed() => continue,
                Job::Write(write, answer) => {
                    batch.writes.push(*write);
                    batch.write_answers.push(answer);
                }
                Job::Spend(token, usage, answer) => {
                    batch.tokens.push(token);
                    batch.uses.push(*usage);
                    batch.token_answers.push(answer);
                }
                Job::Claim(claim, answer) => {
                    batch.claims.push(*claim);
                    batch.claim_answers.push(answer);
                }
                Job::TryOut(answer) => batch.tried_out.push(answer),
                Job::CommitTime => {}
            }
            any = true;
        }
        any.then_some(batch)
    }

    async fn carry_out(
        self,
        engine: &mut impl Engine,
        counts: &Counts,
        heads: &RwLock<Heads>,
    ) -> Result<(), Halted> {
        let Self { writes, write_answers, tokens, uses, token_answers, .. } = self;
        let Self { claims, claim_answers, tried_out, .. } = self;
        let size = writes.len().saturating_add(tokens.len()).saturating_add(claims.len());
        let changes = Changes { writes: &writes, tokens: &tokens, uses: &uses, claims: &claims };
        let before = heads.read().unwrap_or_else(PoisonError::into_inner).current;
        let done = transact(engine, &changes, before).await;
        heads.write().unwrap_or_else(PoisonError::into_inner).after(&done);
        match done {
            Ok((Answers { made, spent, claimed }, _)) => {
                if counts.committed(size) {
                    tracing::info!("the store commits again");
                }
                answer_each(write_answers, made);
                answer_each(token_answers, spent);
                answer_each(claim_answers, claimed);
                for answer in tried_out {
                    let _ = answer.send(Ok(()));
                }
            }
            Err(failure) => {
                let failed_before = counts.failed();
                if let Failure::Halted(_) = failure {
                    return Err(Halted);
                }
                answer_all(tried_out, &failure);
                // Where one fails, many do: the first says enough.
                match failed_before {
                    true => tracing::debug!(%failure, "a store transaction failed again"),
                    false => tracing::warn!(%failure, "a store transaction failed"),
                }
                answer_all(write_answers, &failure);
                answer_all(token_answers, &failure);
                answer_all(claim_answers, &failure);
            }
        }
        Ok(())
    }
}

fn answer_each<T>(answers: Vec<Answer<T>>, results: Vec<Result<T, Error>>) {
    for (answer, result) in answers.into_iter().zip(results) {
        // A caller that has gone away needs no answer.
        let _ = answer.send(result);
    }
}

fn answer_all<T>(answers: Vec<Answer<T>>, failure: &Failure) {
    for answer in answers {
        let _ = answer.send(Err(failure.clone().into()));
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unavailable(why) | Failure::Conflict(why) => Self::Unavailable(why),
            Failure::Corrupt(what) => Self::Corrupt { what },
            Failure::OutcomeUnknown(why) | Failure::Halted(why) => Self::OutcomeUnknown(why),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Error::from(self.clone()).fmt(f)
    }
}

/// The most changes in one transaction: one that fails takes no more than these with it.
const MAX_BATCH: usize = 512;
/// The most changes that wait; more callers wait to be let in.
const MAX_WAITING: usize = 1024;

#[cfg(test)]
mod tests;
