//! Rows to records. What does not fit a record's types is [`Error::Corrupt`], never a panic.

use pqc_core::audit::{ChainHead, ChainId, Checkpoint, Entry};
use pqc_core::replay::{RequestHash, SealedAnswer};
use pqc_core::seal::RecordKind;
use pqc_core::session::SessionHash;
use pqc_core::token::{OperationSet, Scope, TokenHash, TokenKind, TokenState};
use pqc_core::{
    AccountId, KeyId, PassphraseParameters, SealedRecord, Timestamp, TokenId, VerifyingKey,
};

use super::sql::Columns;
use super::{AccountRecord, KeyInfo, KeyRecord, MasterKeyRecord, SessionRecord, TokenRecord};
use crate::account::Custody;
use crate::error::Error;
use crate::usage::UsageSum;

/// The columns that [`account`] reads, of `accounts AS a`.
macro_rules! account_columns {
    () => {
        "a.id AS a_id, a.name AS a_name, a.custody AS a_custody, a.disabled AS a_disabled, \
         a.created_at AS a_created_at"
    };
}

/// The columns that [`token`] reads, of `tokens AS t JOIN accounts AS a`.
macro_rules! token_columns {
    () => {
        "t.account, t.id, t.hash, t.kind, t.label, t.operations, t.key_id, t.created_at, \
         t.expires_at, t.attempts, t.attempts_left, t.revoked_at, t.last_used_at, \
         a.disabled AS a_disabled"
    };
}

/// The columns that [`key`] reads, of `keys`.
macro_rules! key_columns {
    () => {
        "account, id, kind, algorithm, version, public_key, attestation, sealed, created_at, \
         retired_at"
    };
}

/// What [`key_info`] reads: columns, and where they are.
macro_rules! select_key_info {
    () => {
        "SELECT k.account, k.id, k.kind, k.algorithm, k.version, k.public_key, k.attestation, \
         k.created_at, k.retired_at, k.destroyed_at, u.uses, u.last_used_at FROM keys AS k \
         LEFT JOIN key_uses AS u ON u.account = k.account AND u.key = k.id"
    };
}

pub(super) use {account_columns, key_columns, select_key_info, token_columns};

pub(super) fn account(row: &impl Columns) -> Result<AccountRecord, Error> {
    let fields = Fields { row, what: "an account's row" };
    Ok(AccountRecord {
        id: AccountId::from_bytes(fields.array("a_id")?),
        name: fields.text("a_name")?.to_owned(),
        custody: custody(row)?,
        disabled: fields.flag("a_disabled")?,
        created_at: fields.time("a_created_at")?,
    })
}

/// Of `a_custody`.
pub(super) fn custody(row: &impl Columns) -> Result<Custody, Error> {
    let fields = Fields { row, what: "an account's row" };
    fields.parse("a_custody", fields.text("a_custody")?, |name| Custody::from_name(name).ok())
}

/// Of `id`.
pub(super) fn account_id(row: &impl Columns) -> Result<AccountId, Error> {
    Fields { row, what: "an account's row" }.array("id").map(AccountId::from_bytes)
}

/// Of `count`.
pub(super) fn count(row: &impl Columns) -> Result<u64, Error> {
    Fields { row, what: "a count" }.number("count")
}

/// Whether the row of an outer join has a token.
pub(super) fn has_token(row: &impl Columns) -> Result<bool, Error> {
    Ok(Fields { row, what: "a token's row" }.optional_bytes("hash")?.is_some())
}

/// Which token it is, where the rest may not be readable.
pub(super) fn token_hash(row: &impl Columns) -> Result<TokenHash, Error> {
    Fields { row, what: "a token's row" }.array("hash").map(TokenHash::from_bytes)
}

pub(super) fn token(row: &impl Columns) -> Result<TokenRecord, Error> {
    let fields = Fields { row, what: "a token's row" };
    Ok(TokenRecord {
        id: TokenId::from_bytes(fields.array("id")?),
        account: AccountId::from_bytes(fields.array("account")?),
        hash: TokenHash::from_bytes(fields.array("hash")?),
        label: fields.optional_text("label")?.map(str::to_owned),
        attempts: fields.optional_number("attempts")?,
        created_at: fields.time("created_at")?,
        last_used_at: fields.optional_time("last_used_at")?,
        state: TokenState {
            kind: fields.parse("kind", fields.text("kind")?, token_kind_from_name)?,
            scope: Scope {
                operations: OperationSet::from_bits(fields.number("operations")?),
                key_id: fields.optional_key_id("key_id")?,
            },
            expires_at: fields.optional_time("expires_at")?,
            attempts_left: fields.optional_number("attempts_left")?,
            revoked: fields.optional_time("revoked_at")?.is_some(),
            account_disabled: fields.flag("a_disabled")?,
        },
    })
}

/// Of `s_created_at, s_expires_at`: the session with this hash, begun by this token.
pub(super) fn session(
    row: &impl Columns,
    hash: SessionHash,
    token: &TokenRecord,
) -> Result<SessionRecord, Error> {
    let fields = Fields { row, what: "a session's row" };
    let (created_at, expires_at) = (fields.time("s_created_at")?, fields.time("s_expires_at")?);
    Ok(SessionRecord { hash, account: token.account, token: token.id, created_at, expires_at })
}

/// Of `token`: by which a call was begun.
pub(super) fn token_of_call(row: &impl Columns) -> Result<TokenId, Error> {
    Fields { row, what: CALL }.array("token").map(TokenId::from_bytes)
}

/// A call with an idempotency key that was begun.
pub(super) struct BegunCall {
    pub(super) request: RequestHash,
    pub(super) is_claimed: bool,
    pub(super) claimed_at: Timestamp,
    pub(super) answer: Option<SealedAnswer>,
    pub(super) account_disabled: bool,
}

/// Of `request, claim, claimed_at, answer, a_disabled`.
pub(super) fn begun_call(row: &impl Columns) -> Result<BegunCall, Error> {
    let fields = Fields { row, what: CALL };
    Ok(BegunCall {
        request: RequestHash::from_bytes(fields.array("request")?),
        is_claimed: fields.optional_bytes("claim")?.is_some(),
        claimed_at: fields.time("claimed_at")?,
        answer: fields.parse("answer", fields.optional_bytes("answer")?, |bytes| {
            bytes.map(|bytes| SealedAnswer::from_bytes(bytes.to_vec())).transpose().ok()
        })?,
        account_disabled: fields.flag("a_disabled")?,
    })
}

/// Of `place, attempts_left`: which of several tokens, and what was left of its attempts.
pub(super) fn place(row: &impl Columns) -> Result<usize, Error> {
    Fields { row, what: "a token's row" }.number("place")
}

/// Of `place, attempts_left`.
pub(super) fn attempts_left(row: &impl Columns) -> Result<Option<u32>, Error> {
    Fields { row, what: "a token's row" }.optional_number("attempts_left")
}

pub(super) fn key(row: &impl Columns) -> Result<KeyRecord, Error> {
    let fields = Fields { row, what: "a key's row" };
    Ok(KeyRecord {
        account: AccountId::from_bytes(fields.array("account")?),
        id: fields.parse("id", fields.bytes("id")?, |bytes| KeyId::from_slice(bytes).ok())?,
        kind: fields.parse("kind", fields.text("kind")?, RecordKind::from_name)?,
        algorithm: fields.text("algorithm")?.to_owned(),
        version: fields.optional_number("version")?,
        public_key: fields.bytes("public_key")?.to_vec(),
        attestation: fields.attestation()?,
        sealed: fields.sealed("sealed")?,
        created_at: fields.time("created_at")?,
        retired_at: fields.optional_time("retired_at")?,
    })
}

/// Of `attestation`: empty where there is none, however the store says so.
pub(super) fn attestation(row: &impl Columns) -> Result<Vec<u8>, Error> {
    Fields { row, what: "a key's row" }.attestation()
}

/// Of `seq`: a key's row, whatever else is in it.
pub(super) fn number_of_key(row: &impl Columns) -> Result<u64, Error> {
    Fields { row, what: "a key's row" }.number("seq")
}

/// Of `master, count`: the version of a master key, and how many keys are under it.
pub(super) fn keys_of_master_key(row: &impl Columns) -> Result<(u32, u64), Error> {
    let fields = Fields { row, what: "a key's row" };
    Ok((u32::from_be_bytes(fields.array("master")?), fields.number("count")?))
}

pub(super) fn master_key(row: &impl Columns) -> Result<MasterKeyRecord, Error> {
    let fields = Fields { row, what: "a master key's row" };
    Ok(MasterKeyRecord {
        version: fields.number("version")?,
        check: fields.sealed("check_value")?,
        derivation: fields.parse("derivation", fields.optional_text("derivation")?, |text| {
            text.map(str::parse::<PassphraseParameters>).transpose().ok()
        })?,
        created_at: fields.time("created_at")?,
        superseded_at: fields.optional_time("superseded_at")?,
        wrapped: fields.parse("wrapped", fields.optional_bytes("wrapped")?, |bytes| {
            bytes.map(|bytes| SealedRecord::from_bytes(bytes.to_vec())).transpose().ok()
        })?,
    })
}

/// Of `superseded_at`.
pub(super) fn is_superseded(row: &impl Columns) -> Result<bool, Error> {
    let fields = Fields { row, what: "a master key's row" };
    Ok(fields.optional_time("superseded_at")?.is_some())
}

pub(super) fn key_info(row: &impl Columns) -> Result<KeyInfo, Error> {
    let fields = Fields { row, what: "a key's row" };
    Ok(KeyInfo {
        account: AccountId::from_bytes(fields.array("account")?),
        id: fields.parse("id", fields.bytes("id")?, |bytes| KeyId::from_slice(bytes).ok())?,
        kind: fields.parse("kind", fields.text("kind")?, RecordKind::from_name)?,
        algorithm: fields.text("algorithm")?.to_owned(),
        version: fields.optional_number("version")?,
        public_key: fields.bytes("public_key")?.to_vec(),
        attestation: fields.attestation()?,
        created_at: fields.time("created_at")?,
        retired_at: fields.optional_time("retired_at")?,
        destroyed_at: fields.optional_time("destroyed_at")?,
        uses: fields.optional_number("uses")?.unwrap_or(0),
        last_used_at: fields.optional_time("last_used_at")?,
    })
}

/// Of `made_at`.
pub(super) fn backup(row: &impl Columns) -> Result<Timestamp, Error> {
    Fields { row, what: "the time of the last backup" }.time("made_at")
}

/// Of `version`, which may be that of none.
pub(super) fn version(row: &impl Columns) -> Result<Option<u32>, Error> {
    Fields { row, what: "a key's row" }.optional_number("version")
}

/// Of `public_key`.
pub(super) fn issuer(row: &impl Columns) -> Result<VerifyingKey, Error> {
    let fields = Fields { row, what: "a trusted issuer's key" };
    fields.parse("public_key", fields.bytes("public_key")?, |bytes| {
        VerifyingKey::from_bytes(bytes).ok()
    })
}

/// Of `chain, number, hash, entry`.
pub(super) fn audit_row(row: &impl Columns) -> Result<(ChainHead, Entry), Error> {
    let fields = Fields { row, what: "a row of the audit log" };
    let head = ChainHead {
        chain: ChainId::from_bytes(fields.array("chain")?),
        number: fields.number("number")?,
        hash: fields.array("hash")?,
    };
    Ok((head, fields.audit_entry()?))
}

/// Of `id, account, entry`.
pub(super) fn audit_entry(row: &impl Columns) -> Result<(u64, Entry), Error> {
    let fields = Fields { row, what: "a row of the audit log" };
    let entry = fields.audit_entry()?;
    // By this column a tenant finds what is told of it. No hash covers it, so it has to be the
    // entry's own.
    let account = entry.account.as_ref().map(|id| &id.as_bytes()[..]);
    match fields.optional_bytes("account")? == account {
        true => Ok((fields.number("id")?, entry)),
        false => Err(fields.corrupt("account")),
    }
}

/// Of `checkpoint`.
pub(super) fn checkpoint(row: &impl Columns) -> Result<Checkpoint, Error> {
    let fields = Fields { row, what: "a checkpoint of the audit log" };
    fields.parse("checkpoint", fields.bytes("checkpoint")?, |bytes| {
        Checkpoint::from_bytes(bytes).ok()
    })
}

/// Of `operation, calls, failed`, and either `token, label` or `place`.
pub(super) fn usage_sum(row: &impl Columns, is_token: bool) -> Result<UsageSum, Error> {
    let fields = Fields { row, what: "a row of the usage" };
    let (group, token, label) = match is_token {
        true => {
            let token = TokenId::from_bytes(fields.array("token")?);
            (String::new(), Some(token), fields.optional_text("label")?.map(str::to_owned))
        }
        false => (fields.text("place")?.to_owned(), None, None),
    };
    Ok(UsageSum {
        group,
        token,
        label,
        operation: fields.text("operation")?.to_owned(),
        calls: fields.number("calls")?,
        failed: fields.number("failed")?,
    })
}

/// Of `greatest`.
pub(super) fn clock(row: &impl Columns) -> Result<Timestamp, Error> {
    Fields { row, what: "the clock" }.time("greatest")
}

const CALL: &str = "the row of a call with an idempotency key";

/// A row, and what it is called where it does not fit.
struct Fields<'r, R> {
    row: &'r R,
    what: &'static str,
}

impl<'r, R: Columns> Fields<'r, R> {
    fn some<T>(&self, column: &str, value: Result<Option<T>, sqlx::Error>) -> Result<T, Error> {
        value.ok().flatten().ok_or_else(|| self.corrupt(column))
    }

    fn text(&self, column: &str) -> Result<&'r str, Error> {
        self.some(column, self.row.text(column))
    }

    fn optional_text(&self, column: &str) -> Result<Option<&'r str>, Error> {
        self.row.text(column).map_err(|_| self.corrupt(column))
    }

    fn bytes(&self, column: &str) -> Result<&'r [u8], Error> {
        self.some(column, self.row.bytes(column))
    }

    fn optional_bytes(&self, column: &str) -> Result<Option<&'r [u8]>, Error> {
        self.row.bytes(column).map_err(|_| self.corrupt(column))
    }

    fn parse<F, T>(
        &self,
        column: &str,
        value: F,
        parse: impl FnOnce(F) -> Option<T>,
    ) -> Result<T, Error> {
        parse(value).ok_or_else(|| self.corrupt(column))
    }

    fn array<const N: usize>(&self, column: &str) -> Result<[u8; N], Error> {
        self.parse(column, self.bytes(column)?, |bytes| bytes.try_into().ok())
    }

    fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, Error> {
        self.some(column, Ok(self.optional_number(column)?))
    }

    fn optional_number<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, Error> {
        let number = self.row.integer(column).map_err(|_| self.corrupt(column))?;
        number.map(T::try_from).transpose().map_err(|_| self.corrupt(column))
    }

    fn time(&self, column: &str) -> Result<Timestamp, Error> {
        self.number(column).map(Timestamp::from_millis)
    }

    fn optional_time(&self, column: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.optional_number(column)?.map(Timestamp::from_millis))
    }

    fn flag(&self, column: &str) -> Result<bool, Error> {
        self.parse(column, self.number(column)?, |number: i64| match number {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        })
    }

    fn optional_key_id(&self, column: &str) -> Result<Option<KeyId>, Error> {
        let bytes = self.optional_bytes(column)?;
        self.parse(column, bytes, |bytes| bytes.map(KeyId::from_slice).transpose().ok())
    }

    fn sealed(&self, column: &str) -> Result<SealedRecord, Error> {
        let bytes = self.bytes(column)?.to_vec();
        self.parse(column, bytes, |bytes| SealedRecord::from_bytes(bytes).ok())
    }

    fn audit_entry(&self) -> Result<Entry, Error> {
        self.parse("entry", self.bytes("entry")?, |bytes| Entry::from_bytes(bytes).ok())
    }

    fn attestation(&self) -> Result<Vec<u8>, Error> {
        let bytes = self.bytes("attestation")?;
        Ok(if bytes == PAGE_OF_ZEROS { Vec::new() } else { bytes.to_vec() })
    }

    fn corrupt(&self, column: &str) -> Error {
        tracing::error!(what = self.what, column, "a row in the store cannot be read");
        Error::Corrupt { what: self.what }
    }
}

pub(super) const fn token_kind_name(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Root => "root",
        TokenKind::Temporary => "temporary",
    }
}

fn token_kind_from_name(name: &str) -> Option<TokenKind> {
    [TokenKind::Root, TokenKind::Temporary].into_iter().find(|kind| token_kind_name(*kind) == name)
}

/// What the embedded store keeps for no attestation: as long as one of its pages.
pub(super) const PAGE_OF_ZEROS: [u8; 4096] = [0; 4096];

/// The form for a column; what does not fit is the end of time.
pub(super) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX)
}
