//! What the statements that both stores share ask of a database: to take arguments, to give rows.
//!
//! The statements are written once, in `read.rs` and `change.rs`, in the SQL that SQLite and
//! PostgreSQL have in common; `rows.rs` makes records of their rows.

use std::future::Future;

use super::writer::Failure;

/// A value for a place in a statement: `$1` is the first.
#[derive(Clone, Copy)]
pub(super) enum Arg<'a> {
    Bytes(Option<&'a [u8]>),
    Text(Option<&'a str>),
    Integer(Option<i64>),
}

pub(super) fn bytes(bytes: &[u8]) -> Arg<'_> {
    Arg::Bytes(Some(bytes))
}

pub(super) fn text(text: &str) -> Arg<'_> {
    Arg::Text(Some(text))
}

pub(super) fn integer(number: impl Into<i64>) -> Arg<'static> {
    Arg::Integer(Some(number.into()))
}

/// A statement with its arguments, for [`sqlx`].
macro_rules! query {
    ($sql:expr, $args:expr) => {{
        let mut query = sqlx::query($sql);
        for arg in $args {
            query = match *arg {
                $crate::store::sql::Arg::Bytes(bytes) => query.bind(bytes),
                $crate::store::sql::Arg::Text(text) => query.bind(text),
                $crate::store::sql::Arg::Integer(number) => query.bind(number),
            };
        }
        query
    }};
}

/// A row, by the names of its columns.
macro_rules! columns {
    ($row:ty) => {
        impl $crate::store::sql::Columns for $row {
            fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }

            fn text(&self, column: &str) -> Result<Option<&str>, sqlx::Error> {
                sqlx::Row::try_get(self, column)
            }
        }
    };
}

pub(super) use {columns, query};

/// A row of an answer; `None` is NULL.
pub(crate) trait Columns: Send + Sync {
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error>;
    fn text(&self, column: &str) -> Result<Option<&str>, sqlx::Error>;
}

/// Where one reads: any connection will do.
pub(super) trait Reads: Sync {
    type Row: Columns;

    fn fetch(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, Failure>> + Send;

    /// As [`Self::fetch`], of a row or two that are found by their keys: the shortest way there is.
    fn fetch_few(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, Failure>> + Send {
        self.fetch(sql, args)
    }

    /// Closes them, when those that are in use are free.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// The connection that writes, in a transaction.
pub(super) trait Writes: Send {
    type Row: Columns;

    /// Whether others write at the same time, so that what was looked at must be locked to stay so.
    const SHARED: bool;

    /// Stands in a key's row where there is no attestation; `rows.rs` reads it as none.
    const NO_ATTESTATION: &'static [u8] = &[];

    fn fetch(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> impl Future<Output = Result<Vec<Self::Row>, Failure>> + Send;

    /// Gives the count of the rows that were changed.
    fn execute(
        &mut self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> impl Future<Output = Result<u64, Failure>> + Send;
}
