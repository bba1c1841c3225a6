//! `pqc sig`: signatures of files, by keys that no server holds.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use pqc_core::keyfile::PrivateKey;
use pqc_core::manifest::Manifest;
use pqc_core::{Signature, SigningKey, VerifyingKey};
use serde::Serialize;

use crate::args::{SigArgs, SigVerb, SignArgs, VerifyArgs};
use crate::exit::Refused;
use crate::new_file::{NewFile, Report};
use crate::output::{Human, Output};
use crate::signed_files::{self, Comparison, Fault};
use crate::signing_form::SigningForm;
use crate::source::Source;
use crate::{input_file, key_files, key_pair};

/// Does what was asked.
///
/// # Errors
/// [`Refused`]: a signature does not verify. Otherwise a file is there already, cannot be written or
/// read, or holds something else.
pub(crate) fn run(args: SigArgs, output: Output) -> anyhow::Result<()> {
    match args.verb {
        SigVerb::Keygen { algorithm, pair } => {
            let key = SigningKey::generate(algorithm, &mut getrandom::SysRng)?;
            key_pair::write(&PrivateKey::from(key), &pair, output)
        }
        SigVerb::Sign(args) => sign(&args, output),
        SigVerb::Verify(args) => verify(&args, output),
    }
}

fn sign(args: &SignArgs, output: Output) -> anyhow::Result<()> {
    let form = SigningForm::new(&args.form)?;
    let signature_out = NewFile::public(&args.out, args.force)?;
    let manifest_out = args.manifest.as_deref().map(|path| NewFile::public(path, args.force));
    let manifest_out = manifest_out.transpose()?;
    let made: Vec<_> = manifest_out.iter().chain([&signature_out]).collect();
    let report = Report::beside(&made, output)?;
    let inputs = [Some(args.key.key.as_path()), args.key.passphrase_file.as_deref()];
    let files = args.files.iter().map(|file| file.as_path());
    input_file::at_most_one_stdin(inputs.into_iter().flatten().chain(files))?;
    if manifest_out.is_none() {
        check_alone(&args.files)?;
    }

    let passphrase = args.key.passphrase_file.as_deref().map(key_files::passphrase).transpose()?;
    let key =
        key_files::signing_key(&args.key.key, passphrase.as_ref(), key_files::PASSPHRASE_FILE)?;
    let sign = |message: &mut dyn io::Read| form.sign(&key, message, args.deterministic);
    let mut filled = Vec::new();
    let signature = match (manifest_out, args.files.as_slice()) {
        (Some(manifest_out), files) => {
            let manifest = signed_files::manifest_of(files)?.to_bytes();
            let signature = sign(&mut manifest.as_slice()).context("cannot sign the manifest")?;
            filled.push(manifest_out.fill(&manifest)?);
            signature
        }
        (None, [file, ..]) => {
            let source = Source::open(file)?;
            let signed = sign(&mut source.reader()?);
            signed
                .and_then(|signature| source.check_unchanged().map(|()| signature))
                .with_context(|| format!("cannot sign {}", source.name()))?
        }
        (None, []) => bail!("there is no FILE to sign"),
    };
    filled.push(signature_out.fill(signature.as_bytes())?);
    filled.into_iter().try_for_each(|file| file.appear())?;

    report.show(&Signed {
        algorithm: key.algorithm().name(),
        form: form.name(),
        key_id: key.verifying_key().key_id().to_string(),
        files: args.files.len(),
    })
}

fn verify(args: &VerifyArgs, output: Output) -> anyhow::Result<()> {
    let form = SigningForm::new(&args.form)?;
    let inputs = [Some(args.public_key.as_path()), Some(&args.signature), args.manifest.as_deref()];
    let files = args.files.iter().map(|file| file.as_path());
    input_file::at_most_one_stdin(inputs.into_iter().flatten().chain(files))?;
    if args.manifest.is_none() {
        check_alone(&args.files)?;
    }
    let key = key_files::verifying_key(&args.public_key)?;
    let signature = read_signature(&args.signature, &key)?;
    match (&args.manifest, args.files.as_slice()) {
        (Some(manifest), files) => {
            // Read once: what is compared is what was verified.
            let bytes = input_file::read_public(manifest, MAX_MANIFEST_BYTES)?;
            let verifies = form.verifies(&key, bytes.as_slice(), &signature)?;
            verdict(&key, verifies, manifest, output, || {
                let name = || input_file::name(manifest);
                Ok(Some(signed_files::compare(&Manifest::parse(&bytes).with_context(name)?, files)))
            })
        }
        (None, [file, ..]) => {
            let verifies = input_file::open(file)
                .and_then(|message| form.verifies(&key, message, &signature))
                .with_context(|| format!("cannot read {}", input_file::name(file)))?;
            verdict(&key, verifies, file, output, || Ok(None))
        }
        (None, []) => bail!("there is no FILE to verify"),
    }
}

/// Shows whether the signature of `signed` verifies and, where it does, how the files compare that it
/// vouches for.
fn verdict(
    key: &VerifyingKey,
    verifies: bool,
    signed: &Path,
    output: Output,
    compare: impl FnOnce() -> anyhow::Result<Option<Comparison>>,
) -> anyhow::Result<()> {
    let comparison = if verifies { compare()? } else { None };
    let faults: &[_] = comparison.as_ref().map_or(&[], |comparison| &comparison.faults);
    let verdict = Verdict {
        verified: verifies && faults.is_empty(),
        signature: verifies,
        algorithm: key.algorithm().name(),
        key_id: key.key_id().to_string(),
        files: comparison.as_ref().map_or(usize::from(verifies), |comparison| comparison.files),
        faults: faults.iter().map(|(name, fault)| FaultyFile::new(name, fault)).collect(),
    };
    output.show(&verdict)?;
    if !verifies {
        return Err(Refused(format!(
            "the signature does not verify: {} was altered, or another key, --context or --prehash \
             signed it",
            input_file::name(signed)
        ))
        .into());
    }
    let files = match faults.len() {
        0 => return Ok(()),
        1 => "1 file is".to_owned(),
        count => format!("{count} files are"),
    };
    Err(Refused(format!(
        "the manifest is the signer's, but {files} not as it says: use nothing that is named above"
    ))
    .into())
}

fn read_signature(file: &Path, key: &VerifyingKey) -> anyhow::Result<Signature> {
    let name = input_file::name(file);
    let bytes = input_file::read_public(file, MAX_SIGNATURE_BYTES)?;
    let signature = Signature::from_bytes(&bytes)
        .map_err(|error| anyhow!("{name}: {error}; give what `pqc sig sign` wrote"))?;
    let (made, expected) = (signature.algorithm(), key.algorithm());
    if made != expected {
        bail!("{name} is a signature of {made}, the key one of {expected}: give the signer's key");
    }
    Ok(signature)
}

fn check_alone(files: &[std::path::PathBuf]) -> anyhow::Result<()> {
    if files.len() > 1 {
        bail!("a signature is of one FILE: with --manifest many are signed and verified at once");
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct Signed {
    algorithm: &'static str,
    form: &'static str,
    key_id: String,
    files: usize,
}

impl Human for Signed {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "signed  {}  {}", self.algorithm, self.key_id)
    }
}

#[derive(Debug, Serialize)]
struct Verdict {
    /// The signature is the key's, and each file is as it was signed.
    verified: bool,
    signature: bool,
    algorithm: &'static str,
    key_id: String,
    /// How many were compared.
    files: usize,
    faults: Vec<FaultyFile>,
}

#[derive(Debug, Serialize)]
struct FaultyFile {
    name: String,
    fault: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl FaultyFile {
    fn new(name: &str, fault: &Fault) -> Self {
        let (fault, why) = match fault {
            Fault::Altered => ("altered", None),
            Fault::Missing => ("missing", None),
            Fault::Unreadable(why) => ("unreadable", Some(why.clone())),
            Fault::Extra => ("extra", None),
        };
        Self { name: name.to_owned(), fault, why }
    }
}

impl Human for Verdict {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for FaultyFile { name, fault, why } in &self.faults {
            match why {
                Some(why) => writeln!(out, "{name}: {fault}: {why}")?,
                None => writeln!(out, "{name}: {fault}")?,
            }
        }
        if !self.verified {
            return Ok(());
        }
        writeln!(out, "verified  {}  {}", self.algorithm, self.key_id)
    }
}

/// Many times the largest signature, so that the refusal can say how long this one is.
const MAX_SIGNATURE_BYTES: usize = 1024 * 1024;
/// Some hundred thousand files.
const MAX_MANIFEST_BYTES: usize = 64 * 1024 * 1024;
