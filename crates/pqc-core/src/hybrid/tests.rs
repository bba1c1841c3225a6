//! The scheme's bytes, on both backends.

use getrandom::SysRng;
use sha2::Sha256;
use x_wing::{Decapsulate, Decapsulator, KeyExport};

use super::*;
use crate::backend::{Active, RustCrypto};

/// The draft's vectors: seed, encapsulation randomness, secret, and SHA-256 of key and ciphertext.
const VECTORS: [[&str; 6]; 3] = [
    [
        "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
        "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2",
        "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
        "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
        "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
        "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
    ],
    [
        "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
        "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef",
        "aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
        "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
        "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
        "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
    ],
    [
        "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
        "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619",
        "f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
        "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
        "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
        "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
    ],
];

/// The encodings of points of low order: RFC 7748, Section 7, and <https://cr.yp.to/ecdh.html>.
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

fn secret(first: &str, second: &str) -> Secret<64> {
    Secret::from_slice(Field::Ciphertext, &[bytes::<32>(first), bytes(second)].concat()).unwrap()
}

fn answers<B: Backend>() {
    for [seed, message, ephemeral, shared, key_hash, ciphertext_hash] in VECTORS {
        let (key, expanded) = key_pair::<B>(&Secret::from(bytes(seed)));
        assert_eq!(<[u8; 32]>::from(Sha256::digest(&key)), bytes(key_hash));
        check_encapsulation_key::<B>(&key).unwrap();
        let (ciphertext, sent) = encapsulate::<B>(&key, &secret(message, ephemeral)).unwrap();
        assert_eq!(<[u8; 32]>::from(Sha256::digest(&ciphertext)), bytes(ciphertext_hash));
        assert_eq!(*sent.expose_bytes(), bytes(shared));
        let received = decapsulate::<B>(expanded.expose_bytes(), &ciphertext).unwrap();
        assert!(received.ct_eq(&sent));
    }
}

#[test]
fn the_drafts_answers_come_out_on_every_backend() {
    answers::<Active>();
    answers::<RustCrypto>();
}

#[test]
fn another_implementation_agrees() {
    for _ in 0..200 {
        let seed = Secret::<32>::generate(&mut SysRng).unwrap();
        let randomness = Secret::<64>::generate(&mut SysRng).unwrap();
        let (key, expanded) = key_pair::<Active>(&seed);
        let (mut ciphertext, sent) = encapsulate::<Active>(&key, &randomness).unwrap();

        let theirs = x_wing::DecapsulationKey::from(*seed.expose_bytes());
        assert_eq!(theirs.encapsulation_key().to_bytes().as_slice(), key);
        let their_randomness = (*randomness.expose_bytes()).into();
        let (their_ciphertext, their_sent) =
            theirs.encapsulation_key().encapsulate_deterministic(&their_randomness);
        assert_eq!(their_ciphertext.as_slice(), ciphertext);
        assert_eq!(their_sent.as_slice(), sent.expose_bytes());

        // A wrong ciphertext gives another secret, the same one on both sides.
        let place = usize::from(randomness.expose_bytes()[0]) * 4;
        ciphertext[place] ^= 1;
        let ours = decapsulate::<Active>(expanded.expose_bytes(), &ciphertext).unwrap();
        let wrong = x_wing::Ciphertext::try_from(ciphertext.as_slice()).unwrap();
        assert_eq!(theirs.decapsulate(&wrong).as_slice(), ours.expose_bytes());
        assert!(!ours.ct_eq(&sent));
    }
}

#[test]
fn an_x25519_part_of_low_order_is_refused_everywhere() {
    let (mut key, expanded) = key_pair::<Active>(&Secret::from([7; 32]));
    let randomness = Secret::from([9; 64]);
    let (mut ciphertext, _) = encapsulate::<Active>(&key, &randomness).unwrap();
    let (key_at, ciphertext_at) = (key.len() - 32, ciphertext.len() - 32);
    for low in LOW_ORDER {
        key[key_at..].copy_from_slice(&bytes::<32>(low));
        ciphertext[ciphertext_at..].copy_from_slice(&bytes::<32>(low));
        let field = Field::EncapsulationKey;
        assert_eq!(check_encapsulation_key::<Active>(&key), Err(Error::LowOrder { field }));
        let refused = encapsulate::<Active>(&key, &randomness).unwrap_err();
        assert_eq!(refused, Error::LowOrder { field });
        let refused = decapsulate::<Active>(expanded.expose_bytes(), &ciphertext).unwrap_err();
        assert_eq!(refused, Error::LowOrder { field: Field::Ciphertext });
    }
}

#[test]
fn an_unreduced_ml_kem_part_is_refused() {
    let (mut key, _) = key_pair::<Active>(&Secret::from([7; 32]));
    key[..3].copy_from_slice(&[0xff; 3]);
    assert_eq!(check_encapsulation_key::<Active>(&key), Err(Error::EncapsulationKeyModulus));
}

#[test]
fn the_sizes_are_the_drafts() {
    assert_eq!((ENCAPSULATION_KEY_BYTES, CIPHERTEXT_BYTES), (1216, 1120));
    let (key, expanded) = key_pair::<Active>(&Secret::from([7; SEED_BYTES]));
    assert_eq!((key.len(), expanded.len()), (ENCAPSULATION_KEY_BYTES, EXPANDED_BYTES));
}
