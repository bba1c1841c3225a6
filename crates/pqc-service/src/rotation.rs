//! Versions of the keys of which there is one in force: an account's signing keys and its AES key,
//! the server's issuer key.
//!
//! The newest version is in force, unless it was destroyed. Making one retires all before it in the
//! same step, so that of two calls at once one comes after the other; those that are retired go on
//! verifying and decrypting. A version number is used once, as long as its row is there.

use pqc_core::message::AccountKey;
use pqc_core::seal::RecordKind;
use pqc_core::{
    AccountId, Issuer, KeyId, MasterKeys, SealedRecord, SignatureAlgorithm, SigningKey, Timestamp,
    VerifyingKey,
};

use crate::error::Error;
use crate::host::{Host, HostRng};
use crate::service::Service;
use crate::store::{KeyInfo, KeyRecord, Store};

impl Service {
    /// Puts a new signing key of this algorithm in force for the account. Signatures by the older
    /// ones go on verifying.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: other rotations were in the way; nothing was done. Those of the
    /// store; [`Error::Core`]: the generator failed.
    pub async fn rotate_signing_key(
        &self,
        account: AccountId,
        algorithm: SignatureAlgorithm,
    ) -> Result<KeyInfo, Error> {
        let record = self.new_signing_key(account, algorithm, self.store.now().await?)?;
        put_next(&*self.store, record).await
    }

    /// Puts a new AES key in force for the account. What the older ones encrypted goes on being
    /// decrypted by them.
    ///
    /// # Errors
    /// As [`Self::rotate_signing_key`].
    pub async fn rotate_account_key(&self, account: AccountId) -> Result<KeyInfo, Error> {
        let record = self.new_account_key(account, self.store.now().await?)?;
        put_next(&*self.store, record).await
    }

    /// Puts a new issuer key in force for the server. What the older ones attested goes on being
    /// verified; other servers on the store attest by the older one for a second.
    ///
    /// # Errors
    /// As [`Self::rotate_signing_key`].
    pub async fn rotate_issuer(&self) -> Result<KeyInfo, Error> {
        let now = self.store.now().await?;
        let made = put_next(&*self.store, new_issuer(&self.masters, &*self.host, now)?).await?;
        self.reload_issuers().await?;
        Ok(made)
    }

    /// The account's signing key of this algorithm that is in force, made if there is none.
    pub(crate) async fn current_signing_key(
        &self,
        account: AccountId,
        algorithm: SignatureAlgorithm,
    ) -> Result<KeyRecord, Error> {
        let make = |now| self.new_signing_key(account, algorithm, now);
        let kind = RecordKind::SigningKey;
        current_or_new(&*self.store, account, kind, algorithm.name(), make).await
    }

    /// The account's AES key that is in force, made if there is none.
    pub(crate) async fn current_account_key(&self, account: AccountId) -> Result<KeyRecord, Error> {
        let make = |now| self.new_account_key(account, now);
        let kind = RecordKind::AesKey;
        current_or_new(&*self.store, account, kind, AccountKey::ALGORITHM, make).await
    }

    fn new_signing_key(
        &self,
        account: AccountId,
        algorithm: SignatureAlgorithm,
        now: Timestamp,
    ) -> Result<KeyRecord, Error> {
        let key = SigningKey::generate(algorithm, &mut self.rng())?;
        let sealed = key.seal(&self.masters, account, &mut self.rng())?;
        Ok(signing_record(account, RecordKind::SigningKey, key.verifying_key(), sealed, now))
    }

    fn new_account_key(&self, account: AccountId, now: Timestamp) -> Result<KeyRecord, Error> {
        let key = AccountKey::generate(&mut self.rng())?;
        let sealed = key.seal(&self.masters, account, &mut self.rng())?;
        let (kind, algorithm) = (RecordKind::AesKey, AccountKey::ALGORITHM);
        Ok(record(account, key.id(), kind, algorithm, Vec::new(), sealed, now))
    }
}

/// The server's issuer key that is in force, made if there is none.
pub(crate) async fn current_issuer(
    store: &dyn Store,
    masters: &MasterKeys,
    host: &dyn Host,
) -> Result<KeyRecord, Error> {
    let make = |now| new_issuer(masters, host, now);
    let (kind, algorithm) = (RecordKind::IssuerKey, ISSUER_ALGORITHM.name());
    current_or_new(store, AccountId::SERVER, kind, algorithm, make).await
}

fn new_issuer(masters: &MasterKeys, host: &dyn Host, now: Timestamp) -> Result<KeyRecord, Error> {
    let issuer = Issuer::generate(ISSUER_ALGORITHM, &mut HostRng(host))?;
    let sealed = issuer.seal(masters, &mut HostRng(host))?;
    let (account, kind) = (AccountId::SERVER, RecordKind::IssuerKey);
    Ok(signing_record(account, kind, issuer.verifying_key(), sealed, now))
}

fn signing_record(
    account: AccountId,
    kind: RecordKind,
    public: &VerifyingKey,
    sealed: SealedRecord,
    now: Timestamp,
) -> KeyRecord {
    let (algorithm, public_key) = (public.algorithm().name(), public.as_bytes().to_vec());
    record(account, public.key_id(), kind, algorithm, public_key, sealed, now)
}

/// A record whose version is set when it is stored.
fn record(
    account: AccountId,
    id: KeyId,
    kind: RecordKind,
    algorithm: &str,
    public_key: Vec<u8>,
    sealed: SealedRecord,
    created_at: Timestamp,
) -> KeyRecord {
    KeyRecord {
        account,
        id,
        kind,
        algorithm: algorithm.to_owned(),
        version: None,
        public_key,
        attestation: Vec::new(),
        sealed,
        created_at,
        retired_at: None,
    }
}

/// Stores the record as the newest version.
async fn put_next(store: &dyn Store, mut record: KeyRecord) -> Result<KeyInfo, Error> {
    for _ in 0..MAX_TRIES {
        record.version = Some(next_version(store, &record).await?);
        if store.put_in_force(record.clone()).await? {
            return Ok(KeyInfo::from(record));
        }
    }
    Err(in_the_way())
}

/// The version in force; where there is none, the one that `make` makes, or that another call made
/// meanwhile.
async fn current_or_new(
    store: &dyn Store,
    account: AccountId,
    kind: RecordKind,
    algorithm: &str,
    make: impl FnOnce(Timestamp) -> Result<KeyRecord, Error> + Send,
) -> Result<KeyRecord, Error> {
    if let Some(found) = store.current_key(account, kind, algorithm).await? {
        return Ok(found);
    }
    let mut record = make(store.now().await?)?;
    for _ in 0..MAX_TRIES {
        record.version = Some(next_version(store, &record).await?);
        // After that look: one that is made from now on has the version that is tried here.
        if let Some(found) = store.current_key(account, kind, algorithm).await? {
            return Ok(found);
        }
        if store.put_in_force(record.clone()).await? {
            return Ok(record);
        }
    }
    Err(in_the_way())
}

async fn next_version(store: &dyn Store, record: &KeyRecord) -> Result<u32, Error> {
    let newest = store.newest_version(record.account, record.kind, &record.algorithm).await?;
    let next = newest.unwrap_or_default().checked_add(1);
    next.ok_or(Error::Corrupt { what: "the version of a key is the last there can be" })
}

fn in_the_way() -> Error {
    Error::Unavailable("other rotations of the same key are in the way; try again".to_owned())
}

const ISSUER_ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::MlDsa65;
/// How often a version is tried that other calls take.
const MAX_TRIES: u32 = 10;
