//! From a token's text to the right to act, in the order of the wire contract.
//!
//! [`Service::authenticate`] finds the token, [`Caller::authorize`] asks the policy, and
//! [`Service::spend`] spends one attempt durably. Each step takes what only the step before it
//! makes, so none can be left out.

use pqc_core::token::{self, Demand, Refusal, Scope, TokenHash, TokenKind, TokenValue};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId};

use crate::account::Custody;
use crate::audit::{By, Event, Use, WrittenDown};
use crate::error::Error;
use crate::replay::Claim;
use crate::service::Service;
use crate::store::{AccountRecord, TokenRecord};

/// A living token's holder; nothing is permitted or spent yet.
#[derive(Debug)]
pub struct Caller {
    pub(crate) token: TokenRecord,
    pub(crate) account: AccountRecord,
    pub(crate) now: Timestamp,
}

/// A holder whose token may do what the call demands; nothing is spent yet.
#[derive(Debug)]
pub struct Authorized(Caller);

/// A holder whose attempt is spent, or whose token has no count: may act now, once.
#[derive(Debug)]
pub struct Admitted {
    pub(crate) account: AccountRecord,
    pub(crate) by: By,
    pub(crate) token: TokenId,
    /// That of the token.
    pub(crate) label: Option<String>,
    pub(crate) now: Timestamp,
    pub(crate) usage: Use,
    pub(crate) is_written_down: bool,
    /// That of a call that can be repeated.
    pub(crate) claim: Option<Claim>,
    /// Whether the call was admitted before, and came to no end.
    pub(crate) is_taken_over: bool,
}

impl Service {
    /// Finds a living token by its text. Spends nothing.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]; those of the store.
    pub async fn authenticate(&self, text: &str) -> Result<Caller, Error> {
        let value = TokenValue::parse(text).map_err(|_| self.refused(Refusal::Unknown))?;
        self.find(&value.hash()).await
    }

    /// Counts a call that has no token at all.
    pub fn refused_without_token(&self) {
        self.refusals.missing();
    }

    /// Counts a call that its living token does not allow.
    pub fn refused_out_of_scope(&self) {
        self.refusals.out_of_scope();
    }

    pub(crate) fn refused(&self, why: Refusal) -> Refusal {
        self.refusals.count(why);
        why
    }

    /// Spends one attempt of a counted token, durably; that, and every use of a stored secret, is
    /// written down in the audit log before it happens. Every token is looked up once more: between
    /// the first look and this one lies the receipt of a body, which its sender can draw out while
    /// the token is revoked, or its account disabled or given another custody.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]: none is left, or the token ended meanwhile.
    /// [`Error::Unavailable`]: nothing was spent. [`Error::OutcomeUnknown`].
    pub async fn spend(
        &self,
        Authorized(caller): Authorized,
        usage: Use,
    ) -> Result<Admitted, Error> {
        // What cannot be done costs no attempt.
        self.masters.ready()?;
        let hash = &caller.token.hash;
        let Caller { token, account, now } = self.find(hash).await?;
        let by = By::token(token.id, usage.request_id.clone());
        let is_counted = token.state.attempts_left.is_some();
        let is_written_down = self.is_written_down(&usage, is_counted);
        if is_counted {
            let event = usage.event(account.id, "admitted");
            self.store.spend(&by, hash, event).await?.map_err(|why| self.refused(why))?;
        } else if is_written_down {
            self.store.record(&by, usage.event(account.id, "admitted")).await?;
        }
        let admitted = Admitted {
            account,
            by,
            token: token.id,
            label: token.label,
            now,
            usage,
            is_written_down,
            claim: None,
            is_taken_over: false,
        };
        self.counter.call(&admitted);
        Ok(admitted)
    }

    /// Whether the use of a token is written down before it happens.
    pub(crate) fn is_written_down(&self, usage: &Use, is_counted: bool) -> bool {
        is_counted
            || match usage.written_down {
                WrittenDown::Always => true,
                WrittenDown::IfAll => self.settings.audit_all,
                WrittenDown::ByEffect => false,
            }
    }

    /// Counts that what was admitted failed, and writes it down, if it was written down that it was
    /// admitted. What cannot be written now is left out: the entry before says that it was tried.
    /// If the call can be repeated, who does so is refused in these words; without them, that one
    /// tries again and has paid for it.
    pub async fn note_failure(&self, admitted: &Admitted, outcome: String, refusal: Option<&[u8]>) {
        self.counter.failure(admitted);
        let kept = self.keep_refusal(admitted, refusal);
        tokio::join!(kept, self.write_failure_down(admitted, outcome));
    }

    async fn write_failure_down(&self, admitted: &Admitted, outcome: String) {
        if !admitted.is_written_down {
            return;
        }
        let event = admitted.usage.event(admitted.account.id, "failed");
        let event = Event { outcome: outcome.into(), ..event };
        if let Err(error) = self.store.record(&admitted.by, event).await {
            tracing::warn!(%error, "a failure could not be written down in the audit log");
        }
    }

    async fn find(&self, hash: &TokenHash) -> Result<Caller, Error> {
        let (_, found) = self.find_living(hash).await?;
        Ok(found.map_err(|why| self.refused(why))?)
    }

    /// The holder of a living token, or why there is none; and the store's time.
    pub(crate) async fn find_living(
        &self,
        hash: &TokenHash,
    ) -> Result<(Timestamp, Result<Caller, Refusal>), Error> {
        let (now, found) = self.store.token_and_time(hash).await?;
        let caller = found.ok_or(Refusal::Unknown).and_then(|(token, account)| {
            token::authenticate(&token.state, now)?;
            Ok(Caller { token, account, now })
        });
        Ok((now, caller))
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

    /// That account's name.
    #[must_use]
    pub fn account_name(&self) -> &str {
        &self.account.name
    }

    /// Its token.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.token.id
    }

    /// Whether no attempt of the token was spent yet, and no session begun by it.
    #[must_use]
    pub fn was_never_used(&self) -> bool {
        self.token.last_used_at.is_none()
    }
}

impl From<Authorized> for Caller {
    /// Who it is, without the right.
    fn from(Authorized(caller): Authorized) -> Self {
        caller
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

    /// Whether the call was admitted, and paid, before.
    #[must_use]
    pub fn is_taken_over(&self) -> bool {
        self.is_taken_over
    }

    /// The token that it acts by.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        self.token
    }

    /// What it was admitted to do.
    pub(crate) fn operation(&self) -> &'static str {
        self.usage.operation
    }

    /// Whose doing it is.
    #[must_use]
    pub fn by(&self) -> &By {
        &self.by
    }

    /// The stored key that it was admitted to use, if one was named.
    pub(crate) fn key(&self) -> Option<KeyId> {
        self.usage.key
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
