//! The rows of the wire contract.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod legacy;
pub(crate) mod root;
pub(crate) mod usage;
pub(crate) mod v1;
pub(crate) mod wire;

use pqc_core::kem::ParameterSet;
use pqc_core::{AccountId, Field, KemAlgorithm, KeyId, SignatureAlgorithm};
use pqc_service::Error;

use crate::fields::Fields;
use crate::operation::{Answer, from_service};
use crate::problem::{FieldError, Forbidden, Problem};

/// The wire's names of the values that the core's errors speak of.
type Names = fn(&pqc_core::Error) -> Option<&'static str>;

/// An error of the service as the contract's: what concerns a value is told of its field.
fn refused(fields: &Fields, names: Names, error: Error) -> Problem {
    match error {
        Error::Core(pqc_core::Error::UntrustedIssuer) => {
            Problem::Forbidden(Forbidden::UntrustedIssuer)
        }
        Error::Core(pqc_core::Error::AttestationAccount) => {
            Problem::Forbidden(Forbidden::OtherAccount)
        }
        Error::Core(error) => match names(&error) {
            Some(name) => fields.refused(name, &error).into(),
            None => from_service(error.into()),
        },
        Error::BadName { what: "label", expected } => {
            fields.error("label", format!("must be {expected}"), "value_error").into()
        }
        error => from_service(error),
    }
}

/// How the service has an answer written before it does what the answer tells.
fn written<T>(
    render: impl FnOnce(&T) -> Result<Answer, Problem>,
) -> impl FnOnce(&T) -> Result<Answer, Error> {
    |made| render(made).map_err(|_| Error::Internal { what: "writing an answer" })
}

/// The value that an error of the core is about, if it is about one.
pub(crate) fn subject(error: &pqc_core::Error) -> Option<Field> {
    use pqc_core::Error;
    match error {
        Error::Length { field, .. }
        | Error::AlgorithmMismatch { field, .. }
        | Error::Malformed { field, .. }
        | Error::UnknownFormat { field }
        | Error::LowOrder { field }
        | Error::OutOfRange { field, .. } => Some(*field),
        Error::EncapsulationKeyModulus => Some(Field::EncapsulationKey),
        Error::DecapsulationKeyHash => Some(Field::DecapsulationKey),
        Error::InconsistentSigningKey => Some(Field::SigningKey),
        Error::AttestationSignature | Error::AttestationExpired => Some(Field::Attestation),
        Error::BoxAuthentication => Some(Field::MessageBox),
        _ => None,
    }
}

fn kem_algorithm(fields: &Fields) -> Result<Option<KemAlgorithm>, FieldError> {
    let name = fields.optional_text("algorithm")?;
    name.map(KemAlgorithm::from_name).transpose().map_err(|e| fields.refused("algorithm", &e))
}

fn signature_algorithm(fields: &Fields) -> Result<Option<SignatureAlgorithm>, FieldError> {
    let name = fields.optional_text("algorithm")?;
    name.map(SignatureAlgorithm::from_name).transpose().map_err(|e| fields.refused("algorithm", &e))
}

/// Seeds, and the expanded keys of ML-KEM.
fn decapsulation_key_lengths() -> Vec<usize> {
    let mut lengths = KemAlgorithm::ALL.map(KemAlgorithm::seed_bytes).to_vec();
    lengths.extend(ParameterSet::ALL.map(ParameterSet::expanded_key_bytes));
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

/// A given algorithm must be the one that a length tells.
fn same_algorithm<A: PartialEq + Copy + std::fmt::Display>(
    fields: &Fields,
    name: &'static str,
    given: Option<A>,
    told: A,
) -> Result<(), FieldError> {
    match given {
        Some(given) if given != told => {
            let msg = format!("has the length of {told}, but algorithm is {given}");
            Err(fields.error(name, msg, "algorithm_mismatch"))
        }
        _ => Ok(()),
    }
}

fn optional_account(fields: &Fields) -> Result<Option<AccountId>, FieldError> {
    let bytes = fields.optional_bytes("account", &[AccountId::BYTES])?;
    bytes
        .map(|bytes| AccountId::from_slice(&bytes))
        .transpose()
        .map_err(|error| fields.refused("account", &error))
}

fn optional_key_id(fields: &Fields) -> Result<Option<KeyId>, FieldError> {
    let bytes = fields.optional_bytes("key_id", &[32, 16])?;
    bytes
        .map(|bytes| KeyId::from_slice(&bytes))
        .transpose()
        .map_err(|error| fields.refused("key_id", &error))
}

/// The lengths that a value has over all parameter sets.
fn lengths<A: Copy, const N: usize>(sets: [A; N], length: fn(A) -> usize) -> [usize; N] {
    sets.map(length)
}
