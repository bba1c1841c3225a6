//! How much the accounts do: every admitted call, by account, day, token and operation.
//!
//! Calls are counted in memory and added to the store every second and at the end of the server,
//! beside the calls: a server that is killed loses the counts of a second at most. That is so also
//! of calls that change nothing, of which the audit log need not tell. `counter.rs` counts calls and
//! `key_uses.rs` the uses of stored keys; here is what is asked and answered.

mod counter;
mod key_uses;
mod readers;

use std::fmt;
use std::str::FromStr;

pub(crate) use counter::Counter;
pub(crate) use key_uses::KeyUses;
pub(crate) use readers::Readers;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use pqc_core::{AccountId, KeyId, Timestamp, TokenId};
use serde::Serialize;

use crate::error::Error;
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

/// How often a stored key came to be used since the store was last told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Whose key.
    pub account: AccountId,
    /// The key.
    pub key: KeyId,
    /// How often.
    pub uses: u64,
    /// When last.
    pub last_used_at: Timestamp,
}

/// Tells apart the processes that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterId(pub [u8; 16]);

impl Service {
    /// A page of what an account did, in the order of groups and operations, after `after`. What
    /// was done in the last second may not be in it yet, on this server and on others.
    ///
    /// # Errors
    /// [`Error::Busy`]: too many wait to read it. Those of the store.
    pub async fn usage(
        &self,
        query: &UsageQuery,
        after: Option<&UsagePlace>,
        limit: u32,
    ) -> Result<Vec<UsageSum>, Error> {
        let waiting = self.readers.wait(query.account)?;
        let _alone = waiting.turn().await;
        self.store.usage(query, after, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
