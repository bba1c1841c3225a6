//! Rotation of the master key while servers serve: begun in one step, carried on in small ones.
//!
//! [`Service::begin_rotation`] makes the new key the one that seals, and both of them open;
//! [`Service::complete_rotation`] seals every stored key again and then takes the older one away.
//! It may be killed at any moment: who begins a rotation to the same key again goes on with it. Two
//! that do so at once do no harm.

use std::time::{Duration, Instant};

use pqc_core::Timestamp;

use crate::audit::By;
use crate::error::Error;
use crate::masters::{self, MasterSecret};
use crate::service::Service;
use crate::store::{KeyRecord, MasterRotation, Resealed};

/// A rotation that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// The version of the older key.
    pub from: u32,
    /// The version of the newer key, which seals.
    pub to: u32,
    /// Whether it was under way before.
    pub resumed: bool,
}

/// A master key, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyStatus {
    /// Its version.
    pub version: u32,
    /// Whether it is made from a passphrase.
    pub from_passphrase: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the rotation to the next version began.
    pub superseded_at: Option<Timestamp>,
    /// Whether a rotation from or to it is under way.
    pub rotating: bool,
    /// How many stored keys are sealed under it.
    pub keys: u64,
}

impl Service {
    /// Begins a rotation to this master key, or finds the one to it that is under way; `None`: it
    /// has ended, and this key is in force.
    ///
    /// # Errors
    /// [`Error::RotationUnderWay`]: to another key. [`Error::UsedMasterKey`]. [`Error::Core`]: the
    /// passphrase has a length that is not taken. Those of the store.
    pub async fn begin_rotation(
        &self,
        by: &By,
        to: &MasterSecret,
    ) -> Result<Option<Rotation>, Error> {
        for _ in 0..TRIES {
            let records = self.store.master_keys().await?;
            let newest = records.last().ok_or(Error::Corrupt { what: "its master keys" })?;
            let in_force = newest.version;
            if newest.wrapped.is_some() {
                let under_way = Error::RotationUnderWay { to: in_force };
                to.made(newest).await?.ok_or(under_way)?;
                self.masters.reload().await?;
                return Ok(Some(Rotation {
                    from: in_force.saturating_sub(1),
                    to: in_force,
                    resumed: true,
                }));
            }
            if let Some(used) = masters::used(to, &records).await? {
                if used.version() == in_force && records.len() > 1 {
                    return Ok(None);
                }
                return Err(Error::UsedMasterKey { version: used.version(), in_force });
            }
            let known = self.masters.reload().await?;
            let from = known.current();
            let version = from.version().checked_add(1);
            let version = version.ok_or(Error::Internal { what: "the count of master keys" })?;
            let (key, new) = to.new_key(version, &*self.host).await?;
            let rotation = MasterRotation {
                from: from.version(),
                from_wrapped: key.wrap_key(from, &mut self.rng())?,
                to_wrapped: from.wrap_key(&key, &mut self.rng())?,
                to: new,
            };
            if self.store.begin_master_rotation(by, rotation).await? {
                self.masters.reload().await?;
                return Ok(Some(Rotation { from: from.version(), to: version, resumed: false }));
            }
            // Another began one meanwhile: maybe to the same key.
        }
        Err(Error::Internal { what: "a rotation that does not begin" })
    }

    /// Carries a rotation on to its end, and gives the count of the keys that were sealed again
    /// here. Takes some seconds at least, in which every server gets to know the new key.
    ///
    /// # Errors
    /// [`Error::RotationBlocked`]: some keys do not open. Those of the store: the rotation stays
    /// under way, and can be carried on.
    pub async fn complete_rotation(&self, by: &By, rotation: Rotation) -> Result<u64, Error> {
        let begun = Instant::now();
        let (mut done, mut broken) = (0, Broken::default());
        let mut after = 0;
        loop {
            let step = Instant::now();
            let page = self.store.keys_under(rotation.from, after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let mut resealed = Vec::with_capacity(page.len());
            for (number, key) in page {
                let name = match &key {
                    Ok(key) => format!("key {} of account {}", key.id, key.account),
                    Err(_) => format!("row {number} of the table keys"),
                };
                match key.and_then(|key| self.reseal(key)) {
                    Ok(key) => resealed.push(key),
                    Err(error) => broken.add(name, error)?,
                }
            }
            // One that another rotation sealed meanwhile, or that was destroyed, does not count.
            done += self.store.reseal_keys(by, resealed).await?;
            // As much time for others as was taken from them.
            tokio::time::sleep(step.elapsed().min(LONGEST_PAUSE)).await;
        }
        tokio::time::sleep(SHORTEST.saturating_sub(begun.elapsed())).await;
        let ended = self.store.end_master_rotation(by, rotation.from, rotation.to).await?;
        if !ended && broken.count > 0 {
            let Broken { count, named } = broken;
            return Err(Error::RotationBlocked { count, named: named.join(", ") });
        }
        // It has ended, whether or not this can be seen now.
        let _ = self.masters.reload().await;
        Ok(done)
    }

    /// The master keys of the store, by version.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn master_key_status(&self) -> Result<Vec<MasterKeyStatus>, Error> {
        let counts = self.store.keys_by_master_key().await?;
        let count = |of| counts.iter().find(|(version, _)| *version == of).map(|(_, count)| *count);
        let records = self.store.master_keys().await?;
        let status = records.into_iter().map(|record| MasterKeyStatus {
            version: record.version,
            from_passphrase: record.derivation.is_some(),
            created_at: record.created_at,
            superseded_at: record.superseded_at,
            rotating: record.wrapped.is_some(),
            keys: count(record.version).unwrap_or(0),
        });
        Ok(status.collect())
    }

    fn reseal(&self, key: KeyRecord) -> Result<Resealed, Error> {
        let masters = self.masters.in_force()?;
        let new = masters.reseal(&key.name(), &key.sealed, &mut self.rng())?;
        Ok(Resealed { account: key.account, id: key.id, old: key.sealed, new })
    }
}

/// The keys that do not open.
#[derive(Debug, Default)]
struct Broken {
    count: u64,
    /// The first of them.
    named: Vec<String>,
}

impl Broken {
    /// Takes note of one; what is no fault of the key is an error.
    fn add(&mut self, name: String, error: Error) -> Result<(), Error> {
        match error {
            Error::Corrupt { .. } | Error::Core(pqc_core::Error::SealBroken) => {}
            error => return Err(error),
        }
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(name);
        }
        Ok(())
    }
}

/// How many keys are sealed again in one transaction: some milliseconds.
const PAGE: u32 = 100;
/// So many of those that do not open are named.
const MOST_NAMED: usize = 10;
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// Ten times as long as a running service takes to look at the store: one that has not seen the new
/// key by the end has lost the store.
const SHORTEST: Duration = Duration::from_secs(5);
/// The second try finds the rotation that was in the way of the first.
const TRIES: u32 = 3;
