//! The connection that writes: how SQLite begins, applies and commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pqc_core::Timestamp;
use pqc_core::token::TokenHash;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::{
    Clock, ERROR, IOERR, IOERR_SHMSIZE, code, extended_code, failure, is_for_want_of_room,
    is_locked, open, spend,
};
use crate::error::Error;
use crate::store::audited::{self, AuditRow};
use crate::store::change;
use crate::store::replay::{self, Begun, NewClaim};
use crate::store::rows::{self, millis};
use crate::store::writer::{Engine, Failure, Spent, Write};

/// The one connection that writes.
#[derive(Debug)]
pub(in crate::store) struct SqliteEngine {
    options: SqliteConnectOptions,
    /// `None` after a failure that left its state in doubt.
    connection: Option<SqliteConnection>,
    clock: Arc<Clock>,
    /// When the log was to be cut for want of room and could not be, if it was not cut since.
    log_kept: Option<Instant>,
}

impl SqliteEngine {
    pub(super) fn new(
        options: SqliteConnectOptions,
        connection: SqliteConnection,
        clock: Arc<Clock>,
    ) -> Self {
        Self { options, connection: Some(connection), clock, log_kept: None }
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        self.connection.as_mut().ok_or_else(|| Failure::Unavailable("no connection".to_owned()))
    }

    async fn connected(&mut self) -> Result<&mut SqliteConnection, sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Takes the lock, for which it waits while another process has it.
    ///
    /// SQLite's own waiting sleeps longer and longer; beside a busy server, whose writer frees the
    /// lock for moments only, it would miss most of them.
    async fn begin_when_unlocked(&mut self) -> Result<Option<Timestamp>, sqlx::Error> {
        let start = Instant::now();
        loop {
            match self.begin_at_once().await {
                Err(error) if is_locked(&error) && start.elapsed() < LOCK_TIMEOUT => {
                    tokio::time::sleep(LOCK_POLL).await;
                }
                begun => return begun,
            }
        }
    }

    /// Takes the lock, stores our time if it is the greatest, and gives the greatest.
    async fn begin_at_once(&mut self) -> Result<Option<Timestamp>, sqlx::Error> {
        let rows = sqlx::query(BEGIN)
            .bind(millis(self.clock.now()))
            .fetch_all(self.connected().await?)
            .await?;
        let greatest = rows.first().and_then(|row| rows::clock(row).ok());
        if let Some(greatest) = greatest {
            self.clock.learn(greatest);
        }
        Ok(greatest)
    }

    /// Cuts the log, where that was not tried in vain just now: it may be what fills the disk.
    async fn make_room(&mut self) -> bool {
        if self.log_kept.is_some_and(|last| last.elapsed() < CUT_AGAIN_AFTER) {
            return false;
        }
        let cut = open::cut_log(&self.options).await;
        if let Err(error) = &cut {
            tracing::warn!(%error, "the store's log could not be cut to make room");
        }
        let was_cut = cut.unwrap_or(false);
        self.log_kept = (!was_cut).then(Instant::now);
        was_cut
    }

    /// Gives up the connection; SQLite undoes what was not committed.
    async fn disconnect(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }
}

impl Engine for SqliteEngine {
    async fn begin(&mut self) -> Result<Timestamp, Failure> {
        let failure = match self.begin_when_unlocked().await {
            Ok(Some(now)) => return Ok(now),
            Ok(None) => Failure::Corrupt("the clock"),
            Err(error) => failure(&error),
        };
        self.rollback().await;
        Err(failure)
    }

    async fn write(
        &mut self,
        write: &Write,
        now: Timestamp,
    ) -> Result<Result<u64, Error>, Failure> {
        change::all_or_none(self.connection()?, write, now).await
    }

    async fn spend(
        &mut self,
        tokens: &[TokenHash],
        now: Timestamp,
    ) -> Result<Vec<Result<Spent, Error>>, Failure> {
        spend::each(self.connection()?, tokens, now).await
    }

    async fn begin_claim(
        &mut self,
        claim: &NewClaim,
        now: Timestamp,
    ) -> Result<Result<Begun, Error>, Failure> {
        replay::begin(self.connection()?, claim, now).await
    }

    async fn record(&mut self, rows: &[AuditRow]) -> Result<(), Failure> {
        audited::insert(self.connection()?, rows).await
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        let Err(error) = sqlx::query("COMMIT").execute(self.connection()?).await else {
            // There is room again: now the log can be brought into the database, before it takes
            // that room too.
            if self.log_kept.take().is_some() {
                self.make_room().await;
            }
            return Ok(());
        };
        // What could not be flushed may stand in the log all the same, for the next open of the
        // file to find; and what is asked for now would be answered as if it did not.
        if code(&error) == Some(IOERR) && !is_for_want_of_room(&error) {
            self.clock.host.halt(&format!(
                "the disk did not confirm what was written to {}: {error}; this process ends, so \
                 that nothing is built on it: look after the disk, then start again",
                self.options.get_filename().display()
            ));
            return Err(Failure::Halted(error.to_string()));
        }
        let undone = match &mut self.connection {
            Some(connection) => sqlx::query("ROLLBACK").execute(connection).await.is_ok(),
            None => false,
        };
        // Where there is no room, the end of the transaction, which makes it valid, was not
        // written; but the log's index grows after the log.
        let is_logged = extended_code(&error) == Some(IOERR_SHMSIZE);
        if !undone || is_logged {
            self.disconnect().await;
        }
        let full = is_for_want_of_room(&error);
        if is_logged || !(undone || full) {
            return Err(Failure::OutcomeUnknown(error.to_string()));
        }
        Err(match full && self.make_room().await {
            true => Failure::Conflict(error.to_string()),
            false => failure(&error),
        })
    }

    async fn rollback(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        match sqlx::query("ROLLBACK").execute(connection).await {
            Ok(_) => {}
            // No transaction is open: SQLite has undone it by itself, or none was begun.
            Err(error) if code(&error) == Some(ERROR) => {}
            Err(_) => self.disconnect().await,
        }
    }

    async fn close(mut self) {
        self.disconnect().await;
    }
}

const BEGIN: &str = "BEGIN IMMEDIATE; \
     UPDATE clock SET greatest = max(greatest, ?) WHERE id = 1 RETURNING greatest";
/// How long a transaction waits for the lock of another process.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(1);
const CUT_AGAIN_AFTER: Duration = Duration::from_secs(1);
