//! What is kept, and the one trait through which it is kept.
//!
//! A store applies; it decides nothing that the core's policy decides. Every method that changes
//! something answers after the change is durable. Rows start with their account, and every method
//! is scoped by one where there is one. Time is the store's own ([`Store::now`]), so that all
//! servers on one store agree and a clock set back revives nothing.

mod audited;
mod bulk;
mod change;
pub mod copy;
mod database;
pub mod figures;
mod key_uses;
mod lookups;
pub mod postgres;
mod read;
pub mod replay;
mod rows;
mod schema;
mod sessions;
mod sql;
pub mod sqlite;
mod usage;
mod writer;

use async_trait::async_trait;
use pqc_core::audit::{ChainHead, ChainId, Checkpoint, Entry};
use pqc_core::replay::ReplayId;
use pqc_core::seal::RecordKind;
use pqc_core::session::SessionHash;
use pqc_core::token::{Refusal, TokenHash, TokenState};
use pqc_core::{
    AccountId, KeyId, PassphraseParameters, RecordName, SealedRecord, Timestamp, TokenId,
    VerifyingKey,
};

use tokio::sync::mpsc;

use crate::account::Custody;
use crate::audit::{By, Event};
use crate::error::Error;
use crate::usage::{CounterId, KeyUse, UsageCount, UsagePlace, UsageQuery, UsageSum};
pub use figures::{Distribution, StoreFigures};
use replay::{Claimed, Effect, KeptAnswer, NewClaim};

pub use sessions::MOST_SESSIONS;
pub(crate) use sql::Columns;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRecord {
    /// Its id.
    pub id: AccountId,
    /// Its name, unique in the store.
    pub name: String,
    /// Who holds its KEM secret keys.
    pub custody: Custody,
    /// Whether its tokens are refused.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A token: all but its value, of which only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its name.
    pub id: TokenId,
    /// Whose it is.
    pub account: AccountId,
    /// SHA-256 of its text.
    pub hash: TokenHash,
    /// What its owner calls it; without the character NUL, which not every store can keep.
    pub label: Option<String>,
    /// The attempts it was granted; `None` is without count.
    pub attempts: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When an attempt was last spent; of a root token, when a session was last begun.
    pub last_used_at: Option<Timestamp>,
    /// What the policy looks at.
    pub state: TokenState,
}

/// A session of a browser: all but its value, of which only the hash is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// SHA-256 of its text.
    pub hash: SessionHash,
    /// The account that is signed in.
    pub account: AccountId,
    /// The root token that it was begun by, and ends with.
    pub token: TokenId,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The first moment at which it is over.
    pub expires_at: Timestamp,
}

/// A stored key: its public part, and its secret part sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Whose it is; [`AccountId::SERVER`] for issuer keys.
    pub account: AccountId,
    /// Its id.
    pub id: KeyId,
    /// What it is.
    pub kind: RecordKind,
    /// The algorithm's name.
    pub algorithm: String,
    /// For keys of which an account has one in force (signing, AES, issuer): counted from 1 for
    /// each account, kind and algorithm. `None` for KEM key pairs.
    pub version: Option<u32>,
    /// The encoded public key; empty for a symmetric key.
    pub public_key: Vec<u8>,
    /// The issuer's attestation in its wire form; empty where there is none.
    pub attestation: Vec<u8>,
    /// The secret, sealed.
    pub sealed: SealedRecord,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a newer version took its place.
    pub retired_at: Option<Timestamp>,
}

impl KeyRecord {
    /// The name under which its secret is sealed.
    #[must_use]
    pub fn name(&self) -> RecordName<'_> {
        RecordName {
            account: self.account,
            kind: self.kind,
            algorithm: &self.algorithm,
            record_id: self.id.as_bytes(),
        }
    }
}

/// What is kept of a master key: all but the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyRecord {
    /// Its version, counted from 1. The newest is in force.
    pub version: u32,
    /// A known text, sealed: tells a wrong key.
    pub check: SealedRecord,
    /// How a passphrase becomes the key; `None`: the key is kept as it is.
    pub derivation: Option<PassphraseParameters>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the rotation to the next version began.
    pub superseded_at: Option<Timestamp>,
    /// While a rotation runs: the key, sealed under the other one of the two.
    pub wrapped: Option<SealedRecord>,
}

/// A master key to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMasterKey {
    /// Its version.
    pub version: u32,
    /// A known text, sealed.
    pub check: SealedRecord,
    /// How a passphrase becomes the key.
    pub derivation: Option<PassphraseParameters>,
}

/// From one master key to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterRotation {
    /// The version in force.
    pub from: u32,
    /// Its key, sealed under the new one.
    pub from_wrapped: SealedRecord,
    /// The new key.
    pub to: NewMasterKey,
    /// The new key, sealed under the one in force.
    pub to_wrapped: SealedRecord,
}

/// A stored key's secret under another master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Whose it is.
    pub account: AccountId,
    /// Its id.
    pub id: KeyId,
    /// What is replaced.
    pub old: SealedRecord,
    /// What takes its place.
    pub new: SealedRecord,
}

/// A key's row, by a number that grows from row to row; its record may not be readable.
pub type NumberedKey = (u64, Result<KeyRecord, Error>);

/// What is told of a stored key: all but its secret. Also of one that was destroyed, as long as it
/// can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// As [`KeyRecord::account`].
    pub account: AccountId,
    /// Its id.
    pub id: KeyId,
    /// What it is.
    pub kind: RecordKind,
    /// The algorithm's name.
    pub algorithm: String,
    /// As [`KeyRecord::version`].
    pub version: Option<u32>,
    /// The encoded public key; empty for a symmetric key.
    pub public_key: Vec<u8>,
    /// The issuer's attestation in its wire form; empty where there is none.
    pub attestation: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a newer version took its place.
    pub retired_at: Option<Timestamp>,
    /// When it was destroyed: from then on nothing can be done with it.
    pub destroyed_at: Option<Timestamp>,
    /// How often it was used; what was done in the last second may not be in it yet.
    pub uses: u64,
    /// When it was last used, as far as [`Self::uses`] goes.
    pub last_used_at: Option<Timestamp>,
}

impl From<KeyRecord> for KeyInfo {
    fn from(key: KeyRecord) -> Self {
        let KeyRecord { account, id, kind, algorithm, version, public_key, attestation, .. } = key;
        let (created_at, retired_at) = (key.created_at, key.retired_at);
        Self {
            account,
            id,
            kind,
            algorithm,
            version,
            public_key,
            attestation,
            created_at,
            retired_at,
            destroyed_at: None,
            uses: 0,
            last_used_at: None,
        }
    }
}

/// What became of destroyed keys that were to be removed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// How many were removed.
    pub keys: u64,
    /// Whether the sealed bytes of all that were ever removed are gone from the store's files too.
    /// `false`: a reader was in the way; the next call tries again.
    pub erased: bool,
}

/// A place where accounts, tokens and sealed keys are kept.
///
/// Every method fails with [`Error::Unavailable`] when the store cannot be reached (nothing was
/// done), and with [`Error::Corrupt`] when a record cannot be read; those that change something
/// also with [`Error::OutcomeUnknown`]. These write down in the audit log, in the same step, what
/// they did and by whom.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The store's time, the same for all who use it. On the embedded store never less than any
    /// time it has committed; on PostgreSQL as the database's clock goes.
    async fn now(&self) -> Result<Timestamp, Error>;

    /// Whether the store answers, and can write, as far as that is known without a change.
    async fn ping(&self) -> Result<(), Error>;

    /// What kind of store it is, for people.
    fn kind(&self) -> &'static str;

    /// Ends the store in good order: what waits is done and answered, later calls get
    /// [`Error::Unavailable`]. Without it nothing is lost.
    async fn close(&self);

    /// The master keys, by version.
    async fn master_keys(&self) -> Result<Vec<MasterKeyRecord>, Error>;

    /// Adds a master key; `false`: that version exists.
    async fn add_master_key(&self, by: &By, key: NewMasterKey) -> Result<bool, Error>;

    /// Adds the next master key and takes the one before it out of force, in one step: from then on
    /// no key is added under that one. `false`: it is not in force, or another rotation runs.
    async fn begin_master_rotation(&self, by: &By, rotation: MasterRotation)
    -> Result<bool, Error>;

    /// Takes the wrapped keys of a rotation away; `false`, and they stay, while there is a key under
    /// the older version.
    async fn end_master_rotation(&self, by: &By, from: u32, to: u32) -> Result<bool, Error>;

    /// A page of the keys that are sealed under this version of the master key, of all accounts,
    /// after the row `after` (0: from the first).
    async fn keys_under(
        &self,
        master_version: u32,
        after: u64,
        limit: u32,
    ) -> Result<Vec<NumberedKey>, Error>;

    /// How many keys are sealed under each version of the master key.
    async fn keys_by_master_key(&self) -> Result<Vec<(u32, u64)>, Error>;

    /// Puts these sealed secrets in the place of the old ones, where the old ones are still there,
    /// in one step; gives their count.
    async fn reseal_keys(&self, by: &By, keys: Vec<Resealed>) -> Result<u64, Error>;

    /// All accounts, in the order of their making.
    async fn accounts(&self) -> Result<Vec<AccountRecord>, Error>;

    /// The account of that name.
    async fn account_by_name(&self, name: &str) -> Result<Option<AccountRecord>, Error>;

    /// Makes an account with its root token, both or neither; `false`: the name is taken.
    async fn create_account(
        &self,
        by: &By,
        account: AccountRecord,
        root_token: TokenRecord,
    ) -> Result<bool, Error>;

    /// Changes who holds the account's keys; `false`: no such account.
    async fn set_custody(
        &self,
        by: &By,
        account: AccountId,
        custody: Custody,
    ) -> Result<bool, Error>;

    /// Disables or enables an account; `false`: no such account.
    async fn set_disabled(
        &self,
        by: &By,
        account: AccountId,
        disabled: bool,
    ) -> Result<bool, Error>;

    /// The token with that hash, with its account. `account_disabled` in its state is the
    /// account's.
    async fn token_by_hash(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<(TokenRecord, AccountRecord)>, Error>;

    /// [`Self::now`] and [`Self::token_by_hash`], in one trip where the store can: what every call
    /// begins with.
    async fn token_and_time(
        &self,
        hash: &TokenHash,
    ) -> Result<(Timestamp, Option<(TokenRecord, AccountRecord)>), Error> {
        Ok((self.now().await?, self.token_by_hash(hash).await?))
    }

    /// A page of the account's tokens, in the order of their ids, after `after`.
    async fn tokens(
        &self,
        account: AccountId,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenRecord>, Error>;

    /// As [`Self::tokens`], the newest first, of those before `before`.
    async fn newest_tokens(
        &self,
        account: AccountId,
        before: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenRecord>, Error>;

    /// Adds a token.
    async fn insert_token(&self, by: &By, token: TokenRecord) -> Result<(), Error>;

    /// Adds a token of the same account, if the root token `root` is still in force: it, and what
    /// may have revoked it, are looked at in the step that adds. `false`: it is not.
    async fn mint_token(&self, by: &By, token: TokenRecord, root: TokenId) -> Result<bool, Error>;

    /// Revokes the account's root token and puts this one in its place, in one step; with
    /// `revoke_temporary`, its temporary tokens too. `false`: the root token `root` was to be in force
    /// (`None`: whichever is), and is not.
    async fn replace_root_token(
        &self,
        by: &By,
        token: TokenRecord,
        root: Option<TokenId>,
        revoke_temporary: bool,
    ) -> Result<bool, Error>;

    /// Revokes a token; `false`: the account has no such token that was not revoked before.
    async fn revoke_token(
        &self,
        by: &By,
        account: AccountId,
        token: TokenId,
    ) -> Result<bool, Error>;

    /// Revokes all of the account's temporary tokens that were not revoked before; how many these are.
    async fn revoke_temporary_tokens(&self, by: &By, account: AccountId) -> Result<u64, Error>;

    /// How many of the account's temporary tokens live at `now`: not expired, spent or revoked. No
    /// more than `at_most` are counted.
    async fn live_tokens(
        &self,
        account: AccountId,
        now: Timestamp,
        at_most: u64,
    ) -> Result<u64, Error>;

    /// Accounts that have tokens which ended at `before` or earlier, `limit` of them at most.
    async fn accounts_with_ended_tokens(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AccountId>, Error>;

    /// Removes `limit` at most of the account's tokens that ended at `before` or earlier: expired,
    /// spent or revoked. How many it removed; servers that do it at the same time share them.
    async fn remove_ended_tokens(
        &self,
        by: &By,
        account: AccountId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error>;

    /// Applies [`pqc_core::token::spend`] to the token in one atomic step, at the store's time:
    /// the attempts left after it (`None`: without count), or why not. Sets `last_used_at`. What
    /// it is used for is written down with it.
    async fn spend(
        &self,
        by: &By,
        hash: &TokenHash,
        usage: Event,
    ) -> Result<Result<Option<u32>, Refusal>, Error>;

    /// By which token a call with an idempotency key was begun, and its account, unless that ended.
    async fn begun_call(
        &self,
        id: &ReplayId,
        now: Timestamp,
    ) -> Result<Option<(TokenId, AccountRecord)>, Error>;

    /// Claims a call with an idempotency key, and pays it if it was not paid before, both or
    /// neither; or gives the answer that is kept.
    async fn claim(&self, by: &By, claim: NewClaim) -> Result<Claimed, Error>;

    /// Gives a claim up; `false`: it is not held, or there is an answer.
    async fn release_claim(
        &self,
        by: &By,
        id: &ReplayId,
        nonce: &[u8; replay::NONCE_BYTES],
    ) -> Result<bool, Error>;

    /// Leaves all calls that are claimed to whoever comes next: for one who knows that those who
    /// claimed them are gone. How many these are.
    async fn release_all_claims(&self) -> Result<u64, Error>;

    /// Does what the call asks for and keeps its answer, in one step; `false`, and none is kept: as
    /// the effect says. [`Error::InFlight`]: another call has the claim now.
    /// [`Error::Unauthorized`]: the token was revoked.
    async fn keep_answer(&self, by: &By, answer: KeptAnswer, effect: Effect)
    -> Result<bool, Error>;

    /// For how many calls of the account an answer is kept, or will be, at `now`. No more than
    /// `at_most` are counted.
    async fn kept_answers(
        &self,
        account: AccountId,
        now: Timestamp,
        at_most: u64,
    ) -> Result<u64, Error>;

    /// Removes `limit` at most of the answers, of whatever account, that ended at `before` or
    /// earlier. How many it removed.
    async fn remove_ended_answers(
        &self,
        by: &By,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error>;

    /// Begins a session, if its root token is still in force: it, and what may have revoked it, are
    /// looked at in the step that begins. `false`: it is not. Sets the token's `last_used_at`. Of
    /// the account's sessions the newest [`MOST_SESSIONS`] stay.
    async fn begin_session(&self, by: &By, session: SessionRecord) -> Result<bool, Error>;

    /// The session with that hash, with the token that it was begun by and its account; none, if one
    /// of these is gone.
    async fn session(
        &self,
        hash: &SessionHash,
    ) -> Result<Option<(SessionRecord, TokenRecord, AccountRecord)>, Error>;

    /// Ends a session; `false`: the account has none with that hash. Those that hang on a root token
    /// end with its reset, those of an account when it is disabled.
    async fn end_session(
        &self,
        by: &By,
        account: AccountId,
        hash: &SessionHash,
    ) -> Result<bool, Error>;

    /// Removes `limit` at most of the sessions, of whatever account, whose time was over at `before`
    /// or earlier. How many it removed.
    async fn remove_ended_sessions(
        &self,
        by: &By,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error>;

    /// Writes something down in the audit log.
    async fn record(&self, by: &By, event: Event) -> Result<(), Error>;

    /// How far the chains of the audit log have come that this store wrote for this process: first
    /// those that it left since it could not know whether it had added a row, then the one that it
    /// goes on with. Empty: nothing was written down yet.
    fn audit_heads(&self) -> Vec<ChainHead>;

    /// A page of the audit log, chain by chain, after this row.
    async fn audit_rows(
        &self,
        after: Option<(ChainId, u64)>,
        limit: u32,
    ) -> Result<Vec<(ChainHead, Entry)>, Error>;

    /// A page of what the audit log has of an account, newest first, before the row with this
    /// number; each with its own.
    async fn audit_of(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, Entry)>, Error>;

    /// Adds a checkpoint of the audit log; `false`: its number is taken.
    async fn add_checkpoint(&self, checkpoint: &Checkpoint) -> Result<bool, Error>;

    /// A page of the checkpoints, by their numbers, after this one (0: from the first).
    async fn checkpoints(&self, after: u64, limit: u32) -> Result<Vec<Checkpoint>, Error>;

    /// The checkpoint with the greatest number.
    async fn last_checkpoint(&self) -> Result<Option<Checkpoint>, Error>;

    /// Adds to what was counted. What it is about need not be there any more.
    async fn add_usage(&self, counter: CounterId, counts: &[UsageCount]) -> Result<(), Error>;

    /// Adds to how often keys were used. They need not be there any more.
    async fn add_key_uses(&self, uses: &[KeyUse]) -> Result<(), Error>;

    /// A page of what an account did, in the order of groups and operations, after `after`.
    async fn usage(
        &self,
        query: &UsageQuery,
        after: Option<&UsagePlace>,
        limit: u32,
    ) -> Result<Vec<UsageSum>, Error>;

    /// Adds a key; `false`: the account has that id, or that version of that kind and algorithm.
    /// [`Error::StaleMasterKey`]: it is sealed under a master key that was superseded.
    async fn insert_key(&self, by: &By, key: KeyRecord) -> Result<bool, Error>;

    /// Adds a key of a versioned kind and retires the account's older versions of that kind and
    /// algorithm, in one step; `false`: the account has that id, or that version, or a newer one.
    async fn put_in_force(&self, by: &By, key: KeyRecord) -> Result<bool, Error>;

    /// The account's key with that id, unless it was destroyed.
    async fn key(&self, account: AccountId, id: &KeyId) -> Result<Option<KeyRecord>, Error>;

    /// How many keys the account stores, destroyed ones that can be brought back included. No more
    /// than `at_most` are counted.
    async fn stored_keys(&self, account: AccountId, at_most: u64) -> Result<u64, Error>;

    /// The account's key of that kind and algorithm that is in force: the newest, neither retired
    /// nor destroyed.
    async fn current_key(
        &self,
        account: AccountId,
        kind: RecordKind,
        algorithm: &str,
    ) -> Result<Option<KeyRecord>, Error>;

    /// The newest version there is of the account's keys of that kind and algorithm, be it retired
    /// or destroyed.
    async fn newest_version(
        &self,
        account: AccountId,
        kind: RecordKind,
        algorithm: &str,
    ) -> Result<Option<u32>, Error>;

    /// All versions of the account's keys of a versioned kind, newest first, retired ones included,
    /// destroyed ones not.
    async fn key_versions(
        &self,
        account: AccountId,
        kind: RecordKind,
    ) -> Result<Vec<KeyRecord>, Error>;

    /// A page of the account's keys, destroyed ones included, in the order of their making (and of
    /// their ids, where two were made at a time), after `after`.
    async fn keys(
        &self,
        account: AccountId,
        after: Option<(Timestamp, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error>;

    /// As [`Self::keys`], the newest first, of those before `before`.
    async fn newest_keys(
        &self,
        account: AccountId,
        before: Option<(Timestamp, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error>;

    /// Those of the account's keys whose ids, written in hex, begin so; destroyed ones included, in
    /// the order of their ids. What is no hex digit begins none.
    async fn keys_that_begin(
        &self,
        account: AccountId,
        hex: &str,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error>;

    /// What is told of the account's key with that id, be it destroyed or not.
    async fn key_info(&self, account: AccountId, id: &KeyId) -> Result<Option<KeyInfo>, Error>;

    /// Destroys a key: nothing can be done with it from then on. `false`: the account has none of
    /// that id that was not destroyed before.
    async fn destroy_key(&self, by: &By, account: AccountId, id: &KeyId) -> Result<bool, Error>;

    /// Brings back a key that was destroyed after `since`; `false`: the account has none.
    async fn undestroy_key(
        &self,
        by: &By,
        account: AccountId,
        id: &KeyId,
        since: Timestamp,
    ) -> Result<bool, Error>;

    /// Removes at most `limit` of the keys, of whatever account, that were destroyed at `until` or
    /// before. On the embedded store their sealed bytes are overwritten in its files; on PostgreSQL
    /// the rows are deleted, and what stays of them in its files is for its administrator.
    async fn purge_destroyed_keys(
        &self,
        by: &By,
        until: Timestamp,
        limit: u32,
    ) -> Result<Purged, Error>;

    /// Adds an issuer to the trusted ones; `false`: it is one already.
    async fn trust_issuer(&self, by: &By, issuer: &VerifyingKey) -> Result<bool, Error>;

    /// Takes an issuer from the trusted ones; `false`: it was none.
    async fn distrust_issuer(&self, by: &By, issuer: &VerifyingKey) -> Result<bool, Error>;

    /// Keeps when a whole backup was made, if that is later than what is kept.
    async fn note_backup(&self, made_at: Timestamp) -> Result<(), Error>;

    /// When the last whole backup was made.
    async fn last_backup(&self) -> Result<Option<Timestamp>, Error>;

    /// The issuers that were added.
    async fn trusted_issuers(&self) -> Result<Vec<VerifyingKey>, Error>;

    /// What it did since it was opened; zeros, if it does not count.
    fn figures(&self) -> StoreFigures {
        StoreFigures::default()
    }

    /// Sends all that a backup holds, as one moment saw it: the rows of [`copy`], some at a time.
    /// What is written meanwhile does not wait for it.
    async fn copy_out(&self, to: mpsc::Sender<Vec<copy::Row>>) -> Result<(), Error>;
}
