//! Keys in memory, opened and decoded, for the next call with the same.
//!
//! It never changes an answer. A stored key's row is read anew for each call, and what is kept serves
//! only if it was made of that very row; of an attested key everything but the signature is checked
//! anew. A secret is overwritten when it leaves: for want of room, when its key is destroyed through
//! this server, or when nobody asked for it for [`KEPT_UNUSED`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pqc_core::attest::RememberedAttestation;
use pqc_core::kem::PreparedDecapsulationKey;
use pqc_core::{AccountId, Attestation, KeyId, SigningKey, UnverifiedKey, VerifyingKey};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::store::KeyRecord;

/// The keys.
pub(crate) struct KeyCache {
    kept: Cache<Name, Arc<Entry>, Weight>,
    begun: Instant,
    lookups: [Lookups; KINDS],
}

/// How often a key was asked for, and was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Stored KEM key pairs: there, and not there.
    pub decapsulation_keys: (u64, u64),
    /// Stored signing keys: there, and not there.
    pub signing_keys: (u64, u64),
    /// Attested encapsulation keys: there, and not there.
    pub attested_keys: (u64, u64),
    /// The bytes that all of them take.
    pub bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Stored(AccountId, KeyId),
    Attested(KeyId),
}

/// What is kept of a stored key, beside the parts of the row that it was made of.
struct OfRow<K> {
    public_key: Vec<u8>,
    sealed: Vec<u8>,
    key: Arc<K>,
}

enum Kept {
    Decapsulation(OfRow<PreparedDecapsulationKey>),
    Signing(OfRow<SigningKey>),
    Attested(Arc<RememberedAttestation>),
}

struct Entry {
    kept: Kept,
    /// In seconds since the cache was begun.
    used: AtomicU64,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Name, Arc<Entry>> for Weight {
    fn weight(&self, _: &Name, entry: &Arc<Entry>) -> u64 {
        let bytes = match &entry.kept {
            Kept::Decapsulation(of) => of.memory_bytes(of.key.memory_bytes()),
            Kept::Signing(of) => of.memory_bytes(of.key.memory_bytes()),
            Kept::Attested(key) => key.memory_bytes(),
        };
        bytes.saturating_add(ENTRY_BYTES) as u64
    }
}

impl<K> OfRow<K> {
    fn new(record: &KeyRecord, key: &Arc<K>) -> Self {
        Self {
            public_key: record.public_key.clone(),
            sealed: record.sealed.as_bytes().to_vec(),
            key: Arc::clone(key),
        }
    }

    /// The key, if it was made of this row.
    fn of(&self, record: &KeyRecord) -> Option<Arc<K>> {
        let same = self.sealed == record.sealed.as_bytes() && self.public_key == record.public_key;
        same.then(|| Arc::clone(&self.key))
    }

    fn memory_bytes(&self, key: usize) -> usize {
        self.public_key.len().saturating_add(self.sealed.len()).saturating_add(key)
    }
}

#[derive(Debug, Default)]
struct Lookups {
    there: AtomicU64,
    not_there: AtomicU64,
}

impl Lookups {
    fn count<T>(&self, found: Option<T>) -> Option<T> {
        let counter = if found.is_some() { &self.there } else { &self.not_there };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn figures(&self) -> (u64, u64) {
        (self.there.load(Ordering::Relaxed), self.not_there.load(Ordering::Relaxed))
    }
}

impl KeyCache {
    /// With room for so many bytes of keys; 0: nothing is kept.
    pub(crate) fn new(bytes: u64) -> Self {
        let typical = usize::try_from(bytes).unwrap_or(usize::MAX) / TYPICAL_BYTES;
        let kept = Cache::with_weighter(typical.max(1), bytes, Weight);
        Self { kept, begun: Instant::now(), lookups: Default::default() }
    }

    /// The stored KEM key pair of this row.
    pub(crate) fn decapsulation_key(
        &self,
        record: &KeyRecord,
    ) -> Option<Arc<PreparedDecapsulationKey>> {
        let found = self.used(&Name::Stored(record.account, record.id));
        let [lookups, _, _] = &self.lookups;
        lookups.count(found.and_then(|entry| match &entry.kept {
            Kept::Decapsulation(key) => key.of(record),
            _ => None,
        }))
    }

    /// The stored signing key of this row.
    pub(crate) fn signing_key(&self, record: &KeyRecord) -> Option<Arc<SigningKey>> {
        let found = self.used(&Name::Stored(record.account, record.id));
        let [_, lookups, _] = &self.lookups;
        lookups.count(found.and_then(|entry| match &entry.kept {
            Kept::Signing(key) => key.of(record),
            _ => None,
        }))
    }

    /// The key that was verified with this attestation, by this issuer.
    pub(crate) fn attested_key(
        &self,
        key: &UnverifiedKey,
        attestation: &Attestation,
        issuer: &VerifyingKey,
    ) -> Option<Arc<RememberedAttestation>> {
        let found = self.used(&Name::Attested(key.key_id()));
        let [_, _, lookups] = &self.lookups;
        lookups.count(found.and_then(|entry| match &entry.kept {
            Kept::Attested(known) if known.is_of(key, attestation, issuer) => {
                Some(Arc::clone(known))
            }
            _ => None,
        }))
    }

    /// Keeps the key pair of this row.
    pub(crate) fn keep_decapsulation_key(
        &self,
        record: &KeyRecord,
        key: &Arc<PreparedDecapsulationKey>,
    ) {
        self.keep_stored(record, Kept::Decapsulation(OfRow::new(record, key)));
    }

    /// Keeps the signing key of this row.
    pub(crate) fn keep_signing_key(&self, record: &KeyRecord, key: &Arc<SigningKey>) {
        self.keep_stored(record, Kept::Signing(OfRow::new(record, key)));
    }

    /// Keeps a key that was verified.
    pub(crate) fn keep_attested_key(
        &self,
        key: &UnverifiedKey,
        known: &Arc<RememberedAttestation>,
    ) {
        self.keep(Name::Attested(key.key_id()), Kept::Attested(Arc::clone(known)));
    }

    /// Forgets a stored key.
    pub(crate) fn forget(&self, account: AccountId, id: KeyId) {
        self.kept.remove(&Name::Stored(account, id));
    }

    /// Forgets what nobody asked for lately.
    pub(crate) fn forget_unused(&self) {
        let since = self.now().saturating_sub(KEPT_UNUSED.as_secs());
        self.kept.retain(|_, entry| entry.used.load(Ordering::Relaxed) >= since);
    }

    /// What was asked for, and how much there is.
    pub(crate) fn figures(&self) -> CacheFigures {
        let [decapsulation, signing, attested] = &self.lookups;
        CacheFigures {
            decapsulation_keys: decapsulation.figures(),
            signing_keys: signing.figures(),
            attested_keys: attested.figures(),
            bytes: self.kept.weight(),
        }
    }

    fn used(&self, name: &Name) -> Option<Arc<Entry>> {
        let entry = self.kept.get(name)?;
        entry.used.store(self.now(), Ordering::Relaxed);
        Some(entry)
    }

    fn keep_stored(&self, record: &KeyRecord, kept: Kept) {
        self.keep(Name::Stored(record.account, record.id), kept);
    }

    fn keep(&self, name: Name, kept: Kept) {
        let used = AtomicU64::new(self.now());
        self.kept.insert(name, Arc::new(Entry { kept, used }));
    }

    fn now(&self) -> u64 {
        self.begun.elapsed().as_secs()
    }
}

const KINDS: usize = 3;
/// After that long without a call, a key is forgotten.
pub(crate) const KEPT_UNUSED: Duration = Duration::from_secs(600);
/// Of an entry, around the key.
const ENTRY_BYTES: usize = 200;
/// An ML-KEM-768 key pair.
const TYPICAL_BYTES: usize = 16 * 1024;
