//! What an encapsulation gives: the ciphertext that travels, and the secret that does not.

use alloc::vec::Vec;

use super::KemAlgorithm;
use crate::error::Error;
use crate::secret::Secret;

/// A ciphertext of the right length: 768, 1088 or 1568 bytes, for X-Wing 1120. That is all FIPS 203
/// asks of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext {
    pub(super) algorithm: KemAlgorithm,
    pub(super) bytes: Vec<u8>,
}

impl Ciphertext {
    /// Reads a ciphertext; its length names its parameter set.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let algorithm = KemAlgorithm::of_ciphertext(bytes.len())?;
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
    }

    /// The encoded ciphertext.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A shared secret (32 bytes). Secret.
#[derive(Debug)]
pub struct SharedSecret(pub(super) Secret<32>);

impl SharedSecret {
    /// The length in bytes, for every parameter set.
    pub const BYTES: usize = 32;

    /// The 32 bytes. Key material.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; 32] {
        self.0.expose_bytes()
    }

    /// The secret, to derive keys from.
    #[must_use]
    pub fn as_secret(&self) -> &Secret<32> {
        &self.0
    }

    /// Whether both are equal, in constant time.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}
