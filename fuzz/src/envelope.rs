//! Bytes begin with a header that writes back the same, or with none; and no envelope opens but those
//! that were sealed. A text is the parameters that it is written as, or none.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::envelope::{self, EnvelopeHeader, MAX_RECIPIENTS, Opener, Recipients};
use pqc_core::{DecapsulationKey, KemAlgorithm, PassphraseParameters};

use crate::{Constant, Edit, decode, edited};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// A header of stanzas that are about right, and what follows.
    Stanzas { count: Option<u8>, stanzas: Vec<Stanza>, behind: &'a [u8] },
    /// A sealed envelope after some edits.
    Edited { which: u8, edits: Vec<Edit<'a>> },
    /// A text.
    Parameters(&'a str),
}

#[derive(Debug, Arbitrary)]
struct Stanza {
    kind: u8,
    /// The key id, the costs, or a part of them; the rest is its last byte.
    start: [u8; 12],
    last: u8,
    /// A byte less than the kind has.
    is_short: bool,
}

struct Fixture {
    keys: [DecapsulationKey; 2],
    /// For one key, for both, and for a passphrase.
    sealed: [Vec<u8>; 3],
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let keys = [(KemAlgorithm::MlKem512, 7), (KemAlgorithm::XWing, 8)]
        .map(|(kem, byte)| DecapsulationKey::generate(kem, &mut Constant(byte)).unwrap());
    let public = keys.each_ref().map(DecapsulationKey::encapsulation_key);
    let parameters = PassphraseParameters::new(19 << 10, 1, 1, [7; 16]).unwrap();
    let sealed = [
        Recipients::Keys(&public[..1]),
        Recipients::Keys(&public),
        Recipients::Passphrase(b"a longer sentence", parameters),
    ]
    .map(|recipients| envelope::seal(b"text", &recipients, b"", &mut Constant(9)).unwrap());
    Fixture { keys, sealed }
});

/// Seals the envelopes, before an input's time counts.
pub fn prepare() {
    LazyLock::force(&FIXTURE);
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    check(bytes);
    match decode(bytes) {
        Some(Input::Stanzas { count, stanzas, behind }) => check(&header(count, &stanzas, behind)),
        Some(Input::Edited { which, edits }) => {
            check(&edited(&FIXTURE.sealed[usize::from(which % 3)], &edits));
        }
        Some(Input::Parameters(text)) => {
            if let Ok(read) = text.parse::<PassphraseParameters>() {
                assert_eq!(read.to_string(), text);
            }
        }
        None => {}
    }
}

fn header(count: Option<u8>, stanzas: &[Stanza], behind: &[u8]) -> Vec<u8> {
    let stanzas = &stanzas[..stanzas.len().min(MAX_RECIPIENTS + 1)];
    let mut bytes = b"pqc-env\x01".to_vec();
    bytes.push(count.unwrap_or(stanzas.len() as u8));
    for stanza in stanzas {
        // Of the four KEMs and the passphrase; others as long as nothing.
        let (kind, length) = match stanza.kind % 8 {
            kind @ 1..=4 => {
                (kind, 32 + KemAlgorithm::ALL[usize::from(kind) - 1].ciphertext_bytes() + 72)
            }
            0 => (0x10, 12 + 16 + 72),
            _ => (stanza.kind, 0),
        };
        let start = bytes.len() + 1;
        bytes.push(kind);
        bytes.extend(stanza.start);
        bytes.resize(start + length - usize::from(stanza.is_short && length > 0), stanza.last);
    }
    bytes.extend(behind);
    bytes
}

fn check(file: &[u8]) {
    let Fixture { keys, sealed } = &*FIXTURE;
    let Ok((header, behind)) = EnvelopeHeader::split_from(file) else {
        assert!(!sealed.iter().any(|sealed| sealed == file));
        return;
    };
    assert_eq!([header.as_bytes(), behind].concat(), file);
    let is_by_passphrase = header.passphrase_parameters().is_some();
    let recipients = header.recipients().count();
    assert!(if is_by_passphrase {
        recipients == 0
    } else {
        (1..=MAX_RECIPIENTS).contains(&recipients)
    });
    for (at, key) in keys.iter().enumerate() {
        let is_for_it = file == sealed[1] || (at == 0 && file == sealed[0]);
        assert_eq!(envelope::open(file, &Opener::Key(key), b"").is_ok(), is_for_it);
    }
}
