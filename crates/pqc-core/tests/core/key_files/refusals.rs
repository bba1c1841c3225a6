//! What is refused, each beside what is read: one change away.

use pqc_core::keyfile::{
    Content, FileEncoding, KeyAlgorithm, PrivateKey, PrivateKeyForm, PublicKey, inspect,
};
use pqc_core::{Error, Field, KemAlgorithm, SignatureAlgorithm};

use super::{
    BITS, IN_RFCS, OCTETS, SEQUENCE, both_form, element, expanded, identifier, key, pem, pkcs8,
    pkcs8_with_public, seed, seed_form, sequence, spki,
};

const VERSION_1: [u8; 3] = [0x02, 0x01, 0x00];
const VERSION_2: [u8; 3] = [0x02, 0x01, 0x01];
const NULL: [u8; 2] = [0x05, 0x00];

#[test]
fn a_private_key_file_holds_that_and_no_more() {
    let private = |expected| Error::Malformed { field: Field::PrivateKeyFile, expected };
    let no_file = private("DER of a PKCS#8 PrivateKeyInfo");
    let no_form = private("DER of a seed, an expanded key, or both");
    let more = private("PKCS#8 without attributes and extensions");
    for algorithm in IN_RFCS {
        let key = key(algorithm, 0);
        let (seed, expanded) = (seed(&key), expanded(&key));
        let form = seed_form(seed);
        let right = pkcs8(algorithm, &form);
        let read = PrivateKey::from_der(&right).unwrap();
        assert_eq!(read.to_der().unwrap().expose_bytes(), right);

        let octets = element(OCTETS, &form);
        let id = identifier(algorithm, &[]);
        let file = |parts: &[&[u8]]| sequence(parts);
        let in_file = |form: &[u8]| pkcs8(algorithm, form);
        let cases = [
            ([&right[..], &[0]].concat(), &no_file),
            (right[..right.len() - 1].to_vec(), &no_file),
            (vec![], &no_file),
            // A length in more bytes than it needs.
            ([&[0x30, 0x81], &right[1..]].concat(), &no_file),
            (file(&[&[0x02, 0x01, 0x02], &id, &octets]), &no_file),
            (file(&[&VERSION_2, &id, &octets]), &no_file),
            (file(&[&VERSION_1, &id, &octets, &element(0xa0, &[])]), &more),
            (file(&[&VERSION_1, &id, &octets, &element(0xa2, &NULL)]), &more),
            (in_file(&[&form[..], &[0]].concat()), &no_form),
            (in_file(&[]), &no_form),
            (in_file(seed), &no_form),
            (in_file(&element(0xa0, seed)), &no_form),
            (in_file(&element(0xa0, &element(OCTETS, seed))), &no_form),
            (in_file(&element(0x81, seed)), &no_form),
            (in_file(&element(SEQUENCE, &element(OCTETS, seed))), &no_form),
            (in_file(&[&both_form(seed, expanded)[..], &[0]].concat()), &no_form),
            (
                in_file(&sequence(&[
                    &element(OCTETS, seed),
                    &element(OCTETS, expanded),
                    &element(OCTETS, expanded),
                ])),
                &no_form,
            ),
        ];
        for (at, (file, error)) in cases.into_iter().enumerate() {
            assert_eq!(PrivateKey::from_der(&file).as_ref().err(), Some(error), "{algorithm} {at}");
        }
    }
}

#[test]
fn the_algorithm_is_a_known_one_without_parameters() {
    for algorithm in IN_RFCS {
        let key = key(algorithm, 0);
        let public = key.public_key();
        let octets = element(OCTETS, &seed_form(seed(&key)));
        let bits = element(BITS, &[&[0], public.as_bytes()].concat());
        let private_of = |id: &[u8]| {
            PrivateKey::from_der(&sequence(&[&VERSION_1, id, &octets])).map(|key| key.public_key())
        };
        let public_of = |id: &[u8]| PublicKey::from_der(&sequence(&[id, &bits]));
        let right = identifier(algorithm, &[]);
        assert_eq!(private_of(&right), Ok(public.clone()));
        assert_eq!(public_of(&right), Ok(public.clone()));

        let with_null = identifier(algorithm, &NULL);
        let expected = "an algorithm without parameters";
        let malformed = |field| Err(Error::Malformed { field, expected });
        assert_eq!(private_of(&with_null), malformed(Field::PrivateKeyFile));
        assert_eq!(public_of(&with_null), malformed(Field::PublicKeyFile));

        // 2.16.840.1.101.3.4.3.32 is HashML-DSA-44 with SHA-512.
        let mut other = right.clone();
        other.splice(right.len() - 2.., [3, 32]);
        let known = "ML-KEM-512, ML-KEM-768, ML-KEM-1024, X-Wing, ML-DSA-44, ML-DSA-65, ML-DSA-87";
        assert_eq!(private_of(&other), Err(Error::UnknownAlgorithm { known }));
        assert_eq!(public_of(&other), Err(Error::UnknownAlgorithm { known }));
    }
}

#[test]
fn each_key_has_its_algorithms_length() {
    for algorithm in IN_RFCS {
        let key = key(algorithm, 0);
        let (seed, expanded) = (seed(&key), expanded(&key));
        let (private, public) = match algorithm {
            KeyAlgorithm::Kem(_) => (Field::DecapsulationKey, Field::EncapsulationKey),
            _ => (Field::SigningKey, Field::VerifyingKey),
        };
        let is = |error: Option<Error>, of: Field, right: usize, found: usize| match error {
            Some(Error::Length { field, expected, actual }) => {
                assert_eq!((field, expected, actual), (of, right.to_string(), found));
            }
            other => panic!("{algorithm}: {other:?}"),
        };
        let refused = |form: &[u8]| PrivateKey::from_der(&pkcs8(algorithm, form)).err();
        for bytes in [&seed[1..], &[seed, &[0]].concat(), expanded] {
            is(refused(&seed_form(bytes)), private, seed.len(), bytes.len());
            is(refused(&both_form(bytes, expanded)), private, seed.len(), bytes.len());
        }
        for bytes in [&expanded[1..], &[expanded, &[0]].concat(), seed, &[]] {
            is(refused(&element(OCTETS, bytes)), private, expanded.len(), bytes.len());
            is(refused(&both_form(seed, bytes)), private, expanded.len(), bytes.len());
        }
        let bytes = key.public_key();
        let bytes = bytes.as_bytes();
        for wrong in [&bytes[1..], &[bytes, &[0]].concat(), &[]] {
            let refused = PublicKey::from_der(&spki(algorithm, wrong)).err();
            is(refused, public, bytes.len(), wrong.len());
        }
    }
    // A right key under another set's name.
    let named = KeyAlgorithm::Kem(KemAlgorithm::MlKem768);
    let key = key(KeyAlgorithm::Kem(KemAlgorithm::MlKem512), 0);
    let file = pkcs8(named, &element(OCTETS, expanded(&key)));
    assert!(matches!(PrivateKey::from_der(&file), Err(Error::Length { actual: 1632, .. })));
    let file = spki(named, key.public_key().as_bytes());
    assert!(matches!(PublicKey::from_der(&file), Err(Error::Length { actual: 800, .. })));
}

#[test]
fn a_public_key_beside_the_private_one_must_be_its_own() {
    for algorithm in IN_RFCS {
        let key = key(algorithm, 0);
        let public = key.public_key();
        let forms = [
            (PrivateKeyForm::Seed, seed_form(seed(&key))),
            (PrivateKeyForm::Expanded, element(OCTETS, expanded(&key))),
            (PrivateKeyForm::Both, both_form(seed(&key), expanded(&key))),
        ];
        for (form, bytes) in forms {
            let file = pkcs8_with_public(algorithm, &bytes, public.as_bytes());
            let read = PrivateKey::from_der(&file).unwrap();
            assert_eq!(read.public_key(), public);
            // It is not written again.
            assert!(read.to_der().unwrap().len() < file.len() - public.as_bytes().len());
            let content = inspect(&file).unwrap().content;
            let public_key = public.clone();
            assert_eq!(content, Content::PrivateKey { form, has_public_key: true, public_key });

            let other = super::key(algorithm, 1).public_key();
            let parts = "private key and public key";
            for wrong in [other.as_bytes(), &public.as_bytes()[1..], &[]] {
                let file = pkcs8_with_public(algorithm, &bytes, wrong);
                let refused = PrivateKey::from_der(&file).err();
                assert_eq!(refused, Some(Error::InconsistentKeyFile { parts }));
            }
        }
    }
}

#[test]
fn a_public_key_file_holds_that_and_no_more() {
    let malformed = |expected| Err(Error::Malformed { field: Field::PublicKeyFile, expected });
    for algorithm in IN_RFCS {
        let public = key(algorithm, 0).public_key();
        let right = spki(algorithm, public.as_bytes());
        assert_eq!(PublicKey::from_der(&right).unwrap().to_der().unwrap(), right);

        let id = identifier(algorithm, &[]);
        let bits = element(BITS, &[&[0], public.as_bytes()].concat());
        let octets = element(OCTETS, public.as_bytes());
        for wrong in [
            [&right[..], &[0]].concat(),
            right[..right.len() - 1].to_vec(),
            sequence(&[&id, &bits, &NULL]),
            sequence(&[&id, &octets]),
            sequence(&[&id]),
            vec![],
        ] {
            let refused = PublicKey::from_der(&wrong);
            assert_eq!(refused, malformed("DER of a SubjectPublicKeyInfo"));
        }
        let mut bytes = public.as_bytes().to_vec();
        *bytes.last_mut().unwrap() &= 0xfe;
        let bits = element(BITS, &[&[1], &bytes[..]].concat());
        let refused = PublicKey::from_der(&sequence(&[&id, &bits]));
        assert_eq!(refused, malformed("a BIT STRING of whole bytes"));
    }
    let set = KeyAlgorithm::Kem(KemAlgorithm::MlKem768);
    let unreduced = PublicKey::from_der(&spki(set, &[0xff; 1184]));
    assert_eq!(unreduced, Err(Error::EncapsulationKeyModulus));
}

#[test]
fn a_text_has_one_block_with_the_right_label() {
    let algorithm = KeyAlgorithm::Signature(SignatureAlgorithm::MlDsa44);
    let key = key(algorithm, 0);
    let der = pkcs8(algorithm, &seed_form(seed(&key)));
    let right = pem("PRIVATE KEY", &der);
    assert_eq!(*key.to_pem().unwrap(), right);
    // What other programs do with such a text.
    for text in [
        right.replace('\n', "\r\n"),
        format!("made on Tuesday\n{right}"),
        format!("{right}\n\n"),
        right.trim_end().to_owned(),
    ] {
        assert_eq!(PrivateKey::from_pem(&text).unwrap().public_key(), key.public_key(), "{text}");
        assert_eq!(inspect(text.as_bytes()).unwrap().encoding, FileEncoding::Pem);
    }

    let expected = "PEM with the label PRIVATE KEY";
    let malformed = Some(Error::Malformed { field: Field::PrivateKeyFile, expected });
    for text in [
        String::new(),
        right.repeat(2),
        format!("{right}and more"),
        right.replace("\n-----END", "=\n-----END"),
        right.replace("END PRIVATE", "END PUBLIC"),
        right.replacen('M', "-", 1),
        right.lines().collect(),
        pem("PUBLIC KEY", &der),
        pem("ENCRYPTED PRIVATE KEY", &der),
        pem("EC PRIVATE KEY", &der),
    ] {
        assert_eq!(PrivateKey::from_pem(&text).err(), malformed, "{text}");
    }
    let expected = "PEM with the label PUBLIC KEY";
    let malformed = Some(Error::Malformed { field: Field::PublicKeyFile, expected });
    assert_eq!(PublicKey::from_pem(&right).err(), malformed);
    let expected = "PEM with the label ENCRYPTED PRIVATE KEY";
    let malformed = Some(Error::Malformed { field: Field::EncryptedKeyFile, expected });
    assert_eq!(PrivateKey::from_encrypted_pem(&right, b"").err(), malformed);
}

#[test]
fn what_is_no_key_file_is_told_as_none() {
    let algorithm = KeyAlgorithm::Kem(KemAlgorithm::MlKem512);
    let public = key(algorithm, 0).public_key();
    let right = public.to_der().unwrap();
    let found = inspect(&right).unwrap();
    assert_eq!(found.content, Content::PublicKey(public.clone()));
    assert_eq!(found.encoding, FileEncoding::Der);

    let expected = "a PKCS#8 or SubjectPublicKeyInfo file in PEM or DER";
    let none = Err(Error::Malformed { field: Field::KeyFile, expected });
    for file in [
        &[][..],
        public.as_bytes(),
        &right[1..],
        &[&right[..], &[0]].concat(),
        &sequence(&[]),
        &sequence(&[&NULL, &NULL]),
        &sequence(&[&VERSION_1, &VERSION_1]),
        pem("CERTIFICATE", &right).as_bytes(),
        br#"{"kty":"AKP"}"#,
    ] {
        assert_eq!(inspect(file), none);
    }
}
