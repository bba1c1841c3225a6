//! What became of transactions, and who waits for them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::store::figures::{StoreFigures, Tally};

/// The counts of one writer.
#[derive(Debug)]
pub(super) struct Counts {
    failures: AtomicU64,
    failed_last: AtomicBool,
    waiting: AtomicU64,
    batches: Tally,
    pub(super) writes: Tally,
    pub(super) spends: Tally,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            failures: AtomicU64::new(0),
            failed_last: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
            batches: Tally::of_sizes(),
            writes: Tally::of_times(),
            spends: Tally::of_times(),
        }
    }
}

impl Counts {
    /// A transaction with so many changes is durable; whether the one before it failed.
    pub(super) fn committed(&self, changes: usize) -> bool {
        self.batches.add(u64::try_from(changes).unwrap_or(u64::MAX));
        self.failed_last.swap(false, Ordering::Relaxed)
    }

    /// A transaction came to nothing, or may have; whether the one before it failed too.
    pub(super) fn failed(&self) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.failed_last.swap(true, Ordering::Relaxed)
    }

    pub(super) fn failed_last(&self) -> bool {
        self.failed_last.load(Ordering::Relaxed)
    }

    pub(super) fn commits(&self) -> u64 {
        self.batches.so_far().count()
    }

    pub(super) fn figures(&self) -> StoreFigures {
        StoreFigures {
            writes: self.writes.so_far(),
            spends: self.spends.so_far(),
            batches: self.batches.so_far(),
            failures: self.failures.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            ..StoreFigures::default()
        }
    }
}

/// One that waits for its answer, or until it gives up.
pub(super) struct Waiting<'a>(&'a Counts);

impl<'a> Waiting<'a> {
    pub(super) fn in_count(counts: &'a Counts) -> Self {
        counts.waiting.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
