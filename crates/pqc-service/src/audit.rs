//! The audit log: who did what, written in the step that does it.
//!
//! What changes the store says by [`By`] whose doing it is; the store knows from the change itself
//! what was done, and writes both down in the same transaction. What is done by a stored secret, or
//! by a temporary token, is written down before it is done, as `admitted`; if it then fails, a
//! second entry says so ([`Service::spend`](crate::Service::spend) has both). Refused tokens are
//! counted and written down once a minute. `keeper.rs` signs checkpoints, `log.rs` reads it all
//! again, `find.rs` what is looked for; `watch.rs` has the server verify it.

mod find;
mod keeper;
pub mod line;
mod log;
mod refusals;
mod watch;

use std::borrow::Cow;

pub(crate) use find::Exports;
pub use find::{AuditExport, AuditFilter, AuditFound};
pub use keeper::CheckpointPolicy;
pub(crate) use keeper::Keeper;
pub use log::LogEntry;
use pqc_core::audit::{Actor, Entry};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId};
pub(crate) use refusals::Refusals;
pub use watch::LogState;
pub(crate) use watch::Watch;

/// Whose doing a change is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// The request by which it is done.
    pub request_id: Option<String>,
}

impl By {
    /// The server by itself.
    pub const SERVER: Self = Self { actor: Actor::Server, request_id: None };
    /// Who has the store and its master key.
    pub const OPERATOR: Self = Self { actor: Actor::Operator, request_id: None };

    /// The holder of a token.
    #[must_use]
    pub fn token(id: TokenId, request_id: Option<String>) -> Self {
        Self { actor: Actor::Token(id), request_id }
    }
}

/// Something that is done, before it is known when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub act: &'static str,
    /// The account that it is done to, or for.
    pub account: Option<AccountId>,
    /// The key that it is done to, or by.
    pub key: Option<KeyId>,
    /// The token that it is done to.
    pub token: Option<TokenId>,
    /// What came of it.
    pub outcome: Cow<'static, str>,
    /// What else there is to say. Nothing secret.
    pub detail: Option<String>,
}

impl Event {
    /// Something that is done with the change it is written down with.
    #[must_use]
    pub fn done(act: &'static str) -> Self {
        let outcome = Cow::Borrowed("done");
        Self { act, account: None, key: None, token: None, outcome, detail: None }
    }

    pub(crate) fn of(self, account: AccountId) -> Self {
        // The server's own keys are no account's.
        Self { account: (account != AccountId::SERVER).then_some(account), ..self }
    }

    pub(crate) fn key(self, key: KeyId) -> Self {
        Self { key: Some(key), ..self }
    }

    pub(crate) fn token(self, token: TokenId) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(crate) fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(crate) fn entry(self, by: &By, time: Timestamp) -> Entry {
        let Self { act, account, key, token, outcome, detail } = self;
        Entry {
            time,
            actor: by.actor,
            account,
            key,
            token,
            act: Cow::Borrowed(act),
            outcome,
            detail,
            request_id: by.request_id.clone(),
        }
    }
}

/// What a token is to be used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The operation's name.
    pub operation: &'static str,
    /// The key that is used, if there is one and it is known yet.
    pub key: Option<KeyId>,
    /// Whether the use of a token without count is written down. That of a counted one always is.
    pub written_down: WrittenDown,
    /// The request.
    pub request_id: Option<String>,
}

/// Whether a use is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenDown {
    /// Before it happens: a stored secret is used.
    Always,
    /// If [`Settings::audit_all`](crate::Settings::audit_all) says so: nothing stored is used.
    IfAll,
    /// By what it does to the store, in the same step.
    ByEffect,
}

impl Use {
    /// Of no key, by no request.
    #[must_use]
    pub const fn new(operation: &'static str, written_down: WrittenDown) -> Self {
        Self { operation, key: None, written_down, request_id: None }
    }

    pub(crate) fn event(&self, account: AccountId, outcome: &'static str) -> Event {
        let event = Event { key: self.key, ..Event::done(self.operation) };
        Event { outcome: Cow::Borrowed(outcome), ..event.of(account) }
    }
}
