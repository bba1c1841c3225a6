//! An encapsulation key for which a pinned issuer vouches, with what others need to check that again.

use pqc_core::{
    AccountId, Attestation, EncapsulationKey, Error, Timestamp, TrustedIssuers, UnverifiedKey,
    VerifiedEncapsulationKey, VerifyingKey,
};

/// An encapsulation key that one of the pinned issuers attested: holding one is the proof.
///
/// ```
/// # use pqc_core::*;
/// # let rng = &mut getrandom::SysRng;
/// # let (account, now) = (AccountId::from_bytes([1; 16]), Timestamp::from_seconds(1));
/// # let issuer = Issuer::generate(SignatureAlgorithm::MlDsa65, rng)?;
/// # let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
/// # let attestation = issuer.attest(account, receiver.encapsulation_key(), now, None, rng)?;
/// use pqc_client::VerifiedKey;
/// let key = receiver.encapsulation_key(); // as it came from the receiver, with the attestation
/// let pinned = [issuer.verifying_key().clone()];
/// let verified = VerifiedKey::verify(key, &attestation, &pinned, Some(account), now)?;
/// assert_eq!((verified.key(), verified.account()), (key, account));
///
/// // Who links the core needs no server for the rest.
/// let (ciphertext, sent) = verified.verified().encapsulate(rng)?;
/// # assert!(receiver.decapsulate(&ciphertext)?.ct_eq(&sent));
/// let nobody = VerifiedKey::verify(key, &attestation, &[], None, now);
/// assert_eq!(nobody.unwrap_err(), Error::UntrustedIssuer);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct VerifiedKey {
    verified: VerifiedEncapsulationKey,
    attestation: Attestation,
    issuer: VerifyingKey,
}

impl VerifiedKey {
    /// Checks that one of the `pinned` issuers attested the key, for the expected account if there is
    /// one, and that the attestation holds at `now`.
    ///
    /// # Errors
    /// [`Error::UntrustedIssuer`]: none of them did; [`Error::AttestationAccount`];
    /// [`Error::AttestationExpired`].
    pub fn verify(
        key: &EncapsulationKey,
        attestation: &Attestation,
        pinned: &[VerifyingKey],
        expected_account: Option<AccountId>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let unverified = UnverifiedKey::from_bytes(key.as_bytes())?;
        for issuer in pinned {
            // Which of them it was, only its signature tells.
            let trusted = TrustedIssuers::new([issuer.clone()]);
            let verified = VerifiedEncapsulationKey::verify(
                &unverified,
                attestation,
                issuer,
                &trusted,
                expected_account,
                now,
            );
            match verified {
                Err(Error::AttestationSignature) => {}
                Err(error) => return Err(error),
                Ok(verified) => {
                    let (attestation, issuer) = (attestation.clone(), issuer.clone());
                    return Ok(Self { verified, attestation, issuer });
                }
            }
        }
        Err(Error::UntrustedIssuer)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &EncapsulationKey {
        self.verified.key()
    }

    /// The account that it was made for.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.verified.account()
    }

    /// The issuer's word, for others to check.
    #[must_use]
    pub fn attestation(&self) -> &Attestation {
        &self.attestation
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &VerifyingKey {
        &self.issuer
    }

    /// The same proof as the core has it: it encapsulates without a server.
    #[must_use]
    pub fn verified(&self) -> &VerifiedEncapsulationKey {
        &self.verified
    }
}
