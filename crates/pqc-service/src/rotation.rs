//! Versions of the keys of which there is one in force: an account's signing keys and its AES key,
//! the server's issuer key.
//!
//! The newest version is in force, unless it was destroyed. Making one retires all before it in the
//! same step, so that of two calls at once one comes after the other; those that are retired go on
//! verifying and decrypting. A version number is used once, as long as its row is there.

use pqc_core::audit::CheckpointKey;
use pqc_core::message::AccountKey;
use pqc_core::seal::RecordKind;
use pqc_core::{
    AccountId, Issuer, KeyId, MasterKeys, SealedRecord, SignatureAlgorithm, SigningKey, Timestamp,
};

use crate::audit::By;
use crate::error::Error;
use crate::host::{Host, HostRng};
use crate::masters::{Insert, Masters};
use crate::quota::Quota;
use crate::service::Service;
use crate::store::{KeyInfo, KeyRecord, Store};

impl Service {
    /// Puts a new signing key of this algorithm in force for the account. Signatures by the older
    /// ones go on verifying.
    ///
    /// # Errors
    /// [`Error::QuotaFull`]. [`Error::Unavailable`]: other rotations were in the way; nothing was
    /// done. Those of the store; [`Error::Core`]: the generator failed.
    pub async fn rotate_signing_key(
        &self,
        by: &By,
        account: AccountId,
        algorithm: SignatureAlgorithm,
    ) -> Result<KeyInfo, Error> {
        let now = self.store.now().await?;
        put_next(
            &self.masters,
            by,
            Some(&self.key_quota),
            new_signing_key(&*self.host, account, algorithm, now)?,
        )
        .await
    }

    /// Puts a new AES key in force for the account. What the older ones encrypted goes on being
    /// decrypted by them.
    ///
    /// # Errors
    /// As [`Self::rotate_signing_key`].
    pub async fn rotate_account_key(&self, by: &By, account: AccountId) -> Result<KeyInfo, Error> {
        let now = self.store.now().await?;
        let key = new_account_key(&*self.host, account, now)?;
        put_next(&self.masters, by, Some(&self.key_quota), key).await
    }

    /// Puts a new issuer key in force for the server. What the older ones attested goes on being
    /// verified; other servers on the store attest by the older one for a second.
    ///
    /// # Errors
    /// As [`Self::rotate_signing_key`].
    pub async fn rotate_issuer(&self, by: &By) -> Result<KeyInfo, Error> {
        let now = self.store.now().await?;
        let made = put_next(&self.masters, by, None, new_issuer(&*self.host, now)?).await?;
        self.reload_issuers_if_possible().await;
        Ok(made)
    }

    /// The account's signing key of this algorithm that is in force, made if there is none.
    pub(crate) async fn current_signing_key(
        &self,
        by: &By,
        account: AccountId,
        algorithm: SignatureAlgorithm,
    ) -> Result<KeyRecord, Error> {
        let make = |now| new_signing_key(&*self.host, account, algorithm, now);
        let kind = RecordKind::SigningKey;
        let quota = Some(&self.key_quota);
        current_or_new(&self.masters, by, quota, account, kind, algorithm.name(), make).await
    }

    /// The account's AES key that is in force, made if there is none.
    pub(crate) async fn current_account_key(
        &self,
        by: &By,
        account: AccountId,
    ) -> Result<KeyRecord, Error> {
        let make = |now| new_account_key(&*self.host, account, now);
        let kind = RecordKind::AesKey;
        let quota = Some(&self.key_quota);
        current_or_new(&self.masters, by, quota, account, kind, AccountKey::ALGORITHM, make).await
    }
}

/// The server's issuer key that is in force, made if there is none.
pub(crate) async fn current_issuer(masters: &Masters, host: &dyn Host) -> Result<KeyRecord, Error> {
    let make = |now| new_issuer(host, now);
    let (kind, algorithm) = (RecordKind::IssuerKey, ISSUER_ALGORITHM.name());
    current_or_new(masters, &By::SERVER, None, AccountId::SERVER, kind, algorithm, make).await
}

/// The server's key of audit checkpoints that is in force, made if there is none.
pub(crate) async fn current_checkpoint_key(
    masters: &Masters,
    host: &dyn Host,
) -> Result<KeyRecord, Error> {
    let make = |now| new_checkpoint_key(host, now);
    let (kind, algorithm) = (RecordKind::CheckpointKey, CheckpointKey::ALGORITHM.name());
    current_or_new(masters, &By::SERVER, None, AccountId::SERVER, kind, algorithm, make).await
}

/// A key that is not stored yet; `seal` has its secret.
struct NewKey<S> {
    account: AccountId,
    id: KeyId,
    kind: RecordKind,
    algorithm: &'static str,
    public_key: Vec<u8>,
    created_at: Timestamp,
    seal: S,
}

/// How a secret is sealed under the master keys of now.
trait Seal: Fn(&MasterKeys) -> Result<SealedRecord, pqc_core::Error> + Send + Sync {}

impl<F: Fn(&MasterKeys) -> Result<SealedRecord, pqc_core::Error> + Send + Sync> Seal for F {}

fn new_signing_key(
    host: &dyn Host,
    account: AccountId,
    algorithm: SignatureAlgorithm,
    created_at: Timestamp,
) -> Result<NewKey<impl Seal>, Error> {
    let key = SigningKey::generate(algorithm, &mut HostRng(host))?;
    Ok(NewKey {
        account,
        id: key.verifying_key().key_id(),
        kind: RecordKind::SigningKey,
        algorithm: algorithm.name(),
        public_key: key.verifying_key().as_bytes().to_vec(),
        created_at,
        seal: move |masters: &MasterKeys| key.seal(masters, account, &mut HostRng(host)),
    })
}

fn new_account_key(
    host: &dyn Host,
    account: AccountId,
    created_at: Timestamp,
) -> Result<NewKey<impl Seal>, Error> {
    let key = AccountKey::generate(&mut HostRng(host))?;
    Ok(NewKey {
        account,
        id: key.id(),
        kind: RecordKind::AesKey,
        algorithm: AccountKey::ALGORITHM,
        public_key: Vec::new(),
        created_at,
        seal: move |masters: &MasterKeys| key.seal(masters, account, &mut HostRng(host)),
    })
}

fn new_issuer(host: &dyn Host, created_at: Timestamp) -> Result<NewKey<impl Seal>, Error> {
    let issuer = Issuer::generate(ISSUER_ALGORITHM, &mut HostRng(host))?;
    Ok(NewKey {
        account: AccountId::SERVER,
        id: issuer.verifying_key().key_id(),
        kind: RecordKind::IssuerKey,
        algorithm: ISSUER_ALGORITHM.name(),
        public_key: issuer.verifying_key().as_bytes().to_vec(),
        created_at,
        seal: move |masters: &MasterKeys| issuer.seal(masters, &mut HostRng(host)),
    })
}

fn new_checkpoint_key(host: &dyn Host, created_at: Timestamp) -> Result<NewKey<impl Seal>, Error> {
    let key = CheckpointKey::generate(&mut HostRng(host))?;
    Ok(NewKey {
        account: AccountId::SERVER,
        id: key.verifying_key().key_id(),
        kind: RecordKind::CheckpointKey,
        algorithm: CheckpointKey::ALGORITHM.name(),
        public_key: key.verifying_key().as_bytes().to_vec(),
        created_at,
        seal: move |masters: &MasterKeys| key.seal(masters, &mut HostRng(host)),
    })
}

impl<S: Seal> NewKey<S> {
    /// Stores it as this version, in force, where there is room; `false`: another call was first.
    async fn put_in_force(
        &self,
        masters: &Masters,
        by: &By,
        quota: Option<&Quota>,
        version: u32,
    ) -> Result<(bool, KeyRecord), Error> {
        let make = |keys: &MasterKeys| {
            Ok(KeyRecord {
                account: self.account,
                id: self.id,
                kind: self.kind,
                algorithm: self.algorithm.to_owned(),
                version: Some(version),
                public_key: self.public_key.clone(),
                attestation: Vec::new(),
                sealed: (self.seal)(keys)?,
                created_at: self.created_at,
                retired_at: None,
            })
        };
        let place = match quota {
            Some(quota) => Some(quota.reserve(masters.store(), self.account).await?),
            None => None,
        };
        let made = masters.insert_sealed(by, Insert::InForce, make).await;
        if let Some(place) = place {
            place.settle(made.as_ref().map(|(made, _)| *made));
        }
        made
    }
}

/// Stores the key as the newest version.
async fn put_next(
    masters: &Masters,
    by: &By,
    quota: Option<&Quota>,
    key: NewKey<impl Seal>,
) -> Result<KeyInfo, Error> {
    for _ in 0..MAX_TRIES {
        let version = next_version(masters.store(), key.account, key.kind, key.algorithm).await?;
        if let (true, record) = key.put_in_force(masters, by, quota, version).await? {
            return Ok(KeyInfo::from(record));
        }
    }
    Err(in_the_way())
}

/// The version in force; where there is none, the one that `make` makes, or that another call made
/// meanwhile.
async fn current_or_new<S: Seal>(
    masters: &Masters,
    by: &By,
    quota: Option<&Quota>,
    account: AccountId,
    kind: RecordKind,
    algorithm: &str,
    make: impl FnOnce(Timestamp) -> Result<NewKey<S>, Error> + Send,
) -> Result<KeyRecord, Error> {
    let store = masters.store();
    if let Some(found) = store.current_key(account, kind, algorithm).await? {
        return Ok(found);
    }
    let key = make(store.now().await?)?;
    for _ in 0..MAX_TRIES {
        let version = next_version(store, account, kind, algorithm).await?;
        // After that look: one that is made from now on has the version that is tried here.
        if let Some(found) = store.current_key(account, kind, algorithm).await? {
            return Ok(found);
        }
        if let (true, record) = key.put_in_force(masters, by, quota, version).await? {
            return Ok(record);
        }
    }
    Err(in_the_way())
}

async fn next_version(
    store: &dyn Store,
    account: AccountId,
    kind: RecordKind,
    algorithm: &str,
) -> Result<u32, Error> {
    let newest = store.newest_version(account, kind, algorithm).await?;
    let next = newest.unwrap_or_default().checked_add(1);
    next.ok_or(Error::Corrupt { what: "the version of a key is the last there can be" })
}

fn in_the_way() -> Error {
    Error::Unavailable("other rotations of the same key are in the way; try again".to_owned())
}

const ISSUER_ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::MlDsa65;
/// How often a version is tried that other calls take.
const MAX_TRIES: u32 = 10;
