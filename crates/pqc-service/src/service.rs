//! The service itself: its parts, its opening, its health, and whom it trusts.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use pqc_core::seal::RecordKind;
use pqc_core::token::MintPolicy;
use pqc_core::{AccountId, Issuer, MasterKeys, Timestamp, TrustedIssuers, VerifyingKey};

use crate::audit::{By, CheckpointPolicy, Exports, Keeper, Refusals, Watch};
use crate::error::Error;
use crate::health::SelfTest;
use crate::host::{Host, HostRng};
use crate::key_cache::{CacheFigures, KeyCache};
use crate::masters::{MasterSecret, Masters};
use crate::quota::{Counted, Quota};
use crate::rotation;
use crate::store::{KeyRecord, Store, StoreFigures};
use crate::usage::{Counter, KeyUses, Readers};

/// What an operator sets.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The bounds for temporary tokens.
    pub mint: MintPolicy,
    /// How many keys an account may store; by default 1,000,000.
    pub max_keys: u64,
    /// How many temporary tokens of an account may live at a time; by default 100,000.
    pub max_live_tokens: u64,
    /// How many answers are kept for calls of an account that can be repeated; by default 100,000.
    pub max_kept_answers: u64,
    /// Accept the word of any issuer: a key that travels with the key it vouches for then proves
    /// nothing.
    pub dangerously_trust_any_issuer: bool,
    /// How many bytes of keys are kept in memory, opened and decoded, for the next call with them; by
    /// default 64 MiB.
    pub key_cache_bytes: u64,
    /// How long a destroyed key can be brought back; by default 30 days.
    pub key_grace: Duration,
    /// Write down every call of a root token too that uses no stored secret; by default not.
    pub audit_all: bool,
    /// When a checkpoint of the audit log is due.
    pub checkpoints: CheckpointPolicy,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mint: MintPolicy::default(),
            max_keys: 1_000_000,
            max_live_tokens: 100_000,
            max_kept_answers: 100_000,
            dangerously_trust_any_issuer: false,
            key_cache_bytes: 64 * 1024 * 1024,
            key_grace: Duration::from_secs(30 * 24 * 60 * 60),
            audit_all: false,
            checkpoints: CheckpointPolicy::default(),
        }
    }
}

/// The use cases, over one store. Cheap to share behind an [`Arc`].
pub struct Service {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) masters: Arc<Masters>,
    pub(crate) settings: Settings,
    pub(crate) key_quota: Quota,
    pub(crate) token_quota: Quota,
    pub(crate) answer_quota: Quota,
    pub(crate) refusals: Refusals,
    pub(crate) keeper: Keeper,
    pub(crate) key_cache: KeyCache,
    pub(crate) counter: Counter,
    pub(crate) key_uses: KeyUses,
    pub(crate) watch: Watch,
    pub(crate) readers: Readers,
    pub(crate) log_readers: Readers,
    pub(crate) exports: Exports,
    pub(crate) self_test: SelfTest,
    issuers: RwLock<Arc<Issuers>>,
}

impl Service {
    /// Opens the service on a store: checks that `master_key` is the one that sealed it (an empty
    /// store takes it as its first), and makes the keys of the issuer and of checkpoints if there are
    /// none. While a rotation runs, both its keys will do.
    ///
    /// # Errors
    /// [`Error::WrongMasterKey`], [`Error::RetiredMasterKey`], [`Error::OtherMasterKeyForm`],
    /// [`Error::Core`] (the length of a passphrase): nothing was changed. Those of the store.
    pub async fn open(
        store: Arc<dyn Store>,
        host: Arc<dyn Host>,
        master_key: impl Into<MasterSecret>,
        settings: Settings,
    ) -> Result<Self, Error> {
        let masters = Masters::open(Arc::clone(&store), &*host, &master_key.into()).await?;
        rotation::current_issuer(&masters, &*host).await?;
        rotation::current_checkpoint_key(&masters, &*host).await?;
        let issuers = Issuers::load(&*store, &masters, settings, None).await?;
        let issuers = RwLock::new(Arc::new(issuers));
        let key_quota = Quota::new(Counted::Keys, settings.max_keys);
        let token_quota = Quota::new(Counted::LiveTokens, settings.max_live_tokens);
        let answer_quota = Quota::new(Counted::KeptAnswers, settings.max_kept_answers);
        let (refusals, keeper) = (Refusals::default(), Keeper::new());
        let counter = Counter::new(&*host)?;
        let key_cache = KeyCache::new(settings.key_cache_bytes);
        Ok(Self {
            store,
            host,
            masters,
            settings,
            key_quota,
            token_quota,
            answer_quota,
            refusals,
            keeper,
            key_cache,
            counter,
            key_uses: KeyUses::default(),
            watch: Watch::default(),
            readers: Readers::default(),
            log_readers: Readers::default(),
            exports: Exports::default(),
            self_test: SelfTest::default(),
            issuers,
        })
    }

    /// Whether the service can serve: the store answers, and its master key is known.
    ///
    /// # Errors
    /// [`Error::Unavailable`] with the reason.
    pub async fn ready(&self) -> Result<(), Error> {
        self.masters.ready()?;
        self.store.ping().await
    }

    /// What the store did since it was opened.
    #[must_use]
    pub fn store_figures(&self) -> StoreFigures {
        self.store.figures()
    }

    /// How often keys were found in memory.
    #[must_use]
    pub fn cache_figures(&self) -> CacheFigures {
        self.key_cache.figures()
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
    pub async fn distrust_issuer(&self, by: &By, issuer: &VerifyingKey) -> Result<bool, Error> {
        let removed = self.store.distrust_issuer(by, issuer).await?;
        self.reload_issuers_if_possible().await;
        Ok(removed)
    }

    /// Adds an issuer whose word counts; `false`: it did before.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn trust_issuer(&self, by: &By, issuer: &VerifyingKey) -> Result<bool, Error> {
        self.store.trust_issuer(by, issuer).await
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

    /// The issuer in force. One that was put in force on another server is it within a second.
    pub(crate) async fn issuer(&self) -> Result<Arc<Issuer>, Error> {
        Ok(Arc::clone(&self.issuers().await?.current))
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

    /// After a change that is made: where the store cannot be asked now, it is seen a little later.
    pub(crate) async fn reload_issuers_if_possible(&self) {
        if let Err(error) = self.reload_issuers().await {
            tracing::warn!(%error, "the issuers cannot be read again yet");
        }
    }

    pub(crate) async fn reload_issuers(&self) -> Result<Arc<Issuers>, Error> {
        let known = self.issuers.read().map_err(|_| LOCK)?.clone();
        let Self { store, masters, settings, .. } = self;
        let fresh = Issuers::load(&**store, masters, *settings, Some(&known.current)).await?;
        let fresh = Arc::new(fresh);
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
pub(crate) struct Issuers {
    /// The one that attests.
    current: Arc<Issuer>,
    /// It and the retired ones, newest first.
    own: Vec<VerifyingKey>,
    trusted: Arc<TrustedIssuers>,
    loaded_at: Instant,
}

impl Issuers {
    /// Reads them; the issuer `known` is not opened again.
    async fn load(
        store: &dyn Store,
        masters: &Masters,
        settings: Settings,
        known: Option<&Arc<Issuer>>,
    ) -> Result<Self, Error> {
        let loaded_at = Instant::now();
        let mut records = store.key_versions(AccountId::SERVER, RecordKind::IssuerKey).await?;
        records.sort_by_key(|record| record.retired_at.is_some());
        let in_force = records.first().filter(|record| record.retired_at.is_none());
        let record = in_force.ok_or(Error::Corrupt { what: "no issuer key is in force" })?;
        let is_it = |issuer: &&Arc<Issuer>| issuer.verifying_key().as_bytes() == record.public_key;
        let current = match known.filter(is_it) {
            Some(issuer) => Arc::clone(issuer),
            None => {
                let open = |masters: &MasterKeys, record: &KeyRecord| {
                    Issuer::open(masters, &record.public_key, &record.sealed)
                };
                Arc::new(masters.open_record(record, open).await?)
            }
        };
        let own = records
            .iter()
            .map(|record| VerifyingKey::from_bytes(&record.public_key))
            .collect::<Result<Vec<_>, _>>()?;
        let trusted = if settings.dangerously_trust_any_issuer {
            TrustedIssuers::dangerously_any()
        } else {
            TrustedIssuers::new(own.iter().cloned().chain(store.trusted_issuers().await?))
        };
        Ok(Self { current, own, trusted: Arc::new(trusted), loaded_at })
    }
}

/// Trust given, or an issuer put in force, on one server reaches the others within this time.
const ISSUERS_MAX_AGE: Duration = Duration::from_secs(1);
const LOCK: Error = Error::Internal { what: "the lock on the issuers" };
