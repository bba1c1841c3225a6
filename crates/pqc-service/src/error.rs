//! Everything that can go wrong in the service, grouped by who must act.

use pqc_core::Timestamp;
use pqc_core::token::Refusal;

/// An error of the service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // ---- the caller's input and rights ----
    /// The token is not accepted. The reason is for operators; callers are never told it.
    #[error("the token is not accepted")]
    Unauthorized(Refusal),
    /// The token lives, but may not do this.
    #[error("the token may not do this")]
    OutOfScope,
    /// The account's custody forbids that a secret key leaves the server.
    #[error("the account's custody is server-only: no secret key leaves the server")]
    CustodyForbids,
    /// The account has as many as it may have.
    #[error("the account's {what} quota is full: it has {most}")]
    QuotaFull {
        /// Of what: "key", "token" or "kept answer".
        what: &'static str,
        /// How many it may have.
        most: u64,
    },
    /// The account stores no such key.
    #[error("no such key is stored in this account")]
    UnknownKey,
    /// The account has no such token.
    #[error("no such token in this account")]
    UnknownToken,
    /// Another call with the same token and idempotency key is under way.
    #[error("a call with the same idempotency key is under way")]
    InFlight,
    /// As many as may wait for the same already do.
    #[error("too many wait to read the usage: try again")]
    Busy,
    /// The idempotency key was used before, for another request.
    #[error("the idempotency key was used for another request")]
    OtherRequest,
    /// There is no account of that name.
    #[error("no account is named {name:?}; `pqc account list` shows them")]
    UnknownAccount {
        /// The name that was asked for.
        name: String,
    },
    /// There is an account of that name already.
    #[error("an account named {name:?} exists already")]
    AccountExists {
        /// The name that is taken.
        name: String,
    },
    /// The name or label is empty, too long, or has characters beyond its alphabet.
    #[error("{what} must be {expected}")]
    BadName {
        /// What was named.
        what: &'static str,
        /// The form that would do.
        expected: &'static str,
    },
    /// Input that the core refused, or a fault in the core.
    #[error(transparent)]
    Core(#[from] pqc_core::Error),

    // ---- the operator ----
    /// The master key is not the one that sealed this store.
    #[error(
        "the master key does not open this store: give the key that was used when the store was \
         made, or last rotated; nothing was changed"
    )]
    WrongMasterKey,
    /// The master key comes from elsewhere.
    #[error("this store's master key is {expected}")]
    OtherMasterKeyForm {
        /// What it is.
        expected: &'static str,
    },
    /// The master key was that of this store, and no record is sealed under it any more.
    #[error(
        "this is the master key of version {version}, which was retired: give the key of version \
         {in_force}; nothing was changed"
    )]
    RetiredMasterKey {
        /// Its version.
        version: u32,
        /// When the rotation to the next one began.
        retired_at: Timestamp,
        /// The version to give.
        in_force: u32,
    },
    /// Who rotates to a key must give one that this store never had.
    #[error(
        "this is a master key that the store knows already (version {version}; version {in_force} \
         is in force): make a new one; nothing was changed"
    )]
    UsedMasterKey {
        /// Its version.
        version: u32,
        /// The version in force.
        in_force: u32,
    },
    /// A rotation is under way, and not to this key.
    #[error(
        "a rotation to another master key, of version {to}, is under way: end it first, by the same \
         command with the file of that key; nothing was changed"
    )]
    RotationUnderWay {
        /// The version that it goes to.
        to: u32,
    },
    /// What is sealed under the older master key and does not open, so that the rotation stays
    /// under way.
    #[error(
        "{count} stored keys do not open ({named}): the others are sealed under the new master key, \
         and the rotation stays under way until these are gone (docs/operations.md says how); both \
         master keys open the store"
    )]
    RotationBlocked {
        /// How many.
        count: u64,
        /// The first of them, by their ids.
        named: String,
    },
    /// The store's URL cannot be used. It may hold a password, so it is not repeated.
    #[error(
        "the store's URL cannot be used: {why}; it is postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    BadStoreUrl {
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store was written by a newer program.
    #[error(
        "the store was made by a newer version of this program (its schema has version {found}, \
         this program knows {known}): use that version; nothing was changed"
    )]
    NewerSchema {
        /// The version in the store.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The store that was to be filled has something in it.
    #[error("the store is not empty: restore into an empty one; nothing was changed")]
    NotEmpty,
    /// The backup cannot be read, or is not what was written.
    #[error("the backup cannot be restored: {0}; nothing was changed")]
    BadBackup(String),
    /// The backup cannot be written.
    #[error("the backup cannot be written: {0}")]
    BackupNotWritten(std::io::Error),
    /// The export of the audit log cannot be written.
    #[error("the audit log cannot be written out: {0}")]
    ExportNotWritten(std::io::Error),
    /// The export of the audit log cannot be read.
    #[error("the export cannot be read: {0}")]
    ExportNotRead(std::io::Error),
    /// The file is no whole export of an audit log.
    #[error("this is no whole export of an audit log: line {line} is not {expected}")]
    NotAnExport {
        /// The line.
        line: u64,
        /// What would stand there.
        expected: &'static str,
    },
    /// A record in the store is not in the form that this program writes.
    #[error("the store is damaged: {what}")]
    Corrupt {
        /// What could not be read.
        what: &'static str,
    },

    // ---- the store, now ----
    /// The record is sealed under a master key that was superseded meanwhile. Nothing was done: it
    /// is to be sealed under the one in force.
    #[error("the master key of version {version} seals no more")]
    StaleMasterKey {
        /// The version.
        version: u32,
    },
    /// The store cannot be reached or refuses to write. Nothing was done.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The store did not say whether it committed: the change is there or not.
    #[error("the store did not confirm the change; whether it was made is not known: {0}")]
    OutcomeUnknown(String),
    /// A task of ours was lost.
    #[error("internal error in {what}")]
    Internal {
        /// Where.
        what: &'static str,
    },
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Unauthorized(refusal)
    }
}

impl From<pqc_core::token::OutOfScope> for Error {
    fn from(_: pqc_core::token::OutOfScope) -> Self {
        Self::OutOfScope
    }
}
