//! Where a store can be: a file of its own, or a database of its own.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pqc_core::Timestamp;
use pqc_service::{PostgresStore, SqliteStore, Store};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use crate::support::{Place, START, add_account};

/// A store that counts its transactions.
pub(crate) trait Counting: Store {
    fn commits(&self) -> u64;
}

impl Counting for SqliteStore {
    fn commits(&self) -> u64 {
        self.commits()
    }
}

impl Counting for PostgresStore {
    fn commits(&self) -> u64 {
        self.commits()
    }
}

/// A place for a store of one kind.
pub(crate) enum Ground {
    Sqlite(Place),
    Postgres(Database),
}

impl Ground {
    pub(crate) async fn open(&self) -> Arc<dyn Counting> {
        match self {
            Self::Sqlite(place) => place.open().await,
            Self::Postgres(database) => database.open().await,
        }
    }

    /// A store with account 1.
    pub(crate) async fn open_with_account(&self) -> Arc<dyn Counting> {
        let store = self.open().await;
        add_account(&*store, 1).await;
        store
    }

    /// Sets the clock that the store goes by.
    pub(crate) async fn set_time(&self, time: Timestamp) {
        match self {
            Self::Sqlite(place) => place.host.set(time),
            Self::Postgres(database) => database.set_time(time).await,
        }
    }

    /// Something in SQL past the store's back, in each dialect.
    pub(crate) async fn execute(&self, sqlite: &str, postgres: &str) -> u64 {
        let (sqlite, postgres) =
            (AssertSqlSafe(sqlite.to_owned()), AssertSqlSafe(postgres.to_owned()));
        match self {
            Self::Sqlite(place) => place.raw().await.execute(sqlite).await.unwrap().rows_affected(),
            Self::Postgres(database) => {
                database.raw().await.execute(postgres).await.unwrap().rows_affected()
            }
        }
    }

    /// Writes what no rule of the schema allows, in SQLite's dialect.
    pub(crate) async fn damage(&self, sql: &str) -> u64 {
        let forget = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; ";
        let postgres = sql.replace("zeroblob(78)", &format!("x'{}'", "00".repeat(78)));
        let postgres = postgres.replace("x'", r"'\x");
        self.execute(&format!("{forget}{sql}"), &format!("{FORGET_RULES}{postgres}")).await
    }

    /// Begins to read, and does not end.
    pub(crate) async fn read(&self) -> Lock {
        let sql = "BEGIN; SELECT * FROM tokens";
        match self {
            Self::Sqlite(place) => {
                let mut other = place.raw().await;
                other.execute(sql).await.unwrap();
                Lock::Sqlite(other)
            }
            Self::Postgres(database) => {
                let mut other = database.raw().await;
                other.execute(sql).await.unwrap();
                Lock::Postgres(other)
            }
        }
    }

    /// Takes what every writer needs.
    pub(crate) async fn lock(&self) -> Lock {
        match self {
            Self::Sqlite(place) => {
                let mut other = place.raw().await;
                other.execute("BEGIN IMMEDIATE").await.unwrap();
                Lock::Sqlite(other)
            }
            Self::Postgres(database) => {
                let mut other = database.raw().await;
                let sql = "BEGIN; LOCK TABLE accounts, tokens, keys IN EXCLUSIVE MODE";
                other.execute(sql).await.unwrap();
                Lock::Postgres(other)
            }
        }
    }
}

/// The transaction of [`Ground::lock`], beside which reading goes on, or of [`Ground::read`].
pub(crate) enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Lock {
    pub(crate) async fn release(self) {
        match self {
            Self::Sqlite(mut other) => drop(other.execute("COMMIT").await.unwrap()),
            Self::Postgres(mut other) => drop(other.execute("COMMIT").await.unwrap()),
        }
    }
}

/// Plays a behaviour on every kind of store that there is.
pub(crate) async fn on_every_ground(behaviour: impl AsyncFn(Ground)) {
    behaviour(Ground::Sqlite(Place::new())).await;
    if let Some(database) = Database::new().await {
        let name = database.name.clone();
        behaviour(Ground::Postgres(database)).await;
        Database::remove(&name).await;
    }
}

/// A database of one test.
pub(crate) struct Database {
    name: String,
    cluster: String,
}

impl Database {
    /// `None`: there is no cluster, which is said loudly.
    pub(crate) async fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Some(cluster) = cluster() else {
            skipped();
            return None;
        };
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{count}", std::process::id());
        let mut admin = PgConnection::connect(&cluster).await.unwrap();
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        Some(Self { name, cluster })
    }

    /// After a test that went well; the others go with the cluster.
    pub(crate) async fn remove(name: &str) {
        let mut admin = PgConnection::connect(&cluster().unwrap()).await.unwrap();
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }

    pub(crate) fn url(&self) -> String {
        let (base, _) = self.cluster.rsplit_once('/').unwrap();
        format!("{base}/{}", self.name)
    }

    /// The store, as servers open it.
    pub(crate) async fn open_as_is(&self) -> Arc<PostgresStore> {
        Arc::new(PostgresStore::open(&self.url()).await.unwrap())
    }

    /// The store, with a clock that is set by hand and begins at [`START`].
    pub(crate) async fn open(&self) -> Arc<PostgresStore> {
        let store = self.open_as_is().await;
        let sql = "BEGIN; SELECT pg_advisory_xact_lock(1); \
             CREATE TABLE IF NOT EXISTS test_clock (greatest BIGINT NOT NULL); \
             CREATE OR REPLACE VIEW clock AS SELECT 1 AS id, greatest FROM test_clock; \
             INSERT INTO test_clock SELECT {} WHERE NOT EXISTS (SELECT 1 FROM test_clock); COMMIT";
        let sql = sql.replace("{}", &START.millis().to_string());
        self.raw().await.execute(AssertSqlSafe(sql)).await.unwrap();
        store
    }

    pub(crate) async fn set_time(&self, time: Timestamp) {
        let sql = format!("UPDATE test_clock SET greatest = {}", time.millis());
        self.raw().await.execute(AssertSqlSafe(sql)).await.unwrap();
    }

    /// A connection past the store's back.
    pub(crate) async fn raw(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }
}

/// Drops all rules but those that an index keeps.
const FORGET_RULES: &str = "DO $$ DECLARE rule record; BEGIN \
     FOR rule IN SELECT conrelid::regclass AS its_table, conname FROM pg_constraint \
         WHERE connamespace = 'public'::regnamespace AND contype IN ('c', 'f') \
     LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', rule.its_table, rule.conname); \
     END LOOP; END $$; ";

fn cluster() -> Option<String> {
    std::env::var("PQC_TEST_POSTGRES").ok()
}

/// Past the test harness, which keeps what passing tests say.
pub(crate) fn skipped() {
    static SAID: std::sync::Once = std::sync::Once::new();
    SAID.call_once(|| {
        let why = "\nSKIPPED: the tests on PostgreSQL: PQC_TEST_POSTGRES is not set \
                   (`cargo xtask test` sets it)\n\n";
        let _ = std::io::stderr().write_all(why.as_bytes());
    });
}
