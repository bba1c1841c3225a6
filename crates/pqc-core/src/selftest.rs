//! Known answers, run before a program trusts this build.
//!
//! [`run`] recomputes frozen answers with the active backend, then lets the reference backend
//! check it on fresh random input. It finds a build that computes wrongly (a miscompilation, a CPU
//! path that nobody tested, a broken dependency); it proves nothing about side channels, and it is
//! not the self-test that FIPS 140-3 asks of a validated module.
//!
//! The ML-KEM and ML-DSA answers were computed by kyber-py 1.2.0 and dilithium-py 1.5.1, the box, the
//! stream and the long text by OpenSSL's AES; the others stand in the documents that their names cite.

mod answers;

use answers::{
    Answer, BOX, HKDF_SHA_256, KEM_ANSWERS, KemAnswers, SHA_256, SHA3_256, SHAKE256,
    SIGNATURE_ANSWERS, STREAM, SignatureAnswers, X_WING, X_WING_RANDOMNESS, X_WING_SEED,
    XAES_256_GCM, XAES_256_GCM_LONG,
};
use hkdf::Hkdf;
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use sha3::Sha3_256;
use shake::Shake256;
use shake::digest::{ExtendableOutput, Update, XofReader};

use crate::backend::{self, Active, Backend, RustCrypto, gcm};
use crate::error::{Error, Field};
use crate::hybrid;
use crate::kem::ParameterSet;
use crate::message::{BoxKey, MessageBox};
use crate::secret::Secret;
use crate::sign::SignatureAlgorithm;
use crate::stream::StreamKey;

/// What the self-test ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The name of the backend that was tested.
    pub backend: &'static str,
    /// How many checks passed.
    pub checks: usize,
}

/// The name of the backend that this build computes with, which [`run`] tests.
pub const BACKEND: &str = Active::NAME;

/// Runs every check. Takes about two milliseconds in a release build.
///
/// ```
/// let report = pqc_core::selftest::run(&mut getrandom::SysRng)?;
/// assert!(report.checks > 50);
/// assert!(["libcrux", "RustCrypto"].contains(&report.backend));
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// # Errors
/// [`Error::SelfTest`]: a check gave a wrong result. [`Error::Internal`], [`Error::LowOrder`]: a
/// computation refused the right input of a check. [`Error::Randomness`].
pub fn run(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Report, Error> {
    run_on::<Active>(rng)
}

fn run_on<B: Backend>(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Report, Error> {
    let mut checks = Checks(0);
    primitives(&mut checks)?;
    for answers in &KEM_ANSWERS {
        kem_known_answers::<B>(answers, &mut checks)?;
    }
    for answers in &SIGNATURE_ANSWERS {
        signature_known_answers::<B>(answers, &mut checks)?;
    }
    kem_pairwise::<B>(rng, &mut checks)?;
    signature_pairwise::<B>(rng, &mut checks)?;
    x_wing_known_answer::<B>(&mut checks)?;
    Ok(Report { backend: B::NAME, checks: checks.0 })
}

/// Counts what passed, and names what did not.
struct Checks(usize);

impl Checks {
    fn holds(&mut self, check: &'static str, right: bool) -> Result<(), Error> {
        if !right {
            return Err(Error::SelfTest { check });
        }
        self.0 += 1;
        Ok(())
    }

    fn answer(&mut self, (check, hex): Answer, actual: &[u8]) -> Result<(), Error> {
        self.holds(check, hex::encode(actual) == hex)
    }
}

/// Hashes, HKDF, the AEAD, and the message box and the stream that is made of them.
fn primitives(checks: &mut Checks) -> Result<(), Error> {
    checks.answer(SHA_256, &Sha256::digest(b"abc"))?;
    checks.answer(SHA3_256, &Sha3_256::digest(b"abc"))?;
    let mut hash = [0; 32];
    Shake256::default().chain(b"abc").finalize_xof().read(&mut hash);
    checks.answer(SHAKE256, &hash)?;

    let salt: [u8; 13] = counting_from(0);
    let info: [u8; 10] = counting_from(0xf0);
    let mut okm = [0; 42];
    Hkdf::<Sha256>::new(Some(&salt), &[0x0b; 22])
        .expand(&info, &mut okm)
        .map_err(|_| Error::SelfTest { check: HKDF_SHA_256.0 })?;
    checks.answer(HKDF_SHA_256, &okm)?;

    let key = Secret::from([3; 32]);
    let (nonce, associated_data) = (b"ABCDEFGHIJKLMNOPQRSTUVWX", b"c2sp.org/XAES-256-GCM");
    let mut sealed = [0; 12 + gcm::TAG_BYTES];
    gcm::xaes_seal(&key, nonce, associated_data, b"XAES-256-GCM", &mut sealed)?;
    checks.answer(XAES_256_GCM, &sealed)?;
    // A long text may take another way.
    let mut sealed = [0; 8192 + gcm::TAG_BYTES];
    gcm::xaes_seal(&key, nonce, associated_data, &[0x5a; 8192], &mut sealed)?;
    checks.answer(XAES_256_GCM_LONG, &sha_256(&[&sealed]))?;
    let opens = |mut sealed: [u8; 8192 + gcm::TAG_BYTES]| {
        let opened = gcm::xaes_open(&key, nonce, associated_data, &mut sealed);
        opened.is_some() && sealed.starts_with(&[0x5a; 8192])
    };
    checks.holds(XAES_256_GCM_LONG.0, opens(sealed))?;
    flip_first_bit(sealed.first_mut());
    checks.holds("XAES-256-GCM of a long text: an altered one is refused", !opens(sealed))?;

    let key = BoxKey::from_caller(&Secret::from(counting_from(0)));
    let mut bytes = hex::decode(BOX.1).map_err(|_| Error::SelfTest { check: BOX.0 })?;
    let opens = |bytes: &[u8]| {
        let text = MessageBox::from_bytes(bytes.to_vec()).and_then(|b| key.open(&b, b"aad"));
        text.is_ok_and(|text| text.expose_bytes() == b"pqc")
    };
    checks.holds(BOX.0, opens(&bytes))?;
    flip_first_bit(bytes.last_mut());
    checks.holds("message box: an altered one is refused", !opens(&bytes))?;

    let key = StreamKey::from_caller(&Secret::from(counting_from(0)));
    let mut stream = hex::decode(STREAM.1).map_err(|_| Error::SelfTest { check: STREAM.0 })?;
    let opens =
        |stream: &[u8]| key.open(stream, b"aad").is_ok_and(|text| text.expose_bytes() == b"pqc");
    checks.holds(STREAM.0, opens(&stream))?;
    flip_first_bit(stream.last_mut());
    checks.holds("stream: an altered one is refused", !opens(&stream))
}

fn kem_known_answers<B: Backend>(answers: &KemAnswers, checks: &mut Checks) -> Result<(), Error> {
    let set = answers.algorithm;
    let (mut public, expanded) = B::kem_key_pair(set, &Secret::from(counting_from(0)));
    checks.answer(answers.keys, &sha_256(&[&public, expanded.expose_bytes()]))?;

    let message = Secret::from(counting_from(64));
    let (mut ciphertext, secret) = B::encapsulate(set, &public, &message)?;
    checks.answer(answers.ciphertext, &sha_256(&[&ciphertext]))?;
    checks.answer(answers.secret, secret.expose_bytes())?;

    let received = B::decapsulate(set, expanded.expose_bytes(), &ciphertext)?;
    checks.holds(answers.decapsulation, received.ct_eq(&secret))?;
    flip_first_bit(ciphertext.first_mut());
    let rejected = B::decapsulate(set, expanded.expose_bytes(), &ciphertext)?;
    checks.answer(answers.rejection, rejected.expose_bytes())?;

    checks.holds(answers.modulus, B::encapsulation_key_is_reduced(set, &public))?;
    // The first coefficient becomes 4095.
    public.iter_mut().take(2).for_each(|byte| *byte = 0xff);
    checks.holds(answers.modulus, !B::encapsulation_key_is_reduced(set, &public))
}

fn signature_known_answers<B: Backend>(
    answers: &SignatureAnswers,
    checks: &mut Checks,
) -> Result<(), Error> {
    const CONTEXT: &[u8] = b"pqc/v1/selftest";
    const MESSAGE: &[u8] = b"pqc/v1/selftest message";
    let set = answers.algorithm;
    let (public, expanded) = B::signing_key_pair(set, &Secret::from(counting_from(0)));
    checks.answer(answers.keys, &sha_256(&[&public, expanded.expose_bytes()]))?;

    let hedge = Secret::from(counting_from(64));
    let mut signature = B::sign(set, expanded.expose_bytes(), MESSAGE, CONTEXT, &hedge)?;
    checks.answer(answers.signature, &sha_256(&[&signature]))?;

    let verifies =
        |message, context, signature: &[u8]| B::verify(set, &public, message, context, signature);
    checks.holds(answers.verification, verifies(MESSAGE, CONTEXT, &signature))?;
    checks.holds(answers.verification, !verifies(b"another message", CONTEXT, &signature))?;
    checks.holds(answers.verification, !verifies(MESSAGE, b"another context", &signature))?;
    flip_first_bit(signature.first_mut());
    checks.holds(answers.verification, !verifies(MESSAGE, CONTEXT, &signature))
}

fn x_wing_known_answer<B: Backend>(checks: &mut Checks) -> Result<(), Error> {
    let wrong = || Error::SelfTest { check: X_WING.0 };
    let bytes = |hex| hex::decode(hex).map_err(|_| wrong());
    let seed = Secret::from_slice(Field::DecapsulationKey, &bytes(X_WING_SEED)?)?;
    let randomness =
        Secret::from_slice(Field::EncapsulationRandomness, &bytes(X_WING_RANDOMNESS)?)?;
    let (public, expanded) = hybrid::key_pair::<B>(&seed);
    let (ciphertext, secret) = hybrid::encapsulate::<B>(&public, &randomness)?;
    checks.answer(X_WING, secret.expose_bytes())?;
    let received = hybrid::decapsulate::<B>(expanded.expose_bytes(), &ciphertext)?;
    checks.holds("X-Wing: decapsulation", received.ct_eq(&secret))
}

/// Fresh keys of the default set work together, and the reference gives the same bytes.
fn kem_pairwise<B: Backend>(
    rng: &mut (impl TryCryptoRng + ?Sized),
    checks: &mut Checks,
) -> Result<(), Error> {
    let set = ParameterSet::MlKem768;
    let (seed, message) = (Secret::generate(rng)?, Secret::generate(rng)?);
    let (public, expanded) = B::kem_key_pair(set, &seed);
    let (ciphertext, secret) = B::encapsulate(set, &public, &message)?;
    let received = B::decapsulate(set, expanded.expose_bytes(), &ciphertext)?;
    checks.holds("ML-KEM-768: fresh keys, both sides", received.ct_eq(&secret))?;

    let (its_public, its_expanded) = RustCrypto::kem_key_pair(set, &seed);
    let its_secret = RustCrypto::decapsulate(set, its_expanded.expose_bytes(), &ciphertext)?;
    let agrees = its_public == public && its_secret.ct_eq(&secret);
    checks.holds("ML-KEM-768: fresh keys, the reference agrees", agrees)
}

/// A fresh key of the default set signs what verifies, here and by the reference.
fn signature_pairwise<B: Backend>(
    rng: &mut (impl TryCryptoRng + ?Sized),
    checks: &mut Checks,
) -> Result<(), Error> {
    let set = SignatureAlgorithm::MlDsa65;
    let (seed, hedge) = (Secret::generate(rng)?, Secret::generate(rng)?);
    let message = Secret::<32>::generate(rng)?;
    let message = message.expose_bytes();
    let (public, expanded) = B::signing_key_pair(set, &seed);
    let signature = B::sign(set, expanded.expose_bytes(), message, b"", &hedge)?;
    let verifies = B::verify(set, &public, message, b"", &signature);
    checks.holds("ML-DSA-65: a fresh key's signature verifies", verifies)?;

    let verifies = RustCrypto::verify(set, &public, message, b"", &signature);
    checks.holds("ML-DSA-65: a fresh key's signature verifies by the reference", verifies)?;

    // Without a context another implementation may verify than the one that signs.
    let name = "ML-DSA-65: a fresh key's signature without context";
    let verifies = |message: &[u8]| backend::verify(set, &public, message, b"", &signature);
    checks.holds(name, verifies(message) && !verifies(b"another message"))
}

fn sha_256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| sha2::Digest::update(&mut hash, part));
    hash.finalize().into()
}

/// `first`, `first + 1`, …
fn counting_from<const N: usize>(first: u8) -> [u8; N] {
    let mut next = first;
    [(); N].map(|()| {
        let byte = next;
        next = next.wrapping_add(1);
        byte
    })
}

fn flip_first_bit(byte: Option<&mut u8>) {
    if let Some(byte) = byte {
        *byte ^= 1;
    }
}

#[cfg(test)]
mod tests;
