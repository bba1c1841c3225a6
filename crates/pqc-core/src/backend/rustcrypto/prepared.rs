//! Prepared keys: those of ml-kem and ml-dsa.

use alloc::vec::Vec;

use ml_dsa::{ExpandedSigningKey, MlDsaParams, VerifyingKey};
use ml_kem::kem::Decapsulate;
use ml_kem::{DecapsulationKey, EncapsulationKey, MlKem512, MlKem768, MlKem1024};

use crate::backend::{
    PreparedDecapsulation, PreparedEncapsulation, PreparedSigning, PreparedVerifying, internal,
};
use crate::error::Error;
use crate::kem::ParameterSet;
use crate::secret::Secret;
use crate::sign::shake256;

macro_rules! prepared {
    ($($set:ident),*) => {
        $(
            impl PreparedEncapsulation for EncapsulationKey<$set> {
                fn encapsulate(&self, message: &Secret<32>) -> (Vec<u8>, Secret<32>) {
                    let message = message.expose_bytes().into();
                    let (ciphertext, secret) = self.encapsulate_deterministic(message);
                    (ciphertext.to_vec(), Secret::from(<[u8; 32]>::from(secret)))
                }

                fn memory_bytes(&self) -> usize {
                    size_of_val(self) + vector_bytes(ParameterSet::$set) + 32
                }
            }

            impl PreparedDecapsulation for DecapsulationKey<$set> {
                fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret<32>, Error> {
                    let ciphertext =
                        ciphertext.try_into().map_err(|_| internal("decapsulation"))?;
                    Ok(Secret::from(<[u8; 32]>::from(Decapsulate::decapsulate(self, ciphertext))))
                }

                fn memory_bytes(&self) -> usize {
                    size_of_val(self) + 2 * vector_bytes(ParameterSet::$set) + 3 * 32
                }
            }
        )*
    };
}

prepared!(MlKem512, MlKem768, MlKem1024);

/// A vector of decoded polynomials, each of 256 coefficients of 2 bytes: ml-kem's keys point to them
/// while `module-lattice` has its feature `alloc`, which ml-dsa's turns on; else they hold them, and
/// this counts them twice.
fn vector_bytes(set: ParameterSet) -> usize {
    set.rank() * 256 * 2
}

/// A signing key, and tr of it, which ml-dsa does not give back.
pub(super) struct SigningKey<P: MlDsaParams> {
    pub(super) key: ExpandedSigningKey<P>,
    pub(super) tr: [u8; 64],
}

impl<P: MlDsaParams + Send + Sync> PreparedSigning for SigningKey<P> {
    fn sign(&self, message: &[u8], context: &[u8], hedge: &Secret<32>) -> Result<Vec<u8>, Error> {
        self.key
            .sign_randomized(message, context, &mut Replay(hedge))
            .map(|signature| signature.encode().to_vec())
            .map_err(|_| internal("signing"))
    }

    fn sign_internal(&self, framed: &[u8], hedge: &Secret<32>) -> Result<Vec<u8>, Error> {
        // Not by ml-dsa's own `sign_internal`, which panics where the sampling gives up.
        self.sign_mu(&shake256(&[&self.tr, framed]), hedge)
    }

    fn sign_mu(&self, mu: &[u8; 64], hedge: &Secret<32>) -> Result<Vec<u8>, Error> {
        self.key
            .sign_mu_randomized(mu.into(), &mut Replay(hedge))
            .map(|signature| signature.encode().to_vec())
            .map_err(|_| internal("signing"))
    }
}

impl<P: MlDsaParams + Send + Sync> PreparedVerifying for VerifyingKey<P> {
    fn verify(&self, message: &[u8], context: &[u8], signature: &[u8]) -> bool {
        decoded::<P>(signature).is_some_and(|s| self.verify_with_context(message, context, &s))
    }

    fn verify_internal(&self, framed: &[u8], signature: &[u8]) -> bool {
        decoded::<P>(signature).is_some_and(|s| Self::verify_internal(self, framed, &s))
    }

    fn verify_mu(&self, mu: &[u8; 64], signature: &[u8]) -> bool {
        decoded::<P>(signature).is_some_and(|s| Self::verify_mu(self, mu.into(), &s))
    }
}

fn decoded<P: MlDsaParams>(signature: &[u8]) -> Option<ml_dsa::Signature<P>> {
    ml_dsa::Signature::decode(signature.try_into().ok()?)
}

/// Gives the hedge that the caller drew as if it were a generator: ml-dsa takes rnd no other way.
struct Replay<'a>(&'a Secret<32>);

impl rand_core::TryRng for Replay<'_> {
    type Error = Exhausted;

    fn try_next_u32(&mut self) -> Result<u32, Exhausted> {
        Err(Exhausted)
    }

    fn try_next_u64(&mut self) -> Result<u64, Exhausted> {
        Err(Exhausted)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Exhausted> {
        if bytes.len() != 32 {
            return Err(Exhausted);
        }
        bytes.copy_from_slice(self.0.expose_bytes());
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Replay<'_> {}

#[derive(Debug, thiserror::Error)]
#[error("only one draw of 32 bytes can be replayed")]
struct Exhausted;
