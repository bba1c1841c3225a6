//! Prepared ML-DSA keys: ml-dsa's where μ is given, and otherwise libcrux's encoded ones.
//!
//! Decoding its key anew each time, libcrux still signs several times faster than ml-dsa does by a
//! key that holds the matrix.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Libcrux;
use crate::backend::{self, Backend, PreparedSigning, PreparedVerifying};
use crate::error::Error;
use crate::secret::{Secret, SecretVec};
use crate::sign::SignatureAlgorithm;

pub(super) struct SigningKey {
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) expanded: SecretVec,
    pub(super) for_mu: Box<dyn PreparedSigning>,
}

impl PreparedSigning for SigningKey {
    fn sign(&self, message: &[u8], context: &[u8], hedge: &Secret<32>) -> Result<Vec<u8>, Error> {
        Libcrux::sign(self.algorithm, self.expanded.expose_bytes(), message, context, hedge)
    }

    fn sign_internal(&self, framed: &[u8], hedge: &Secret<32>) -> Result<Vec<u8>, Error> {
        Libcrux::sign_internal(self.algorithm, self.expanded.expose_bytes(), framed, hedge)
    }

    fn sign_mu(&self, mu: &[u8; 64], hedge: &Secret<32>) -> Result<Vec<u8>, Error> {
        self.for_mu.sign_mu(mu, hedge)
    }
}

pub(super) struct VerifyingKey {
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) bytes: Vec<u8>,
    pub(super) for_mu: Box<dyn PreparedVerifying>,
}

impl PreparedVerifying for VerifyingKey {
    fn verify(&self, message: &[u8], context: &[u8], signature: &[u8]) -> bool {
        backend::verify(self.algorithm, &self.bytes, message, context, signature)
    }

    fn verify_internal(&self, framed: &[u8], signature: &[u8]) -> bool {
        Libcrux::verify_internal(self.algorithm, &self.bytes, framed, signature)
    }

    fn verify_mu(&self, mu: &[u8; 64], signature: &[u8]) -> bool {
        self.for_mu.verify_mu(mu, signature)
    }
}
