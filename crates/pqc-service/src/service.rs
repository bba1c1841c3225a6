//! The service itself: its parts, its opening, its health, and whom it trusts.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use pqc_core::seal::RecordKind;
use pqc_core::token::MintPolicy;
use pqc_core::{
    AccountId, Issuer, MasterKey, MasterKeys, Secret, SignatureAlgorithm, Timestamp,
    TrustedIssuers, VerifyingKey,
};

use crate::error::Error;
use crate::host::{Host, HostRng};
use crate::quota::{Counted, Quota};
use crate::store::{KeyRecord, Store};

/// What an operator sets.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The bounds for temporary tokens.
    pub mint: MintPolicy,
    /// How many keys an account may store; by default 1,000,000.
    pub max_keys: u64,
    /// How many temporary tokens of an account may live at a time; by default 100,000.
    pub max_live_tokens: u64,
    /// Accept the word of any issuer: a key that travels with the key it vouches for then proves
    /// nothing.
    pub dangerously_trust_any_issuer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mint: MintPolicy::default(),
            max_keys: 1_000_000,
            max_live_tokens: 100_000,
            dangerously_trust_any_issuer: false,
        }
    }
}

/// The use cases, over one store. Cheap to share behind an [`Arc`].
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) masters: Arc<MasterKeys>,
    pub(crate) issuer: Issuer,
    pub(crate) settings: Settings,
    pub(crate) key_quota: Quota,
    pub(crate) token_quota: Quota,
    issuers: RwLock<Arc<Issuers>>,
}

impl Service {
    /// Opens the service on a store: checks that `master_key` is the one that sealed it (an empty
    /// store takes it as its first), and makes the issuer key if there is none.
    ///
    /// # Errors
    /// [`Error::WrongMasterKey`]: nothing was changed. Those of the store.
    pub async fn open(
        store: Arc<dyn Store>,
        host: Arc<dyn Host>,
        master_key: Secret<32>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let masters = Arc::new(unlock(&*store, &*host, master_key).await?);
        let issuer = open_issuer(&*store, &*host, &masters).await?;
        let issuers = RwLock::new(Arc::new(Issuers::load(&*store, settings).await?));
        let key_quota = Quota::new(Counted::Keys, settings.max_keys);
        let token_quota = Quota::new(Counted::LiveTokens, settings.max_live_tokens);
        Ok(Self { store, host, masters, issuer, settings, key_quota, token_quota, issuers })
    }

    /// Whether the service can serve: the store answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason.
    pub async fn ready(&self) -> Result<(), Error> {
        self.store.ping().await
    }

    /// The store's time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn now(&self) -> Result<Timestamp, Error> {
        self.store.now().await
    }

    /// The server's own issuer keys, the one in force first: what senders pin.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn issuer_keys(&self) -> Result<Vec<VerifyingKey>, Error> {
        Ok(self.issuers().await?.own.clone())
    }

    /// The issuers that were added to the server's own.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trusted_issuer_keys(&self) -> Result<Vec<VerifyingKey>, Error> {
        self.store.trusted_issuers().await
    }

    /// Takes an issuer from those that were added; `false`: it was none of them. Other servers on
    /// the store go on believing it for a second.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn distrust_issuer(&self, issuer: &VerifyingKey) -> Result<bool, Error> {
        let removed = self.store.distrust_issuer(issuer).await?;
        self.reload_issuers().await?;
        Ok(removed)
    }

    /// Adds an issuer whose word counts; `false`: it did before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trust_issuer(&self, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.store.trust_issuer(issuer).await
    }

    /// The issuers whose word counts. One that is not among them is looked for once more in the
    /// store, so that trust given beside a running server counts at once.
    pub(crate) async fn trusted_issuers(
        &self,
        asked_for: &VerifyingKey,
    ) -> Result<Arc<TrustedIssuers>, Error> {
        let known = self.issuers().await?;
        if known.trusted.contains(asked_for) {
            return Ok(Arc::clone(&known.trusted));
        }
        Ok(Arc::clone(&self.reload_issuers().await?.trusted))
    }

    pub(crate) fn rng(&self) -> HostRng<'_> {
        HostRng(&*self.host)
    }

    async fn issuers(&self) -> Result<Arc<Issuers>, Error> {
        let known = self.issuers.read().map_err(|_| LOCK)?.clone();
        if known.loaded_at.elapsed() < ISSUERS_MAX_AGE {
            return Ok(known);
        }
        self.reload_issuers().await
    }

    async fn reload_issuers(&self) -> Result<Arc<Issuers>, Error> {
        let fresh = Arc::new(Issuers::load(&*self.store, self.settings).await?);
        *self.issuers.write().map_err(|_| LOCK)? = Arc::clone(&fresh);
        Ok(fresh)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A short-lived copy of the store's issuers.
struct Issuers {
    own: Vec<VerifyingKey>,
    trusted: Arc<TrustedIssuers>,
    loaded_at: Instant,
}

impl Issuers {
    async fn load(store: &dyn Store, settings: Settings) -> Result<Self, Error> {
        let loaded_at = Instant::now();
        let records = store.key_versions(AccountId::SERVER, RecordKind::IssuerKey).await?;
        let own = records
            .iter()
            .map(|record| VerifyingKey::from_bytes(&record.public_key))
            .collect::<Result<Vec<_>, _>>()?;
        let trusted = if settings.dangerously_trust_any_issuer {
            TrustedIssuers::dangerously_any()
        } else {
            TrustedIssuers::new(own.iter().cloned().chain(store.trusted_issuers().await?))
        };
        Ok(Self { own, trusted: Arc::new(trusted), loaded_at })
    }
}

async fn unlock(
    store: &dyn Store,
    host: &dyn Host,
    master_key: Secret<32>,
) -> Result<MasterKeys, Error> {
    let newest = |checks: Vec<_>| checks.into_iter().max_by_key(|(version, _)| *version);
    let (master, check) = match newest(store.master_key_checks().await?) {
        Some((version, check)) => (MasterKey::new(version, master_key), check),
        None => {
            let first = MasterKey::new(FIRST_VERSION, master_key);
            let check = first.check_value(&mut HostRng(host))?;
            store.add_master_key_check(FIRST_VERSION, check.clone()).await?;
            // Another server may have been first: what stands in the store decides.
            let stored = newest(store.master_key_checks().await?).map(|(_, check)| check);
            (first, stored.unwrap_or(check))
        }
    };
    if !master.made(&check) {
        return Err(Error::WrongMasterKey);
    }
    Ok(MasterKeys::new(master))
}

async fn open_issuer(
    store: &dyn Store,
    host: &dyn Host,
    masters: &MasterKeys,
) -> Result<Issuer, Error> {
    let current =
        || store.current_key(AccountId::SERVER, RecordKind::IssuerKey, ISSUER_ALGORITHM.name());
    let record = match current().await? {
        Some(record) => record,
        None => {
            let issuer = Issuer::generate(ISSUER_ALGORITHM, &mut HostRng(host))?;
            let public = issuer.verifying_key();
            let record = KeyRecord {
                account: AccountId::SERVER,
                id: public.key_id(),
                kind: RecordKind::IssuerKey,
                algorithm: ISSUER_ALGORITHM.name().to_owned(),
                version: Some(FIRST_VERSION),
                public_key: public.as_bytes().to_vec(),
                attestation: Vec::new(),
                sealed: issuer.seal(masters, &mut HostRng(host))?,
                created_at: store.now().await?,
                retired_at: None,
            };
            if store.insert_key(record).await? {
                return Ok(issuer);
            }
            // Another server was first.
            current().await?.ok_or(Error::Corrupt { what: "no issuer key is in force" })?
        }
    };
    Ok(Issuer::open(masters, &record.public_key, &record.sealed)?)
}

pub(crate) const FIRST_VERSION: u32 = 1;
const ISSUER_ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::MlDsa65;
/// Trust given on one server reaches the others within this time.
const ISSUERS_MAX_AGE: Duration = Duration::from_secs(1);
const LOCK: Error = Error::Internal { what: "the lock on the issuers" };
