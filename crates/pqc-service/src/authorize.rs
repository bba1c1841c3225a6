//! From a token's text to the right to act, in the order of the wire contract.
//!
//! [`Service::authenticate`] finds the token, [`Caller::authorize`] asks the policy, and
//! [`Service::spend`] spends one attempt durably. Each step takes what only the step before it
//! makes, so none can be left out.

use pqc_core::token::{self, Demand, Refusal, Scope, TokenHash, TokenKind, TokenValue};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId};

use crate::account::Custody;
use crate::error::Error;
use crate::service::Service;
use crate::store::{AccountRecord, TokenRecord};

/// A living token's holder; nothing is permitted or spent yet.
#[derive(Debug)]
pub struct Caller {
    token: TokenRecord,
    account: AccountRecord,
    now: Timestamp,
}

/// A holder whose token may do what the call demands; nothing is spent yet.
#[derive(Debug)]
pub struct Authorized(Caller);

/// A holder whose attempt is spent, or whose token has no count: may act now, once.
#[derive(Debug)]
pub struct Admitted {
    account: AccountRecord,
    token: TokenId,
    now: Timestamp,
}

impl Service {
    /// Finds a living token by its text. Spends nothing.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]; those of the store.
    pub async fn authenticate(&self, text: &str) -> Result<Caller, Error> {
        let value = TokenValue::parse(text).map_err(|_| Refusal::Unknown)?;
        self.find(&value.hash()).await
    }

    /// Spends one attempt of a counted token, durably. Every token is looked up once more: between
    /// the first look and this one lies the receipt of a body, which its sender can draw out while
    /// the token is revoked, or its account disabled or given another custody.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]: none is left, or the token ended meanwhile.
    /// [`Error::Unavailable`]: nothing was spent. [`Error::OutcomeUnknown`].
    pub async fn spend(&self, Authorized(caller): Authorized) -> Result<Admitted, Error> {
        // What cannot be done costs no attempt.
        self.masters.ready()?;
        let hash = &caller.token.hash;
        let Caller { token, account, now } = self.find(hash).await?;
        if token.state.attempts_left.is_some() {
            self.store.spend(hash).await??;
        }
        Ok(Admitted { account, token: token.id, now })
    }

    async fn find(&self, hash: &TokenHash) -> Result<Caller, Error> {
        let (now, found) = self.store.token_and_time(hash).await?;
        let (token, account) = found.ok_or(Refusal::Unknown)?;
        token::authenticate(&token.state, now)?;
        Ok(Caller { token, account, now })
    }
}

impl Caller {
    /// Whether the token may do what the call demands.
    ///
    /// # Errors
    /// [`Error::OutOfScope`].
    pub fn authorize(self, demand: Demand) -> Result<Authorized, Error> {
        token::authorize(&self.token.state, demand)?;
        Ok(Authorized(self))
    }

    /// The account it acts for.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.account.id
    }

    /// Its token.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.token.id
    }
}

impl Authorized {
    /// Whether the token's scope allows the key that the call uses; `None` is one that is not
    /// stored here.
    ///
    /// # Errors
    /// [`Error::OutOfScope`].
    pub fn authorize_key(&self, used: Option<KeyId>) -> Result<(), Error> {
        token::authorize_key(self.scope(), used)?;
        Ok(())
    }

    /// What the token was narrowed to.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.0.token.state.scope
    }

    /// The account it acts for.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.0.account.id
    }

    /// The token itself, without its value.
    #[must_use]
    pub fn token(&self) -> &TokenRecord {
        &self.0.token
    }

    /// Whether it is a root token.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.token.state.kind == TokenKind::Root
    }
}

impl Admitted {
    /// The account it acts for.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.account.id
    }

    /// The token that it acts by.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.token
    }

    /// The store's time at which the token was found to live.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who holds the account's keys.
    #[must_use]
    pub fn custody(&self) -> Custody {
        self.account.custody
    }
}
