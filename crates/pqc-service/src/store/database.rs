//! What the stores on SQL are made of: connections that read, one task that writes, and the time.
//! Each method of [`Store`] is a statement on one of the two.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use pqc_core::audit::{ChainHead, ChainId, Checkpoint, Entry};
use pqc_core::replay::ReplayId;
use pqc_core::seal::RecordKind;
use pqc_core::session::SessionHash;
use pqc_core::token::{Refusal, TokenHash};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId, VerifyingKey};
use tokio::sync::mpsc;

use super::figures::{StoreFigures, Timed};
use super::lookups::Found;
use super::replay::{Claimed, Effect, KeptAnswer, NONCE_BYTES, NewClaim};
use super::sql::Reads;
use super::writer::{Engine, Write, Writer};
use super::{
    AccountRecord, KeyInfo, KeyRecord, MasterKeyRecord, MasterRotation, NewMasterKey, NumberedKey,
    Purged, Resealed, SessionRecord, Store, TokenRecord, copy, read, sessions,
};
use crate::account::Custody;
use crate::audit::{By, Event};
use crate::error::Error;
use crate::usage::{CounterId, KeyUse, UsageCount, UsagePlace, UsageQuery, UsageSum};

/// A store on a database that speaks SQL.
pub(super) trait Database: Send + Sync + 'static {
    type Readers: Reads;
    type Engine: Engine;

    /// For people.
    const KIND: &'static str;

    fn readers(&self) -> &Timed<Self::Readers>;

    fn writer(&self) -> &Writer<Self::Engine>;

    /// Looks a token up, with the time that is committed.
    fn find_token(&self, hash: &TokenHash) -> impl Future<Output = Result<Found, Error>> + Send;

    /// Whether tokens are looked up at all.
    fn check_lookups(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Sends all rows of [`copy`], from one snapshot, on a connection of its own.
    fn copy_out(
        &self,
        to: mpsc::Sender<Vec<copy::Row>>,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// The store's time, given the time that its view of the clock shows.
    fn now_after(&self, shown: Timestamp) -> Timestamp;

    /// Takes what was removed, `now` or before, out of the store's files, if that is ours to do;
    /// `false`: a reader is in the way.
    fn erase_removed(&self, now: bool) -> impl Future<Output = Result<bool, Error>> + Send;
}

#[async_trait]
impl<D: Database> Store for D {
    async fn now(&self) -> Result<Timestamp, Error> {
        Ok(self.now_after(read::clock(self.readers()).await?))
    }

    async fn ping(&self) -> Result<(), Error> {
        if !self.writer().is_alive() {
            return Err(Error::Unavailable("the task that writes has ended".to_owned()));
        }
        self.check_lookups()?;
        if self.writer().failed_last() {
            self.writer().try_out().await?;
        }
        read::clock(self.readers()).await.map(drop)
    }

    fn kind(&self) -> &'static str {
        D::KIND
    }

    async fn close(&self) {
        let engine = self.writer().finish().await;
        self.readers().close().await;
        if let Some(engine) = engine {
            engine.close().await;
        }
    }

    async fn master_keys(&self) -> Result<Vec<MasterKeyRecord>, Error> {
        read::master_keys(self.readers()).await
    }

    async fn add_master_key(&self, by: &By, key: NewMasterKey) -> Result<bool, Error> {
        self.writer().write(by, Write::AddMasterKey(key)).await
    }

    async fn begin_master_rotation(
        &self,
        by: &By,
        rotation: MasterRotation,
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::BeginMasterRotation(rotation)).await
    }

    async fn end_master_rotation(&self, by: &By, from: u32, to: u32) -> Result<bool, Error> {
        let ended = self.writer().write(by, Write::EndMasterRotation { from, to }).await?;
        // What was sealed under the older key is to leave the files too.
        for _ in 0..if ended { ERASE_TRIES } else { 0 } {
            if self.erase_removed(true).await.unwrap_or(false) {
                break;
            }
            tokio::time::sleep(ERASE_AGAIN_AFTER).await;
        }
        Ok(ended)
    }

    async fn keys_under(
        &self,
        master_version: u32,
        after: u64,
        limit: u32,
    ) -> Result<Vec<NumberedKey>, Error> {
        read::keys_under(self.readers(), master_version, after, limit).await
    }

    async fn keys_by_master_key(&self) -> Result<Vec<(u32, u64)>, Error> {
        read::keys_by_master_key(self.readers()).await
    }

    async fn reseal_keys(&self, by: &By, keys: Vec<Resealed>) -> Result<u64, Error> {
        self.writer().count(by, Write::ResealKeys(keys)).await
    }

    async fn accounts(&self) -> Result<Vec<AccountRecord>, Error> {
        read::accounts(self.readers()).await
    }

    async fn account_by_name(&self, name: &str) -> Result<Option<AccountRecord>, Error> {
        read::account_by_name(self.readers(), name).await
    }

    async fn create_account(
        &self,
        by: &By,
        account: AccountRecord,
        root_token: TokenRecord,
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::CreateAccount { account, root_token }).await
    }

    async fn set_custody(
        &self,
        by: &By,
        account: AccountId,
        custody: Custody,
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::SetCustody { account, custody }).await
    }

    async fn set_disabled(
        &self,
        by: &By,
        account: AccountId,
        disabled: bool,
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::SetDisabled { account, disabled }).await
    }

    async fn token_by_hash(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<(TokenRecord, AccountRecord)>, Error> {
        read::token_by_hash(self.readers(), hash).await
    }

    async fn token_and_time(
        &self,
        hash: &TokenHash,
    ) -> Result<(Timestamp, Option<(TokenRecord, AccountRecord)>), Error> {
        let (committed, token) = self.find_token(hash).await?;
        Ok((self.now_after(committed), token))
    }

    async fn tokens(
        &self,
        account: AccountId,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenRecord>, Error> {
        read::tokens(self.readers(), account, after, limit).await
    }

    async fn newest_tokens(
        &self,
        account: AccountId,
        before: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenRecord>, Error> {
        read::newest_tokens(self.readers(), account, before, limit).await
    }

    async fn insert_token(&self, by: &By, token: TokenRecord) -> Result<(), Error> {
        self.writer().write(by, Write::InsertToken(token)).await.map(drop)
    }

    async fn mint_token(&self, by: &By, token: TokenRecord, root: TokenId) -> Result<bool, Error> {
        self.writer().write(by, Write::MintToken { token, by: root }).await
    }

    async fn replace_root_token(
        &self,
        by: &By,
        token: TokenRecord,
        root: Option<TokenId>,
        revoke_temporary: bool,
    ) -> Result<bool, Error> {
        let write = Write::ReplaceRootToken { token, by: root, revoke_temporary };
        self.writer().write(by, write).await
    }

    async fn revoke_token(
        &self,
        by: &By,
        account: AccountId,
        token: TokenId,
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::RevokeToken { account, token }).await
    }

    async fn revoke_temporary_tokens(&self, by: &By, account: AccountId) -> Result<u64, Error> {
        self.writer().count(by, Write::RevokeTemporaryTokens { account }).await
    }

    async fn live_tokens(
        &self,
        account: AccountId,
        now: Timestamp,
        at_most: u64,
    ) -> Result<u64, Error> {
        read::live_tokens(self.readers(), account, now, at_most).await
    }

    async fn accounts_with_ended_tokens(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AccountId>, Error> {
        read::accounts_with_ended_tokens(self.readers(), before, limit).await
    }

    async fn remove_ended_tokens(
        &self,
        by: &By,
        account: AccountId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        self.writer().count(by, Write::RemoveEndedTokens { account, before, limit }).await
    }

    async fn spend(
        &self,
        by: &By,
        hash: &TokenHash,
        usage: Event,
    ) -> Result<Result<Option<u32>, Refusal>, Error> {
        self.writer().spend(by, *hash, usage).await
    }

    async fn begun_call(
        &self,
        id: &ReplayId,
        now: Timestamp,
    ) -> Result<Option<(TokenId, AccountRecord)>, Error> {
        read::begun_call(self.readers(), id, now).await
    }

    async fn claim(&self, by: &By, claim: NewClaim) -> Result<Claimed, Error> {
        self.writer().claim(by, claim).await
    }

    async fn release_claim(
        &self,
        by: &By,
        id: &ReplayId,
        nonce: &[u8; NONCE_BYTES],
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::ReleaseClaim { id: *id, nonce: *nonce }).await
    }

    async fn release_all_claims(&self) -> Result<u64, Error> {
        self.writer().count(&By::SERVER, Write::ReleaseAllClaims).await
    }

    async fn keep_answer(
        &self,
        by: &By,
        answer: KeptAnswer,
        effect: Effect,
    ) -> Result<bool, Error> {
        let effect = match effect {
            Effect::MintToken { token, root } => Some(Write::MintToken { token, by: root }),
            Effect::InsertKey(key) => Some(Write::InsertKey(key)),
            Effect::Record(event) => Some(Write::Record(event)),
            Effect::Nothing => None,
        };
        let effect = effect.map(Box::new);
        self.writer().write(by, Write::KeepAnswer { answer, effect }).await
    }

    async fn kept_answers(
        &self,
        account: AccountId,
        now: Timestamp,
        at_most: u64,
    ) -> Result<u64, Error> {
        read::kept_answers(self.readers(), account, now, at_most).await
    }

    async fn remove_ended_answers(
        &self,
        by: &By,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        // Most of the time there is nothing to do, and that costs no transaction.
        match read::has_ended_answer(self.readers(), before).await? {
            true => self.writer().count(by, Write::RemoveEndedAnswers { before, limit }).await,
            false => Ok(0),
        }
    }

    async fn begin_session(&self, by: &By, session: SessionRecord) -> Result<bool, Error> {
        self.writer().write(by, Write::BeginSession(session)).await
    }

    async fn session(
        &self,
        hash: &SessionHash,
    ) -> Result<Option<(SessionRecord, TokenRecord, AccountRecord)>, Error> {
        sessions::find(self.readers(), hash).await
    }

    async fn end_session(
        &self,
        by: &By,
        account: AccountId,
        hash: &SessionHash,
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::EndSession { account, hash: *hash }).await
    }

    async fn remove_ended_sessions(
        &self,
        by: &By,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        // As above.
        match sessions::has_ended(self.readers(), before).await? {
            true => self.writer().count(by, Write::RemoveEndedSessions { before, limit }).await,
            false => Ok(0),
        }
    }

    async fn record(&self, by: &By, event: Event) -> Result<(), Error> {
        self.writer().write(by, Write::Record(event)).await.map(drop)
    }

    fn audit_heads(&self) -> Vec<ChainHead> {
        self.writer().audit_heads()
    }

    async fn audit_rows(
        &self,
        after: Option<(ChainId, u64)>,
        limit: u32,
    ) -> Result<Vec<(ChainHead, Entry)>, Error> {
        read::audit_rows(self.readers(), after, limit).await
    }

    async fn audit_of(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, Entry)>, Error> {
        read::audit_of(self.readers(), account, before, limit).await
    }

    async fn add_checkpoint(&self, checkpoint: &Checkpoint) -> Result<bool, Error> {
        let (number, checkpoint) = (checkpoint.number(), checkpoint.to_bytes());
        self.writer().write(&By::SERVER, Write::AddCheckpoint { number, checkpoint }).await
    }

    async fn checkpoints(&self, after: u64, limit: u32) -> Result<Vec<Checkpoint>, Error> {
        read::checkpoints(self.readers(), after, limit).await
    }

    async fn last_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        read::last_checkpoint(self.readers()).await
    }

    async fn add_usage(&self, counter: CounterId, counts: &[UsageCount]) -> Result<(), Error> {
        let counts = counts.to_vec();
        self.writer().write(&By::SERVER, Write::AddUsage { counter, counts }).await.map(drop)
    }

    async fn add_key_uses(&self, uses: &[KeyUse]) -> Result<(), Error> {
        self.writer().write(&By::SERVER, Write::AddKeyUses(uses.to_vec())).await.map(drop)
    }

    async fn usage(
        &self,
        query: &UsageQuery,
        after: Option<&UsagePlace>,
        limit: u32,
    ) -> Result<Vec<UsageSum>, Error> {
        read::usage(self.readers(), query, after, limit).await
    }

    async fn insert_key(&self, by: &By, key: KeyRecord) -> Result<bool, Error> {
        self.writer().write(by, Write::InsertKey(key)).await
    }

    async fn put_in_force(&self, by: &By, key: KeyRecord) -> Result<bool, Error> {
        self.writer().write(by, Write::PutInForce(key)).await
    }

    async fn key(&self, account: AccountId, id: &KeyId) -> Result<Option<KeyRecord>, Error> {
        read::key(self.readers(), account, id).await
    }

    async fn stored_keys(&self, account: AccountId, at_most: u64) -> Result<u64, Error> {
        read::stored_keys(self.readers(), account, at_most).await
    }

    async fn current_key(
        &self,
        account: AccountId,
        kind: RecordKind,
        algorithm: &str,
    ) -> Result<Option<KeyRecord>, Error> {
        read::current_key(self.readers(), account, kind, algorithm).await
    }

    async fn newest_version(
        &self,
        account: AccountId,
        kind: RecordKind,
        algorithm: &str,
    ) -> Result<Option<u32>, Error> {
        read::newest_version(self.readers(), account, kind, algorithm).await
    }

    async fn key_versions(
        &self,
        account: AccountId,
        kind: RecordKind,
    ) -> Result<Vec<KeyRecord>, Error> {
        read::key_versions(self.readers(), account, kind).await
    }

    async fn keys(
        &self,
        account: AccountId,
        after: Option<(Timestamp, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error> {
        read::keys(self.readers(), account, after, limit).await
    }

    async fn newest_keys(
        &self,
        account: AccountId,
        before: Option<(Timestamp, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error> {
        read::newest_keys(self.readers(), account, before, limit).await
    }

    async fn keys_that_begin(
        &self,
        account: AccountId,
        hex: &str,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error> {
        match ids_that_begin(hex) {
            Some((first, last)) => {
                read::keys_between(self.readers(), account, &first, &last, limit).await
            }
            None => Ok(Vec::new()),
        }
    }

    async fn key_info(&self, account: AccountId, id: &KeyId) -> Result<Option<KeyInfo>, Error> {
        read::key_info(self.readers(), account, id).await
    }

    async fn destroy_key(&self, by: &By, account: AccountId, id: &KeyId) -> Result<bool, Error> {
        self.writer().write(by, Write::DestroyKey { account, key: *id }).await
    }

    async fn undestroy_key(
        &self,
        by: &By,
        account: AccountId,
        id: &KeyId,
        since: Timestamp,
    ) -> Result<bool, Error> {
        self.writer().write(by, Write::UndestroyKey { account, key: *id, since }).await
    }

    async fn purge_destroyed_keys(
        &self,
        by: &By,
        until: Timestamp,
        limit: u32,
    ) -> Result<Purged, Error> {
        // Most of the time there is nothing to do, and that costs no transaction.
        let keys = match read::has_destroyed_key(self.readers(), until).await? {
            true => self.writer().count(by, Write::PurgeKeys { until, limit }).await?,
            false => 0,
        };
        let erased = self.erase_removed(keys > 0).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "removed keys could not be taken out of the store's files yet");
            false
        });
        Ok(Purged { keys, erased })
    }

    async fn trust_issuer(&self, by: &By, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.writer().write(by, Write::TrustIssuer(issuer.clone())).await
    }

    async fn distrust_issuer(&self, by: &By, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.writer().write(by, Write::DistrustIssuer(issuer.clone())).await
    }

    async fn note_backup(&self, made_at: Timestamp) -> Result<(), Error> {
        self.writer().write(&By::SERVER, Write::NoteBackup(made_at)).await.map(drop)
    }

    async fn last_backup(&self) -> Result<Option<Timestamp>, Error> {
        read::last_backup(self.readers()).await
    }

    async fn trusted_issuers(&self) -> Result<Vec<VerifyingKey>, Error> {
        read::trusted_issuers(self.readers()).await
    }

    fn figures(&self) -> StoreFigures {
        StoreFigures { reads: self.readers().times(), ..self.writer().figures() }
    }

    async fn copy_out(&self, to: mpsc::Sender<Vec<copy::Row>>) -> Result<(), Error> {
        Database::copy_out(self, to).await
    }
}

/// The first and the last id, of any length that ids have, that begin with these hex digits.
fn ids_that_begin(digits: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let filled = |digit: &str, length: usize| {
        let more = length.checked_sub(digits.len())?;
        hex::decode(format!("{digits}{}", digit.repeat(more))).ok()
    };
    let even = digits.len().next_multiple_of(2);
    filled("0", even).zip(filled("f", 2 * LONGEST_ID_BYTES))
}

/// That of a key pair.
const LONGEST_ID_BYTES: usize = 32;
/// A reader that stays keeps what it reads: then the rest is left to the next cut of the log.
const ERASE_TRIES: u32 = 10;
const ERASE_AGAIN_AFTER: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_begin_with_some_digits_lie_between_two() {
        let of = |digits| {
            let (first, last) = ids_that_begin(digits)?;
            Some((hex::encode(first), hex::encode(last)))
        };
        let last = |begin: &str| format!("{begin:f<64}");
        assert_eq!(of(""), Some((String::new(), last(""))));
        assert_eq!(of("a"), Some(("a0".to_owned(), last("a"))));
        assert_eq!(of("A01b"), Some(("a01b".to_owned(), last("a01b"))));
        let whole = "0123456789abcdef".repeat(4);
        assert_eq!(of(&whole), Some((whole.clone(), whole.clone())));
        for none in ["g", "a ", "0x", &format!("{whole}0"), "ä"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
