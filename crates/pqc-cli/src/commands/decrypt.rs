//! `pqc decrypt`: what `pqc encrypt` made. No byte of a chunk appears that is not authenticated.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use pqc_core::envelope::{EnvelopeHeader, Opener};
use pqc_core::secret::Wiped;
use pqc_core::{DecapsulationKey, Error, Field, SecretVec, VerifyingKey};
use serde::Serialize;

use super::encrypt::PURPOSE;
use crate::args::DecryptArgs;
use crate::destination::{Destination, Writer};
use crate::exit::Refused;
use crate::new_file::{Report, output_name};
use crate::output::{self, Human, Output};
use crate::private_file::Unnamed;
use crate::source::{Ahead, PIECE_BYTES, Source};
use crate::{armor, input_file, key_files, progress, terminal};

/// Decrypts. A file appears whole and authenticated, or not at all; a pipe gets what is authentic
/// until something is not.
///
/// # Errors
/// [`Refused`]: it is for somebody else, was altered or cut, or the signature is not right. Otherwise
/// the keys or the files cannot be used.
pub(crate) async fn run(args: DecryptArgs, output: Output) -> anyhow::Result<()> {
    let source = Source::open(&args.file)?;
    // Nobody types a passphrase in vain, and no unfinished file lies there while one is asked for.
    Destination::check(&args.output, args.force)?;
    let report = Report::of_stream(&args.output, output)?;
    let by = By::read(&args)?;

    let bar = progress::bar(source.length());
    let sealed = bar.wrap_read(source.reader()?);
    let destination = Destination::open(&args.output, args.force, Unnamed::beside)?;
    let writer = destination.writer()?;
    let written = Arc::<AtomicU64>::default();
    let count = Arc::clone(&written);
    // It may wait for a pipe.
    let opened = tokio::task::spawn_blocking(move || open(&by, sealed, writer, &count));
    let opened = opened.await.context("decrypting stopped")?;
    bar.finish_and_clear();
    let written = written.load(Ordering::Relaxed);
    let signature = match opened {
        Ok(signature) => signature,
        Err(failed) => {
            let error = match failed {
                Failed::Write(error) => return Err(destination.cannot_write(&error)),
                Failed::Read(error) => in_words(error, &source),
                Failed::Refused(why) => Refused(why).into(),
            };
            return Err(match written {
                0 => error,
                _ if !destination.is_pipe() => error,
                _ => incomplete(error, written),
            });
        }
    };
    destination.finish().await?;
    if signature == Signature::Unverified {
        output::note(format_args!(
            "pqc: it is signed, and the signature was not verified: --verify-with does it"
        ));
    }
    report.show(&Decrypted { output: output_name(&args.output), bytes: written, signature })
}

/// An error after a pipe got something.
fn incomplete(error: anyhow::Error, written: u64) -> anyhow::Error {
    let why = format!("the {written} bytes that came out are incomplete: {error:#}");
    if error.is::<Refused>() { Refused(why).into() } else { anyhow!(why) }
}

/// By what it is opened, and whose signature it must have.
struct By {
    key: Option<DecapsulationKey>,
    passphrase: Option<SecretVec>,
    signer: Option<VerifyingKey>,
}

impl By {
    fn read(args: &DecryptArgs) -> anyhow::Result<Self> {
        let inputs = args.identity.iter().chain(&args.passphrase_file).chain(&args.verify_with);
        input_file::at_most_one_stdin(inputs.chain([&args.file]).map(PathBuf::as_path))?;
        let passphrase = match &args.passphrase_file {
            Some(file) => Some(key_files::passphrase(file)?),
            None if args.passphrase => {
                let name = input_file::name(&args.file);
                Some(terminal::ask_passphrase(&name)?)
            }
            None => None,
        };
        let key = args
            .identity
            .as_deref()
            .map(|file| {
                key_files::decapsulation_key(file, passphrase.as_ref(), key_files::PASSPHRASE_FILE)
            })
            .transpose()?;
        let signer = args.verify_with.as_deref().map(key_files::verifying_key).transpose()?;
        Ok(Self { key, passphrase, signer })
    }

    fn opener(&self) -> Opener<'_> {
        match (&self.key, &self.passphrase) {
            (Some(key), _) => Opener::Key(key),
            (None, passphrase) => {
                Opener::Passphrase(passphrase.as_ref().map_or(&[], SecretVec::expose_bytes))
            }
        }
    }
}

enum Failed {
    /// Or what was read is not right: then it holds an error of the core.
    Read(io::Error),
    Write(io::Error),
    Refused(String),
}

/// Opens all of `sealed`; `written` is how much of the text is out.
fn open(
    by: &By,
    sealed: impl Read + Send + 'static,
    writer: Writer,
    written: &AtomicU64,
) -> Result<Signature, Failed> {
    let sealed = armor::reader(BufReader::new(Ahead::of(sealed))).map_err(Failed::Read)?;
    let mut sealed = sealed;
    let header = EnvelopeHeader::read_from(&mut sealed).map_err(Failed::Read)?;
    let key = header.open(&by.opener()).map_err(|error| Failed::Read(error.into()))?;
    match (header.signature_algorithm(), &by.signer) {
        (None, Some(_)) => Err(Failed::Refused("it is not signed".to_owned())),
        (None, None) => {
            let text = key.reader(sealed, PURPOSE).map_err(Failed::Read)?;
            copy(text, writer, written).map(|()| Signature::None)
        }
        (Some(_), signer) => {
            let text = key.signed_reader(sealed, signer.as_ref(), PURPOSE).map_err(Failed::Read)?;
            copy(text, writer, written)?;
            Ok(if signer.is_some() { Signature::Verified } else { Signature::Unverified })
        }
    }
}

fn copy(mut text: impl Read, mut writer: Writer, written: &AtomicU64) -> Result<(), Failed> {
    let mut buffer = Wiped::new(vec![0; PIECE_BYTES]);
    loop {
        let count = text.read(&mut buffer).map_err(Failed::Read)?;
        let piece = buffer.get(..count).unwrap_or_default();
        if piece.is_empty() {
            return writer.flush().map_err(Failed::Write);
        }
        writer.write_all(piece).map_err(Failed::Write)?;
        written.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// An error of what was read: of the disk, or of what stands there.
fn in_words(error: io::Error, source: &Source) -> anyhow::Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            return Refused(format!("it was altered or cut: {error}")).into();
        }
        Err(error) => return anyhow::Error::new(error).context(source.cannot_read()),
    };
    match error {
        Error::NotARecipient => {
            Refused("it is not for this key: pqc inspect names the keys that it is for".to_owned())
                .into()
        }
        Error::WrongPassphrase | Error::EnvelopeSignature => Refused(error.to_string()).into(),
        Error::BoxAuthentication => Refused(
            "it was altered or cut, or is something else that pqc encrypted (a backup?)".to_owned(),
        )
        .into(),
        Error::EnvelopeTruncated | Error::Malformed { field: Field::StreamHeader, .. } => {
            Refused(format!("{} was cut: it ends within its header", source.name())).into()
        }
        Error::NotAnEnvelope => anyhow!(
            "{} is nothing that pqc encrypt made: pqc inspect tells what a file is",
            source.name()
        ),
        Error::UnknownFormat { .. } => {
            anyhow!("{} was altered, or made by a later version of pqc: {error}", source.name())
        }
        Error::EnvelopeOpener { expected: "a passphrase" } => {
            anyhow!(
                "it is encrypted to a passphrase: give --passphrase or --passphrase-file, and no --identity"
            )
        }
        Error::EnvelopeOpener { .. } => {
            anyhow!("it is encrypted to keys: give the secret key with --identity")
        }
        error => error.into(),
    }
}

/// What is known of the signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Signature {
    None,
    Unverified,
    Verified,
}

#[derive(Debug, Serialize)]
struct Decrypted {
    output: String,
    bytes: u64,
    signature: Signature,
}

impl Human for Decrypted {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let signature = match self.signature {
            Signature::None => "",
            Signature::Unverified => ", signature not verified",
            Signature::Verified => ", signature verified",
        };
        writeln!(out, "{}: {} bytes{signature}", self.output, self.bytes)
    }
}
