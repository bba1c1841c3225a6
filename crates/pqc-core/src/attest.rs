//! The issuer's statement about an encapsulation key, and the proof that it was checked.
//!
//! The statement is signed by pure ML-DSA (FIPS 204, Algorithms 2 and 3) in a context of its own;
//! `docs/formats.md` has the bytes.
//!
//! Key, attestation and issuer arrive as unrelated bytes. [`VerifiedEncapsulationKey::verify`] is
//! the one door to a value that encapsulates without a warning in its name, so the compiler keeps
//! the order of the checks.
//!
//! ```compile_fail,E0599
//! # let mut rng = getrandom::SysRng;
//! # let alg = pqc_core::KemAlgorithm::MlKem768;
//! let key = pqc_core::DecapsulationKey::generate(alg, &mut rng)?;
//! key.encapsulation_key().encapsulate(&mut rng)?; // nobody vouched for this key
//! # Ok::<(), pqc_core::Error>(())
//! ```
//! ```
//! # use pqc_core::*;
//! # let mut rng = getrandom::SysRng;
//! # let (account, now) = (AccountId::from_bytes([1; 16]), Timestamp::from_seconds(1));
//! let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, &mut rng)?;
//! let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng)?;
//! let attestation = issuer.attest(account, key.encapsulation_key(), now, None, &mut rng)?;
//!
//! let unverified = UnverifiedKey::from_bytes(key.encapsulation_key().as_bytes())?;
//! let trusted = TrustedIssuers::new([issuer.verifying_key().clone()]);
//! let verified = VerifiedEncapsulationKey::verify(
//!     &unverified, &attestation, issuer.verifying_key(), &trusted, Some(account), now)?;
//! let (ciphertext, sent) = verified.encapsulate(&mut rng)?;
//! assert!(key.decapsulate(&ciphertext)?.ct_eq(&sent));
//! # Ok::<(), Error>(())
//! ```

mod remembered;
mod verified;

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use crate::error::{Error, Field};
use crate::id::{AccountId, KeyId};
use crate::kem::{EncapsulationKey, KemAlgorithm};
use crate::seal::{MasterKeys, RecordKind, SealedRecord};
use crate::sign::{Context, Signature, SignatureAlgorithm, SigningKey, VerifyingKey};
use crate::time::Timestamp;

pub use remembered::RememberedAttestation;
pub use verified::{PreparedVerifiedKey, TrustedIssuers, VerifiedEncapsulationKey};

/// Bytes of an encapsulation key's length, from anywhere: nothing else was checked.
///
/// ```
/// use pqc_core::{KemAlgorithm, UnverifiedKey};
/// let key = UnverifiedKey::from_bytes(&[0xff; 1184])?; // no key at all, but of a key's length
/// assert_eq!(key.algorithm(), KemAlgorithm::MlKem768);
/// assert!(UnverifiedKey::from_bytes(&[0xff; 1185]).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// Nothing is encapsulated to it:
/// ```compile_fail,E0599
/// let key = pqc_core::UnverifiedKey::from_bytes(&[0xff; 1184]).unwrap();
/// key.encapsulate(&mut getrandom::SysRng);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedKey {
    algorithm: KemAlgorithm,
    bytes: Vec<u8>,
}

impl UnverifiedKey {
    /// Takes 800, 1184 or 1568 bytes, for X-Wing 1216.
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(bytes)?, bytes: bytes.to_vec() })
    }

    fn algorithm_of(bytes: &[u8]) -> Result<KemAlgorithm, Error> {
        KemAlgorithm::of_encapsulation_key(bytes.len())
    }

    /// The parameter set.
    #[must_use]
    pub fn algorithm(&self) -> KemAlgorithm {
        self.algorithm
    }

    /// The id of the key pair it would belong to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::of_pair(self.algorithm.name(), &self.bytes)
    }
}

impl TryFrom<Vec<u8>> for UnverifiedKey {
    type Error = Error;

    /// As [`Self::from_bytes`], without a copy.
    fn try_from(bytes: Vec<u8>) -> Result<Self, Error> {
        Ok(Self { algorithm: Self::algorithm_of(&bytes)?, bytes })
    }
}

/// `0x01 ‖ account (16) ‖ issued_at (8) ‖ expires_at (8) ‖ ML-DSA signature`: the issuer says that
/// it made a key for this account. Times are seconds since the epoch, big-endian; 0 is "none". The
/// signature is pure ML-DSA (FIPS 204, Algorithm 2) in the context `pqc/v1/attestation`. 2453, 3342
/// or 4660 bytes.
///
/// ```
/// # use pqc_core::{AccountId, Attestation, DecapsulationKey, Error, Issuer, KemAlgorithm};
/// # use pqc_core::{SignatureAlgorithm, Timestamp};
/// # let rng = &mut getrandom::SysRng;
/// # let (account, now) = (AccountId::from_bytes([1; 16]), Timestamp::from_seconds(1));
/// # let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, rng)?;
/// # let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
/// let attestation = issuer.attest(account, key.encapsulation_key(), now, None, rng)?;
/// let mut bytes = attestation.to_bytes();
/// assert_eq!(bytes.len(), Attestation::bytes(SignatureAlgorithm::MlDsa65));
/// assert_eq!(Attestation::from_bytes(&bytes)?, attestation);
/// assert_eq!(attestation.algorithm(), SignatureAlgorithm::MlDsa65);
/// assert_eq!(attestation.claimed_account(), account);
///
/// bytes[0] = 2;
/// assert!(matches!(Attestation::from_bytes(&bytes), Err(Error::UnknownFormat { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    account: AccountId,
    issued_at: u64,
    expires_at: u64,
    signature: Signature,
}

impl Attestation {
    /// Reads the wire form: 2453, 3342 or 4660 bytes.
    ///
    /// # Errors
    /// [`Error::Length`]; [`Error::UnknownFormat`]: another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let parts = || {
            let (version, rest) = bytes.split_first()?;
            let (account, rest) = rest.split_first_chunk()?;
            let (issued_at, rest) = rest.split_first_chunk()?;
            let (expires_at, signature) = rest.split_first_chunk()?;
            let signature = Signature::from_bytes(signature).ok()?;
            Some((*version, *account, *issued_at, *expires_at, signature))
        };
        let (version, account, issued_at, expires_at, signature) =
            parts().ok_or_else(|| Error::Length {
                field: Field::Attestation,
                expected: SignatureAlgorithm::ALL
                    .map(|set| alloc::format!("{}", Self::bytes(set)))
                    .join(" or "),
                actual: bytes.len(),
            })?;
        if version != FORMAT_VERSION {
            return Err(Error::UnknownFormat { field: Field::Attestation });
        }
        Ok(Self {
            account: AccountId::from_bytes(account),
            issued_at: u64::from_be_bytes(issued_at),
            expires_at: u64::from_be_bytes(expires_at),
            signature,
        })
    }

    /// The wire form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.head().to_vec();
        bytes.extend_from_slice(self.signature.as_bytes());
        bytes
    }

    /// The bytes of an attestation that an issuer of this parameter set signed.
    #[must_use]
    pub const fn bytes(issuer: SignatureAlgorithm) -> usize {
        HEAD_BYTES + issuer.signature_bytes()
    }

    /// The parameter set of the issuer that signed it.
    #[must_use]
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.signature.algorithm()
    }

    /// The account that the key was made for, as the issuer says; worth nothing before
    /// [`VerifiedEncapsulationKey::verify`].
    #[must_use]
    pub fn claimed_account(&self) -> AccountId {
        self.account
    }

    /// When the issuer says that it signed. For people: no check compares it with a clock, since
    /// the sender's may be behind the issuer's.
    #[must_use]
    pub fn claimed_issued_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.issued_at)
    }

    fn head(&self) -> [u8; HEAD_BYTES] {
        head(self.account, self.issued_at, self.expires_at)
    }
}

/// An issuer: the ML-DSA key that vouches for encapsulation keys and signs nothing else. Secret.
///
/// ```
/// use pqc_core::{Issuer, MasterKey, MasterKeys, Secret, SignatureAlgorithm};
/// # let rng = &mut getrandom::SysRng;
/// # let masters = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
/// let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, rng)?;
/// let pinned = issuer.verifying_key().clone();
///
/// let record = issuer.seal(&masters, rng)?;
/// let opened = Issuer::open(&masters, pinned.as_bytes(), &record)?;
/// assert_eq!(opened.verifying_key(), &pinned);
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// It signs no message that somebody else chose:
/// ```compile_fail,E0599
/// # use pqc_core::{Context, Issuer, SignatureAlgorithm};
/// # let rng = &mut getrandom::SysRng;
/// # let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, rng).unwrap();
/// issuer.sign(b"a statement about nothing", Context::EMPTY, rng);
/// ```
#[derive(Debug)]
pub struct Issuer(SigningKey);

impl Issuer {
    /// A new issuer key.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(
        algorithm: SignatureAlgorithm,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        SigningKey::generate(algorithm, rng).map(Self)
    }

    /// States that `key` was made for `account` at `now`, good until `expires_at` (in whole seconds;
    /// within the first second of 1970 it is the end of that second, since 0 is "none").
    ///
    /// ```
    /// use pqc_core::{AccountId, Attestation, DecapsulationKey, Issuer, KemAlgorithm};
    /// use pqc_core::{SignatureAlgorithm, Timestamp};
    /// # let rng = &mut getrandom::SysRng;
    /// # let account = AccountId::from_bytes([1; 16]);
    /// let now = Timestamp::from_seconds(1_800_000_000);
    /// let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng)?;
    /// let key = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
    /// let a_day = Some(now.plus_seconds(86_400));
    /// let attestation = issuer.attest(account, key.encapsulation_key(), now, a_day, rng)?;
    /// assert_eq!(attestation.to_bytes().len(), 33 + 2420);
    /// assert_eq!(attestation.claimed_issued_at(), now);
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::Internal`]: no attempt of rejection sampling succeeded.
    pub fn attest(
        &self,
        account: AccountId,
        key: &EncapsulationKey,
        now: Timestamp,
        expires_at: Option<Timestamp>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Attestation, Error> {
        let issued_at = now.seconds();
        let expires_at = expires_at.map_or(0, |end| end.seconds().max(1));
        let head = head(account, issued_at, expires_at);
        let statement = statement(&head, key.algorithm(), key.as_bytes());
        let signature = self.0.sign(&statement, CONTEXT, rng)?;
        Ok(Attestation { account, issued_at, expires_at, signature })
    }

    /// The public half: what senders pin.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }

    /// Seals the issuer's seed as the server's own record.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn seal(
        &self,
        masters: &MasterKeys,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        self.0.seal_as(RecordKind::IssuerKey, masters, AccountId::SERVER, rng)
    }

    /// Opens the server's own record of the issuer with this verifying key.
    ///
    /// # Errors
    /// [`Error::Length`]: the verifying key's; [`Error::SealBroken`]: another issuer's record, or
    /// one that was altered; [`Error::UnknownMasterKey`].
    pub fn open(
        masters: &MasterKeys,
        verifying_key: &[u8],
        sealed: &SealedRecord,
    ) -> Result<Self, Error> {
        let kind = RecordKind::IssuerKey;
        SigningKey::open_as(kind, masters, AccountId::SERVER, verifying_key, sealed).map(Self)
    }
}

fn head(account: AccountId, issued_at: u64, expires_at: u64) -> [u8; HEAD_BYTES] {
    let mut head = [FORMAT_VERSION; HEAD_BYTES];
    let (_, rest) = head.split_at_mut(1);
    let (id, times) = rest.split_at_mut(AccountId::BYTES);
    let (issued, expires) = times.split_at_mut(8);
    id.copy_from_slice(account.as_bytes());
    issued.copy_from_slice(&issued_at.to_be_bytes());
    expires.copy_from_slice(&expires_at.to_be_bytes());
    head
}

/// What is signed: the head, then name and key, each behind its length.
fn statement(head: &[u8; HEAD_BYTES], algorithm: KemAlgorithm, key: &[u8]) -> Vec<u8> {
    let name = algorithm.name().as_bytes();
    let mut statement = Vec::with_capacity(HEAD_BYTES + 5 + name.len() + key.len());
    statement.extend_from_slice(head);
    statement.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    statement.extend_from_slice(name);
    statement.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_be_bytes());
    statement.extend_from_slice(key);
    statement
}

const FORMAT_VERSION: u8 = 1;
const HEAD_BYTES: usize = 1 + AccountId::BYTES + 8 + 8;
const CONTEXT: Context<'static> = Context::from_short(b"pqc/v1/attestation");
