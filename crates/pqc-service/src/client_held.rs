//! Operations with keys that the client holds: nothing is stored.

use std::sync::Arc;

use pqc_core::{
    Ciphertext, Context, DecapsulationKey, EncapsulationKey, KemAlgorithm, SecretVec, SharedSecret,
    Signature, SignatureAlgorithm, SigningKey, VerifyingKey,
};

use crate::account::Custody;
use crate::authorize::Admitted;
use crate::error::Error;
use crate::host::HostRng;
use crate::keyring::off_the_runtime;
use crate::service::Service;

impl Service {
    /// A KEM key pair for the client to hold.
    ///
    /// # Errors
    /// [`Error::CustodyForbids`]; [`Error::Core`]: the generator failed.
    pub fn kem_key_pair(
        &self,
        by: &Admitted,
        algorithm: KemAlgorithm,
    ) -> Result<DecapsulationKey, Error> {
        refuse_server_only(by)?;
        Ok(DecapsulationKey::generate(algorithm, &mut self.rng())?)
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

    /// A signing key pair for the client to hold.
    ///
    /// # Errors
    /// [`Error::CustodyForbids`]; [`Error::Core`]: the generator failed.
    pub fn signing_key_pair(
        &self,
        by: &Admitted,
        algorithm: SignatureAlgorithm,
    ) -> Result<SigningKey, Error> {
        refuse_server_only(by)?;
        Ok(SigningKey::generate(algorithm, &mut self.rng())?)
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
        off_the_runtime(message.len(), move || {
            let context = Context::new(&context)?;
            key.sign(message.expose_bytes(), context, &mut HostRng(&*host))
        })
        .await
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
        off_the_runtime(message.len(), move || {
            Ok(key.verify(message.expose_bytes(), Context::new(&context)?, &signature))
        })
        .await
    }
}

fn refuse_server_only(by: &Admitted) -> Result<(), Error> {
    if by.custody() == Custody::ServerOnly { Err(Error::CustodyForbids) } else { Ok(()) }
}
