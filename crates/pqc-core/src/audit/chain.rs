//! Entries one after another, each bound to all before it.

use core::fmt;

use sha2::{Digest, Sha256};

use crate::error::{Error, Field};
use crate::id::array;

/// A chain's name: 16 bytes, random. One writer makes one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainId([u8; Self::BYTES]);

impl ChainId {
    /// The length in bytes.
    pub const BYTES: usize = 16;

    /// From 16 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// From a slice.
    ///
    /// # Errors
    /// [`Error::Length`]: not 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        array(Field::AuditChain, bytes).map(Self)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A place in a chain: the hash stands for every entry up to here.
///
/// It is SHA-256 of `"pqc/v1/audit" ‖ chain (16) ‖ number (8, big-endian) ‖ hash before (32) ‖
/// entry`; before the first entry the number is 0 and the hash all zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// The chain.
    pub chain: ChainId,
    /// The number of the last entry, counted from 1.
    pub number: u64,
    /// What binds it and all before it.
    pub hash: [u8; 32],
}

impl ChainHead {
    /// Before the first entry.
    #[must_use]
    pub const fn begin(chain: ChainId) -> Self {
        Self { chain, number: 0, hash: [0; 32] }
    }

    /// After one more entry, in its encoding.
    #[must_use]
    pub fn after(&self, entry: &[u8]) -> Self {
        let number = self.number.saturating_add(1);
        let mut hash = Sha256::new();
        hash.update(PREFIX);
        hash.update(self.chain.0);
        hash.update(number.to_be_bytes());
        hash.update(self.hash);
        hash.update(entry);
        Self { chain: self.chain, number, hash: hash.finalize().into() }
    }
}

const PREFIX: &[u8] = b"pqc/v1/audit";
