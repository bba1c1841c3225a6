//! Reading a backup into a new store.

use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use pqc_core::checksum::Checksum;
use pqc_core::token::TokenValue;
use pqc_core::{MasterKeys, SealedRecord, Timestamp};
use tokio::sync::mpsc;

use super::line::{self, End, FORMAT, Line};
use super::{BATCHES_THAT_WAIT, Contents, account_id, is_sound};
use crate::error::Error;
use crate::host::Host;
use crate::masters::{MasterSecret, unlock_with};
use crate::store::copy::{self, Incoming, Row, Table, Value};
use crate::{PostgresStore, SqliteStore, tokens};

/// Where the store is to be made.
#[derive(Debug, Clone)]
pub enum Target {
    /// In this file, which is not there.
    Sqlite(PathBuf),
    /// In the database at this URL, which is empty.
    Postgres(String),
}

/// What comes of a restore beside the store.
#[derive(Debug)]
pub struct Restored {
    /// What the backup held.
    pub contents: Contents,
    /// The new root tokens, if they were asked for, by the names of their accounts. Secret.
    pub root_tokens: Vec<(String, TokenValue)>,
}

/// How a store is restored.
#[derive(Debug)]
pub struct RestoreOptions {
    /// The master key that was in force when the backup was made.
    pub master_key: MasterSecret,
    /// Gives every account a new root token, in the same transaction; those in the backup are of no
    /// use then.
    pub reset_root_tokens: bool,
}

/// Makes a store of a backup: all of it, or nothing. Temporary tokens are in no backup.
///
/// # Errors
/// [`Error::BadBackup`]: it is no backup, not whole, or not what was written.
/// [`Error::WrongMasterKey`]; [`Error::NotEmpty`]; those of the store.
pub async fn restore<R>(
    input: R,
    target: Target,
    host: Arc<dyn Host>,
    options: RestoreOptions,
) -> Result<Restored, Error>
where
    R: Read + Send + 'static,
{
    let (to, rows) = mpsc::channel(BATCHES_THAT_WAIT);
    let reader = Reader {
        input: BufReader::new(input),
        checksum: Checksum::default(),
        host,
        options,
        to,
        batch: Vec::new(),
    };
    let reading = tokio::task::spawn_blocking(move || reader.run());
    let stored = match target {
        Target::Sqlite(path) => SqliteStore::restore(&path, rows).await,
        Target::Postgres(url) => PostgresStore::restore(&url, rows).await,
    };
    match (reading.await.map_err(|_| READER)?, stored) {
        (Ok(restored), Ok(())) => Ok(restored),
        // The store took no more rows, and says why.
        (Err(Stopped::ByStore) | Ok(_), Err(error)) => Err(error),
        (Err(Stopped::By(error)), _) => Err(error),
        (Err(Stopped::ByStore), Ok(())) => Err(READER),
    }
}

/// Why no more is read.
enum Stopped {
    /// The store takes no more.
    ByStore,
    By(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::By(error)
    }
}

fn bad(why: &str) -> Stopped {
    Stopped::By(Error::BadBackup(why.to_owned()))
}

struct Reader<R> {
    input: BufReader<R>,
    /// Of all lines but the last.
    checksum: Checksum,
    host: Arc<dyn Host>,
    options: RestoreOptions,
    to: mpsc::Sender<Incoming>,
    batch: Vec<Row>,
}

impl<R: Read> Reader<R> {
    fn run(mut self) -> Result<Restored, Stopped> {
        let Line::Backup(head) = self.line()? else {
            return Err(bad("its first line is not that of a backup"));
        };
        if head.format != FORMAT {
            return Err(bad("it is of a form that a newer version of this program made"));
        }
        let mut restored = Restored {
            contents: Contents::new(Timestamp::from_millis(head.made_at)),
            root_tokens: Vec::new(),
        };
        let (mut master_rows, mut masters, mut count) = (Vec::new(), None, 0_u64);
        loop {
            let row = match self.line()? {
                Line::Row(text) => Row::try_from(text).map_err(bad)?,
                Line::End(end) => {
                    let masters = masters.map_or_else(|| self.unlock(&master_rows), Ok)?;
                    self.check_end(&end, count, &masters)?;
                    self.send_batch()?;
                    self.send(Incoming::Whole)?;
                    return Ok(restored);
                }
                Line::Backup(_) => return Err(bad("it begins twice")),
            };
            count = count.saturating_add(1);
            match row.table {
                Table::Clock => {}
                Table::MasterKeys => master_rows.push(row.clone()),
                // A wrong key is told before the bulk of the rows.
                _ if masters.is_none() => masters = Some(self.unlock(&master_rows)?),
                _ => {}
            }
            let sound = match &masters {
                Some(masters) if row.table == Table::Keys => {
                    matches!(is_sound(&row, masters), Ok(true))
                }
                _ => true,
            };
            restored.contents.count(&row, sound);
            self.take(row, &mut restored)?;
        }
    }

    /// The next line; all but the last are of the checksum.
    fn line(&mut self) -> Result<Line, Stopped> {
        let bytes = line::read(&mut self.input).map_err(unreadable)?;
        if bytes.is_empty() {
            return Err(bad("it ends too early"));
        }
        let line = Line::parse(&bytes).map_err(bad)?;
        if !matches!(line, Line::End(_)) {
            self.checksum.update(&bytes);
        }
        Ok(line)
    }

    /// Passes a row on; where root tokens are reset, another in the place of each.
    fn take(&mut self, row: Row, restored: &mut Restored) -> Result<(), Stopped> {
        let reset = self.options.reset_root_tokens;
        if reset && row.table == Table::RootTokens {
            return Ok(());
        }
        let made = match (row.table, row.values.as_slice()) {
            (Table::Accounts, [Value::Bytes(id), Value::Text(name), ..]) if reset => {
                let account = account_id(id).ok_or_else(|| bad("a row does not fit its table"))?;
                let now = self.host.now();
                let (value, record) = tokens::new_root_token(&*self.host, account, now)?;
                restored.root_tokens.push((name.clone(), value));
                Some(copy::root_token(&record))
            }
            _ => None,
        };
        self.batch.push(row);
        self.batch.extend(made);
        if self.batch.len() >= BATCH_ROWS { self.send_batch() } else { Ok(()) }
    }

    fn send_batch(&mut self) -> Result<(), Stopped> {
        let rows = std::mem::take(&mut self.batch);
        self.send(Incoming::Rows(rows))
    }

    fn send(&self, incoming: Incoming) -> Result<(), Stopped> {
        self.to.blocking_send(incoming).map_err(|_| Stopped::ByStore)
    }

    fn unlock(&self, rows: &[Row]) -> Result<MasterKeys, Stopped> {
        let records = rows.iter().map(copy::master_key).collect::<Result<Vec<_>, _>>();
        let records = records.map_err(|_| bad("a master key's row cannot be read"))?;
        if records.is_empty() {
            return Err(bad("it names no master key"));
        }
        // This thread may wait: it is none of the runtime's own.
        let unlocked = unlock_with(&records, &self.options.master_key);
        Ok(tokio::runtime::Handle::current().block_on(unlocked)?)
    }

    fn check_end(&mut self, end: &End, rows: u64, masters: &MasterKeys) -> Result<(), Stopped> {
        let sum = std::mem::take(&mut self.checksum).finish();
        if end.rows != rows || end.sha256 != hex::encode(sum) {
            return Err(bad("its checksum is not that of its lines"));
        }
        let word = Base64::decode_vec(&end.sealed).ok();
        let word = word.and_then(|bytes| SealedRecord::from_bytes(bytes).ok());
        if !word.is_some_and(|word| masters.vouched_for_backup(&sum, &word)) {
            return Err(bad("it was not made with this master key"));
        }
        let more = line::read(&mut self.input).map_err(unreadable)?;
        if more.is_empty() { Ok(()) } else { Err(bad("something follows its end")) }
    }
}

fn unreadable(error: io::Error) -> Stopped {
    let of_core = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(pqc_core::Error::BoxAuthentication | pqc_core::Error::Malformed { .. }) = of_core {
        // Its key is the right one, or not even its head would have opened.
        return bad("the file was truncated or altered");
    }
    Stopped::By(Error::BadBackup(error.to_string()))
}

const BATCH_ROWS: usize = 200;
const READER: Error = Error::Internal { what: "who reads a backup" };
