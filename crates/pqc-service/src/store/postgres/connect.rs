//! Connections: how they behave, what they are told, and how one that was lost is found again.

use std::future::Future;
use std::str::FromStr;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions, PgConnection, PgPool};

use super::failure;
use crate::error::Error;
use crate::store::sql::{self, Arg, Reads, Writes};
use crate::store::writer::Failure;

/// How connections to the database at `url` behave.
///
/// A part of the URL that the library would pass over is an error: it would log its value, which
/// may be a misspelt password.
pub(super) fn options(url: &str) -> Result<PgConnectOptions, Error> {
    let bad = |why| Error::BadStoreUrl { why };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(bad("it does not begin with postgres://"));
    }
    let (_, query) = url.split_once('?').unwrap_or_default();
    let query = query.split_once('#').map_or(query, |(query, _)| query);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !PARAMETERS.contains(&name) {
            return Err(bad("of what may follow the ? there are host, port, dbname, user, \
                            password, sslmode, sslrootcert, sslcert, sslkey and options"));
        }
        if value.is_empty() {
            return Err(bad("something after the ? has no value"));
        }
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| bad("its form, its port or its sslmode is wrong"))?;
    if options.get_database().is_none() {
        return Err(bad("it names no database"));
    }
    Ok(options.application_name("pqc").options(SETTINGS).disable_statement_logging())
}

/// A new connection.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    within(CONNECT_TIMEOUT, options.connect()).await
}

/// Gives up what takes too long: a network may swallow an answer without a word.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let silent = || std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer");
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(silent().into()))
}

/// Whether the connection is of no more use; what was not committed on it is undone.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        // Classes 08 and 57P: connection exception; shutdown, crash, cannot connect now.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P"))
        }
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        _ => false,
    }
}

/// The connections that read.
pub(in crate::store) struct Readers(PgPool);

impl Readers {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(CONNECT_TIMEOUT)
            .test_before_acquire(false);
        Self(pool.connect_lazy_with(options))
    }

    /// A connection that is none of these.
    pub(super) async fn connect_apart(&self) -> Result<PgConnection, sqlx::Error> {
        connect(&self.0.connect_options()).await
    }
}

// A pool's own form shows the password.
impl std::fmt::Debug for Readers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers").finish_non_exhaustive()
    }
}

impl Reads for Readers {
    type Row = PgRow;

    /// Reading changes nothing, so it is tried again on another connection while there are such as
    /// were lost unnoticed.
    async fn fetch(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<PgRow>, Failure> {
        let start = Instant::now();
        loop {
            match within(ANSWER_TIMEOUT, sql::query!(sql, args).fetch_all(&self.0)).await {
                Err(error) if is_lost(&error) && start.elapsed() < CONNECT_TIMEOUT => {}
                done => return done.map_err(|error| failure(&error)),
            }
        }
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

sql::columns!(PgRow);

impl Writes for PgConnection {
    type Row = PgRow;

    const SHARED: bool = true;

    async fn fetch(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<PgRow>, Failure> {
        let rows = within(ANSWER_TIMEOUT, sql::query!(sql, args).fetch_all(self)).await;
        rows.map_err(|error| failure(&error))
    }

    async fn execute(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<u64, Failure> {
        let done = within(ANSWER_TIMEOUT, sql::query!(sql, args).execute(self)).await;
        done.map(|done| done.rows_affected()).map_err(|error| failure(&error))
    }
}

/// What the library reads after the `?` and we let through.
const PARAMETERS: [&str; 11] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "options",
];
/// Told to each connection. In milliseconds: who waits for a lock gives up before a statement does,
/// a statement before we do, and a server that froze in a transaction does not keep its locks.
/// Every row is found by an index; a plan that was made while a table was small would read all of it
/// for as long as nobody has counted its rows anew.
const SETTINGS: [(&str, &str); 7] = [
    ("enable_seqscan", "off"),
    ("synchronous_commit", "on"),
    ("default_transaction_isolation", "read committed"),
    ("lock_timeout", "5000"),
    ("statement_timeout", "8000"),
    ("idle_in_transaction_session_timeout", "10000"),
    ("client_min_messages", "warning"),
];
/// How long we wait for a connection, and for one that is free.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long we wait for an answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
const READERS: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_used_is_refused_without_a_quote() {
        for url in [
            "postgres:",
            "postgres://",
            "mysql://me:hunter2@host/db",
            "postgres://me:hunter2@host",
            "postgres://me:hunter2@host:99999/db",
            "postgres://me:hunter2@host/db?pasword=hunter2",
            "postgres://me@host/db?sslmode=hunter2",
            "postgres://me@host/db?port=hunter2",
            "postgres://me@host/db?password",
        ] {
            let error = options(url).map(drop).unwrap_err();
            assert!(matches!(error, Error::BadStoreUrl { .. }), "{url}: {error:?}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
        for url in [
            "postgres://me:hunter2@host/db",
            "postgresql://me@host:5433/db?sslmode=verify-full&password=hunter2",
            "postgres:///db?host=/run/postgresql",
        ] {
            assert!(options(url).is_ok(), "{url}");
        }
    }

    #[tokio::test]
    async fn no_debug_form_shows_the_password() {
        let options = options("postgres://me:hunter2@host/db").unwrap();
        assert!(format!("{options:?}").contains("hunter2"), "else there is nothing to hide");
        let readers = Readers::new(options);
        assert!(!format!("{readers:?}").contains("hunter2"));
    }
}
