//! The master keys in force: how a secret becomes them at a start, and how they follow a rotation.
//!
//! `Masters::open` is the door. While a rotation runs each of its two keys stands in the store
//! sealed under the other, so that a service that has one of them takes both. Every service looks at
//! the store more than once a second; one that misses a whole rotation has a key that opens nothing
//! any more, and says so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use pqc_core::{
    MasterKey, MasterKeys, PassphraseParameters, Secret, SecretVec, passphrase::check_passphrase,
};
use tokio::sync::Mutex;

use crate::audit::By;
use crate::error::Error;
use crate::host::{Host, HostRng};
use crate::store::replay::{Effect, KeptAnswer};
use crate::store::{KeyRecord, MasterKeyRecord, NewMasterKey, Store};

/// What an operator gives to open a store.
#[derive(Debug)]
pub enum MasterSecret {
    /// The key itself.
    Key(Secret<32>),
    /// A passphrase (15 to 1024 bytes): the store keeps how it becomes the key.
    Passphrase(SecretVec),
}

impl From<Secret<32>> for MasterSecret {
    fn from(key: Secret<32>) -> Self {
        Self::Key(key)
    }
}

impl MasterSecret {
    /// A key of a version that is not in the store yet, with what is to be kept of it.
    pub(crate) async fn new_key(
        &self,
        version: u32,
        host: &dyn Host,
    ) -> Result<(MasterKey, NewMasterKey), Error> {
        let derivation = match self {
            Self::Key(_) => None,
            Self::Passphrase(_) => Some(PassphraseParameters::generate(&mut HostRng(host))?),
        };
        let key = self.key(version, derivation.as_ref()).await?;
        let key = key.ok_or(Error::Internal { what: "a new master key" })?;
        let check = key.check_value(&mut HostRng(host))?;
        Ok((key, NewMasterKey { version, check, derivation }))
    }

    /// The key of this version, if it is this one.
    pub(crate) async fn made(&self, record: &MasterKeyRecord) -> Result<Option<MasterKey>, Error> {
        let key = self.key(record.version, record.derivation.as_ref()).await?;
        Ok(key.filter(|key| key.made(&record.check)))
    }

    /// `None`: a key where a passphrase was asked for, or the reverse.
    async fn key(
        &self,
        version: u32,
        derivation: Option<&PassphraseParameters>,
    ) -> Result<Option<MasterKey>, Error> {
        match (self, derivation) {
            (Self::Key(key), None) => {
                let key = Secret::from_slice(pqc_core::Field::MasterKey, key.expose_bytes())?;
                Ok(Some(MasterKey::new(version, key)))
            }
            (Self::Passphrase(passphrase), Some(parameters)) => {
                let passphrase = SecretVec::copy_of(passphrase.expose_bytes());
                let parameters = parameters.clone();
                let derived = tokio::task::spawn_blocking(move || {
                    MasterKey::from_passphrase(version, passphrase.expose_bytes(), &parameters)
                });
                let derived = derived.await.map_err(|_| Error::Internal { what: "Argon2id" })?;
                Ok(Some(derived?))
            }
            _ => Ok(None),
        }
    }
}

/// How a new key comes into the store.
#[derive(Debug)]
pub(crate) enum Insert {
    /// [`Store::insert_key`]: beside the others.
    Beside,
    /// The same, with the answer to the call that makes it.
    Answering(KeptAnswer),
    /// [`Store::put_in_force`]: in the place of older versions.
    InForce,
}

/// The master keys of a running service.
pub(crate) struct Masters {
    store: Arc<dyn Store>,
    in_force: RwLock<Arc<MasterKeys>>,
    /// One looks at the store at a time, so that what was seen later stays.
    reloading: Mutex<()>,
    is_retired: AtomicBool,
}

impl Masters {
    /// Unlocks the store, and follows its rotations until the last owner is gone.
    pub(crate) async fn open(
        store: Arc<dyn Store>,
        host: &dyn Host,
        secret: &MasterSecret,
    ) -> Result<Arc<Self>, Error> {
        let keys = unlock(&*store, host, secret).await?;
        let masters = Arc::new(Self {
            store,
            in_force: RwLock::new(Arc::new(keys)),
            reloading: Mutex::default(),
            is_retired: AtomicBool::new(false),
        });
        let followed = Arc::downgrade(&masters);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(masters) = followed.upgrade() else { return };
                // Where the store does not answer, whoever asks it for more is told.
                let _ = masters.reload().await;
            }
        });
        Ok(masters)
    }

    /// Whose keys they are.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The keys as they were last seen.
    pub(crate) fn in_force(&self) -> Result<Arc<MasterKeys>, Error> {
        Ok(Arc::clone(&*self.in_force.read().map_err(|_| LOCK)?))
    }

    /// The keys as they are now.
    pub(crate) async fn reload(&self) -> Result<Arc<MasterKeys>, Error> {
        let _one_at_a_time = self.reloading.lock().await;
        let known = self.in_force()?;
        let followed = follow(&known, &self.store.master_keys().await?);
        let is_retired = matches!(followed, Err(Error::RetiredMasterKey { .. }));
        if is_retired && !self.is_retired.swap(is_retired, Ordering::Relaxed) {
            tracing::error!(
                "this server missed a rotation of the master key: start it with the new one"
            );
        }
        let Some(fresh) = followed? else { return Ok(known) };
        let fresh = Arc::new(fresh);
        *self.in_force.write().map_err(|_| LOCK)? = Arc::clone(&fresh);
        let (version, rotating) = (fresh.current_version(), fresh.has_older());
        tracing::info!(version, rotating, "the master keys in force have changed");
        Ok(fresh)
    }

    /// Opens a stored key's secret. Where its master key is not known here, a rotation has begun or
    /// ended since the keys or the record were read: then both are read once more.
    pub(crate) async fn open_record<T>(
        &self,
        record: &KeyRecord,
        open: impl Fn(&MasterKeys, &KeyRecord) -> Result<T, pqc_core::Error>,
    ) -> Result<T, Error> {
        match open(&*self.in_force()?, record) {
            Err(pqc_core::Error::UnknownMasterKey { .. }) => {}
            opened => return Ok(opened?),
        }
        let keys = self.reload().await?;
        let again = self.store.key(record.account, &record.id).await?.ok_or(Error::UnknownKey)?;
        Ok(open(&keys, &again)?)
    }

    /// Stores a new key, which `make` seals under the master keys that it is given; `false`: as the
    /// store says. Where a rotation began meanwhile, it is sealed once more.
    pub(crate) async fn insert_sealed(
        &self,
        by: &By,
        how: Insert,
        make: impl Fn(&MasterKeys) -> Result<KeyRecord, pqc_core::Error>,
    ) -> Result<(bool, KeyRecord), Error> {
        let mut keys = self.in_force()?;
        for _ in 0..TRIES {
            let record = make(&keys)?;
            let inserted = match &how {
                Insert::Beside => self.store.insert_key(by, record.clone()).await,
                Insert::Answering(answer) => {
                    let effect = Effect::InsertKey(record.clone());
                    self.store.keep_answer(by, answer.clone(), effect).await
                }
                Insert::InForce => self.store.put_in_force(by, record.clone()).await,
            };
            match inserted {
                Err(Error::StaleMasterKey { .. }) => keys = self.reload().await?,
                done => return Ok((done?, record)),
            }
        }
        Err(Error::Internal { what: "master keys that change all the time" })
    }

    /// # Errors
    /// [`Error::Unavailable`]: the store went on to a master key that is not known here.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        if self.is_retired.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("its master key was retired".to_owned()));
        }
        Ok(())
    }
}

/// The master keys that a secret gives; an empty store takes it as its first.
async fn unlock(
    store: &dyn Store,
    host: &dyn Host,
    secret: &MasterSecret,
) -> Result<MasterKeys, Error> {
    if let MasterSecret::Passphrase(passphrase) = secret {
        check_passphrase(passphrase.expose_bytes())?;
    }
    let mut records = store.master_keys().await?;
    if records.is_empty() {
        let is_begun =
            !store.accounts().await?.is_empty() || !store.keys_by_master_key().await?.is_empty();
        // Another server may be beginning it, which stores a master key before all else: so they
        // are looked at once more after the rest.
        records = store.master_keys().await?;
        if records.is_empty() && is_begun {
            return Err(Error::Corrupt { what: LOST_KEYS });
        }
    }
    if records.is_empty() {
        let (_, first) = secret.new_key(FIRST_VERSION, host).await?;
        store.add_master_key(&By::SERVER, first).await?;
        // Another server may have been first: what stands in the store decides.
        records = store.master_keys().await?;
    }
    unlock_with(&records, secret).await
}

/// The master keys that a secret gives, of those in `records`, which are in the order of their
/// versions.
pub(crate) async fn unlock_with(
    records: &[MasterKeyRecord],
    secret: &MasterSecret,
) -> Result<MasterKeys, Error> {
    let newest = records.last().ok_or(Error::Corrupt { what: "no master key is in force" })?;
    let before = records.iter().rev().nth(1);
    if let Some(key) = secret.made(newest).await? {
        let keys = MasterKeys::new(key);
        return match before.filter(|_| newest.wrapped.is_some()) {
            Some(before) => {
                let older = unwrap(keys.current(), before)?;
                Ok(keys.with_older(older))
            }
            None => Ok(keys),
        };
    }
    if let Some(used) = used(secret, records).await? {
        if newest.wrapped.is_some() && before.is_some_and(|before| before.version == used.version())
        {
            let next = unwrap(&used, newest)?;
            return Ok(MasterKeys::new(used).rotated_to(next));
        }
        return Err(retired(used.version(), records));
    }
    Err(match (secret, &newest.derivation) {
        (MasterSecret::Key(_), Some(_)) => {
            Error::OtherMasterKeyForm { expected: "made from a passphrase" }
        }
        (MasterSecret::Passphrase(_), None) => {
            Error::OtherMasterKeyForm { expected: "a key of its own, not made from a passphrase" }
        }
        _ => Error::WrongMasterKey,
    })
}

/// The version of this store's keys, in force or not, that the secret is.
pub(crate) async fn used(
    secret: &MasterSecret,
    records: &[MasterKeyRecord],
) -> Result<Option<MasterKey>, Error> {
    for record in records.iter().rev() {
        if let Some(key) = secret.made(record).await? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// What became of `keys`, which were in force; `None`: they are.
fn follow(keys: &MasterKeys, records: &[MasterKeyRecord]) -> Result<Option<MasterKeys>, Error> {
    let version = keys.current_version();
    let newest = records.last().filter(|newest| newest.version >= version);
    let newest = newest.ok_or(Error::Corrupt { what: "its master keys are older than before" })?;
    let rotating = newest.wrapped.as_ref();
    if newest.version == version {
        let is_over = keys.has_older() && rotating.is_none();
        return Ok(is_over.then(|| keys.without_older()));
    }
    if rotating.is_none_or(|wrapped| wrapped.master_version() != version) {
        return Err(retired(version, records));
    }
    Ok(Some(keys.rotated_to(unwrap(keys.current(), newest)?)))
}

/// The other key of a rotation.
fn unwrap(key: &MasterKey, other: &MasterKeyRecord) -> Result<MasterKey, Error> {
    let damaged = Error::Corrupt { what: "a master key under another" };
    let Some(wrapped) = &other.wrapped else { return Err(damaged) };
    let opened = key.unwrap_key(other.version, wrapped).ok();
    opened.filter(|opened| opened.made(&other.check)).ok_or(damaged)
}

fn retired(version: u32, records: &[MasterKeyRecord]) -> Error {
    let record = records.iter().find(|record| record.version == version);
    let in_force = records.last().map_or(version, |newest| newest.version);
    match record.and_then(|record| record.superseded_at) {
        Some(retired_at) => Error::RetiredMasterKey { version, retired_at, in_force },
        None => Error::Corrupt { what: "a master key is in force beside a newer one" },
    }
}

/// A rotation that begins reaches every service within this time, and as long again where the
/// store is slow.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A rotation takes seconds, so the second try is the last that is needed.
const TRIES: u32 = 3;
const FIRST_VERSION: u32 = 1;
const LOST_KEYS: &str = "it has lost its master keys: put it back from a backup";
const LOCK: Error = Error::Internal { what: "the lock on the master keys" };
