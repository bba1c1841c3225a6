//! The same durable writes as the server's, and nothing around them: its schema and settings of
//! SQLite, the same rows, and a commit with fsync before the answer, for all calls that wait together.
//!
//! Rows of one kind are inserted by one statement, as far as there are any.

use std::path::Path;

use anyhow::Context;
use pqc_core::Timestamp;
use sqlx::query::Query;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use crate::keys::Keys;

/// What a call changes. Each of them has a row in the audit log besides.
pub(crate) enum Change {
    /// A new pair.
    Key(NewKey),
    /// A new token.
    Token(NewToken),
    /// An attempt of a token.
    Spend,
    /// Nothing more: a stored key was used.
    Use,
}

impl Change {
    /// What the audit log says of it: as long as what the server says, and no more than that.
    fn entry(&self) -> &'static [u8] {
        match self {
            Self::Key(_) => &[3; 160],
            Self::Token(_) => &[3; 118],
            Self::Spend | Self::Use => &[3; 132],
        }
    }
}

/// A row of `keys`.
pub(crate) struct NewKey {
    pub(crate) id: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) attestation: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
}

/// A row of `tokens`.
pub(crate) struct NewToken {
    pub(crate) id: Vec<u8>,
    pub(crate) hash: Vec<u8>,
    pub(crate) expires_at: Timestamp,
}

type Job = (Change, oneshot::Sender<bool>);

/// The way to the one task that writes.
pub(crate) struct Ledger(mpsc::Sender<Job>);

impl Ledger {
    /// Makes the file.
    ///
    /// # Errors
    /// SQLite's.
    pub(crate) async fn open(file: &Path, keys: &Keys) -> anyhow::Result<Self> {
        let mut database = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("journal_size_limit", "67108864")
            .pragma("wal_autocheckpoint", "2048")
            .pragma("cache_size", "-16384")
            .pragma("secure_delete", "ON")
            .disable_statement_logging()
            .connect()
            .await?;
        for schema in SCHEMA {
            database.execute(AssertSqlSafe(schema)).await?;
        }
        let account = keys.account.as_bytes().to_vec();
        sqlx::query("INSERT INTO accounts (id, name, custody, disabled, created_at) VALUES ($1, 'one', 'server', 0, 0)")
            .bind(&account)
            .execute(&mut database)
            .await?;
        let spent = NewToken {
            id: vec![1; 16],
            hash: SPENT.to_vec(),
            expires_at: Timestamp::from_seconds(u64::from(u32::MAX)),
        };
        let mut writer = Writer { database, account, number: 0 };
        writer.tokens(&[&spent], 1_000_000_000).await?;
        let (jobs, mut queue) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut batch: Vec<Job> = Vec::new();
            while queue.recv_many(&mut batch, QUEUE).await > 0 {
                let changes: Vec<_> = batch.iter().map(|(change, _)| change).collect();
                let done = writer.transact(&changes).await;
                if let Err(error) = &done {
                    println!("cannot write: {error:#}");
                }
                for (_, answer) in batch.drain(..) {
                    // Who asked may have gone.
                    let _ = answer.send(done.is_ok());
                }
            }
            let _ = writer.database.close().await;
        });
        Ok(Self(jobs))
    }

    /// Waits until it is on the disk.
    ///
    /// # Errors
    /// It is not.
    pub(crate) async fn write(&self, change: Change) -> anyhow::Result<()> {
        let (answer, done) = oneshot::channel();
        self.0.send((change, answer)).await.ok().context("no writer")?;
        anyhow::ensure!(done.await?, "nothing was written");
        Ok(())
    }
}

struct Writer {
    database: SqliteConnection,
    account: Vec<u8>,
    /// Of the last row of the audit log.
    number: i64,
}

impl Writer {
    async fn transact(&mut self, changes: &[&Change]) -> anyhow::Result<()> {
        sqlx::query("BEGIN IMMEDIATE").execute(&mut self.database).await?;
        for some in changes.chunks(MOST_AT_ONCE) {
            let (mut keys, mut tokens, mut spends) = (Vec::new(), Vec::new(), 0);
            for change in some {
                match change {
                    Change::Key(key) => keys.push(key),
                    Change::Token(token) => tokens.push(token),
                    Change::Spend => spends += 1,
                    Change::Use => {}
                }
            }
            self.keys(&keys).await?;
            self.tokens(&tokens, 1).await?;
            if spends > 0 {
                // The one token that all of them are of: an UPDATE for each, in one statement text.
                let sql = SPEND.repeat(spends);
                let query = sqlx::query(AssertSqlSafe(sql)).bind(SPENT.as_slice());
                query.execute(&mut self.database).await?;
            }
            self.audit(some).await?;
        }
        sqlx::query("COMMIT").execute(&mut self.database).await?;
        Ok(())
    }

    async fn keys(&mut self, keys: &[&NewKey]) -> anyhow::Result<()> {
        let into = "INSERT INTO keys (kind, algorithm, created_at, account, id, public_key, \
             attestation, sealed)";
        let sql = insert(into, "('kem', 'ML-KEM-768', 1800000000000, ?, ?, ?, ?, ?)", keys.len());
        let Some(sql) = sql else { return Ok(()) };
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for key in keys {
            query = query.bind(&self.account).bind(&key.id).bind(&key.public_key);
            query = query.bind(&key.attestation).bind(&key.sealed);
        }
        query.execute(&mut self.database).await?;
        Ok(())
    }

    async fn tokens(&mut self, tokens: &[&NewToken], attempts: i64) -> anyhow::Result<()> {
        let into = "INSERT INTO tokens (kind, operations, created_at, account, id, hash, \
             expires_at, attempts, attempts_left)";
        let sql = insert(into, "('temporary', 255, 1800000000000, ?, ?, ?, ?, ?, ?)", tokens.len());
        let Some(sql) = sql else { return Ok(()) };
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for token in tokens {
            let expires_at = i64::try_from(token.expires_at.millis())?;
            query = query.bind(&self.account).bind(&token.id).bind(&token.hash);
            query = query.bind(expires_at).bind(attempts).bind(attempts);
        }
        query.execute(&mut self.database).await?;
        Ok(())
    }

    async fn audit(&mut self, changes: &[&Change]) -> anyhow::Result<()> {
        let into = "INSERT INTO audit (chain, account, entry, hash, number)";
        let Some(sql) = insert(into, "(?, ?, ?, ?, ?)", changes.len()) else { return Ok(()) };
        let mut query: Query<'_, Sqlite, SqliteArguments> = sqlx::query(AssertSqlSafe(sql));
        for change in changes {
            self.number += 1;
            query = query.bind(&self.account).bind(&self.account);
            query = query.bind(change.entry()).bind(HASH.as_slice()).bind(self.number);
        }
        query.execute(&mut self.database).await?;
        Ok(())
    }
}

/// `None`: there are no rows.
fn insert(into: &str, row: &str, rows: usize) -> Option<String> {
    (rows > 0).then(|| format!("{into} VALUES {}", vec![row; rows].join(", ")))
}

const SPEND: &str = "UPDATE tokens SET attempts_left = attempts_left - 1, last_used_at = 1800000000000 \
     WHERE hash = $1 AND attempts_left > 0;";
/// The hash of the token that is spent.
const SPENT: [u8; 32] = [2; 32];
const HASH: [u8; 32] = [4; 32];
/// Callers wait where so many do.
const QUEUE: usize = 1024;
/// Statements of more rows are none that SQLite would keep parsed.
const MOST_AT_ONCE: usize = 16;
const SCHEMA: [&str; 3] = [
    include_str!("../../crates/pqc-service/src/store/migrations/sqlite/0001_initial.sql"),
    include_str!("../../crates/pqc-service/src/store/migrations/sqlite/0002_lives.sql"),
    include_str!("../../crates/pqc-service/src/store/migrations/sqlite/0003_audit.sql"),
];
