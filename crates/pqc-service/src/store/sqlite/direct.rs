//! Looks at a row or two on the caller's own thread.
//!
//! A pool's connections have threads of their own. The way there and back takes several times as long
//! as to find a row in memory, where the rows of tokens and keys in use are. No lock is waited for;
//! what fails here is left to the pool.
//!
//! A disk that does not answer holds the thread all the same. So one thread of the runtime never reads
//! here, and after a slow read nobody does for a while: the pool is waited for no longer than a time.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags};

use crate::store::sql::{Arg, Columns};

/// Connections that only read, as many as threads may read at the same time.
#[derive(Debug)]
pub(super) struct Direct {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    idle: Vec<Reader>,
    /// How many more may read now.
    places: usize,
    /// When the last slow read, or one that failed, is forgotten.
    again_at: Option<Instant>,
    is_closed: bool,
}

/// Why a row was not read here.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRead {
    #[error("others read, or did so slowly")]
    Busy,
    #[error(transparent)]
    Failed(#[from] rusqlite::Error),
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
    /// On the file of an open store, for so many at a time.
    pub(super) fn new(path: PathBuf, places: usize) -> Self {
        let state = State { idle: Vec::new(), places, again_at: None, is_closed: false };
        Self { path, state: Mutex::new(state) }
    }

    /// The rows of a statement, if they can be read now.
    ///
    /// # Errors
    /// [`NotRead`]: ask the pool.
    pub(super) fn fetch(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<Row>, NotRead> {
        let begun = Instant::now();
        let idle = {
            let mut state = self.state();
            let is_due = state.again_at.is_none_or(|at| at <= begun);
            if state.is_closed || !is_due || state.places == 0 {
                return Err(NotRead::Busy);
            }
            state.places -= 1;
            state.idle.pop()
        };
        let read = idle.map_or_else(|| Reader::open(&self.path), Ok).and_then(|mut reader| {
            let rows = reader.fetch(sql, args)?;
            Ok((reader, rows))
        });
        let ended = Instant::now();
        let mut state = self.state();
        state.places += 1;
        if read.is_err() || ended.duration_since(begun) > SLOW {
            state.again_at = ended.checked_add(PAUSE);
        }
        // One that failed is not used again.
        let (reader, rows) = read?;
        if !state.is_closed {
            state.idle.push(reader);
        }
        Ok(rows)
    }

    /// Closes them: those that are in use now, when they come back.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.idle.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader {
    fn open(path: &PathBuf) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::ZERO)?;
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
/// A read that takes longer did not find its row in memory, or the machine has much to do.
const SLOW: Duration = Duration::from_millis(10);
/// For so long the pool has all reads then.
const PAUSE: Duration = Duration::from_millis(250);

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

    fn direct(folder: &tempfile::TempDir, places: usize) -> Direct {
        Direct::new(folder.path().join("file"), places)
    }

    const BY_NUMBER: &str = "SELECT s, b, n FROM t WHERE n = $1";

    #[test]
    fn values_come_as_they_were_written() {
        let (folder, _writing) = database();
        let direct = direct(&folder, 1);
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
    fn what_was_committed_a_moment_ago_is_seen_and_its_log_can_be_cut() {
        let (folder, writing) = database();
        let direct = direct(&folder, 1);
        for number in 10..60_i64 {
            assert!(direct.fetch(BY_NUMBER, &[integer(number)]).unwrap().is_empty());
            writing.execute("INSERT INTO t (n) VALUES ($1)", [number]).unwrap();
            assert_eq!(direct.fetch(BY_NUMBER, &[integer(number)]).unwrap().len(), 1);
            // No reader holds it open, whatever it read.
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy: i64 = writing.query_row(sql, [], |row| row.get(0)).unwrap();
            assert_eq!(busy, 0);
        }
        writing.execute_batch("ALTER TABLE t ADD COLUMN more TEXT DEFAULT 'more'").unwrap();
        assert_eq!(direct.fetch(BY_NUMBER, &[integer(10)]).unwrap().len(), 1);
    }

    #[test]
    fn no_more_read_at_a_time_than_there_are_places() {
        let (folder, _writing) = database();
        let none = direct(&folder, 0);
        assert!(matches!(none.fetch(BY_NUMBER, &[integer(1)]), Err(NotRead::Busy)));
        let direct = direct(&folder, 2);
        let all = || {
            for _ in 0..500 {
                match direct.fetch(BY_NUMBER, &[integer(1)]) {
                    Ok(rows) => assert_eq!(rows.len(), 1),
                    Err(NotRead::Busy) => {}
                    Err(failed) => panic!("{failed}"),
                }
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(all))));
        let state = direct.state();
        assert_eq!(state.places, 2);
        assert!((1..=2).contains(&state.idle.len()));
    }

    #[test]
    fn after_a_failure_the_pool_has_all_reads_for_a_while() {
        let (folder, _writing) = database();
        let direct = direct(&folder, 1);
        let remove = "DELETE FROM t WHERE n = $1 RETURNING n";
        assert!(matches!(direct.fetch(remove, &[integer(1)]), Err(NotRead::Failed(_))));
        assert!(direct.state().again_at.is_some_and(|at| at > Instant::now()));
        direct.state().again_at = Some(Instant::now() + Duration::from_secs(60));
        assert!(matches!(direct.fetch(BY_NUMBER, &[integer(1)]), Err(NotRead::Busy)));
        direct.state().again_at = Some(Instant::now());
        assert_eq!(direct.fetch(BY_NUMBER, &[integer(1)]).unwrap().len(), 1);
    }

    #[test]
    fn no_lock_is_waited_for_and_the_closed_are_gone() {
        let (folder, writing) = database();
        let closed = direct(&folder, 1);
        closed.fetch(BY_NUMBER, &[integer(1)]).unwrap();
        let lock = "PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE";
        writing.execute_batch(lock).unwrap_err();
        closed.close();
        assert!(matches!(closed.fetch(BY_NUMBER, &[integer(1)]), Err(NotRead::Busy)));
        writing.execute_batch(lock).unwrap();
        let locked = direct(&folder, 1);
        let begun = Instant::now();
        assert!(matches!(locked.fetch(BY_NUMBER, &[integer(1)]), Err(NotRead::Failed(_))));
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}
