//! The names of accounts, keys and tokens: not secret, safe to log.
//!
//! Those of accounts, tokens and symmetric keys are 16 bytes, that of a key pair is SHA-256 (FIPS
//! 180-4), 32 bytes. In text they are lower-case hex.

use alloc::string::String;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::error::{Error, Field};

/// An account, by 16 bytes. All zero is the server itself (it owns the issuer key).
///
/// ```
/// use pqc_core::AccountId;
/// let id = AccountId::from_slice(&[0xab; 16])?;
/// assert_eq!(id, AccountId::from_bytes(*id.as_bytes()));
/// assert_eq!(id.to_string(), "abababababababababababababababab");
/// assert_ne!(id, AccountId::SERVER);
/// assert!(AccountId::from_slice(&[0xab; 15]).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId([u8; Self::BYTES]);

impl AccountId {
    /// The length in bytes.
    pub const BYTES: usize = 16;
    /// The server itself: owner of the issuer key, never of a token.
    pub const SERVER: Self = Self([0; Self::BYTES]);

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
        array(Field::AccountId, bytes).map(Self)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// A token's name: 16 bytes, unrelated to its value.
///
/// ```
/// use pqc_core::TokenId;
/// let id = TokenId::from_slice(&[0xab; 16])?;
/// assert_eq!(id, TokenId::from_bytes(*id.as_bytes()));
/// assert_eq!(id.to_string(), "abababababababababababababababab");
/// assert!(TokenId::from_slice(&[0xab; 17]).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; Self::BYTES]);

impl TokenId {
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
        array(Field::TokenId, bytes).map(Self)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// The name of a stored key.
///
/// ```
/// use pqc_core::KeyId;
/// assert_eq!(KeyId::from_slice(&[7; 32])?, KeyId::Pair([7; 32]));
/// assert_eq!(KeyId::from_slice(&[7; 16])?, KeyId::Symmetric([7; 16]));
/// assert!(KeyId::from_slice(&[7; 20]).is_err());
/// assert_eq!(KeyId::Symmetric([0xab; 16]).to_string(), "ab".repeat(16));
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyId {
    /// A key pair: SHA-256 (algorithm name ‖ public key), so that the id binds the public key.
    Pair([u8; 32]),
    /// A symmetric key: 16 random bytes, as they stand in the head of a message box.
    Symmetric([u8; 16]),
}

impl KeyId {
    /// The id of the key pair with this public key.
    ///
    /// ```
    /// use pqc_core::{KeyId, SignatureAlgorithm, SigningKey};
    /// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut getrandom::SysRng)?;
    /// let public = key.verifying_key();
    /// assert_eq!(KeyId::of_pair("ML-DSA-65", public.as_bytes()), public.key_id());
    /// assert_ne!(KeyId::of_pair("ML-DSA-44", public.as_bytes()), public.key_id());
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    #[must_use]
    pub fn of_pair(algorithm: &str, public_key: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(algorithm.as_bytes());
        hash.update(public_key);
        Self::Pair(hash.finalize().into())
    }

    /// From 32 bytes (a pair) or 16 (a symmetric key).
    ///
    /// # Errors
    /// [`Error::Length`]: neither.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        if let Ok(pair) = bytes.try_into() {
            return Ok(Self::Pair(pair));
        }
        bytes.try_into().map(Self::Symmetric).map_err(|_| Error::Length {
            field: Field::KeyId,
            expected: String::from("32 or 16"),
            actual: bytes.len(),
        })
    }

    /// The bytes: 32 for a pair, 16 for a symmetric key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Pair(bytes) => bytes,
            Self::Symmetric(bytes) => bytes,
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

/// Exactly so many bytes of a field.
pub(crate) fn array<const N: usize>(field: Field, bytes: &[u8]) -> Result<[u8; N], Error> {
    bytes.try_into().map_err(|_| Error::Length {
        field,
        expected: alloc::format!("{N}"),
        actual: bytes.len(),
    })
}
