//! How much the accounts do: every admitted call, by account, day, token and operation.
//!
//! Calls are counted in memory and added to the store every second and at the end of the server,
//! beside the calls: a server that is killed loses the counts of a second at most. That is so also
//! of calls that change nothing, of which the audit log need not tell.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use pqc_core::{AccountId, Timestamp, TokenId};
use serde::Serialize;

use crate::authorize::Admitted;
use crate::error::Error;
use crate::host::Host;
use crate::service::Service;

/// A day in UTC; its text is as `2026-11-29`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day of this time.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        Self(time.to_zoned(TimeZone::UTC).date())
    }

    /// The first day of its month.
    #[must_use]
    pub fn first_of_month(self) -> Self {
        Self(self.0.first_of_month())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // The calendar's own parser takes more forms, times among them.
        let date =
            text.parse::<Date>().ok().filter(|date| text.len() == 10 && date.to_string() == text);
        date.map(Self).ok_or(Error::BadName { what: "day", expected: "a date as 2026-11-29" })
    }
}

/// What usage is added up by, beside the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageBy {
    /// By day.
    Day,
    /// By month, as `2026-11`.
    Month,
    /// By token.
    Token,
    /// By the labels of tokens; those without one together.
    Label,
}

impl UsageBy {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Day, Self::Month, Self::Token, Self::Label];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Token => "token",
            Self::Label => "label",
        }
    }

    /// The one with this name.
    ///
    /// # Errors
    /// [`Error::BadName`].
    pub fn from_name(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|by| by.name() == name);
        found.ok_or(Error::BadName { what: "grouping", expected: "day, month, token or label" })
    }
}

/// Which usage is asked for: of an account, from day to day, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageQuery {
    /// Whose.
    pub account: AccountId,
    /// From this day on.
    pub from: Day,
    /// To the end of this one.
    pub to: Day,
    /// How it is added up.
    pub by: UsageBy,
}

/// A sum: how often something was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSum {
    /// The day, the month or the label (empty: of tokens without one); empty of a token.
    pub group: String,
    /// The token, if they are told apart.
    pub token: Option<TokenId>,
    /// The label of that token.
    pub label: Option<String>,
    /// What was done.
    pub operation: String,
    /// How often it was begun.
    pub calls: u64,
    /// How often of these it failed.
    pub failed: u64,
}

/// A sum as people and programs get it: one of `day`, `month`, `token_id` and `label` says of what,
/// where there is a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsageText<'a> {
    /// The day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<&'a str>,
    /// The month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<&'a str>,
    /// The token, in hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<String>,
    /// The label, of that token or of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<&'a str>,
    /// As [`UsageSum::operation`].
    pub operation: &'a str,
    /// As [`UsageSum::calls`].
    pub calls: u64,
    /// As [`UsageSum::failed`].
    pub failed: u64,
}

impl<'a> UsageText<'a> {
    /// Of a sum that was added up so.
    #[must_use]
    pub fn new(by: UsageBy, sum: &'a UsageSum) -> Self {
        let group = |of| (by == of && !sum.group.is_empty()).then_some(&*sum.group);
        Self {
            day: group(UsageBy::Day),
            month: group(UsageBy::Month),
            token_id: sum.token.map(|token| token.to_string()),
            label: group(UsageBy::Label).or(sum.label.as_deref()),
            operation: &sum.operation,
            calls: sum.calls,
            failed: sum.failed,
        }
    }
}

/// Where a page ends: the sums are in the order of their groups and operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePlace {
    /// Of [`UsageSum`].
    pub group: String,
    /// Of [`UsageSum`].
    pub token: Option<TokenId>,
    /// Of [`UsageSum`].
    pub operation: String,
}

impl From<&UsageSum> for UsagePlace {
    fn from(sum: &UsageSum) -> Self {
        let UsageSum { group, token, operation, .. } = sum.clone();
        Self { group, token, operation }
    }
}

/// What came to be counted of a token's day since the store was last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageCount {
    /// Whose token.
    pub account: AccountId,
    /// The day.
    pub day: Day,
    /// The token.
    pub token: TokenId,
    /// What its owner calls it.
    pub label: Option<String>,
    /// What it did.
    pub operation: &'static str,
    /// How often.
    pub calls: u64,
    /// How often of these it failed.
    pub failed: u64,
}

/// Tells apart the processes that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterId(pub [u8; 16]);

/// The counts of this process that are not in the store yet.
#[derive(Debug)]
pub(crate) struct Counter {
    id: CounterId,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    by_token: HashMap<Counted, Tally>,
    /// For which there was no room.
    lost: u64,
}

type Counted = (AccountId, Day, TokenId, &'static str);

#[derive(Debug, Default)]
struct Tally {
    label: Option<String>,
    calls: u64,
    failed: u64,
}

impl Counter {
    pub(crate) fn new(host: &dyn Host) -> Result<Self, Error> {
        let mut id = [0; 16];
        host.fill_random(&mut id).map_err(|e| Error::Unavailable(e.to_string()))?;
        Ok(Self { id: CounterId(id), counts: Mutex::default() })
    }

    pub(crate) fn call(&self, by: &Admitted, label: Option<&str>) {
        self.add(by, |tally| {
            tally.calls = tally.calls.saturating_add(1);
            if tally.label.is_none() {
                tally.label = label.map(str::to_owned);
            }
        });
    }

    pub(crate) fn failure(&self, by: &Admitted) {
        self.add(by, |tally| tally.failed = tally.failed.saturating_add(1));
    }

    fn add(&self, by: &Admitted, count: impl FnOnce(&mut Tally)) {
        let key = (by.account_id(), Day::of(by.now()), by.token_id(), by.operation());
        self.add_to(key, 1, count);
    }

    fn add_to(&self, key: Counted, calls: u64, count: impl FnOnce(&mut Tally)) {
        let mut counts = self.lock();
        // A store that takes no counts must not fill the memory.
        if counts.by_token.len() >= MOST_WAITING && !counts.by_token.contains_key(&key) {
            counts.lost = counts.lost.saturating_add(calls);
            return;
        }
        count(counts.by_token.entry(key).or_default());
    }

    fn take(&self) -> Vec<UsageCount> {
        let Counts { by_token, lost } = std::mem::take(&mut *self.lock());
        if lost > 0 {
            tracing::warn!(lost, "calls were not counted in the usage: the store took no counts");
        }
        let counts = by_token.into_iter().map(|((account, day, token, operation), tally)| {
            let Tally { label, calls, failed } = tally;
            UsageCount { account, day, token, label, operation, calls, failed }
        });
        counts.collect()
    }

    /// Those that the store did not take.
    fn put_back(&self, counts: Vec<UsageCount>) {
        for UsageCount { account, day, token, label, operation, calls, failed } in counts {
            self.add_to((account, day, token, operation), calls, |tally| {
                tally.calls = tally.calls.saturating_add(calls);
                tally.failed = tally.failed.saturating_add(failed);
                tally.label = tally.label.take().or(label);
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// A page of what an account did, in the order of groups and operations, after `after`. What
    /// was done in the last second may not be in it yet, on this server and on others.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn usage(
        &self,
        query: &UsageQuery,
        after: Option<&UsagePlace>,
        limit: u32,
    ) -> Result<Vec<UsageSum>, Error> {
        // One at a time: it may look at many rows, and those who call for other things need the store.
        let _alone = self.usage_turn.lock().await;
        self.store.usage(query, after, limit).await
    }

    /// Adds what was counted to the store, every second for as long as it is polled. Failures are
    /// logged when they begin, and tried again.
    pub async fn keep_usage(&self) -> Infallible {
        let mut fails = false;
        loop {
            tokio::time::sleep(ADD_EVERY).await;
            match self.add_usage().await {
                Ok(()) => fails = false,
                Err(error) if !std::mem::replace(&mut fails, true) => {
                    tracing::warn!(%error, "usage can't be added up now; it is tried again");
                }
                Err(_) => {}
            }
        }
    }

    /// Adds what was counted to the store; also to be called once no call is under way any more.
    ///
    /// # Errors
    /// Those of the store. Counts of which it is not known whether they were added are not added
    /// again.
    pub async fn add_usage(&self) -> Result<(), Error> {
        let mut counts = self.counter.take();
        while !counts.is_empty() {
            let rest = counts.split_off(counts.len().min(MOST_AT_ONCE));
            match self.store.add_usage(self.counter.id, &counts).await {
                Ok(()) => {}
                Err(error @ Error::OutcomeUnknown(_)) => {
                    self.counter.put_back(rest);
                    return Err(error);
                }
                Err(error) => {
                    self.counter.put_back(counts);
                    self.counter.put_back(rest);
                    return Err(error);
                }
            }
            counts = rest;
        }
        Ok(())
    }
}

const ADD_EVERY: Duration = Duration::from_secs(1);
/// Few enough that the changes which wait beside them do not wait long.
const MOST_AT_ONCE: usize = 512;
/// Some 20 MiB.
const MOST_WAITING: usize = 100_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pqc_core::Secret;
    use pqc_core::token::Demand;

    use super::*;
    use crate::audit::{Use, WrittenDown};
    use crate::{By, Custody, Settings, SqliteStore, System};

    #[tokio::test]
    async fn what_a_store_did_not_take_is_counted_on() {
        let folder = tempfile::tempdir().unwrap();
        let (path, host) = (folder.path().join("store"), Arc::new(System));
        let store = Arc::new(SqliteStore::open(&path, host.clone()).await.unwrap());
        let key = Secret::from([7; 32]);
        let service = Service::open(store, host, key, Settings::default()).await.unwrap();
        let pending = service.prepare_account("a", Custody::Server).await.unwrap();
        let root = service.create_account(&By::OPERATOR, pending).await.unwrap();
        let usage = Use::new("verify", WrittenDown::IfAll);
        let call = async || {
            let caller = service.authenticate(&root.expose_text()).await.unwrap();
            service.spend(caller.authorize(Demand::Root).unwrap(), usage.clone()).await.unwrap()
        };
        let counted = |counts: Vec<UsageCount>| {
            counts.iter().map(|count| (count.calls, count.failed)).collect::<Vec<_>>()
        };

        let admitted = call().await;
        service.add_usage().await.unwrap();
        assert_eq!(counted(service.counter.take()), []);
        call().await;
        service.note_failure(&admitted, "failed".to_owned(), None).await;
        call().await;
        service.store.close().await;
        let refused = service.add_usage().await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        service.counter.call(&admitted, None);
        assert_eq!(counted(service.counter.take()), [(3, 1)]);
    }

    #[tokio::test]
    async fn counts_do_not_fill_the_memory() {
        let counter = Counter::new(&System).unwrap();
        let count = |number: u32| {
            let mut id = [0; 16];
            id[12..].copy_from_slice(&number.to_be_bytes());
            let (account, day) = (AccountId::from_bytes(id), Day::of(Timestamp::from_millis(0)));
            counter.add_to((account, day, TokenId::from_bytes([0; 16]), "sign"), 1, |tally| {
                tally.calls += 1;
            });
        };
        (0..100_010).for_each(count);
        count(7);
        assert_eq!(counter.lock().by_token.len(), 100_000);
        assert_eq!(counter.lock().lost, 10);
        let counts = counter.take();
        assert_eq!(counts.iter().map(|count| count.calls).sum::<u64>(), 100_001);
        assert_eq!(counter.lock().lost, 0);
        // Nor do those that come back.
        (200_000..200_100).for_each(count);
        counter.put_back(counts);
        assert_eq!(counter.lock().by_token.len(), 100_000);
        assert!((100..=101).contains(&counter.lock().lost), "{}", counter.lock().lost);
    }

    #[test]
    fn a_day_is_that_of_utc() {
        let day = |millis| Day::of(Timestamp::from_millis(millis)).to_string();
        assert_eq!(day(0), "1970-01-01");
        assert_eq!(day(1_709_251_199_999), "2024-02-29");
        assert_eq!(day(1_709_251_200_000), "2024-03-01");
        assert_eq!(day(u64::MAX), "9999-12-30");
        let leap: Day = "2024-02-29".parse().unwrap();
        assert_eq!(leap.first_of_month().to_string(), "2024-02-01");
    }

    #[test]
    fn a_day_has_one_text() {
        for text in ["2026-11-29", "0001-01-01", "9999-12-31"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "2026-11",
            "2026-11-31",
            "20261129",
            "2026-1-1",
            "2026-11-29T00:00:00",
            " 2026-11-29",
            "-000001-01-01",
            "+2026-11-29",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
