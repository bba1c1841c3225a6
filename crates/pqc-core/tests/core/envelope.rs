//! Envelopes: who opens them and who does not, and what becomes of one that was altered.

use pqc_core::envelope::{self, EnvelopeHeader, MAX_RECIPIENTS, Opener, Recipients};
use pqc_core::{
    DecapsulationKey, EncapsulationKey, Error, Field, KemAlgorithm, PassphraseParameters,
    StreamHeader,
};

use crate::support::{Repeatable, flipped};

pub(crate) const DATA: &[u8] = b"pqc/backup/v1";
pub(crate) const TEXT: &[u8] = b"what was backed up";
pub(crate) const PASSPHRASE: &[u8] = b"correct horse battery staple";
/// Magic, version, count.
const START: usize = 9;
const WRAPPED: usize = 72;

/// A key of each KEM.
pub(crate) fn keys() -> [DecapsulationKey; 4] {
    let mut rng = Repeatable::new(1);
    KemAlgorithm::ALL.map(|kem| DecapsulationKey::generate(kem, &mut rng).unwrap())
}

pub(crate) fn key_of(kem: KemAlgorithm, seed: u64) -> DecapsulationKey {
    DecapsulationKey::generate(kem, &mut Repeatable::new(seed)).unwrap()
}

/// As cheap as it is allowed.
pub(crate) fn by_passphrase() -> Recipients<'static> {
    let parameters = PassphraseParameters::new(19 << 10, 1, 1, [5; 16]).unwrap();
    Recipients::Passphrase(PASSPHRASE, parameters)
}

pub(crate) fn sealed(keys: &[&EncapsulationKey], seed: u64) -> Vec<u8> {
    let recipients = Recipients::Keys(keys);
    envelope::seal(TEXT, &recipients, DATA, &mut Repeatable::new(seed)).unwrap()
}

fn sealed_by_passphrase() -> Vec<u8> {
    envelope::seal(TEXT, &by_passphrase(), DATA, &mut Repeatable::new(3)).unwrap()
}

fn open(envelope: &[u8], key: &DecapsulationKey) -> Result<Vec<u8>, Error> {
    let text = envelope::open(envelope, &Opener::Key(key), DATA)?;
    Ok(text.expose_bytes().to_vec())
}

fn open_by_passphrase(envelope: &[u8]) -> Result<Vec<u8>, Error> {
    let text = envelope::open(envelope, &Opener::Passphrase(PASSPHRASE), DATA)?;
    Ok(text.expose_bytes().to_vec())
}

fn stanza_bytes(kem: KemAlgorithm) -> usize {
    1 + 32 + kem.ciphertext_bytes() + WRAPPED
}

#[test]
fn each_recipient_opens_it_and_nobody_else() {
    let keys = keys();
    let all = keys.each_ref().map(DecapsulationKey::encapsulation_key);
    for count in 1..=4 {
        let envelope = sealed(&all[..count], 2);
        let (header, _) = EnvelopeHeader::split_from(&envelope).unwrap();
        let expected: Vec<_> =
            all[..count].iter().map(|key| (key.algorithm(), key.key_id())).collect();
        assert_eq!(header.recipients().collect::<Vec<_>>(), expected);
        for (at, key) in keys.iter().enumerate() {
            let expected = if at < count { Ok(TEXT.to_vec()) } else { Err(Error::NotARecipient) };
            assert_eq!(open(&envelope, key), expected, "{at} of {count}");
        }
        let other_data = envelope::open(&envelope, &Opener::Key(&keys[0]), b"another purpose");
        assert_eq!(other_data.unwrap_err(), Error::BoxAuthentication);
        let refused = open_by_passphrase(&envelope).unwrap_err();
        assert_eq!(refused, Error::EnvelopeOpener { expected: "a recipient's key" });
    }
}

#[test]
fn the_passphrase_opens_it_and_nothing_else() {
    let envelope = sealed_by_passphrase();
    assert_eq!(open_by_passphrase(&envelope).unwrap(), TEXT);
    let open_by = |passphrase, data| {
        envelope::open(&envelope, &Opener::Passphrase(passphrase), data).map(|_| ()).unwrap_err()
    };
    assert_eq!(open_by(b"correct horse battery stapler", DATA), Error::WrongPassphrase);
    assert_eq!(open_by(PASSPHRASE, b"another purpose"), Error::BoxAuthentication);
    assert!(matches!(open_by(b"too short", DATA), Error::Length { field: Field::Passphrase, .. }));
    let refused = open(&envelope, &keys()[0]).unwrap_err();
    assert_eq!(refused, Error::EnvelopeOpener { expected: "a passphrase" });
}

#[test]
fn every_flipped_bit_of_a_header_is_refused() {
    for key in keys() {
        let kem = key.encapsulation_key().algorithm();
        let envelope = sealed(&[key.encapsulation_key()], 2);
        assert!(open(&envelope, &key).is_ok());
        let header = START + stanza_bytes(kem);
        for bit in 0..(header + StreamHeader::BYTES) * 8 {
            let error = open(&flipped(&envelope, bit), &key).unwrap_err();
            let byte = bit / 8;
            let is_expected = match byte {
                0..7 => error == Error::NotAnEnvelope,
                7 => error == Error::UnknownFormat { field: Field::Envelope },
                // Other stanzas than those that follow.
                8 | START => matches!(
                    error,
                    Error::Malformed { field: Field::Envelope, .. }
                        | Error::UnknownFormat { field: Field::Envelope }
                        | Error::EnvelopeTruncated
                        | Error::NotARecipient
                ),
                10..42 => error == Error::NotARecipient,
                _ if byte == header || byte == header + 1 => {
                    error == Error::UnknownFormat { field: Field::StreamHeader }
                }
                _ => error == Error::BoxAuthentication,
            };
            assert!(is_expected, "{kem}, byte {byte}: {error:?}");
        }
    }
}

#[test]
fn every_flipped_byte_of_a_passphrases_header_is_refused() {
    let envelope = sealed_by_passphrase();
    for byte in 0..START + 1 + 12 + 16 + WRAPPED {
        let error = open_by_passphrase(&flipped(&envelope, byte * 8)).unwrap_err();
        let is_expected = match byte {
            0..7 => error == Error::NotAnEnvelope,
            7 | START => error == Error::UnknownFormat { field: Field::Envelope },
            8 => matches!(error, Error::Malformed { field: Field::Envelope, .. }),
            10 => matches!(error, Error::OutOfRange { field: Field::Argon2Memory, .. }),
            14..18 => matches!(error, Error::OutOfRange { field: Field::Argon2Iterations, .. }),
            18..22 => matches!(error, Error::OutOfRange { field: Field::Argon2Lanes, .. }),
            _ => error == Error::WrongPassphrase,
        };
        assert!(is_expected, "byte {byte}: {error:?}");
    }
}

#[test]
fn an_envelope_that_was_cut_is_refused_wherever_it_was() {
    let key = key_of(KemAlgorithm::MlKem512, 1);
    let envelope = sealed(&[key.encapsulation_key()], 2);
    let header = START + stanza_bytes(KemAlgorithm::MlKem512);
    for end in 0..envelope.len() {
        let error = open(&envelope[..end], &key).unwrap_err();
        let is_expected = match end - end.min(header) {
            0 if end < header => error == Error::EnvelopeTruncated,
            0..StreamHeader::BYTES => {
                matches!(error, Error::Malformed { field: Field::StreamHeader, .. })
            }
            _ => error == Error::BoxAuthentication,
        };
        assert!(is_expected, "{end}: {error:?}");
    }
    let longer = [envelope.as_slice(), &[0]].concat();
    assert_eq!(open(&longer, &key).unwrap_err(), Error::BoxAuthentication);
    for not in [&b"pqc-enw"[..], b"PK\x03\x04", b"\x01\x02", b"SQLite format 3\0", b"p0"] {
        assert_eq!(open(not, &key).unwrap_err(), Error::NotAnEnvelope);
    }
}

/// Of two envelopes for the same two keys: what a recipient could not tell by its own stanza.
#[test]
fn parts_of_two_envelopes_do_not_open_together() {
    let keys = [key_of(KemAlgorithm::MlKem768, 1), key_of(KemAlgorithm::MlKem768, 2)];
    let public = keys.each_ref().map(DecapsulationKey::encapsulation_key);
    let [one, two] = [1, 2].map(|seed| sealed(&public, seed));
    let bytes = stanza_bytes(KemAlgorithm::MlKem768);
    let parts = |envelope: &[u8]| {
        let (start, rest) = envelope.split_at(START);
        let (first, rest) = rest.split_at(bytes);
        let (second, stream) = rest.split_at(bytes);
        [start, first, second, stream].map(<[u8]>::to_vec)
    };
    let ([start, a, b, stream], [_, other_a, other_b, other_stream]) = (parts(&one), parts(&two));
    let put = |parts: &[&[u8]]| parts.concat();
    assert_eq!(put(&[&start, &a, &b, &stream]), one);
    let wrapped_moved = [&a[..bytes - WRAPPED], &b[bytes - WRAPPED..]].concat();
    let alone = [&start[..8], &[1]].concat();
    let three = [&start[..8], &[3]].concat();
    let third = sealed(&[key_of(KemAlgorithm::MlKem768, 3).encapsulation_key()], 1);
    for (what, altered) in [
        ("another stream", put(&[&start, &a, &b, &other_stream])),
        ("both stanzas of another", put(&[&start, &other_a, &other_b, &stream])),
        ("one stanza of another", put(&[&start, &a, &other_b, &stream])),
        ("the first stanza of another", put(&[&start, &other_a, &b, &stream])),
        ("the stanzas in another order", put(&[&start, &b, &a, &stream])),
        ("a wrapped key of the other stanza", put(&[&start, &wrapped_moved, &b, &stream])),
        ("a stanza less", put(&[&alone, &a, &stream])),
        ("a stanza more", put(&[&three, &a, &b, &third[START..START + bytes], &stream])),
    ] {
        let error = open(&altered, &keys[0]).unwrap_err();
        assert_eq!(error, Error::BoxAuthentication, "{what}");
    }
    let twice = put(&[&three, &a, &b, &a, &stream]);
    assert!(matches!(open(&twice, &keys[0]), Err(Error::Malformed { field: Field::Envelope, .. })));
}

#[test]
fn an_envelope_has_1_to_64_recipients_and_each_once() {
    let keys: Vec<_> = (0..=64).map(|seed| key_of(KemAlgorithm::MlKem512, 100 + seed)).collect();
    let public: Vec<_> = keys.iter().map(DecapsulationKey::encapsulation_key).collect();
    let seal = |keys: &[&EncapsulationKey]| {
        EnvelopeHeader::seal(&Recipients::Keys(keys), &mut Repeatable::new(1))
            .map(|(header, _)| header)
    };
    let full = sealed(&public[..MAX_RECIPIENTS], 1);
    assert_eq!(open(&full, &keys[63]).unwrap(), TEXT);
    let refused = Error::OutOfRange { field: Field::Recipients, min: 1, max: 64 };
    assert_eq!(seal(&public).unwrap_err(), refused);
    assert_eq!(seal(&[]).unwrap_err(), refused);

    let doubled: Vec<_> = public[..64].iter().chain(&public[..64]).copied().collect();
    assert_eq!(seal(&doubled).unwrap(), seal(&public[..64]).unwrap());
    for count in [0, 65, 255] {
        let mut altered = full.clone();
        altered[8] = count;
        let refused = EnvelopeHeader::split_from(&altered).unwrap_err();
        assert!(matches!(refused, Error::Malformed { field: Field::Envelope, .. }), "{count}");
    }
}

/// The header's length that the documents promise.
#[test]
fn the_longest_header_has_107081_bytes() {
    let keys: Vec<_> = (0..64).map(|seed| key_of(KemAlgorithm::MlKem1024, 100 + seed)).collect();
    let public: Vec<_> = keys.iter().map(DecapsulationKey::encapsulation_key).collect();
    let (header, _) =
        EnvelopeHeader::seal(&Recipients::Keys(&public), &mut Repeatable::new(1)).unwrap();
    assert_eq!(header.as_bytes().len(), 107_081);
}

#[test]
fn a_passphrases_stanza_stands_alone() {
    let key = key_of(KemAlgorithm::MlKem512, 1);
    let by_key = sealed(&[key.encapsulation_key()], 2);
    let by_passphrase = sealed_by_passphrase();
    let header = EnvelopeHeader::split_from(&by_passphrase).unwrap().0;
    let stanza = &header.as_bytes()[START..];
    let of_key = &by_key[START..START + stanza_bytes(KemAlgorithm::MlKem512)];
    let refused =
        Error::Malformed { field: Field::Envelope, expected: "a passphrase's stanza alone" };
    for stanzas in [[stanza, of_key], [of_key, stanza], [stanza, stanza]] {
        let altered = [b"pqc-env\x01\x02", stanzas[0], stanzas[1], &by_key].concat();
        assert_eq!(EnvelopeHeader::split_from(&altered).unwrap_err(), refused);
    }
}
