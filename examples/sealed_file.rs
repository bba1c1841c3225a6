//! A file of any size, sealed to a receiver and read from its middle, in constant memory.
//!
//! The file begins with the KEM's ciphertext, by which only the receiver gets the key; behind it
//! lies the stream. What was cut or changed does not open.
//!
//! Run it: `cargo run --package pqc-examples --bin sealed_file`
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use getrandom::SysRng;
use pqc_core::stream::{OpeningReader, SealingWriter};
use pqc_core::{Ciphertext, DecapsulationKey, EncapsulationKey, Error, KemAlgorithm, StreamKey};

const NAME: &[u8] = b"measurements of 2026";

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("measurements.sealed");
    let receiver = DecapsulationKey::generate(KemAlgorithm::XWing, &mut SysRng)?;

    // The key is at hand here; one that came from elsewhere wants an attestation first.
    let text = seal(&path, receiver.encapsulation_key())?;
    println!("sealed:  {} lines, {} bytes", LINES, text.len());

    let line = LINES / 2;
    let at = text.find(&line_of(line)).context("the line was written")?;
    let read = read_at(&path, &receiver, at as u64, line_of(line).len())?;
    ensure!(read == line_of(line));
    println!("opened:  {}", read.trim_end());

    let length = std::fs::metadata(&path)?.len();
    OpenOptions::new().write(true).open(&path)?.set_len(length - 1)?;
    let refused = open(&path, &receiver)?.read_to_end(&mut Vec::new());
    let refused = refused.err().context("a file that was cut was taken for whole")?;
    println!("refused: {}", refused.downcast::<Error>()?);
    Ok(())
}

/// Writes the file, line by line; gives what was written, to compare.
fn seal(path: &Path, receiver: &EncapsulationKey) -> Result<String> {
    let (ciphertext, secret) = receiver.encapsulate_unattested(&mut SysRng)?;
    let key = StreamKey::from_caller(secret.as_secret());
    let mut file = File::create(path)?;
    file.write_all(ciphertext.as_bytes())?;
    let mut stream = SealingWriter::new(file, &key, NAME, &mut SysRng)?;
    let mut text = String::new();
    for line in (0..LINES).map(line_of) {
        stream.write_all(line.as_bytes())?;
        text.push_str(&line);
    }
    // Without this the file has no end, and says so to who reads it.
    stream.finish()?.sync_all()?;
    Ok(text)
}

fn open(path: &Path, receiver: &DecapsulationKey) -> Result<OpeningReader<impl Read + Seek>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut ciphertext = vec![0; receiver.algorithm().ciphertext_bytes()];
    file.read_exact(&mut ciphertext)?;
    let secret = receiver.decapsulate(&Ciphertext::from_bytes(&ciphertext)?)?;
    Ok(OpeningReader::new(file, &StreamKey::from_caller(secret.as_secret()), NAME)?)
}

/// Reads the one or two chunks in which `length` bytes from `offset` lie.
fn read_at(path: &Path, receiver: &DecapsulationKey, offset: u64, length: usize) -> Result<String> {
    let mut stream = open(path, receiver)?;
    stream.seek(SeekFrom::Start(offset))?;
    let mut read = vec![0; length];
    stream.read_exact(&mut read)?;
    Ok(String::from_utf8(read)?)
}

fn line_of(number: usize) -> String {
    format!("measurement {number}: {}\n", number * number)
}

const LINES: usize = 20_000;
