//! Those who read: a pool of connections, and beside it the direct way to a row.

use std::path::Path;

use sqlx::SqlitePool;
use sqlx::sqlite::SqliteRow;
use tokio::runtime::Handle;

use super::direct::{self, Direct, NotRead};
use super::failure;
use crate::store::sql::{self, Arg, Columns, Reads};
use crate::store::writer::Failure;

/// The connections that read.
#[derive(Debug)]
pub(in crate::store) struct Readers {
    pool: SqlitePool,
    direct: Direct,
}

/// A row, whichever way it came.
pub(in crate::store) enum Row {
    Pool(SqliteRow),
    Direct(direct::Row),
}

impl Readers {
    pub(super) fn new(pool: SqlitePool, path: &Path) -> Self {
        // Where a thread never reads itself, it answers while the disk does not.
        let places = Handle::current().metrics().num_workers().saturating_sub(1);
        Self { pool, direct: Direct::new(path.to_owned(), places) }
    }

    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }
}

impl Reads for Readers {
    type Row = Row;

    async fn fetch(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure> {
        let rows = sql::query!(sql, args).fetch_all(&self.pool).await;
        rows.map(|rows| rows.into_iter().map(Row::Pool).collect()).map_err(|error| failure(&error))
    }

    async fn fetch_few(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>, Failure> {
        match self.direct.fetch(sql, args) {
            Ok(rows) => Ok(rows.into_iter().map(Row::Direct).collect()),
            Err(why) => {
                if let NotRead::Failed(error) = why {
                    tracing::debug!(%error, "a row is read by the pool");
                }
                self.fetch(sql, args).await
            }
        }
    }

    async fn close(&self) {
        self.direct.close();
        self.pool.close().await;
    }
}

sql::columns!(SqliteRow);

impl Columns for Row {
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        match self {
            Self::Pool(row) => row.integer(column),
            Self::Direct(row) => row.integer(column),
        }
    }

    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error> {
        match self {
            Self::Pool(row) => row.bytes(column),
            Self::Direct(row) => row.bytes(column),
        }
    }

    fn text(&self, column: &str) -> Result<Option<&str>, sqlx::Error> {
        match self {
            Self::Pool(row) => row.text(column),
            Self::Direct(row) => row.text(column),
        }
    }
}
