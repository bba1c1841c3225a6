//! Streams over std's traits: whatever the inner reader and writer do, what comes out is the text,
//! a true beginning of it and an error, or an error.

use std::cell::Cell;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};

use pqc_core::stream::{CHUNK_BYTES, OpeningReader, SEALED_CHUNK_BYTES, SealingWriter};
use pqc_core::{Error, Field, Secret, StreamKey};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::stream::{DATA, HEADER, key, sealed, text};
use crate::stream_properties::{lengths, tamperings};
use crate::support::{Failing, Repeatable};

/// Takes and gives less than it could, and is interrupted.
struct Uneven<T> {
    inner: T,
    chance: Repeatable,
    most: usize,
}

impl<T> Uneven<T> {
    fn new(inner: T, seed: u64, most: usize) -> Self {
        Self { inner, chance: Repeatable::new(seed), most }
    }

    fn length(&mut self, asked: usize) -> io::Result<usize> {
        match self.chance.below(4) {
            0 => Err(ErrorKind::Interrupted.into()),
            _ => Ok(asked.min(1 + self.chance.below(self.most))),
        }
    }
}

impl<R: Read> Read for Uneven<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.length(buffer.len())?;
        self.inner.read(&mut buffer[..length])
    }
}

impl<W: Write> Write for Uneven<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.length(bytes.len())?;
        self.inner.write(&bytes[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Fails at each call for which `fails` is true, counted from 0; and counts bytes.
struct Faulty<T, F> {
    inner: T,
    calls: usize,
    bytes: usize,
    fails: F,
}

impl<T, F: Fn(usize) -> bool> Faulty<T, F> {
    fn new(inner: T, fails: F) -> Self {
        Self { inner, calls: 0, bytes: 0, fails }
    }

    fn call(&mut self) -> io::Result<&mut T> {
        self.calls += 1;
        if (self.fails)(self.calls - 1) {
            return Err(ErrorKind::HostUnreachable.into());
        }
        Ok(&mut self.inner)
    }
}

impl<R: Read, F: Fn(usize) -> bool> Read for Faulty<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(50_000);
        let count = self.call()?.read(&mut buffer[..length])?;
        self.bytes += count;
        Ok(count)
    }
}

impl<W: Write, F: Fn(usize) -> bool> Write for Faulty<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.call()?.write(&bytes[..bytes.len().min(50_000)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.call()?.flush()
    }
}

impl<S: Seek, F: Fn(usize) -> bool> Seek for Faulty<S, F> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.call()?.seek(to)
    }
}

fn writer<W: Write>(inner: W, seed: u64) -> SealingWriter<W> {
    SealingWriter::new(inner, &key(), DATA, &mut Repeatable::new(seed)).unwrap()
}

fn reader<R: Read>(inner: R) -> OpeningReader<R> {
    OpeningReader::new(inner, &key(), DATA).unwrap()
}

/// What comes out, and how it ends.
fn read_all(stream: &[u8]) -> (Vec<u8>, io::Result<()>) {
    let mut text = Vec::new();
    let end = OpeningReader::new(stream, &key(), DATA)
        .and_then(|mut reader| reader.read_to_end(&mut text).map(|_| ()));
    (text, end)
}

#[track_caller]
fn of_core(error: &io::Error) -> &Error {
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    error.get_ref().unwrap().downcast_ref().unwrap()
}

#[derive(Debug, Clone)]
enum Access {
    Read(usize),
    Seek(SeekFrom),
}

/// Places near the ends of chunks and of the text, and anywhere.
fn accesses() -> impl Strategy<Value = Vec<Access>> {
    let chunk = CHUNK_BYTES as i64;
    let near = (-4..=4_i64, -2..=2_i64).prop_map(move |(chunks, off)| chunks * chunk + off);
    let by = prop_oneof![3 => near, 1 => -4 * chunk..4 * chunk, 1 => any::<i64>()];
    let seek = (0..3, by).prop_map(|(from, by)| match from {
        0 => SeekFrom::Start(by.unsigned_abs()),
        1 => SeekFrom::Current(by),
        _ => SeekFrom::End(by),
    });
    let length = select(vec![0, 1, 100, CHUNK_BYTES, 3 * CHUNK_BYTES]);
    vec(prop_oneof![length.prop_map(Access::Read), seek.prop_map(Access::Seek)], 1..8)
}

/// As much as there is, up to `length`: unlike `read` it does not stop at a chunk's end.
fn read_up_to(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

proptest! {
    #[test]
    fn however_it_is_written_and_read_the_text_comes_out(
        length in lengths(), sizes in vec(0..300_000_usize, 1..6), most in 1..100_000_usize,
        seed: u64,
    ) {
        let most = most.max(length / 2000 + 1);
        let text = text(length);
        let mut writer = writer(Uneven::new(Vec::new(), seed, most), seed);
        let (mut rest, mut next) = (text.as_slice(), sizes.iter().cycle());
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(*next.next().unwrap() + 1)];
            writer.write_all(piece).unwrap();
            rest = &rest[piece.len()..];
            if seed % 2 == 0 {
                writer.flush().unwrap();
            }
        }
        let stream = writer.finish().unwrap().inner;
        prop_assert!(stream == key().seal(&text, DATA, &mut Repeatable::new(seed)).unwrap());

        let mut reader = reader(Uneven::new(stream.as_slice(), seed, most));
        let mut opened = Vec::new();
        let mut buffer = vec![0; 300_001];
        loop {
            let asked = *next.next().unwrap() + 1;
            match reader.read(&mut buffer[..asked]).unwrap() {
                0 => break,
                count => opened.extend_from_slice(&buffer[..count]),
            }
        }
        prop_assert!(opened == text);
        prop_assert_eq!(reader.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn an_altered_stream_reads_as_a_true_beginning_and_an_error(
        length in lengths(), other in lengths(), tampering in tamperings(),
    ) {
        let stream = sealed(length, 1);
        let altered = tampering.apply(&stream, &sealed(other, 2));
        prop_assume!(altered != stream);
        let (opened, end) = read_all(&altered);
        let error = end.unwrap_err();
        let refused = matches!(
            of_core(&error),
            Error::BoxAuthentication | Error::Malformed { .. } | Error::UnknownFormat { .. }
        );
        prop_assert!(refused, "{error:?}");
        prop_assert!(text(length).starts_with(&opened));
        let untouched = stream.iter().zip(&altered).take_while(|(a, b)| a == b).count();
        let whole = untouched.saturating_sub(HEADER) / SEALED_CHUNK_BYTES;
        prop_assert!(opened.len() <= whole * CHUNK_BYTES);
    }

    /// The model is std's own reader over the text.
    #[test]
    fn seeking_and_reading_are_those_of_the_text(
        length in lengths(), accesses in accesses(), before in 0..3_usize, seed: u64,
    ) {
        let text = text(length);
        let mut file = Cursor::new([vec![0xee; before], sealed(length, 1)].concat());
        file.set_position(before as u64);
        let uneven = Uneven::new(file, seed, 30_000);
        let mut reader = reader(SeekUneven(uneven));
        let mut model = Cursor::new(text);
        for access in accesses {
            match access {
                Access::Read(length) => {
                    let expected = read_up_to(&mut model, length).unwrap();
                    prop_assert!(read_up_to(&mut reader, length).unwrap() == expected);
                }
                Access::Seek(to) => {
                    let (found, expected) = (reader.seek(to), model.seek(to));
                    let kind = expected.as_ref().map_err(io::Error::kind);
                    prop_assert_eq!(found.as_ref().map_err(io::Error::kind), kind);
                }
            }
            prop_assert_eq!(reader.stream_position().unwrap(), model.position());
        }
    }

    #[test]
    fn in_an_altered_stream_each_place_gives_its_own_text_or_an_error(
        length in lengths(), other in lengths(), tampering in tamperings(), accesses in accesses(),
    ) {
        let stream = sealed(length, 1);
        let altered = tampering.apply(&stream, &sealed(other, 2));
        prop_assume!(altered != stream);
        let Ok(mut reader) = OpeningReader::new(Cursor::new(altered), &key(), DATA) else {
            return Ok(());
        };
        let mut failed = false;
        let text = text(length);
        for access in accesses {
            let at = usize::try_from(reader.stream_position().unwrap()).unwrap_or(usize::MAX);
            match access {
                Access::Read(length) => {
                    let expected = text.get(at..).unwrap_or_default();
                    let mut bytes = Vec::new();
                    let read = reader.by_ref().take(length as u64).read_to_end(&mut bytes);
                    prop_assert!(expected.starts_with(&bytes));
                    prop_assert!(!failed || (bytes.is_empty() && (length == 0 || read.is_err())));
                    failed |= read.is_err();
                }
                Access::Seek(to) => {
                    let sought = reader.seek(to);
                    prop_assert!(!failed || sought.is_err());
                    let refused = sought.is_err_and(|e| e.kind() == ErrorKind::InvalidData);
                    failed |= refused;
                }
            }
        }
    }

    #[test]
    fn the_end_that_a_seek_tells_is_authenticated(length in lengths(), cut: Index) {
        let stream = sealed(length, 1);
        let mut reader = reader(Cursor::new(stream.as_slice()));
        prop_assert_eq!(reader.seek(SeekFrom::End(0)).unwrap(), length as u64);
        prop_assert_eq!(reader.read(&mut [0]).unwrap(), 0);
        let cut = &stream[..HEADER + cut.index(stream.len() - HEADER)];
        let mut reader = self::reader(Cursor::new(cut));
        of_core(&reader.seek(SeekFrom::End(0)).unwrap_err());
        of_core(&reader.read(&mut [0]).unwrap_err());
    }
}

/// Seeks as its inner one does.
struct SeekUneven<T>(Uneven<T>);

impl<T: Read> Read for SeekUneven<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<T: Seek> Seek for SeekUneven<T> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.inner.seek(to)
    }
}

#[test]
fn a_stream_that_is_cut_at_a_chunks_end_has_a_true_beginning_and_no_end() {
    let length = 3 * CHUNK_BYTES + 1;
    let (stream, text) = (sealed(length, 1), text(length));
    let mut cases = 0;
    for chunks in 0..=3 {
        for off in [-1, 0, 1] {
            let end = (HEADER + chunks * SEALED_CHUNK_BYTES).checked_add_signed(off).unwrap();
            let (opened, end) = read_all(&stream[..end]);
            of_core(&end.unwrap_err());
            // The chunk behind which a byte follows is known not to be the last.
            let whole = if off == 1 { chunks } else { chunks.saturating_sub(1) };
            assert!(opened == text[..whole * CHUNK_BYTES]);
            cases += 1;
        }
    }
    assert_eq!(cases, 12);
    let (opened, end) = read_all(&stream);
    assert!(end.is_ok() && opened == text);
}

#[test]
fn a_writer_that_is_dropped_unfinished_leaves_no_whole_stream() {
    let text = text(2 * CHUNK_BYTES);
    for length in [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES] {
        let mut stream = Vec::new();
        let mut unfinished = writer(&mut stream, 1);
        unfinished.write_all(&text[..length]).unwrap();
        unfinished.flush().unwrap();
        drop(unfinished);
        let (opened, end) = read_all(&stream);
        of_core(&end.unwrap_err());
        assert!(text.starts_with(&opened));

        let mut stream = Vec::new();
        let mut finished = writer(&mut stream, 1);
        finished.write_all(&text[..length]).unwrap();
        finished.finish().unwrap();
        let (opened, end) = read_all(&stream);
        assert!(end.is_ok() && opened == text[..length]);
    }
}

#[test]
fn a_writer_goes_on_after_each_failed_call_and_loses_nothing() {
    // Chunk by chunk, and several at once.
    for (piece, calls) in [(40_000, 6), (2 * CHUNK_BYTES, 6), (5 * CHUNK_BYTES, 3)] {
        fails_once_at_each_call(piece, calls);
    }
}

/// Of at least so many.
fn fails_once_at_each_call(piece: usize, at_least: usize) {
    let text = text(7 * CHUNK_BYTES + 1);
    let whole = key().seal(&text, DATA, &mut Repeatable::new(1)).unwrap();
    let mut failures = 0;
    for fails_at in 0..100 {
        let mut stream = Vec::new();
        let mut faulty = Faulty::new(&mut stream, |call| call == fails_at);
        let mut writer = writer(&mut faulty, 1);
        let mut rest = text.as_slice();
        let mut failed = false;
        while !rest.is_empty() {
            match writer.write(&rest[..rest.len().min(piece)]) {
                Ok(count) => rest = &rest[count..],
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::HostUnreachable);
                    assert!(!failed);
                    failed = true;
                }
            }
        }
        let finished = writer.finish().map(|_| ());
        let calls = faulty.calls;
        if let Err(error) = finished {
            assert_eq!(error.kind(), ErrorKind::HostUnreachable);
            assert!(!failed && whole.starts_with(&stream));
            failed = true;
        } else {
            assert!(stream == whole);
        }
        assert_eq!(failed, fails_at < calls);
        if !failed {
            failures = fails_at;
            break;
        }
    }
    assert!(failures >= at_least, "{failures}");
}

#[test]
fn a_writer_that_takes_nothing_is_an_error() {
    let mut full = [0; HEADER + 10];
    let mut writer = writer(full.as_mut_slice(), 1);
    let error = writer.write_all(&text(2 * CHUNK_BYTES)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);
    assert_eq!(writer.finish().unwrap_err().kind(), ErrorKind::WriteZero);
    assert_eq!(full, sealed(2 * CHUNK_BYTES, 1)[..HEADER + 10]);
}

#[test]
fn reading_goes_on_after_each_failed_call() {
    let (stream, text) = (sealed(3 * CHUNK_BYTES, 1), text(3 * CHUNK_BYTES));
    let mut failures = 0;
    for fails_at in 0..100 {
        let mut faulty = Faulty::new(stream.as_slice(), |call| call == fails_at);
        let mut opened = Vec::new();
        match OpeningReader::new(&mut faulty, &key(), DATA) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::HostUnreachable),
            Ok(mut reader) => {
                if let Err(error) = reader.read_to_end(&mut opened) {
                    assert_eq!(error.kind(), ErrorKind::HostUnreachable);
                    reader.read_to_end(&mut opened).unwrap();
                }
                assert!(opened == text);
            }
        }
        if fails_at >= faulty.calls {
            failures = fails_at;
            break;
        }
    }
    assert!(failures > 5, "{failures}");
}

/// Where the inner reader stands is not known, so that its bytes would be taken for others.
#[test]
fn a_seek_that_failed_is_no_tampering_and_nothing_is_read_after_it() {
    let stream = sealed(3 * CHUNK_BYTES, 1);
    let place = 2 * CHUNK_BYTES as u64;
    for (to, least_calls) in [(SeekFrom::Start(place), 3), (SeekFrom::End(-1), 6)] {
        for fails_at in 0.. {
            let calls_left = Cell::new(usize::MAX);
            let fails = |_| calls_left.replace(calls_left.get().wrapping_sub(1)) == 0;
            let mut reader = reader(Faulty::new(Cursor::new(&stream), fails));
            reader.read_exact(&mut [0; 10]).unwrap();
            calls_left.set(fails_at);
            let sought = reader.seek(to);
            calls_left.set(usize::MAX);
            let read = reader.read(&mut [0]);
            if sought.is_ok() {
                assert!(read.is_ok() && fails_at >= least_calls, "{to:?}: {fails_at}");
                break;
            }
            assert_eq!(sought.unwrap_err().kind(), ErrorKind::HostUnreachable);
            assert_eq!(read.unwrap_err().kind(), ErrorKind::Other);
            assert_eq!(reader.seek(SeekFrom::Start(0)).unwrap_err().kind(), ErrorKind::Other);
        }
    }
}

#[test]
fn only_the_chunks_that_are_needed_are_read() {
    let length = 10 * CHUNK_BYTES;
    let (stream, text) = (sealed(length, 1), text(length));
    for (start, count) in [(5 * CHUNK_BYTES + 3, 10), (6 * CHUNK_BYTES - 1, 2), (length - 1, 9)] {
        let mut faulty = Faulty::new(Cursor::new(&stream), |_| false);
        let mut reader = reader(&mut faulty);
        reader.seek(SeekFrom::Start(start as u64)).unwrap();
        let end = length.min(start + count);
        assert!(read_up_to(&mut reader, count).unwrap() == text[start..end]);
        // Back within the chunk that is open: nothing is read.
        reader.seek(SeekFrom::Start(end as u64 - 1)).unwrap();
        assert_eq!(read_up_to(&mut reader, 1).unwrap(), [text[end - 1]]);
        let chunks = (end - 1) / CHUNK_BYTES - start / CHUNK_BYTES + 1;
        assert!(faulty.bytes <= HEADER + chunks * SEALED_CHUNK_BYTES + 1, "{}", faulty.bytes);
    }
}

#[test]
fn the_cores_errors_are_told_apart_from_the_inner_readers() {
    let refused = |stream: &[u8], key: &StreamKey| {
        let error = OpeningReader::new(stream, key, DATA).unwrap_err();
        of_core(&error).clone()
    };
    let stream = sealed(1, 1);
    let malformed = refused(&stream[..HEADER - 1], &key());
    assert!(matches!(malformed, Error::Malformed { field: Field::StreamHeader, .. }));
    let mut unknown = stream.clone();
    unknown[0] = 2;
    assert_eq!(refused(&unknown, &key()), Error::UnknownFormat { field: Field::StreamHeader });
    let other = StreamKey::from_caller(&Secret::from([8; 32]));
    assert_eq!(refused(&stream, &other), Error::BoxAuthentication);

    let failed = SealingWriter::new(Vec::new(), &key(), DATA, &mut Failing::at(0));
    assert_eq!(failed.unwrap_err(), Error::Randomness);
    let error = io::Error::from(Error::Randomness);
    assert_eq!(of_core(&error), &Error::Randomness);
    assert_eq!(error.to_string(), Error::Randomness.to_string());
}

#[test]
fn nothing_of_a_text_is_printed() {
    let mut sealing = writer(Vec::new(), 1);
    sealing.write_all(b"secret text").unwrap();
    assert_eq!(format!("{sealing:?}"), "SealingWriter { .. }");
    let mut reader = reader(sealed(9, 1).leak() as &[u8]);
    reader.read_exact(&mut [0; 3]).unwrap();
    assert_eq!(format!("{reader:?}"), "OpeningReader { .. }");
}
