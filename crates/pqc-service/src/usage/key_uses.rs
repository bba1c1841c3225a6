//! How often stored keys are used: counted in memory, beside the calls that use them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pqc_core::{AccountId, KeyId, Timestamp};

use super::KeyUse;
use crate::error::Error;
use crate::service::Service;

/// The uses that are not in the store yet.
#[derive(Debug, Default)]
pub(crate) struct KeyUses(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// How many, and when the last was.
    by_key: HashMap<(AccountId, KeyId), (u64, Timestamp)>,
    /// For which there was no room.
    lost: u64,
}

impl KeyUses {
    /// One more.
    pub(crate) fn note(&self, account: AccountId, key: KeyId, now: Timestamp) {
        self.add(KeyUse { account, key, uses: 1, last_used_at: now });
    }

    fn add(&self, more: KeyUse) {
        let KeyUse { account, key, uses, last_used_at } = more;
        let mut waiting = self.lock();
        // A store that takes no counts must not fill the memory.
        let by_key = &mut waiting.by_key;
        if by_key.len() >= MOST_WAITING && !by_key.contains_key(&(account, key)) {
            waiting.lost = waiting.lost.saturating_add(uses);
            return;
        }
        let (sum, last) = by_key.entry((account, key)).or_insert((0, last_used_at));
        *sum = sum.saturating_add(uses);
        *last = last_used_at.max(*last);
    }

    fn take(&self) -> Vec<KeyUse> {
        let Waiting { by_key, lost } = std::mem::take(&mut *self.lock());
        if lost > 0 {
            tracing::warn!(lost, "uses of keys were not counted: the store took no counts");
        }
        let uses = by_key.into_iter().map(|((account, key), (uses, last_used_at))| KeyUse {
            account,
            key,
            uses,
            last_used_at,
        });
        uses.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    /// As [`Self::add_usage`] does, of which this is a part.
    pub(super) async fn add_key_uses(&self) -> Result<(), Error> {
        let mut uses = self.key_uses.take();
        while !uses.is_empty() {
            let rest = uses.split_off(uses.len().min(MOST_AT_ONCE));
            let added = self.store.add_key_uses(&uses).await;
            if let Err(error) = added {
                // What may be there is not added twice.
                let again =
                    if matches!(error, Error::OutcomeUnknown(_)) { Vec::new() } else { uses };
                again.into_iter().chain(rest).for_each(|one| self.key_uses.add(one));
                return Err(error);
            }
            uses = rest;
        }
        Ok(())
    }
}

/// As many as of other counts.
const MOST_AT_ONCE: usize = 512;
/// Some 10 MiB.
const MOST_WAITING: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> KeyId {
        let mut id = [0; 16];
        id[12..].copy_from_slice(&number.to_be_bytes());
        KeyId::Symmetric(id)
    }

    #[test]
    fn uses_are_added_up_until_they_are_taken() {
        let (uses, account) = (KeyUses::default(), AccountId::from_bytes([1; 16]));
        let at = Timestamp::from_millis;
        uses.note(account, key(1), at(7));
        uses.note(account, key(1), at(5));
        uses.note(account, key(2), at(1));
        let mut taken = uses.take();
        taken.sort_by_key(|one| one.uses);
        let told: Vec<_> = taken.iter().map(|one| (one.key, one.uses, one.last_used_at)).collect();
        assert_eq!(told, [(key(2), 1, at(1)), (key(1), 2, at(7))]);
        assert_eq!(uses.take(), []);
    }

    #[test]
    fn uses_do_not_fill_the_memory() {
        let (uses, account) = (KeyUses::default(), AccountId::from_bytes([1; 16]));
        let note = |number| uses.note(account, key(number), Timestamp::from_millis(0));
        (0..100_010).for_each(note);
        note(7);
        assert_eq!(uses.lock().lost, 10);
        let taken = uses.take();
        assert_eq!(taken.len(), 100_000);
        assert_eq!(taken.iter().map(|one| one.uses).sum::<u64>(), 100_001);
    }
}
