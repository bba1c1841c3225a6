//! For any input: keys, what is signed in their place, and the names of algorithms write back the
//! same, or are refused. Longer forms of keys are in `key_files::properties`, what has no key in
//! `properties`.

use pqc_core::kem::ParameterSet;
use pqc_core::keyfile::KeyAlgorithm;
use pqc_core::message::OVERHEAD_BYTES;
use pqc_core::sign::{Mu, PreHash, PreHashAlgorithm};
use pqc_core::token::{Operation, OperationSet, TokenHash};
use pqc_core::{
    AccountId, Attestation, Context, DecapsulationKey, EncapsulationKey, Error, Field, Issuer,
    KemAlgorithm, MessageBox, RecordKind, Secret, SecretVec, SignatureAlgorithm, SigningKey,
    Timestamp, TokenId, TrustedIssuers, UnverifiedKey, VerifiedEncapsulationKey, VerifyingKey,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::{Repeatable, flipped};

fn kems() -> impl Strategy<Value = KemAlgorithm> {
    select(KemAlgorithm::ALL.to_vec())
}

fn signatures() -> impl Strategy<Value = SignatureAlgorithm> {
    select(SignatureAlgorithm::ALL.to_vec())
}

/// Names, in any case, and what is nearly one.
fn names() -> impl Strategy<Value = String> {
    let known = KeyAlgorithm::ALL.map(KeyAlgorithm::name).to_vec();
    prop_oneof![
        4 => (select(known.clone()), any::<u32>()).prop_map(|(name, upper)| {
            let letter = |(at, letter): (usize, char)| match upper >> (at % 32) & 1 {
                0 => letter.to_ascii_lowercase(),
                _ => letter.to_ascii_uppercase(),
            };
            name.chars().enumerate().map(letter).collect()
        }),
        2 => (select(known), any::<Index>(), any::<char>()).prop_map(|(name, at, by)| {
            let at = at.index(name.len());
            format!("{}{by}{}", &name[..at], &name[at + 1..])
        }),
        1 => ".{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_seed_of_a_decapsulation_key_writes_back_the_same(kem in kems(), seed: u64, off in -1..=1_isize) {
        let right = Repeatable::new(seed).bytes(kem.seed_bytes());
        let key = DecapsulationKey::from_seed_bytes(kem, &right).unwrap();
        prop_assert_eq!(key.algorithm(), kem);
        prop_assert_eq!(key.expose_seed().map(SecretVec::expose_bytes), Some(right.as_slice()));
        let public = key.encapsulation_key();
        prop_assert_eq!(public.as_bytes().len(), kem.encapsulation_key_bytes());
        prop_assert_eq!(&EncapsulationKey::from_bytes(public.as_bytes()).unwrap(), public);
        let again = DecapsulationKey::from_seed_or_expanded(kem, &right).unwrap();
        prop_assert_eq!(again.encapsulation_key(), public);

        let length = kem.seed_bytes().saturating_add_signed(off);
        let read = DecapsulationKey::from_seed_bytes(kem, &vec![0; length]);
        prop_assert_eq!(read.is_ok(), off == 0);
    }

    #[test]
    fn any_seed_of_a_signing_key_writes_back_the_same(set in signatures(), seed: [u8; 32]) {
        let key = SigningKey::from_seed(set, Secret::from(seed));
        prop_assert_eq!(key.expose_seed().map(Secret::expose_bytes), Some(&seed));
        let public = key.verifying_key();
        prop_assert_eq!(&VerifyingKey::from_bytes(public.as_bytes()).unwrap(), public);
        let again = SigningKey::from_seed_or_expanded(Some(set), &seed).unwrap();
        prop_assert_eq!(again.verifying_key(), public);
    }

    #[test]
    fn an_expanded_decapsulation_key_writes_back_the_same_or_is_refused(
        set in select(ParameterSet::ALL.to_vec()), seed: [u8; 32], bit: Index, cut: Index,
    ) {
        let seed = [seed, seed].concat();
        let key = DecapsulationKey::from_seed_bytes(set, &seed).unwrap();
        let expanded = key.expose_expanded().unwrap().expose_bytes();
        let read = DecapsulationKey::from_expanded(expanded).unwrap();
        prop_assert_eq!(read.expose_expanded().unwrap().expose_bytes(), expanded);
        prop_assert_eq!(read.encapsulation_key(), key.encapsulation_key());
        prop_assert!(read.expose_seed().is_none());
        let altered = flipped(expanded, bit.index(expanded.len() * 8));
        if let Ok(read) = DecapsulationKey::from_expanded(&altered) {
            prop_assert_eq!(read.expose_expanded().unwrap().expose_bytes(), &altered);
        }
        let cut = &expanded[..cut.index(expanded.len())];
        prop_assert!(DecapsulationKey::from_expanded(cut).is_err());
    }

    #[test]
    fn an_expanded_signing_key_writes_back_the_same_or_is_refused(
        set in signatures(), seed: [u8; 32], bit: Index,
    ) {
        let key = SigningKey::from_seed(set, Secret::from(seed));
        let expanded = key.expose_expanded().expose_bytes();
        let read = SigningKey::from_expanded(expanded).unwrap();
        prop_assert_eq!(read.expose_expanded().expose_bytes(), expanded);
        prop_assert_eq!(read.verifying_key(), key.verifying_key());
        let altered = flipped(expanded, bit.index(expanded.len() * 8));
        match SigningKey::from_expanded(&altered) {
            Ok(read) => prop_assert_eq!(read.expose_expanded().expose_bytes(), &altered),
            Err(error) => prop_assert_eq!(error, Error::InconsistentSigningKey),
        }
    }

    #[test]
    fn any_attestation_that_is_issued_comes_out_of_its_bytes(
        kem in kems(), set in signatures(), account: [u8; 16], issued in 0..u64::MAX / 1000,
        lasts in proptest::option::of(1..1000_u64), seed: u64,
    ) {
        let mut rng = Repeatable::new(seed);
        let account = AccountId::from_bytes(account);
        let issuer = Issuer::generate(set, &mut rng).unwrap();
        let key = DecapsulationKey::generate(kem, &mut rng).unwrap();
        let public = key.encapsulation_key();
        let now = Timestamp::from_seconds(issued);
        let end = lasts.map(|seconds| now.plus_seconds(seconds));
        let made = issuer.attest(account, public, now, end, &mut rng).unwrap();
        let bytes = made.to_bytes();
        prop_assert_eq!(bytes.len(), Attestation::bytes(set));
        let read = Attestation::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &made);
        prop_assert_eq!((read.claimed_account(), read.algorithm()), (account, set));
        let unverified = UnverifiedKey::from_bytes(public.as_bytes()).unwrap();
        prop_assert_eq!((unverified.algorithm(), unverified.key_id()), (kem, public.key_id()));
        let trusted = TrustedIssuers::new([issuer.verifying_key().clone()]);
        let verified = VerifiedEncapsulationKey::verify(
            &unverified, &read, issuer.verifying_key(), &trusted, Some(account), now,
        );
        let verified = verified.unwrap();
        prop_assert_eq!(verified.key(), public);
    }
}

proptest! {
    #[test]
    fn any_text_is_an_algorithms_name_that_writes_back_the_same_or_none(name in names()) {
        let is = |known: &str| known.eq_ignore_ascii_case(&name);
        match KemAlgorithm::from_name(&name) {
            Ok(kem) => prop_assert!(is(kem.name()) && kem.to_string() == kem.name()),
            Err(_) => prop_assert!(!KemAlgorithm::ALL.iter().any(|kem| is(kem.name()))),
        }
        match SignatureAlgorithm::from_name(&name) {
            Ok(set) => prop_assert!(is(set.name()) && set.to_string() == set.name()),
            Err(_) => prop_assert!(!SignatureAlgorithm::ALL.iter().any(|set| is(set.name()))),
        }
        prop_assert_eq!(name.parse(), KemAlgorithm::from_name(&name));
        prop_assert_eq!(name.parse(), SignatureAlgorithm::from_name(&name));
        let kind = RecordKind::from_name(&name);
        prop_assert!(kind.is_none_or(|kind| kind.name() == name));
    }

    #[test]
    fn any_bytes_are_what_is_signed_in_a_messages_place_or_refused(
        bytes in (0..300_usize, any::<u64>()).prop_map(|(n, seed)| Repeatable::new(seed).bytes(n)),
        digest: Index, known: bool, algorithm in select(PreHashAlgorithm::ALL.to_vec()),
    ) {
        match Context::new(&bytes) {
            Ok(context) => prop_assert!(context.as_bytes() == bytes && bytes.len() <= 255),
            Err(error) => {
                prop_assert!(bytes.len() > 255);
                prop_assert_eq!(error, Error::ContextTooLong { actual: bytes.len() });
            }
        }
        let mut mu = bytes.clone();
        if known {
            mu.resize(Mu::BYTES, 0);
        }
        let read = Mu::from_bytes(&mu).map(Mu::to_bytes);
        prop_assert_eq!(read.is_ok(), mu.len() == Mu::BYTES);
        prop_assert!(read.is_err() || read.unwrap().as_slice() == mu);
        let digest = &bytes[..digest.index(bytes.len() + 1).min(algorithm.digest_bytes())];
        match PreHash::from_digest(algorithm, digest) {
            Ok(read) => {
                prop_assert_eq!(digest.len(), algorithm.digest_bytes());
                prop_assert_eq!((read.as_bytes(), read.algorithm()), (digest, algorithm));
            }
            Err(_) => prop_assert_ne!(digest.len(), algorithm.digest_bytes()),
        }
    }

    #[test]
    fn any_bytes_are_a_secret_of_their_length_alone(bytes in vec(any::<u8>(), 30..34)) {
        match Secret::<32>::from_slice(Field::BoxKey, &bytes) {
            Ok(secret) => prop_assert_eq!(secret.expose_bytes().as_slice(), &bytes),
            Err(error) => {
                let expected = "32".to_owned();
                let length = Error::Length { field: Field::BoxKey, expected, actual: bytes.len() };
                prop_assert_eq!(error, length);
                prop_assert_ne!(bytes.len(), 32);
            }
        }
        let copy = SecretVec::copy_of(&bytes);
        prop_assert_eq!((copy.expose_bytes(), copy.len()), (bytes.as_slice(), bytes.len()));
    }

    #[test]
    fn any_id_is_shown_as_its_hex(id: [u8; 16], hash: [u8; 32]) {
        prop_assert_eq!(hex::decode(AccountId::from_bytes(id).to_string()).unwrap(), id);
        prop_assert_eq!(hex::decode(TokenId::from_bytes(id).to_string()).unwrap(), id);
        let read = TokenHash::from_bytes(hash);
        prop_assert_eq!(read.as_bytes(), &hash);
    }

    #[test]
    fn any_set_of_operations_is_shown_by_names_that_give_it_back(bits in 1..256_u16) {
        let set = OperationSet::from_bits(bits);
        let text = set.to_string();
        prop_assert_eq!(OperationSet::from_names(text.split(',')), Ok(set));
        prop_assert_eq!(OperationSet::ALL.to_string(), "all");
        for operation in Operation::ALL {
            prop_assert_eq!(OperationSet::from_names([operation.to_string().as_str()]).is_ok(), true);
        }
    }

    #[test]
    fn the_head_of_a_box_tells_what_the_whole_box_does(
        mut bytes in vec(any::<u8>(), OVERHEAD_BYTES..80), known: bool, zero: bool,
    ) {
        if known {
            bytes[..2].fill(1);
        }
        if zero {
            bytes[2..18].fill(0);
        }
        let head = MessageBox::key_id_in_head(bytes.first_chunk().unwrap());
        prop_assert_eq!(MessageBox::from_bytes(bytes).map(|read| read.key_id()), head);
    }
}

#[test]
fn every_name_is_read_back() {
    for kem in KemAlgorithm::ALL {
        assert_eq!(KemAlgorithm::from_name(kem.name()), Ok(kem));
    }
    for set in SignatureAlgorithm::ALL {
        assert_eq!(SignatureAlgorithm::from_name(set.name()), Ok(set));
    }
    for name in ["kem", "sign", "aes", "issuer", "check", "master"] {
        assert_eq!(RecordKind::from_name(name).map(RecordKind::name), Some(name));
    }
}
