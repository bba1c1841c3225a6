//! Quotas: how many keys an account may store, how many of its temporary tokens may live, and how
//! many answers are kept for it.
//!
//! [`Service::reserve_key`], `reserve_token` and `reserve_answer` are the doors: a call takes its place
//! before it makes a thing, and settles afterwards. To count at each call would cost more than the
//! call, and a counter in the store would have its servers wait for each other; so each server
//! remembers a count for the accounts at work, raised by what it makes itself. One server never
//! goes over. Several may, by what the others made since the last count: near the limit that is a
//! second. Nothing is refused but by a fresh count.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pqc_core::AccountId;
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::error::Error;
use crate::service::Service;
use crate::store::Store;

impl Service {
    /// Takes a place for one more key of the account.
    ///
    /// # Errors
    /// [`Error::QuotaFull`]; those of the store.
    pub(crate) async fn reserve_key(&self, account: AccountId) -> Result<Reservation, Error> {
        self.key_quota.reserve(&*self.store, account).await
    }

    /// Takes a place for one more temporary token of the account.
    ///
    /// # Errors
    /// [`Error::QuotaFull`]; those of the store.
    pub(crate) async fn reserve_token(&self, account: AccountId) -> Result<Reservation, Error> {
        self.token_quota.reserve(&*self.store, account).await
    }

    /// Takes a place for one more kept answer of the account.
    ///
    /// # Errors
    /// [`Error::QuotaFull`]; those of the store.
    pub(crate) async fn reserve_answer(&self, account: AccountId) -> Result<Reservation, Error> {
        self.answer_quota.reserve(&*self.store, account).await
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Counted {
    /// Stored keys: those in their grace after destruction too.
    Keys,
    /// Temporary tokens that are not expired, spent or revoked.
    LiveTokens,
    /// Answers that are kept for who comes again, and calls that may yet have one.
    KeptAnswers,
}

impl Counted {
    const fn name(self) -> &'static str {
        match self {
            Self::Keys => "key",
            Self::LiveTokens => "token",
            Self::KeptAnswers => "kept answer",
        }
    }

    async fn count(
        self,
        store: &dyn Store,
        account: AccountId,
        at_most: u64,
    ) -> Result<u64, Error> {
        match self {
            Self::Keys => store.stored_keys(account, at_most).await,
            Self::LiveTokens => store.live_tokens(account, store.now().await?, at_most).await,
            Self::KeptAnswers => store.kept_answers(account, store.now().await?, at_most).await,
        }
    }
}

/// One quota, of each account.
pub(crate) struct Quota {
    counted: Counted,
    most: u64,
    accounts: Mutex<HashMap<AccountId, Arc<RwLock<Count>>>>,
}

impl Quota {
    pub(crate) fn new(counted: Counted, most: u64) -> Self {
        Self { counted, most, accounts: Mutex::default() }
    }

    /// Takes one place. A call that holds one takes no other of the same account: a count waits for
    /// those who hold one, and those who come later for the count.
    pub(crate) async fn reserve(
        &self,
        store: &dyn Store,
        account: AccountId,
    ) -> Result<Reservation, Error> {
        let came = Instant::now();
        let known = self.known(account);
        loop {
            let count = Arc::clone(&known).read_owned().await;
            if count.admits(came, self.most) && count.take_place(self.most) {
                return Ok(Reservation(Some(count)));
            }
            if count.refuses(came, self.most) {
                return Err(Error::QuotaFull { what: self.counted.name(), most: self.most });
            }
            drop(count);
            // Waits until nobody is about to make what the count may see or not.
            let mut count = known.write().await;
            if !count.is_since(came) {
                let begun = Instant::now();
                let found = self.counted.count(store, account, self.most).await?;
                *count = Count {
                    used: AtomicU64::new(found.saturating_add(count.adrift.load(RELAXED))),
                    adrift: AtomicU64::new(0),
                    begun: Some(begun),
                    took: begun.elapsed(),
                };
            }
        }
    }

    fn known(&self, account: AccountId) -> Arc<RwLock<Count>> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= MOST_ACCOUNTS && !accounts.contains_key(&account) {
            // What is at work now is kept: those calls and this one must see the same count.
            accounts.retain(|_, count| Arc::strong_count(count) > 1);
        }
        Arc::clone(accounts.entry(account).or_default())
    }
}

/// A place that was taken. Dropped without [`Self::settle`] it stays taken until the next count but
/// one: whether the thing was made is not known.
#[derive(Debug)]
#[must_use = "a place is settled after the thing was made, or was not"]
pub(crate) struct Reservation(Option<OwnedRwLockReadGuard<Count>>);

impl Reservation {
    /// Keeps the place for what was `made`, or gives it back.
    pub(crate) fn settle(mut self, made: Result<bool, &Error>) {
        let is_known = !matches!(made, Err(Error::OutcomeUnknown(_)));
        match self.0.take_if(|_| is_known) {
            Some(count) if !matches!(made, Ok(true)) => drop(count.used.fetch_sub(1, RELAXED)),
            _ => {}
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(count) = &self.0 {
            count.adrift.fetch_add(1, RELAXED);
        }
    }
}

/// How many an account has, as far as this server knows.
#[derive(Debug, Default)]
struct Count {
    /// What was counted, and the places that were taken since.
    used: AtomicU64,
    /// Of those, the ones that may yet be made, or never: the next count need not see them.
    adrift: AtomicU64,
    /// When it was counted; `None`: never.
    begun: Option<Instant>,
    took: Duration,
}

impl Count {
    fn is_since(&self, came: Instant) -> bool {
        self.begun.is_some_and(|begun| begun >= came)
    }

    fn is_younger_than(&self, age: Duration) -> bool {
        self.begun.is_some_and(|begun| begun.elapsed() < age)
    }

    /// Whether more can be made by this count: for as long as all servers together would need to
    /// fill the room at [`FASTEST`].
    fn admits(&self, came: Instant, most: u64) -> bool {
        let room = most.saturating_sub(self.used.load(RELAXED));
        let filled_in = Duration::from_secs(room / FASTEST);
        self.is_since(came) || self.is_younger_than(filled_in.clamp(SOON, LATER))
    }

    /// Whether the account is full by this count. Who asks over and over has it counted for a tenth
    /// of the time at most.
    fn refuses(&self, came: Instant, most: u64) -> bool {
        let is_fresh = self.is_younger_than(self.took.saturating_mul(10).min(SOON));
        (self.is_since(came) || is_fresh) && self.used.load(RELAXED) >= most
    }

    fn take_place(&self, most: u64) -> bool {
        let more = |used: u64| if used < most { Some(used.saturating_add(1)) } else { None };
        self.used.try_update(RELAXED, RELAXED, more).is_ok()
    }
}

/// The lock around a count orders what matters.
const RELAXED: Ordering = Ordering::Relaxed;
/// Keys or tokens a second, more than all servers on a database make.
const FASTEST: u64 = 10_000;
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(60);
/// Some 200 bytes each.
const MOST_ACCOUNTS: usize = 10_000;
