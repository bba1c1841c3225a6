//! How many connections there may be at a time: in all, and from one address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::client::Source;

/// How many each has.
type Counts = Mutex<HashMap<Source, u32>>;

/// The places for connections.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    most: u32,
    of_source: Arc<Counts>,
    most_of_source: u32,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    counted: Option<(Source, Arc<Counts>)>,
}

impl Places {
    pub(crate) fn new(most: u32, most_of_source: u32) -> Self {
        let all = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        let all = Arc::new(Semaphore::new(all));
        Self { all, most, of_source: Arc::default(), most_of_source }
    }

    /// The next one that is free. Without one, those who connect wait in the system's queue.
    pub(crate) async fn next(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        Arc::clone(&self.all).acquire_owned().await
    }

    /// Gives it to a connection, which counts for `source` if there is one; `None`: that has as many
    /// as it may have.
    pub(crate) fn take(
        &self,
        permit: OwnedSemaphorePermit,
        source: Option<Source>,
    ) -> Option<Place> {
        let counted = match source {
            None => None,
            Some(source) => {
                let mut of_source = lock(&self.of_source);
                let count = of_source.entry(source).or_default();
                if *count >= self.most_of_source {
                    return None;
                }
                *count += 1;
                drop(of_source);
                Some((source, Arc::clone(&self.of_source)))
            }
        };
        Some(Place { _permit: permit, counted })
    }

    /// Waits until nobody has one.
    pub(crate) async fn all_free(&self) {
        let _ = self.all.acquire_many(self.most).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((source, of_source)) = &self.counted else { return };
        let mut of_source = lock(of_source);
        if let Some(count) = of_source.get_mut(source) {
            *count -= 1;
            if *count == 0 {
                of_source.remove(source);
            }
        }
    }
}

fn lock(map: &Counts) -> MutexGuard<'_, HashMap<Source, u32>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    #[tokio::test]
    async fn an_address_has_some_of_the_places_and_leaves_the_others() {
        let places = Places::new(5, 2);
        let source = |n| Some(Source::from(IpAddr::from([192, 0, 2, n])));
        let take = async |source| places.take(places.next().await.unwrap(), source);
        let first = take(source(1)).await.unwrap();
        let second = take(source(1)).await.unwrap();
        assert!(take(source(1)).await.is_none());
        let other = take(source(2)).await.unwrap();
        // One who is not counted: a proxy.
        let (_one, _two) = (take(None).await.unwrap(), take(None).await.unwrap());
        assert_eq!(places.all.available_permits(), 0);
        drop((first, other));
        assert!(take(source(1)).await.is_some());
        drop(second);
        assert!(lock(&places.of_source).is_empty(), "nothing is kept of those who went");
    }
}
