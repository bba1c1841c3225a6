//! Keys as other programs write them: PKCS#8 and SPKI files, and JSON Web Keys.
//!
//! What is in a file, and for which algorithm, only the file says: [`PrivateKey`] and [`PublicKey`]
//! are the doors in, for every parameter set of ML-KEM (RFC 9935) and ML-DSA (RFC 9881) and for
//! X-Wing, in DER and PEM (RFC 7468). Private keys are PKCS#8 (RFC 5958), encrypted by PBES2 (RFC
//! 8018) with scrypt (RFC 7914); public ones SubjectPublicKeyInfo (RFC 5280) or [`Jwk`] (RFC 7517).
//! [`inspect`](fn@inspect) tells what a file is and shows no secret. Nothing here touches a file
//! system.
//!
//! Of the three forms of a private key (seed, expanded, both) all are read, and what is written is
//! the seed; an expanded key is written only where there is no seed. DER is read strictly: a file
//! that holds what these types cannot, such as attributes, is refused rather than written back
//! without it. Two things are dropped on purpose: the expanded key beside a seed and the public key
//! beside a private one, both once they are seen to agree.
//!
//! ```
//! use pqc_core::keyfile::{PrivateKey, PublicKey};
//! use pqc_core::{DecapsulationKey, KemAlgorithm};
//! # fn main() -> Result<(), pqc_core::Error> {
//! let mut rng = getrandom::SysRng;
//! let key = PrivateKey::from(DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut rng)?);
//!
//! let file = key.to_encrypted_pem(b"correct horse", &mut rng)?;
//! assert!(file.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
//! let read = PrivateKey::from_encrypted_pem(&file, b"correct horse")?;
//! assert_eq!(read.public_key(), key.public_key());
//!
//! let PrivateKey::Decapsulation(read) = read else { panic!("another kind of key") };
//! let public = PublicKey::from(read.encapsulation_key().clone());
//! assert_eq!(PublicKey::from_pem(&public.to_pem()?)?, public);
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod encrypted;
mod inspect;
pub mod jwk;
mod pem;
mod private;
mod public;

pub use algorithm::KeyAlgorithm;
pub use encrypted::KeyDerivation;
pub use inspect::{Content, FileEncoding, Inspection, inspect};
pub use jwk::{Jwk, PrivateJwk};
pub use private::{PrivateKey, PrivateKeyForm};
pub use public::PublicKey;

use crate::error::Error;

/// Writing fails only if a key outgrows DER's lengths, which none does.
const WRITING: Error = Error::Internal { what: "writing a key file" };
