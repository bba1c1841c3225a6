//! `pqc encrypt`: a file of any length for its recipients, in constant memory.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use pqc_core::envelope::{self, Recipients};
use pqc_core::{EncapsulationKey, PassphraseParameters, SecretVec, SigningKey};
use serde::Serialize;

use crate::args::EncryptArgs;
use crate::armor::ArmoringWriter;
use crate::destination::{Destination, Writer};
use crate::new_file::{Report, output_name};
use crate::output::{Human, Output};
use crate::private_file::Unnamed;
use crate::source::{Ahead, Source};
use crate::{input_file, key_files, progress, terminal};

/// Encrypts. The output appears whole, or not at all.
///
/// # Errors
/// The keys or the files cannot be used; the file changed while it was read.
pub(crate) async fn run(args: EncryptArgs, output: Output) -> anyhow::Result<()> {
    let source = Arc::new(Source::open(&args.file)?);
    // Nobody types a passphrase in vain, and no unfinished file lies there while one is asked for.
    Destination::check(&args.output, args.force)?;
    let report = Report::of_stream(&args.output, output)?;
    if input_file::is_stdin(&args.output) && !args.armor && io::stdout().is_terminal() {
        bail!("a terminal shows no bytes: give a file with --output, or --armor");
    }
    let to = To::read(&args)?;
    let recipients = to.count();
    let signed_with = to.signer.as_ref().map(|key| key.algorithm().name());

    let bar = progress::bar(source.length());
    let plain = bar.wrap_read(source.reader()?);
    let destination = Destination::open(&args.output, args.force, Unnamed::for_all_beside)?;
    let writer = Armor::new(destination.writer()?, args.armor)
        .map_err(|error| destination.cannot_write(&error))?;
    let read = Arc::clone(&source);
    // It may wait for a pipe.
    let sealed = tokio::task::spawn_blocking(move || seal(&to, &read, Ahead::of(plain), writer));
    let sealed = sealed.await.context("encrypting stopped")?;
    bar.finish_and_clear();
    let bytes = match sealed {
        Ok(bytes) => bytes,
        Err(Failed::Read(error)) => return Err(error).context(source.cannot_read()),
        Err(Failed::Write(error)) => return Err(destination.cannot_write(&error)),
        Err(Failed::Core(error)) => return Err(error.into()),
    };
    destination.finish().await?;
    report.show(&Encrypted { output: output_name(&args.output), bytes, recipients, signed_with })
}

/// For whom, and by whom.
struct To {
    recipients: Vec<EncapsulationKey>,
    passphrase: Option<SecretVec>,
    signer: Option<SigningKey>,
}

impl To {
    fn read(args: &EncryptArgs) -> anyhow::Result<Self> {
        let inputs = args.recipient.iter().chain(&args.passphrase_file).chain(&args.sign_with);
        let inputs = inputs.chain(&args.sign_passphrase_file).chain([&args.file]);
        input_file::at_most_one_stdin(inputs.map(PathBuf::as_path))?;
        let recipients = args.recipient.iter().map(|file| key_files::encapsulation_key(file));
        let key_passphrase =
            args.sign_passphrase_file.as_deref().map(key_files::passphrase).transpose()?;
        Ok(Self {
            recipients: recipients.collect::<Result<_, _>>()?,
            passphrase: Self::passphrase(args)?,
            signer: match &args.sign_with {
                Some(file) => Some(key_files::signing_key(file, key_passphrase.as_ref(), OPTION)?),
                None => None,
            },
        })
    }

    fn passphrase(args: &EncryptArgs) -> anyhow::Result<Option<SecretVec>> {
        if args.passphrase {
            return terminal::ask_new_passphrase(&output_name(&args.output)).map(Some);
        }
        args.passphrase_file.as_deref().map(key_files::passphrase).transpose()
    }

    /// How many keys there are; one that is named twice counts once.
    fn count(&self) -> usize {
        let ids = self.recipients.iter().map(|key| key.key_id().to_string());
        ids.collect::<BTreeSet<_>>().len()
    }
}

enum Failed {
    Read(io::Error),
    Write(io::Error),
    Core(pqc_core::Error),
}

/// Seals all of `plain`, which is what is read of `source`, and gives its length. Where `source` did not
/// stay as it was, the output is left without an end.
fn seal(to: &To, source: &Source, mut plain: Ahead, writer: Armor) -> Result<u64, Failed> {
    let rng = &mut getrandom::SysRng;
    let keys: Vec<&EncapsulationKey> = to.recipients.iter().collect();
    let recipients = match &to.passphrase {
        Some(passphrase) => {
            let parameters = PassphraseParameters::generate(rng).map_err(Failed::Core)?;
            Recipients::Passphrase(passphrase.expose_bytes(), parameters)
        }
        None => Recipients::Keys(&keys),
    };
    let writer = match &to.signer {
        Some(signer) => {
            let writer = envelope::signing_writer(writer, &recipients, signer, PURPOSE, rng);
            let mut writer = writer.map_err(Failed::Core)?;
            let bytes = copy(&mut plain, &mut writer)?;
            source.check_unchanged().map_err(Failed::Read)?;
            writer.finish(rng).map(|writer| (writer, bytes))
        }
        None => {
            let writer = envelope::writer(writer, &recipients, PURPOSE, rng);
            let mut writer = writer.map_err(Failed::Core)?;
            let bytes = copy(&mut plain, &mut writer)?;
            source.check_unchanged().map_err(Failed::Read)?;
            writer.finish().map(|writer| (writer, bytes))
        }
    };
    let (writer, bytes) = writer.map_err(Failed::Write)?;
    writer.finish().map_err(Failed::Write)?;
    Ok(bytes)
}

fn copy(from: &mut Ahead, to: &mut impl Write) -> Result<u64, Failed> {
    let mut bytes = 0_u64;
    loop {
        let piece = from.next_piece().map_err(Failed::Read)?;
        if piece.is_empty() {
            return Ok(bytes);
        }
        to.write_all(&piece).map_err(Failed::Write)?;
        bytes = bytes.saturating_add(piece.len() as u64);
        from.give_back(piece);
    }
}

/// The output, in armor or not.
enum Armor {
    Off(Writer),
    On(Box<ArmoringWriter<BufWriter<Writer>>>),
}

impl Armor {
    fn new(writer: Writer, is_on: bool) -> io::Result<Self> {
        if !is_on {
            return Ok(Self::Off(writer));
        }
        ArmoringWriter::new(BufWriter::with_capacity(BUFFER_BYTES, writer))
            .map(|writer| Self::On(Box::new(writer)))
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Off(mut writer) => writer.flush(),
            Self::On(writer) => writer.finish()?.flush(),
        }
    }
}

impl Write for Armor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Off(writer) => writer.write(bytes),
            Self::On(writer) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Off(writer) => writer.flush(),
            Self::On(writer) => writer.flush(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Encrypted {
    output: String,
    /// Of the text.
    bytes: u64,
    /// 0: who knows the passphrase.
    recipients: usize,
    signed_with: Option<&'static str>,
}

impl Human for Encrypted {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { output, bytes, recipients, signed_with } = self;
        let whom = match recipients {
            0 => "who knows the passphrase".to_owned(),
            1 => "1 recipient".to_owned(),
            count => format!("{count} recipients"),
        };
        let signed = signed_with.map(|set| format!(", signed ({set})")).unwrap_or_default();
        writeln!(out, "{output}: {bytes} bytes for {whom}{signed}")
    }
}

const OPTION: &str = "--sign-passphrase-file";
/// Armor is made in small pieces.
const BUFFER_BYTES: usize = 256 * 1024;
/// What the envelope is bound to: no other one of ours passes for a file.
pub(super) const PURPOSE: &[u8] = b"pqc/v1/file";
