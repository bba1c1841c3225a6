//! What there is to say of the server, to who looks after it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pqc_core::{Timestamp, selftest};
use tokio::sync::Mutex;

use crate::aside::aside_if;
use crate::error::Error;
use crate::host::HostRng;
use crate::service::Service;

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What kind of store it has.
    pub store: &'static str,
    /// Why it can't serve now; `None`: it can.
    pub trouble: Option<String>,
    /// What the cryptography's known answers gave a moment ago; `None`: one was wrong.
    pub self_test: Option<selftest::Report>,
    /// The version of the master key that seals.
    pub master_key: u32,
    /// How many stored keys are still sealed under an older one.
    pub keys_under_older: u64,
    /// Whether a rotation of the master key is under way.
    pub is_rotating: bool,
    /// When the last whole backup was made by this program.
    pub last_backup: Option<Timestamp>,
}

/// What the last self-test gave, and when that was.
#[derive(Debug, Default)]
pub(crate) struct SelfTest(Mutex<Option<(Instant, Option<selftest::Report>)>>);

impl Service {
    /// How the server is.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn health(&self) -> Result<Health, Error> {
        // What a database says of itself and its users is for operators: it is in the log.
        let trouble = self.ready().await.err().map(|error| match error {
            Error::Unavailable(_) => "the store is not available".to_owned(),
            error => error.to_string(),
        });
        let masters = self.master_key_status().await?;
        let current = masters.last().map_or(0, |newest| newest.version);
        let older = masters.iter().filter(|master| master.version != current);
        Ok(Health {
            store: self.store.kind(),
            trouble,
            self_test: self.tested().await?,
            master_key: current,
            keys_under_older: older.map(|master| master.keys).sum(),
            is_rotating: masters.iter().any(|master| master.rotating),
            last_backup: self.store.last_backup().await?,
        })
    }

    /// Runs the self-test, unless that was done just now: whoever looks often costs nothing more.
    async fn tested(&self) -> Result<Option<selftest::Report>, Error> {
        let SelfTest(last) = &self.self_test;
        let mut last = last.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < TESTED_EVERY
        {
            return Ok(report.clone());
        }
        let host = Arc::clone(&self.host);
        let report = aside_if(true, move || selftest::run(&mut HostRng(&*host))).await?;
        if let Err(error) = &report {
            tracing::error!(%error, "the self-test failed");
        }
        let report = report.ok();
        *last = Some((Instant::now(), report.clone()));
        Ok(report)
    }
}

const TESTED_EVERY: Duration = Duration::from_secs(10);
