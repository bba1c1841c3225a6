//! Backups: all of a store as lines of text, and a store made of such lines.
//!
//! [`Service::back_up`](crate::Service::back_up) writes one snapshot of the store while it serves;
//! [`restore`] makes a new store of it, on either engine. The lines hold secrets sealed and tokens
//! hashed, as the store does; who writes them to a file encrypts them (`docs/formats.md` has both
//! forms). They end with a checksum, and with the master key's word that its holder wrote it:
//! nobody else can make accounts or tokens by a backup of his own.

mod line;
mod read;
mod write;

use std::collections::HashMap;

use pqc_core::seal::RecordKind;
use pqc_core::{AccountId, KeyId, MasterKeys, Timestamp, TokenId};

use crate::store::Columns;
use crate::store::copy::{self, Row, Table};

pub use read::{RestoreOptions, Restored, Target, restore};

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The store's time when it was made.
    pub made_at: Timestamp,
    /// The accounts, in the order of their making.
    pub accounts: Vec<AccountContents>,
    /// The server's own issuer keys, the one in force last.
    pub issuer_keys: Vec<KeyContents>,
    /// How many issuers of others are trusted.
    pub trusted_issuers: u64,
    /// How many keys do not open, also those that cannot be named.
    pub damaged_keys: u64,
    /// Where each account stands among them: a key's row is looked up by it.
    places: HashMap<AccountId, usize>,
}

/// What a backup holds of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountContents {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its root token, which is in force again in a restored store, and when it was made.
    pub root_token: Option<(TokenId, Timestamp)>,
    /// Its keys, in the order of their making.
    pub keys: Vec<KeyContents>,
}

/// A key that is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyContents {
    /// Its id.
    pub id: KeyId,
    /// What it is for.
    pub kind: RecordKind,
    /// When it was destroyed: for a grace after that it can be brought back.
    pub destroyed_at: Option<Timestamp>,
    /// Whether it opens. What does not is in the backup as it is in the store.
    pub is_sound: bool,
}

impl Contents {
    fn new(made_at: Timestamp) -> Self {
        Self {
            made_at,
            accounts: Vec::new(),
            issuer_keys: Vec::new(),
            trusted_issuers: 0,
            damaged_keys: 0,
            places: HashMap::new(),
        }
    }

    /// Takes note of a row; `is_sound`: if it is a key's, the key opens. One that does not fit is
    /// none of ours: the store will refuse it.
    fn count(&mut self, row: &Row, is_sound: bool) {
        if row.table == Table::Keys && !is_sound {
            self.damaged_keys = self.damaged_keys.saturating_add(1);
        }
        let _ = match row.table {
            Table::Accounts => self.count_account(row),
            Table::RootTokens => self.count_root_token(row),
            Table::Keys => self.count_key(row, is_sound),
            Table::TrustedIssuers => {
                self.trusted_issuers = self.trusted_issuers.saturating_add(1);
                Some(())
            }
            Table::Clock
            | Table::MasterKeys
            | Table::Audit
            | Table::AuditCheckpoints
            | Table::Usage
            | Table::KeyUses => None,
        };
    }

    fn count_account(&mut self, row: &Row) -> Option<()> {
        let id = account_id(bytes(row, "id")?)?;
        let name = text(row, "name")?.to_owned();
        self.places.insert(id, self.accounts.len());
        self.accounts.push(AccountContents { id, name, root_token: None, keys: Vec::new() });
        Some(())
    }

    fn count_root_token(&mut self, row: &Row) -> Option<()> {
        let id = TokenId::from_bytes(bytes(row, "id")?.try_into().ok()?);
        let made_at = time(row, "created_at")?;
        self.account(bytes(row, "account")?)?.root_token = Some((id, made_at));
        Some(())
    }

    fn count_key(&mut self, row: &Row, is_sound: bool) -> Option<()> {
        let key = KeyContents {
            id: KeyId::from_slice(bytes(row, "id")?).ok()?,
            kind: RecordKind::from_name(text(row, "kind")?)?,
            destroyed_at: time(row, "destroyed_at"),
            is_sound,
        };
        match self.account(bytes(row, "account")?) {
            Some(account) => account.keys.push(key),
            None if key.kind == RecordKind::IssuerKey => self.issuer_keys.push(key),
            // Nothing depends on which key signs the next checkpoint.
            None => {}
        }
        Some(())
    }

    fn account(&mut self, id: &[u8]) -> Option<&mut AccountContents> {
        let place = self.places.get(&account_id(id)?)?;
        self.accounts.get_mut(*place)
    }
}

/// Batches of rows that lie between who reads and who writes.
const BATCHES_THAT_WAIT: usize = 4;

/// Opens the key of a row with the master keys: whether that is possible.
///
/// # Errors
/// It is under a master key that is not among these.
fn is_sound(row: &Row, masters: &MasterKeys) -> Result<bool, UnknownMasterKey> {
    let Ok(key) = copy::key(row) else { return Ok(false) };
    if let KeyId::Pair(_) = key.id
        && key.id != KeyId::of_pair(&key.algorithm, &key.public_key)
    {
        return Ok(false);
    }
    match masters.open(&key.name(), &key.sealed) {
        Err(pqc_core::Error::UnknownMasterKey { .. }) => Err(UnknownMasterKey),
        opened => Ok(opened.is_ok()),
    }
}

#[derive(Debug)]
struct UnknownMasterKey;

fn bytes<'a>(row: &'a Row, column: &str) -> Option<&'a [u8]> {
    row.bytes(column).ok()?
}

fn text<'a>(row: &'a Row, column: &str) -> Option<&'a str> {
    row.text(column).ok()?
}

fn time(row: &Row, column: &str) -> Option<Timestamp> {
    u64::try_from(row.integer(column).ok()??).ok().map(Timestamp::from_millis)
}

fn account_id(bytes: &[u8]) -> Option<AccountId> {
    Some(AccountId::from_bytes(bytes.try_into().ok()?))
}
