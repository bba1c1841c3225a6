//! Opening the database: whose it is, of which version, and its schema brought up to date.

use std::sync::LazyLock;

use sqlx::migrate::{Migrate, MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::sync::mpsc;

use super::connect::{CONNECT_TIMEOUT, connect, within};
use super::failure;
use crate::error::Error;
use crate::store::copy::{self, Incoming};
use crate::store::schema::{self, NOTHING, Schema};

/// Connects, and brings the schema up to date.
///
/// Several servers may do this at once: the schema is made in one transaction, and an advisory lock
/// lets one in after the other.
pub(super) async fn open(options: &PgConnectOptions) -> Result<PgConnection, Error> {
    let mut connection = connect(options).await.map_err(error)?;
    match prepare(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(error) => {
            let _ = connection.close().await;
            Err(error)
        }
    }
}

/// As [`open`]; `None`: there is no store, and none was made.
pub(super) async fn open_existing(
    options: &PgConnectOptions,
) -> Result<Option<PgConnection>, Error> {
    let mut connection = connect(options).await.map_err(error)?;
    let found = look(&mut connection).await;
    let _ = connection.close().await;
    match found? {
        NOTHING => Ok(None),
        _ => open(options).await.map(Some),
    }
}

async fn prepare(connection: &mut PgConnection) -> Result<(), Error> {
    check(connection).await?;
    if look(connection).await? == Schema::Current {
        // A database that cannot be written is said now, and not by the first change.
        connection.execute("BEGIN READ WRITE; ROLLBACK").await.map_err(error)?;
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN READ WRITE").await.map_err(error)?;
    bring_up_to_date(&mut transaction).await?;
    transaction.commit().await.map_err(error)
}

/// Makes a store of the rows that come, in one transaction with its schema.
pub(super) async fn restore(
    options: &PgConnectOptions,
    rows: &mut mpsc::Receiver<Incoming>,
) -> Result<(), Error> {
    let mut connection = connect(options).await.map_err(error)?;
    let restored = fill(&mut connection, rows).await;
    // What was not committed is undone with the connection.
    let _ = within(CONNECT_TIMEOUT, connection.close()).await;
    restored
}

async fn fill(
    connection: &mut PgConnection,
    rows: &mut mpsc::Receiver<Incoming>,
) -> Result<(), Error> {
    check(connection).await?;
    let mut transaction = connection.begin_with("BEGIN READ WRITE").await.map_err(error)?;
    bring_up_to_date(&mut transaction).await?;
    // Rows may come from a slow place, and servers that start meanwhile wait.
    transaction
        .execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        .await
        .map_err(error)?;
    copy::into(&mut *transaction, rows).await?;
    transaction.commit().await.map_err(|error| Error::OutcomeUnknown(error.to_string()))
}

/// That the server is new enough, and the database can hold every text.
async fn check(connection: &mut PgConnection) -> Result<(), Error> {
    let said = "SELECT current_setting('server_version_num')::bigint AS number, \
         current_setting('server_version') AS version, \
         current_setting('server_encoding') AS encoding";
    let said = sqlx::query(said).fetch_one(connection).await.map_err(error)?;
    let text = |column: &str| said.try_get::<String, _>(column).map_err(error);
    if said.try_get::<i64, _>("number").map_err(error)? < OLDEST_SERVER {
        let version = text("version")?;
        let why = format!("PostgreSQL is of version {version}: it must be 15 or later");
        return Err(Error::Unavailable(why));
    }
    let encoding = text("encoding")?;
    if encoding != "UTF8" {
        let why = format!("the database's encoding is {encoding}: make one with ENCODING 'UTF8'");
        return Err(Error::Unavailable(why));
    }
    Ok(())
}

/// Lets one in after the other, and makes what is missing of the schema.
async fn bring_up_to_date(transaction: &mut PgConnection) -> Result<(), Error> {
    // Who is let in may take long, over a large store.
    for unlimited in ["SET LOCAL lock_timeout = 0", "SET LOCAL statement_timeout = 0"] {
        transaction.execute(unlimited).await.map_err(error)?;
    }
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(LOCK)
        .execute(&mut *transaction)
        .await
        .map_err(error)?;
    // Another server may have been here meanwhile.
    if let Schema::Older { applied } = look(transaction).await? {
        transaction.ensure_migrations_table(MIGRATIONS_TABLE).await.map_err(migration_error)?;
        for migration in MIGRATIONS.iter().filter(|migration| migration.version > applied) {
            transaction.apply(MIGRATIONS_TABLE, migration).await.map_err(migration_error)?;
        }
    }
    Ok(())
}

/// Compares the schema with the one that this program knows. Reads only.
async fn look(connection: &mut PgConnection) -> Result<Schema, Error> {
    let found = sqlx::query(
        "SELECT current_schema() IS NOT NULL AS there, \
         to_regclass(quote_ident(current_schema()) || '.' || $1) IS NOT NULL AS ours, \
         EXISTS (SELECT 1 FROM pg_class AS c \
             WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) \
             AND NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass \
                 AND d.objid = c.oid AND d.deptype = 'e')) AS used",
    )
    .bind(MIGRATIONS_TABLE)
    .fetch_one(&mut *connection)
    .await
    .map_err(error)?;
    let is = |column: &str| found.try_get::<bool, _>(column).map_err(error);
    if !is("there")? {
        return Err(Error::Unavailable("the database has no schema for this user".to_owned()));
    }
    if !is("ours")? {
        let what = "the database holds the tables of another program: make one for this store";
        return if is("used")? { Err(Error::Corrupt { what }) } else { Ok(NOTHING) };
    }
    let applied = sqlx::query(
        "SELECT version, checksum, success::integer::bigint AS success FROM pqc_migrations \
         ORDER BY version",
    );
    let applied = applied.fetch_all(&mut *connection).await.map_err(error)?;
    schema::compare(&applied, &MIGRATIONS)
}

fn error(cause: sqlx::Error) -> Error {
    failure(&cause).into()
}

fn migration_error(cause: MigrateError) -> Error {
    match cause {
        // Duplicate column, table, or object: what it makes is there already.
        MigrateError::ExecuteMigration(cause, _)
            if matches!(super::code(&cause).as_deref(), Some("42701" | "42P07" | "42710")) =>
        {
            schema::FOREIGN
        }
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => error(cause),
        cause => Error::Unavailable(cause.to_string()),
    }
}

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    schema::migrations([
        ("initial", include_str!("../migrations/postgres/0001_initial.sql")),
        ("lives", include_str!("../migrations/postgres/0002_lives.sql")),
        ("audit", include_str!("../migrations/postgres/0003_audit.sql")),
        ("usage", include_str!("../migrations/postgres/0004_usage.sql")),
        ("replays", include_str!("../migrations/postgres/0005_replays.sql")),
        ("sessions", include_str!("../migrations/postgres/0006_sessions.sql")),
        ("uses", include_str!("../migrations/postgres/0007_uses.sql")),
    ])
});

/// Where the library keeps what was applied. Its name tells this store from other programs' tables.
const MIGRATIONS_TABLE: &str = "pqc_migrations";
/// "pqcs": the number of the lock that those take who make the schema.
const LOCK: i64 = 0x7071_6373;
/// 15.0, as `server_version_num` says it.
const OLDEST_SERVER: i64 = 150_000;
