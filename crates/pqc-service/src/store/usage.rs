//! What was counted, added to two tables: by token, and by day without tokens.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::bulk::Insert;
use super::sql::{Arg, Writes, bytes, integer, text};
use super::writer::Failure;
use crate::usage::{CounterId, UsageCount};

/// Adds the counts to both.
pub(super) async fn add(
    db: &mut impl Writes,
    counter: CounterId,
    counts: &[UsageCount],
) -> Result<u64, Failure> {
    let mut by_token = Vec::with_capacity(counts.len());
    let mut by_day = BTreeMap::new();
    for count in counts {
        let UsageCount { account, operation, label, calls, failed, .. } = count;
        let (day, label) = (count.day.to_string(), label.as_deref());
        let group = (account.as_bytes(), day.clone(), *operation, label.unwrap_or_default());
        let sum: &mut (u64, u64) = by_day.entry(group).or_default();
        *sum = (sum.0.saturating_add(*calls), sum.1.saturating_add(*failed));
        let (account, token) = (account.as_bytes(), count.token.as_bytes());
        let (calls, failed) = (*calls, *failed);
        by_token.push(OfToken { counter, account, token, day, operation, label, calls, failed });
    }
    let of_day = |((account, day, operation, label), (calls, failed))| OfDay {
        counter,
        account,
        day,
        operation,
        label,
        calls,
        failed,
    };
    let by_day: Vec<_> = by_day.into_iter().map(of_day).collect();
    BY_DAY.rows(db, &by_day, OfDay::values).await?;
    BY_TOKEN.rows(db, &by_token, OfToken::values).await
}

/// Fills the table by day from that by token.
pub(super) async fn fill_days(db: &mut impl Writes) -> Result<(), Failure> {
    let sql = "INSERT INTO usage_days (account, day, operation, label, counter, calls, failed) \
         SELECT account, day, operation, coalesce(label, ''), counter, \
         CAST(sum(calls) AS BIGINT), CAST(sum(failed) AS BIGINT) FROM usage \
         GROUP BY account, day, operation, coalesce(label, ''), counter";
    db.execute(sql, &[]).await.map(drop)
}

struct OfToken<'a> {
    counter: CounterId,
    account: &'a [u8; 16],
    token: &'a [u8; 16],
    day: String,
    operation: &'static str,
    label: Option<&'a str>,
    calls: u64,
    failed: u64,
}

impl OfToken<'_> {
    fn values(&self) -> Vec<Arg<'_>> {
        vec![
            bytes(self.account),
            text(&self.day),
            bytes(self.token),
            text(self.operation),
            bytes(&self.counter.0),
            Arg::Text(self.label),
            number(self.calls),
            number(self.failed),
        ]
    }
}

struct OfDay<'a> {
    counter: CounterId,
    account: &'a [u8; 16],
    day: String,
    operation: &'static str,
    label: &'a str,
    calls: u64,
    failed: u64,
}

impl OfDay<'_> {
    fn values(&self) -> Vec<Arg<'_>> {
        vec![
            bytes(self.account),
            text(&self.day),
            text(self.operation),
            text(self.label),
            bytes(&self.counter.0),
            number(self.calls),
            number(self.failed),
        ]
    }
}

fn number(count: u64) -> Arg<'static> {
    integer(i64::try_from(count).unwrap_or(i64::MAX))
}

static BY_TOKEN: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO usage (account, day, token, operation, counter, label, calls, failed)",
        8,
        "ON CONFLICT (account, token, operation, day, counter) DO UPDATE \
         SET calls = usage.calls + excluded.calls, failed = usage.failed + excluded.failed, \
         label = coalesce(usage.label, excluded.label)",
    )
});

static BY_DAY: LazyLock<Insert> = LazyLock::new(|| {
    Insert::new(
        "INSERT INTO usage_days (account, day, operation, label, counter, calls, failed)",
        7,
        "ON CONFLICT (account, day, operation, label, counter) DO UPDATE \
         SET calls = usage_days.calls + excluded.calls, \
         failed = usage_days.failed + excluded.failed",
    )
});
