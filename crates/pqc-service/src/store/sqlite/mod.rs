//! The embedded store: one SQLite file, for one machine.
//!
//! [`SqliteStore::open`] is the door. Reads go to a few read-only connections, or are done on the
//! spot (`direct.rs`); writes go through the one task of `writer.rs`; the write-ahead log lets neither
//! wait for the other. Every commit is synchronous (`synchronous=FULL`): what was answered is on disk.
//! Other processes may open the same file, as the command line does beside a running server.

mod direct;
mod open;
mod readers;
mod spend;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pqc_core::Timestamp;
use pqc_core::token::TokenHash;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::mpsc;

use self::readers::Readers;
use super::copy::{self, Incoming, Row};
use super::database::Database;
use super::figures::Timed;
use super::lookups::{self, Found};
use super::read;
use super::rows;
use super::sql::{self, Arg, Writes};
use super::writer::{Failure, Writer};
use crate::error::Error;
use crate::host::Host;

/// The embedded store.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Timed<Readers>,
    writer: Writer<write::SqliteEngine>,
    clock: Arc<Clock>,
    options: SqliteConnectOptions,
    /// Whether something that was removed may still stand in the log.
    traces: AtomicBool,
}

impl SqliteStore {
    /// Opens the store in the file `path`. Where there is none, makes one that only its owner can
    /// read (mode 0600); the folder must exist. Needs a Tokio runtime, which it uses from then on.
    ///
    /// # Errors
    /// [`Error::NewerSchema`]; [`Error::Corrupt`]: the file is damaged or no store of this
    /// program. Neither changes anything. [`Error::Unavailable`]: the file cannot be opened or
    /// written.
    pub async fn open(path: &Path, host: Arc<dyn Host>) -> Result<Self, Error> {
        let options = open::options(path)?;
        let connection = open::open(&options).await?;
        Self::on(options, connection, host).await
    }

    /// As [`Self::open`], but makes no store where there is none, as in a file that has lost its
    /// tables: then it gives `None`, and nothing was changed.
    ///
    /// # Errors
    /// As there.
    pub async fn open_existing(path: &Path, host: Arc<dyn Host>) -> Result<Option<Self>, Error> {
        let options = open::options(path)?;
        match open::open_existing(&options).await? {
            Some(connection) => Self::on(options, connection, host).await.map(Some),
            None => Ok(None),
        }
    }

    async fn on(
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        host: Arc<dyn Host>,
    ) -> Result<Self, Error> {
        let pool = open::readers(options.clone()).await?;
        let clock = Arc::new(Clock::new(host));
        let readers = Timed::new(Readers::new(pool, options.get_filename()));
        clock.learn(read::clock(&readers).await?);
        clock.now();
        let engine = write::SqliteEngine::new(options.clone(), connection, Arc::clone(&clock));
        // An earlier process may have been killed between the two.
        let traces = AtomicBool::new(true);
        Ok(Self { readers, writer: Writer::start(engine), clock, options, traces })
    }

    /// Makes a store in the new file `path`, with all rows that come. It is there as a whole or not
    /// at all, unless the process is killed.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: the file is there, or cannot be written. [`Error::Internal`]: the
    /// rows ended without [`Incoming::Whole`].
    pub async fn restore(path: &Path, mut rows: mpsc::Receiver<Incoming>) -> Result<(), Error> {
        if path.exists() {
            return Err(Error::Unavailable(format!("{} is there already", path.display())));
        }
        let options = open::options(path)?;
        let mut connection = open::open(&options).await?;
        let filled = fill(&mut connection, &mut rows).await;
        let closed = connection.close().await.map_err(error);
        let done = filled.and(closed);
        if done.is_err() {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = path.as_os_str().to_owned();
                name.push(suffix);
                let _ = std::fs::remove_file(name);
            }
        }
        done
    }

    /// How many transactions this store committed since it was opened. Changes that wait together
    /// share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

impl Database for SqliteStore {
    type Readers = Readers;
    type Engine = write::SqliteEngine;

    const KIND: &'static str = "SQLite, embedded";

    fn readers(&self) -> &Timed<Readers> {
        &self.readers
    }

    fn writer(&self) -> &Writer<write::SqliteEngine> {
        &self.writer
    }

    async fn find_token(&self, hash: &TokenHash) -> Result<Found, Error> {
        let (time, mut tokens) =
            lookups::in_time(read::clock_and_tokens(&self.readers, &[*hash])).await??;
        let token = tokens.pop().map(|(_, token)| token).transpose()?;
        Ok((time, token))
    }

    async fn copy_out(&self, to: mpsc::Sender<Vec<Row>>) -> Result<(), Error> {
        let options = (*self.readers.inner().pool().connect_options()).clone();
        let mut connection = options.connect().await.map_err(error)?;
        // What it reads is of the moment of its first look.
        connection.execute("BEGIN", &[]).await?;
        let copied = copy::out(&mut connection, &to).await;
        let _ = connection.close().await;
        copied
    }

    /// The time, given the time that is committed now; has it committed where that is due.
    fn now_after(&self, committed: Timestamp) -> Timestamp {
        self.clock.learn(committed);
        let now = self.clock.now();
        if self.clock.should_commit(now, committed) {
            self.writer.commit_time();
        }
        now
    }

    /// `secure_delete` has overwritten what was removed, in pages that the log holds in their older
    /// forms too: once they are all in the database, the log is cut to nothing.
    async fn erase_removed(&self, now: bool) -> Result<bool, Error> {
        let due = self.traces.swap(false, Ordering::AcqRel) || now;
        if !due {
            return Ok(true);
        }
        let cut = open::cut_log(&self.options).await;
        if !matches!(cut, Ok(true)) {
            self.traces.store(true, Ordering::Release);
        }
        cut
    }
}

async fn fill(
    connection: &mut SqliteConnection,
    rows: &mut mpsc::Receiver<Incoming>,
) -> Result<(), Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(error)?;
    copy::into(&mut *transaction, rows).await?;
    transaction.commit().await.map_err(error)?;
    // All of it into the file; that closing does so too, it does not say when it could not.
    match open::cut(connection).await? {
        true => Ok(()),
        false => Err(Error::Unavailable("another program has the new file open".to_owned())),
    }
}

impl Writes for SqliteConnection {
    type Row = SqliteRow;

    const SHARED: bool = false;

    /// SQLite overwrites a row that it deletes, but not what stays behind of one that it moved to
    /// another page. With a page of bytes before it, a sealed secret lies in pages beyond the row's
    /// own, which are moved never and overwritten when they are given up. (An attestation and the
    /// public key before it are as long.)
    const NO_ATTESTATION: &'static [u8] = &rows::PAGE_OF_ZEROS;

    async fn fetch(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<SqliteRow>, Failure> {
        sql::query!(sql, args).fetch_all(self).await.map_err(|error| failure(&error))
    }

    async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Failure> {
        let done = sql::query!(sql, args).execute(self).await;
        done.map(|done| done.rows_affected()).map_err(|error| failure(&error))
    }
}

/// The store's time: the host's clock, but never behind what was committed or given out before.
///
/// The time of every transaction is committed with it. Time that was only given out is committed
/// soon after, so that a token that was refused as expired stays so over a restart with a clock
/// that was set back.
struct Clock {
    host: Arc<dyn Host>,
    /// The greatest time that is known to this process.
    greatest: AtomicU64,
    /// The greatest time that the writer was asked to commit for its own sake.
    asked: AtomicU64,
    /// The host's time at which it was last said that it is behind.
    warned: AtomicU64,
}

impl Clock {
    fn new(host: Arc<dyn Host>) -> Self {
        Self {
            host,
            greatest: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            warned: AtomicU64::new(0),
        }
    }

    fn now(&self) -> Timestamp {
        let host = self.host.now().millis();
        let now = self.greatest.fetch_max(host, Ordering::Relaxed).max(host);
        if now.saturating_sub(host) >= SUSPICIOUS_MILLIS {
            self.warn_that_host_is_behind(now, host);
        }
        Timestamp::from_millis(now)
    }

    /// Once in a while: this clock was set back, or ran ahead before.
    fn warn_that_host_is_behind(&self, now: u64, host: u64) {
        let warned = self.warned.load(Ordering::Relaxed);
        let due = warned == 0 || host.abs_diff(warned) >= SUSPICIOUS_MILLIS;
        let ours = || {
            let relaxed = Ordering::Relaxed;
            self.warned.compare_exchange(warned, host, relaxed, relaxed).is_ok()
        };
        if due && ours() {
            tracing::warn!(
                seconds = now.saturating_sub(host) / 1000,
                "this machine's clock is behind the store's time, which stands still until it is \
                 passed: tokens live longer by so much"
            );
        }
    }

    /// Takes note of a time that was committed, maybe by another process.
    fn learn(&self, committed: Timestamp) {
        self.greatest.fetch_max(committed.millis(), Ordering::Relaxed);
    }

    /// Whether `now`, which is given out, is to be committed for its own sake: if it is far past
    /// what was committed or will be soon.
    fn should_commit(&self, now: Timestamp, committed: Timestamp) -> bool {
        let now = now.millis();
        is_far_behind(committed.millis(), now)
            && is_far_behind(self.asked.load(Ordering::Relaxed), now)
            && is_far_behind(self.asked.fetch_max(now, Ordering::Relaxed), now)
    }
}

fn is_far_behind(past: u64, now: u64) -> bool {
    now.saturating_sub(past) >= FAR_MILLIS
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

/// How far behind the store's time a clock is no more than unpunctual.
const SUSPICIOUS_MILLIS: u64 = 60_000;
/// How far the time that is given out may run ahead of the time that is committed.
const FAR_MILLIS: u64 = 500;

/// What a database error says of the transaction that it ended.
fn failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Database(_) if matches!(code(error), Some(CORRUPT | NOT_A_DATABASE)) => {
            Failure::Corrupt(DAMAGED)
        }
        sqlx::Error::Database(said) if says_that_schema_is_foreign(said.message()) => {
            Failure::Corrupt(FOREIGN)
        }
        error if is_for_want_of_room(error) => Failure::Unavailable(format!(
            "it cannot be written: the disk is full or fails, or a limit or quota is reached: {error}"
        )),
        error => Failure::Unavailable(error.to_string()),
    }
}

fn error(error: sqlx::Error) -> Error {
    failure(&error).into()
}

/// The primary result code of SQLite, if it is SQLite that failed.
fn code(error: &sqlx::Error) -> Option<i32> {
    // The lowest byte.
    extended_code(error).map(|extended| extended & 0xff)
}

fn extended_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

/// Whether a file could not grow.
fn is_for_want_of_room(error: &sqlx::Error) -> bool {
    matches!(extended_code(error), Some(FULL | IOERR_WRITE | IOERR_SHMSIZE))
}

/// Whether another process holds a lock, which passes.
fn is_locked(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(BUSY | LOCKED))
}

/// SQLite has no code for it.
fn says_that_schema_is_foreign(message: &str) -> bool {
    message.starts_with("no such table") || message.starts_with("no such column")
}

const FOREIGN: &str = "its tables are not those of this program: put it back from a backup";
const DAMAGED: &str = "the database file is damaged, or is no database: put it back from a backup";

// https://www.sqlite.org/rescode.html
const ERROR: i32 = 1;
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const READONLY_ROLLBACK: i32 = READONLY | (3 << 8);
const IOERR: i32 = 10;
const IOERR_WRITE: i32 = IOERR | (3 << 8);
const IOERR_SHMSIZE: i32 = IOERR | (19 << 8);
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;
