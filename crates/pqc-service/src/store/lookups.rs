//! Group reading: the calls that wait for their tokens share one statement.
//!
//! A token is looked up for each call, twice, and each time anew: only the store knows what was revoked
//! a moment ago by another process. Where the database is a server, what that costs is mostly the way
//! there and back, so a few tasks go it, each for all that wait when it sets out. What a lookup shows was committed after it
//! was asked for, or stood before.

use std::sync::Arc;
use std::time::Duration;

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
        let found = async {
            self.jobs.send(job).await.map_err(|_| ended())?;
            Ok(answered.await.map_err(|_| ended())??)
        };
        in_time(found).await.flatten()
    }

    /// Whether somebody still looks tokens up.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.jobs.is_closed() { Err(ended()) } else { Ok(()) }
    }
}

fn ended() -> Error {
    Error::Unavailable("the task that looks tokens up has ended".to_owned())
}

/// A look at one row, for as long as it may take at most.
pub(super) async fn in_time<T>(found: impl Future<Output = T>) -> Result<T, Error> {
    let no_answer = |_| Error::Unavailable("the look for a token has no answer".to_owned());
    tokio::time::timeout(LONGEST, found).await.map_err(no_answer)
}

async fn run<R: Reads>(readers: Arc<Timed<R>>, queue: Arc<Mutex<mpsc::Receiver<Job>>>) {
    let mut jobs = Vec::with_capacity(read::MOST_TOKENS);
    while queue.lock().await.recv_many(&mut jobs, read::MOST_TOKENS).await > 0 {
        // Nobody waits any more where a call was given up.
        jobs.retain(|job| !job.answer.is_closed());
        let mut hashes = Vec::with_capacity(jobs.len());
        for job in &jobs {
            if !hashes.contains(&job.hash) {
                hashes.push(job.hash);
            }
        }
        if hashes.is_empty() {
            continue;
        }
        match read::clock_and_tokens(&*readers, &hashes).await {
            Ok((time, tokens)) => {
                for Job { hash, answer } in jobs.drain(..) {
                    let token = tokens.iter().find(|(of, _)| *of == hash);
                    let token = token.map(|(_, token)| token.clone()).transpose();
                    let _ = answer.send(token.map(|token| (time, token)));
                }
            }
            Err(failure) => {
                // Those that wait would fail one group after the other, each after as long a time.
                let mut queue = queue.lock().await;
                while let Ok(job) = queue.try_recv() {
                    jobs.push(job);
                }
                drop(queue);
                for job in jobs.drain(..) {
                    let _ = job.answer.send(Err(failure.clone()));
                }
            }
        }
    }
}

/// So many calls wait in the queue; more wait to come in.
const MAX_WAITING: usize = 4096;
/// After that a call is told that the store is not available: it is a look at one row.
const LONGEST: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::store::sql::{Arg, Columns};

    /// A database without an answer: it fails after a second, or never.
    struct Broken {
        fails: bool,
    }

    enum NoRow {}

    impl Columns for NoRow {
        fn integer(&self, _: &str) -> Result<Option<i64>, sqlx::Error> {
            match *self {}
        }

        fn bytes(&self, _: &str) -> Result<Option<&[u8]>, sqlx::Error> {
            match *self {}
        }

        fn text(&self, _: &str) -> Result<Option<&str>, sqlx::Error> {
            match *self {}
        }
    }

    impl Reads for Broken {
        type Row = NoRow;

        async fn fetch(&self, _: &'static str, _: &[Arg<'_>]) -> Result<Vec<NoRow>, Failure> {
            if !self.fails {
                pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(Failure::Unavailable("broken".to_owned()))
        }

        async fn close(&self) {}
    }

    /// How long until each of so many calls knew that there is no answer.
    async fn refused(readers: Broken, count: u8) -> Vec<Duration> {
        let readers = Arc::new(Timed::new(readers));
        let lookups = Arc::new(Lookups::start(&readers, 1));
        let begun = tokio::time::Instant::now();
        let calls: Vec<_> = (0..count)
            .map(|number| {
                let lookups = Arc::clone(&lookups);
                tokio::spawn(async move {
                    let found = lookups.find(&TokenHash::from_bytes([number; 32])).await;
                    assert!(matches!(found, Err(Error::Unavailable(_))));
                    begun.elapsed()
                })
            })
            .collect();
        let mut times = Vec::new();
        for call in calls {
            times.push(call.await.unwrap());
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_wait_fail_with_the_group_before_them() {
        let times = refused(Broken { fails: true }, 200).await;
        assert_eq!(times.iter().max().unwrap().as_secs(), 1, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_without_an_answer_is_not_waited_for_long() {
        let times = refused(Broken { fails: false }, 200).await;
        assert_eq!(times.iter().max().unwrap().as_secs(), LONGEST.as_secs(), "{times:?}");
    }

    #[tokio::test]
    async fn it_ends_with_its_tasks() {
        let lookups = Lookups::start(&Arc::new(Timed::new(Broken { fails: true })), 0);
        assert!(matches!(lookups.check(), Err(Error::Unavailable(_))));
        let found = lookups.find(&TokenHash::from_bytes([1; 32])).await;
        assert!(matches!(found, Err(Error::Unavailable(_))));
    }
}
