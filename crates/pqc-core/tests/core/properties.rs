//! For any input: what was written is read back, and any byte string either parses to something
//! that writes back the same or is refused.

use base64ct::{Base64UrlUnpadded, Encoding};
use pqc_core::keyfile::Jwk;
use pqc_core::message::{AccountKey, OVERHEAD_BYTES};
use pqc_core::replay::{IdempotencyKey, Replay, RequestDigest, SealedAnswer};
use pqc_core::token::{Operation, OperationSet, TokenKind, TokenValue};
use pqc_core::{
    AccountId, Attestation, BoxKey, Ciphertext, EncapsulationKey, Error, KemAlgorithm, KeyId,
    MasterKey, MasterKeys, MessageBox, RecordKind, RecordName, SealedRecord, Secret, Signature,
    SignatureAlgorithm, Timestamp, TokenId, UnverifiedKey, VerifyingKey,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::{Repeatable, flipped};

const LONGEST: usize = 300;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..LONGEST)
}

/// Bytes that begin as a format does, so that reading gets beyond the head.
fn beginning_with(head: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![bytes(), bytes().prop_map(move |rest| [head, &rest].concat())]
}

/// Bytes of one of the given lengths, or one off, or of any.
fn about(lengths: Vec<usize>) -> impl Strategy<Value = Vec<u8>> {
    let length = prop_oneof![
        8 => select(lengths.clone()),
        1 => select(lengths).prop_flat_map(|n| n - 1..=n + 1),
        1 => 0..LONGEST,
    ];
    (length, any::<u64>()).prop_map(|(length, seed)| Repeatable::new(seed).bytes(length))
}

proptest! {
    #[test]
    fn any_text_comes_out_of_its_box(
        key: [u8; 32], text in any::<String>(), data in bytes(), seed: u64,
    ) {
        let key = BoxKey::from_caller(&Secret::from(key));
        let sealed = key.seal(text.as_bytes(), &data, &mut Repeatable::new(seed)).unwrap();
        prop_assert_eq!(sealed.as_bytes().len(), text.len() + OVERHEAD_BYTES);
        let read = MessageBox::from_bytes(sealed.as_bytes().to_vec()).unwrap();
        let opened = key.open(&read, &data).unwrap();
        prop_assert_eq!(opened.expose_bytes(), text.as_bytes());
    }

    #[test]
    fn a_kept_answer_opens_by_its_token_key_and_request_alone(
        answer in bytes(), seeds: [u64; 2], names in ["[!-~]{1,255}", "[!-~]{1,255}"],
        requests in [vec(bytes(), 0..4), vec(bytes(), 0..4)],
    ) {
        let mut replays = Vec::new();
        for (token, name) in [(0, 0), (1, 0), (0, 1)] {
            let value = TokenValue::generate(TokenKind::Temporary, &mut Repeatable::new(seeds[token]));
            let key = IdempotencyKey::parse(&names[name]).unwrap();
            replays.push(Replay::of(&value.unwrap(), &key));
        }
        let [replay, of_other_token, of_other_key] = replays.as_slice() else { unreachable!() };
        let hash = |replay: &Replay, request: usize| {
            let parts: Vec<_> = requests[request].iter().map(Vec::as_slice).collect();
            replay.request(&RequestDigest::of(&parts))
        };
        let request = hash(replay, 0);
        let sealed = replay.seal(&request, &answer, &mut Repeatable::new(seeds[0])).unwrap();
        let read = SealedAnswer::from_bytes(sealed.as_bytes().to_vec()).unwrap();
        let opened = replay.open(&request, &read).unwrap();
        prop_assert_eq!(opened.expose_bytes(), &*answer);
        let other = hash(replay, 1);
        let is_same = requests[0] == requests[1];
        prop_assert_eq!(request.ct_eq(&other), is_same);
        prop_assert_eq!(replay.open(&other, &read).is_ok(), is_same);
        for (replay, is_same) in
            [(of_other_token, seeds[0] == seeds[1]), (of_other_key, names[0] == names[1])]
        {
            prop_assert_eq!(replay.open(&hash(replay, 0), &read).is_ok(), is_same);
            prop_assert_eq!(replay.open(&request, &read).is_ok(), is_same);
            prop_assert_eq!(hash(replay, 0).ct_eq(&request), is_same);
        }
    }

    #[test]
    fn an_altered_box_does_not_open(
        text in bytes(), data in bytes(), bit: Index, other in bytes(), seed: u64,
    ) {
        let key = AccountKey::generate(&mut Repeatable::new(seed)).unwrap().box_key();
        let sealed = key.seal(&text, &data, &mut Repeatable::new(seed)).unwrap();
        prop_assert!(key.open(&sealed, &data).is_ok());
        prop_assert_eq!(key.open(&sealed, &other).is_ok(), data == other);
        let altered = flipped(sealed.as_bytes(), bit.index(sealed.as_bytes().len() * 8));
        prop_assert!(MessageBox::from_bytes(altered).and_then(|b| key.open(&b, &data)).is_err());
        let cut = sealed.as_bytes()[..bit.index(sealed.as_bytes().len())].to_vec();
        prop_assert!(MessageBox::from_bytes(cut).and_then(|b| key.open(&b, &data)).is_err());
    }

    #[test]
    fn any_bytes_are_a_box_that_writes_back_the_same_or_none(bytes in beginning_with(&[1, 1])) {
        let is_one = bytes.len() >= OVERHEAD_BYTES && bytes.starts_with(&[1, 1]);
        match MessageBox::from_bytes(bytes.clone()) {
            Ok(read) => {
                prop_assert!(is_one);
                prop_assert_eq!(read.as_bytes(), &bytes);
                let zero = bytes[2..18] == [0; 16];
                prop_assert_eq!(read.key_id().is_none(), zero);
                let opened = BoxKey::from_caller(&Secret::from([0; 32])).open(&read, b"");
                prop_assert_eq!(opened.unwrap_err(), Error::BoxAuthentication);
            }
            Err(Error::Malformed { .. }) => prop_assert!(bytes.len() < OVERHEAD_BYTES),
            Err(Error::UnknownFormat { .. }) => prop_assert!(!bytes.starts_with(&[1, 1])),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn any_bytes_are_a_sealed_record_that_writes_back_the_same_or_none(
        bytes in beginning_with(&[1, 1]), version: u32,
    ) {
        let is_one = bytes.len() >= 46 && bytes.starts_with(&[1, 1]);
        match SealedRecord::from_bytes(bytes.clone()) {
            Ok(read) => {
                prop_assert!(is_one);
                prop_assert_eq!(read.as_bytes(), &bytes);
                prop_assert_eq!(&read.master_version().to_be_bytes()[..], &bytes[2..6]);
                let masters = MasterKeys::new(MasterKey::new(version, Secret::from([0; 32])));
                prop_assert!(masters.open(&NAME, &read).is_err());
            }
            Err(Error::Malformed { .. }) => prop_assert!(bytes.len() < 46),
            Err(Error::UnknownFormat { .. }) => prop_assert!(!bytes.starts_with(&[1, 1])),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn any_secret_comes_out_of_its_record_under_its_name_alone(
        secret in bytes(), account: [u8; 16], algorithm in ".{0,20}", id in bytes(),
        other in bytes(), version: u32, seed: u64,
    ) {
        let masters = MasterKeys::new(MasterKey::new(version, Secret::from([3; 32])));
        let name = RecordName {
            account: AccountId::from_bytes(account), algorithm: &algorithm, record_id: &id, ..NAME
        };
        let sealed = masters.seal(&name, &secret, &mut Repeatable::new(seed)).unwrap();
        let read = SealedRecord::from_bytes(sealed.as_bytes().to_vec()).unwrap();
        let opened = masters.open(&name, &read).unwrap();
        prop_assert_eq!(opened.expose_bytes(), secret.as_slice());
        let elsewhere = RecordName { record_id: &other, ..name };
        prop_assert_eq!(masters.open(&elsewhere, &read).is_ok(), id == other);
        // Text moved from one part of the name to the next is another name.
        if let Some((first, rest)) = id.split_first().filter(|(first, _)| first.is_ascii()) {
            let moved = format!("{algorithm}{}", char::from(*first));
            let moved = RecordName { algorithm: &moved, record_id: rest, ..name };
            prop_assert_eq!(masters.open(&moved, &read).unwrap_err(), Error::SealBroken);
        }
    }

    #[test]
    fn any_bytes_are_an_attestation_that_writes_back_the_same_or_none(
        mut bytes in about(SignatureAlgorithm::ALL.map(Attestation::bytes).to_vec()),
        known: bool,
    ) {
        if let (true, Some(version)) = (known, bytes.first_mut()) {
            *version = 1;
        }
        let set = SignatureAlgorithm::ALL.into_iter().find(|s| Attestation::bytes(*s) == bytes.len());
        match Attestation::from_bytes(&bytes) {
            Ok(read) => {
                prop_assert_eq!(bytes[0], 1);
                prop_assert_eq!(Some(read.algorithm()), set);
                let account = read.claimed_account();
                prop_assert_eq!(account.as_bytes().as_slice(), &bytes[1..17]);
                prop_assert_eq!(read.to_bytes(), bytes);
            }
            Err(Error::Length { .. }) => prop_assert!(set.is_none()),
            Err(Error::UnknownFormat { .. }) => prop_assert_ne!(bytes[0], 1),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn a_token_is_read_from_its_text_alone(seed: u64, at: Index, by in any::<char>()) {
        let kind = [TokenKind::Root, TokenKind::Temporary][(seed % 2) as usize];
        let token = TokenValue::generate(kind, &mut Repeatable::new(seed)).unwrap();
        let text = token.expose_text();
        prop_assert_eq!(text.len(), 49);
        let read = TokenValue::parse(&text).unwrap();
        prop_assert_eq!((read.kind(), read.hash()), (kind, token.hash()));

        let at = at.index(text.len());
        let altered = format!("{}{by}{}", &text[..at], &text[at + 1..]);
        writes_back_the_same_or_is_refused(&altered)?;
        if let Ok(read) = TokenValue::parse(&altered) {
            prop_assert_eq!(read.hash() == token.hash(), altered == *text);
        }
        for altered in [&text[1..], &format!("{}=", *text), &format!(" {}", *text)] {
            prop_assert!(TokenValue::parse(altered).is_err());
        }
    }

    #[test]
    fn any_text_is_a_token_that_writes_back_the_same_or_none(
        text in prop_oneof![
            ".*",
            "pqc_[rt]_[A-Za-z0-9_-]{43}",
            "pqc_[rt]_[A-Za-z0-9_+/=-]{42,44}",
            "[pP]qc_[a-z]_[A-Za-z0-9_-]{43}",
        ],
    ) {
        writes_back_the_same_or_is_refused(&text)?;
    }

    #[test]
    fn a_token_of_another_count_of_bytes_is_refused(
        bytes in prop_oneof![vec(any::<u8>(), 0..40), vec(any::<u8>(), 32)],
    ) {
        for prefix in ["pqc_r_", "pqc_t_"] {
            let text = prefix.to_owned() + &Base64UrlUnpadded::encode_string(&bytes);
            prop_assert_eq!(TokenValue::parse(&text).is_ok(), bytes.len() == 32);
        }
    }

    #[test]
    fn any_bytes_are_an_id_that_writes_back_the_same_or_none(
        bytes in prop_oneof![bytes(), vec(any::<u8>(), 16), vec(any::<u8>(), 32)],
    ) {
        match KeyId::from_slice(&bytes) {
            Ok(id) => {
                prop_assert!(matches!(bytes.len(), 16 | 32));
                prop_assert_eq!(id.as_bytes(), &bytes);
                prop_assert_eq!(hex::decode(id.to_string()).unwrap(), bytes.clone());
            }
            Err(_) => prop_assert!(!matches!(bytes.len(), 16 | 32)),
        }
        let account = AccountId::from_slice(&bytes).map(|id| id.as_bytes().to_vec());
        let token = TokenId::from_slice(&bytes).map(|id| id.as_bytes().to_vec());
        for read in [account, token] {
            prop_assert_eq!(read.is_ok(), bytes.len() == 16);
            prop_assert!(read.is_err() || read.unwrap() == bytes);
        }
    }

    #[test]
    fn the_id_of_a_pair_binds_algorithm_and_key(set: Index, key in bytes(), other in bytes()) {
        let names = ["ML-KEM-512", "ML-KEM-768", "ML-KEM-1024", "ML-DSA-65"];
        let name = names[set.index(names.len())];
        let id = KeyId::of_pair(name, &key);
        prop_assert_eq!(id == KeyId::of_pair(name, &other), key == other);
        for another in names {
            prop_assert_eq!(id == KeyId::of_pair(another, &key), another == name);
        }
    }

    #[test]
    fn any_bytes_are_a_public_value_that_writes_back_the_same_or_none(
        bytes in about([
            KemAlgorithm::ALL.map(KemAlgorithm::encapsulation_key_bytes).as_slice(),
            KemAlgorithm::ALL.map(KemAlgorithm::ciphertext_bytes).as_slice(),
            SignatureAlgorithm::ALL.map(SignatureAlgorithm::verifying_key_bytes).as_slice(),
            SignatureAlgorithm::ALL.map(SignatureAlgorithm::signature_bytes).as_slice(),
        ].concat()),
    ) {
        let length = bytes.len();
        let key = KemAlgorithm::ALL.map(KemAlgorithm::encapsulation_key_bytes);
        prop_assert_eq!(UnverifiedKey::from_bytes(&bytes).is_ok(), key.contains(&length));
        match EncapsulationKey::from_bytes(&bytes) {
            Ok(read) => prop_assert_eq!(read.as_bytes(), &bytes),
            Err(Error::EncapsulationKeyModulus | Error::LowOrder { .. }) => {
                prop_assert!(key.contains(&length));
            }
            Err(_) => prop_assert!(!key.contains(&length)),
        }
        let lengths = KemAlgorithm::ALL.map(KemAlgorithm::ciphertext_bytes);
        let read = Ciphertext::from_bytes(&bytes);
        prop_assert_eq!(read.is_ok(), lengths.contains(&length));
        prop_assert!(read.is_err() || read.unwrap().as_bytes() == bytes);
        let lengths = SignatureAlgorithm::ALL.map(SignatureAlgorithm::verifying_key_bytes);
        let read = VerifyingKey::from_bytes(&bytes);
        prop_assert_eq!(read.is_ok(), lengths.contains(&length));
        prop_assert!(read.is_err() || read.unwrap().as_bytes() == bytes);
        let lengths = SignatureAlgorithm::ALL.map(SignatureAlgorithm::signature_bytes);
        let read = Signature::from_bytes(&bytes);
        prop_assert_eq!(read.is_ok(), lengths.contains(&length));
        prop_assert!(read.is_err() || read.unwrap().as_bytes() == bytes);
    }

    #[test]
    fn any_verifying_key_comes_out_of_its_jwk(
        bytes in select(SignatureAlgorithm::ALL.map(SignatureAlgorithm::verifying_key_bytes).to_vec())
            .prop_flat_map(|length| vec(any::<u8>(), length)),
    ) {
        let key = VerifyingKey::from_bytes(&bytes).unwrap();
        let json = serde_json::to_string(&Jwk::from(&key)).unwrap();
        let read: Jwk = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(VerifyingKey::try_from(&read).unwrap(), key.clone());
        // What other programs add is ignored.
        let mut more: serde_json::Value = serde_json::from_str(&json).unwrap();
        more["x"] = 1.into();
        let read: Jwk = serde_json::from_value(more).unwrap();
        prop_assert_eq!(VerifyingKey::try_from(&read).unwrap(), key);
    }

    #[test]
    fn any_jwk_is_a_key_that_writes_back_the_same_or_none(
        kty in prop_oneof![9 => Just("AKP".to_owned()), 1 => "(akp|OKP|.{0,4})"],
        alg in prop_oneof![9 => "ML-DSA-(44|65|87)", 1 => "(ml-dsa-65|EdDSA|.{0,12})"],
        key in about(SignatureAlgorithm::ALL.map(SignatureAlgorithm::verifying_key_bytes).to_vec()),
        tail in prop_oneof![9 => Just(String::new()), 1 => ".{1,2}"],
    ) {
        let public = Base64UrlUnpadded::encode_string(&key) + &tail;
        let jwk = Jwk { kty, alg, public, kid: None, usage: None };
        if let Ok(read) = VerifyingKey::try_from(&jwk) {
            let again = Jwk::from(&read);
            prop_assert_eq!((again.kty, again.alg, again.public), (jwk.kty, jwk.alg, jwk.public));
        } else {
            let set = SignatureAlgorithm::from_name(&jwk.alg).ok();
            let fits = set.is_some_and(|s| s.name() == jwk.alg && s.verifying_key_bytes() == key.len());
            prop_assert!(!(jwk.kty == "AKP" && fits && tail.is_empty()));
        }
    }

    #[test]
    fn any_list_of_operations_is_a_set_or_refused(
        names in vec(prop_oneof![
            20 => select(Operation::ALL.map(Operation::name).to_vec()).prop_map(str::to_owned),
            1 => "(|SIGN|sign |kem|kem\\.\\*|.{0,10})",
        ], 0..12),
    ) {
        let known = |name: &String| Operation::ALL.iter().any(|o| o.name() == name);
        let valid = !names.is_empty() && names.iter().all(known);
        match OperationSet::from_names(names.iter().map(String::as_str)) {
            Ok(set) => {
                prop_assert!(valid);
                for operation in Operation::ALL {
                    let named = names.iter().any(|name| name == operation.name());
                    prop_assert_eq!(set.contains(operation), named);
                }
                let again = set.names().unwrap();
                prop_assert_eq!(OperationSet::from_names(again), Ok(set));
                prop_assert_eq!(OperationSet::from_bits(set.bits()), set);
            }
            Err(_) => prop_assert!(!valid),
        }
    }

    #[test]
    fn any_bits_are_a_set_that_writes_back_the_same(bits: u16) {
        let set = OperationSet::from_bits(bits);
        prop_assert_eq!(set.bits(), bits);
        prop_assert_eq!(set.names().is_none(), bits == u16::MAX);
        let held = Operation::ALL.into_iter().filter(|o| set.contains(*o)).count();
        prop_assert_eq!(held as u32, (bits & 0xff).count_ones());
    }

    #[test]
    fn time_saturates_and_never_goes_back(millis: u64, seconds: u64) {
        let time = Timestamp::from_millis(millis);
        prop_assert_eq!(time.millis(), millis);
        prop_assert_eq!(time.seconds(), millis / 1000);
        let later = time.plus_seconds(seconds);
        prop_assert!(later >= time);
        let exact = u128::from(millis) + 1000 * u128::from(seconds);
        prop_assert_eq!(u128::from(later.millis()), exact.min(u128::from(u64::MAX)));
        let whole = u128::from(Timestamp::from_seconds(seconds).millis());
        prop_assert_eq!(whole, (1000 * u128::from(seconds)).min(u128::from(u64::MAX)));
    }
}

const NAME: RecordName<'static> = RecordName {
    account: AccountId::SERVER,
    kind: RecordKind::SigningKey,
    algorithm: "ML-DSA-65",
    record_id: b"id",
};

fn writes_back_the_same_or_is_refused(text: &str) -> Result<(), TestCaseError> {
    match TokenValue::parse(text) {
        Ok(read) => {
            prop_assert_eq!(&*read.expose_text(), text);
            let kind =
                if text.starts_with("pqc_r_") { TokenKind::Root } else { TokenKind::Temporary };
            prop_assert_eq!(read.kind(), kind);
        }
        Err(error) => {
            let is_malformed = matches!(error, Error::Malformed { .. });
            prop_assert!(is_malformed, "{:?}", error);
        }
    }
    Ok(())
}
