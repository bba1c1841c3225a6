//! The time that RustCrypto's signing and decapsulation take, measured and compared by Welch's
//! t-test as dudect does (Reparaz, Balasch, Verbauwhede 2017): two classes of secrets, in random
//! order. `cargo xtask ct` judges what it prints.
//!
//! What is compared must differ in its secrets alone. The number of attempts at a signature varies
//! by design and is public, so only signatures of one attempt are measured; ρ and tr, which are
//! public and are computed with, are the same in all keys; each key is copied to one place before
//! the clock starts, so that none is nearer to the processor than another.
//!
//! Names that begin with `control` are comparisons that must be found.

use dudect_bencher::ctbench::{BenchMetadata, BenchName, BenchOpts, run_benches_console};
use dudect_bencher::rand::Rng;
use dudect_bencher::{BenchRng, Class, CtRunner};
use pqc_core::backend::{Backend, RustCrypto};
use pqc_core::kem::ParameterSet::MlKem768;
use pqc_core::{Secret, SignatureAlgorithm};
use shake::Shake256;
use shake::digest::{ExtendableOutput, Update, XofReader};

const SIGN: SignatureAlgorithm = SignatureAlgorithm::MlDsa65;
const SIGNATURES: usize = 8_000;
const DECAPSULATIONS: usize = 20_000;
const COMPARISONS: usize = 20_000;

fn main() -> std::io::Result<()> {
    let benches: [(&'static str, fn(&mut CtRunner, &mut BenchRng)); _] = [
        ("control-attempts", attempts),
        ("control-comparison", comparison),
        ("decapsulate-keys", decapsulate_keys),
        ("decapsulate-rejected", decapsulate_rejected),
        ("sign-keys", sign_keys),
    ];
    let benches =
        benches.map(|(name, benchfn)| BenchMetadata { name: BenchName(name), seed: None, benchfn });
    run_benches_console(BenchOpts::default(), benches.into())
}

/// One key again and again, against another key each time; both with a random hedge.
fn sign_keys(runner: &mut CtRunner, rng: &mut BenchRng) {
    let fixed = signing_key(rng);
    let mut samples = Vec::with_capacity(SIGNATURES);
    while samples.len() < SIGNATURES {
        let (class, mut key) = match class(rng) {
            Class::Left => (Class::Left, fixed.clone()),
            Class::Right => (Class::Right, signing_key(rng)),
        };
        // ρ, and tr behind K.
        key[..32].copy_from_slice(&fixed[..32]);
        key[64..128].copy_from_slice(&fixed[64..128]);
        let hedge = bytes(rng);
        if is_first_attempt(&key, &hedge) {
            samples.push((class, key, hedge));
        }
    }
    measure_signing(runner, samples);
}

/// The control for it: a signature of one attempt, against one of more.
fn attempts(runner: &mut CtRunner, rng: &mut BenchRng) {
    let key = signing_key(rng);
    let samples = (0..SIGNATURES / 8).map(|_| {
        let hedge = bytes(rng);
        let class = if is_first_attempt(&key, &hedge) { Class::Left } else { Class::Right };
        (class, key.clone(), hedge)
    });
    let samples = samples.collect();
    measure_signing(runner, samples);
}

fn measure_signing(runner: &mut CtRunner, samples: Vec<(Class, Vec<u8>, [u8; 32])>) {
    let mut key = vec![0; SIGN.expanded_key_bytes()];
    let mut hedge = [0; 32];
    for (class, its_key, its_hedge) in samples {
        key.copy_from_slice(&its_key);
        hedge.copy_from_slice(&its_hedge);
        let hedge = Secret::from(hedge);
        runner.run_one(class, || RustCrypto::sign(SIGN, &key, MESSAGE, b"", &hedge));
    }
}

fn signing_key(rng: &mut BenchRng) -> Vec<u8> {
    let (_, expanded) = RustCrypto::signing_key_pair(SIGN, &Secret::from(bytes(rng)));
    expanded.expose_bytes().to_vec()
}

/// Whether the first attempt at this signature is the one that is kept: then its z is near the y
/// of κ = 0 (FIPS 204, Algorithm 7, line 11), since the coefficients of z − y = c·s1 are at most
/// β = 196, where those of another y are spread over 2²⁰. The first polynomial shows it.
fn is_first_attempt(key: &[u8], hedge: &[u8; 32]) -> bool {
    let signature = RustCrypto::sign(SIGN, key, MESSAGE, b"", &Secret::from(*hedge));
    let signature = signature.expect("a good key");
    let (k, tr) = (&key[32..64], &key[64..128]);
    let mu: [u8; 64] = shake256(&[tr, &[0, 0], MESSAGE]);
    let private_seed: [u8; 64] = shake256(&[k, hedge, &mu]);
    let y: [u8; POLYNOMIAL_BYTES] = shake256(&[&private_seed, &[0, 0]]);
    let z = &signature[COMMITMENT_BYTES..][..POLYNOMIAL_BYTES];
    // Both are packed as γ1 − c (Algorithms 17 and 34).
    (0..256).all(|i| coefficient(z, i).abs_diff(coefficient(&y, i)) <= 196)
}

/// The 20 bits of a coefficient below γ1 = 2¹⁹.
fn coefficient(packed: &[u8], i: usize) -> u32 {
    let bits = (0..4).map(|at| packed.get(i * 20 / 8 + at).copied().unwrap_or(0));
    let word = u32::from_le_bytes(bits.collect::<Vec<_>>().try_into().expect("four bytes"));
    word >> (i * 20 % 8) & 0xf_ffff
}

fn shake256<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hasher = Shake256::default();
    parts.iter().for_each(|part| hasher.update(part));
    let mut hash = [0; N];
    hasher.finalize_xof().read(&mut hash);
    hash
}

const MESSAGE: &[u8] = b"the message is public";
/// Of c̃, with which a signature begins: λ / 4.
const COMMITMENT_BYTES: usize = 48;
const POLYNOMIAL_BYTES: usize = 640;

/// One key, honest ciphertexts against altered ones, which are implicitly rejected.
fn decapsulate_rejected(runner: &mut CtRunner, rng: &mut BenchRng) {
    let (public, expanded) = RustCrypto::kem_key_pair(MlKem768, &Secret::from(bytes(rng)));
    let samples = (0..DECAPSULATIONS).map(|_| {
        let mut ciphertext = ciphertext_for(&public, rng);
        let class = class(rng);
        if matches!(class, Class::Right) {
            ciphertext[0] ^= 1;
        }
        (class, expanded.expose_bytes().to_vec(), ciphertext)
    });
    let samples = samples.collect();
    measure_decapsulation(runner, samples);
}

/// One key again and again, against another key each time. Honest ciphertexts to one public key:
/// all keys have the parts of that one which are public, so that for the others it is rejected.
fn decapsulate_keys(runner: &mut CtRunner, rng: &mut BenchRng) {
    let (public, fixed) = RustCrypto::kem_key_pair(MlKem768, &Secret::from(bytes(rng)));
    let secret_bytes = public.len() - 32;
    let samples = (0..DECAPSULATIONS).map(|_| {
        let mut ciphertext = ciphertext_for(&public, rng);
        // Rejected in both classes.
        ciphertext[0] ^= 1;
        let class = class(rng);
        let mut key = fixed.expose_bytes().to_vec();
        if matches!(class, Class::Right) {
            let (_, other) = RustCrypto::kem_key_pair(MlKem768, &Secret::from(bytes(rng)));
            key[..secret_bytes].copy_from_slice(&other.expose_bytes()[..secret_bytes]);
        }
        (class, key, ciphertext)
    });
    let samples = samples.collect();
    measure_decapsulation(runner, samples);
}

fn measure_decapsulation(runner: &mut CtRunner, samples: Vec<(Class, Vec<u8>, Vec<u8>)>) {
    let mut key = vec![0; MlKem768.expanded_key_bytes()];
    let mut ciphertext = vec![0; MlKem768.ciphertext_bytes()];
    for (class, its_key, its_ciphertext) in samples {
        key.copy_from_slice(&its_key);
        ciphertext.copy_from_slice(&its_ciphertext);
        runner.run_one(class, || RustCrypto::decapsulate(MlKem768, &key, &ciphertext));
    }
}

fn ciphertext_for(public: &[u8], rng: &mut BenchRng) -> Vec<u8> {
    RustCrypto::encapsulate(MlKem768, public, &Secret::from(bytes(rng))).expect("reduced").0
}

/// The control for the measuring itself: a comparison that leaves at the first difference.
fn comparison(runner: &mut CtRunner, rng: &mut BenchRng) {
    let secret: [u8; 256] = bytes(rng);
    for _ in 0..COMPARISONS {
        let class = class(rng);
        let mut guess = secret;
        guess[if matches!(class, Class::Left) { 0 } else { 255 }] ^= 1;
        let guess = std::hint::black_box(guess);
        runner.run_one(class, || secret.iter().zip(&guess).all(|(one, other)| one == other));
    }
}

fn class(rng: &mut BenchRng) -> Class {
    if rng.next_u32() & 1 == 0 { Class::Left } else { Class::Right }
}

fn bytes<const N: usize>(rng: &mut BenchRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
