//! Secret keys in expanded form come from elsewhere, so they are judged before a backend sees them.
//! What a key cannot be judged by is written here too.

use pqc_core::kem::ParameterSet;
use pqc_core::{
    AccountId, Context, DecapsulationKey, Error, Field, MasterKey, MasterKeys, Secret,
    SignatureAlgorithm, SigningKey,
};
use sha3::{Digest, Sha3_256};

use crate::support::{Repeatable, flipped};

#[test]
fn expanded_kem_keys_work_as_their_seeds_do() {
    let mut rng = Repeatable::new(1);
    for set in ParameterSet::ALL {
        let seeded = DecapsulationKey::generate(set, &mut rng).unwrap();
        let bytes = seeded.expose_expanded().unwrap().expose_bytes();
        let read = DecapsulationKey::from_expanded(bytes).unwrap();
        assert_eq!(read.algorithm(), set.algorithm());
        assert_eq!(read.encapsulation_key(), seeded.encapsulation_key());
        assert_eq!(read.expose_expanded().unwrap().expose_bytes(), bytes);
        assert!(read.expose_seed().is_none());
        let (ciphertext, sent) =
            seeded.encapsulation_key().encapsulate_unattested(&mut rng).unwrap();
        assert!(read.decapsulate(&ciphertext).unwrap().ct_eq(&sent));
        #[cfg(feature = "hazmat")]
        for backend in crate::backends::both_backends() {
            let got = (backend.decapsulate)(set, bytes, ciphertext.as_bytes()).unwrap();
            assert!(got.ct_eq(sent.as_secret()));
        }
        assert!(DecapsulationKey::from_seed_or_expanded(set, bytes).is_ok());
    }
}

#[test]
fn a_key_without_a_seed_is_not_sealed() {
    let mut rng = Repeatable::new(1);
    let masters = MasterKeys::new(MasterKey::new(1, Secret::from([1; 32])));
    let account = AccountId::from_bytes([1; 16]);
    let kem = DecapsulationKey::generate(ParameterSet::MlKem768, &mut rng).unwrap();
    assert!(kem.seal(&masters, account, &mut rng).is_ok());
    let kem = kem.expose_expanded().unwrap().expose_bytes();
    let kem = DecapsulationKey::from_expanded(kem).unwrap();
    assert_eq!(kem.seal(&masters, account, &mut rng).unwrap_err(), Error::NoSeed);
    let signing = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut rng).unwrap();
    assert!(signing.seal(&masters, account, &mut rng).is_ok());
    let signing = signing.expose_expanded().expose_bytes();
    let signing = SigningKey::from_expanded(signing).unwrap();
    assert_eq!(signing.seal(&masters, account, &mut rng).unwrap_err(), Error::NoSeed);
}

#[test]
fn a_flipped_bit_in_an_expanded_kem_key_is_refused_where_it_can_be_seen() {
    let mut rng = Repeatable::new(2);
    for set in ParameterSet::ALL {
        let key = DecapsulationKey::generate(set, &mut rng).unwrap();
        let bytes = key.expose_expanded().unwrap().expose_bytes();
        let (ciphertext, sent) = key.encapsulation_key().encapsulate_unattested(&mut rng).unwrap();
        let public = set.encapsulation_key_bytes();
        let embedded = public - 32..2 * public - 32;
        let hash = embedded.end..embedded.end + 32;
        let rejection = hash.end..bytes.len();
        assert_eq!(rejection.len(), 32);

        // The embedded key and its hash no longer fit each other.
        let in_embedded = embedded.clone().map(|byte| byte * 8 + byte % 8);
        for bit in in_embedded.chain(hash.start * 8..hash.end * 8) {
            let read = DecapsulationKey::from_expanded(&flipped(bytes, bit));
            assert_eq!(read.unwrap_err(), Error::DecapsulationKeyHash);
        }
        // Nothing in FIPS 203, Section 7.3 speaks of dk_PKE: another one decrypts to something
        // else, which implicit rejection turns into another secret.
        for byte in (0..embedded.start).step_by(7) {
            let read = DecapsulationKey::from_expanded(&flipped(bytes, byte * 8 + 3)).unwrap();
            assert!(!read.decapsulate(&ciphertext).unwrap().ct_eq(&sent));
        }
        // z is random: it shows only in what a wrong ciphertext gives.
        let read = DecapsulationKey::from_expanded(&flipped(bytes, rejection.start * 8)).unwrap();
        assert!(read.decapsulate(&ciphertext).unwrap().ct_eq(&sent));
        let wrong = flipped(ciphertext.as_bytes(), 0);
        let wrong = pqc_core::Ciphertext::from_bytes(&wrong).unwrap();
        let [mine, its] = [&key, &read].map(|key| key.decapsulate(&wrong).unwrap());
        assert!(!mine.ct_eq(&its));
    }
}

#[test]
fn an_unreduced_key_within_an_expanded_one_is_refused_though_its_hash_fits() {
    let mut rng = Repeatable::new(3);
    for set in ParameterSet::ALL {
        let key = DecapsulationKey::generate(set, &mut rng).unwrap();
        let public = set.encapsulation_key_bytes();
        let with_first = |coefficient: u16| {
            let mut bytes = key.expose_expanded().unwrap().expose_bytes().to_vec();
            let embedded = &mut bytes[public - 32..2 * public - 32];
            embedded[0] = coefficient as u8;
            embedded[1] = embedded[1] & 0xf0 | (coefficient >> 8) as u8;
            let hash = Sha3_256::digest(embedded);
            bytes[2 * public - 32..2 * public].copy_from_slice(&hash);
            DecapsulationKey::from_expanded(&bytes)
        };
        assert!(with_first(3328).is_ok());
        assert_eq!(with_first(3329).unwrap_err(), Error::EncapsulationKeyModulus);
        assert_eq!(with_first(4095).unwrap_err(), Error::EncapsulationKeyModulus);
    }
}

#[test]
fn expanded_signing_keys_work_as_their_seeds_do() {
    let mut rng = Repeatable::new(4);
    for set in SignatureAlgorithm::ALL {
        let seeded = SigningKey::generate(set, &mut rng).unwrap();
        let bytes = seeded.expose_expanded().expose_bytes();
        let read = SigningKey::from_expanded(bytes).unwrap();
        assert_eq!(read.algorithm(), set);
        assert_eq!(read.verifying_key(), seeded.verifying_key());
        assert_eq!(read.expose_expanded().expose_bytes(), bytes);
        assert!(read.expose_seed().is_none());
        let context = Context::new(b"context").unwrap();
        let signature = read.sign(b"message", context, &mut rng).unwrap();
        assert!(seeded.verifying_key().verify(b"message", context, &signature));
        #[cfg(feature = "hazmat")]
        for backend in crate::backends::both_backends() {
            let (key, signature) = (seeded.verifying_key().as_bytes(), signature.as_bytes());
            assert!((backend.verify)(set, key, b"message", b"context", signature));
            let hedge = Secret::from(rng.array());
            let made = (backend.sign)(set, bytes, b"message", b"context", &hedge).unwrap();
            assert!((backend.verify)(set, key, b"message", b"context", &made));
        }
        assert!(SigningKey::from_seed_or_expanded(Some(set), bytes).is_ok());
        assert!(SigningKey::from_seed_or_expanded(None, bytes).is_ok());
    }
}

/// ρ, s1 and tr decide the public key's hash. K is random; it is not checked, and a signature by
/// another K is as good.
#[test]
fn a_flipped_bit_in_an_expanded_signing_key_is_refused_where_it_can_be_seen() {
    let mut rng = Repeatable::new(5);
    for set in SignatureAlgorithm::ALL {
        let parts = Parts::of(set);
        let key = SigningKey::generate(set, &mut rng).unwrap();
        let bytes = key.expose_expanded().expose_bytes();
        for byte in (0..32).chain(64..128).chain(parts.s1()) {
            let read = SigningKey::from_expanded(&flipped(bytes, byte * 8 + byte % 8));
            assert_eq!(read.unwrap_err(), Error::InconsistentSigningKey, "{set}, byte {byte}");
        }
        for byte in 32..64 {
            let read = SigningKey::from_expanded(&flipped(bytes, byte * 8 + byte % 8)).unwrap();
            assert_eq!(read.verifying_key(), key.verifying_key());
            let signature = read.sign(b"message", Context::EMPTY, &mut rng).unwrap();
            assert!(key.verifying_key().verify(b"message", Context::EMPTY, &signature));
        }
    }
}

/// A small change of s2, and any of t0, leaves the public key as it is: such a key is read, and then
/// either signs what verifies or is refused.
#[test]
fn no_wrong_signature_leaves_a_key_with_another_s2_or_t0() {
    let mut rng = Repeatable::new(6);
    let mut outcomes = [0; 3];
    for set in SignatureAlgorithm::ALL {
        let parts = Parts::of(set);
        let key = SigningKey::generate(set, &mut rng).unwrap();
        let bytes = key.expose_expanded().expose_bytes();
        for byte in parts.s2().chain(parts.t0()).step_by(5) {
            match SigningKey::from_expanded(&flipped(bytes, byte * 8 + byte % 8)) {
                Err(error) => {
                    assert_eq!(error, Error::InconsistentSigningKey);
                    outcomes[0] += 1;
                }
                Ok(read) => match read.sign(b"message", Context::EMPTY, &mut rng) {
                    Err(error) => {
                        assert_eq!(error, Error::InconsistentSigningKey);
                        outcomes[1] += 1;
                    }
                    Ok(signature) => {
                        let verifying = key.verifying_key();
                        assert!(verifying.verify(b"message", Context::EMPTY, &signature));
                        outcomes[2] += 1;
                    }
                },
            }
        }
    }
    assert!(outcomes.iter().all(|count| *count > 50), "{outcomes:?}");
}

/// With every coefficient of t0 as large as can be, of either sign, the hints of hardly any attempt
/// are few enough: libcrux gives up, the reference finds an end after thousands.
#[test]
fn a_key_whose_sampling_gives_up_is_the_callers_fault() {
    let mut rng = Repeatable::new(7);
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut rng).unwrap();
        let mut bytes = key.expose_expanded().expose_bytes().to_vec();
        let t0 = &mut bytes[Parts::of(set).t0()];
        for bit in 0..t0.len() * 8 {
            let (byte, mask) = (bit / 8, 1 << (bit % 8));
            // 13 bits a coefficient, all like the first of them.
            let first = if bit % 13 == 0 { rng.below(2) == 0 } else { is_set(t0, bit - 1) };
            t0[byte] = if first { t0[byte] | mask } else { t0[byte] & !mask };
        }
        let read = SigningKey::from_expanded(&bytes).unwrap();
        let signed = read.sign(b"message", Context::EMPTY, &mut rng);
        assert_eq!(signed.unwrap_err(), Error::InconsistentSigningKey);
    }
}

#[test]
fn short_vectors_out_of_range_are_refused_and_at_its_ends_are_not_the_reason() {
    let mut rng = Repeatable::new(8);
    for set in SignatureAlgorithm::ALL {
        let parts = Parts::of(set);
        let key = SigningKey::generate(set, &mut rng).unwrap();
        let bytes = key.expose_expanded().expose_bytes();
        let outside: &[u32] = if parts.bits == 4 { &[9, 10, 15] } else { &[5, 6, 7] };
        // Every position within the packed bytes, in both vectors, first and last.
        let count = (parts.s1().len() + parts.s2().len()) * 8 / parts.bits;
        for at in (0..16).chain(count - 16..count).chain([count / 2]) {
            for value in outside {
                let mut bytes = bytes.to_vec();
                parts.set_short(&mut bytes, at, *value);
                let read = SigningKey::from_expanded(&bytes);
                assert_eq!(read.unwrap_err(), Error::InconsistentSigningKey);
            }
        }
        // The twin: an s2 coefficient moved within the range can still be read.
        let readable = (count - 32..count).filter(|at| {
            let mut bytes = bytes.to_vec();
            parts.set_short(&mut bytes, *at, 1);
            SigningKey::from_expanded(&bytes).is_ok()
        });
        assert!(readable.count() > 24, "{set}");
    }
}

#[test]
fn random_bytes_of_every_length_are_refused_and_panic_nothing() {
    let mut rng = Repeatable::new(9);
    for set in ParameterSet::ALL {
        let right = set.expanded_key_bytes();
        for _ in 0..200 {
            let read = DecapsulationKey::from_expanded(&rng.bytes(right));
            assert_eq!(read.unwrap_err(), Error::DecapsulationKeyHash);
        }
        for length in [0, 1, 63, 64, 65, right - 1, right + 1, 10_000] {
            let read = DecapsulationKey::from_expanded(&rng.bytes(length));
            assert!(is_length(&read.unwrap_err(), Field::DecapsulationKey, length));
        }
    }
    for set in SignatureAlgorithm::ALL {
        let parts = Parts::of(set);
        let right = set.expanded_key_bytes();
        for _ in 0..200 {
            let mut bytes = rng.bytes(right);
            let read = SigningKey::from_expanded(&bytes);
            assert_eq!(read.unwrap_err(), Error::InconsistentSigningKey);
            // All coefficients in range, so that the key reaches the backend.
            for at in 0..(parts.s1().len() + parts.s2().len()) * 8 / parts.bits {
                let eta = if parts.bits == 4 { 4 } else { 2 };
                parts.set_short(&mut bytes, at, rng.below(2 * eta + 1) as u32);
            }
            let read = SigningKey::from_expanded(&bytes);
            assert_eq!(read.unwrap_err(), Error::InconsistentSigningKey);
        }
        for fill in [0x00, 0xff] {
            let read = SigningKey::from_expanded(&vec![fill; right]);
            assert_eq!(read.unwrap_err(), Error::InconsistentSigningKey);
        }
        for length in [0, 1, 31, 32, 33, right - 1, right + 1, 10_000] {
            let read = SigningKey::from_expanded(&rng.bytes(length));
            assert!(is_length(&read.unwrap_err(), Field::SigningKey, length));
        }
    }
}

#[test]
fn a_key_of_another_set_than_the_named_one_is_refused() {
    let mut rng = Repeatable::new(10);
    for set in ParameterSet::ALL {
        let key = DecapsulationKey::generate(set, &mut rng).unwrap();
        for named in ParameterSet::ALL {
            let bytes = key.expose_expanded().unwrap().expose_bytes();
            let read = DecapsulationKey::from_seed_or_expanded(named, bytes);
            let expected = (named != set).then_some(Error::AlgorithmMismatch {
                field: Field::DecapsulationKey,
                expected: named.name(),
                actual: set.name(),
            });
            assert_eq!(read.err(), expected);
            let seed = key.expose_seed().unwrap().expose_bytes();
            let read = DecapsulationKey::from_seed_or_expanded(named, seed).unwrap();
            assert_eq!(read.algorithm(), named.algorithm());
        }
    }
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut rng).unwrap();
        for named in SignatureAlgorithm::ALL {
            let bytes = key.expose_expanded().expose_bytes();
            let read = SigningKey::from_seed_or_expanded(Some(named), bytes);
            let expected = (named != set).then_some(Error::AlgorithmMismatch {
                field: Field::SigningKey,
                expected: named.name(),
                actual: set.name(),
            });
            assert_eq!(read.err(), expected);
            let seed = key.expose_seed().unwrap().expose_bytes();
            let read = SigningKey::from_seed_or_expanded(Some(named), seed).unwrap();
            assert_eq!(read.algorithm(), named);
        }
    }
    let unnamed = SigningKey::from_seed_or_expanded(None, &[7; 32]).unwrap();
    assert_eq!(unnamed.algorithm(), SignatureAlgorithm::MlDsa65);
}

fn is_set(bytes: &[u8], bit: usize) -> bool {
    bytes[bit / 8] >> (bit % 8) & 1 == 1
}

fn is_length(error: &Error, expected_field: Field, expected_length: usize) -> bool {
    matches!(error, Error::Length { field, actual, .. }
        if *field == expected_field && *actual == expected_length)
}

/// Where the parts of an expanded signing key lie (FIPS 204, Algorithm 24): ρ 0..32, K 32..64,
/// tr 64..128, then s1, s2 and t0.
struct Parts {
    l: usize,
    k: usize,
    /// Of one coefficient of s1 or s2, which is stored as η − c.
    bits: usize,
}

impl Parts {
    fn of(set: SignatureAlgorithm) -> Self {
        let (k, l, bits) = match set.name() {
            "ML-DSA-44" => (4, 4, 3),
            "ML-DSA-65" => (6, 5, 4),
            _ => (8, 7, 3),
        };
        Self { l, k, bits }
    }

    fn s1(&self) -> std::ops::Range<usize> {
        128..128 + self.l * 32 * self.bits
    }

    fn s2(&self) -> std::ops::Range<usize> {
        let start = self.s1().end;
        start..start + self.k * 32 * self.bits
    }

    fn t0(&self) -> std::ops::Range<usize> {
        let start = self.s2().end;
        start..start + self.k * 32 * 13
    }

    /// Writes the `at`th coefficient of s1 ‖ s2 as it is stored.
    fn set_short(&self, bytes: &mut [u8], at: usize, value: u32) {
        for bit in 0..self.bits {
            let position = 128 * 8 + at * self.bits + bit;
            let (byte, shift) = (position / 8, position % 8);
            let one = ((value >> bit) & 1) as u8;
            bytes[byte] = bytes[byte] & !(1 << shift) | one << shift;
        }
    }
}
