//! The store of many servers: one PostgreSQL database (15 or later).
//!
//! [`PostgresStore::open`] is the door. Reads go to a few connections, writes through the one task
//! of `writer.rs`, so that each server brings its waiting changes in one transaction. The time is
//! the database's, one for all. No row is written by every server but those that they are asked
//! for. What is lost with a connection is found again by the next call.

mod connect;
mod open;
mod spend;
mod write;

use std::sync::Arc;

use pqc_core::Timestamp;
use pqc_core::token::TokenHash;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use super::copy::{self, Incoming, Row};
use super::database::Database;
use super::figures::Timed;
use super::lookups::{Found, Lookups};
use super::sql::Writes;
use super::writer::{Failure, Writer};
use crate::error::Error;

/// The store of many servers.
#[derive(Debug)]
pub struct PostgresStore {
    readers: Arc<Timed<connect::Readers>>,
    lookups: Lookups,
    writer: Writer<write::PostgresEngine>,
}

impl PostgresStore {
    /// Whether `url` can be the address of a PostgreSQL database, by its form alone. Nothing is
    /// connected.
    ///
    /// # Errors
    /// [`Error::BadStoreUrl`], which does not repeat any part of a value.
    pub fn check_url(url: &str) -> Result<(), Error> {
        connect::options(url).map(drop)
    }

    /// Opens the store in the database at `url` (`postgres://USER:PASSWORD@HOST:PORT/DATABASE`).
    /// Where its schema is empty, makes the tables; where they are older, brings them up to date.
    /// Servers that start together wait for each other. Needs a Tokio runtime, which it uses from
    /// then on.
    ///
    /// # Errors
    /// [`Error::BadStoreUrl`]; [`Error::NewerSchema`]; [`Error::Corrupt`]: the database is another
    /// program's. [`Error::Unavailable`]: it cannot be reached or written. Nothing is changed then.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let options = connect::options(url)?;
        let connection = open::open(&options).await?;
        Ok(Self::on(options, connection))
    }

    /// As [`Self::open`], but makes no store where there is none: then it gives `None`, and nothing
    /// was changed.
    ///
    /// # Errors
    /// As there.
    pub async fn open_existing(url: &str) -> Result<Option<Self>, Error> {
        let options = connect::options(url)?;
        let connection = open::open_existing(&options).await?;
        Ok(connection.map(|connection| Self::on(options, connection)))
    }

    /// Makes a store in the database at `url`, with all rows that come: its schema and they are there
    /// as a whole or not at all.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::NotEmpty`]. [`Error::Internal`]: the rows ended without
    /// [`Incoming::Whole`]. [`Error::OutcomeUnknown`].
    pub async fn restore(url: &str, mut rows: mpsc::Receiver<Incoming>) -> Result<(), Error> {
        open::restore(&connect::options(url)?, &mut rows).await
    }

    fn on(options: PgConnectOptions, connection: PgConnection) -> Self {
        let readers = connect::Readers::new(options.clone());
        let engine = write::PostgresEngine::new(options, connection);
        let (readers, writer) = (Arc::new(Timed::new(readers)), Writer::start(engine));
        let lookups = Lookups::start(&readers, LOOKUPS);
        Self { readers, lookups, writer }
    }

    /// How many transactions this store committed since it was opened. Changes that wait together
    /// share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

impl Database for PostgresStore {
    type Readers = connect::Readers;
    type Engine = write::PostgresEngine;

    const KIND: &'static str = "PostgreSQL";

    fn readers(&self) -> &Timed<connect::Readers> {
        &self.readers
    }

    fn writer(&self) -> &Writer<write::PostgresEngine> {
        &self.writer
    }

    async fn find_token(&self, hash: &TokenHash) -> Result<Found, Error> {
        self.lookups.find(hash).await
    }

    fn check_lookups(&self) -> Result<(), Error> {
        self.lookups.check()
    }

    async fn copy_out(&self, to: mpsc::Sender<Vec<Row>>) -> Result<(), Error> {
        let mut connection = self.readers.inner().connect_apart().await.map_err(|e| failure(&e))?;
        // One that writes a backup to a slow place may take its time.
        for sql in [
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "SET LOCAL idle_in_transaction_session_timeout = 0",
        ] {
            connection.execute(sql, &[]).await?;
        }
        let copied = copy::out(&mut connection, &to).await;
        let _ = connect::within(connect::CONNECT_TIMEOUT, connection.close()).await;
        copied
    }

    /// That is the database's own.
    fn now_after(&self, shown: Timestamp) -> Timestamp {
        shown
    }

    /// Its files are PostgreSQL's own.
    async fn erase_removed(&self, _now: bool) -> Result<bool, Error> {
        Ok(true)
    }
}

/// What a database error says of the transaction that it ended, if that was not about to commit.
fn failure(error: &sqlx::Error) -> Failure {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    match code(error).as_deref() {
        // Serialization failure, deadlock.
        Some(code) if code.starts_with("40") => Failure::Conflict(words(error)),
        // Data or an index that is corrupted; a table or column that is not there.
        Some("XX001" | "XX002") => Failure::Corrupt("PostgreSQL finds its files damaged"),
        Some("42P01" | "42703") => Failure::Corrupt("its tables are not those of this program"),
        _ => Failure::Unavailable(words(error)),
    }
}

/// Without the line of PostgreSQL's own source, which operators would take for one of theirs.
fn words(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(|| error.to_string(), |said| said.message().to_owned())
}

/// The five characters by which PostgreSQL names an error, if it was PostgreSQL that failed.
fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// So many go the way to the database at a time, which may be a long one.
const LOOKUPS: usize = 4;
