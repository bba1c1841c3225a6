//! The counts in memory, and how they come into the store.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pqc_core::{AccountId, TokenId};
use tokio::time::timeout;

use super::{CounterId, Day, UsageCount};
use crate::authorize::Admitted;
use crate::error::Error;
use crate::host::Host;
use crate::service::Service;

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

    pub(crate) fn call(&self, by: &Admitted) {
        self.add(by, |tally| tally.calls = tally.calls.saturating_add(1));
    }

    pub(crate) fn failure(&self, by: &Admitted) {
        self.add(by, |tally| tally.failed = tally.failed.saturating_add(1));
    }

    fn add(&self, by: &Admitted, count: impl FnOnce(&mut Tally)) {
        // That one was counted when it was admitted first.
        if by.is_taken_over {
            return;
        }
        let key = (by.account_id(), Day::of(by.now()), by.token_id(), by.operation());
        self.add_to(key, 1, |tally| {
            count(tally);
            if tally.label.is_none() {
                tally.label.clone_from(&by.label);
            }
        });
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

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// Adds what was counted to the store, every second until `stop`; what is under way then is
    /// ended, for who drops it loses its counts. Failures are logged when they begin, and tried again.
    pub async fn keep_usage(&self, stop: impl Future<Output = ()>) {
        let (mut stop, mut fails) = (pin!(stop), false);
        while timeout(ADD_EVERY, &mut stop).await.is_err() {
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
        let (calls, uses) = (self.add_calls().await, self.add_key_uses().await);
        calls.and(uses)
    }

    async fn add_calls(&self) -> Result<(), Error> {
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

    use pqc_core::token::Demand;
    use pqc_core::{Secret, Timestamp};

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
        service.counter.call(&admitted);
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
}
