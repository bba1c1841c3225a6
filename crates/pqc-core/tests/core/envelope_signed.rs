//! Signed envelopes: whose text it is, for whom, and whole; in constant memory.

use std::io::{self, Read, Write};

use pqc_core::envelope::{self, EnvelopeHeader, Opener, Recipients};
use pqc_core::{
    DecapsulationKey, EncapsulationKey, Error, KemAlgorithm, Secret, SignatureAlgorithm,
    SigningKey, VerifyingKey,
};
use proptest::prelude::*;
use serde_json::json;

use crate::envelope::{DATA, key_of};
use crate::interop::PYTHON;
use crate::support::{Repeatable, say};

fn signer(set: SignatureAlgorithm, seed: u8) -> SigningKey {
    SigningKey::from_seed(set, Secret::from([seed; 32]))
}

fn signed(text: &[u8], to: &[&EncapsulationKey], by: &SigningKey, piece: usize) -> Vec<u8> {
    let rng = &mut Repeatable::new(2);
    let recipients = Recipients::Keys(to);
    let mut writer = envelope::signing_writer(Vec::new(), &recipients, by, DATA, rng).unwrap();
    text.chunks(piece).for_each(|piece| writer.write_all(piece).unwrap());
    writer.finish(rng).unwrap()
}

/// What came out, and how it ended.
fn opened(
    file: &[u8],
    key: &DecapsulationKey,
    signer: Option<&VerifyingKey>,
    data: &[u8],
) -> (Vec<u8>, io::Result<()>) {
    let mut text = Vec::new();
    let mut read = || {
        let mut inner = file;
        let header = EnvelopeHeader::read_from(&mut inner)?;
        let key = header.open(&Opener::Key(key))?;
        key.signed_reader(inner, signer, data)?.read_to_end(&mut text).map(drop)
    };
    let ended = read();
    (text, ended)
}

fn why(ended: io::Result<()>) -> Error {
    ended.unwrap_err().downcast::<Error>().unwrap()
}

fn text_of(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

#[test]
fn every_set_signs_texts_of_every_kind_of_length() {
    let receiver = key_of(KemAlgorithm::MlKem768, 1);
    for set in SignatureAlgorithm::ALL {
        let signer = signer(set, 3);
        let signature = set.signature_bytes();
        for length in [0, 1, 65_536 - signature, 65_537 - signature, 65_536, 131_072, 700_001] {
            let text = text_of(length);
            let file = signed(&text, &[receiver.encapsulation_key()], &signer, 100_000);
            for key in [Some(signer.verifying_key()), None] {
                let (read, ended) = opened(&file, &receiver, key, DATA);
                ended.unwrap();
                assert!(read == text, "{set} {length}");
            }
        }
    }
}

#[test]
fn another_signer_is_refused_and_the_end_of_the_text_withheld() {
    let receiver = key_of(KemAlgorithm::MlKem512, 1);
    let sets = [SignatureAlgorithm::MlDsa44, SignatureAlgorithm::MlDsa65];
    let [right, other] = [3, 4].map(|seed| signer(SignatureAlgorithm::MlDsa44, seed));
    let of_another_set = signer(sets[1], 3);
    for length in [0, 1, 65_536, 65_537, 1_000_000] {
        let text = text_of(length);
        let file = signed(&text, &[receiver.encapsulation_key()], &right, 70_000);
        let (read, ended) = opened(&file, &receiver, Some(other.verifying_key()), DATA);
        assert_eq!(why(ended), Error::EnvelopeSignature);
        assert!(read.len() <= length.saturating_sub(65_536), "{length}: {}", read.len());
        assert!(text.starts_with(&read));
        let (read, ended) = opened(&file, &receiver, Some(of_another_set.verifying_key()), DATA);
        assert_eq!((read.len(), why(ended)), (0, Error::EnvelopeSignature));
    }
}

/// What stands in the header, who receives it and what it is for: all of it is signed.
#[test]
fn other_associated_data_and_any_altered_bit_are_refused() {
    let receiver = key_of(KemAlgorithm::MlKem512, 1);
    let signer = signer(SignatureAlgorithm::MlDsa44, 3);
    let file = signed(b"a text", &[receiver.encapsulation_key()], &signer, 10);
    let key = Some(signer.verifying_key());
    let (read, ended) = opened(&file, &receiver, key, b"another purpose");
    assert_eq!((read.len(), why(ended)), (0, Error::BoxAuthentication));
    for bit in (0..file.len() * 8).step_by(97).chain(7 * 8..11 * 8) {
        let mut altered = file.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let (read, ended) = opened(&altered, &receiver, key, DATA);
        assert!(read.is_empty() && ended.is_err(), "{bit}");
    }
    for length in (0..file.len()).step_by(41) {
        let (read, ended) = opened(&file[..length], &receiver, key, DATA);
        assert!(read.is_empty() && ended.is_err(), "{length}");
    }
}

/// Each door is for its kind: a signature is not taken for text, nor text for a signature.
#[test]
fn an_envelope_is_opened_by_the_door_of_its_kind() {
    let receiver = key_of(KemAlgorithm::MlKem512, 1);
    let recipients = [receiver.encapsulation_key()];
    let opener = Opener::Key(&receiver);
    let signer = signer(SignatureAlgorithm::MlDsa44, 3);
    let file = signed(b"a text", &recipients, &signer, 10);
    let is_signed = Error::EnvelopeSigning { actual: "signed" };
    assert_eq!(envelope::open(&file, &opener, DATA).unwrap_err(), is_signed);
    let refused = envelope::reader(file.as_slice(), &opener, DATA).unwrap_err();
    assert_eq!(refused.downcast::<Error>().unwrap(), is_signed);
    let (header, _) = EnvelopeHeader::split_from(&file).unwrap();
    let refused = header.open(&opener).unwrap().sealer(DATA, &mut Repeatable::new(1));
    assert_eq!(refused.map(drop).unwrap_err(), is_signed);

    let rng = &mut Repeatable::new(2);
    let file = envelope::seal(b"a text", &Recipients::Keys(&recipients), DATA, rng).unwrap();
    let (read, ended) = opened(&file, &receiver, None, DATA);
    assert_eq!((read.len(), why(ended)), (0, Error::EnvelopeSigning { actual: "not signed" }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However it is cut in writing and in reading.
    #[test]
    fn a_signed_text_comes_back(
        length in prop_oneof![0_usize..5000, 60_000_usize..70_000, 120_000_usize..300_000],
        written in 1_usize..200_000,
        read in 1_usize..400_000,
    ) {
        let receiver = key_of(KemAlgorithm::MlKem512, 1);
        let signer = signer(SignatureAlgorithm::MlDsa44, 3);
        let text = text_of(length);
        let file = signed(&text, &[receiver.encapsulation_key()], &signer, written);
        let mut inner = file.as_slice();
        let header = EnvelopeHeader::read_from(&mut inner).unwrap();
        let key = header.open(&Opener::Key(&receiver)).unwrap();
        let mut reader = key.signed_reader(inner, Some(signer.verifying_key()), DATA).unwrap();
        let mut back = Vec::new();
        let mut buffer = vec![0; read];
        loop {
            let count = reader.read(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            back.extend_from_slice(&buffer[..count]);
        }
        prop_assert!(back == text);
    }
}

/// `docs/formats.md` is enough: a script that was written from it verifies ours and makes its own.
#[test]
fn a_program_made_from_the_documented_format_agrees() {
    let seed = [7; 32];
    let receiver = DecapsulationKey::from_seed_bytes(KemAlgorithm::XWing, &seed).unwrap();
    let text = text_of(70_000);
    let signers = SignatureAlgorithm::ALL.map(|set| signer(set, 3));
    let ours = signers.each_ref().map(|signer| {
        let envelope = signed(&text, &[receiver.encapsulation_key()], signer, 1000);
        json!({
            "algorithm": KemAlgorithm::XWing.name(),
            "seed": hex::encode(seed),
            "signer_algorithm": signer.algorithm().name(),
            "signer": hex::encode(signer.verifying_key().as_bytes()),
            "text": hex::encode(&text),
            "data": hex::encode(DATA),
            "envelope": hex::encode(envelope),
        })
    });
    let request = json!({ "signed_envelopes": ours });
    let Some(answer) = PYTHON.run("formats.py", &request) else { return };
    let theirs = answer["signed_envelopes"].as_array().unwrap();
    assert_eq!(theirs.len(), 3);
    for (theirs, ours) in theirs.iter().zip(&signers) {
        let part = |name: &str| hex::decode(theirs[name].as_str().unwrap()).unwrap();
        let their_key = VerifyingKey::from_bytes(&part("signer")).unwrap();
        let open = |name: &str, by| opened(&part(name), &receiver, Some(by), DATA);
        let (read, ended) = open("envelope", &their_key);
        ended.unwrap();
        assert!(read == text);
        for (name, by) in [
            ("envelope", ours.verifying_key()),
            ("without_header", &their_key),
            ("without_signature", &their_key),
        ] {
            assert_eq!(why(open(name, by).1), Error::EnvelopeSignature, "{name}");
        }
    }
    say(&format!("signed envelopes: formats.py {} and we exchanged 3", answer["version"]));
}
