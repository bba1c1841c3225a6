//! Stored keys at work: made at their first use, sealed in the core, opened for a call and kept for
//! the next (in `key_cache.rs`).

use std::sync::Arc;

use pqc_core::attest::RememberedAttestation;
use pqc_core::kem::PreparedDecapsulationKey;
use pqc_core::message::AccountKey;
use pqc_core::seal::RecordKind;
use pqc_core::{
    AccountId, Attestation, BoxKey, Ciphertext, Context, DecapsulationKey, EncapsulationKey,
    KemAlgorithm, KeyId, MasterKeys, MessageBox, Secret, SecretVec, SharedSecret, Signature,
    SignatureAlgorithm, SigningKey, UnverifiedKey, VerifyingKey,
};

use crate::account::Custody;
use crate::aside::{LONG_TEXT_BYTES, aside_if};
use crate::audit::Event;
use crate::authorize::Admitted;
use crate::error::Error;
use crate::host::HostRng;
use crate::key_cache::OfRow;
use crate::masters::Insert;
use crate::service::Service;
use crate::store::KeyRecord;
use crate::store::replay::Effect;

/// A new KEM key pair.
#[derive(Debug)]
pub struct NewKeyPair {
    /// Whose it is.
    pub account: AccountId,
    /// The public half.
    pub encapsulation_key: EncapsulationKey,
    /// Who vouches for it.
    pub issuer: VerifyingKey,
    /// The issuer's word.
    pub attestation: Attestation,
    /// The seed, if the client holds it: then nothing was stored. Key material.
    pub client_held: Option<DecapsulationKey>,
}

/// An encapsulation key as it came, with what vouches for it.
#[derive(Debug)]
pub struct AttestedKey {
    /// The key; nothing but its length was checked.
    pub key: UnverifiedKey,
    /// The issuer's word.
    pub attestation: Attestation,
    /// Whose word it is said to be.
    pub issuer: VerifyingKey,
    /// The account that the caller expects.
    pub expected_account: Option<AccountId>,
}

/// Which of the account's signing keys is to sign.
#[derive(Debug, Clone, Copy, Default)]
pub struct SigningKeyChoice {
    /// This one.
    pub key_id: Option<KeyId>,
    /// The one in force for this algorithm; by default ML-DSA-65.
    pub algorithm: Option<SignatureAlgorithm>,
}

impl Service {
    /// Makes a KEM key pair and the issuer's attestation of it. The secret key stays here, sealed,
    /// unless `custody` (or else the account's) says that the client holds it. `render` writes the
    /// answer, which is kept if the call can be repeated.
    ///
    /// # Errors
    /// [`Error::CustodyForbids`]; [`Error::QuotaFull`]; those of the store.
    pub async fn generate_key_pair<A: AsRef<[u8]>>(
        &self,
        by: &Admitted,
        algorithm: KemAlgorithm,
        custody: Option<Custody>,
        render: impl FnOnce(&NewKeyPair) -> Result<A, Error>,
    ) -> Result<(NewKeyPair, A), Error> {
        let account = by.account_id();
        let client_holds = match (by.custody(), custody) {
            (Custody::ServerOnly, Some(Custody::Client)) => return Err(Error::CustodyForbids),
            (own, asked) => asked.unwrap_or(own) == Custody::Client,
        };
        let now = by.now();
        let key = DecapsulationKey::generate(algorithm, &mut self.rng())?;
        let public = key.encapsulation_key().clone();
        let issuer = self.issuer().await?;
        let attestation = issuer.attest(account, &public, now, None, &mut self.rng())?;
        let issuer = issuer.verifying_key().clone();
        let pair = |client_held| NewKeyPair {
            account,
            encapsulation_key: public.clone(),
            issuer,
            attestation: attestation.clone(),
            client_held,
        };
        if client_holds {
            // No other row tells of it.
            let what = format!("KEM key pair, {}, held by the client", algorithm.name());
            let event = Event::done("key.generate").of(account).key(public.key_id()).saying(what);
            let pair = pair(Some(key));
            let answer = render(&pair)?;
            self.carry_out(by, Effect::Record(event), answer.as_ref()).await?;
            return Ok((pair, answer));
        }
        let pair = pair(None);
        let answer = render(&pair)?;
        let how = match self.answer_to_keep(by, answer.as_ref())? {
            Some(kept) => Insert::Answering(kept),
            None => Insert::Beside,
        };
        let make = |masters: &MasterKeys| {
            Ok(KeyRecord {
                account,
                id: public.key_id(),
                kind: RecordKind::DecapsulationKey,
                algorithm: algorithm.name().to_owned(),
                version: None,
                public_key: public.as_bytes().to_vec(),
                attestation: attestation.to_bytes(),
                sealed: key.seal(masters, account, &mut self.rng())?,
                created_at: now,
                retired_at: None,
            })
        };
        let place = self.reserve_key(account).await?;
        let made = self.masters.insert_sealed(by.by(), how, make).await;
        place.settle(made.as_ref().map(|(made, _)| *made));
        if let (false, _) = made? {
            return Err(Error::Internal { what: "a new key pair that was there already" });
        }
        Ok((pair, answer))
    }

    /// Encapsulates to a key, once its attestation is verified; names the account it was made for.
    ///
    /// # Errors
    /// [`Error::Core`] with the check of [`RememberedAttestation::verify`] that failed; those of
    /// the store.
    pub async fn encapsulate(
        &self,
        by: &Admitted,
        to: &AttestedKey,
    ) -> Result<(Ciphertext, SharedSecret, AccountId), Error> {
        let AttestedKey { key, attestation, issuer, expected_account: account } = to;
        let trusted = self.trusted_issuers(issuer).await?;
        let known = match self.key_cache.attested_key(key, attestation, issuer) {
            Some(known) => known,
            None => {
                let (now, verify) = (by.now(), RememberedAttestation::verify);
                let known = verify(key, attestation, issuer, &trusted, *account, now)?;
                self.key_cache.keep_attested_key(key, known)
            }
        };
        let verified = known.verify_again(&trusted, *account, by.now())?;
        let (ciphertext, secret) = verified.encapsulate(&mut self.rng())?;
        Ok((ciphertext, secret, known.account()))
    }

    /// Decapsulates by the account's stored key with this public key.
    ///
    /// # Errors
    /// [`Error::UnknownKey`]: not stored in this account. [`Error::Core`]: another algorithm's
    /// ciphertext. Those of the store.
    pub async fn decapsulate(
        &self,
        by: &Admitted,
        public_key: &UnverifiedKey,
        ciphertext: &Ciphertext,
    ) -> Result<SharedSecret, Error> {
        let (account, kind) = (by.account_id(), RecordKind::DecapsulationKey);
        let found = self.stored(account, public_key.key_id(), kind).await?;
        let key = self.open_decapsulation_key(by, &found.ok_or(Error::UnknownKey)?).await?;
        Ok(key.decapsulate(ciphertext)?)
    }

    /// Encrypts a text with the caller's key, or else with the account's own.
    ///
    /// # Errors
    /// Those of the store; [`Error::Core`]: the generator failed.
    pub async fn encrypt(
        &self,
        by: &Admitted,
        key: Option<Secret<32>>,
        text: SecretVec,
        associated_data: Vec<u8>,
    ) -> Result<MessageBox, Error> {
        let box_key = match key {
            Some(key) => BoxKey::from_caller(&key),
            None => self.account_key(by).await?.box_key(),
        };
        let host = Arc::clone(&self.host);
        let sealed = aside_if(text.len() > LONG_TEXT_BYTES, move || {
            box_key.seal(text.expose_bytes(), &associated_data, &mut HostRng(&*host))
        });
        Ok(sealed.await??)
    }

    /// Decrypts a text with the caller's key, or else with the account's own that it names.
    ///
    /// # Errors
    /// [`Error::Core`]: authentication failed, for whatever reason. Those of the store.
    pub async fn decrypt(
        &self,
        by: &Admitted,
        key: Option<Secret<32>>,
        sealed: MessageBox,
        associated_data: Vec<u8>,
    ) -> Result<SecretVec, Error> {
        let box_key = match (key, sealed.key_id()) {
            (Some(key), _) => BoxKey::from_caller(&key),
            (None, Some(id)) => self.account_key_by_id(by, id).await?.box_key(),
            (None, None) => return Err(pqc_core::Error::BoxAuthentication.into()),
        };
        let is_long = sealed.as_bytes().len() > LONG_TEXT_BYTES;
        Ok(aside_if(is_long, move || box_key.open_in_place(sealed, &associated_data)).await??)
    }

    /// Signs with one of the account's own keys, made at its first use.
    ///
    /// # Errors
    /// [`Error::UnknownKey`]: the account has no signing key of that id. [`Error::Core`]: the
    /// algorithm contradicts the key. Those of the store.
    pub async fn sign(
        &self,
        by: &Admitted,
        choice: SigningKeyChoice,
        message: SecretVec,
        context: Vec<u8>,
    ) -> Result<(Signature, VerifyingKey), Error> {
        let key = self.signing_key(by, choice).await?;
        let public = key.verifying_key().clone();
        let host = Arc::clone(&self.host);
        let signature = aside_if(true, move || {
            let context = Context::new(&context)?;
            key.sign(message.expose_bytes(), context, &mut HostRng(&*host))
        })
        .await??;
        Ok((signature, public))
    }

    /// The id of the signing key that [`Self::sign`] would use; `None` if it is not made yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn signing_key_id(
        &self,
        account: AccountId,
        choice: SigningKeyChoice,
    ) -> Result<Option<KeyId>, Error> {
        if choice.key_id.is_some() {
            return Ok(choice.key_id);
        }
        let algorithm = choice.algorithm.unwrap_or(DEFAULT_SIGNATURE);
        let kind = RecordKind::SigningKey;
        Ok(self.store.current_key(account, kind, algorithm.name()).await?.map(|record| record.id))
    }

    /// The id of the AES key that [`Self::encrypt`] would use; `None` if it is not made yet.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn account_key_id(&self, account: AccountId) -> Result<Option<KeyId>, Error> {
        let kind = RecordKind::AesKey;
        let current = self.store.current_key(account, kind, AccountKey::ALGORITHM).await?;
        Ok(current.map(|record| record.id))
    }

    /// The key that was written down with the use, where there was one by then.
    async fn signing_key(
        &self,
        by: &Admitted,
        choice: SigningKeyChoice,
    ) -> Result<Arc<SigningKey>, Error> {
        let (account, kind) = (by.account_id(), RecordKind::SigningKey);
        if let Some(id) = choice.key_id.or(by.key()) {
            let found = self.stored(account, id, kind).await?;
            let key = self.open_signing_key(by, &found.ok_or(Error::UnknownKey)?).await?;
            return match choice.algorithm {
                Some(asked) if asked != key.algorithm() => {
                    Err(pqc_core::Error::AlgorithmMismatch {
                        field: pqc_core::Field::SigningKey,
                        expected: asked.name(),
                        actual: key.algorithm().name(),
                    }
                    .into())
                }
                _ => Ok(key),
            };
        }
        let algorithm = choice.algorithm.unwrap_or(DEFAULT_SIGNATURE);
        let record = self.current_signing_key(by.by(), account, algorithm).await?;
        self.open_signing_key(by, &record).await
    }

    /// As [`Self::signing_key`].
    async fn account_key(&self, by: &Admitted) -> Result<AccountKey, Error> {
        let record = match by.key() {
            Some(id) => {
                let found = self.stored(by.account_id(), id, RecordKind::AesKey).await?;
                found.ok_or(Error::UnknownKey)?
            }
            None => self.current_account_key(by.by(), by.account_id()).await?,
        };
        self.open_account_key(by, &record).await
    }

    /// A text that names no key of this account looks like any that does not authenticate.
    async fn account_key_by_id(&self, by: &Admitted, id: [u8; 16]) -> Result<AccountKey, Error> {
        let id = KeyId::Symmetric(id);
        let found = self.stored(by.account_id(), id, RecordKind::AesKey).await?;
        self.open_account_key(by, &found.ok_or(pqc_core::Error::BoxAuthentication)?).await
    }

    /// The account's key of this id, if it is of this kind.
    async fn stored(
        &self,
        account: AccountId,
        id: KeyId,
        kind: RecordKind,
    ) -> Result<Option<KeyRecord>, Error> {
        let found = self.store.key(account, &id).await?;
        if found.is_none() {
            // It may be another server where it was destroyed.
            self.key_cache.forget(account, id);
        }
        Ok(found.filter(|record| record.kind == kind))
    }

    async fn open_decapsulation_key(
        &self,
        by: &Admitted,
        record: &KeyRecord,
    ) -> Result<Arc<PreparedDecapsulationKey>, Error> {
        self.note_use(by, record);
        if let Some(key) = self.key_cache.decapsulation_key(&*self.masters.in_force()?, record) {
            return Ok(key);
        }
        let open = |masters: &MasterKeys, record: &KeyRecord| {
            let KeyRecord { account, public_key, sealed, .. } = record;
            let key = DecapsulationKey::open(masters, *account, public_key, sealed)?;
            Ok(OfRow::new(record, key.prepare()?))
        };
        let opened = self.masters.open_record(record, open).await?;
        Ok(self.key_cache.keep_decapsulation_key(opened))
    }

    async fn open_signing_key(
        &self,
        by: &Admitted,
        record: &KeyRecord,
    ) -> Result<Arc<SigningKey>, Error> {
        self.note_use(by, record);
        if let Some(key) = self.key_cache.signing_key(&*self.masters.in_force()?, record) {
            return Ok(key);
        }
        let open = |masters: &MasterKeys, record: &KeyRecord| {
            let KeyRecord { account, public_key, sealed, .. } = record;
            Ok(OfRow::new(record, SigningKey::open(masters, *account, public_key, sealed)?))
        };
        let opened = self.masters.open_record(record, open).await?;
        Ok(self.key_cache.keep_signing_key(opened))
    }

    async fn open_account_key(
        &self,
        by: &Admitted,
        record: &KeyRecord,
    ) -> Result<AccountKey, Error> {
        self.note_use(by, record);
        let KeyId::Symmetric(id) = record.id else {
            return Err(Error::Corrupt { what: "the id of an AES key" });
        };
        let open = |masters: &MasterKeys, record: &KeyRecord| {
            AccountKey::open(masters, record.account, id, &record.sealed)
        };
        self.masters.open_record(record, open).await
    }

    fn note_use(&self, by: &Admitted, record: &KeyRecord) {
        self.key_uses.note(record.account, record.id, by.now());
    }
}

const DEFAULT_SIGNATURE: SignatureAlgorithm = SignatureAlgorithm::MlDsa65;
