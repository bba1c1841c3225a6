//! Both backends, through the seam that the feature `hazmat` opens.

use pqc_core::backend::{
    Active, Backend, PreparedDecapsulation, PreparedEncapsulation, PreparedSigning,
    PreparedVerifying, RustCrypto,
};
use pqc_core::kem::ParameterSet;
use pqc_core::{Error, Secret, SecretVec, SignatureAlgorithm};

/// A backend's functions as values, so that a loop runs over both.
#[expect(clippy::type_complexity, reason = "the trait's signatures, word for word")]
pub(crate) struct Functions {
    pub(crate) name: &'static str,
    pub(crate) kem_key_pair: fn(ParameterSet, &Secret<64>) -> (Vec<u8>, SecretVec),
    pub(crate) encapsulation_key_is_reduced: fn(ParameterSet, &[u8]) -> bool,
    pub(crate) encapsulate:
        fn(ParameterSet, &[u8], &Secret<32>) -> Result<(Vec<u8>, Secret<32>), Error>,
    pub(crate) decapsulate: fn(ParameterSet, &[u8], &[u8]) -> Result<Secret<32>, Error>,
    pub(crate) signing_key_pair: fn(SignatureAlgorithm, &Secret<32>) -> (Vec<u8>, SecretVec),
    pub(crate) sign:
        fn(SignatureAlgorithm, &[u8], &[u8], &[u8], &Secret<32>) -> Result<Vec<u8>, Error>,
    pub(crate) verify: fn(SignatureAlgorithm, &[u8], &[u8], &[u8], &[u8]) -> bool,
    pub(crate) sign_internal:
        fn(SignatureAlgorithm, &[u8], &[u8], &Secret<32>) -> Result<Vec<u8>, Error>,
    pub(crate) verify_internal: fn(SignatureAlgorithm, &[u8], &[u8], &[u8]) -> bool,
    pub(crate) prepare_encapsulation_key:
        fn(ParameterSet, &[u8]) -> Result<Box<dyn PreparedEncapsulation>, Error>,
    pub(crate) prepare_decapsulation_key:
        fn(ParameterSet, &[u8]) -> Result<Box<dyn PreparedDecapsulation>, Error>,
    pub(crate) prepare_signing_key:
        fn(SignatureAlgorithm, &[u8]) -> Result<Box<dyn PreparedSigning>, Error>,
    pub(crate) prepare_verifying_key:
        fn(SignatureAlgorithm, &[u8]) -> Result<Box<dyn PreparedVerifying>, Error>,
}

impl Functions {
    pub(crate) fn of<B: Backend>() -> Self {
        Self {
            name: B::NAME,
            kem_key_pair: B::kem_key_pair,
            encapsulation_key_is_reduced: B::encapsulation_key_is_reduced,
            encapsulate: B::encapsulate,
            decapsulate: B::decapsulate,
            signing_key_pair: B::signing_key_pair,
            sign: B::sign,
            verify: B::verify,
            sign_internal: B::sign_internal,
            verify_internal: B::verify_internal,
            prepare_encapsulation_key: B::prepare_encapsulation_key,
            prepare_decapsulation_key: B::prepare_decapsulation_key,
            prepare_signing_key: B::prepare_signing_key,
            prepare_verifying_key: B::prepare_verifying_key,
        }
    }
}

/// The active backend and the reference; without the feature `libcrux` they are the same.
pub(crate) fn both_backends() -> [Functions; 2] {
    [Functions::of::<Active>(), Functions::of::<RustCrypto>()]
}

/// How many cases each comparison of implementations takes: `PQC_CASES`, or 1,002 in all.
pub(crate) fn cases() -> usize {
    std::env::var("PQC_CASES").map_or(1002, |cases| cases.parse().unwrap())
}
