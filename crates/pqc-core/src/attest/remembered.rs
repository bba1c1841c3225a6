//! What was verified once, for who brings the same again.

use core::fmt;

use super::{Attestation, PreparedVerifiedKey, TrustedIssuers, UnverifiedKey};
use super::{VerifiedEncapsulationKey, verified};
use crate::error::Error;
use crate::id::AccountId;
use crate::sign::VerifyingKey;
use crate::time::Timestamp;

/// A key with the attestation that was verified for it, and the key prepared: for the next time that
/// the same three come. Then the signature is not verified again; all that can change is.
///
/// ```
/// # use pqc_core::*;
/// use pqc_core::attest::RememberedAttestation;
/// # let rng = &mut getrandom::SysRng;
/// # let (account, now) = (AccountId::from_bytes([1; 16]), Timestamp::from_seconds(1));
/// # let issuer = Issuer::generate(SignatureAlgorithm::MlDsa44, rng)?;
/// # let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem512, rng)?;
/// let later = now.plus_seconds(60);
/// let attestation =
///     issuer.attest(account, receiver.encapsulation_key(), now, Some(later), rng)?;
/// let key = UnverifiedKey::from_bytes(receiver.encapsulation_key().as_bytes())?;
/// let (issuer, trusted) = (issuer.verifying_key(), TrustedIssuers::dangerously_any());
/// let known = RememberedAttestation::verify(&key, &attestation, issuer, &trusted, None, now)?;
///
/// assert!(known.is_of(&key, &attestation, issuer));
/// let (ciphertext, sent) = known.verify_again(&trusted, Some(account), now)?.encapsulate(rng)?;
/// assert!(receiver.decapsulate(&ciphertext)?.ct_eq(&sent));
///
/// let nobody = TrustedIssuers::new([]);
/// assert_eq!(known.verify_again(&nobody, None, now).unwrap_err(), Error::UntrustedIssuer);
/// let expired = known.verify_again(&trusted, None, later);
/// assert_eq!(expired.unwrap_err(), Error::AttestationExpired);
/// # Ok::<(), Error>(())
/// ```
pub struct RememberedAttestation {
    key: UnverifiedKey,
    attestation: Attestation,
    issuer: VerifyingKey,
    prepared: PreparedVerifiedKey,
}

impl RememberedAttestation {
    /// Verifies as [`VerifiedEncapsulationKey::verify`] does, and prepares the key.
    ///
    /// # Errors
    /// As there.
    pub fn verify(
        key: &UnverifiedKey,
        attestation: &Attestation,
        issuer: &VerifyingKey,
        trusted: &TrustedIssuers,
        expected_account: Option<AccountId>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let prepared = VerifiedEncapsulationKey::verify(
            key,
            attestation,
            issuer,
            trusted,
            expected_account,
            now,
        )?
        .prepare()?;
        let (key, attestation) = (key.clone(), attestation.clone());
        Ok(Self { key, attestation, issuer: issuer.clone(), prepared })
    }

    /// Whether it was these that were verified, byte by byte.
    #[must_use]
    pub fn is_of(
        &self,
        key: &UnverifiedKey,
        attestation: &Attestation,
        issuer: &VerifyingKey,
    ) -> bool {
        self.key == *key && self.attestation == *attestation && self.issuer == *issuer
    }

    /// Checks again, in the order of [`VerifiedEncapsulationKey::verify`], what may have changed: the
    /// issuer is trusted, the account is the expected one, the statement has not expired at `now`.
    ///
    /// # Errors
    /// In that order: [`Error::UntrustedIssuer`], [`Error::AttestationAccount`],
    /// [`Error::AttestationExpired`].
    pub fn verify_again(
        &self,
        trusted: &TrustedIssuers,
        expected_account: Option<AccountId>,
        now: Timestamp,
    ) -> Result<&PreparedVerifiedKey, Error> {
        if !trusted.contains(&self.issuer) {
            return Err(Error::UntrustedIssuer);
        }
        verified::check_terms(&self.attestation, expected_account, now)?;
        Ok(&self.prepared)
    }

    /// The account that the issuer made the key for.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.attestation.account
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let (key, issuer) = (self.key.bytes.len(), self.issuer.as_bytes().len());
        let attestation = self.attestation.signature.as_bytes().len();
        size_of::<Self>() + key + issuer + attestation + self.prepared.memory_bytes()
    }
}

impl fmt::Debug for RememberedAttestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RememberedAttestation");
        shown.field("key", &self.key.key_id()).field("account", &self.account());
        shown.finish_non_exhaustive()
    }
}
