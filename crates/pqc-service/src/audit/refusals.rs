//! Refused tokens, counted by reason: a row for each would be a way to fill the disk.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use pqc_core::token::Refusal;

use super::Event;

/// How many were refused since they were last written down.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    missing: AtomicU64,
    unknown: AtomicU64,
    expired: AtomicU64,
    spent: AtomicU64,
    revoked: AtomicU64,
    disabled: AtomicU64,
    out_of_scope: AtomicU64,
}

impl Refusals {
    /// One more call without a token.
    pub(crate) fn missing(&self) {
        self.missing.fetch_add(1, Ordering::Relaxed);
    }

    /// One more call that its living token does not allow.
    pub(crate) fn out_of_scope(&self) {
        self.out_of_scope.fetch_add(1, Ordering::Relaxed);
    }

    /// One more that was refused for this reason.
    pub(crate) fn count(&self, why: Refusal) {
        let counter = match why {
            Refusal::Expired => &self.expired,
            Refusal::Spent => &self.spent,
            Refusal::Revoked => &self.revoked,
            Refusal::AccountDisabled => &self.disabled,
            _ => &self.unknown,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All that were counted, which are then forgotten.
    pub(crate) fn take(&self) -> Counted {
        Counted(self.counters().map(|counter| counter.swap(0, Ordering::Relaxed)))
    }

    /// Counts again what could not be written down.
    pub(crate) fn put_back(&self, Counted(counts): &Counted) {
        for (counter, count) in self.counters().into_iter().zip(counts) {
            counter.fetch_add(*count, Ordering::Relaxed);
        }
    }

    /// In the order of [`REASONS`].
    fn counters(&self) -> [&AtomicU64; REASONS.len()] {
        let Self { missing, unknown, expired, spent, revoked, disabled, out_of_scope } = self;
        [missing, unknown, expired, spent, revoked, disabled, out_of_scope]
    }
}

/// How many were refused, by reason.
#[derive(Debug)]
pub(crate) struct Counted([u64; REASONS.len()]);

impl Counted {
    /// What is written down of it; `None`: there were none.
    pub(crate) fn event(&self) -> Option<Event> {
        let mut said = String::new();
        for (reason, count) in REASONS.iter().zip(self.0).filter(|(_, count)| *count > 0) {
            let comma = if said.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(said, "{comma}{reason} {count}");
        }
        let event = Event { outcome: "refused".into(), ..Event::done("token.use") };
        (!said.is_empty()).then(|| event.saying(said))
    }
}

const REASONS: [&str; 7] =
    ["no token", "unknown", "expired", "spent", "revoked", "account disabled", "out of scope"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_down_is_counted_on() {
        let refusals = Refusals::default();
        assert!(refusals.take().event().is_none());
        refusals.missing();
        refusals.count(Refusal::Spent);
        let counts = refusals.take();
        let said = |counts: &Counted| counts.event().unwrap().detail.unwrap();
        assert_eq!(said(&counts), "no token 1, spent 1");
        refusals.count(Refusal::Spent);
        refusals.out_of_scope();
        refusals.put_back(&counts);
        assert_eq!(said(&refusals.take()), "no token 1, spent 2, out of scope 1");
        assert!(refusals.take().event().is_none());
    }
}
