//! The log, read again: by its account, or as a whole.

use std::io::Write;

use pqc_core::AccountId;
use pqc_core::audit::{ChainHead, Checkpoint, Entry};

use super::line::{CheckpointText, End, FORMAT, Head, Line, RowText};
use crate::error::Error;
use crate::service::Service;

/// An entry, and its number in the order of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The number: greater than that of all before.
    pub number: u64,
    /// What was done.
    pub entry: Entry,
}

/// What an export holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many rows.
    pub rows: u64,
    /// How many checkpoints.
    pub checkpoints: u64,
}

/// What the log is made of.
pub(super) enum LogPart<'a> {
    Checkpoint(&'a Checkpoint),
    /// An entry, and where it stands.
    Row(&'a ChainHead, &'a Entry),
}

impl Service {
    /// A page of what the log has of an account, newest first, before the row of this number.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn audit_of(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<LogEntry>, Error> {
        let rows = self.store.audit_of(account, before, limit).await?;
        Ok(rows.into_iter().map(|(number, entry)| LogEntry { number, entry }).collect())
    }

    /// Writes the log as lines of JSON, while it grows: first the keys and the checkpoints, then
    /// every row, chain by chain.
    ///
    /// # Errors
    /// [`Error::ExportNotWritten`]; those of the store.
    pub async fn export_audit(&self, out: &mut (dyn Write + Send)) -> Result<Exported, Error> {
        let mut put = |line: Line| {
            let bytes = line.to_bytes()?;
            out.write_all(&bytes)
        };
        let keys = self.checkpoint_keys().await?;
        let made_at = self.store.now().await?.millis();
        let keys = keys.iter().map(|key| hex::encode(key.as_bytes())).collect();
        let head = Head { format: FORMAT, made_at_ms: made_at, checkpoint_keys: keys };
        put(Line::Audit(head)).map_err(Error::ExportNotWritten)?;
        let mut exported = Exported::default();
        let take = |part: LogPart<'_>| {
            let line = match part {
                LogPart::Checkpoint(checkpoint) => {
                    exported.checkpoints = checkpoint.number();
                    Line::Checkpoint(CheckpointText::from(checkpoint))
                }
                LogPart::Row(place, entry) => {
                    exported.rows = exported.rows.saturating_add(1);
                    Line::Row(RowText::new(place, entry))
                }
            };
            put(line).map_err(Error::ExportNotWritten)
        };
        self.go_through_log(take).await?;
        let Exported { rows, checkpoints } = exported;
        put(Line::End(End { rows, checkpoints })).map_err(Error::ExportNotWritten)?;
        Ok(exported)
    }

    /// Goes through the log as it is in the store, while it grows: first the checkpoints, then every
    /// row, chain by chain.
    pub(super) async fn go_through_log(
        &self,
        mut take: impl FnMut(LogPart<'_>) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        let mut number = 0;
        loop {
            // Before the rows: what a checkpoint states is in the store by then.
            let page = self.store.checkpoints(number, PAGE).await?;
            let Some(last) = page.last() else { break };
            number = last.number();
            page.iter().try_for_each(|checkpoint| take(LogPart::Checkpoint(checkpoint)))?;
        }
        let mut after = None;
        loop {
            let page = self.store.audit_rows(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some((last.chain, last.number));
            page.iter().try_for_each(|(place, entry)| take(LogPart::Row(place, entry)))?;
            tokio::task::yield_now().await;
        }
    }
}

const PAGE: u32 = 500;
