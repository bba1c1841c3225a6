//! Operations with keys that the client holds: nothing is stored.

use std::sync::Arc;

use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, KemAlgorithm, SecretVec, SharedSecret,
    Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};

use crate::account::Custody;
use crate::aside::{LONG_TEXT_BYTES, aside_if};
use crate::authorize::Admitted;
use crate::error::Error;
use crate::host::HostRng;
use crate::service::Service;
use crate::store::replay::Effect;

impl Service {
    /// A KEM key pair for the client to hold, in the answer that `render` writes; that is kept if
    /// the call can be repeated.
    ///
    /// # Errors
    /// [`Error::CustodyForbids`]; [`Error::Core`]: the generator failed. Those of the store, where
    /// the answer is kept.
    pub async fn kem_key_pair<A: AsRef<[u8]>>(
        &self,
        by: &Admitted,
        algorithm: KemAlgorithm,
        render: impl FnOnce(&DecapsulationKey) -> Result<A, Error>,
    ) -> Result<A, Error> {
        refuse_server_only(by)?;
        let answer = render(&DecapsulationKey::generate(algorithm, &mut self.rng())?)?;
        self.carry_out(by, Effect::Nothing, answer.as_ref()).await?;
        Ok(answer)
    }

    /// Encapsulates to a key for which the client answers.
    ///
    /// # Errors
    /// [`Error::Core`]: the generator failed.
    pub fn encapsulate_unattested(
        &self,
        _by: &Admitted,
        key: &EncapsulationKey,
    ) -> Result<(Ciphertext, SharedSecret), Error> {
        Ok(key.encapsulate_unattested(&mut self.rng())?)
    }

    /// Decapsulates with the client's key.
    ///
    /// # Errors
    /// [`Error::Core`]: another algorithm's ciphertext.
    pub fn decapsulate_with(
        &self,
        _by: &Admitted,
        key: &DecapsulationKey,
        ciphertext: &Ciphertext,
    ) -> Result<SharedSecret, Error> {
        Ok(key.decapsulate(ciphertext)?)
    }

    /// A signing key pair for the client to hold, in the answer that `render` writes; that is kept
    /// if the call can be repeated.
    ///
    /// # Errors
    /// [`Error::CustodyForbids`]; [`Error::Core`]: the generator failed. Those of the store, where
    /// the answer is kept.
    pub async fn signing_key_pair<A: AsRef<[u8]>>(
        &self,
        by: &Admitted,
        algorithm: SignatureAlgorithm,
        render: impl FnOnce(&SigningKey) -> Result<A, Error>,
    ) -> Result<A, Error> {
        refuse_server_only(by)?;
        let answer = render(&SigningKey::generate(algorithm, &mut self.rng())?)?;
        self.carry_out(by, Effect::Nothing, answer.as_ref()).await?;
        Ok(answer)
    }

    /// Signs with the client's key.
    ///
    /// # Errors
    /// [`Error::Core`]: a context of more than 255 bytes; the generator failed.
    pub async fn sign_with(
        &self,
        _by: &Admitted,
        key: SigningKey,
        message: SecretVec,
        context: Vec<u8>,
    ) -> Result<Signature, Error> {
        let host = Arc::clone(&self.host);
        let signature = aside_if(true, move || {
            let context = Context::new(&context)?;
            key.sign(message.expose_bytes(), context, &mut HostRng(&*host))
        });
        Ok(signature.await??)
    }

    /// Whether the signature is right.
    ///
    /// # Errors
    /// [`Error::Core`]: a context of more than 255 bytes.
    pub async fn verify(
        &self,
        _by: &Admitted,
        key: VerifyingKey,
        message: SecretVec,
        context: Vec<u8>,
        signature: Signature,
    ) -> Result<bool, Error> {
        aside_if(message.len() > LONG_TEXT_BYTES, move || {
            Ok(key.verify(message.expose_bytes(), Context::new(&context)?, &signature))
        })
        .await?
    }
}

fn refuse_server_only(by: &Admitted) -> Result<(), Error> {
    if by.custody() == Custody::ServerOnly { Err(Error::CustodyForbids) } else { Ok(()) }
}
