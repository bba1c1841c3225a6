//! Many signatures at once.

use alloc::vec::Vec;

#[cfg(feature = "parallel")]
use rayon::prelude::*;

use super::{Context, Signature, VerifyingKey};

/// A signature, and all that it is verified with.
#[derive(Debug, Clone, Copy)]
pub struct SignedMessage<'a> {
    /// Whose signature it is said to be.
    pub key: &'a VerifyingKey,
    /// What is said to be signed.
    pub message: &'a [u8],
    /// The context that it was signed in.
    pub context: Context<'a>,
    /// The signature.
    pub signature: &'a Signature,
}

/// Verifies each as [`VerifyingKey::verify`] does; which ones hold, in the order they came. With the
/// feature `parallel` the cores of the caller's rayon pool share them.
///
/// ```
/// use pqc_core::sign::{SignedMessage, verify_batch};
/// use pqc_core::{Context, SignatureAlgorithm, SigningKey};
/// # let rng = &mut getrandom::SysRng;
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, rng)?;
/// let signature = key.sign(b"one", Context::EMPTY, rng)?;
/// let signed = [b"one", b"two"].map(|message| SignedMessage {
///     key: key.verifying_key(),
///     message,
///     context: Context::EMPTY,
///     signature: &signature,
/// });
/// assert_eq!(verify_batch(&signed), [true, false]);
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[must_use]
pub fn verify_batch(signed: &[SignedMessage<'_>]) -> Vec<bool> {
    #[cfg(feature = "parallel")]
    let signed = signed.par_iter();
    #[cfg(not(feature = "parallel"))]
    let signed = signed.iter();
    signed.map(|one| one.key.verify(one.message, one.context, one.signature)).collect()
}
