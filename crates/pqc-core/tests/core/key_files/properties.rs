//! For any bytes: they are a key file that writes back the same, or are refused.

use pqc_core::KemAlgorithm;
use pqc_core::keyfile::{KeyAlgorithm, PrivateKey, PublicKey, inspect};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{
    IN_RFCS, OCTETS, both_form, counting_from, element, expanded, key, pem, pkcs8,
    pkcs8_with_public, seed, seed_form, spki,
};
use crate::support::Repeatable;

fn algorithm() -> impl Strategy<Value = KeyAlgorithm> {
    select(&IN_RFCS[..])
}

/// Changes to single bytes, most of them of the first 64, where the structure is.
fn changes() -> impl Strategy<Value = Vec<(usize, u8)>> {
    vec((prop_oneof![3 => 0..64usize, 1 => any::<usize>()], any::<u8>()), 0..3)
}

fn changed(mut bytes: Vec<u8>, changes: &[(usize, u8)]) -> Vec<u8> {
    for (at, change) in changes {
        let at = at % bytes.len();
        bytes[at] ^= change;
    }
    bytes
}

/// Reads `der` as everything, and holds what is read to what is written.
fn read_all(der: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(key) = PrivateKey::from_der(der) {
        let written = key.to_der().unwrap();
        let written = written.expose_bytes();
        // Seeds and expanded keys write back the same; the other two forms end as one of them.
        if written.len() == der.len() {
            prop_assert_eq!(written, der);
        } else {
            prop_assert!(written.len() < der.len());
            let again = PrivateKey::from_der(written).unwrap();
            prop_assert_eq!(again.public_key(), key.public_key());
        }
        prop_assert!(inspect(der).is_ok());
        prop_assert!(PublicKey::from_der(der).is_err());
        let text = key.to_pem().unwrap();
        let again = PrivateKey::from_pem(&text).unwrap();
        let again = again.to_der().unwrap();
        prop_assert_eq!(again.expose_bytes(), written);
    }
    if let Ok(key) = PublicKey::from_der(der) {
        prop_assert_eq!(key.to_der().unwrap(), der);
        prop_assert!(inspect(der).is_ok());
        prop_assert_eq!(PublicKey::from_pem(&key.to_pem().unwrap()).unwrap(), key);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_are_a_file_that_writes_back_the_same_or_none(
        bytes in vec(any::<u8>(), 0..300), text in any::<String>(),
    ) {
        read_all(&bytes)?;
        let _ = inspect(&bytes);
        let _ = inspect(text.as_bytes());
        prop_assert!(PrivateKey::from_encrypted_der(&bytes, b"").is_err());
        prop_assert!(PrivateKey::from_pem(&text).is_err());
    }

    #[test]
    fn any_seed_writes_back_the_same(set in algorithm(), first: u64) {
        let seed = Repeatable::new(first).bytes(if let KeyAlgorithm::Kem(_) = set { 64 } else { 32 });
        let der = pkcs8(set, &seed_form(&seed));
        let key = PrivateKey::from_der(&der).unwrap();
        prop_assert_eq!(super::seed(&key), &seed);
        let written = key.to_der().unwrap();
        prop_assert_eq!(written.expose_bytes(), &der);
        prop_assert_eq!(&*key.to_pem().unwrap(), &pem("PRIVATE KEY", &der));
        let public = key.public_key();
        let der = spki(set, public.as_bytes());
        prop_assert_eq!(public.to_der().unwrap(), der);
    }

    #[test]
    fn a_changed_file_writes_back_the_same_or_is_refused(
        set in algorithm(), form in 0..5, changes in changes(), cut: Index,
    ) {
        let key = key(set, 0);
        let public = key.public_key();
        let (seed, expanded) = (seed(&key), expanded(&key));
        let der = match form {
            0 => pkcs8(set, &seed_form(seed)),
            1 => pkcs8(set, &element(OCTETS, expanded)),
            2 => pkcs8(set, &both_form(seed, expanded)),
            3 => pkcs8_with_public(set, &seed_form(seed), public.as_bytes()),
            _ => spki(set, public.as_bytes()),
        };
        read_all(&changed(der.clone(), &changes))?;
        let cut = &der[..cut.index(der.len())];
        prop_assert!(PrivateKey::from_der(cut).is_err() && PublicKey::from_der(cut).is_err());
    }

    #[test]
    fn an_x_wing_file_writes_back_the_same_or_is_refused(
        seed: [u8; 32], changes in changes(), cut: Index,
    ) {
        let private = pkcs8(X_WING, &seed);
        let key = PrivateKey::from_der(&private).unwrap();
        prop_assert_eq!(super::seed(&key), &seed);
        let written = key.to_der().unwrap();
        prop_assert_eq!(written.expose_bytes(), &private);
        prop_assert_eq!(&*key.to_pem().unwrap(), &pem("PRIVATE KEY", &private));
        let public = spki(X_WING, key.public_key().as_bytes());
        prop_assert_eq!(&key.public_key().to_der().unwrap(), &public);
        for der in [private, public] {
            read_all(&changed(der.clone(), &changes))?;
            let cut = &der[..cut.index(der.len())];
            prop_assert!(PrivateKey::from_der(cut).is_err() && PublicKey::from_der(cut).is_err());
        }
    }

    #[test]
    fn a_changed_public_text_reads_the_same_or_is_refused(
        set in select(KeyAlgorithm::ALL.to_vec()), at: Index, byte in 0..128u8,
    ) {
        let mut text = key(set, 0).public_key().to_pem().unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        if let Ok(read) = PublicKey::from_pem(&text) {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            let again = read.to_pem().unwrap();
            prop_assert_eq!(again.trim_end(), text.trim_end());
        }
    }

    #[test]
    fn a_changed_text_reads_the_same_or_is_refused(
        set in algorithm(), at: Index, byte in 0..128u8,
    ) {
        let key = key(set, 0);
        let mut text = key.to_pem().unwrap().as_bytes().to_vec();
        let at = at.index(text.len());
        text[at] = byte;
        let text = String::from_utf8(text).unwrap();
        if let Ok(read) = PrivateKey::from_pem(&text) {
            let again = read.to_pem().unwrap();
            // Each key has one text, but for line ends (RFC 7468 takes a CR for one) and blanks.
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(again.trim_end(), text.trim_end());
        }
    }
}

proptest! {
    // Each costs scrypt.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_key_comes_out_of_its_encrypted_file(
        set in select(KeyAlgorithm::ALL.to_vec()), first: u8, passphrase in vec(any::<u8>(), 0..80),
        seed: u64, at: Index,
    ) {
        let key = key(set, first);
        let file = key.to_encrypted_der(&passphrase, &mut Repeatable::new(seed)).unwrap();
        let read = PrivateKey::from_encrypted_der(&file, &passphrase).unwrap();
        prop_assert_eq!(super::seed(&read), super::seed(&key));
        prop_assert!(PrivateKey::from_der(&file).is_err() && PublicKey::from_der(&file).is_err());
        let cut = &file[..at.index(file.len())];
        prop_assert!(PrivateKey::from_encrypted_der(cut, &passphrase).is_err());
        let text = pem("ENCRYPTED PRIVATE KEY", &file);
        let read = PrivateKey::from_encrypted_pem(&text, &passphrase).unwrap();
        prop_assert_eq!(super::seed(&read), super::seed(&key));
    }
}

const X_WING: KeyAlgorithm = KeyAlgorithm::Kem(KemAlgorithm::XWing);

#[test]
fn the_strategies_reach_what_they_are_about() {
    let set = IN_RFCS[0];
    let right = pkcs8(set, &seed_form(&counting_from::<64>(0)));
    assert!(PrivateKey::from_der(&changed(right.clone(), &[(right.len() - 1, 1)])).is_ok());
    assert!(PrivateKey::from_der(&changed(right, &[(0, 1)])).is_err());
}
