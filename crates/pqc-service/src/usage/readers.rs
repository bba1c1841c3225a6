//! Who may read now what takes long to read: the usage, and the audit log.

use std::collections::HashMap;
use std::sync::PoisonError;

use pqc_core::AccountId;
use tokio::sync::{Mutex, MutexGuard};

use crate::error::Error;

/// Who reads one of them: one at a time, since it may look at many rows, and those who call for other
/// things need the store. Few wait, so that they leave room for calls of other kinds, and of each
/// account fewer, so that they leave room for those of other accounts.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    turn: Mutex<()>,
    waiting: std::sync::Mutex<HashMap<AccountId, usize>>,
}

/// One of them, until it is dropped.
pub(crate) struct Waiting<'a> {
    readers: &'a Readers,
    account: AccountId,
}

impl Readers {
    /// # Errors
    /// [`Error::Busy`].
    pub(crate) fn wait(&self, account: AccountId) -> Result<Waiting<'_>, Error> {
        let mut waiting = self.lock();
        let of_account = waiting.get(&account).copied().unwrap_or_default();
        if of_account >= MOST_OF_ONE || waiting.values().sum::<usize>() >= MOST_OF_ALL {
            return Err(Error::Busy);
        }
        waiting.insert(account, of_account + 1);
        Ok(Waiting { readers: self, account })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<AccountId, usize>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting<'_> {
    /// The turn, when it has come.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.readers.turn.lock().await
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.readers.lock();
        match waiting.get_mut(&self.account) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(waiting.remove(&self.account)),
        }
    }
}

/// A page that shows several sums asks for them at once.
const MOST_OF_ONE: usize = 4;
const MOST_OF_ALL: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_wait_to_read_and_of_one_account_fewer() {
        let (readers, account) = (Readers::default(), |n| AccountId::from_bytes([n; 16]));
        let mut waiting: Vec<_> = (0..4).map(|_| readers.wait(account(0)).unwrap()).collect();
        assert!(matches!(readers.wait(account(0)), Err(Error::Busy)));
        waiting.extend((1..29).map(|n| readers.wait(account(n)).unwrap()));
        assert!(matches!(readers.wait(account(99)), Err(Error::Busy)));
        drop(waiting.swap_remove(0));
        assert!(readers.wait(account(0)).is_ok());
        drop(waiting);
        assert!(readers.lock().is_empty());
    }
}
