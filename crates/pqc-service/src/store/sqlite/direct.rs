//! Looks at a row or two on the caller's own thread.
//!
//! A pool's connections have threads of their own. The way there and back takes several times as long
//! as to find a row in memory, where the rows of tokens and keys in use are. Here nothing waits for a
//! lock: what cannot be read at once is left to the pool, and so is every error.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags};

use crate::store::sql::{Arg, Columns};

/// Connections that only read, one for each thread that ever did at the same time.
#[derive(Debug)]
pub(super) struct Direct {
    path: PathBuf,
    /// `None`: closed.
    idle: Mutex<Option<Vec<Reader>>>,
}

/// A connection, and the names of the columns of the statements that it knows.
#[derive(Debug)]
struct Reader {
    connection: Connection,
    columns: HashMap<&'static str, Arc<[String]>>,
}

/// A row, with its own copy of what is in it.
#[derive(Debug)]
pub(in crate::store) struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Direct {
    /// On the file of an open store.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, idle: Mutex::new(Some(Vec::new())) }
    }

    /// The rows of a statement, if they can be read now.
    pub(super) fn fetch(
        &self,
        sql: &'static str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Row>, rusqlite::Error> {
        let idle = match self.idle().as_mut() {
            Some(idle) => idle.pop(),
            None => return Err(rusqlite::Error::InvalidQuery),
        };
        let mut reader = idle.map_or_else(|| Reader::open(&self.path), Ok)?;
        let rows = reader.fetch(sql, args)?;
        // One that failed is not used again.
        if let Some(idle) = self.idle().as_mut() {
            idle.push(reader);
        }
        Ok(rows)
    }

    /// Closes those that are not in use now; the others close when they come back.
    pub(super) fn close(&self) {
        *self.idle() = None;
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Reader>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn open(path: &PathBuf) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.pragma_update(None, "cache_size", CACHE_KIB)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(Self { connection, columns: HashMap::new() })
    }

    fn fetch(&mut self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let columns = self
            .columns
            .entry(sql)
            .or_insert_with(|| statement.column_names().into_iter().map(str::to_owned).collect());
        for (place, arg) in (1..).zip(args) {
            statement.raw_bind_parameter(place, arg)?;
        }
        let mut found = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let values =
                (0..columns.len()).map(|place| row.get(place)).collect::<Result<_, _>>()?;
            rows.push(Row { columns: Arc::clone(columns), values });
        }
        Ok(rows)
    }
}

impl ToSql for Arg<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        let value = match *self {
            Arg::Bytes(bytes) => bytes.map_or(ValueRef::Null, ValueRef::Blob),
            Arg::Text(text) => text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())),
            Arg::Integer(number) => number.map_or(ValueRef::Null, ValueRef::Integer),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl Row {
    fn get(&self, column: &str) -> Result<&Value, sqlx::Error> {
        let place = self.columns.iter().position(|name| name == column);
        place
            .and_then(|place| self.values.get(place))
            .ok_or_else(|| sqlx::Error::ColumnNotFound(column.to_owned()))
    }
}

fn other_type(column: &str) -> sqlx::Error {
    let source = "a value of another type".into();
    sqlx::Error::ColumnDecode { index: column.to_owned(), source }
}

impl Columns for Row {
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        match self.get(column)? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(*number)),
            _ => Err(other_type(column)),
        }
    }

    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error> {
        match self.get(column)? {
            Value::Null => Ok(None),
            Value::Blob(bytes) => Ok(Some(bytes)),
            _ => Err(other_type(column)),
        }
    }

    fn text(&self, column: &str) -> Result<Option<&str>, sqlx::Error> {
        match self.get(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            _ => Err(other_type(column)),
        }
    }
}

/// Of each connection: SQLite takes the sign to mean KiB, not pages. The system keeps the file's pages
/// in memory too.
const CACHE_KIB: i64 = -512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::{bytes, integer, text};

    fn database() -> (tempfile::TempDir, Connection) {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("file")).unwrap();
        let sql = "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER, b BLOB, s TEXT); \
                   INSERT INTO t VALUES (1, x'0102', 'one'), (2, NULL, NULL), (NULL, x'', '');";
        connection.execute_batch(sql).unwrap();
        (folder, connection)
    }

    const BY_NUMBER: &str = "SELECT s, b, n FROM t WHERE n = $1";

    #[test]
    fn values_come_as_they_were_written() {
        let (folder, _writing) = database();
        let direct = Direct::new(folder.path().join("file"));
        for _ in 0..2 {
            let rows = direct.fetch(BY_NUMBER, &[integer(1)]).unwrap();
            let [row] = rows.as_slice() else { panic!("{rows:?}") };
            assert_eq!(row.integer("n").unwrap(), Some(1));
            assert_eq!(row.bytes("b").unwrap(), Some(&[1, 2][..]));
            assert_eq!(row.text("s").unwrap(), Some("one"));
            assert!(matches!(row.bytes("s"), Err(sqlx::Error::ColumnDecode { .. })));
            assert!(matches!(row.text("x"), Err(sqlx::Error::ColumnNotFound(_))));
        }
        let [row] = &direct.fetch(BY_NUMBER, &[integer(2)]).unwrap()[..] else { panic!() };
        assert_eq!((row.bytes("b").unwrap(), row.text("s").unwrap()), (None, None));
        let sql = "SELECT n, b, s FROM t WHERE b = $1 AND s = $2";
        let [row] = &direct.fetch(sql, &[bytes(b""), text("")]).unwrap()[..] else { panic!() };
        assert_eq!(row.integer("n").unwrap(), None);
        assert_eq!((row.bytes("b").unwrap(), row.text("s").unwrap()), (Some(&[][..]), Some("")));
        assert!(direct.fetch(BY_NUMBER, &[integer(3)]).unwrap().is_empty());
    }

    #[test]
    fn what_was_committed_a_moment_ago_is_seen() {
        let (folder, writing) = database();
        let direct = Direct::new(folder.path().join("file"));
        for number in 10..110_i64 {
            assert!(direct.fetch(BY_NUMBER, &[integer(number)]).unwrap().is_empty());
            writing.execute("INSERT INTO t (n) VALUES ($1)", [number]).unwrap();
            assert_eq!(direct.fetch(BY_NUMBER, &[integer(number)]).unwrap().len(), 1);
        }
    }

    #[test]
    fn nothing_is_waited_for_and_nothing_written() {
        let (folder, writing) = database();
        let direct = Direct::new(folder.path().join("file"));
        let remove = "DELETE FROM t WHERE n = $1 RETURNING n";
        assert!(direct.fetch(remove, &[integer(1)]).is_err());
        assert_eq!(direct.fetch(BY_NUMBER, &[integer(1)]).unwrap().len(), 1);
        writing.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap_err();
        direct.close();
        assert!(direct.fetch(BY_NUMBER, &[integer(1)]).is_err());
        writing.execute_batch("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
        let locked = Direct::new(folder.path().join("file"));
        let begun = std::time::Instant::now();
        assert!(locked.fetch(BY_NUMBER, &[integer(1)]).is_err());
        assert!(begun.elapsed() < std::time::Duration::from_secs(1));
        writing.execute_batch("COMMIT").unwrap();
        assert_eq!(locked.fetch(BY_NUMBER, &[integer(1)]).unwrap().len(), 1);
    }
}
