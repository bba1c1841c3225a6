//! ML-DSA signatures: by the account's stored key, and of anyone.

use pqc_core::{Context, KeyId, Signature, SignatureAlgorithm, VerifyingKey};

use crate::call::{Call, Client};
use crate::error::Error;
use crate::wire::{self, Hex, InHex, SIGN, VERIFY};

/// Which stored key signs. What is `None` is as the server has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SigningKeyChoice {
    /// This one, which may be an older version.
    pub key_id: Option<KeyId>,
    /// The one in force of this parameter set: ML-DSA-65 unless it is said.
    pub algorithm: Option<SignatureAlgorithm>,
}

/// A signature, and the key that verifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signed {
    /// The signature: 2420, 3309 or 4627 bytes.
    pub signature: Signature,
    /// The account's verifying key: 1312, 1952 or 2592 bytes. Who verifies has it from elsewhere.
    pub key: VerifyingKey,
}

impl Client {
    /// Signs data by a stored key of the account: pure ML-DSA (FIPS 204, Algorithm 2) in a context of
    /// at most 255 bytes, empty if there is none. The data travel to the server, which takes about
    /// half a mebibyte.
    ///
    /// ```no_run
    /// # async fn f(client: pqc_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use pqc_client::SigningKeyChoice;
    /// use pqc_core::Context;
    /// let signed = client.sign(b"received", "", &SigningKeyChoice::default()).await?;
    /// assert!(signed.key.verify(b"received", Context::EMPTY, &signed.signature));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error`]; refused are longer data (413) and keys that the account does not have (404). A signature
    /// that does not verify, or is by another key than was asked for, is [`Error::NotUnderstood`].
    pub async fn sign(
        &self,
        data: &[u8],
        context: &str,
        by: &SigningKeyChoice,
    ) -> Result<Signed, Error> {
        let body = wire::Sign {
            data: Hex(data),
            encoding: InHex::Hex,
            context,
            key_id: by.key_id.as_ref().map(|id| Hex(id.as_bytes())),
            algorithm: by.algorithm.map(SignatureAlgorithm::name),
        };
        let signed: wire::Signed = self.ask(Call::post(SIGN, &body)?).await?;
        let read = || {
            let signature = Signature::from_bytes(&signed.signature.0).ok()?;
            let key = VerifyingKey::from_bytes(&signed.public.0).ok()?;
            (key.algorithm() == signature.algorithm()).then_some(Signed { signature, key })
        };
        let not_understood = |why| Error::NotUnderstood { path: SIGN, why };
        let signed = read().ok_or_else(|| not_understood("it has no signature with its key"))?;
        let is_asked_for = by.algorithm.is_none_or(|set| set == signed.key.algorithm())
            && by.key_id.is_none_or(|id| id == signed.key.key_id());
        if !is_asked_for {
            return Err(not_understood("it is signed by another key than was asked for"));
        }
        let in_context = Context::new(context.as_bytes());
        if !in_context.is_ok_and(|it| signed.key.verify(data, it, &signed.signature)) {
            return Err(not_understood("its signature does not verify"));
        }
        Ok(signed)
    }

    /// Whether a signature is this key's, of these data, in this context. [`VerifyingKey::verify`]
    /// answers the same without a server.
    ///
    /// # Errors
    /// [`Error`]; a signature that is wrong is none.
    pub async fn verify(
        &self,
        data: &[u8],
        context: &str,
        key: &VerifyingKey,
        signature: &Signature,
    ) -> Result<bool, Error> {
        let body = wire::Verify {
            data: Hex(data),
            encoding: InHex::Hex,
            context,
            public: Hex(key.as_bytes()),
            signature: Hex(signature.as_bytes()),
        };
        let told: wire::Verified = self.ask(Call::post(VERIFY, &body)?).await?;
        Ok(told.verified)
    }
}
