//! Where a store is measured: a file or a database of its own, with an account.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use pqc_core::Secret;
use pqc_core::token::TokenValue;
use pqc_service::{By, Custody, PostgresStore, Service, Settings, SqliteStore, Store, System};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];
pub(crate) const MASTER_KEY: [u8; 32] = [0x5a; 32];

/// A place for one store, laid out as the program expects it.
pub(crate) struct Ground {
    pub(crate) kind: Kind,
    pub(crate) folder: tempfile::TempDir,
    database: Option<(String, String)>,
}

impl Ground {
    /// `None`: there is no cluster.
    pub(crate) async fn new(kind: Kind) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::Builder::new().prefix("pqc-bench-").tempdir().unwrap();
        std::fs::write(folder.path().join("master.key"), hex::encode(MASTER_KEY)).unwrap();
        let database = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => {
                let cluster = std::env::var("PQC_TEST_POSTGRES").ok()?;
                let count = COUNT.fetch_add(1, Ordering::Relaxed);
                let name = format!("bench_{}_{count}", std::process::id());
                let mut admin = PgConnection::connect(&cluster).await.unwrap();
                let sql = format!("CREATE DATABASE {name}");
                admin.execute(AssertSqlSafe(sql)).await.unwrap();
                Some((cluster, name))
            }
        };
        Some(Self { kind, folder, database })
    }

    pub(crate) async fn remove(self) {
        if let Some((cluster, name)) = self.database {
            let mut admin = PgConnection::connect(&cluster).await.unwrap();
            let sql = format!("DROP DATABASE {name} WITH (FORCE)");
            admin.execute(AssertSqlSafe(sql)).await.unwrap();
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("pqc.db")
    }

    fn url(&self) -> Option<String> {
        let (cluster, name) = self.database.as_ref()?;
        let (base, _) = cluster.rsplit_once('/').unwrap();
        Some(format!("{base}/{name}"))
    }

    pub(crate) async fn open(&self) -> Opened {
        let open: Opened = match self.url() {
            None => {
                let store =
                    Arc::new(SqliteStore::open(&self.file(), Arc::new(System)).await.unwrap());
                let counted = Arc::clone(&store);
                Opened::on(store, Box::new(move || counted.commits())).await
            }
            Some(url) => {
                let store = Arc::new(PostgresStore::open(&url).await.unwrap());
                let counted = Arc::clone(&store);
                Opened::on(store, Box::new(move || counted.commits())).await
            }
        };
        open
    }

    /// Past the store: a statement for each dialect, of which one is run.
    pub(crate) async fn execute(&self, sqlite: &str, postgres: &str) {
        match self.url() {
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
                let mut raw = options.connect().await.unwrap();
                raw.execute(AssertSqlSafe(sqlite.to_owned())).await.unwrap();
                raw.close().await.unwrap();
            }
            Some(url) => {
                let mut raw = PgConnection::connect(&url).await.unwrap();
                raw.execute(AssertSqlSafe(postgres.to_owned())).await.unwrap();
            }
        }
    }

    /// Its size in bytes, without what is free in it.
    pub(crate) async fn bytes(&self) -> i64 {
        match self.url() {
            None => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.file());
                let mut raw = options.connect().await.unwrap();
                let sql = "SELECT (page_count - freelist_count) * page_size FROM \
                     pragma_page_count, pragma_freelist_count, pragma_page_size";
                sqlx::query_scalar(sql).fetch_one(&mut raw).await.unwrap()
            }
            Some(url) => {
                let mut raw = PgConnection::connect(&url).await.unwrap();
                let sql = "SELECT pg_database_size(current_database())";
                sqlx::query_scalar(sql).fetch_one(&mut raw).await.unwrap()
            }
        }
    }

    /// What durability costs here.
    pub(crate) async fn durability(&self) -> String {
        let Some(url) = self.url() else { return "synchronous=FULL".to_owned() };
        let mut raw = PgConnection::connect(&url).await.unwrap();
        let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut raw).await.unwrap();
        format!("fsync={fsync}")
    }

    /// The options that name this store to the program.
    pub(crate) fn options(&self) -> Vec<String> {
        let folder = self.folder.path();
        let mut options = vec!["--data-dir".to_owned(), folder.display().to_string()];
        if let Some(url) = self.url() {
            let key = folder.join("master.key").display().to_string();
            options.extend(["--store".to_owned(), url, "--master-key-file".to_owned(), key]);
        }
        options
    }
}

/// An open store, its service, and the account `default`.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) service: Arc<Service>,
    pub(crate) commits: Box<dyn Fn() -> u64>,
    /// Of the account, if it was made now.
    pub(crate) root: Option<TokenValue>,
}

impl Opened {
    async fn on(store: Arc<dyn Store>, commits: Box<dyn Fn() -> u64>) -> Self {
        let settings = Settings { max_live_tokens: 100_000_000, ..Settings::default() };
        let key = Secret::from(MASTER_KEY);
        let service =
            Service::open(Arc::clone(&store), Arc::new(System), key, settings).await.unwrap();
        let root = match service.accounts().await.unwrap().is_empty() {
            true => {
                let pending = service.prepare_account("default", Custody::Server).await.unwrap();
                Some(service.create_account(&By::OPERATOR, pending).await.unwrap())
            }
            false => None,
        };
        Self { store, service: Arc::new(service), commits, root }
    }

    pub(crate) async fn account(&self) -> pqc_core::AccountId {
        self.service.account("default").await.unwrap().id
    }
}
