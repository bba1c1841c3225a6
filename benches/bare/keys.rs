//! The keys of the bare server, opened and in memory.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::Context;
use getrandom::SysRng;
use pqc_core::message::AccountKey;
use pqc_core::seal::{MasterKey, MasterKeys};
use pqc_core::{
    AccountId, BoxKey, DecapsulationKey, Issuer, Secret, SignatureAlgorithm, SigningKey,
    TrustedIssuers,
};

use crate::wire::to_hex;

/// One account's, and the issuer's.
pub(crate) struct Keys {
    pub(crate) account: AccountId,
    /// As the answers name it.
    pub(crate) account_text: String,
    pub(crate) issuer: Issuer,
    pub(crate) issuer_hex: String,
    pub(crate) trusted: TrustedIssuers,
    pub(crate) signing: SigningKey,
    /// ML-DSA-87, for who asks for it.
    pub(crate) large_signing: SigningKey,
    pub(crate) text: BoxKey,
    /// New secret keys are sealed under it where they are written.
    pub(crate) masters: MasterKeys,
    pairs: RwLock<HashMap<Vec<u8>, Arc<DecapsulationKey>>>,
}

impl Keys {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let account = AccountId::from_bytes([1; 16]);
        let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, &mut SysRng)?;
        Ok(Self {
            account,
            account_text: account.to_string(),
            issuer_hex: to_hex(issuer.verifying_key().as_bytes()),
            trusted: TrustedIssuers::new([issuer.verifying_key().clone()]),
            issuer,
            signing: SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut SysRng)?,
            large_signing: SigningKey::generate(SignatureAlgorithm::MlDsa87, &mut SysRng)?,
            text: AccountKey::generate(&mut SysRng)?.box_key(),
            masters: MasterKeys::new(MasterKey::new(1, Secret::generate(&mut SysRng)?)),
            pairs: RwLock::default(),
        })
    }

    /// Keeps a pair. The first ones only: the others are never asked for again, and the memory of
    /// this server is nobody's business.
    pub(crate) fn keep(&self, key: DecapsulationKey) {
        let mut pairs = self.pairs.write().unwrap_or_else(PoisonError::into_inner);
        if pairs.len() < MOST_PAIRS {
            pairs.insert(key.encapsulation_key().as_bytes().to_vec(), Arc::new(key));
        }
    }

    pub(crate) fn pair(&self, public_key: &[u8]) -> anyhow::Result<Arc<DecapsulationKey>> {
        let pairs = self.pairs.read().unwrap_or_else(PoisonError::into_inner);
        pairs.get(public_key).cloned().context("no such pair")
    }
}

const MOST_PAIRS: usize = 1_000_000;
