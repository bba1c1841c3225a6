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
}

impl Refusals {
    /// One more call without a token.
    pub(crate) fn missing(&self) {
        self.missing.fetch_add(1, Ordering::Relaxed);
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

    /// All that were counted, which are then forgotten; `None`: there were none.
    pub(crate) fn take(&self) -> Option<Event> {
        let mut said = String::new();
        for (reason, counter) in [
            ("no token", &self.missing),
            ("unknown", &self.unknown),
            ("expired", &self.expired),
            ("spent", &self.spent),
            ("revoked", &self.revoked),
            ("account disabled", &self.disabled),
        ] {
            let count = counter.swap(0, Ordering::Relaxed);
            if count > 0 {
                let comma = if said.is_empty() { "" } else { ", " };
                // Writing to a string does not fail.
                let _ = write!(said, "{comma}{reason} {count}");
            }
        }
        let event = Event { outcome: "refused".into(), ..Event::done("token.use") };
        (!said.is_empty()).then(|| event.saying(said))
    }
}
