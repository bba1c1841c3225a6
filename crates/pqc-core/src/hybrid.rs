//! X-Wing: X25519 and ML-KEM-768 in one KEM, which stands as long as one of the two does
//! (draft-connolly-cfrg-xwing-kem).
//!
//! The bytes of the scheme, for [`crate::kem`] to put types around. Beyond the draft, an X25519
//! share of low order is refused, in keys and in ciphertexts: with one, the X25519 half protects
//! nothing, and no honest party sends one.

use alloc::boxed::Box;
use alloc::vec::Vec;

use sha3::{Digest, Sha3_256};
use shake::Shake256;
use shake::digest::{ExtendableOutput, Update, XofReader};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::backend::{self, Backend};
use crate::error::{Error, Field};
use crate::kem::ParameterSet::MlKem768;
use crate::secret::{Secret, SecretVec};

/// The bytes of an encapsulation key: ML-KEM-768's and X25519's.
pub(crate) const ENCAPSULATION_KEY_BYTES: usize = MlKem768.encapsulation_key_bytes() + X25519_BYTES;
/// The bytes of a ciphertext: ML-KEM-768's and an X25519 share.
pub(crate) const CIPHERTEXT_BYTES: usize = MlKem768.ciphertext_bytes() + X25519_BYTES;
/// The bytes of a seed, the draft's decapsulation key.
pub(crate) const SEED_BYTES: usize = 32;

/// expandDecapsulationKey (Section 5.2): the encapsulation key, and the decapsulation key in a form
/// of our own that is never given away: expanded ML-KEM-768 key, X25519 secret and public key.
pub(crate) fn key_pair<B: Backend>(seed: &Secret<SEED_BYTES>) -> (Vec<u8>, SecretVec) {
    let mut stream = Shake256::default().chain(seed.expose_bytes()).finalize_xof();
    let mut read = |bytes: &mut [u8]| stream.read(bytes);
    let mut ml_kem_seed = Zeroizing::new([0; 64]);
    let mut x25519_secret = Zeroizing::new([0; X25519_BYTES]);
    read(&mut *ml_kem_seed);
    read(&mut *x25519_secret);

    let (mut public, ml_kem) = B::kem_key_pair(MlKem768, &Secret::from(*ml_kem_seed));
    let x25519_public = PublicKey::from(&StaticSecret::from(*x25519_secret));
    public.extend_from_slice(x25519_public.as_bytes());
    let mut expanded = Zeroizing::new(Vec::with_capacity(EXPANDED_BYTES));
    expanded.extend_from_slice(ml_kem.expose_bytes());
    expanded.extend_from_slice(&*x25519_secret);
    expanded.extend_from_slice(x25519_public.as_bytes());
    (public, SecretVec::new(core::mem::take(&mut *expanded)))
}

/// The checks of an encapsulation key of the right length.
///
/// # Errors
/// [`Error::EncapsulationKeyModulus`]; [`Error::LowOrder`].
pub(crate) fn check_encapsulation_key<B: Backend>(key: &[u8]) -> Result<(), Error> {
    let (ml_kem, x25519) = parts(key, MlKem768.encapsulation_key_bytes())?;
    if !B::encapsulation_key_is_reduced(MlKem768, ml_kem) {
        return Err(Error::EncapsulationKeyModulus);
    }
    // Of the scalars, each a multiple of the cofactor, any tells a low order.
    let any = StaticSecret::from([1; X25519_BYTES]);
    agree(&any, &x25519, Field::EncapsulationKey).map(drop)
}

/// EncapsulateDerand (Section 5.4.1) to a checked key: ciphertext and secret.
///
/// # Errors
/// [`Error::Internal`]: a key of another length, or one that was not checked.
pub(crate) fn encapsulate<B: Backend>(
    key: &[u8],
    randomness: &Secret<64>,
) -> Result<(Vec<u8>, Secret<32>), Error> {
    let (ml_kem_key, their_public) = parts(key, MlKem768.encapsulation_key_bytes())?;
    encapsulate_with(
        |message| B::encapsulate(MlKem768, ml_kem_key, message),
        their_public,
        randomness,
    )
}

/// An encapsulation key for many calls.
pub(crate) struct PreparedEncapsulationKey {
    ml_kem: Box<dyn backend::PreparedEncapsulation>,
    x25519: PublicKey,
}

/// Prepares a checked key.
///
/// # Errors
/// [`Error::Internal`]: a key of another length.
pub(crate) fn prepare_encapsulation_key<B: Backend>(
    key: &[u8],
) -> Result<PreparedEncapsulationKey, Error> {
    let (ml_kem, x25519) = parts(key, MlKem768.encapsulation_key_bytes())?;
    Ok(PreparedEncapsulationKey { ml_kem: B::prepare_encapsulation_key(MlKem768, ml_kem)?, x25519 })
}

impl PreparedEncapsulationKey {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.ml_kem.memory_bytes()
    }

    pub(crate) fn encapsulate(
        &self,
        randomness: &Secret<64>,
    ) -> Result<(Vec<u8>, Secret<32>), Error> {
        encapsulate_with(|message| Ok(self.ml_kem.encapsulate(message)), self.x25519, randomness)
    }
}

fn encapsulate_with(
    ml_kem: impl FnOnce(&Secret<32>) -> Result<(Vec<u8>, Secret<32>), Error>,
    their_public: PublicKey,
    randomness: &Secret<64>,
) -> Result<(Vec<u8>, Secret<32>), Error> {
    let (message, ephemeral) = randomness.expose_bytes().split_at(32);
    let field = Field::EncapsulationRandomness;
    let message = Secret::from_slice(field, message)?;
    let ephemeral = Secret::<X25519_BYTES>::from_slice(field, ephemeral)?;
    let ephemeral = StaticSecret::from(*ephemeral.expose_bytes());

    let (mut ciphertext, ml_kem_secret) = ml_kem(&message)?;
    let share = PublicKey::from(&ephemeral);
    let x25519_secret = agree(&ephemeral, &their_public, Field::EncapsulationKey)?;
    let secret = combine(&ml_kem_secret, &x25519_secret, &share, &their_public);
    ciphertext.extend_from_slice(share.as_bytes());
    Ok((ciphertext, secret))
}

/// Decapsulate (Section 5.5) by an expanded key.
///
/// # Errors
/// [`Error::LowOrder`]: the ciphertext's X25519 share; [`Error::Internal`]: an input of another
/// length.
pub(crate) fn decapsulate<B: Backend>(
    expanded: &[u8],
    ciphertext: &[u8],
) -> Result<Secret<32>, Error> {
    let (ml_kem_key, x25519) = X25519Pair::behind_ml_kem(expanded)?;
    x25519.decapsulate(ciphertext, |ciphertext| B::decapsulate(MlKem768, ml_kem_key, ciphertext))
}

/// A decapsulation key for many calls.
pub(crate) struct PreparedDecapsulationKey {
    ml_kem: Box<dyn backend::PreparedDecapsulation>,
    x25519: X25519Pair,
}

/// Prepares an expanded key.
///
/// # Errors
/// [`Error::Internal`]: a key of another length.
pub(crate) fn prepare_decapsulation_key<B: Backend>(
    expanded: &[u8],
) -> Result<PreparedDecapsulationKey, Error> {
    let (ml_kem, x25519) = X25519Pair::behind_ml_kem(expanded)?;
    Ok(PreparedDecapsulationKey { ml_kem: B::prepare_decapsulation_key(MlKem768, ml_kem)?, x25519 })
}

impl PreparedDecapsulationKey {
    pub(crate) fn memory_bytes(&self) -> usize {
        self.ml_kem.memory_bytes()
    }

    pub(crate) fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret<32>, Error> {
        self.x25519.decapsulate(ciphertext, |ciphertext| self.ml_kem.decapsulate(ciphertext))
    }
}

/// The X25519 half of a decapsulation key; boxed, so that it is wiped where it was.
struct X25519Pair {
    secret: Box<StaticSecret>,
    public: PublicKey,
}

impl X25519Pair {
    /// It, and what stands before it: the expanded ML-KEM key.
    fn behind_ml_kem(expanded: &[u8]) -> Result<(&[u8], Self), Error> {
        let (ml_kem, x25519) = expanded
            .split_at_checked(MlKem768.expanded_key_bytes())
            .ok_or(Error::Internal { what: "X-Wing lengths" })?;
        let (secret, public) = parts(x25519, X25519_BYTES)?;
        let secret = Secret::<X25519_BYTES>::from_slice(Field::DecapsulationKey, secret)?;
        let secret = Box::new(StaticSecret::from(*secret.expose_bytes()));
        Ok((ml_kem, Self { secret, public }))
    }

    fn decapsulate(
        &self,
        ciphertext: &[u8],
        ml_kem: impl FnOnce(&[u8]) -> Result<Secret<32>, Error>,
    ) -> Result<Secret<32>, Error> {
        let (ml_kem_ciphertext, share) = parts(ciphertext, MlKem768.ciphertext_bytes())?;
        let ml_kem_secret = ml_kem(ml_kem_ciphertext)?;
        let x25519_secret = agree(&self.secret, &share, Field::Ciphertext)?;
        Ok(combine(&ml_kem_secret, &x25519_secret, &share, &self.public))
    }
}

/// Combiner (Section 5.3).
fn combine(
    ml_kem_secret: &Secret<32>,
    x25519_secret: &x25519_dalek::SharedSecret,
    share: &PublicKey,
    public: &PublicKey,
) -> Secret<32> {
    let digest = Sha3_256::new()
        .chain_update(ml_kem_secret.expose_bytes())
        .chain_update(x25519_secret.as_bytes())
        .chain_update(share.as_bytes())
        .chain_update(public.as_bytes())
        .chain_update(LABEL)
        .finalize();
    Secret::from(<[u8; 32]>::from(digest))
}

/// X25519 (RFC 7748, Section 6.1), with the check for the all-zero secret.
fn agree(
    own: &StaticSecret,
    theirs: &PublicKey,
    field: Field,
) -> Result<x25519_dalek::SharedSecret, Error> {
    let secret = own.diffie_hellman(theirs);
    if secret.was_contributory() { Ok(secret) } else { Err(Error::LowOrder { field }) }
}

/// What stands before an X25519 public key, and that key.
fn parts(bytes: &[u8], at: usize) -> Result<(&[u8], PublicKey), Error> {
    bytes
        .split_at_checked(at)
        .and_then(|(first, rest)| Some((first, <[u8; X25519_BYTES]>::try_from(rest).ok()?)))
        .map(|(first, public)| (first, PublicKey::from(public)))
        .ok_or(Error::Internal { what: "X-Wing lengths" })
}

const X25519_BYTES: usize = 32;
const EXPANDED_BYTES: usize = MlKem768.expanded_key_bytes() + 2 * X25519_BYTES;
/// XWingLabel: a drawing of the ship.
const LABEL: &[u8; 6] = br"\.//^\";

#[cfg(test)]
mod tests;
