//! RustCrypto's ml-kem and ml-dsa: portable, the reference that the other backend is held to, and
//! on every build the one that reads expanded signing keys, signs and verifies an external μ, and
//! holds prepared ML-DSA keys. A prepared ML-KEM key is decoded and hashed, but ml-kem samples its
//! matrix anew at each call.

mod prepared;

use alloc::boxed::Box;
use alloc::vec::Vec;

use ml_dsa::{ExpandedSigningKey, MlDsa44, MlDsa65, MlDsa87};
use ml_kem::kem::KeyExport;
use ml_kem::{MlKem512, MlKem768, MlKem1024};
use zeroize::Zeroize;

use super::{
    Backend, PreparedDecapsulation, PreparedEncapsulation, PreparedSigning, PreparedVerifying,
    internal,
};
use crate::error::Error;
use crate::kem::ParameterSet;
use crate::secret::{Secret, SecretVec};
use crate::sign::{SignatureAlgorithm, shake256};

/// The crates ml-kem and ml-dsa.
#[derive(Debug)]
pub struct RustCrypto;

/// Runs one body for the type of the parameter set.
macro_rules! by_kem {
    ($algorithm:expr, $set:ident => $body:expr) => {
        match $algorithm {
            ParameterSet::MlKem512 => {
                type $set = MlKem512;
                $body
            }
            ParameterSet::MlKem768 => {
                type $set = MlKem768;
                $body
            }
            ParameterSet::MlKem1024 => {
                type $set = MlKem1024;
                $body
            }
        }
    };
}

macro_rules! by_signature {
    ($algorithm:expr, $set:ident => $body:expr) => {
        match $algorithm {
            SignatureAlgorithm::MlDsa44 => {
                type $set = MlDsa44;
                $body
            }
            SignatureAlgorithm::MlDsa65 => {
                type $set = MlDsa65;
                $body
            }
            SignatureAlgorithm::MlDsa87 => {
                type $set = MlDsa87;
                $body
            }
        }
    };
}

impl Backend for RustCrypto {
    const NAME: &'static str = "RustCrypto";

    #[expect(deprecated, reason = "the expanded form is FIPS 203's, and this seam's")]
    fn kem_key_pair(algorithm: ParameterSet, seed: &Secret<64>) -> (Vec<u8>, SecretVec) {
        by_kem!(algorithm, Set => {
            use ml_kem::ExpandedKeyEncoding;
            let key = ml_kem::DecapsulationKey::<Set>::from_seed((*seed.expose_bytes()).into());
            let mut expanded = key.to_expanded_bytes();
            let kept = SecretVec::copy_of(&expanded);
            expanded.zeroize();
            (key.encapsulation_key().to_bytes().to_vec(), kept)
        })
    }

    fn encapsulation_key_is_reduced(algorithm: ParameterSet, key: &[u8]) -> bool {
        by_kem!(algorithm, Set => {
            key.try_into().is_ok_and(|key| ml_kem::EncapsulationKey::<Set>::new(key).is_ok())
        })
    }

    fn encapsulate(
        algorithm: ParameterSet,
        key: &[u8],
        message: &Secret<32>,
    ) -> Result<(Vec<u8>, Secret<32>), Error> {
        Ok(Self::prepare_encapsulation_key(algorithm, key)?.encapsulate(message))
    }

    fn decapsulate(
        algorithm: ParameterSet,
        expanded: &[u8],
        ciphertext: &[u8],
    ) -> Result<Secret<32>, Error> {
        Self::prepare_decapsulation_key(algorithm, expanded)?.decapsulate(ciphertext)
    }

    #[expect(deprecated, reason = "the expanded form is FIPS 204's, and this seam's")]
    fn signing_key_pair(algorithm: SignatureAlgorithm, seed: &Secret<32>) -> (Vec<u8>, SecretVec) {
        by_signature!(algorithm, Set => {
            let key = ml_dsa::SigningKey::<Set>::from_seed(seed.expose_bytes().into());
            let mut expanded = key.expanded_key().to_expanded();
            let kept = SecretVec::copy_of(&expanded);
            expanded.zeroize();
            (key.expanded_key().verifying_key().encode().to_vec(), kept)
        })
    }

    fn sign(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
        message: &[u8],
        context: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error> {
        Self::prepare_signing_key(algorithm, expanded)?.sign(message, context, hedge)
    }

    fn verify(
        algorithm: SignatureAlgorithm,
        key: &[u8],
        message: &[u8],
        context: &[u8],
        signature: &[u8],
    ) -> bool {
        Self::prepare_verifying_key(algorithm, key)
            .is_ok_and(|key| key.verify(message, context, signature))
    }

    fn sign_internal(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
        framed: &[u8],
        hedge: &Secret<32>,
    ) -> Result<Vec<u8>, Error> {
        Self::prepare_signing_key(algorithm, expanded)?.sign_internal(framed, hedge)
    }

    fn verify_internal(
        algorithm: SignatureAlgorithm,
        key: &[u8],
        framed: &[u8],
        signature: &[u8],
    ) -> bool {
        Self::prepare_verifying_key(algorithm, key)
            .is_ok_and(|key| key.verify_internal(framed, signature))
    }

    fn prepare_encapsulation_key(
        algorithm: ParameterSet,
        key: &[u8],
    ) -> Result<Box<dyn PreparedEncapsulation>, Error> {
        by_kem!(algorithm, Set => {
            let key = key.try_into().map_err(|_| internal("encapsulation key"))?;
            let key = ml_kem::EncapsulationKey::<Set>::new(key)
                .map_err(|_| internal("encapsulation key"))?;
            Ok(Box::new(key))
        })
    }

    #[expect(deprecated, reason = "the expanded form is FIPS 203's, and this seam's")]
    fn prepare_decapsulation_key(
        algorithm: ParameterSet,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedDecapsulation>, Error> {
        by_kem!(algorithm, Set => {
            let key = expanded.try_into().map_err(|_| internal("decapsulation key"))?;
            let key = ml_kem::DecapsulationKey::<Set>::from_expanded(key)
                .map_err(|_| internal("decapsulation key"))?;
            Ok(Box::new(key))
        })
    }

    #[expect(deprecated, reason = "the expanded form is FIPS 204's, and this seam's")]
    fn prepare_signing_key(
        algorithm: SignatureAlgorithm,
        expanded: &[u8],
    ) -> Result<Box<dyn PreparedSigning>, Error> {
        by_signature!(algorithm, Set => {
            let bytes = expanded.try_into().map_err(|_| internal("signing key"))?;
            let key = ExpandedSigningKey::<Set>::from_expanded(bytes);
            let (_, rest) = expanded.split_at_checked(64).ok_or(internal("signing key"))?;
            let tr = *rest.first_chunk().ok_or(internal("signing key"))?;
            Ok(Box::new(prepared::SigningKey { key, tr }))
        })
    }

    fn prepare_verifying_key(
        algorithm: SignatureAlgorithm,
        key: &[u8],
    ) -> Result<Box<dyn PreparedVerifying>, Error> {
        by_signature!(algorithm, Set => {
            let key = key.try_into().map_err(|_| internal("verifying key"))?;
            Ok(Box::new(ml_dsa::VerifyingKey::<Set>::decode(key)))
        })
    }
}

/// The verifying key of an expanded signing key, once s1 and s2 are seen to be in range and `tr`
/// to be that key's hash. Neither backend checks this, and ml-dsa panics on some that fail it.
#[expect(deprecated, reason = "the expanded form is FIPS 204's")]
pub(crate) fn verifying_key_of_expanded(
    algorithm: SignatureAlgorithm,
    expanded: &[u8],
) -> Result<Vec<u8>, Error> {
    let tr = short_vectors_in_range(algorithm, expanded).ok_or(Error::InconsistentSigningKey)?;
    let public = by_signature!(algorithm, Set => {
        let key = expanded.try_into().map_err(|_| Error::InconsistentSigningKey)?;
        ExpandedSigningKey::<Set>::from_expanded(key).verifying_key().encode().to_vec()
    });
    if shake256(&[&public]) == *tr { Ok(public) } else { Err(Error::InconsistentSigningKey) }
}

/// `tr` of the key, if every coefficient of s1 and s2 is in −η..=η (FIPS 204, Algorithm 25).
fn short_vectors_in_range(algorithm: SignatureAlgorithm, expanded: &[u8]) -> Option<&[u8; 64]> {
    // sk = ρ (32) ‖ K (32) ‖ tr (64) ‖ s1, s2 ‖ t0; a coefficient is stored as η − c.
    let (polynomials, eta) = match algorithm {
        SignatureAlgorithm::MlDsa44 => (4 + 4, 2u8),
        SignatureAlgorithm::MlDsa65 => (6 + 5, 4),
        SignatureAlgorithm::MlDsa87 => (8 + 7, 2),
    };
    let (_, rest) = expanded.split_at_checked(64)?;
    let (tr, rest) = rest.split_first_chunk()?;
    let in_range = if eta == 4 {
        // Two coefficients of 4 bits in a byte.
        let packed = rest.get(..polynomials * 128)?;
        packed.iter().all(|byte| byte & 0x0f <= 8 && byte >> 4 <= 8)
    } else {
        // Eight coefficients of 3 bits in three bytes.
        let packed = rest.get(..polynomials * 96)?;
        packed.chunks_exact(3).all(|group| {
            let bits = group.iter().rev().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
            (0..8).all(|i| bits >> (3 * i) & 7 <= 4)
        })
    };
    in_range.then_some(tr)
}
