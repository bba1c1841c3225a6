//! What the stores on SQL are made of: connections that read, one task that writes, and the time.
//! Each method of [`Store`] is a statement on one of the two.

use async_trait::async_trait;
use pqc_core::seal::RecordKind;
use pqc_core::token::{Refusal, TokenHash};
use pqc_core::{AccountId, KeyId, SealedRecord, Timestamp, TokenId, VerifyingKey};

use super::sql::Reads;
use super::writer::{Engine, Write, Writer};
use super::{AccountRecord, KeyRecord, Store, TokenRecord, read};
use crate::account::Custody;
use crate::error::Error;

/// A store on a database that speaks SQL.
pub(super) trait Database: Send + Sync + 'static {
    type Readers: Reads;
    type Engine: Engine;

    fn readers(&self) -> &Self::Readers;

    fn writer(&self) -> &Writer<Self::Engine>;

    /// The store's time, given the time that its view of the clock shows.
    fn now_after(&self, shown: Timestamp) -> Timestamp;
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
        if self.writer().failed_last() {
            self.writer().try_out().await?;
        }
        read::clock(self.readers()).await.map(drop)
    }

    async fn close(&self) {
        let engine = self.writer().finish().await;
        self.readers().close().await;
        if let Some(engine) = engine {
            engine.close().await;
        }
    }

    async fn master_key_checks(&self) -> Result<Vec<(u32, SealedRecord)>, Error> {
        read::master_key_checks(self.readers()).await
    }

    async fn add_master_key_check(&self, version: u32, check: SealedRecord) -> Result<bool, Error> {
        self.writer().write(Write::AddMasterKeyCheck { version, check }).await
    }

    async fn accounts(&self) -> Result<Vec<AccountRecord>, Error> {
        read::accounts(self.readers()).await
    }

    async fn account_by_name(&self, name: &str) -> Result<Option<AccountRecord>, Error> {
        read::account_by_name(self.readers(), name).await
    }

    async fn create_account(
        &self,
        account: AccountRecord,
        root_token: TokenRecord,
    ) -> Result<bool, Error> {
        self.writer().write(Write::CreateAccount { account, root_token }).await
    }

    async fn set_custody(&self, account: AccountId, custody: Custody) -> Result<bool, Error> {
        self.writer().write(Write::SetCustody { account, custody }).await
    }

    async fn set_disabled(&self, account: AccountId, disabled: bool) -> Result<bool, Error> {
        self.writer().write(Write::SetDisabled { account, disabled }).await
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
        let (committed, token) = read::clock_and_token(self.readers(), hash).await?;
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

    async fn insert_token(&self, token: TokenRecord) -> Result<(), Error> {
        self.writer().write(Write::InsertToken(token)).await.map(drop)
    }

    async fn mint_token(&self, token: TokenRecord, by: TokenId) -> Result<bool, Error> {
        self.writer().write(Write::MintToken { token, by }).await
    }

    async fn replace_root_token(
        &self,
        token: TokenRecord,
        revoke_temporary: bool,
    ) -> Result<(), Error> {
        self.writer().write(Write::ReplaceRootToken { token, revoke_temporary }).await.map(drop)
    }

    async fn revoke_token(&self, account: AccountId, token: TokenId) -> Result<bool, Error> {
        self.writer().write(Write::RevokeToken { account, token }).await
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
        account: AccountId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        self.writer().write_counted(Write::RemoveEndedTokens { account, before, limit }).await
    }

    async fn spend(&self, hash: &TokenHash) -> Result<Result<Option<u32>, Refusal>, Error> {
        self.writer().spend(*hash).await
    }

    async fn insert_key(&self, key: KeyRecord) -> Result<bool, Error> {
        self.writer().write(Write::InsertKey(key)).await
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

    async fn key_versions(
        &self,
        account: AccountId,
        kind: RecordKind,
    ) -> Result<Vec<KeyRecord>, Error> {
        read::key_versions(self.readers(), account, kind).await
    }

    async fn trust_issuer(&self, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.writer().write(Write::TrustIssuer(issuer.clone())).await
    }

    async fn distrust_issuer(&self, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.writer().write(Write::DistrustIssuer(issuer.clone())).await
    }

    async fn trusted_issuers(&self) -> Result<Vec<VerifyingKey>, Error> {
        read::trusted_issuers(self.readers()).await
    }
}
