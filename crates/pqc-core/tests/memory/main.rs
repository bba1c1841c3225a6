//! No secret is left in heap memory that is given back: an allocator reads each block as it is
//! freed, and looks for the secrets of the run. A binary of its own, since it sets the allocator.
//!
//! What is looked for: seeds, the secret parts of expanded keys, shared secrets, keys, texts; and as
//! the trace of an unpacked key the coefficients of ML-KEM's ŝ and of ML-DSA's t0. Other values that
//! a computation makes of a secret are not looked for, and the stack is not seen.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

#[cfg(feature = "hazmat")]
mod backends;
mod envelopes;
mod key_files;
mod passphrases;
mod signing;
mod streams;
mod watch;

use std::hint::black_box;
use std::mem::ManuallyDrop;

use hkdf::Hkdf;
use pqc_core::kem::ParameterSet;
use pqc_core::message::AccountKey;
use pqc_core::secret::Wiped;
use pqc_core::token::{TokenKind, TokenValue};
use pqc_core::{
    AccountId, BoxKey, Context, DecapsulationKey, KemAlgorithm, MasterKey, MasterKeys, Secret,
    SecretVec, SignatureAlgorithm, SigningKey,
};
use rand_core::{TryCryptoRng, TryRng};
use sha2::Sha256;
use shake::Shake256;
use shake::digest::{ExtendableOutput, Update, XofReader};

use crate::watch::{Secrets, left_by};

#[global_allocator]
static READING: watch::Reading = watch::Reading;

/// The control: what is freed unwiped is found, wherever in a block it stands, and whichever way
/// the block is freed.
#[test]
fn a_secret_that_is_freed_unwiped_is_found() {
    let secret = random::<64>();
    let secrets = Secrets::default().with("secret", &secret);
    let dropped = left_by(&secrets, || black_box(secret.to_vec()));
    assert_eq!(dropped.pieces["secret"], 4, "{dropped:?}");

    let shifted = left_by(&secrets, || black_box([&[0; 5], &secret[..], &[0; 5]].concat()));
    assert_eq!(shifted.pieces["secret"], 4, "{shifted:?}");

    let a_half = left_by(&secrets, || black_box(secret[7..7 + 31].to_vec()));
    assert_eq!(a_half.pieces["secret"], 1, "{a_half:?}");

    // The block moves while it grows; only the new one is wiped.
    let moved = left_by(&secrets, || {
        let mut grown = secret.to_vec();
        black_box(&mut grown).reserve_exact(1 << 20);
        SecretVec::new(grown)
    });
    assert_eq!(moved.pieces["secret"], 4, "{moved:?}");

    nothing("its twin, wiped", &secrets, || SecretVec::copy_of(black_box(&secret)));
    nothing("wiped where it had been longer", &secrets, || {
        let mut bytes = Wiped::new(black_box(secret.to_vec()));
        bytes.truncate(1);
        (SecretVec::from(Wiped::new(black_box(secret.to_vec()))), bytes)
    });
    let text = "in 64 bytes: a text that is looked for as any other secret is, !";
    let secrets = Secrets::default().with("text", text.as_bytes());
    nothing("a text, wiped", &secrets, || {
        let mut longer = Wiped::new(String::with_capacity(100));
        longer.push_str(black_box(text));
        longer
    });
}

/// The control for unpacked keys: this is how the backends hold a key that they have read. (ml-kem
/// holds the same 16-bit coefficients as libcrux, in a box that it wipes.)
#[test]
fn an_unpacked_key_that_is_freed_unwiped_is_found() {
    #[cfg(feature = "libcrux")]
    {
        use libcrux_ml_kem::mlkem768::portable::unpacked;
        let key = DecapsulationKey::from_seed(ParameterSet::MlKem768, Secret::from(random()));
        let encoded = key.expose_expanded().unwrap().expose_bytes();
        let secrets = Secrets::default().with("ŝ unpacked", &kem_coefficients(&encoded[..3 * 384]));
        let left = left_by(&secrets, || {
            let mut pair = Box::new(unpacked::init_key_pair());
            let private = encoded.try_into().unwrap();
            unpacked::key_pair_from_private_mut(&private, &mut pair);
            black_box(pair)
        });
        assert_eq!(left.pieces["ŝ unpacked"], 3 * 256 * 2 / 16, "{left:?}");
    }

    let seed = random::<32>();
    let key = SigningKey::from_seed(SignatureAlgorithm::MlDsa65, Secret::from(seed));
    let encoded = key.expose_expanded().expose_bytes();
    let t0 = &encoded[encoded.len() - t0_bytes(SignatureAlgorithm::MlDsa65)..];
    let secrets = Secrets::default().with("t0 unpacked", &t0_coefficients(t0));
    let left = left_by(&secrets, || {
        let key = ml_dsa::SigningKey::<ml_dsa::MlDsa65>::from_seed(&seed.into());
        black_box(Box::new(ManuallyDrop::new(key.expanded_key().clone())))
    });
    assert_eq!(left.pieces["t0 unpacked"], 6 * 256 * 4 / 16, "{left:?}");
}

#[test]
fn ml_kem_leaves_no_secret() {
    for set in ParameterSet::ALL {
        let (seed, message) = (random::<64>(), random::<32>());
        let key = DecapsulationKey::from_seed(set, Secret::from(seed));
        let (ciphertext, shared) =
            key.encapsulation_key().encapsulate_unattested(&mut Given(&message)).unwrap();
        let other = key.encapsulation_key().encapsulate_unattested(&mut Given(&random::<32>()));
        let expanded = key.expose_expanded().unwrap().expose_bytes().to_vec();
        // dk_PKE is the one part before the public ones (FIPS 203, Algorithm 16); z is the seed's.
        let secret_part = &expanded[..set.encapsulation_key_bytes() - 32];
        let secrets = Secrets::default()
            .with("seed", &seed)
            .with("dk_PKE", secret_part)
            .with("ŝ unpacked", &kem_coefficients(secret_part))
            .with("message", &message)
            .with("shared secret", shared.expose_bytes())
            .with("other shared secret", other.unwrap().1.expose_bytes());

        let name = set.name();
        let rng = || Given(&seed);
        nothing(name, &secrets, || DecapsulationKey::generate(set, &mut rng()).unwrap());
        nothing(name, &secrets, || DecapsulationKey::from_seed(set, Secret::from(seed)));
        nothing(name, &secrets, || DecapsulationKey::from_expanded(&expanded).unwrap());
        nothing(name, &secrets, || DecapsulationKey::from_seed_or_expanded(set, &seed).unwrap());
        nothing(name, &secrets, || {
            key.encapsulation_key().encapsulate_unattested(&mut Given(&message)).unwrap()
        });
        nothing(name, &secrets, || key.decapsulate(&ciphertext).unwrap());
        nothing(name, &secrets, || {
            let prepared = key.prepare().unwrap();
            let public = key.encapsulation_key().prepare().unwrap();
            let made = public.encapsulate_unattested(&mut Given(&message)).unwrap();
            (made, prepared.decapsulate(&ciphertext).unwrap(), prepared)
        });
        #[cfg(feature = "hazmat")]
        backends::leave_no_secret_of_ml_kem(set, &secrets, &seed, &message);

        let masters = masters(&random());
        let sealed = nothing_but(name, &secrets, || {
            key.seal(&masters, ACCOUNT, &mut Given(&random::<24>())).unwrap()
        });
        let public = key.encapsulation_key().as_bytes();
        nothing(name, &secrets, || {
            DecapsulationKey::open(&masters, ACCOUNT, public, &sealed).unwrap()
        });
    }
}

#[test]
fn x_wing_leaves_no_secret() {
    let (seed, randomness) = (random::<32>(), random::<64>());
    let key = DecapsulationKey::from_x_wing_seed(Secret::from(seed));
    let public = key.encapsulation_key();
    let (ciphertext, shared) = public.encapsulate_unattested(&mut Given(&randomness)).unwrap();
    let mut halves = [0; 96];
    Shake256::default().chain(seed).finalize_xof().read(&mut halves);
    let secrets = Secrets::default()
        .with("seed", &seed)
        .with("ML-KEM's seed and X25519's secret", &halves)
        .with("randomness", &randomness)
        .with("shared secret", shared.expose_bytes());
    let rng = || Given(&seed);
    nothing("generate", &secrets, || {
        DecapsulationKey::generate(KemAlgorithm::XWing, &mut rng()).unwrap()
    });
    nothing("encapsulate", &secrets, || {
        public.encapsulate_unattested(&mut Given(&randomness)).unwrap()
    });
    nothing("decapsulate", &secrets, || key.decapsulate(&ciphertext).unwrap());
    nothing("prepared", &secrets, || {
        let prepared = public.prepare().unwrap();
        let made = prepared.encapsulate_unattested(&mut Given(&randomness)).unwrap();
        let prepared = key.prepare().unwrap();
        (made, prepared.decapsulate(&ciphertext).unwrap(), prepared)
    });
}

#[test]
fn ml_dsa_leaves_no_secret() {
    for set in SignatureAlgorithm::ALL {
        let (seed, hedge) = (random::<32>(), random::<32>());
        let key = SigningKey::from_seed(set, Secret::from(seed));
        let expanded = key.expose_expanded().expose_bytes().to_vec();
        let secrets = signing_secrets(&key, &seed, &hedge);

        let name = set.name();
        let context = Context::new(b"context").unwrap();
        nothing(name, &secrets, || SigningKey::generate(set, &mut Given(&seed)).unwrap());
        nothing(name, &secrets, || SigningKey::from_seed(set, Secret::from(seed)));
        nothing(name, &secrets, || SigningKey::from_expanded(&expanded).unwrap());
        nothing(name, &secrets, || SigningKey::from_seed_or_expanded(Some(set), &seed).unwrap());
        nothing(name, &secrets, || key.sign(b"message", context, &mut Given(&hedge)).unwrap());
        let read = SigningKey::from_expanded(&expanded).unwrap();
        nothing(name, &secrets, || read.sign(b"message", context, &mut Given(&hedge)).unwrap());
        #[cfg(feature = "hazmat")]
        backends::leave_no_secret_of_ml_dsa(&key, &secrets, &seed, &hedge);

        let masters = masters(&random());
        let sealed = nothing_but(name, &secrets, || {
            key.seal(&masters, ACCOUNT, &mut Given(&random::<24>())).unwrap()
        });
        let public = key.verifying_key().as_bytes();
        nothing(name, &secrets, || SigningKey::open(&masters, ACCOUNT, public, &sealed).unwrap());
    }
}

/// ρ (32) and tr (64) are public; K, s1, s2 and t0 are not (FIPS 204, Algorithm 24).
fn signing_secrets(key: &SigningKey, seed: &[u8; 32], hedge: &[u8; 32]) -> Secrets {
    let expanded = key.expose_expanded().expose_bytes();
    let t0 = &expanded[expanded.len() - t0_bytes(key.algorithm())..];
    Secrets::default()
        .with("seed", seed)
        .with("K", &expanded[32..64])
        .with("s1, s2, t0", &expanded[128..])
        .with("t0 unpacked", &t0_coefficients(t0))
        .with("hedge", hedge)
}

#[test]
fn boxes_leave_no_text_and_no_key() {
    let (key, text, nonce) = (random::<32>(), random::<1000>(), random::<24>());
    let secrets = Secrets::default()
        .with("text", &text)
        .with("key", &key)
        .with("box key", &derived(&key, b"pqc/v1/box/caller"));
    let sealed = nothing_but("seal", &secrets, || {
        let key = BoxKey::from_caller(&Secret::from(key));
        key.seal(&text, b"data", &mut Given(&nonce)).unwrap()
    });
    let opens = |key: [u8; 32]| BoxKey::from_caller(&Secret::from(key)).open(&sealed, b"data");
    nothing("open", &secrets, || opens(key).unwrap());
    nothing("refuse", &secrets, || opens(random()).unwrap_err());
}

#[test]
fn sealed_records_leave_no_master_key_and_no_account_key() {
    let (master, key) = (random::<32>(), random::<32>());
    let secrets = Secrets::default()
        .with("master key", &master)
        .with("account key", &key)
        .with("seal key", &derived(&master, b"pqc/v1/seal/aes\0\0\0\x01"))
        .with("box key", &derived(&key, b"pqc/v1/box/account"));
    let id_and_key = [&[9; 16], &key[..]].concat();
    let sealed = nothing_but("seal", &secrets, || {
        let account_key = AccountKey::generate(&mut Given(&id_and_key)).unwrap();
        let masters = masters(&master);
        drop(account_key.box_key());
        account_key.seal(&masters, ACCOUNT, &mut Given(&random::<24>())).unwrap()
    });
    nothing("open", &secrets, || {
        AccountKey::open(&masters(&master), ACCOUNT, [9; 16], &sealed).unwrap()
    });
    nothing("check", &secrets, || {
        let key = MasterKey::new(1, Secret::from(master));
        let check = key.check_value(&mut Given(&random::<24>())).unwrap();
        assert!(key.made(&check));
    });
}

#[test]
fn tokens_leave_neither_text_nor_bytes() {
    let bytes = random::<32>();
    for kind in [TokenKind::Root, TokenKind::Temporary] {
        let text = TokenValue::generate(kind, &mut Given(&bytes)).unwrap().expose_text();
        let secrets = Secrets::default()
            .with("token bytes", &bytes)
            .with("token text", text.as_bytes())
            .with("encoded bytes", &text.as_bytes()[6..]);
        nothing("generate", &secrets, || TokenValue::generate(kind, &mut Given(&bytes)).unwrap());
        let token = TokenValue::generate(kind, &mut Given(&bytes)).unwrap();
        nothing("show", &secrets, || token.expose_text());
        nothing("parse and hash", &secrets, || TokenValue::parse(&text).unwrap().hash());
        // 31 of the 32 bytes are decoded before the end is seen to be wrong.
        let wrong = [&text[..48], "!"].concat();
        let refused = left_by(&secrets, || TokenValue::parse(&wrong).unwrap_err());
        assert!(refused.pieces.is_empty(), "a refused token: {refused:?}");
    }
}

/// Runs `work`, drops what it gives, and asserts that no freed block held a secret.
fn nothing<T>(what: &str, secrets: &Secrets, work: impl FnOnce() -> T) {
    let left = left_by(secrets, work);
    assert!(left.pieces.is_empty(), "{what} left secrets in freed memory: {left:?}");
    assert!(left.blocks > 0, "{what} freed nothing: nothing was read");
}

/// [`nothing`], for work whose result is no secret and is kept.
fn nothing_but<T>(what: &str, secrets: &Secrets, work: impl FnOnce() -> T) -> T {
    let mut kept = None;
    nothing(what, secrets, || kept = Some(work()));
    kept.unwrap()
}

/// The 12-bit coefficients of an encoded ML-KEM key (FIPS 203, Algorithm 6), in 16 bits each.
fn kem_coefficients(encoded: &[u8]) -> Vec<u8> {
    let (groups, _) = encoded.as_chunks::<3>();
    let pairs = groups.iter().flat_map(|[a, b, c]| [*a, b & 0x0f, b >> 4 | c << 4, c >> 4]);
    pairs.collect()
}

/// The coefficients of t0, each packed in 13 bits as 2¹² − c (FIPS 204, Algorithm 24), modulo q in
/// 32 bits each.
fn t0_coefficients(packed: &[u8]) -> Vec<u8> {
    const Q: u32 = 8_380_417;
    let bit = |at: usize| u32::from(packed[at / 8] >> (at % 8) & 1);
    let number = |at: usize| (0..13).fold(0, |number, i| number | bit(13 * at + i) << i);
    (0..packed.len() * 8 / 13).flat_map(|at| ((Q + 4096 - number(at)) % Q).to_le_bytes()).collect()
}

fn t0_bytes(set: SignatureAlgorithm) -> usize {
    416 * match set.name() {
        "ML-DSA-44" => 4,
        "ML-DSA-65" => 6,
        _ => 8,
    }
}

fn derived(key: &[u8; 32], info: &[u8]) -> [u8; 32] {
    expanded(key, None, info)
}

fn expanded(key: &[u8; 32], salt: Option<&[u8]>, info: &[u8]) -> [u8; 32] {
    let mut derived = [0; 32];
    Hkdf::<Sha256>::new(salt, key).expand(info, &mut derived).unwrap();
    derived
}

fn masters(key: &[u8; 32]) -> MasterKeys {
    MasterKeys::new(MasterKey::new(1, Secret::from(*key)))
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);

/// Gives these bytes once, from the start, and never copies them to the heap.
struct Given<'a>(&'a [u8]);

impl TryRng for Given<'_> {
    type Error = Spent;

    fn try_next_u32(&mut self) -> Result<u32, Spent> {
        Err(Spent)
    }

    fn try_next_u64(&mut self) -> Result<u64, Spent> {
        Err(Spent)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Spent> {
        let (given, rest) = self.0.split_at_checked(bytes.len()).ok_or(Spent)?;
        bytes.copy_from_slice(given);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}

#[derive(Debug, thiserror::Error)]
#[error("all bytes were given")]
struct Spent;
