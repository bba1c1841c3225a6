//! The log as text: one JSON object a line, with one member that says what it is.

use std::io::{self, BufRead};

use base64ct::{Base64, Encoding};
use pqc_core::audit::{Actor, ChainHead, ChainId, Checkpoint, Entry, Report, Verifier};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::json_lines;

/// What a line can be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The first.
    Audit(Head),
    Checkpoint(CheckpointText),
    Row(RowText),
    /// The last.
    End(End),
}

/// What kind of export it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// The version of this form.
    pub(super) format: u32,
    pub(super) made_at_ms: u64,
    /// In hex, the one in force first.
    pub(super) checkpoint_keys: Vec<String>,
}

/// A checkpoint; all but its bytes are for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckpointText {
    number: u64,
    time_ms: u64,
    chain: String,
    row: u64,
    /// In base64 (RFC 4648, section 4).
    bytes: String,
}

/// A row: where it stands, and its entry. Ids and hashes in hex.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowText {
    chain: String,
    number: u64,
    hash: String,
    entry: EntryText,
}

/// An entry, for people and programs; ids in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryText {
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub time_ms: u64,
    /// `server`, `operator`, or a token's id.
    pub actor: String,
    /// What was done.
    pub act: String,
    /// What came of it.
    pub outcome: String,
    /// The account that it was done to, or for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<String>,
    /// The key that it was done to, or by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key_id: Option<String>,
    /// The token that it was done to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token_id: Option<String>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// The request by which it was done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request_id: Option<String>,
}

/// What proves that the export is whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) rows: u64,
    pub(super) checkpoints: u64,
}

impl Line {
    /// With the line's end.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        json_lines::write(self)
    }
}

impl From<&Checkpoint> for CheckpointText {
    fn from(checkpoint: &Checkpoint) -> Self {
        let head = checkpoint.head();
        Self {
            number: checkpoint.number(),
            time_ms: checkpoint.time().millis(),
            chain: head.chain.to_string(),
            row: head.number,
            bytes: Base64::encode_string(&checkpoint.to_bytes()),
        }
    }
}

impl CheckpointText {
    fn read(&self) -> Option<Checkpoint> {
        let read = Checkpoint::from_bytes(&Base64::decode_vec(&self.bytes).ok()?).ok()?;
        // What people read is what was signed.
        let told = (self.number, self.time_ms, &*self.chain, self.row);
        let head = read.head();
        let signed = (read.number(), read.time().millis(), &*head.chain.to_string(), head.number);
        (told == signed).then_some(read)
    }
}

impl RowText {
    pub(super) fn new(place: &ChainHead, entry: &Entry) -> Self {
        let ChainHead { chain, number, hash } = place;
        let entry = EntryText::from(entry);
        Self { chain: chain.to_string(), number: *number, hash: hex::encode(hash), entry }
    }

    fn read(self) -> Option<(ChainHead, Entry)> {
        let place = ChainHead {
            chain: ChainId::from_slice(&bytes(&self.chain)?).ok()?,
            number: self.number,
            hash: bytes(&self.hash)?.try_into().ok()?,
        };
        Some((place, self.entry.read()?))
    }
}

impl From<&Entry> for EntryText {
    fn from(entry: &Entry) -> Self {
        Self {
            time_ms: entry.time.millis(),
            actor: match entry.actor {
                Actor::Server => SERVER.to_owned(),
                Actor::Operator => OPERATOR.to_owned(),
                Actor::Token(id) => id.to_string(),
            },
            act: entry.act.to_string(),
            outcome: entry.outcome.to_string(),
            account: entry.account.map(|id| id.to_string()),
            key_id: entry.key.map(|id| id.to_string()),
            token_id: entry.token.map(|id| id.to_string()),
            detail: entry.detail.clone(),
            request_id: entry.request_id.clone(),
        }
    }
}

impl EntryText {
    fn read(self) -> Option<Entry> {
        let id = |text: Option<String>| text.map(|text| bytes(&text).ok_or(())).transpose().ok();
        Some(Entry {
            time: Timestamp::from_millis(self.time_ms),
            actor: match &*self.actor {
                SERVER => Actor::Server,
                OPERATOR => Actor::Operator,
                id => Actor::Token(TokenId::from_slice(&bytes(id)?).ok()?),
            },
            account: id(self.account)?.map(|id| AccountId::from_slice(&id)).transpose().ok()?,
            key: id(self.key_id)?.map(|id| KeyId::from_slice(&id)).transpose().ok()?,
            token: id(self.token_id)?.map(|id| TokenId::from_slice(&id)).transpose().ok()?,
            act: self.act.into(),
            outcome: self.outcome.into(),
            detail: self.detail,
            request_id: self.request_id,
        })
    }
}

/// What was found in an export.
#[derive(Debug)]
pub struct Verified {
    /// All but the keys.
    pub report: Report,
    /// The keys that were trusted.
    pub keys: Vec<VerifyingKey>,
}

/// Goes through an export, without the store: whether nothing was removed, changed, put elsewhere
/// or added. Trusts the checkpoints of `keys`; of those that the export names, if there are none.
/// `kept` are checkpoints that were kept elsewhere.
///
/// # Errors
/// [`Error::NotAnExport`]: a line is none, or the export is not whole.
pub fn verify(
    export: &mut impl BufRead,
    keys: Vec<VerifyingKey>,
    kept: &[Checkpoint],
) -> Result<Verified, Error> {
    let mut lines = Lines { from: export, number: 0 };
    let Some(Line::Audit(head)) = lines.next()? else { return Err(lines.none("its head")) };
    if head.format != FORMAT {
        return Err(lines.none("a head of a form that is known here"));
    }
    let keys = if keys.is_empty() {
        let named = head.checkpoint_keys.iter();
        let read = |text: &String| VerifyingKey::from_bytes(&bytes(text)?).ok();
        named.map(read).collect::<Option<_>>().ok_or_else(|| lines.none("a key"))?
    } else {
        keys
    };
    let mut verifier = Verifier::new(keys.iter().cloned());
    let (mut rows, mut checkpoints) = (0_u64, 0_u64);
    let mut told_kept = false;
    loop {
        match lines.next()? {
            Some(Line::Checkpoint(text)) if !told_kept => {
                let checkpoint = text.read().ok_or_else(|| lines.none("a checkpoint"))?;
                verifier.checkpoint(&checkpoint);
                checkpoints = checkpoints.saturating_add(1);
            }
            Some(Line::Row(row)) => {
                if !std::mem::replace(&mut told_kept, true) {
                    kept.iter().for_each(|checkpoint| verifier.kept_elsewhere(checkpoint));
                }
                let (place, entry) = row.read().ok_or_else(|| lines.none("a row"))?;
                verifier.row(&place, &entry);
                rows = rows.saturating_add(1);
            }
            Some(Line::End(end)) if end.rows == rows && end.checkpoints == checkpoints => break,
            Some(Line::End(_)) => return Err(lines.none("as many rows as its end says")),
            Some(_) => return Err(lines.none("a line that belongs here")),
            None => return Err(lines.none("its end: the file was cut off")),
        }
    }
    if lines.next()?.is_some() {
        return Err(lines.none("an end that is the last line"));
    }
    if !told_kept {
        kept.iter().for_each(|checkpoint| verifier.kept_elsewhere(checkpoint));
    }
    Ok(Verified { report: verifier.finish(), keys })
}

/// The checkpoints of an export, or of lines of one.
///
/// # Errors
/// [`Error::NotAnExport`].
pub fn checkpoints(from: &mut impl BufRead) -> Result<Vec<Checkpoint>, Error> {
    let mut lines = Lines { from, number: 0 };
    let mut found = Vec::new();
    while let Some(line) = lines.next()? {
        if let Line::Checkpoint(text) = line {
            found.push(text.read().ok_or_else(|| lines.none("a checkpoint"))?);
        }
    }
    Ok(found)
}

/// The line of a checkpoint, to be kept elsewhere.
///
/// # Errors
/// [`Error::Internal`].
pub fn checkpoint_line(checkpoint: &Checkpoint) -> Result<String, Error> {
    serde_json::to_string(&Line::Checkpoint(CheckpointText::from(checkpoint)))
        .map_err(|_| Error::Internal { what: "the line of a checkpoint" })
}

struct Lines<'a, R> {
    from: &'a mut R,
    number: u64,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<Option<Line>, Error> {
        self.number = self.number.saturating_add(1);
        let line =
            json_lines::read(self.from, MAX_LINE_BYTES).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => self.none("a line with its end"),
                _ => Error::ExportNotRead(error),
            })?;
        if line.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&line).map(Some).map_err(|_| self.none("a line of an export"))
    }

    fn none(&self, expected: &'static str) -> Error {
        Error::NotAnExport { line: self.number, expected }
    }
}

/// Lower-case hex, the only form that is written.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let bytes = hex::decode(text).ok()?;
    (hex::encode(&bytes) == text).then_some(bytes)
}

const SERVER: &str = "server";
const OPERATOR: &str = "operator";
/// Several times what the longest entry needs.
const MAX_LINE_BYTES: u64 = 512 * 1024;
/// The form of today.
pub(super) const FORMAT: u32 = 1;
