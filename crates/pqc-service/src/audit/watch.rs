//! The whole log, gone through again by the server itself, for who looks whether it is sound.
//!
//! That reads every row, so it is done in the background, one at a time, and no more often than it
//! takes the server a small part of its time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pqc_core::Timestamp;
use pqc_core::audit::{Report, Verifier};
use tokio::time::timeout;

use super::log::LogPart;
use crate::error::Error;
use crate::service::Service;

/// What was found when the log was last gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// When that began.
    pub at: Timestamp,
    /// What was found.
    pub report: Report,
}

/// What this server found.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    last: Mutex<Option<Seen>>,
    /// Held by who goes through the log.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug)]
struct Seen {
    /// `None`: nothing yet, for the store failed.
    state: Option<LogState>,
    ended: Instant,
    took: Duration,
}

impl Watch {
    fn state(&self) -> Option<LogState> {
        self.with_last(|last| last.as_ref()?.state.clone())
    }

    fn is_due(&self) -> bool {
        self.with_last(|last| match last {
            None => true,
            Some(Seen { ended, took, .. }) => {
                ended.elapsed() > took.saturating_mul(PAUSES).max(SHORTEST_PAUSE)
            }
        })
    }

    fn with_last<T>(&self, look: impl FnOnce(&mut Option<Seen>) -> T) -> T {
        look(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Service {
    /// What was found when the whole log was last gone through. If that was some time ago, it is done
    /// again in the background; what comes of it within `patience` is told. `None`: it was not done
    /// yet, or the store failed.
    pub async fn log_state(self: &Arc<Self>, patience: Duration) -> Option<LogState> {
        if self.watch.is_due()
            && let Ok(turn) = Arc::clone(&self.watch.turn).try_lock_owned()
        {
            let service = Arc::clone(self);
            let gone_through = tokio::spawn(async move {
                service.look_through().await;
                drop(turn);
            });
            // It goes on without us.
            let _ = timeout(patience, gone_through).await;
        }
        self.watch.state()
    }

    async fn look_through(&self) {
        let began = Instant::now();
        let found = self.verify_log().await;
        if let Err(error) = &found {
            tracing::warn!(%error, "the audit log can't be gone through now");
        }
        for finding in found.iter().flat_map(|state| &state.report.findings) {
            tracing::error!(%finding, "the audit log is not whole");
        }
        let (ended, took) = (Instant::now(), began.elapsed());
        self.watch.with_last(|last| {
            let before = last.take().and_then(|seen| seen.state);
            *last = Some(Seen { state: found.ok().or(before), ended, took });
        });
    }

    async fn verify_log(&self) -> Result<LogState, Error> {
        let at = self.store.now().await?;
        let mut verifier = Verifier::new(self.checkpoint_keys().await?);
        let verify = |part: LogPart<'_>| {
            match part {
                LogPart::Checkpoint(checkpoint) => verifier.checkpoint(checkpoint),
                LogPart::Row(place, entry) => verifier.row(place, entry),
            }
            Ok(())
        };
        self.go_through_log(verify).await?;
        Ok(LogState { at, report: verifier.finish() })
    }
}

const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
/// How many times longer it is left alone than it took.
const PAUSES: u32 = 20;
