//! Opening the file: whose it is, of which version, and how its connections behave.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, Row, SqliteConnection, SqlitePool};

use super::{
    CANNOT_OPEN, ERROR, READONLY, READONLY_ROLLBACK, code, error, extended_code, is_locked,
};
use crate::error::Error;
use crate::store::schema::{self, NOTHING, Schema};

/// How connections to `path` behave; none waits for a lock unless its user says so. A relative path
/// holds for the folder of now.
pub(super) fn options(path: &Path) -> Result<SqliteConnectOptions, Error> {
    // An absolute path is never mistaken for ":memory:" or "file:…".
    let path = std::path::absolute(path).map_err(|error| cannot_open(path, &error))?;
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::ZERO)
        .pragma("fullfsync", "ON") // where fsync alone stops at the disk's cache (macOS)
        .pragma("checkpoint_fullfsync", "ON")
        .pragma("journal_size_limit", "67108864")
        .pragma("cell_size_check", "ON")
        .pragma("trusted_schema", "OFF")
        // Uses of many tokens touch many pages: at the default, every other commit would wait for
        // them to be moved from the log into the database.
        .pragma("wal_autocheckpoint", "2048")
        .pragma("cache_size", "-16384") // KiB, of the one connection that writes
        .pragma("secure_delete", "ON") // what was removed or sealed anew is gone from the file
        .disable_statement_logging())
}

/// Opens the file for writing, makes it if it is missing, and brings its schema up to date.
///
/// Several processes may do this at once: the schema is made in one transaction that excludes the
/// others, and who finds the file locked tries again.
pub(super) async fn open(options: &SqliteConnectOptions) -> Result<SqliteConnection, Error> {
    create_file(options.get_filename())?;
    match open_until_unlocked(options, true).await? {
        Some(connection) => Ok(connection),
        None => Err(Error::Internal { what: "a store that is not made" }),
    }
}

/// As [`open`]; `None`: there is no store in the file, and none was made.
pub(super) async fn open_existing(
    options: &SqliteConnectOptions,
) -> Result<Option<SqliteConnection>, Error> {
    open_until_unlocked(options, false).await
}

async fn open_until_unlocked(
    options: &SqliteConnectOptions,
    may_make: bool,
) -> Result<Option<SqliteConnection>, Error> {
    let start = Instant::now();
    loop {
        match open_once(options, may_make).await {
            Err(OpenError::Locked(_)) if start.elapsed() < OPEN_TIMEOUT => {
                tokio::time::sleep(RETRY_AFTER).await;
            }
            Err(OpenError::Locked(error) | OpenError::Other(error)) => return Err(error),
            Err(OpenError::HalfDone) => return Err(HALF_DONE),
            Ok(connection) => return Ok(connection),
        }
    }
}

/// The read-only connections.
pub(super) async fn readers(options: SqliteConnectOptions) -> Result<SqlitePool, Error> {
    SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(BUSY_TIMEOUT)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(
            options.read_only(true).busy_timeout(BUSY_TIMEOUT).pragma("cache_size", "-2048"),
        )
        .await
        .map_err(error)
}

/// Brings the log's pages into the database and cuts the log to nothing; `false`: a reader, or
/// another writer, needed it for too long. Readers that begin meanwhile need no log.
pub(super) async fn cut_log(options: &SqliteConnectOptions) -> Result<bool, Error> {
    let options = options.clone().busy_timeout(CUT_TIMEOUT);
    let mut connection = options.connect().await.map_err(error)?;
    let is_cut = cut(&mut connection).await;
    let _ = connection.close().await;
    is_cut
}

/// As [`cut_log`], on this connection.
pub(super) async fn cut(connection: &mut SqliteConnection) -> Result<bool, Error> {
    match sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(connection).await {
        Ok(row) => Ok(row.try_get::<i64, _>("busy").map_err(error)? == 0),
        Err(cause) if is_locked(&cause) => Ok(false),
        Err(cause) => Err(error(cause)),
    }
}

async fn open_once(
    options: &SqliteConnectOptions,
    may_make: bool,
) -> Result<Option<SqliteConnection>, OpenError> {
    // What is refused stays as it is: one that may write brings the log into the file when it is
    // closed.
    match look_only(options).await {
        // What a first start that was killed left half done: only who may write can undo it.
        Err(OpenError::HalfDone) => {}
        found => {
            if found? == NOTHING && !may_make {
                return Ok(None);
            }
        }
    }
    let mut connection = options.connect().await?;
    let prepared = prepare(&mut connection, may_make).await;
    if let Ok(true) = prepared {
        return Ok(Some(connection));
    }
    let _ = connection.close().await;
    prepared.map(|_| None)
}

async fn look_only(options: &SqliteConnectOptions) -> Result<Schema, OpenError> {
    let mut reading = options.clone().read_only(true).connect().await?;
    let found = look(&mut reading).await;
    let _ = reading.close().await;
    found
}

/// Makes it a store that can be written; `false`: there is none, and none is to be made.
async fn prepare(connection: &mut SqliteConnection, may_make: bool) -> Result<bool, OpenError> {
    let found = look(connection).await?;
    if found == NOTHING && !may_make {
        return Ok(false);
    }
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await?;
    if mode != "wal" {
        let why = "its file system cannot share memory between processes (no write-ahead log)";
        return Err(OpenError::Other(Error::Unavailable(why.to_owned())));
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if found == Schema::Current {
        // A file that cannot be written is said now, and not by the first call that changes
        // something: without a write, SQLite takes it for one to be read.
        transaction.execute("UPDATE clock SET greatest = greatest").await?;
        transaction.rollback().await?;
        return Ok(true);
    }
    // Another process may have been here meanwhile.
    if let Schema::Older { applied } = look(&mut transaction).await? {
        transaction.ensure_migrations_table(MIGRATIONS_TABLE).await?;
        for migration in MIGRATIONS.iter().filter(|migration| migration.version > applied) {
            transaction.apply(MIGRATIONS_TABLE, migration).await?;
        }
    }
    transaction.commit().await?;
    Ok(true)
}

/// Compares the schema with the one that this program knows. Reads only.
async fn look(connection: &mut SqliteConnection) -> Result<Schema, OpenError> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await?;
    if tables == 0 {
        return Ok(NOTHING);
    }
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await?;
    if application != APPLICATION_ID {
        let what =
            "the file is the database of another program: name another folder for this store";
        return Err(OpenError::Other(Error::Corrupt { what }));
    }
    let applied =
        sqlx::query("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version")
            .fetch_all(&mut *connection)
            .await
            .map_err(|error| match code(&error) {
                Some(ERROR) => OpenError::Other(schema::FOREIGN),
                _ => error.into(),
            })?;
    schema::compare(&applied, &MIGRATIONS).map_err(OpenError::Other)
}

/// Makes an empty file that only its owner can read; the log files beside it get the same mode.
///
/// A file that exists is not opened here: closing it would drop every lock that SQLite holds on it
/// in this process.
fn create_file(path: &Path) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(cannot_open(path, &error)),
        Ok(_) => Ok(()),
    }
}

fn cannot_open(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}

enum OpenError {
    /// Another process holds a lock: worth another try.
    Locked(Error),
    /// A write was killed before the file had its log, and one that only reads cannot undo it.
    HalfDone,
    Other(Error),
}

impl From<sqlx::Error> for OpenError {
    fn from(cause: sqlx::Error) -> Self {
        match code(&cause) {
            _ if extended_code(&cause) == Some(READONLY_ROLLBACK) => Self::HalfDone,
            Some(READONLY | CANNOT_OPEN) => {
                let why = "the file, the files beside it and its folder must be writable for this \
                           user";
                Self::Other(Error::Unavailable(format!("{why}: {cause}")))
            }
            _ if is_locked(&cause) => Self::Locked(error(cause)),
            _ => Self::Other(error(cause)),
        }
    }
}

impl From<MigrateError> for OpenError {
    fn from(cause: MigrateError) -> Self {
        match cause {
            // What it makes is there already.
            MigrateError::ExecuteMigration(cause, _) if code(&cause) == Some(ERROR) => {
                Self::Other(schema::FOREIGN)
            }
            MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => cause.into(),
            cause => Self::Other(Error::Unavailable(cause.to_string())),
        }
    }
}

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    schema::migrations([
        ("initial", include_str!("../migrations/sqlite/0001_initial.sql")),
        ("lives", include_str!("../migrations/sqlite/0002_lives.sql")),
        ("audit", include_str!("../migrations/sqlite/0003_audit.sql")),
        ("usage", include_str!("../migrations/sqlite/0004_usage.sql")),
        ("replays", include_str!("../migrations/sqlite/0005_replays.sql")),
        ("sessions", include_str!("../migrations/sqlite/0006_sessions.sql")),
        ("uses", include_str!("../migrations/sqlite/0007_uses.sql")),
    ])
});

/// Where the library keeps what was applied.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";
/// "pqcs", as the first migration sets it.
const APPLICATION_ID: i64 = 0x7071_6373;
/// How long a reader waits, for a connection or for a lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long opening goes on trying where a lock cannot be waited for.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the cutting of the log waits, and lets no writer in.
const CUT_TIMEOUT: Duration = Duration::from_millis(250);
const RETRY_AFTER: Duration = Duration::from_millis(20);
const READERS: u32 = 4;
const HALF_DONE: Error = Error::Internal { what: "a store that is half made" };
