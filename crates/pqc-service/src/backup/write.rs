//! Writing a backup.

use std::io::Write;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use pqc_core::checksum::Checksum;
use pqc_core::{MasterKeys, SealedRecord, Timestamp};
use tokio::sync::mpsc;

use super::line::{End, FORMAT, Head, Line, RowText};
use super::{BATCHES_THAT_WAIT, Contents, is_sound};
use crate::audit::{By, Event};
use crate::error::Error;
use crate::masters::Masters;
use crate::service::Service;
use crate::store::copy::{self, Row, Table};

impl Service {
    /// Writes a backup of the store as it is at one moment, while it serves; gives `out` back, and
    /// what the backup holds. It is whole only if this succeeds.
    ///
    /// # Errors
    /// [`Error::BackupNotWritten`]; those of the store.
    pub async fn back_up<W>(&self, by: &By, out: W) -> Result<(W, Contents), Error>
    where
        W: Write + Send + 'static,
    {
        let mut masters = self.masters.reload().await?;
        let made_at = self.store.now().await?;
        self.store.record(by, Event::done("store.backup")).await?;
        let (rows, incoming) = mpsc::channel(BATCHES_THAT_WAIT);
        let known = Arc::clone(&self.masters);
        let written = tokio::task::spawn_blocking(move || begin(out, made_at, incoming, &known));
        let copied = self.store.copy_out(rows).await;
        // What could not be written is the reason why the rows were not taken.
        let unfinished = written.await.map_err(|_| WRITER)?.map_err(Error::BackupNotWritten)?;
        copied?;
        if !are_of(&masters, &unfinished.master_keys)? {
            // A whole rotation came between.
            masters = self.masters.reload().await?;
            if !are_of(&masters, &unfinished.master_keys)? {
                return Err(Error::Unavailable("its master key is being rotated".to_owned()));
            }
        }
        let sum = unfinished.checksum.clone().finish();
        let sealed = masters.vouch_for_backup(&sum, &mut self.rng())?;
        let end = End {
            rows: unfinished.rows,
            sha256: hex::encode(sum),
            sealed: Base64::encode_string(sealed.as_bytes()),
        };
        let finished = tokio::task::spawn_blocking(move || unfinished.finish(end));
        let written = finished.await.map_err(|_| WRITER)?.map_err(Error::BackupNotWritten)?;
        // It is whole, whether or not that can be kept now.
        if let Err(error) = self.store.note_backup(made_at).await {
            tracing::warn!(%error, "the store cannot keep when it was backed up last");
        }
        Ok(written)
    }
}

/// Whether the key that seals now opens a store of these rows.
fn are_of(masters: &MasterKeys, rows: &[Row]) -> Result<bool, Error> {
    let records = rows.iter().map(copy::master_key).collect::<Result<Vec<_>, _>>()?;
    let newest = records.last().ok_or(Error::Corrupt { what: "its master keys" })?;
    let older = newest.wrapped.as_ref().map(SealedRecord::master_version);
    Ok([Some(newest.version), older].contains(&Some(masters.current_version())))
}

struct Unfinished<W> {
    out: W,
    /// The rows of the master keys.
    master_keys: Vec<Row>,
    checksum: Checksum,
    rows: u64,
    contents: Contents,
}

fn begin<W: Write>(
    out: W,
    made_at: Timestamp,
    mut incoming: mpsc::Receiver<Vec<Row>>,
    masters: &Masters,
) -> std::io::Result<Unfinished<W>> {
    let (checksum, contents) = (Checksum::default(), Contents::new(made_at));
    let mut backup = Unfinished { out, master_keys: Vec::new(), checksum, rows: 0, contents };
    backup.put(&Line::Backup(Head { format: FORMAT, made_at: made_at.millis() }))?;
    while let Some(rows) = incoming.blocking_recv() {
        for row in &rows {
            backup.put(&Line::Row(RowText::from(row)))?;
            let is_sound = row.table != Table::Keys || opens(row, masters);
            backup.contents.count(row, is_sound);
            backup.rows = backup.rows.saturating_add(1);
            if row.table == Table::MasterKeys {
                backup.master_keys.push(row.clone());
            }
        }
    }
    Ok(backup)
}

/// Whether a key's row opens. Where its master key is not known here, a rotation has begun or ended.
/// May wait: not for the runtime's own threads.
fn opens(row: &Row, masters: &Masters) -> bool {
    let known = masters.in_force().ok();
    if let Some(Ok(opened)) = known.map(|keys| is_sound(row, &keys)) {
        return opened;
    }
    let fresh = tokio::runtime::Handle::current().block_on(masters.reload());
    fresh.is_ok_and(|keys| matches!(is_sound(row, &keys), Ok(true)))
}

impl<W: Write> Unfinished<W> {
    fn put(&mut self, line: &Line) -> std::io::Result<()> {
        let bytes = line.to_bytes()?;
        self.checksum.update(&bytes);
        self.out.write_all(&bytes)
    }

    fn finish(mut self, end: End) -> std::io::Result<(W, Contents)> {
        self.out.write_all(&Line::End(end).to_bytes()?)?;
        self.out.flush()?;
        Ok((self.out, self.contents))
    }
}

const WRITER: Error = Error::Internal { what: "who writes a backup" };

#[cfg(test)]
mod tests {
    use pqc_core::{MasterKey, Secret};

    use super::*;
    use crate::store::copy::Value;

    fn key(version: u32) -> MasterKey {
        MasterKey::new(version, Secret::from([u8::try_from(version).unwrap(); 32]))
    }

    /// A version's row; one that is wrapped under another is in a rotation.
    fn row(version: u32, wrapped_under: Option<u32>) -> Row {
        let rng = &mut getrandom::SysRng;
        let bytes = |sealed: SealedRecord| Value::Bytes(sealed.as_bytes().to_vec());
        let wrapped = wrapped_under.map(|other| key(other).wrap_key(&key(version), rng).unwrap());
        Row {
            table: Table::MasterKeys,
            values: vec![
                Value::Integer(version.into()),
                bytes(key(version).check_value(rng).unwrap()),
                Value::Integer(0),
                wrapped.map_or(Value::Null, bytes),
                Value::Null,
                Value::Null,
            ],
        }
    }

    #[test]
    fn a_backup_is_vouched_for_by_a_key_that_opens_it() {
        let at = |rows: &[Row], version| are_of(&MasterKeys::new(key(version)), rows).unwrap();
        assert!(at(&[row(1, None)], 1));
        // The rotation is under way: either key opens it.
        let rotating = [row(1, Some(2)), row(2, Some(1))];
        assert!(at(&rotating, 1) && at(&rotating, 2));
        // It is over: the older one does not.
        let over = [row(1, None), row(2, None)];
        assert!(!at(&over, 1) && at(&over, 2) && !at(&over, 3));
        let next = [row(1, None), row(2, Some(3)), row(3, Some(2))];
        assert!(!at(&next, 1) && at(&next, 2) && at(&next, 3));
    }
}
