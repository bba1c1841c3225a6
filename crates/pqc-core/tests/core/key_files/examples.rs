//! The example keys of RFC 9935 and RFC 9881, from the working group's repositories
//! lamps-wg/kyber-certificates (b013568) and lamps-wg/dilithium-certificates (785a549). Their seed
//! is 00, 01, 02, …, so the files are assembled here and their SHA-256 shows that they are the same.

use pqc_core::keyfile::{Content, KeyAlgorithm, PrivateKey, PrivateKeyForm, PublicKey, inspect};
use pqc_core::{Error, KemAlgorithm, SignatureAlgorithm};
use sha2::{Digest, Sha256};

use super::{
    IN_RFCS, OCTETS, both_form, counting_from, element, expanded, key, pem, pkcs8, seed, seed_form,
    spki,
};
use crate::support::say;

/// SHA-256 of the files X-seed.priv, X-expanded.priv, X-both.priv and X.pub.
const FILES: [[&str; 4]; 6] = [
    [
        "1f823c67ac65aab4b3010be697e1717ea3b5f9cbdaa90e7b440b8f1ba86354d6",
        "a426c00bab6aa0c1d89be72caabcd5cc5ae6b75d41d39c44ad7e2cd4e65d8147",
        "9cfa48b5169b3f3050a5b8230e8f9d026874649057ba9bc4e229b5a12a4f097b",
        "2a310646da629154d87181d88b71b7540725ead136c05ce737c9101abe8a12cf",
    ],
    [
        "5b4016f2b947e79469ea8bf06011d2d5404d16aa723ea6f2c4b29da8e40cdf5f",
        "8feff5989a7facc392c3e3bb35a6eb921b63f5a3e204480c4cccc237df21400c",
        "4e8c07f6ea2f70f5c8f866be1f9aaf35bf148f0ff45ed79768dabea2a4c5ba99",
        "990d18361a0c4d15d3f1fab8580b979867b082f5572fdf554452f189e0ccda15",
    ],
    [
        "3ae21ecd3f5731a0e6b311931cf9970e908827cd7c76d9401d1415578622170b",
        "6c7a985370c8ce7f327eae9675edcede0d7ca832a59245b50c3cb8745fb7451c",
        "405ec1368fe36c5f8350557b20217eb1a5be3c283ee3d4cf670cbd7bc19a9a7a",
        "4f823a8b9011d508a099189660374a2940d028890aa870fdadf47ce67238db6a",
    ],
    [
        "1f3d0545ff888b8558127fa4a86e866a450b074e0850d9c0471b46a2a2c8a2a7",
        "0ce3ae87683cfd06578e710a9367514bf94c33b2b87627b90ccbb8e6386125f6",
        "cc7c31b85621c07d78eafcab49df4ca8209469c4da3cbc1695ab801ac07709d4",
        "e8c997db43b377029f99957c26a9eb4ddf628bf88f95603b9f8a5cb56ffb57c0",
    ],
    [
        "3022c858985bc5e8284cff673c06d78d55e88152fcf9a6f5e61ad9f63e5f0e0c",
        "38c6267319c0ae486da4f946fd0c4f3994a192071235acbf5b4e2e501a721419",
        "ff89c392f89a5bfd452e22b1144e6e1b75906604ee71d51bfb56bdd2d2b272ec",
        "2362f97f1a94de086f16877e903d859157c6726f5e60f8e4d7309b21cbff2bb0",
    ],
    [
        "855cdfe5bea4a003e5a2d5f58fb78e7d96ed019f68812f41a6be1125b796a846",
        "6def3bb0330c418d93f942cd74d889a5ee4a4a86151e967903abd78dfeb4e778",
        "fd9a70388607943b6f1921f3545fe4d7aa8a55447e98da7e11496a099bebd053",
        "503f443502bea293ca6b67d0e0668dd87d047273621aa74a7eed89804bcae6b5",
    ],
];

#[test]
fn the_examples_are_read_and_written() {
    let mut count = 0;
    for (algorithm, hashes) in IN_RFCS.into_iter().zip(FILES) {
        let key = key(algorithm, 0);
        let (seed, expanded) = (seed(&key), expanded(&key));
        let public = key.public_key();
        let forms = [
            (PrivateKeyForm::Seed, seed_form(seed)),
            (PrivateKeyForm::Expanded, element(OCTETS, expanded)),
            (PrivateKeyForm::Both, both_form(seed, expanded)),
        ];
        let seed_file = pem("PRIVATE KEY", &pkcs8(algorithm, &forms[0].1));
        for ((form, bytes), hash) in forms.into_iter().zip(hashes) {
            let file = pem("PRIVATE KEY", &pkcs8(algorithm, &bytes));
            assert_eq!(sha_256(&file), hash, "{algorithm} {form:?}");
            let read = PrivateKey::from_pem(&file).unwrap();
            assert_eq!((read.algorithm(), read.public_key()), (algorithm, public.clone()));
            assert_eq!(super::expanded(&read), expanded);
            // Where there is a seed, the seed alone is written.
            let written = if form == PrivateKeyForm::Expanded { &file } else { &seed_file };
            assert_eq!(*read.to_pem().unwrap(), *written, "{algorithm} {form:?}");
            let content = inspect(file.as_bytes()).unwrap().content;
            let public_key = public.clone();
            assert_eq!(content, Content::PrivateKey { form, has_public_key: false, public_key });
            count += 1;
        }
        let file = pem("PUBLIC KEY", &spki(algorithm, public.as_bytes()));
        assert_eq!(sha_256(&file), hashes[3], "{algorithm}");
        assert_eq!(PublicKey::from_pem(&file).unwrap(), public);
        assert_eq!(public.to_pem().unwrap(), file);
        count += 1;
    }
    assert_eq!(count, 24);
    say(&format!("key files: {count} examples of RFC 9935 and RFC 9881"));
}

#[test]
fn the_inconsistent_examples_are_refused() {
    let kem = KeyAlgorithm::Kem(KemAlgorithm::MlKem512);
    let dsa = KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa44);
    let (kem_key, dsa_key) = (key(kem, 0), key(dsa, 0));
    let disagree = |parts| Some(Error::InconsistentKeyFile { parts });
    let changed = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let file = |algorithm, form: &[u8]| pem("PRIVATE KEY", &pkcs8(algorithm, form));

    // s of ML-KEM begins at 0, H(ek) at 768 + 800, z ends the key at 1632. Of ML-DSA-44, s1 begins
    // at 128 and t0 at 896.
    let z_changed = changed(expanded(&kem_key), 1631);
    // d and z of two seeds.
    let mixed_seed = [&seed(&kem_key)[..32], &counting_from::<32>(0x21)].concat();
    let cases = [
        (
            file(kem, &both_form(&mixed_seed, expanded(&key(kem, 1)))),
            "78415cae1220e15c2852b518b630eab6c7321aeff3fdb3007e204663e3fdeecf",
            disagree("seed and expanded key"),
        ),
        (
            file(kem, &element(OCTETS, &changed(expanded(&kem_key), 0))),
            "b2cfb384cba6fd1d35f4798a08cff93756f6b8cd941b4ab55a5b864db14a9956",
            disagree("decapsulation key and encapsulation key"),
        ),
        (
            file(kem, &element(OCTETS, &changed(expanded(&kem_key), 1568))),
            "d37259acd0db7a6cf0949d0281e7fc9d68684ebb10eb9266b6ece144aa17e95e",
            Some(Error::DecapsulationKeyHash),
        ),
        (
            file(kem, &both_form(seed(&kem_key), &z_changed)),
            "9e96dbd0f346e65e6cbde84d88878847ac89e2a5b47073a500b688edb9b82da8",
            disagree("seed and expanded key"),
        ),
        (
            file(dsa, &both_form(seed(&dsa_key), expanded(&key(dsa, 1)))),
            "499221b0f4fa5607088e45788eba01499e21cd16164fcf438a5cddc392aae777",
            disagree("seed and expanded key"),
        ),
        (
            file(dsa, &element(OCTETS, &changed(expanded(&dsa_key), 64))),
            "e705a04888b38381b93cf718ef4359b26d5997181ffdc9ea8c68e2faab2883ad",
            Some(Error::InconsistentSigningKey),
        ),
        // t0 is seen to be wrong when the key signs.
        (
            file(dsa, &element(OCTETS, &changed(expanded(&dsa_key), 896))),
            "a6349de37d51b24508cca3093e1f654ed67c703af1d2fa6b6d1da4bd729980e7",
            None,
        ),
    ];
    for (file, hash, error) in cases {
        // These files end without a line feed.
        assert_eq!(sha_256(file.trim_end()), hash, "{error:?}");
        assert_eq!(PrivateKey::from_pem(&file).err(), error);
    }
}

fn sha_256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
