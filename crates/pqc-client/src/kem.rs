//! Key pairs, encapsulation, decapsulation, and the issuers that vouch for keys.

use std::time::{SystemTime, UNIX_EPOCH};

use pqc_core::keyfile::Jwk;
use pqc_core::{
    Attestation, Ciphertext, DecapsulationKey, EncapsulationKey, Field, KemAlgorithm, Secret,
    Timestamp, VerifyingKey,
};
use serde::Deserialize;

use crate::call::{Call, Client};
use crate::error::Error;
use crate::verified::VerifiedKey;
use crate::wire::{self, DECAPSULATE, ENCAPSULATE, GENERATE_KEYS, Hex, JWKS, Read};

/// A key pair that is asked for. What is `None` is as the server and the account have it.
#[derive(Debug, Clone, Copy, Default)]
pub struct NewKeyPair {
    /// The KEM: ML-KEM-768 unless it is said.
    pub algorithm: Option<KemAlgorithm>,
    /// Who keeps the secret key: as the account has it unless it is said.
    pub custody: Option<Custody>,
}

/// Who keeps a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Custody {
    /// The server, which never gives it away.
    Server,
    /// The client, which gets it with the answer; the server forgets it.
    Client,
}

/// A key pair, just made.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyPair {
    /// The public key, for which a pinned issuer vouches.
    pub key: VerifiedKey,
    /// The secret key, if the client keeps it.
    pub secret: Option<DecapsulationKey>,
}

/// What an encapsulation gives.
#[derive(Debug)]
#[non_exhaustive]
pub struct Encapsulated {
    /// What is sent to the owner of the key: 768, 1088 or 1568 bytes, for X-Wing 1120.
    pub ciphertext: Ciphertext,
    /// What both have then. Secret.
    pub shared_key: Secret<32>,
}

impl Client {
    /// Makes a KEM key pair for the token's account, and checks that one of the `pinned` issuers
    /// vouches for it.
    ///
    /// A secret key that the client keeps ([`Custody::Client`]) needs no server any more:
    /// [`DecapsulationKey::decapsulate`].
    ///
    /// # Errors
    /// [`Error`]; [`Error::Attestation`]: a pair was made, but by the word of somebody else.
    pub async fn generate_key_pair(
        &self,
        request: &NewKeyPair,
        pinned: &[VerifyingKey],
    ) -> Result<KeyPair, Error> {
        let body = wire::GenerateKeys {
            algorithm: request.algorithm.map(KemAlgorithm::name),
            custody: request.custody.map(|custody| match custody {
                Custody::Server => "server",
                Custody::Client => "client",
            }),
        };
        let pair: wire::KeyPair = self.ask(Call::making(GENERATE_KEYS, &body)?).await?;
        let wrong = |why| Error::NotUnderstood { path: GENERATE_KEYS, why };
        let key = EncapsulationKey::from_bytes(&pair.public.0);
        let key = key.map_err(|_| wrong("it has no encapsulation key"))?;
        if request.algorithm.is_some_and(|asked| asked != key.algorithm()) {
            return Err(wrong("its key is of another algorithm"));
        }
        let is_kept = pair.seed.is_some();
        if request.custody.is_some_and(|asked| (asked == Custody::Client) != is_kept) {
            return Err(wrong("its secret key is kept by another than was asked for"));
        }
        let attestation = Attestation::from_bytes(&pair.attestation.0);
        let attestation = attestation.map_err(|_| wrong("it has no attestation"))?;
        let key = VerifiedKey::verify(&key, &attestation, pinned, None, now())
            .map_err(Error::Attestation)?;
        let secret = match &pair.seed {
            Some(seed) => Some(
                DecapsulationKey::from_seed_bytes(key.key().algorithm(), &seed.0)
                    .ok()
                    .filter(|secret| secret.encapsulation_key() == key.key())
                    .ok_or_else(|| wrong("its secret key is not that of its public key"))?,
            ),
            None => None,
        };
        Ok(KeyPair { key, secret })
    }

    /// Has the server encapsulate to a key, whose issuer it has to trust too.
    ///
    /// # Errors
    /// [`Error`]; refused are issuers that the server does not trust (403).
    pub async fn encapsulate(&self, to: &VerifiedKey) -> Result<Encapsulated, Error> {
        let account = to.account();
        let body = wire::Encapsulate {
            public: Hex(to.key().as_bytes()),
            attestation: Hex(&to.attestation().to_bytes()),
            issuer: Hex(to.issuer().as_bytes()),
            account: Hex(account.as_bytes()),
        };
        let made: wire::Encapsulated = self.ask(Call::post(ENCAPSULATE, &body)?).await?;
        let ciphertext = Ciphertext::from_bytes(&made.ciphertext.0).ok();
        let ciphertext = ciphertext.filter(|made| made.algorithm() == to.key().algorithm());
        let why = "it has no ciphertext of the key's algorithm";
        Ok(Encapsulated {
            ciphertext: ciphertext.ok_or(Error::NotUnderstood { path: ENCAPSULATE, why })?,
            shared_key: shared_key(&made.shared_key, ENCAPSULATE)?,
        })
    }

    /// Has the server decapsulate with the secret key that it keeps for this public key. A ciphertext
    /// that was made for another key is no error: it gives another shared key (FIPS 203, implicit
    /// rejection).
    ///
    /// # Errors
    /// [`Error`]; refused are keys that are not stored in the token's account (404).
    pub async fn decapsulate(
        &self,
        ciphertext: &Ciphertext,
        key: &EncapsulationKey,
    ) -> Result<Secret<32>, Error> {
        let body = wire::Decapsulate {
            ciphertext: Hex(ciphertext.as_bytes()),
            public: Hex(key.as_bytes()),
        };
        let made: wire::Decapsulated = self.ask(Call::post(DECAPSULATE, &body)?).await?;
        shared_key(&made.shared_key, DECAPSULATE)
    }

    /// The issuer keys that the server publishes, those in force first. Only TLS says that they are
    /// its: keep them, or their fingerprints, and compare. Shows no token, and spends nothing.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn published_issuers_unpinned(&self) -> Result<Vec<VerifyingKey>, Error> {
        let call = Call::get(JWKS).without_token().with_longer_answer(KEY_SET_BYTES);
        let set: wire::KeySet = self.ask(call).await?;
        let jwks = set.keys.iter().filter_map(|key| Jwk::deserialize(key).ok());
        let keys: Vec<_> = jwks.filter_map(|jwk| VerifyingKey::try_from(&jwk).ok()).collect();
        if keys.is_empty() {
            return Err(Error::NotUnderstood { path: JWKS, why: "it has no key of ML-DSA" });
        }
        Ok(keys)
    }
}

fn shared_key(bytes: &Read, path: &'static str) -> Result<Secret<32>, Error> {
    let why = "its shared key has not 32 bytes";
    Secret::from_slice(Field::BoxKey, &bytes.0).map_err(|_| Error::NotUnderstood { path, why })
}

/// A clock before 1970 is one that knows nothing.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(since.as_secs())
}

/// Of a server that has changed its issuer key hundreds of times.
const KEY_SET_BYTES: usize = 1024 * 1024;
