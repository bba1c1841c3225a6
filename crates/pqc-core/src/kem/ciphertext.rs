//! What an encapsulation gives: the ciphertext that travels, and the secret that does not.

use alloc::vec::Vec;

use super::KemAlgorithm;
use crate::error::Error;
use crate::secret::Secret;

/// A ciphertext of the right length: 768, 1088 or 1568 bytes, for X-Wing 1120. That is all FIPS 203
/// asks of one.
///
/// ```
/// use pqc_core::{Ciphertext, Error, KemAlgorithm};
/// let ciphertext = Ciphertext::from_bytes(&[0; 1088])?;
/// assert_eq!(ciphertext.algorithm(), KemAlgorithm::MlKem768);
/// assert!(matches!(Ciphertext::from_bytes(&[0; 1089]), Err(Error::Length { .. })));
/// # Ok::<(), pqc_core::Error>(())
/// ```
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
        Ok(Self { algorithm: Self::algorithm_of(bytes)?, bytes: bytes.to_vec() })
    }

    fn algorithm_of(bytes: &[u8]) -> Result<KemAlgorithm, Error> {
        KemAlgorithm::of_ciphertext(bytes.len())
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

impl TryFrom<Vec<u8>> for Ciphertext {
    type Error = Error;

    /// As [`Self::from_bytes`], without a copy.
    fn try_from(bytes: Vec<u8>) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(&bytes)?, bytes })
    }
}

/// A shared secret (32 bytes). Secret.
///
/// ```
/// use pqc_core::{BoxKey, DecapsulationKey, KemAlgorithm};
/// # let rng = &mut getrandom::SysRng;
/// # let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
/// let (ciphertext, sent) = receiver.encapsulation_key().encapsulate_unattested(rng)?;
/// let sealed = BoxKey::from_caller(sent.as_secret()).seal(b"text", b"", rng)?;
///
/// let received = receiver.decapsulate(&ciphertext)?;
/// let opened = BoxKey::from_caller(received.as_secret()).open(&sealed, b"")?;
/// assert_eq!(opened.expose_bytes(), b"text");
/// assert_eq!(format!("{received:?}"), "SharedSecret([redacted])");
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// It is not compared with `==`, nor printed:
/// ```compile_fail,E0369
/// # fn f(sent: pqc_core::SharedSecret, received: pqc_core::SharedSecret) {
/// let same = sent == received;
/// # }
/// ```
/// ```compile_fail,E0277
/// # fn f(sent: pqc_core::SharedSecret) {
/// println!("{sent}");
/// # }
/// ```
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
    ///
    /// ```
    /// use pqc_core::{DecapsulationKey, KemAlgorithm};
    /// # let rng = &mut getrandom::SysRng;
    /// # let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
    /// let (ciphertext, sent) = key.encapsulation_key().encapsulate_unattested(rng)?;
    /// let (_, another) = key.encapsulation_key().encapsulate_unattested(rng)?;
    /// assert!(sent.ct_eq(&key.decapsulate(&ciphertext)?));
    /// assert!(!sent.ct_eq(&another));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }
}
