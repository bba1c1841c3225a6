//! Keys in memory, opened and decoded, for the next call with the same.
//!
//! It never changes an answer. A stored key's row is read anew for each call, and what is kept serves
//! only if it was made of that very row, and the master key that sealed that is still in force; of an
//! attested key everything but the signature is checked anew. A key leaves for want of room, when it
//! is destroyed through this server or found to be gone, or when nobody asked for it for
//! [`KEPT_UNUSED`]; then its secret is overwritten, or when the last call that has it has ended. (One
//! that was opened just before its destruction may come in just after: it answers nothing, and leaves
//! unused.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pqc_core::attest::RememberedAttestation;
use pqc_core::kem::PreparedDecapsulationKey;
use pqc_core::{
    AccountId, Attestation, KeyId, MasterKeys, SealedRecord, SigningKey, UnverifiedKey,
    VerifyingKey,
};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::store::KeyRecord;

/// The keys.
pub(crate) struct KeyCache {
    kept: Cache<Name, Arc<Entry>, Weight>,
    begun: Instant,
    lookups: [Counts; KINDS],
}

/// How the keys in memory do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Stored KEM key pairs.
    pub decapsulation_keys: LookupFigures,
    /// Stored signing keys.
    pub signing_keys: LookupFigures,
    /// Encapsulation keys with their attestations.
    pub attested_keys: LookupFigures,
    /// The bytes that all of them take.
    pub bytes: u64,
}

/// How often keys were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LookupFigures {
    /// The key was there.
    pub hits: u64,
    /// It was not.
    pub misses: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Stored(AccountId, KeyId),
    Attested(KeyId),
}

/// A stored key, opened, beside what of its row it was made of.
pub(crate) struct OfRow<K> {
    account: AccountId,
    id: KeyId,
    public_key: Vec<u8>,
    sealed: SealedRecord,
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
    /// A key that was made of this row just now.
    pub(crate) fn new(record: &KeyRecord, key: K) -> Self {
        Self {
            account: record.account,
            id: record.id,
            public_key: record.public_key.clone(),
            sealed: record.sealed.clone(),
            key: Arc::new(key),
        }
    }

    /// The key, if it was made of this row, and these master keys would open that.
    fn of(&self, masters: &MasterKeys, record: &KeyRecord) -> Option<Arc<K>> {
        let same = self.sealed == record.sealed && self.public_key == record.public_key;
        let opens = masters.has_version(record.sealed.master_version());
        (same && opens).then(|| Arc::clone(&self.key))
    }

    fn name(&self) -> Name {
        Name::Stored(self.account, self.id)
    }

    /// With a key of so many bytes.
    fn memory_bytes(&self, key: usize) -> usize {
        let row = self.public_key.len().saturating_add(self.sealed.as_bytes().len());
        row.saturating_add(key)
    }
}

#[derive(Debug, Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Counts {
    fn count<T>(&self, found: Option<T>) -> Option<T> {
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn figures(&self) -> LookupFigures {
        let [hits, misses] = [&self.hits, &self.misses].map(|count| count.load(Ordering::Relaxed));
        LookupFigures { hits, misses }
    }
}

impl KeyCache {
    /// With room for so many bytes of keys; 0: nothing is kept.
    pub(crate) fn new(bytes: u64) -> Self {
        let typical = usize::try_from(bytes).unwrap_or(usize::MAX) / TYPICAL_BYTES;
        let kept = Cache::with_weighter(typical.max(1), bytes, Weight);
        Self { kept, begun: Instant::now(), lookups: Default::default() }
    }

    /// The stored KEM key pair of this row, which these master keys open.
    pub(crate) fn decapsulation_key(
        &self,
        masters: &MasterKeys,
        record: &KeyRecord,
    ) -> Option<Arc<PreparedDecapsulationKey>> {
        let found = self.used(&Name::Stored(record.account, record.id));
        let [lookups, _, _] = &self.lookups;
        lookups.count(found.and_then(|entry| match &entry.kept {
            Kept::Decapsulation(key) => key.of(masters, record),
            _ => None,
        }))
    }

    /// The stored signing key of this row, which these master keys open.
    pub(crate) fn signing_key(
        &self,
        masters: &MasterKeys,
        record: &KeyRecord,
    ) -> Option<Arc<SigningKey>> {
        let found = self.used(&Name::Stored(record.account, record.id));
        let [_, lookups, _] = &self.lookups;
        lookups.count(found.and_then(|entry| match &entry.kept {
            Kept::Signing(key) => key.of(masters, record),
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

    /// Keeps a stored KEM key pair, if there is room for it; gives it back in any case.
    pub(crate) fn keep_decapsulation_key(
        &self,
        opened: OfRow<PreparedDecapsulationKey>,
    ) -> Arc<PreparedDecapsulationKey> {
        let (name, key) = (opened.name(), Arc::clone(&opened.key));
        self.keep(name, Kept::Decapsulation(opened));
        key
    }

    /// The same of a signing key.
    pub(crate) fn keep_signing_key(&self, opened: OfRow<SigningKey>) -> Arc<SigningKey> {
        let (name, key) = (opened.name(), Arc::clone(&opened.key));
        self.keep(name, Kept::Signing(opened));
        key
    }

    /// The same of a key that was verified.
    pub(crate) fn keep_attested_key(
        &self,
        key: &UnverifiedKey,
        known: RememberedAttestation,
    ) -> Arc<RememberedAttestation> {
        let known = Arc::new(known);
        self.keep(Name::Attested(key.key_id()), Kept::Attested(Arc::clone(&known)));
        known
    }

    /// Forgets a stored key.
    pub(crate) fn forget(&self, account: AccountId, id: KeyId) {
        self.kept.remove(&Name::Stored(account, id));
    }

    /// Forgets what nobody asked for lately. To be called again and again, in the background.
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
const KEPT_UNUSED: Duration = Duration::from_secs(600);
/// Of an entry, around the key: with what the allocator and the cache need for it.
const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<Name>() + 128;
/// More than an ML-KEM-768 key pair.
const TYPICAL_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests;
