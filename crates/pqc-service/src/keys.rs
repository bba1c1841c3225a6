//! Stored keys as their owner sees them: listed, looked at, destroyed and brought back. No secret
//! is opened here. (Their work is in `keyring.rs`, their versions in `rotation.rs`.)
//!
//! Destruction is soft: from then on a key is unknown to every operation, and for a grace it can be
//! brought back; after that its row is removed for good.

use pqc_core::seal::RecordKind;
use pqc_core::{
    AccountId, Attestation, KeyId, Timestamp, TrustedIssuers, UnverifiedKey,
    VerifiedEncapsulationKey, VerifyingKey,
};

use crate::audit::By;
use crate::error::Error;
use crate::service::Service;
use crate::store::{KeyInfo, Purged};

impl Service {
    /// A page of the account's keys, destroyed ones included, in the order of their making, after
    /// the one that was made at this time and has this id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keys(
        &self,
        account: AccountId,
        after: Option<(Timestamp, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error> {
        self.store.keys(account, after, limit).await
    }

    /// As [`Self::keys`], the newest first, of those before the one that was made at this time and has
    /// this id.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn newest_keys(
        &self,
        account: AccountId,
        before: Option<(Timestamp, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error> {
        self.store.newest_keys(account, before, limit).await
    }

    /// Those of the account's keys whose ids, written in hex, begin so; destroyed ones included, in the
    /// order of their ids.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn keys_that_begin(
        &self,
        account: AccountId,
        hex: &str,
        limit: u32,
    ) -> Result<Vec<KeyInfo>, Error> {
        self.store.keys_that_begin(account, hex, limit).await
    }

    /// What is told of one of the account's keys, be it destroyed or not.
    ///
    /// # Errors
    /// [`Error::UnknownKey`]; [`Error::Corrupt`]: its public key is another's; those of the store.
    pub async fn key_info(&self, account: AccountId, id: &KeyId) -> Result<KeyInfo, Error> {
        let key = self.store.key_info(account, id).await?.ok_or(Error::UnknownKey)?;
        if !key.public_key.is_empty() && KeyId::of_pair(&key.algorithm, &key.public_key) != key.id {
            return Err(Error::Corrupt { what: "a key's row with another's public key" });
        }
        Ok(key)
    }

    /// Which of the server's issuer keys, in force or retired, attested the key; `None`: none of
    /// them, or the key has no attestation.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn issuer_of(&self, key: &KeyInfo) -> Result<Option<VerifyingKey>, Error> {
        if key.kind != RecordKind::DecapsulationKey {
            return Ok(None);
        }
        let public = UnverifiedKey::from_bytes(&key.public_key);
        let attestation = Attestation::from_bytes(&key.attestation);
        let (Ok(public), Ok(attestation)) = (public, attestation) else { return Ok(None) };
        let attested = |issuer: &VerifyingKey| {
            let trusted = TrustedIssuers::new([issuer.clone()]);
            let (account, at) = (Some(key.account), key.created_at);
            VerifiedEncapsulationKey::verify(&public, &attestation, issuer, &trusted, account, at)
                .is_ok()
        };
        Ok(self.issuer_keys().await?.into_iter().find(attested))
    }

    /// When a destroyed key can be brought back no more, and is removed.
    #[must_use]
    pub fn purge_after(&self, key: &KeyInfo) -> Option<Timestamp> {
        let after = |time: Timestamp| time.millis().saturating_add(self.grace_millis());
        key.destroyed_at.map(after).map(Timestamp::from_millis)
    }

    /// Destroys one of the account's keys, softly: [`Self::undestroy_key`] brings it back within
    /// the grace of [`Settings::key_grace`](crate::Settings::key_grace).
    ///
    /// # Errors
    /// [`Error::UnknownKey`]: the account has none of that id that was not destroyed before. The
    /// server's issuer keys are no account's. Those of the store.
    pub async fn destroy_key(
        &self,
        by: &By,
        account: AccountId,
        id: &KeyId,
    ) -> Result<KeyInfo, Error> {
        let before = self.own_key(account, id).await?;
        let now = self.store.now().await?;
        if !self.store.destroy_key(by, account, id).await? {
            return Err(Error::UnknownKey);
        }
        self.key_cache.forget(account, *id);
        // It is done, whatever comes of this look; without any grace, it may be removed by now.
        let destroyed = self.store.key_info(account, id).await.ok().flatten();
        Ok(destroyed.unwrap_or(KeyInfo { destroyed_at: Some(now), ..before }))
    }

    /// Brings a destroyed key back. It is in force again only if no newer version was made
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::UnknownKey`]: the account has none of that id that is destroyed and within its
    /// grace. Those of the store.
    pub async fn undestroy_key(
        &self,
        by: &By,
        account: AccountId,
        id: &KeyId,
    ) -> Result<KeyInfo, Error> {
        let before = self.own_key(account, id).await?;
        let since = self.grace_began().await?;
        if !self.store.undestroy_key(by, account, id, since).await? {
            return Err(Error::UnknownKey);
        }
        // As above.
        let back = self.store.key_info(account, id).await.ok().flatten();
        Ok(back.unwrap_or(KeyInfo { destroyed_at: None, ..before }))
    }

    /// Removes at most `limit` of the keys, of whatever account, whose grace is over. To be called
    /// again and again, in the background.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn purge_destroyed_keys(&self, limit: u32) -> Result<Purged, Error> {
        let until = self.grace_began().await?;
        self.store.purge_destroyed_keys(&By::SERVER, until, limit).await
    }

    async fn own_key(&self, account: AccountId, id: &KeyId) -> Result<KeyInfo, Error> {
        if account == AccountId::SERVER {
            return Err(Error::UnknownKey);
        }
        self.key_info(account, id).await
    }

    /// When the grace began that ends now: what was destroyed by then is gone.
    async fn grace_began(&self) -> Result<Timestamp, Error> {
        let now = self.store.now().await?.millis();
        Ok(Timestamp::from_millis(now.saturating_sub(self.grace_millis())))
    }

    fn grace_millis(&self) -> u64 {
        u64::try_from(self.settings.key_grace.as_millis()).unwrap_or(u64::MAX)
    }
}
