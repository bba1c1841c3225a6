//! A stanza: the file key, wrapped for one recipient or by a passphrase.
//!
//! `head ‖ nonce (24) ‖ ciphertext (32) ‖ tag (16)`, by XAES-256-GCM (C2SP). The key is derived with
//! the hash of the head, so that a head is worth nothing before another wrapped key.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};

use crate::aead;
use crate::error::{Error, Field};
use crate::id::KeyId;
use crate::kem::{Ciphertext, DecapsulationKey, EncapsulationKey, KemAlgorithm};
use crate::passphrase::PassphraseParameters;
use crate::secret::Secret;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stanza {
    pub(super) lock: Lock,
    pub(super) wrapped: [u8; WRAPPED_BYTES],
}

/// The head of a stanza: what the wrapping key is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lock {
    /// An encapsulation to the key of this id.
    Key { id: KeyId, ciphertext: Ciphertext },
    /// A passphrase.
    Passphrase(PassphraseParameters),
}

impl Stanza {
    pub(super) fn for_key(
        file_key: &Secret<32>,
        recipient: &EncapsulationKey,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        let (ciphertext, shared) = recipient.encapsulate_unattested(rng)?;
        let lock = Lock::Key { id: recipient.key_id(), ciphertext };
        let key = aead::derive(shared.as_secret(), &[BY_KEY, &lock.hash()]);
        Self::wrap(file_key, lock, &key, rng)
    }

    pub(super) fn for_passphrase(
        file_key: &Secret<32>,
        passphrase: &[u8],
        parameters: &PassphraseParameters,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        let lock = Lock::Passphrase(parameters.clone());
        let key = parameters.derive(passphrase, &[BY_PASSPHRASE, &lock.hash()])?;
        Self::wrap(file_key, lock, &key, rng)
    }

    fn wrap(
        file_key: &Secret<32>,
        lock: Lock,
        key: &Secret<32>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        let wrapped = aead::seal(key, &[], file_key.expose_bytes(), &[], rng)?;
        let wrapped = wrapped.try_into().map_err(|_| Error::Internal { what: "AES-256-GCM" })?;
        Ok(Self { lock, wrapped })
    }

    /// The file key, if this stanza is for the key.
    pub(super) fn unwrap_by_key(
        &self,
        key: &DecapsulationKey,
    ) -> Option<Result<Secret<32>, Error>> {
        let public = key.encapsulation_key();
        match &self.lock {
            Lock::Key { id, ciphertext }
                if *id == public.key_id() && ciphertext.algorithm() == public.algorithm() =>
            {
                Some(key.decapsulate(ciphertext).and_then(|shared| {
                    let key = aead::derive(shared.as_secret(), &[BY_KEY, &self.lock.hash()]);
                    unwrap(&self.wrapped, &key).ok_or(Error::BoxAuthentication)
                }))
            }
            _ => None,
        }
    }

    /// The file key, if this stanza is for a passphrase.
    pub(super) fn unwrap_by_passphrase(
        &self,
        passphrase: &[u8],
    ) -> Option<Result<Secret<32>, Error>> {
        let Lock::Passphrase(parameters) = &self.lock else { return None };
        let key = parameters.derive(passphrase, &[BY_PASSPHRASE, &self.lock.hash()]);
        Some(key.and_then(|key| unwrap(&self.wrapped, &key).ok_or(Error::WrongPassphrase)))
    }

    pub(super) fn is_for(&self, key: &KeyId) -> bool {
        matches!(&self.lock, Lock::Key { id, .. } if id == key)
    }

    pub(super) fn write_to(&self, bytes: &mut Vec<u8>) {
        self.lock.write_to(bytes);
        bytes.extend_from_slice(&self.wrapped);
    }

    /// Reads what is behind the kind: [`bytes_behind`] of it.
    pub(super) fn read(kind: u8, body: &[u8]) -> Result<Self, Error> {
        let (head, wrapped) = body.split_last_chunk().ok_or(Error::EnvelopeTruncated)?;
        let lock = match kem_of(kind) {
            Some(_) => {
                let (id, ciphertext) = head.split_first_chunk().ok_or(Error::EnvelopeTruncated)?;
                Lock::Key { id: KeyId::Pair(*id), ciphertext: Ciphertext::from_bytes(ciphertext)? }
            }
            None => Lock::Passphrase(read_parameters(head).ok_or(Error::EnvelopeTruncated)??),
        };
        Ok(Self { lock, wrapped: *wrapped })
    }
}

impl Lock {
    fn write_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Key { id, ciphertext } => {
                bytes.push(kind_of(ciphertext.algorithm()));
                bytes.extend_from_slice(id.as_bytes());
                bytes.extend_from_slice(ciphertext.as_bytes());
            }
            Self::Passphrase(parameters) => {
                bytes.push(PASSPHRASE);
                let costs = [parameters.memory_kib(), parameters.iterations(), parameters.lanes()];
                bytes.extend(costs.into_iter().flat_map(u32::to_be_bytes));
                bytes.extend_from_slice(parameters.salt());
            }
        }
    }

    /// SHA-256 of the head: HKDF elsewhere takes no info of any length.
    fn hash(&self) -> [u8; 32] {
        let mut head = Vec::new();
        self.write_to(&mut head);
        Sha256::digest(&head).into()
    }
}

fn unwrap(wrapped: &[u8; WRAPPED_BYTES], key: &Secret<32>) -> Option<Secret<32>> {
    let file_key = aead::open(key, wrapped.to_vec(), 0, &[])?;
    Secret::from_slice(Field::Envelope, file_key.expose_bytes()).ok()
}

fn read_parameters(head: &[u8]) -> Option<Result<PassphraseParameters, Error>> {
    let (memory_kib, rest) = head.split_first_chunk()?;
    let (iterations, rest) = rest.split_first_chunk()?;
    let (lanes, salt) = rest.split_first_chunk()?;
    let [memory_kib, iterations, lanes] =
        [memory_kib, iterations, lanes].map(|cost| u32::from_be_bytes(*cost));
    Some(PassphraseParameters::new(memory_kib, iterations, lanes, salt.try_into().ok()?))
}

/// How many bytes of a stanza follow its kind.
pub(super) fn bytes_behind(kind: u8) -> Result<usize, Error> {
    match kem_of(kind) {
        Some(kem) => Ok(KEY_ID_BYTES + kem.ciphertext_bytes() + WRAPPED_BYTES),
        None if kind == PASSPHRASE => {
            Ok(COSTS_BYTES + PassphraseParameters::SALT_BYTES + WRAPPED_BYTES)
        }
        None => Err(Error::UnknownFormat { field: Field::Envelope }),
    }
}

fn kem_of(kind: u8) -> Option<KemAlgorithm> {
    KemAlgorithm::ALL.into_iter().find(|kem| kind_of(*kem) == kind)
}

const fn kind_of(kem: KemAlgorithm) -> u8 {
    match kem {
        KemAlgorithm::MlKem512 => 1,
        KemAlgorithm::MlKem768 => 2,
        KemAlgorithm::MlKem1024 => 3,
        KemAlgorithm::XWing => 4,
    }
}

const PASSPHRASE: u8 = 0x10;

const BY_KEY: &[u8] = b"pqc/v1/envelope/recipient";
const BY_PASSPHRASE: &[u8] = b"pqc/v1/envelope/passphrase";

const KEY_ID_BYTES: usize = 32;
/// Memory, iterations, lanes.
const COSTS_BYTES: usize = 12;
const WRAPPED_BYTES: usize = 32 + aead::OVERHEAD_BYTES;
