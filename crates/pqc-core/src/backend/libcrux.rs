//! libcrux: fast, largely formally verified; it picks AVX2 or NEON at run time by itself.
//!
//! Its key types are plain arrays that nobody wipes: what is secret is copied into boxed, wiped
//! memory, and the array it came in is overwritten here.

mod signing;
mod unpacked;

use alloc::boxed::Box;
use alloc::vec::Vec;

use libcrux_ml_dsa::{ml_dsa_44, ml_dsa_65, ml_dsa_87};
use libcrux_ml_kem::{mlkem512, mlkem768, mlkem1024};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Backend, PreparedDecapsulation, PreparedEncapsulation, PreparedSigning, PreparedVerifying,
    RustCrypto, internal,
};
use crate::error::Error;
use crate::kem::ParameterSet;
use crate::secret::{Secret, SecretVec};
use crate::sign::SignatureAlgorithm;

/// libcrux-ml-kem and libcrux-ml-dsa.
#[derive(Debug)]
pub struct Libcrux;

/// Runs one body for the module of the parameter set.
macro_rules! by_kem {
    ($algorithm:expr, $module:ident => $body:expr) => {
        match $algorithm {
            ParameterSet::MlKem512 => {
                use mlkem512 as $module;
                $body
            }
            ParameterSet::MlKem768 => {
                use mlkem768 as $module;
                $body
            }
            ParameterSet::MlKem1024 => {
                use mlkem1024 as $module;
                $body
            }
        }
    };
}

macro_rules! by_signature {
    ($algorithm:expr, $module:ident => $body:expr) => {
        match $algorithm {
            SignatureAlgorithm::MlDsa44 => {
                use ml_dsa_44 as $module;
                $body
            }
            SignatureAlgorithm::MlDsa65 => {
                use ml_dsa_65 as $module;
                $body
            }
            SignatureAlgorithm::MlDsa87 => {
                use ml_dsa_87 as $module;
                $body
            }
        }
    };
}

impl Backend for Libcrux {
    const NAME: &'static str = "libcrux";

    fn kem_key_pair(algorithm: ParameterSet, seed: &Secret<64>) -> (Vec<u8>, SecretVec) {
        by_kem!(algorithm, set => {
            let pair = set::generate_key_pair(*seed.expose_bytes());
            let (private, public) = pair.into_parts();
            let mut private: Zeroizing<[u8; _]> = Zeroizing::new(private.into());
            let expanded = SecretVec::copy_of(private.as_slice());
            private.zeroize();
            (public.as_ref().to_vec(), expanded)
        })
    }

    fn encapsulation_key_is_reduced(algorithm: ParameterSet, key: &[u8]) -> bool {
        by_kem!(algorithm, set => key.try_into().is_ok_and(|key| set::validate_public_key(&key)))
    }

    fn encapsulate(
        algorithm: ParameterSet,
        key: &[u8],
        message: &Secret<32>,
    ) -> Result<(Vec<u8>, Secret<32>), Error> {
        by_kem!(algorithm, set => {
            let key = key.try_into().map_err(|_| internal("encapsulation"))?;
            let (ciphertext, secret) = set::encapsulate(&key, *message.expose_bytes());
            Ok((ciphertext.as_ref().to_vec(), Secret::from(secret)))
        })
    }

    fn decapsulate(
        algorithm: ParameterSet,
        expanded: &[u8],
        ciphertext: &[u8],
    ) -> Result<Secret<32>, Error> {
        by_kem!(algorithm, set => {
            let key = expanded.try_into().map_err(|_| internal("decapsulation"))?;
            let ciphertext = ciphertext.try_into().map_err(|_| internal("decapsulation"))?;
            let secret = set::decapsulate(&key, &ciphertext);
            let _wiped: Zeroizing<[u8; _]> = Zeroizing::new(key.into());
            Ok(Secret::from(secret))
        })
    }

    fn signing_key_pair(algorithm: SignatureAlgorithm, seed: &Secret<32>) -> (Vec<u8>, SecretVec) {
        by_signature!(algorithm, set => {
            let mut pair = set::generate_key_pair(*seed.expose_bytes());
            let expanded = SecretVec::copy_of(pair.signing_key.as_slice());
            pair.signing_key.as_mut_slice().zeroize();
            (pair.verification_key.as_slice().to_vec(), expanded)
        })
    }

    fn sign(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
        message: &[u8],
        context: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error> {
        by_signature!(algorithm, set => {
            let bytes = expanded.try_into().map_err(|_| internal("signing"))?;
            let mut key = libcrux_ml_dsa::MLDSASigningKey::new(bytes);
            let signature = set::sign(&key, message, context, *hedge.expose_bytes());
            key.as_mut_slice().zeroize();
            signature.map(|s| s.as_slice().to_vec()).map_err(|_| internal("signing"))
        })
    }

    fn verify(
        algorithm: SignatureAlgorithm,
        key: &[u8],
        message: &[u8],
        context: &[u8],
        signature: &[u8],
    ) -> bool {
        by_signature!(algorithm, set => {
            let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
                return false;
            };
            let key = libcrux_ml_dsa::MLDSAVerificationKey::new(key);
            let signature = libcrux_ml_dsa::MLDSASignature::new(signature);
            set::verify(&key, message, context, &signature).is_ok()
        })
    }

    fn sign_internal(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
        framed: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error> {
        by_signature!(algorithm, set => {
            let bytes = expanded.try_into().map_err(|_| internal("signing"))?;
            let mut key = libcrux_ml_dsa::MLDSASigningKey::new(bytes);
            let signature = set::sign_internal(&key, framed, *hedge.expose_bytes());
            key.as_mut_slice().zeroize();
            signature.map(|s| s.as_slice().to_vec()).map_err(|_| internal("signing"))
        })
    }

    fn verify_internal(
        algorithm: SignatureAlgorithm,
        key: &[u8],
        framed: &[u8],
        signature: &[u8],
    ) -> bool {
        by_signature!(algorithm, set => {
            let (Ok(key), Ok(signature)) = (key.try_into(), signature.try_into()) else {
                return false;
            };
            let key = libcrux_ml_dsa::MLDSAVerificationKey::new(key);
            let signature = libcrux_ml_dsa::MLDSASignature::new(signature);
            set::verify_internal(&key, framed, &signature).is_ok()
        })
    }

    fn prepare_encapsulation_key(
        algorithm: ParameterSet,
        key: &[u8],
    ) -> Result<Box<dyn PreparedEncapsulation>, Error> {
        unpacked::encapsulation_key(algorithm, key)
    }

    fn prepare_decapsulation_key(
        algorithm: ParameterSet,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedDecapsulation>, Error> {
        unpacked::decapsulation_key(algorithm, expanded)
    }

    fn prepare_signing_key(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedSigning>, Error> {
        Ok(Box::new(signing::SigningKey {
            algorithm,
            expanded: SecretVec::copy_of(expanded),
            for_mu: RustCrypto::prepare_signing_key(algorithm, expanded)?,
        }))
    }

    fn prepare_verifying_key(
        algorithm: SignatureAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn PreparedVerifying>, Error> {
        Ok(Box::new(signing::VerifyingKey {
            algorithm,
            bytes: key.to_vec(),
            for_mu: RustCrypto::prepare_verifying_key(algorithm, key)?,
        }))
    }
}
