//! All of a store as rows, out of one and into another: what a backup is made of.
//!
//! A row is of one of the [`Table`]s, with a value for each of its columns. Rows come out of one
//! snapshot, each table's in the order of their making, and what they refer to before them. They go
//! into an empty store in one transaction. Temporary tokens and revoked ones stay behind.

use tokio::sync::mpsc;

use super::audited::{self, Trail};
use super::rows::{self, millis, token_kind_name};
use super::sql::{Arg, Columns, Writes};
use super::{KeyRecord, MasterKeyRecord, TokenRecord, usage};
use crate::audit::{By, Event};
use crate::error::Error;

/// What is copied, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// The time that the store has reached.
    Clock,
    /// The check values of its master keys.
    MasterKeys,
    /// Its accounts.
    Accounts,
    /// The root tokens in force, by their hashes.
    RootTokens,
    /// The keys, sealed.
    Keys,
    /// The issuers that were added to its own.
    TrustedIssuers,
    /// The audit log.
    Audit,
    /// The checkpoints of the audit log.
    AuditCheckpoints,
    /// How often what was done.
    Usage,
    /// How often keys were used.
    KeyUses,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whose row.
    pub table: Table,
    /// As many as [`Table::columns`].
    pub values: Vec<Value>,
}

/// What stands in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number; times are milliseconds since 1970-01-01T00:00:00Z.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What stands there, if anything does.
    pub holds: Holds,
}

/// The kind of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// [`Value::Integer`]
    Integers,
    /// [`Value::Text`]
    Texts,
    /// [`Value::Bytes`]
    Bytes,
}

/// What comes to a store that takes rows in.
#[derive(Debug)]
pub enum Incoming {
    /// Some of the rows.
    Rows(Vec<Row>),
    /// That was all: the rows may be committed. Without it they are not.
    Whole,
}

impl Table {
    /// All of them, in the order of the copy.
    pub const ALL: [Self; 10] = [
        Self::Clock,
        Self::MasterKeys,
        Self::Accounts,
        Self::RootTokens,
        Self::Keys,
        Self::TrustedIssuers,
        Self::Audit,
        Self::AuditCheckpoints,
        Self::Usage,
        Self::KeyUses,
    ];

    /// Its name in a backup.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
            Self::MasterKeys => "master_keys",
            Self::Accounts => "accounts",
            Self::RootTokens => "root_tokens",
            Self::Keys => "keys",
            Self::TrustedIssuers => "trusted_issuers",
            Self::Audit => "audit",
            Self::AuditCheckpoints => "audit_checkpoints",
            Self::Usage => "usage",
            Self::KeyUses => "key_uses",
        }
    }

    /// The table with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Its columns.
    #[must_use]
    pub const fn columns(self) -> &'static [Column] {
        self.shape().columns
    }

    const fn shape(self) -> &'static Shape {
        match self {
            Self::Clock => &CLOCK,
            Self::MasterKeys => &MASTER_KEYS,
            Self::Accounts => &ACCOUNTS,
            Self::RootTokens => &ROOT_TOKENS,
            Self::Keys => &KEYS,
            Self::TrustedIssuers => &TRUSTED_ISSUERS,
            Self::Audit => &AUDIT,
            Self::AuditCheckpoints => &AUDIT_CHECKPOINTS,
            Self::Usage => &USAGE,
            Self::KeyUses => &KEY_USES,
        }
    }
}

/// The master key of a row of [`Table::MasterKeys`].
pub(crate) fn master_key(row: &Row) -> Result<MasterKeyRecord, Error> {
    rows::master_key(row)
}

/// The key of a row of [`Table::Keys`].
pub(crate) fn key(row: &Row) -> Result<KeyRecord, Error> {
    rows::key(row)
}

impl Columns for Row {
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        match self.value(column) {
            Some(Value::Integer(number)) => Ok(Some(*number)),
            other => nothing(other, column),
        }
    }

    fn bytes(&self, column: &str) -> Result<Option<&[u8]>, sqlx::Error> {
        match self.value(column) {
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            other => nothing(other, column),
        }
    }

    fn text(&self, column: &str) -> Result<Option<&str>, sqlx::Error> {
        match self.value(column) {
            Some(Value::Text(text)) => Ok(Some(text)),
            other => nothing(other, column),
        }
    }
}

impl Row {
    fn value(&self, name: &str) -> Option<&Value> {
        let place = self.table.columns().iter().position(|column| column.name == name)?;
        self.values.get(place)
    }
}

fn nothing<T>(value: Option<&Value>, column: &str) -> Result<Option<T>, sqlx::Error> {
    match value {
        Some(Value::Null) => Ok(None),
        _ => Err(sqlx::Error::ColumnNotFound(column.to_owned())),
    }
}

/// The row of a root token in force.
pub(crate) fn root_token(token: &TokenRecord) -> Row {
    let values = vec![
        Value::Bytes(token.account.as_bytes().to_vec()),
        Value::Bytes(token.id.as_bytes().to_vec()),
        Value::Bytes(token.hash.as_bytes().to_vec()),
        Value::Text(token_kind_name(token.state.kind).to_owned()),
        token.label.clone().map_or(Value::Null, Value::Text),
        Value::Integer(token.state.scope.operations.bits().into()),
        Value::Integer(millis(token.created_at)),
    ];
    Row { table: Table::RootTokens, values }
}

/// Sends all rows of a snapshot, some at a time. `db` is in a transaction that sees no change.
pub(super) async fn out(db: &mut impl Writes, to: &mpsc::Sender<Vec<Row>>) -> Result<(), Error> {
    for table in Table::ALL {
        let Shape { columns, page, first, .. } = table.shape();
        let mut place = first.clone();
        loop {
            let by = if matches!(place, Value::Bytes(_)) { Holds::Bytes } else { Holds::Integers };
            let found = db.fetch(page, &[arg(&place, by)]).await?;
            let Some(last) = found.last() else { break };
            place = read(last, "place", by)?;
            let mut rows = Vec::with_capacity(found.len());
            for row in &found {
                let values = columns.iter().map(|column| read(row, column.name, column.holds));
                rows.push(Row { table, values: values.collect::<Result<_, _>>()? });
            }
            to.send(rows).await.map_err(|_| Error::Internal { what: "who writes a backup" })?;
        }
    }
    Ok(())
}

/// Puts all rows that come into an empty store. `db` is in a transaction, which is to be committed
/// when this is done and rolled back when it fails.
pub(super) async fn into<W: Writes>(
    db: &mut W,
    rows: &mut mpsc::Receiver<Incoming>,
) -> Result<(), Error> {
    if W::SHARED {
        // So that it stays empty.
        db.execute("LOCK TABLE accounts, tokens, keys, master_keys IN EXCLUSIVE MODE", &[]).await?;
    }
    if !db.fetch(ANYTHING, &[]).await?.is_empty() {
        return Err(Error::NotEmpty);
    }
    while let Some(incoming) = rows.recv().await {
        match incoming {
            Incoming::Whole => {
                usage::fill_days(db).await?;
                return record(db).await;
            }
            Incoming::Rows(rows) => {
                for Row { table, values } in rows {
                    // A database of many servers has a clock of its own.
                    if table == Table::Clock && W::SHARED {
                        continue;
                    }
                    let columns = table.columns().iter();
                    let args: Vec<_> = values
                        .iter()
                        .zip(columns)
                        .map(|(value, column)| match value {
                            Value::Bytes(bytes)
                                if bytes.is_empty() && column.name == ATTESTATION =>
                            {
                                Arg::Bytes(Some(W::NO_ATTESTATION))
                            }
                            value => arg(value, column.holds),
                        })
                        .collect();
                    db.execute(table.shape().insert, &args).await?;
                }
            }
        }
    }
    Err(Error::Internal { what: "who reads a backup" })
}

/// Writes down, in a chain of its own, that the store comes from a backup.
async fn record(db: &mut impl Writes) -> Result<(), Error> {
    let now = db.fetch("SELECT greatest FROM clock WHERE id = 1", &[]).await?;
    let now = now.first().map_or(Err(Error::Corrupt { what: "the clock" }), rows::clock)?;
    let mut trail = Trail::from(None, now)?;
    trail.add(Event::done("store.restore"), &By::OPERATOR);
    Ok(audited::insert(db, &trail.rows).await?)
}

fn read(row: &impl Columns, column: &str, holds: Holds) -> Result<Value, Error> {
    if column == ATTESTATION {
        return rows::attestation(row).map(Value::Bytes);
    }
    let value = match holds {
        Holds::Integers => row.integer(column).map(|some| some.map(Value::Integer)),
        Holds::Texts => row.text(column).map(|some| some.map(|text| Value::Text(text.to_owned()))),
        Holds::Bytes => {
            row.bytes(column).map(|some| some.map(|bytes| Value::Bytes(bytes.to_vec())))
        }
    };
    value.map(|some| some.unwrap_or(Value::Null)).map_err(|_| {
        tracing::error!(column, "a row in the store cannot be read");
        Error::Corrupt { what: "a row that is to be copied" }
    })
}

fn arg(value: &Value, holds: Holds) -> Arg<'_> {
    match value {
        // PostgreSQL wants even nothing to be of the column's type.
        Value::Null => match holds {
            Holds::Integers => Arg::Integer(None),
            Holds::Texts => Arg::Text(None),
            Holds::Bytes => Arg::Bytes(None),
        },
        Value::Integer(number) => Arg::Integer(Some(*number)),
        Value::Text(text) => Arg::Text(Some(text)),
        Value::Bytes(bytes) => Arg::Bytes(Some(bytes)),
    }
}

/// How a table is read and written.
struct Shape {
    columns: &'static [Column],
    /// Its rows after `$1`, with `place`, in the order of their places.
    page: &'static str,
    /// Before every place.
    first: Value,
    insert: &'static str,
}

macro_rules! shape {
    ($table:literal by $place:literal after $first:expr, if $condition:literal:
     $first_column:ident: $first_holds:ident $(, $column:ident: $holds:ident)*; $values:literal) => {
        Shape {
            columns: &[
                Column { name: stringify!($first_column), holds: Holds::$first_holds }
                $(, Column { name: stringify!($column), holds: Holds::$holds })*
            ],
            page: concat!(
                "SELECT ", $place, " AS place, ", stringify!($first_column)
                $(, ", ", stringify!($column))*,
                " FROM ", $table, " WHERE ", $place, " > $1 AND ", $condition,
                " ORDER BY ", $place, " LIMIT 200"
            ),
            first: $first,
            insert: concat!(
                "INSERT INTO ", $table, " (", stringify!($first_column)
                $(, ", ", stringify!($column))*,
                ") VALUES ", $values
            ),
        }
    };
}

static CLOCK: Shape = Shape {
    columns: &[Column { name: "greatest", holds: Holds::Integers }],
    page: "SELECT CAST(id AS BIGINT) AS place, greatest FROM clock WHERE id > $1",
    first: Value::Integer(0),
    insert: "UPDATE clock SET greatest = max(greatest, $1)",
};

static MASTER_KEYS: Shape = shape!("master_keys" by "version" after Value::Integer(0), if "true":
    version: Integers, check_value: Bytes, created_at: Integers, wrapped: Bytes,
    superseded_at: Integers, derivation: Texts; "($1, $2, $3, $4, $5, $6)");

static ACCOUNTS: Shape = shape!("accounts" by "seq" after Value::Integer(0), if "true":
    id: Bytes, name: Texts, custody: Texts, disabled: Integers, created_at: Integers;
    "($1, $2, $3, $4, $5)");

// One for each account, by the index of these alone.
static ROOT_TOKENS: Shape = shape!("tokens" by "account" after Value::Bytes(Vec::new()),
    if "kind = 'root' AND revoked_at IS NULL":
    account: Bytes, id: Bytes, hash: Bytes, kind: Texts, label: Texts, operations: Integers,
    created_at: Integers; "($1, $2, $3, $4, $5, $6, $7)");

static KEYS: Shape = shape!("keys" by "seq" after Value::Integer(0), if "true":
    account: Bytes, id: Bytes, kind: Texts, algorithm: Texts, version: Integers, public_key: Bytes,
    attestation: Bytes, sealed: Bytes, created_at: Integers, retired_at: Integers,
    destroyed_at: Integers; "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");

static TRUSTED_ISSUERS: Shape = shape!("trusted_issuers" by "seq" after Value::Integer(0), if "true":
    public_key: Bytes, created_at: Integers; "($1, $2)");

static AUDIT: Shape = shape!("audit" by "id" after Value::Integer(0), if "true":
    chain: Bytes, number: Integers, account: Bytes, entry: Bytes, hash: Bytes;
    "($1, $2, $3, $4, $5)");

static AUDIT_CHECKPOINTS: Shape = shape!("audit_checkpoints" by "number" after Value::Integer(0),
    if "true": number: Integers, checkpoint: Bytes; "($1, $2)");

static USAGE: Shape = shape!("usage" by "seq" after Value::Integer(0), if "true":
    account: Bytes, day: Texts, token: Bytes, operation: Texts, counter: Bytes, label: Texts,
    calls: Integers, failed: Integers; "($1, $2, $3, $4, $5, $6, $7, $8)");

static KEY_USES: Shape = shape!("key_uses" by "seq" after Value::Integer(0), if "true":
    account: Bytes, key: Bytes, uses: Integers, last_used_at: Integers; "($1, $2, $3, $4)");

/// Each store has its own way to say that there is none.
const ATTESTATION: &str = "attestation";
const ANYTHING: &str = "SELECT 1 FROM accounts UNION ALL SELECT 1 FROM keys \
     UNION ALL SELECT 1 FROM master_keys UNION ALL SELECT 1 FROM trusted_issuers LIMIT 1";
