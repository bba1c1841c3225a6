//! Envelopes over std's traits: the same bytes as in memory, and errors of the same types.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use pqc_core::envelope::{self, EnvelopeHeader, Opener, Recipients};
use pqc_core::{DecapsulationKey, Error, KemAlgorithm, StreamHeader};

use crate::envelope::{DATA, PASSPHRASE, TEXT, by_passphrase, key_of, keys, sealed};
use crate::support::Repeatable;

/// Gives one byte at a time, and is interrupted before each.
struct Slow<'a> {
    bytes: &'a [u8],
    is_interrupted: bool,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.is_interrupted = !self.is_interrupted;
        if self.is_interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let count = buffer.len().min(1);
        self.bytes.read(&mut buffer[..count])
    }
}

#[test]
fn a_writer_writes_what_is_sealed_in_memory_and_a_reader_reads_it() {
    let keys = keys();
    let public = keys.each_ref().map(DecapsulationKey::encapsulation_key);
    for length in [0, 1, 65_536, 200_000] {
        let text: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let recipients = Recipients::Keys(&public);
        let expected = envelope::seal(&text, &recipients, DATA, &mut Repeatable::new(2)).unwrap();
        let rng = &mut Repeatable::new(2);
        let mut writer = envelope::writer(Vec::new(), &recipients, DATA, rng).unwrap();
        text.chunks(10_000).for_each(|piece| writer.write_all(piece).unwrap());
        assert!(writer.finish().unwrap() == expected);
        for key in &keys {
            let mut opened = Vec::new();
            let slow = Slow { bytes: &expected, is_interrupted: false };
            let mut reader = envelope::reader(slow, &Opener::Key(key), DATA).unwrap();
            reader.read_to_end(&mut opened).unwrap();
            assert!(opened == text);
        }
    }
}

#[test]
fn a_reader_by_passphrase_reads_and_seeks() {
    let rng = &mut Repeatable::new(2);
    let mut writer = envelope::writer(Vec::new(), &by_passphrase(), DATA, rng).unwrap();
    writer.write_all(&[7; 150_000]).unwrap();
    writer.write_all(b"the end").unwrap();
    let file = writer.finish().unwrap();
    let opener = Opener::Passphrase(PASSPHRASE);
    let mut reader = envelope::reader(Cursor::new(&file), &opener, DATA).unwrap();
    assert_eq!(reader.seek(SeekFrom::End(-7)).unwrap(), 150_000);
    let mut end = String::new();
    reader.read_to_string(&mut end).unwrap();
    assert_eq!(end, "the end");
    reader.seek(SeekFrom::Start(149_999)).unwrap();
    let mut bytes = [0; 2];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"\x07t");
}

#[test]
fn the_header_is_read_and_not_a_byte_behind_it() {
    let key = key_of(KemAlgorithm::XWing, 1);
    let file = sealed(&[key.encapsulation_key()], 2);
    let (header, stream) = EnvelopeHeader::split_from(&file).unwrap();
    let mut inner = file.as_slice();
    assert_eq!(EnvelopeHeader::read_from(&mut inner).unwrap(), header);
    assert_eq!(inner, stream);
}

/// Nothing comes out but an error; and it is the core's, not a disk's.
#[test]
fn a_file_that_was_cut_is_told_as_it_is_in_memory() {
    let key = key_of(KemAlgorithm::MlKem512, 1);
    let file = sealed(&[key.encapsulation_key()], 2);
    let mut counts = [0; 3];
    for end in 0..file.len() {
        let mut text = Vec::new();
        let cut = &file[..end];
        let error = envelope::reader(cut, &Opener::Key(&key), DATA)
            .and_then(|mut reader| reader.read_to_end(&mut text))
            .unwrap_err();
        assert_eq!((error.kind(), text.len()), (io::ErrorKind::InvalidData, 0));
        let error = error.downcast::<Error>().unwrap();
        assert_eq!(envelope::open(cut, &Opener::Key(&key), DATA).unwrap_err(), error, "{end}");
        counts[match error {
            Error::EnvelopeTruncated => 0,
            Error::Malformed { .. } => 1,
            _ => 2,
        }] += 1;
    }
    let header = 9 + 1 + 32 + 768 + 72;
    assert_eq!(counts, [header, StreamHeader::BYTES, TEXT.len() + 16]);
}

#[test]
fn an_error_of_the_inner_reader_is_passed_on() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let key = key_of(KemAlgorithm::MlKem512, 1);
    let file = sealed(&[key.encapsulation_key()], 2);
    for end in [0, 5, 9, 10, 500] {
        let inner = (&file[..end]).chain(Failing);
        let error = envelope::reader(inner, &Opener::Key(&key), DATA).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{end}");
    }
}
