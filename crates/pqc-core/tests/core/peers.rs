//! A third implementation behind the core's seam: the crates fips203 and fips204, which share no
//! code with either backend. They are stricter on input, and say so by an error.

use fips203::traits::{Decaps, Encaps, KeyGen as _, SerDes as _};
use fips203::{ml_kem_512, ml_kem_768, ml_kem_1024};
use fips204::traits::{KeyGen as _, SerDes as _, Signer, Verifier};
use fips204::{ml_dsa_44, ml_dsa_65, ml_dsa_87};
use pqc_core::backend::{
    Backend, PreparedDecapsulation, PreparedEncapsulation, PreparedSigning, PreparedVerifying,
};
use pqc_core::kem::ParameterSet;
use pqc_core::{Error, Secret, SecretVec, SignatureAlgorithm};

use crate::backends::{Functions, both_backends};

/// The two backends, and the crates that check them.
pub(crate) fn implementations() -> [Functions; 3] {
    let [active, reference] = both_backends();
    [active, reference, Functions::of::<Fips>()]
}

/// fips203 and fips204.
struct Fips;

/// Runs one body for the module of the parameter set.
macro_rules! by_set {
    ($algorithm:expr, $module:ident => $body:expr, [$($name:literal: $path:ident),*]) => {
        match $algorithm.name() {
            $($name => {
                use $path as $module;
                $body
            })*
            other => unreachable!("{other}"),
        }
    };
}

macro_rules! by_kem {
    ($algorithm:expr, $module:ident => $body:expr) => {
        by_set!($algorithm, $module => $body, [
            "ML-KEM-512": ml_kem_512, "ML-KEM-768": ml_kem_768, "ML-KEM-1024": ml_kem_1024
        ])
    };
}

macro_rules! by_signature {
    ($algorithm:expr, $module:ident => $body:expr) => {
        by_set!($algorithm, $module => $body, [
            "ML-DSA-44": ml_dsa_44, "ML-DSA-65": ml_dsa_65, "ML-DSA-87": ml_dsa_87
        ])
    };
}

impl Backend for Fips {
    const NAME: &'static str = "fips203/fips204";

    fn kem_key_pair(algorithm: ParameterSet, seed: &Secret<64>) -> (Vec<u8>, SecretVec) {
        let (d, z) = seed.expose_bytes().split_at(32);
        by_kem!(algorithm, set => {
            let (public, expanded) =
                set::KG::keygen_from_seed(d.try_into().unwrap(), z.try_into().unwrap());
            (public.into_bytes().to_vec(), SecretVec::copy_of(&expanded.into_bytes()))
        })
    }

    fn encapsulation_key_is_reduced(algorithm: ParameterSet, key: &[u8]) -> bool {
        by_kem!(algorithm, set => {
            set::EncapsKey::try_from_bytes(key.try_into().unwrap()).is_ok()
        })
    }

    fn encapsulate(
        algorithm: ParameterSet,
        key: &[u8],
        message: &Secret<32>,
    ) -> Result<(Vec<u8>, Secret<32>), Error> {
        by_kem!(algorithm, set => {
            let key = set::EncapsKey::try_from_bytes(key.try_into().unwrap()).map_err(refused)?;
            let (secret, ciphertext) = key.encaps_from_seed(message.expose_bytes());
            Ok((ciphertext.into_bytes().to_vec(), Secret::from(secret.into_bytes())))
        })
    }

    fn decapsulate(
        algorithm: ParameterSet,
        expanded: &[u8],
        ciphertext: &[u8],
    ) -> Result<Secret<32>, Error> {
        by_kem!(algorithm, set => {
            let key =
                set::DecapsKey::try_from_bytes(expanded.try_into().unwrap()).map_err(refused)?;
            let ciphertext =
                set::CipherText::try_from_bytes(ciphertext.try_into().unwrap()).map_err(refused)?;
            let secret = key.try_decaps(&ciphertext).map_err(refused)?;
            Ok(Secret::from(secret.into_bytes()))
        })
    }

    fn signing_key_pair(algorithm: SignatureAlgorithm, seed: &Secret<32>) -> (Vec<u8>, SecretVec) {
        by_signature!(algorithm, set => {
            let (public, expanded) = set::KG::keygen_from_seed(seed.expose_bytes());
            (public.into_bytes().to_vec(), SecretVec::copy_of(&expanded.into_bytes()))
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
            let key =
                set::PrivateKey::try_from_bytes(expanded.try_into().unwrap()).map_err(refused)?;
            let signature = key
                .try_sign_with_seed(hedge.expose_bytes(), message, context)
                .map_err(refused)?;
            Ok(signature.to_vec())
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
            set::PublicKey::try_from_bytes(key.try_into().unwrap())
                .is_ok_and(|key| key.verify(message, &signature.try_into().unwrap(), context))
        })
    }

    fn sign_internal(
        _: SignatureAlgorithm,
        _: &[u8],
        _: &[u8],
        _: &Secret<32>,
    ) -> Result<Vec<u8>, Error> {
        Err(NOT_OFFERED)
    }

    fn verify_internal(_: SignatureAlgorithm, _: &[u8], _: &[u8], _: &[u8]) -> bool {
        false
    }

    fn prepare_encapsulation_key(
        _: ParameterSet,
        _: &[u8],
    ) -> Result<Box<dyn PreparedEncapsulation>, Error> {
        Err(NOT_OFFERED)
    }

    fn prepare_decapsulation_key(
        _: ParameterSet,
        _: &[u8],
    ) -> Result<Box<dyn PreparedDecapsulation>, Error> {
        Err(NOT_OFFERED)
    }

    fn prepare_signing_key(
        _: SignatureAlgorithm,
        _: &[u8],
    ) -> Result<Box<dyn PreparedSigning>, Error> {
        Err(NOT_OFFERED)
    }

    fn prepare_verifying_key(
        _: SignatureAlgorithm,
        _: &[u8],
    ) -> Result<Box<dyn PreparedVerifying>, Error> {
        Err(NOT_OFFERED)
    }
}

const NOT_OFFERED: Error = Error::Internal { what: "fips203 and fips204 do not offer it" };

fn refused(_: &'static str) -> Error {
    Error::Internal { what: "fips203 or fips204" }
}
