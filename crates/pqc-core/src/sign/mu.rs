//! The message representative μ: signing what was hashed elsewhere, or piece by piece.
//!
//! ML-DSA signs μ = H(tr ‖ M′), 64 bytes, where tr is the hash of the verifying key (FIPS 204,
//! Algorithm 7, line 6). So who holds a large message computes μ with a [`MuHasher`], and who holds
//! the key signs it: the message need not travel, nor be in memory as a whole. The signature is the
//! one that [`SigningKey::sign`](super::SigningKey::sign) makes.

use shake::Shake256;
use shake::digest::{ExtendableOutput, Update, XofReader};

use super::{Context, VerifyingKey};
use crate::error::{Error, Field};

/// A message representative μ (64 bytes) for pure ML-DSA. It is bound to one verifying key, one
/// context and one message, and not secret.
///
/// A signer that is given only these bytes cannot know what it signs, nor in which context.
///
/// ```
/// use pqc_core::sign::Mu;
/// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let mut rng = getrandom::SysRng;
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
/// let context = Context::new(b"example.org/release")?;
///
/// // Where the message is:
/// let sent = key.verifying_key().mu(b"a large file", context).to_bytes();
/// // Where the key is:
/// let signature = key.sign_mu(&Mu::from_bytes(&sent)?, &mut rng)?;
/// // Anywhere, by any ML-DSA library:
/// assert!(key.verifying_key().verify(b"a large file", context, &signature));
/// # Ok(())
/// # }
/// ```
///
/// A message is not a μ, though both are bytes:
/// ```compile_fail,E0308
/// # use pqc_core::{SignatureAlgorithm, SigningKey};
/// # let mut rng = getrandom::SysRng;
/// # let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng).unwrap();
/// key.sign_mu(b"a message of 64 bytes ..........................................", &mut rng);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mu([u8; Self::BYTES]);

impl Mu {
    /// The length in bytes, for every parameter set.
    pub const BYTES: usize = 64;

    /// Reads μ as it was computed elsewhere.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        bytes.try_into().map(Self).map_err(|_| Error::Length {
            field: Field::Mu,
            expected: alloc::format!("{}", Self::BYTES),
            actual: bytes.len(),
        })
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }

    pub(super) const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

/// Computes μ of a message that comes in pieces: of any count, and cut anywhere.
///
/// ```
/// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let mut rng = getrandom::SysRng;
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
/// let mut hasher = key.verifying_key().mu_hasher(Context::EMPTY);
/// for piece in ["one ", "piece ", "after another"] {
///     hasher.update(piece.as_bytes());
/// }
/// let mu = hasher.finish();
/// let signature = key.sign_mu(&mu, &mut rng)?;
/// assert!(key.verifying_key().verify_mu(&mu, &signature));
/// assert!(key.verifying_key().verify(b"one piece after another", Context::EMPTY, &signature));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MuHasher(Shake256);

impl MuHasher {
    /// Begins M′ = 0 ‖ |ctx| ‖ ctx ‖ M (FIPS 204, Algorithm 2, line 10) for the key hashed to `tr`.
    pub(super) fn new(tr: &[u8; 64], context: Context<'_>) -> Self {
        let hasher = Shake256::default().chain(tr).chain([PURE, context.length()]);
        Self(hasher.chain(context.as_bytes()))
    }

    /// Takes the next piece of the message.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// μ of the pieces, joined.
    #[must_use]
    pub fn finish(self) -> Mu {
        let mut mu = [0; Mu::BYTES];
        self.0.finalize_xof().read(&mut mu);
        Mu(mu)
    }
}

impl core::fmt::Debug for MuHasher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("MuHasher").finish_non_exhaustive()
    }
}

impl VerifyingKey {
    /// μ of `message` in `context`, for this key.
    ///
    /// ```
    /// use pqc_core::sign::Mu;
    /// use pqc_core::{Context, VerifyingKey};
    /// let key = VerifyingKey::from_bytes(&[7; 1952])?;
    /// let other = VerifyingKey::from_bytes(&[8; 1952])?;
    /// let mu = key.mu(b"message", Context::EMPTY);
    /// assert_eq!(Mu::from_bytes(&mu.to_bytes())?, mu);
    /// assert_ne!(other.mu(b"message", Context::EMPTY), mu);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    #[must_use]
    pub fn mu(&self, message: &[u8], context: Context<'_>) -> Mu {
        let mut hasher = self.mu_hasher(context);
        hasher.update(message);
        hasher.finish()
    }

    /// Computes μ of a message that comes in pieces, in `context`, for this key.
    #[must_use]
    pub fn mu_hasher(&self, context: Context<'_>) -> MuHasher {
        // FIPS 204, Algorithm 6, line 9.
        let tr = shake256(&[&self.bytes]);
        MuHasher::new(&tr, context)
    }
}

/// H of FIPS 204, Section 3.7, of the joined `parts`.
pub(crate) fn shake256<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hasher = Shake256::default();
    parts.iter().for_each(|part| hasher.update(part));
    let mut hash = [0; N];
    hasher.finalize_xof().read(&mut hash);
    hash
}

/// The first byte of M′ in pure ML-DSA (FIPS 204, Algorithm 2, line 10).
const PURE: u8 = 0;
