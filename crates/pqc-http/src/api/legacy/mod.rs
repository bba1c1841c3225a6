//! Family A: the operations that existing clients of this kind of service speak, with keys that
//! the server stores. One type a row; the wire's names live here.

mod aes;
mod kem;
mod signature;
mod token;

use pqc_core::{Field, SignatureAlgorithm, VerifyingKey};

use super::{lengths, subject};
use crate::fields::Fields;
use crate::operation::route;
use crate::problem::FieldError;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let routes = Routes::default();
    let routes = route::<token::NewToken>(routes, "/api/token/new");
    let routes = route::<kem::GenerateKeys>(routes, "/api/kem/generate_keys");
    let routes = route::<kem::EncapsulateKey>(routes, "/api/kem/encapsulate_key");
    let routes = route::<kem::DecapsulateKey>(routes, "/api/kem/decapsulate_key");
    let routes = route::<aes::EncryptText>(routes, "/api/aes/encrypt_text");
    let routes = route::<aes::DecryptText>(routes, "/api/aes/decrypt_text");
    let routes = route::<signature::Sign>(routes, "/api/signature/sign");
    route::<signature::Verify>(routes, "/api/signature/verify")
}

fn verifying_key(fields: &Fields, name: &'static str) -> Result<VerifyingKey, FieldError> {
    let lengths = lengths(SignatureAlgorithm::ALL, SignatureAlgorithm::verifying_key_bytes);
    let bytes = fields.bytes(name, &lengths)?;
    VerifyingKey::try_from(bytes).map_err(|e| fields.refused(name, &e))
}

/// The wire's names of this family.
fn name_of(error: &pqc_core::Error) -> Option<&'static str> {
    Some(match subject(error)? {
        Field::EncapsulationKey => "pk",
        Field::DecapsulationKey => "sk",
        Field::Ciphertext => "cipher",
        Field::VerifyingKey => "verif_key",
        Field::SigningKey => "algorithm",
        Field::Signature | Field::Attestation => "signature",
        Field::MessageBox => "ciphertext",
        Field::BoxKey => "key",
        Field::TokenLifetime => "expiry_time",
        Field::TokenAttempts => "expire_after_attempts",
        Field::Operation => "operations",
        Field::KeyId => "key_id",
        Field::AccountId => "account",
        _ => return None,
    })
}
