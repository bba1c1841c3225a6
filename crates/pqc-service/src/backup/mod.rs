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
use pqc_core::{AccountId, KeyId, Timestamp, TokenId};

use crate::store::copy::{Row, Table, Value};

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
    /// Whether it was destroyed, a short time ago: it is still, and can be brought back.
    pub is_destroyed: bool,
}

impl Contents {
    fn new(made_at: Timestamp) -> Self {
        Self {
            made_at,
            accounts: Vec::new(),
            issuer_keys: Vec::new(),
            trusted_issuers: 0,
            places: HashMap::new(),
        }
    }

    /// Takes note of a row. One that does not fit is none of ours: the store will refuse it.
    fn count(&mut self, row: &Row) {
        use Value::{Bytes, Integer, Text};
        match (row.table, row.values.as_slice()) {
            (Table::Accounts, [Bytes(id), Text(name), ..]) => {
                let Some(id) = account_id(id) else { return };
                let (name, keys) = (name.clone(), Vec::new());
                self.places.insert(id, self.accounts.len());
                self.accounts.push(AccountContents { id, name, root_token: None, keys });
            }
            (Table::RootTokens, [Bytes(account), Bytes(id), .., Integer(created_at)]) => {
                let id = id.as_slice().try_into().ok().map(TokenId::from_bytes);
                let at = u64::try_from(*created_at)
                    .map_or(Timestamp::from_millis(0), Timestamp::from_millis);
                if let (Some(account), Some(id)) = (self.account(account), id) {
                    account.root_token = Some((id, at));
                }
            }
            (Table::Keys, [Bytes(account), Bytes(id), Text(kind), .., destroyed_at]) => {
                let key = KeyId::from_slice(id).ok().zip(RecordKind::from_name(kind));
                let Some((id, kind)) = key else { return };
                let key = KeyContents { id, kind, is_destroyed: *destroyed_at != Value::Null };
                match self.account(account) {
                    Some(account) => account.keys.push(key),
                    None => self.issuer_keys.push(key),
                }
            }
            (Table::TrustedIssuers, _) => {
                self.trusted_issuers = self.trusted_issuers.saturating_add(1);
            }
            _ => {}
        }
    }

    fn account(&mut self, id: &[u8]) -> Option<&mut AccountContents> {
        let place = self.places.get(&account_id(id)?)?;
        self.accounts.get_mut(*place)
    }
}

/// Batches of rows that lie between who reads and who writes.
const BATCHES_THAT_WAIT: usize = 4;

fn account_id(bytes: &[u8]) -> Option<AccountId> {
    Some(AccountId::from_bytes(bytes.try_into().ok()?))
}
