//! How many calls may be at work at a time. What comes over that is refused at once: in a queue it
//! would wait until nobody wants its answer any more, and make all that follow wait too.
//!
//! A call is at work from the look for its token until its answer is ready, but not while its body
//! arrives, so that slow clients take no place; those are bounded by connections and their streams.
//! Whatever else waits behind it (for the store's readers and its writer) waits in a queue no longer
//! than this; but a signature or a long text that is begun aside is ended there though its client left.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::{Attempt, Problem, Unavailable};

/// The places for calls at work.
#[derive(Debug, Clone)]
pub(crate) struct Calls(Arc<Semaphore>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct AtWork(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Calls {
    pub(crate) fn new(most: u32) -> Self {
        let most = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
    }

    /// A place, if one is free now. Without one nothing was done, and no attempt is spent.
    pub(crate) fn begin(&self) -> Result<AtWork, Problem> {
        match Arc::clone(&self.0).try_acquire_owned() {
            Ok(permit) => Ok(AtWork(permit)),
            Err(_) => {
                Err(Problem::Unavailable { reason: Unavailable::Calls, attempt: Attempt::Kept })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_its_call_is_over() {
        let calls = Calls::new(2);
        let (first, _second) = (calls.begin().unwrap(), calls.begin().unwrap());
        let refused = calls.begin().unwrap_err();
        assert_eq!(refused.status(), http::StatusCode::SERVICE_UNAVAILABLE);
        drop(first);
        assert!(calls.begin().is_ok());
    }
}
