//! How far a chain has come, signed.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};

use super::chain::{ChainHead, ChainId};
use crate::error::{Error, Field};
use crate::id::AccountId;
use crate::seal::{MasterKeys, RecordKind, SealedRecord};
use crate::sign::{Context, Signature, SignatureAlgorithm, SigningKey, VerifyingKey};
use crate::time::Timestamp;

/// The key of checkpoints, ML-DSA-65 (FIPS 204). It signs nothing else. Secret.
#[derive(Debug)]
pub struct CheckpointKey(SigningKey);

impl CheckpointKey {
    /// The parameter set's name.
    pub const ALGORITHM: SignatureAlgorithm = SignatureAlgorithm::MlDsa65;

    /// A new key.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, Error> {
        SigningKey::generate(Self::ALGORITHM, rng).map(Self)
    }

    /// The public half: what auditors pin.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }

    /// States that a chain had come to `head` at `now`; `before` is the last checkpoint of the same
    /// store, of whatever chain.
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::Internal`]: no attempt of rejection sampling succeeded.
    pub fn sign(
        &self,
        before: Option<&Checkpoint>,
        head: &ChainHead,
        now: Timestamp,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Checkpoint, Error> {
        let statement = Statement {
            number: before.map_or(0, Checkpoint::number).saturating_add(1),
            before: before.map_or([0; 32], Checkpoint::hash),
            time: now,
            head: *head,
        };
        let signature = self.0.sign(&statement.to_bytes(), CONTEXT, rng)?;
        Ok(Checkpoint { statement, signature })
    }

    /// Seals the key's seed as the server's own record.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn seal(
        &self,
        masters: &MasterKeys,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        self.0.seal_as(RecordKind::CheckpointKey, masters, AccountId::SERVER, rng)
    }

    /// Opens the server's own record of the key with this verifying key.
    ///
    /// # Errors
    /// [`Error::Length`]: the verifying key's; [`Error::SealBroken`]: another key's record, or one
    /// that was altered; [`Error::UnknownMasterKey`].
    pub fn open(
        masters: &MasterKeys,
        verifying_key: &[u8],
        sealed: &SealedRecord,
    ) -> Result<Self, Error> {
        let kind = RecordKind::CheckpointKey;
        SigningKey::open_as(kind, masters, AccountId::SERVER, verifying_key, sealed).map(Self)
    }
}

/// The word of the key of checkpoints that a chain had come to a place.
///
/// `0x01 ‖ number (8) ‖ hash of the checkpoint before (32) ‖ time (8, milliseconds) ‖ chain (16) ‖
/// number of the entry (8) ‖ its hash (32) ‖ ML-DSA-65 signature of all before (3309)`: 3414
/// bytes, numbers big-endian. The signature is pure ML-DSA (FIPS 204, Algorithm 2) in the context
/// `pqc/v1/audit-checkpoint`; the hash of a checkpoint is SHA-256 of all its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    statement: Statement,
    signature: Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Statement {
    number: u64,
    before: [u8; 32],
    time: Timestamp,
    head: ChainHead,
}

impl Checkpoint {
    /// The length in bytes.
    pub const BYTES: usize = HEAD_BYTES + CheckpointKey::ALGORITHM.signature_bytes();

    /// Reads it; nothing but its form is checked.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::UnknownFormat`]: another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let parts = || {
            let (version, rest) = bytes.split_first()?;
            let (number, rest) = rest.split_first_chunk()?;
            let (before, rest) = rest.split_first_chunk()?;
            let (time, rest) = rest.split_first_chunk()?;
            let (chain, rest) = rest.split_first_chunk()?;
            let (entry, rest) = rest.split_first_chunk()?;
            let (hash, rest) = rest.split_first_chunk()?;
            let signature = Signature::from_bytes(rest).ok()?;
            let right = signature.algorithm() == CheckpointKey::ALGORITHM;
            let head = ChainHead {
                chain: ChainId::from_bytes(*chain),
                number: u64::from_be_bytes(*entry),
                hash: *hash,
            };
            let statement = Statement {
                number: u64::from_be_bytes(*number),
                before: *before,
                time: Timestamp::from_millis(u64::from_be_bytes(*time)),
                head,
            };
            right.then_some((*version, Self { statement, signature }))
        };
        match parts() {
            Some((FORMAT_VERSION, checkpoint)) => Ok(checkpoint),
            Some(_) => Err(Error::UnknownFormat { field: Field::AuditCheckpoint }),
            None => Err(Error::Length {
                field: Field::AuditCheckpoint,
                expected: alloc::format!("{}", Self::BYTES),
                actual: bytes.len(),
            }),
        }
    }

    /// All its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.statement.to_bytes();
        bytes.extend_from_slice(self.signature.as_bytes());
        bytes
    }

    /// Its number in the store, counted from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.statement.number
    }

    /// The hash of the checkpoint before; all zero of the first.
    #[must_use]
    pub fn before(&self) -> &[u8; 32] {
        &self.statement.before
    }

    /// When it was signed, by the store's time.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.statement.time
    }

    /// How far its chain had come.
    #[must_use]
    pub fn head(&self) -> &ChainHead {
        &self.statement.head
    }

    /// SHA-256 of all its bytes.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }

    /// Whether it is this key's word.
    #[must_use]
    pub fn is_by(&self, key: &VerifyingKey) -> bool {
        key.verify(&self.statement.to_bytes(), CONTEXT, &self.signature)
    }
}

impl Statement {
    fn to_bytes(self) -> Vec<u8> {
        let Self { number, before, time, head } = self;
        let mut bytes = Vec::with_capacity(Checkpoint::BYTES);
        bytes.push(FORMAT_VERSION);
        bytes.extend_from_slice(&number.to_be_bytes());
        bytes.extend_from_slice(&before);
        bytes.extend_from_slice(&time.millis().to_be_bytes());
        bytes.extend_from_slice(head.chain.as_bytes());
        bytes.extend_from_slice(&head.number.to_be_bytes());
        bytes.extend_from_slice(&head.hash);
        bytes
    }
}

const FORMAT_VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + 8 + 32 + 8 + ChainId::BYTES + 8 + 32;
const CONTEXT: Context<'static> = Context::from_short(b"pqc/v1/audit-checkpoint");
