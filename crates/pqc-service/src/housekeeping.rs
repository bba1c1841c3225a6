//! What is done beside the calls, so that no call pays for what is over: rows of no more use are
//! removed, a few at a time, and opened keys that nobody uses are forgotten.
//!
//! Every server on a store does it; what one is at, the others leave to it.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use pqc_core::Timestamp;

use crate::audit::By;
use crate::error::Error;
use crate::service::Service;

/// What a round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// How many tokens were removed.
    pub tokens_removed: u64,
    /// How many destroyed keys were removed.
    pub keys_removed: u64,
    /// How many kept answers were removed.
    pub answers_removed: u64,
    /// How many sessions were removed.
    pub sessions_removed: u64,
    /// Whether nothing was left to do.
    pub is_done: bool,
}

impl Service {
    /// One round: removes some of the tokens that ended more than 60 seconds ago (until then, the
    /// use of a spent token can be told from that of an unknown one), as many as 100,000, some of
    /// the destroyed keys whose grace is over, some of the answers that are kept no longer, and some
    /// of the sessions whose time is over.
    ///
    /// # Errors
    /// Those of the store. What was removed by then is removed.
    pub async fn housekeeping_step(&self) -> Result<Round, Error> {
        let (tokens_removed, no_token_is_left) = self.remove_ended_tokens().await?;
        let keys_removed = self.purge_destroyed_keys(BATCH).await?.keys;
        let answers_removed = self.remove_ended_answers().await?;
        let now = self.store.now().await?;
        let sessions_removed = self.store.remove_ended_sessions(&By::SERVER, now, BATCH).await?;
        let is_done = no_token_is_left
            && [keys_removed, answers_removed, sessions_removed]
                .iter()
                .all(|removed| *removed < u64::from(BATCH));
        Ok(Round { tokens_removed, keys_removed, answers_removed, sessions_removed, is_done })
    }

    /// Calls that began just before have the time to end.
    async fn remove_ended_answers(&self) -> Result<u64, Error> {
        let ended = self.store.now().await?.millis().saturating_sub(TOKENS_KEPT_MILLIS);
        let before = Timestamp::from_millis(ended);
        self.store.remove_ended_answers(&By::SERVER, before, BATCH).await
    }

    /// How many, and whether no more are left.
    async fn remove_ended_tokens(&self) -> Result<(u64, bool), Error> {
        let kept_since = self.store.now().await?.millis().saturating_sub(TOKENS_KEPT_MILLIS);
        let before = Timestamp::from_millis(kept_since);
        let mut tokens_removed = 0_u64;
        let accounts = self.store.accounts_with_ended_tokens(before, MOST_ACCOUNTS).await?;
        let is_all = accounts.len() < MOST_ACCOUNTS as usize;
        for account in accounts {
            loop {
                let begun = Instant::now();
                let removed =
                    self.store.remove_ended_tokens(&By::SERVER, account, before, BATCH).await?;
                tokens_removed = tokens_removed.saturating_add(removed);
                if tokens_removed >= MOST_TOKENS {
                    return Ok((tokens_removed, false));
                }
                // Fewer than there was room for: no more are left, or another server has them.
                if removed < u64::from(BATCH) {
                    break;
                }
                // Calls have the store for as long as this had it.
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
        // Where other servers have all that is left, it is theirs.
        Ok((tokens_removed, is_all || tokens_removed == 0))
    }

    /// Round after round, for as long as it is polled: a server runs it beside its calls. Failures
    /// are logged when they begin, and tried again.
    pub async fn keep_house(&self) -> Infallible {
        let mut fails = false;
        loop {
            tokio::time::sleep(self.pause()).await;
            while let Some(round) = self.try_round(&mut fails).await {
                if round.is_done {
                    break;
                }
            }
        }
    }

    async fn try_round(&self, fails: &mut bool) -> Option<Round> {
        // Needs no store, so that one that fails keeps no key here.
        self.key_cache.forget_unused();
        match self.housekeeping_step().await {
            Ok(round) => {
                let (tokens, keys) = (round.tokens_removed, round.keys_removed);
                let (answers, sessions) = (round.answers_removed, round.sessions_removed);
                if [tokens, keys, answers, sessions].iter().any(|removed| *removed > 0) {
                    tracing::debug!(tokens, keys, answers, sessions, "removed what ended");
                }
                *fails = false;
                Some(round)
            }
            Err(error) => {
                if !std::mem::replace(fails, true) {
                    tracing::warn!(%error, "what ended cannot be removed now; it is tried again");
                }
                None
            }
        }
    }

    /// Three to seven seconds: servers that started together do not stay together.
    fn pause(&self) -> Duration {
        let mut random = [0; 2];
        // Where there is no randomness, there is nothing that the pause could give away.
        let _ = self.host.fill_random(&mut random);
        SHORTEST_PAUSE + Duration::from_millis(u64::from(u16::from_le_bytes(random)) / 16)
    }
}

/// How long a token's row outlives its token.
const TOKENS_KEPT_MILLIS: u64 = 60_000;
/// Few enough that the changes which wait beside them do not wait long.
const BATCH: u32 = 250;
/// The most of one round.
const MOST_TOKENS: u64 = 100_000;
const MOST_ACCOUNTS: u32 = 1000;
const SHORTEST_PAUSE: Duration = Duration::from_secs(3);
