//! Group reading: the calls that wait for their tokens share one statement.
//!
//! A token is looked up for each call, twice, and each time anew: only the store knows what was revoked
//! a moment ago by another process. What that costs is mostly the way to the database and back, so a
//! few tasks go it, each for all that wait when it sets out. What a lookup shows was committed after it
//! was asked for, or stood before.

use std::sync::Arc;

use pqc_core::Timestamp;
use pqc_core::token::TokenHash;
use tokio::sync::{Mutex, mpsc, oneshot};

use super::figures::Timed;
use super::read;
use super::sql::Reads;
use super::writer::Failure;
use super::{AccountRecord, TokenRecord};
use crate::error::Error;

/// The time that is committed, and the token with its account.
pub(super) type Found = (Timestamp, Option<(TokenRecord, AccountRecord)>);

/// The way to the tasks that look tokens up. When it is dropped, they end.
#[derive(Debug)]
pub(super) struct Lookups {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    hash: TokenHash,
    answer: oneshot::Sender<Result<Found, Failure>>,
}

impl Lookups {
    /// Starts so many tasks: so many statements run at a time.
    pub(super) fn start<R: Reads + Send + 'static>(
        readers: &Arc<Timed<R>>,
        at_a_time: usize,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(MAX_WAITING);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..at_a_time {
            tokio::spawn(run(Arc::clone(readers), Arc::clone(&queue)));
        }
        Self { jobs }
    }

    /// Finds a token by its hash.
    pub(super) async fn find(&self, hash: &TokenHash) -> Result<Found, Error> {
        let (answer, answered) = oneshot::channel();
        let job = Job { hash: *hash, answer };
        self.jobs.send(job).await.map_err(|_| ended())?;
        Ok(answered.await.map_err(|_| ended())??)
    }
}

fn ended() -> Error {
    Error::Unavailable("the task that looks tokens up has ended".to_owned())
}

async fn run<R: Reads>(readers: Arc<Timed<R>>, queue: Arc<Mutex<mpsc::Receiver<Job>>>) {
    let mut jobs = Vec::with_capacity(read::MOST_TOKENS);
    loop {
        let count = queue.lock().await.recv_many(&mut jobs, read::MOST_TOKENS).await;
        if count == 0 {
            return;
        }
        let mut hashes = Vec::with_capacity(count);
        for job in &jobs {
            if !hashes.contains(&job.hash) {
                hashes.push(job.hash);
            }
        }
        let found = read::clock_and_tokens(&*readers, &hashes).await;
        for job in jobs.drain(..) {
            let answer = match &found {
                Ok((time, tokens)) => {
                    let token = tokens.iter().find(|(hash, _)| *hash == job.hash);
                    let token = token.map(|(_, token)| token.clone()).transpose();
                    token.map(|token| (*time, token))
                }
                Err(failure) => Err(failure.clone()),
            };
            // Nobody waits any more where the call was given up.
            let _ = job.answer.send(answer);
        }
    }
}

/// More than calls are served at a time: those that find no room wait.
const MAX_WAITING: usize = 4096;
