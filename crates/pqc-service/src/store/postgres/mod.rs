//! The store of many servers: one PostgreSQL database (15 or later).
//!
//! [`PostgresStore::open`] is the door. Reads go to a few connections, writes through the one task
//! of `writer.rs`, so that each server brings its waiting changes in one transaction. The time is
//! the database's, one for all. No row is written by every server but those that they are asked
//! for. What is lost with a connection is found again by the next call.

mod connect;
mod open;
mod spend;
mod write;

use async_trait::async_trait;
use pqc_core::seal::RecordKind;
use pqc_core::token::{Refusal, TokenHash};
use pqc_core::{AccountId, KeyId, SealedRecord, Timestamp, TokenId, VerifyingKey};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use super::writer::{Engine, Failure, Write, Writer};
use super::{AccountRecord, KeyRecord, Store, TokenRecord, read};
use crate::account::Custody;
use crate::error::Error;

/// The store of many servers.
#[derive(Debug)]
pub struct PostgresStore {
    readers: connect::Readers,
    writer: Writer<write::PostgresEngine>,
}

impl PostgresStore {
    /// Whether `url` can be the address of a PostgreSQL database, by its form alone. Nothing is
    /// connected.
    ///
    /// # Errors
    /// [`Error::BadStoreUrl`], which does not repeat any part of a value.
    pub fn check_url(url: &str) -> Result<(), Error> {
        connect::options(url).map(drop)
    }

    /// Opens the store in the database at `url` (`postgres://USER:PASSWORD@HOST:PORT/DATABASE`).
    /// Where its schema is empty, makes the tables; where they are older, brings them up to date.
    /// Servers that start together wait for each other. Needs a Tokio runtime, which it uses from
    /// then on.
    ///
    /// # Errors
    /// [`Error::BadStoreUrl`]; [`Error::NewerSchema`]; [`Error::Corrupt`]: the database is another
    /// program's. [`Error::Unavailable`]: it cannot be reached or written. Nothing is changed then.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let options = connect::options(url)?;
        let connection = open::open(&options).await?;
        Ok(Self::on(options, connection))
    }

    /// As [`Self::open`], but makes no store where there is none: then it gives `None`, and nothing
    /// was changed.
    ///
    /// # Errors
    /// As there.
    pub async fn open_existing(url: &str) -> Result<Option<Self>, Error> {
        let options = connect::options(url)?;
        let connection = open::open_existing(&options).await?;
        Ok(connection.map(|connection| Self::on(options, connection)))
    }

    fn on(options: PgConnectOptions, connection: PgConnection) -> Self {
        let readers = connect::Readers::new(options.clone());
        let engine = write::PostgresEngine::new(options, connection);
        Self { readers, writer: Writer::start(engine) }
    }

    /// How many transactions this store committed since it was opened. Changes that wait together
    /// share one.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn now(&self) -> Result<Timestamp, Error> {
        read::clock(&self.readers).await
    }

    async fn ping(&self) -> Result<(), Error> {
        if !self.writer.is_alive() {
            return Err(Error::Unavailable("the task that writes has ended".to_owned()));
        }
        if self.writer.failed_last() {
            self.writer.try_out().await?;
        }
        read::clock(&self.readers).await.map(drop)
    }

    async fn close(&self) {
        let engine = self.writer.finish().await;
        self.readers.close().await;
        if let Some(engine) = engine {
            engine.close().await;
        }
    }

    async fn master_key_checks(&self) -> Result<Vec<(u32, SealedRecord)>, Error> {
        read::master_key_checks(&self.readers).await
    }

    async fn add_master_key_check(&self, version: u32, check: SealedRecord) -> Result<bool, Error> {
        self.writer.write(Write::AddMasterKeyCheck { version, check }).await
    }

    async fn accounts(&self) -> Result<Vec<AccountRecord>, Error> {
        read::accounts(&self.readers).await
    }

    async fn account_by_name(&self, name: &str) -> Result<Option<AccountRecord>, Error> {
        read::account_by_name(&self.readers, name).await
    }

    async fn create_account(
        &self,
        account: AccountRecord,
        root_token: TokenRecord,
    ) -> Result<bool, Error> {
        self.writer.write(Write::CreateAccount { account, root_token }).await
    }

    async fn set_custody(&self, account: AccountId, custody: Custody) -> Result<bool, Error> {
        self.writer.write(Write::SetCustody { account, custody }).await
    }

    async fn set_disabled(&self, account: AccountId, disabled: bool) -> Result<bool, Error> {
        self.writer.write(Write::SetDisabled { account, disabled }).await
    }

    async fn token_by_hash(
        &self,
        hash: &TokenHash,
    ) -> Result<Option<(TokenRecord, AccountRecord)>, Error> {
        read::token_by_hash(&self.readers, hash).await
    }

    async fn token_and_time(
        &self,
        hash: &TokenHash,
    ) -> Result<(Timestamp, Option<(TokenRecord, AccountRecord)>), Error> {
        read::clock_and_token(&self.readers, hash).await
    }

    async fn tokens(
        &self,
        account: AccountId,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenRecord>, Error> {
        read::tokens(&self.readers, account, after, limit).await
    }

    async fn insert_token(&self, token: TokenRecord) -> Result<(), Error> {
        self.writer.write(Write::InsertToken(token)).await.map(drop)
    }

    async fn mint_token(&self, token: TokenRecord, by: TokenId) -> Result<bool, Error> {
        self.writer.write(Write::MintToken { token, by }).await
    }

    async fn replace_root_token(
        &self,
        token: TokenRecord,
        revoke_temporary: bool,
    ) -> Result<(), Error> {
        self.writer.write(Write::ReplaceRootToken { token, revoke_temporary }).await.map(drop)
    }

    async fn revoke_token(&self, account: AccountId, token: TokenId) -> Result<bool, Error> {
        self.writer.write(Write::RevokeToken { account, token }).await
    }

    async fn spend(&self, hash: &TokenHash) -> Result<Result<Option<u32>, Refusal>, Error> {
        self.writer.spend(*hash).await
    }

    async fn insert_key(&self, key: KeyRecord) -> Result<bool, Error> {
        self.writer.write(Write::InsertKey(key)).await
    }

    async fn key(&self, account: AccountId, id: &KeyId) -> Result<Option<KeyRecord>, Error> {
        read::key(&self.readers, account, id).await
    }

    async fn current_key(
        &self,
        account: AccountId,
        kind: RecordKind,
        algorithm: &str,
    ) -> Result<Option<KeyRecord>, Error> {
        read::current_key(&self.readers, account, kind, algorithm).await
    }

    async fn key_versions(
        &self,
        account: AccountId,
        kind: RecordKind,
    ) -> Result<Vec<KeyRecord>, Error> {
        read::key_versions(&self.readers, account, kind).await
    }

    async fn trust_issuer(&self, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.writer.write(Write::TrustIssuer(issuer.clone())).await
    }

    async fn distrust_issuer(&self, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.writer.write(Write::DistrustIssuer(issuer.clone())).await
    }

    async fn trusted_issuers(&self) -> Result<Vec<VerifyingKey>, Error> {
        read::trusted_issuers(&self.readers).await
    }
}

/// What a database error says of the transaction that it ended, if that was not about to commit.
fn failure(error: &sqlx::Error) -> Failure {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    match code(error).as_deref() {
        // Serialization failure, deadlock.
        Some(code) if code.starts_with("40") => Failure::Conflict(error.to_string()),
        // Data or an index that is corrupted; a table or column that is not there.
        Some("XX001" | "XX002") => Failure::Corrupt("PostgreSQL finds its files damaged"),
        Some("42P01" | "42703") => Failure::Corrupt("its tables are not those of this program"),
        _ => Failure::Unavailable(error.to_string()),
    }
}

/// The five characters by which PostgreSQL names an error, if it was PostgreSQL that failed.
fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}
