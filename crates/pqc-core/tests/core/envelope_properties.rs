//! The header of an envelope, for any input: it is read as what was written, or refused.

use pqc_core::envelope::EnvelopeHeader;
use pqc_core::{Error, KemAlgorithm, KeyId, PassphraseParameters};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A stanza's kind, and its recipient; the rest is bytes.
fn recipient() -> impl Strategy<Value = (Vec<u8>, (KemAlgorithm, KeyId))> {
    let kinds = KemAlgorithm::ALL
        .map(|kem| (kem, 1 + KemAlgorithm::ALL.iter().position(|k| *k == kem).unwrap()));
    (select(kinds.to_vec()), any::<[u8; 32]>(), any::<u8>()).prop_map(|((kem, kind), id, byte)| {
        let behind = vec![byte; kem.ciphertext_bytes() + 72];
        ([&[kind as u8], &id[..], &behind].concat(), (kem, KeyId::Pair(id)))
    })
}

fn parameters() -> impl Strategy<Value = PassphraseParameters> {
    let costs = (
        PassphraseParameters::MEMORY_KIB,
        PassphraseParameters::ITERATIONS,
        PassphraseParameters::LANES,
    );
    (costs, any::<[u8; 16]>()).prop_map(|((memory, iterations, lanes), salt)| {
        PassphraseParameters::new(memory, iterations, lanes, salt).unwrap()
    })
}

fn header(stanzas: &[Vec<u8>]) -> Vec<u8> {
    [b"pqc-env\x01", &[stanzas.len() as u8][..], &stanzas.concat()].concat()
}

fn headers() -> impl Strategy<Value = Vec<u8>> {
    vec(recipient(), 1..4)
        .prop_map(|all| header(&all.into_iter().map(|(bytes, _)| bytes).collect::<Vec<_>>()))
}

proptest! {
    #[test]
    fn a_header_for_keys_is_read_as_it_was_written(
        stanzas in vec(recipient(), 1..=64),
        behind in vec(any::<u8>(), 0..100),
    ) {
        let (bytes, recipients): (Vec<_>, Vec<_>) = stanzas.into_iter().unzip();
        let header = header(&bytes);
        let file = [header.as_slice(), &behind].concat();
        let (read, rest) = EnvelopeHeader::split_from(&file).unwrap();
        prop_assert_eq!(read.as_bytes(), header);
        prop_assert_eq!(rest, behind);
        prop_assert_eq!(read.recipients().collect::<Vec<_>>(), recipients);
        prop_assert_eq!(read.passphrase_parameters(), None);
    }

    #[test]
    fn a_header_for_a_passphrase_is_read_as_it_was_written(
        parameters in parameters(),
        wrapped in vec(any::<u8>(), 72),
    ) {
        let costs = [parameters.memory_kib(), parameters.iterations(), parameters.lanes()];
        let costs = costs.map(u32::to_be_bytes).concat();
        let header = header(&[[&[0x10], costs.as_slice(), parameters.salt(), &wrapped].concat()]);
        let (read, rest) = EnvelopeHeader::split_from(&header).unwrap();
        prop_assert_eq!((read.as_bytes(), rest.len()), (header.as_slice(), 0));
        prop_assert_eq!(read.passphrase_parameters(), Some(&parameters));
        prop_assert_eq!(read.recipients().count(), 0);
        let text = parameters.to_string();
        prop_assert_eq!(text.parse::<PassphraseParameters>(), Ok(parameters));
    }

    #[test]
    fn a_header_that_was_cut_is_told(header in headers(), end in any::<Index>()) {
        let cut = &header[..end.index(header.len())];
        prop_assert_eq!(EnvelopeHeader::split_from(cut), Err(Error::EnvelopeTruncated));
    }

    #[test]
    fn what_is_read_is_what_stands_there(
        mut header in headers(),
        edits in vec((any::<Index>(), any::<u8>()), 0..4),
        random in vec(any::<u8>(), 0..300),
        is_random in any::<bool>(),
    ) {
        for (at, byte) in edits {
            let at = at.index(header.len());
            header[at] = byte;
        }
        let random = [&header[..9], &random].concat();
        let file = if is_random { random } else { header };
        if let Ok((read, rest)) = EnvelopeHeader::split_from(&file) {
            prop_assert_eq!([read.as_bytes(), rest].concat(), file);
        }
    }

    #[test]
    fn a_text_is_the_parameters_that_it_is_written_as_or_none(
        parameters in parameters(),
        at in any::<Index>(),
        to in any::<char>(),
    ) {
        let mut text: Vec<char> = parameters.to_string().chars().collect();
        let at = at.index(text.len());
        text[at] = to;
        let text: String = text.into_iter().collect();
        if let Ok(read) = text.parse::<PassphraseParameters>() {
            prop_assert_eq!(read.to_string(), text);
        }
    }
}
