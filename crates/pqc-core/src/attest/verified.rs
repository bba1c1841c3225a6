//! Whose word counts, and the key for which it was given.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::{Attestation, CONTEXT, UnverifiedKey, statement};
use crate::error::Error;
use crate::id::AccountId;
use crate::kem::{Ciphertext, EncapsulationKey, PreparedEncapsulationKey, SharedSecret};
use crate::sign::VerifyingKey;
use crate::time::Timestamp;

/// The issuers whose word counts.
///
/// ```
/// use pqc_core::{Issuer, SignatureAlgorithm, TrustedIssuers};
/// # let rng = &mut getrandom::SysRng;
/// let [mine, other] = [(); 2].map(|()| Issuer::generate(SignatureAlgorithm::MlDsa65, rng));
/// let (mine, other) = (mine?, other?);
/// let trusted = TrustedIssuers::new([mine.verifying_key().clone()]);
/// assert!(trusted.contains(mine.verifying_key()));
/// assert!(!trusted.contains(other.verifying_key()));
/// assert!(TrustedIssuers::dangerously_any().contains(other.verifying_key()));
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrustedIssuers {
    keys: Vec<VerifyingKey>,
    any: bool,
}

impl TrustedIssuers {
    /// Exactly these.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { keys: keys.into_iter().collect(), any: false }
    }

    /// Everyone: a key that travels with the key it vouches for then proves nothing. For clients
    /// that check the issuer themselves.
    #[must_use]
    pub fn dangerously_any() -> Self {
        Self { keys: Vec::new(), any: true }
    }

    /// Whether `issuer` is one of them.
    #[must_use]
    pub fn contains(&self, issuer: &VerifyingKey) -> bool {
        self.any || self.keys.contains(issuer)
    }
}

/// An encapsulation key for which a trusted issuer vouches: holding one is the proof.
///
/// It cannot be made by hand from a key that passed FIPS 203's checks alone:
/// ```compile_fail,E0451
/// # use pqc_core::{AccountId, EncapsulationKey, VerifiedEncapsulationKey};
/// # fn f(key: EncapsulationKey, account: AccountId) {
/// let verified = VerifiedEncapsulationKey { key, account };
/// # }
/// ```
#[derive(Debug)]
pub struct VerifiedEncapsulationKey {
    key: EncapsulationKey,
    account: AccountId,
}

impl VerifiedEncapsulationKey {
    /// Checks, in this order: the issuer is trusted; its signature covers this key and head
    /// (FIPS 204, Algorithm 3, context `pqc/v1/attestation`); the account is the expected one; the
    /// statement has not expired at `now`; the key passes the modulus check (FIPS 203, Section
    /// 7.2).
    ///
    /// ```
    /// # use pqc_core::{AccountId, DecapsulationKey, Issuer, KemAlgorithm, SignatureAlgorithm};
    /// # use pqc_core::Timestamp;
    /// use pqc_core::{Error, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey};
    /// # let rng = &mut getrandom::SysRng;
    /// # let [mine, yours] = [[1; 16], [2; 16]].map(AccountId::from_bytes);
    /// # let [now, later] = [1, 61].map(Timestamp::from_seconds);
    /// # let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng)?;
    /// # let key = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng)?;
    /// let attestation = issuer.attest(mine, key.encapsulation_key(), now, Some(later), rng)?;
    /// let key = UnverifiedKey::from_bytes(key.encapsulation_key().as_bytes())?;
    /// let issuer = issuer.verifying_key();
    /// let trusted = TrustedIssuers::new([issuer.clone()]);
    /// let verify = |trusted: &TrustedIssuers, account, now| {
    ///     let account = Some(account);
    ///     VerifiedEncapsulationKey::verify(&key, &attestation, issuer, trusted, account, now)
    /// };
    /// let verified = verify(&trusted, mine, now)?;
    /// assert_eq!((verified.account(), verified.key().key_id()), (mine, key.key_id()));
    ///
    /// let nobody = TrustedIssuers::new([]);
    /// assert_eq!(verify(&nobody, mine, now).unwrap_err(), Error::UntrustedIssuer);
    /// assert_eq!(verify(&trusted, yours, now).unwrap_err(), Error::AttestationAccount);
    /// assert_eq!(verify(&trusted, mine, later).unwrap_err(), Error::AttestationExpired);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// In that order: [`Error::UntrustedIssuer`], [`Error::AttestationSignature`],
    /// [`Error::AttestationAccount`], [`Error::AttestationExpired`],
    /// [`Error::EncapsulationKeyModulus`] (X-Wing: also [`Error::LowOrder`]).
    pub fn verify(
        key: &UnverifiedKey,
        attestation: &Attestation,
        issuer: &VerifyingKey,
        trusted: &TrustedIssuers,
        expected_account: Option<AccountId>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        if !trusted.contains(issuer) {
            return Err(Error::UntrustedIssuer);
        }
        let statement = statement(&attestation.head(), key.algorithm, &key.bytes);
        if !issuer.verify(&statement, CONTEXT, &attestation.signature) {
            return Err(Error::AttestationSignature);
        }
        check_terms(attestation, expected_account, now)?;
        let key = EncapsulationKey::from_bytes(&key.bytes)?;
        Ok(Self { key, account: attestation.account })
    }

    /// ML-KEM.Encaps (FIPS 203, Algorithm 20), or Encapsulate of X-Wing.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn encapsulate(
        &self,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        self.key.encapsulate_unattested(rng)
    }

    /// Decodes the key and expands its matrix once, for many encapsulations.
    ///
    /// # Errors
    /// [`Error::Internal`]: not for a key that this crate read.
    pub fn prepare(&self) -> Result<PreparedVerifiedKey, Error> {
        Ok(PreparedVerifiedKey(self.key.prepare()?))
    }

    /// The account that the issuer made this key for.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &EncapsulationKey {
        &self.key
    }
}

/// Whether the statement is about this account, and holds at `now`.
pub(super) fn check_terms(
    attestation: &Attestation,
    expected_account: Option<AccountId>,
    now: Timestamp,
) -> Result<(), Error> {
    if expected_account.is_some_and(|expected| expected != attestation.account) {
        return Err(Error::AttestationAccount);
    }
    if attestation.expires_at != 0 && now.seconds() >= attestation.expires_at {
        return Err(Error::AttestationExpired);
    }
    Ok(())
}

/// A [`VerifiedEncapsulationKey`] for many encapsulations: the proof stays with it.
///
/// ```
/// # use pqc_core::*;
/// # let rng = &mut getrandom::SysRng;
/// # let (account, now) = (AccountId::from_bytes([1; 16]), Timestamp::from_seconds(1));
/// # let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng)?;
/// # let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng)?;
/// # let attestation = issuer.attest(account, receiver.encapsulation_key(), now, None, rng)?;
/// # let key = UnverifiedKey::from_bytes(receiver.encapsulation_key().as_bytes())?;
/// # let (issuer, trusted) = (issuer.verifying_key(), TrustedIssuers::dangerously_any());
/// let key = VerifiedEncapsulationKey::verify(&key, &attestation, issuer, &trusted, None, now)?;
/// let key = key.prepare()?;
/// for _ in 0..3 {
///     let (ciphertext, sent) = key.encapsulate(rng)?;
///     assert!(receiver.decapsulate(&ciphertext)?.ct_eq(&sent));
/// }
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct PreparedVerifiedKey(PreparedEncapsulationKey);

impl PreparedVerifiedKey {
    /// As [`VerifiedEncapsulationKey::encapsulate`].
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn encapsulate(
        &self,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        self.0.encapsulate_unattested(rng)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}
