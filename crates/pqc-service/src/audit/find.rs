//! Entries that somebody looks for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pqc_core::AccountId;
use pqc_core::audit::Entry;

use super::LogEntry;
use super::line::EntryText;
use crate::error::Error;
use crate::service::Service;
use crate::usage::Day;

/// What is looked for. What is empty, or `None`, is not asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Is in the name of what was done.
    pub act: String,
    /// Who did it, or the token that it was done to: begins so.
    pub who: String,
    /// The id of the key, in hex, begins so.
    pub key: String,
    /// That it failed.
    pub failed: bool,
    /// On this day (UTC) or later.
    pub from: Option<Day>,
    /// On this day (UTC) or before.
    pub to: Option<Day>,
}

/// What was found in a part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFound {
    /// The entries, newest first.
    pub entries: Vec<LogEntry>,
    /// Before which row to look on; `None`: there is nothing more.
    pub rest: Option<u64>,
}

/// An export that is under way.
#[derive(Debug)]
pub struct AuditExport {
    account: AccountId,
    exports: Exports,
}

/// The accounts of which an export is under way.
pub(crate) type Exports = Arc<Mutex<HashSet<AccountId>>>;

impl Drop for AuditExport {
    fn drop(&mut self) {
        self.exports.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

impl AuditFilter {
    /// Whether this is what is looked for.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        let text = EntryText::from(entry);
        let day = Day::of(entry.time);
        let begins = |text: Option<&str>, with: &str| {
            with.is_empty() || text.is_some_and(|text| text.starts_with(with))
        };
        text.act.contains(&self.act)
            && (begins(Some(&text.actor), &self.who) || begins(text.token_id.as_deref(), &self.who))
            && begins(text.key_id.as_deref(), &self.key)
            && (!self.failed || text.outcome.starts_with("failed"))
            && self.from.is_none_or(|from| day >= from)
            && self.to.is_none_or(|to| day <= to)
    }
}

impl Service {
    /// Looks in what the log has of an account for `limit` entries at most, newest first, before the
    /// row of this number. Not the whole of a long log is looked through at once: what is found may
    /// be fewer, or none, and there be a rest.
    ///
    /// # Errors
    /// [`Error::Busy`]: too many look already. Those of the store.
    pub async fn find_in_audit(
        &self,
        account: AccountId,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
    ) -> Result<AuditFound, Error> {
        let waiting = self.log_readers.wait(account)?;
        let _alone = waiting.turn().await;
        self.find_in_pages(account, filter, before, limit, MOST_PAGES).await
    }

    /// Begins an export of what the log has of an account; until what it gives is dropped, no other of
    /// that account begins.
    ///
    /// # Errors
    /// [`Error::Busy`]: one is under way.
    pub fn begin_audit_export(&self, account: AccountId) -> Result<AuditExport, Error> {
        match self.lock_exports().insert(account) {
            true => Ok(AuditExport { account, exports: Arc::clone(&self.exports) }),
            false => Err(Error::Busy),
        }
    }

    fn lock_exports(&self) -> MutexGuard<'_, HashSet<AccountId>> {
        self.exports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find_in_pages(
        &self,
        account: AccountId,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: usize,
        most_pages: usize,
    ) -> Result<AuditFound, Error> {
        let (mut entries, mut rest) = (Vec::new(), before);
        for _ in 0..most_pages {
            let page = self.audit_of(account, rest, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            for row in page {
                let number = row.number;
                if filter.takes(&row.entry) {
                    if entries.len() >= limit {
                        return Ok(AuditFound { entries, rest });
                    }
                    entries.push(row);
                }
                rest = Some(number);
            }
            if is_last {
                return Ok(AuditFound { entries, rest: None });
            }
        }
        Ok(AuditFound { entries, rest })
    }
}

const PAGE: u32 = 500;
/// Together some tens of milliseconds.
const MOST_PAGES: usize = 20;

#[cfg(test)]
mod tests {
    use pqc_core::audit::Actor;
    use pqc_core::{KeyId, Secret, Timestamp, TokenId};
    use tokio::task::JoinSet;

    use super::*;
    use crate::audit::Event;
    use crate::{By, Custody, Settings, SqliteStore, System};

    #[tokio::test]
    async fn what_is_not_found_in_some_pages_is_looked_for_in_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let (path, host) = (folder.path().join("store"), Arc::new(System));
        let store = Arc::new(SqliteStore::open(&path, host.clone()).await.unwrap());
        let key = Secret::from([7; 32]);
        let service = Service::open(store, host, key, Settings::default()).await.unwrap();
        let pending = service.prepare_account("a", Custody::Server).await.unwrap();
        service.create_account(&By::OPERATOR, pending).await.unwrap();
        let account = service.account("a").await.unwrap().id;
        let event = Event { account: Some(account), ..Event::done("sign") };
        let mut writers = JoinSet::new();
        for _ in 0..600 {
            let (store, event) = (Arc::clone(&service.store), event.clone());
            writers.spawn(async move { store.record(&By::OPERATOR, event).await.unwrap() });
        }
        writers.join_all().await;

        let made = AuditFilter { act: "account.create".into(), ..AuditFilter::default() };
        let find =
            async |before| service.find_in_pages(account, &made, before, 10, 1).await.unwrap();
        let first = find(None).await;
        assert!(first.entries.is_empty() && first.rest.is_some(), "{first:?}");
        let second = find(first.rest).await;
        assert_eq!((second.entries.len(), second.rest), (1, None));

        let export = service.begin_audit_export(account).unwrap();
        assert!(matches!(service.begin_audit_export(account), Err(Error::Busy)));
        drop(export);
        service.begin_audit_export(account).unwrap();
    }

    #[test]
    fn an_entry_is_found_by_each_of_its_parts() {
        let mut entry = Entry::new(
            Timestamp::from_seconds(1_700_000_000),
            "kem.decapsulate",
            Actor::Token(TokenId::from_bytes([0xab; 16])),
        );
        entry.key = Some(KeyId::Symmetric([0xcd; 16]));
        entry.token = Some(TokenId::from_bytes([0x12; 16]));
        entry.outcome = "failed, 422".into();
        let filter = AuditFilter::default;
        let day = |text: &str| Some(text.parse::<Day>().unwrap());
        for (right, wrong) in [
            (
                AuditFilter { act: "decaps".into(), ..filter() },
                AuditFilter { act: "encapsulate.".into(), ..filter() },
            ),
            (
                AuditFilter { who: "abab".into(), ..filter() },
                AuditFilter { who: "server".into(), ..filter() },
            ),
            (
                AuditFilter { who: "12".into(), ..filter() },
                AuditFilter { who: "13".into(), ..filter() },
            ),
            (
                AuditFilter { key: "cdcd".into(), ..filter() },
                AuditFilter { key: "ab".into(), ..filter() },
            ),
            (
                AuditFilter { from: day("2023-11-14"), to: day("2023-11-14"), ..filter() },
                AuditFilter { from: day("2023-11-15"), ..filter() },
            ),
            (
                AuditFilter { failed: true, ..filter() },
                AuditFilter { to: day("2023-11-13"), ..filter() },
            ),
        ] {
            assert!(right.takes(&entry), "{right:?}");
            assert!(!wrong.takes(&entry), "{wrong:?}");
        }
        assert!(filter().takes(&entry));
        entry.outcome = "done".into();
        assert!(!AuditFilter { failed: true, ..filter() }.takes(&entry));
    }
}
