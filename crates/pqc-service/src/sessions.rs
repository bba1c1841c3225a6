//! Sessions: a person who showed a root token stays signed in in one browser, for a while.
//!
//! A session is worth what its root token is worth, and no more: it ends with that token's reset, with
//! its account's standing, by [`Service::sign_out`], and by itself. What it does goes the way of the
//! token's own calls: [`Session::authorize`] gives what [`Service::spend`] takes.

use pqc_core::session::{self, LIFETIME_SECONDS, SessionValue};
use pqc_core::token::{Demand, Refusal};
use pqc_core::{AccountId, Timestamp};

use crate::audit::{By, Use, WrittenDown};
use crate::authorize::{Authorized, Caller};
use crate::error::Error;
use crate::service::Service;
use crate::store::SessionRecord;

/// A living session; nothing is done by it yet.
#[derive(Debug)]
pub struct Session {
    caller: Caller,
    expires_at: Timestamp,
}

/// A session, at the one moment at which its value is known.
#[derive(Debug)]
pub struct SignedIn {
    /// The value, for a cookie. Secret.
    pub value: SessionValue,
    /// The first moment at which it is over.
    pub expires_at: Timestamp,
}

impl Service {
    /// Begins a session for the holder of a root token.
    ///
    /// # Errors
    /// [`Error::OutOfScope`]: it is no root token. [`Error::Unauthorized`]: it ended meanwhile. Those
    /// of the store.
    pub async fn sign_in(
        &self,
        caller: Caller,
        request_id: Option<String>,
    ) -> Result<SignedIn, Error> {
        let Caller { token, account, .. } = Caller::from(caller.authorize(Demand::Root)?);
        let value = SessionValue::generate(&mut self.rng())?;
        let created_at = self.store.now().await?;
        let expires_at = created_at.plus_seconds(LIFETIME_SECONDS);
        let hash = value.hash();
        let record =
            SessionRecord { hash, account: account.id, token: token.id, created_at, expires_at };
        let by = By::token(token.id, request_id);
        match self.store.begin_session(&by, record).await? {
            true => Ok(SignedIn { value, expires_at }),
            false => Err(self.refused(Refusal::Revoked).into()),
        }
    }

    /// A value for the browser of somebody who is not signed in, by which the form for signing in is
    /// known again. It is no session, and kept nowhere.
    ///
    /// # Errors
    /// [`Error::Core`]: the generator failed.
    pub fn new_visitor(&self) -> Result<SessionValue, Error> {
        Ok(SessionValue::generate(&mut self.rng())?)
    }

    /// Finds a living session by its value.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]; those of the store.
    pub async fn session(&self, value: &SessionValue) -> Result<Session, Error> {
        let now = self.store.now().await?;
        let found = self.store.session(&value.hash()).await?;
        let (record, token, account) = found.ok_or(Refusal::Unknown)?;
        session::authenticate(record.expires_at, &token.state, now)?;
        let caller = Caller { token, account, now };
        Ok(Session { caller, expires_at: record.expires_at })
    }

    /// Ends a session, at once and for good; `false`: it had ended before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sign_out(
        &self,
        session: &Session,
        value: &SessionValue,
        request_id: Option<String>,
    ) -> Result<bool, Error> {
        let by = By::token(session.caller.token.id, request_id);
        self.store.end_session(&by, session.account_id(), &value.hash()).await
    }

    /// Writes down that a person looked at something, if every call of a root token is written down.
    /// It is not counted as usage, which would grow by being looked at.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn note_look(&self, session: &Session, usage: Use) -> Result<(), Error> {
        if usage.written_down == WrittenDown::IfAll && !self.settings.audit_all {
            return Ok(());
        }
        let by = By::token(session.caller.token.id, usage.request_id.clone());
        self.store.record(&by, usage.event(session.account_id(), "admitted")).await
    }
}

impl Session {
    /// The right to do what a root token may, as [`Service::spend`] takes it.
    ///
    /// # Errors
    /// [`Error::OutOfScope`].
    pub fn authorize(self) -> Result<Authorized, Error> {
        self.caller.authorize(Demand::Root)
    }

    /// The account that is signed in.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        self.caller.account.id
    }

    /// Its name.
    #[must_use]
    pub fn account_name(&self) -> &str {
        &self.caller.account.name
    }

    /// The root token that it was begun by, without its value.
    #[must_use]
    pub fn token(&self) -> &crate::store::TokenRecord {
        &self.caller.token
    }

    /// The store's time at which it was found to live.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.caller.now
    }

    /// The first moment at which it is over.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}
