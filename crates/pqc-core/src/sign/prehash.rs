//! HashML-DSA: signing the digest of a message (FIPS 204, Algorithms 4 and 5).
//!
//! The signature names the hash function, and is of another domain than a pure one: neither
//! verifies as the other, even over the same bytes. Prefer [`Mu`](super::Mu) where the signer's
//! verifying key is known before the message is read: its signatures are pure ones.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};
use shake::digest::{Digest, ExtendableOutput, Update, XofReader};
use shake::{Shake128, Shake256};

use super::Context;
use crate::error::{Error, Field, check_length};

/// An approved hash function for HashML-DSA (FIPS 204, Section 5.4.1; FIPS 180-4, FIPS 202).
///
/// FIPS 204, Section 5.4 asks for a digest that resists collisions as well as the parameter set
/// does: [`Self::collision_strength`] of 128 bits for ML-DSA-44, 192 for ML-DSA-65, 256 for
/// ML-DSA-87. SHA-512, SHA3-512 and SHAKE256 do for every set.
///
/// ```
/// use pqc_core::sign::PreHashAlgorithm;
/// let hash = PreHashAlgorithm::Sha384;
/// assert_eq!((hash.name(), hash.digest_bytes()), ("SHA-384", 48));
/// assert_eq!(hash.collision_strength(), 192); // enough for ML-DSA-65
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PreHashAlgorithm {
    /// SHA-224: 28 bytes.
    Sha224,
    /// SHA-256: 32 bytes.
    Sha256,
    /// SHA-384: 48 bytes.
    Sha384,
    /// SHA-512: 64 bytes.
    Sha512,
    /// SHA-512/224: 28 bytes.
    Sha512_224,
    /// SHA-512/256: 32 bytes.
    Sha512_256,
    /// SHA3-224: 28 bytes.
    Sha3_224,
    /// SHA3-256: 32 bytes.
    Sha3_256,
    /// SHA3-384: 48 bytes.
    Sha3_384,
    /// SHA3-512: 64 bytes.
    Sha3_512,
    /// SHAKE128 with an output of 32 bytes.
    Shake128,
    /// SHAKE256 with an output of 64 bytes.
    Shake256,
}

impl PreHashAlgorithm {
    /// Every hash function.
    pub const ALL: [Self; 12] = [
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
        Self::Sha512_224,
        Self::Sha512_256,
        Self::Sha3_224,
        Self::Sha3_256,
        Self::Sha3_384,
        Self::Sha3_512,
        Self::Shake128,
        Self::Shake256,
    ];

    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha512_224 => "SHA-512/224",
            Self::Sha512_256 => "SHA-512/256",
            Self::Sha3_224 => "SHA3-224",
            Self::Sha3_256 => "SHA3-256",
            Self::Sha3_384 => "SHA3-384",
            Self::Sha3_512 => "SHA3-512",
            Self::Shake128 => "SHAKE128",
            Self::Shake256 => "SHAKE256",
        }
    }

    /// The bytes of a digest.
    #[must_use]
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Sha224 | Self::Sha512_224 | Self::Sha3_224 => 28,
            Self::Sha256 | Self::Sha512_256 | Self::Sha3_256 | Self::Shake128 => 32,
            Self::Sha384 | Self::Sha3_384 => 48,
            Self::Sha512 | Self::Sha3_512 | Self::Shake256 => 64,
        }
    }

    /// The bits of resistance to collisions: half the digest's.
    #[must_use]
    pub const fn collision_strength(self) -> usize {
        self.digest_bytes() * 4
    }

    /// The DER encoding of the OID: 2.16.840.1.101.3.4.2.n (FIPS 204, Algorithm 4).
    const fn oid(self) -> [u8; 11] {
        let last = match self {
            Self::Sha256 => 1,
            Self::Sha384 => 2,
            Self::Sha512 => 3,
            Self::Sha224 => 4,
            Self::Sha512_224 => 5,
            Self::Sha512_256 => 6,
            Self::Sha3_224 => 7,
            Self::Sha3_256 => 8,
            Self::Sha3_384 => 9,
            Self::Sha3_512 => 10,
            Self::Shake128 => 11,
            Self::Shake256 => 12,
        };
        [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last]
    }
}

impl core::fmt::Display for PreHashAlgorithm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}

/// The digest of a message (28 to 64 bytes), with the hash function that made it.
///
/// ```
/// use pqc_core::sign::{PreHash, PreHashAlgorithm};
/// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let mut rng = getrandom::SysRng;
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
/// let digest = PreHash::of(PreHashAlgorithm::Sha512, b"message");
/// let signature = key.sign_prehash(&digest, Context::EMPTY, &mut rng)?;
/// assert!(key.verifying_key().verify_prehash(&digest, Context::EMPTY, &signature));
/// // It is no signature of the message, nor one of the digest taken for a message.
/// assert!(!key.verifying_key().verify(b"message", Context::EMPTY, &signature));
/// assert!(!key.verifying_key().verify(digest.as_bytes(), Context::EMPTY, &signature));
/// # Ok(())
/// # }
/// ```
///
/// A digest without its hash function cannot be signed:
/// ```compile_fail,E0308
/// # use pqc_core::{Context, SignatureAlgorithm, SigningKey};
/// # let mut rng = getrandom::SysRng;
/// # let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng).unwrap();
/// key.sign_prehash(&[0; 64], Context::EMPTY, &mut rng);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreHash {
    algorithm: PreHashAlgorithm,
    digest: Vec<u8>,
}

impl PreHash {
    /// Hashes `message`.
    #[must_use]
    pub fn of(algorithm: PreHashAlgorithm, message: &[u8]) -> Self {
        let mut hasher = PreHasher::new(algorithm);
        hasher.update(message);
        hasher.finish()
    }

    /// Takes a digest that `algorithm` made elsewhere.
    ///
    /// ```
    /// use pqc_core::sign::{PreHash, PreHashAlgorithm};
    /// use sha2::{Digest, Sha512};
    /// let digest = Sha512::digest(b"message");
    /// let elsewhere = PreHash::from_digest(PreHashAlgorithm::Sha512, &digest)?;
    /// assert_eq!(elsewhere, PreHash::of(PreHashAlgorithm::Sha512, b"message"));
    /// assert!(PreHash::from_digest(PreHashAlgorithm::Sha512, &[0; 32]).is_err());
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`]: `digest` is not [`PreHashAlgorithm::digest_bytes`] long.
    pub fn from_digest(algorithm: PreHashAlgorithm, digest: &[u8]) -> Result<Self, Error> {
        check_length(Field::Digest, algorithm.digest_bytes(), digest.len())?;
        Ok(Self { algorithm, digest: digest.to_vec() })
    }

    /// The hash function.
    #[must_use]
    pub fn algorithm(&self) -> PreHashAlgorithm {
        self.algorithm
    }

    /// The digest alone.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.digest
    }

    /// M′ = 1 ‖ |ctx| ‖ ctx ‖ OID ‖ PH(M) (FIPS 204, Algorithm 4, line 23).
    pub(crate) fn framed(&self, context: Context<'_>) -> Vec<u8> {
        let head = [PRE_HASHED, context.length()];
        [&head, context.as_bytes(), &self.algorithm.oid(), &self.digest].concat()
    }
}

/// Hashes a message that comes in pieces: of any count, and cut anywhere.
///
/// ```
/// use pqc_core::sign::{PreHash, PreHashAlgorithm, PreHasher};
/// let mut hasher = PreHasher::new(PreHashAlgorithm::Sha3_256);
/// hasher.update(b"one piece ");
/// hasher.update(b"after another");
/// let whole = PreHash::of(PreHashAlgorithm::Sha3_256, b"one piece after another");
/// assert_eq!(hasher.finish(), whole);
/// ```
pub struct PreHasher {
    algorithm: PreHashAlgorithm,
    state: Box<dyn Hasher>,
}

impl PreHasher {
    /// Begins a message.
    #[must_use]
    pub fn new(algorithm: PreHashAlgorithm) -> Self {
        let state: Box<dyn Hasher> = match algorithm {
            PreHashAlgorithm::Sha224 => Box::new(Fixed(Sha224::new())),
            PreHashAlgorithm::Sha256 => Box::new(Fixed(Sha256::new())),
            PreHashAlgorithm::Sha384 => Box::new(Fixed(Sha384::new())),
            PreHashAlgorithm::Sha512 => Box::new(Fixed(Sha512::new())),
            PreHashAlgorithm::Sha512_224 => Box::new(Fixed(Sha512_224::new())),
            PreHashAlgorithm::Sha512_256 => Box::new(Fixed(Sha512_256::new())),
            PreHashAlgorithm::Sha3_224 => Box::new(Fixed(Sha3_224::new())),
            PreHashAlgorithm::Sha3_256 => Box::new(Fixed(Sha3_256::new())),
            PreHashAlgorithm::Sha3_384 => Box::new(Fixed(Sha3_384::new())),
            PreHashAlgorithm::Sha3_512 => Box::new(Fixed(Sha3_512::new())),
            PreHashAlgorithm::Shake128 => Box::new(Extendable::<_, 32>(Shake128::default())),
            PreHashAlgorithm::Shake256 => Box::new(Extendable::<_, 64>(Shake256::default())),
        };
        Self { algorithm, state }
    }

    /// Takes the next piece of the message.
    pub fn update(&mut self, piece: &[u8]) {
        self.state.update(piece);
    }

    /// The digest of the pieces, joined.
    #[must_use]
    pub fn finish(self) -> PreHash {
        PreHash { algorithm: self.algorithm, digest: self.state.finish() }
    }
}

impl core::fmt::Debug for PreHasher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PreHasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// What both kinds of hash function do.
trait Hasher: Send + Sync {
    fn update(&mut self, piece: &[u8]);
    fn finish(self: Box<Self>) -> Vec<u8>;
}

struct Fixed<D>(D);

impl<D: Digest + Send + Sync> Hasher for Fixed<D> {
    fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        self.0.finalize().to_vec()
    }
}

/// A function that gives as many bytes as one asks for: `N`.
struct Extendable<X, const N: usize>(X);

impl<X: ExtendableOutput + Update + Send + Sync, const N: usize> Hasher for Extendable<X, N> {
    fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    fn finish(self: Box<Self>) -> Vec<u8> {
        let mut digest = [0; N];
        self.0.finalize_xof().read(&mut digest);
        digest.to_vec()
    }
}

/// The first byte of M′ in HashML-DSA (FIPS 204, Algorithm 4, line 23).
const PRE_HASHED: u8 = 1;
