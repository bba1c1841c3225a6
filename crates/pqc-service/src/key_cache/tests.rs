//! The bound, whom a key serves, and when it goes.

use std::sync::Weak;

use pqc_core::seal::RecordKind;
use pqc_core::{
    DecapsulationKey, Issuer, KemAlgorithm, MasterKey, Secret, SignatureAlgorithm, Timestamp,
    TrustedIssuers,
};

use super::*;

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
const NOW: Timestamp = Timestamp::from_seconds(100);

fn master(version: u32) -> MasterKey {
    MasterKey::new(version, Secret::from([7; 32]))
}

fn masters() -> MasterKeys {
    MasterKeys::new(master(1))
}

/// The row of a new KEM key pair, and what it is opened to.
fn pair() -> (KeyRecord, OfRow<PreparedDecapsulationKey>) {
    let rng = &mut getrandom::SysRng;
    let key = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng).unwrap();
    let public = key.encapsulation_key();
    let record = KeyRecord {
        account: ACCOUNT,
        id: public.key_id(),
        kind: RecordKind::DecapsulationKey,
        algorithm: public.algorithm().name().to_owned(),
        version: None,
        public_key: public.as_bytes().to_vec(),
        attestation: Vec::new(),
        sealed: key.seal(&masters(), ACCOUNT, rng).unwrap(),
        created_at: NOW,
        retired_at: None,
    };
    let opened = OfRow::new(&record, key.prepare().unwrap());
    (record, opened)
}

fn signing(record: &KeyRecord) -> OfRow<SigningKey> {
    let rng = &mut getrandom::SysRng;
    OfRow::new(record, SigningKey::generate(SignatureAlgorithm::MlDsa44, rng).unwrap())
}

/// Keeps a new pair: its row, and whether it is in memory.
fn kept(cache: &KeyCache) -> (KeyRecord, Weak<PreparedDecapsulationKey>) {
    let (record, opened) = pair();
    let key = Arc::downgrade(&cache.keep_decapsulation_key(opened));
    (record, key)
}

/// The bytes of one pair.
fn one() -> u64 {
    let cache = KeyCache::new(1 << 20);
    kept(&cache);
    cache.figures().bytes
}

fn has(cache: &KeyCache, record: &KeyRecord) -> bool {
    cache.decapsulation_key(&masters(), record).is_some()
}

#[test]
fn keys_never_take_more_than_there_is_room_for_and_those_that_leave_are_dropped() {
    let (record, opened) = pair();
    let row = record.public_key.len() + record.sealed.as_bytes().len();
    let least = (row + opened.key.memory_bytes()) as u64;
    assert!((least..least + 1000).contains(&one()) && least > 1632 + 800, "{least}");
    for (room, fit) in [(0, 0), (one() - 1, 0), (one() * 5 / 4, 1), (one() * 8, 7)] {
        let cache = KeyCache::new(room);
        let mut all = Vec::new();
        for _ in 0..30 {
            all.push(kept(&cache));
            let bytes = cache.figures().bytes;
            assert!(bytes <= room, "{bytes} of {room}");
            let living = all.iter().filter(|(_, key)| key.strong_count() > 0).count() as u64;
            assert_eq!(living * one(), bytes, "what left is gone");
        }
        let found = all.iter().filter(|(record, _)| has(&cache, record)).count();
        assert!((fit..=fit + 1).contains(&found), "{found} for {fit}");
    }
}

#[test]
fn a_key_that_is_kept_again_is_there_once() {
    let cache = KeyCache::new(1 << 20);
    let (record, opened) = pair();
    let first = Arc::downgrade(&cache.keep_decapsulation_key(opened));
    let again = pair().1;
    let again = OfRow { id: record.id, public_key: record.public_key.clone(), ..again };
    let again = OfRow { sealed: record.sealed.clone(), ..again };
    cache.keep_decapsulation_key(again);
    assert_eq!((first.strong_count(), cache.figures().bytes), (0, one()));
    assert!(has(&cache, &record));
}

#[test]
fn a_key_serves_its_own_row_alone() {
    let cache = KeyCache::new(1 << 20);
    let (record, other) = (kept(&cache).0, kept(&cache).0);
    let altered = |index: usize| {
        let mut sealed = record.sealed.as_bytes().to_vec();
        sealed[index] ^= 1;
        KeyRecord { sealed: SealedRecord::from_bytes(sealed).unwrap(), ..record.clone() }
    };
    let mut public_key = record.public_key.clone();
    public_key[9] ^= 1;
    let elsewhere = AccountId::from_bytes([2; 16]);
    for row in [
        altered(record.sealed.as_bytes().len() - 1),
        altered(20),
        KeyRecord { sealed: other.sealed.clone(), ..record.clone() },
        KeyRecord { public_key, ..record.clone() },
        KeyRecord { public_key: other.public_key.clone(), ..record.clone() },
        KeyRecord { account: elsewhere, ..record.clone() },
        KeyRecord { id: other.id, ..record.clone() },
    ] {
        assert!(!has(&cache, &row), "{row:?}");
    }
    assert!(has(&cache, &record) && has(&cache, &other));
}

#[test]
fn a_key_serves_while_the_master_key_of_its_row_is_in_force() {
    let cache = KeyCache::new(1 << 20);
    let (record, _) = kept(&cache);
    let rotating = masters().rotated_to(master(2));
    assert!(cache.decapsulation_key(&rotating, &record).is_some());
    assert!(cache.decapsulation_key(&rotating.without_older(), &record).is_none());
}

#[test]
fn a_key_of_another_kind_is_none() {
    let cache = KeyCache::new(1 << 20);
    let (record, _) = kept(&cache);
    assert!(cache.signing_key(&masters(), &record).is_none());
    cache.keep_signing_key(signing(&record));
    assert!(cache.signing_key(&masters(), &record).is_some());
    assert!(!has(&cache, &record));
}

#[test]
fn a_forgotten_key_is_dropped_when_its_last_call_has_ended() {
    let cache = KeyCache::new(1 << 20);
    let ((record, key), (other, _)) = (kept(&cache), kept(&cache));
    let in_call = cache.decapsulation_key(&masters(), &record).unwrap();
    cache.forget(ACCOUNT, record.id);
    assert!(!has(&cache, &record) && has(&cache, &other));
    assert_eq!((key.strong_count(), cache.figures().bytes), (1, one()));
    drop(in_call);
    assert_eq!(key.strong_count(), 0);
}

#[test]
fn what_nobody_uses_is_forgotten_and_what_is_used_stays() {
    let mut cache = KeyCache::new(1 << 20);
    let ((used, _), (unused, key)) = (kept(&cache), kept(&cache));
    let passes = |cache: &mut KeyCache, time| cache.begun = cache.begun.checked_sub(time).unwrap();
    passes(&mut cache, KEPT_UNUSED / 2);
    assert!(has(&cache, &used));
    passes(&mut cache, KEPT_UNUSED / 2 - Duration::from_secs(5));
    cache.forget_unused();
    assert_eq!(key.strong_count(), 1, "its time is not over");
    passes(&mut cache, Duration::from_secs(10));
    cache.forget_unused();
    assert_eq!(key.strong_count(), 0);
    assert!(has(&cache, &used) && !has(&cache, &unused));
}

#[test]
fn an_attested_key_is_known_by_all_that_was_verified() {
    let rng = &mut getrandom::SysRng;
    let cache = KeyCache::new(1 << 20);
    let issuer = || Issuer::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng).unwrap();
    let (issuer, other) = (issuer(), issuer());
    let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng).unwrap();
    let public = receiver.encapsulation_key();
    let mut attest = |by: &Issuer| by.attest(ACCOUNT, public, NOW, None, rng).unwrap();
    let (attestation, another) = (attest(&issuer), attest(&issuer));
    let key = UnverifiedKey::from_bytes(public.as_bytes()).unwrap();
    let (trusted, by) = (TrustedIssuers::dangerously_any(), issuer.verifying_key());
    let verify = RememberedAttestation::verify;
    let known = verify(&key, &attestation, by, &trusted, None, NOW).unwrap();
    assert!(cache.attested_key(&key, &attestation, by).is_none());
    cache.keep_attested_key(&key, known);
    assert!(cache.attested_key(&key, &attestation, by).is_some());
    assert!(cache.attested_key(&key, &another, by).is_none());
    assert!(cache.attested_key(&key, &attestation, other.verifying_key()).is_none());
    let figures = cache.figures();
    assert_eq!(figures.attested_keys, LookupFigures { hits: 1, misses: 3 });
    assert!(figures.bytes > 0);
}

#[test]
fn lookups_are_counted_by_kind() {
    let cache = KeyCache::new(1 << 20);
    let ((record, _), (other, opened)) = (kept(&cache), pair());
    assert!(has(&cache, &record) && has(&cache, &record) && !has(&cache, &other));
    cache.keep_decapsulation_key(opened);
    cache.forget(ACCOUNT, other.id);
    cache.keep_signing_key(signing(&other));
    assert!(cache.signing_key(&masters(), &other).is_some());
    let figures = cache.figures();
    assert_eq!(figures.decapsulation_keys, LookupFigures { hits: 2, misses: 1 });
    assert_eq!(figures.signing_keys, LookupFigures { hits: 1, misses: 0 });
    assert_eq!(figures.attested_keys, LookupFigures::default());
}
