//! In what form a message is signed (FIPS 204): by its μ, or by its SHA-512; in which context.
//!
//! The message is read piece by piece, so that one of any size takes the same memory.

use std::io::{self, Read};

use pqc_core::sign::{Mu, PreHash, PreHashAlgorithm, PreHasher};
use pqc_core::{Context, Error, Signature, SigningKey, VerifyingKey};

use crate::args::FormArgs;
use crate::input_file::for_each_piece;

/// The form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SigningForm<'a> {
    context: Context<'a>,
    is_prehashed: bool,
}

/// What of a message is signed.
enum Hashed {
    Pure(Mu),
    PreHashed(PreHash),
}

impl<'a> SigningForm<'a> {
    /// The form that was asked for.
    ///
    /// # Errors
    /// [`Error::ContextTooLong`].
    pub(crate) fn new(args: &'a FormArgs) -> Result<Self, Error> {
        Ok(Self { context: Context::new(args.context.as_bytes())?, is_prehashed: args.prehash })
    }

    /// Its name in FIPS 204.
    pub(crate) fn name(&self) -> &'static str {
        if self.is_prehashed { "HashML-DSA with SHA-512" } else { "ML-DSA" }
    }

    /// Signs what `message` gives.
    ///
    /// # Errors
    /// Of reading; those of [`SigningKey::sign`], as [`io::ErrorKind::InvalidData`].
    pub(crate) fn sign(
        &self,
        key: &SigningKey,
        message: impl Read,
        is_deterministic: bool,
    ) -> io::Result<Signature> {
        let rng = &mut getrandom::SysRng;
        let signed = match (self.read(key.verifying_key(), message)?, is_deterministic) {
            (Hashed::Pure(mu), false) => key.sign_mu(&mu, rng),
            (Hashed::Pure(mu), true) => key.sign_mu_deterministic(&mu),
            (Hashed::PreHashed(digest), false) => key.sign_prehash(&digest, self.context, rng),
            (Hashed::PreHashed(digest), true) => {
                key.sign_prehash_deterministic(&digest, self.context)
            }
        };
        Ok(signed?)
    }

    /// Whether the signature is the key's, of what `message` gives, in this form.
    ///
    /// # Errors
    /// Of reading.
    pub(crate) fn verifies(
        &self,
        key: &VerifyingKey,
        message: impl Read,
        signature: &Signature,
    ) -> io::Result<bool> {
        Ok(match self.read(key, message)? {
            Hashed::Pure(mu) => key.verify_mu(&mu, signature),
            Hashed::PreHashed(digest) => key.verify_prehash(&digest, self.context, signature),
        })
    }

    fn read(&self, key: &VerifyingKey, message: impl Read) -> io::Result<Hashed> {
        if self.is_prehashed {
            // As strong as every parameter set asks for (FIPS 204, Section 5.4).
            let mut hasher = PreHasher::new(PreHashAlgorithm::Sha512);
            for_each_piece(message, |piece| hasher.update(piece))?;
            Ok(Hashed::PreHashed(hasher.finish()))
        } else {
            let mut hasher = key.mu_hasher(self.context);
            for_each_piece(message, |piece| hasher.update(piece))?;
            Ok(Hashed::Pure(hasher.finish()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pqc_core::{Secret, SignatureAlgorithm};

    #[test]
    fn a_file_is_signed_as_its_bytes_in_memory_are() {
        let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([7; 32]));
        let message = vec![7; 200_000];
        let form = |context: &str, prehash| FormArgs { context: context.to_owned(), prehash };
        for (args, other) in [
            (form("", false), form("a", false)),
            (form("a", true), form("", true)),
            (form("a", false), form("a", true)),
        ] {
            let (one, another) =
                (SigningForm::new(&args).unwrap(), SigningForm::new(&other).unwrap());
            let signature = one.sign(&key, &message[..], true).unwrap();
            let whole = if args.prehash {
                let digest = PreHash::of(PreHashAlgorithm::Sha512, &message);
                key.sign_prehash_deterministic(&digest, one.context)
            } else {
                key.sign_deterministic(&message, one.context)
            };
            assert_eq!(signature, whole.unwrap());
            let hedged = one.sign(&key, &message[..], false).unwrap();
            assert_ne!(hedged, signature);
            for signature in [signature, hedged] {
                let verifies = |form: SigningForm<'_>, message: &[u8]| {
                    form.verifies(key.verifying_key(), message, &signature).unwrap()
                };
                assert!(verifies(one, &message));
                assert!(!verifies(another, &message));
                assert!(!verifies(one, &message[1..]));
            }
        }
        assert!(SigningForm::new(&form(&"x".repeat(256), false)).is_err());
    }
}
