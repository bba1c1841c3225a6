//! What a store counts of its own work: plain numbers, for whoever shows them.
//!
//! [`super::Store::figures`] is the door. Nothing here decides anything, and nothing waits for it.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::sql::{Arg, Reads};
use super::writer::Failure;

/// What a store did since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// How long a statement that reads took, in microseconds.
    pub reads: Distribution,
    /// How long a change took from its request to its durable commit, in microseconds.
    pub writes: Distribution,
    /// As [`Self::writes`], of the uses of tokens.
    pub spends: Distribution,
    /// How many changes and uses a committed transaction had.
    pub batches: Distribution,
    /// Transactions that came to nothing, or may have.
    pub failures: u64,
    /// Changes and uses that are asked for and not answered now.
    pub waiting: u64,
}

/// How many values there were, by their size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Upper bounds that grow; a value that equals one is within it.
    pub bounds: &'static [u64],
    /// How many values lay within each bound and beyond the one before; the last, beyond them all.
    pub counts: Vec<u64>,
    /// The sum of all values.
    pub sum: u64,
}

impl Distribution {
    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// A distribution that grows.
#[derive(Debug)]
pub(super) struct Tally {
    bounds: &'static [u64],
    counts: Vec<AtomicU64>,
    sum: AtomicU64,
}

impl Tally {
    /// Of times in microseconds.
    pub(super) fn of_times() -> Self {
        Self::new(&MICROS)
    }

    /// Of the sizes of transactions.
    pub(super) fn of_sizes() -> Self {
        Self::new(&SIZES)
    }

    fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, counts, sum: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, value: u64) {
        let place = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Adds the time that `work` takes, however it ends.
    pub(super) async fn time<T>(&self, work: impl Future<Output = T>) -> T {
        let started = Instant::now();
        let done = work.await;
        self.add(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        done
    }

    pub(super) fn so_far(&self) -> Distribution {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Distribution { bounds: self.bounds, counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// Connections that read, with the time that each statement takes.
#[derive(Debug)]
pub(super) struct Timed<R> {
    readers: R,
    times: Tally,
}

impl<R> Timed<R> {
    pub(super) fn new(readers: R) -> Self {
        Self { readers, times: Tally::of_times() }
    }

    /// The connections themselves.
    pub(super) fn inner(&self) -> &R {
        &self.readers
    }

    pub(super) fn times(&self) -> Distribution {
        self.times.so_far()
    }
}

impl<R: Reads> Reads for Timed<R> {
    type Row = R::Row;

    async fn fetch(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<R::Row>, Failure> {
        self.times.time(self.readers.fetch(sql, args)).await
    }

    async fn fetch_few(&self, sql: &'static str, args: &[Arg<'_>]) -> Result<Vec<R::Row>, Failure> {
        self.times.time(self.readers.fetch_few(sql, args)).await
    }

    async fn close(&self) {
        self.readers.close().await;
    }
}

/// From a read out of memory to a disk that is about to be given up.
const MICROS: [u64; 14] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000,
    5_000_000,
];
/// A transaction without a change commits the time alone.
const SIZES: [u64; 11] = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_once_within_its_bound() {
        let tally = Tally::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, u64::from(u32::MAX)] {
            tally.add(value);
        }
        let so_far = tally.so_far();
        assert_eq!(so_far.counts, [2, 2, 2]);
        assert_eq!((so_far.count(), so_far.sum), (6, 24 + u64::from(u32::MAX)));
        assert_eq!(so_far.bounds, [1, 10]);
    }

    #[test]
    fn bounds_grow() {
        assert!(MICROS.is_sorted() && SIZES.is_sorted());
    }
}
