//! Writing a backup.

use std::io::Write;

use base64ct::{Base64, Encoding};
use pqc_core::checksum::Checksum;
use pqc_core::{MasterKeys, SealedRecord, Timestamp};
use tokio::sync::mpsc;

use super::line::{End, FORMAT, Head, Line, RowText};
use super::{BATCHES_THAT_WAIT, Contents};
use crate::error::Error;
use crate::service::Service;
use crate::store::copy::{self, Row, Table};

impl Service {
    /// Writes a backup of the store as it is at one moment, while it serves; gives `out` back, and
    /// what the backup holds. It is whole only if this succeeds.
    ///
    /// # Errors
    /// [`Error::BackupNotWritten`]; those of the store.
    pub async fn back_up<W>(&self, out: W) -> Result<(W, Contents), Error>
    where
        W: Write + Send + 'static,
    {
        let mut masters = self.masters.reload().await?;
        let made_at = self.store.now().await?;
        let (rows, incoming) = mpsc::channel(BATCHES_THAT_WAIT);
        let written = tokio::task::spawn_blocking(move || begin(out, made_at, incoming));
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
        finished.await.map_err(|_| WRITER)?.map_err(Error::BackupNotWritten)
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
) -> std::io::Result<Unfinished<W>> {
    let (checksum, contents) = (Checksum::default(), Contents::new(made_at));
    let mut backup = Unfinished { out, master_keys: Vec::new(), checksum, rows: 0, contents };
    backup.put(&Line::Backup(Head { format: FORMAT, made_at: made_at.millis() }))?;
    while let Some(rows) = incoming.blocking_recv() {
        for row in &rows {
            backup.put(&Line::Row(RowText::from(row)))?;
            backup.contents.count(row);
            backup.rows = backup.rows.saturating_add(1);
            if row.table == Table::MasterKeys {
                backup.master_keys.push(row.clone());
            }
        }
    }
    Ok(backup)
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
