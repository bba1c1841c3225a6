//! `pqc inspect`: what a file is, without a secret of it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context;
use pqc_core::inspect::{Description, inspect};
use pqc_core::keyfile::PublicKey;
use pqc_core::secret::Wiped;
use serde::Serialize;

use crate::args::InspectArgs;
use crate::exit::Refused;
use crate::output::{self, Human, Output};
use crate::x509::{self, KeyKind, Statement};
use crate::{input_file, logging, private_file};

/// Describes the file.
///
/// # Errors
/// [`Refused`]: it is nothing that is known. Otherwise it cannot be read.
pub(crate) fn run(args: &InspectArgs, output: Output) -> anyhow::Result<()> {
    let file = args.file.as_path();
    let name = output::harmless(&input_file::name(file));
    let (start, bytes) = read(file).with_context(|| format!("cannot read {name}"))?;
    let found = describe(&start, bytes);
    let warnings = warnings(file, &found);
    let is_known = !found.is_empty();
    let report = Report { file: name, bytes, found, warnings };
    output.show(&report)?;
    if output == Output::Text {
        for warning in &report.warnings {
            logging::warn(format_args!("{warning}"));
        }
    }
    if is_known {
        return Ok(());
    }
    let name = &report.file;
    Err(Refused(format!("{name} is nothing that is known here ({bytes} bytes)")).into())
}

/// The first bytes of a file, and how many it has in all.
fn read(file: &Path) -> io::Result<(Wiped<Vec<u8>>, u64)> {
    let mut start = Wiped::new(Vec::with_capacity(MOST_BYTES));
    let limit = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX);
    if input_file::is_stdin(file) {
        let mut source = io::stdin().lock();
        source.by_ref().take(limit).read_to_end(&mut start)?;
        let behind = io::copy(&mut source, &mut io::sink())?;
        let bytes = u64::try_from(start.len()).unwrap_or(u64::MAX);
        return Ok((start, bytes.saturating_add(behind)));
    }
    let source = File::open(file)?;
    let bytes = source.metadata()?.len();
    source.take(limit).read_to_end(&mut start)?;
    // A pipe has no length beforehand, and a file may have grown.
    let read = u64::try_from(start.len()).unwrap_or(u64::MAX);
    Ok((start, if read < limit { read } else { bytes.max(read) }))
}

fn describe(start: &[u8], bytes: u64) -> Vec<Found> {
    match x509::read(start) {
        Some(chain) if !chain.is_empty() => {
            let is_der = start.starts_with(&[0x30]) && std::str::from_utf8(start).is_err();
            let encoding = if is_der { "DER" } else { "PEM" };
            chain.into_iter().map(|one| Found::of_certificate(one, encoding)).collect()
        }
        _ => inspect(start, bytes).into_iter().map(Found::new).collect(),
    }
}

fn warnings(file: &Path, found: &[Found]) -> Vec<String> {
    let name = output::harmless(&input_file::name(file));
    let mut warnings = Vec::new();
    let Some(secret) = found.iter().find(|found| found.secret) else { return warnings };
    if secret.certain {
        warnings.push(format!("{name} is not encrypted: whoever reads it has the secret"));
    }
    if !input_file::is_stdin(file) && private_file::is_open_to_others(file) {
        let unless = if secret.certain { "" } else { ": if it is a secret" };
        warnings.push(format!("{name} can be read by others{unless}: run chmod 600 on it"));
    }
    warnings
}

/// What is printed: of several things found, the file is one.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    bytes: u64,
    found: Vec<Found>,
    warnings: Vec<String>,
}

/// What a file is, or may be.
#[derive(Debug, Serialize)]
struct Found {
    what: &'static str,
    certain: bool,
    encoding: &'static str,
    algorithm: Option<String>,
    category: Option<u8>,
    bytes: u64,
    key_id: Option<String>,
    fingerprint: Option<String>,
    secret: bool,
    details: Vec<Fact>,
    #[serde(rename = "use")]
    advice: &'static str,
}

#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

impl Found {
    fn new(found: Description) -> Self {
        let fact = |detail: pqc_core::inspect::Detail| Fact::new(detail.name, &detail.value);
        Self {
            what: found.kind.name(),
            certain: found.is_certain,
            encoding: found.encoding.name(),
            algorithm: found.algorithm.map(str::to_owned),
            category: found.category,
            bytes: found.bytes,
            key_id: found.key_id.map(|id| id.to_string()),
            fingerprint: found.fingerprint.map(hex::encode),
            secret: found.kind.is_secret(),
            details: found.details.into_iter().map(fact).collect(),
            advice: found.kind.advice(),
        }
    }

    fn of_certificate(says: Statement, encoding: &'static str) -> Self {
        let key = says.public_key.as_ref();
        let fingerprint = match key {
            Some(PublicKey::Verifying(key)) => Some(hex::encode(key.fingerprint())),
            _ => None,
        };
        let details = [
            ("subject", says.subject),
            ("issuer", says.issuer),
            ("signed by", says.signed_by.to_string()),
            ("from", says.not_before),
            ("until", says.not_after),
        ];
        Self {
            what: "certificate",
            certain: true,
            encoding,
            algorithm: Some(says.key.to_string()),
            category: key.and_then(|key| key.algorithm().category()),
            bytes: u64::try_from(says.bytes).unwrap_or(u64::MAX),
            key_id: key.map(|key| key.key_id().to_string()),
            fingerprint,
            secret: false,
            details: details.iter().map(|(name, value)| Fact::new(name, value)).collect(),
            advice: match says.key {
                KeyKind::PostQuantum(_) => {
                    "public: it says whose a post-quantum key is; its signature was not verified"
                }
                KeyKind::Classical(_) => {
                    "public: its key is none that withstands quantum computers"
                }
                KeyKind::Other(_) => "public: its key has an algorithm that is not known here",
            },
        }
    }
}

impl Fact {
    /// What a file says may hold anything.
    fn new(name: &'static str, value: &str) -> Self {
        Self { name, value: output::harmless(value) }
    }
}

impl Human for Report {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (at, found) in self.found.iter().enumerate() {
            let name = if at == 0 { self.file.as_str() } else { "or" };
            let guess = if found.certain { "" } else { "perhaps " };
            writeln!(out, "{name}: {guess}{} ({})", found.what, found.encoding)?;
            found.write(out)?;
        }
        Ok(())
    }
}

impl Found {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = Vec::new();
        let mut row = |name: &str, value: String| rows.push([format!("  {name}"), value]);
        if let Some(algorithm) = &self.algorithm {
            let category = self.category.map(|category| format!(", NIST category {category}"));
            row("algorithm", format!("{algorithm}{}", category.unwrap_or_default()));
        }
        row("size", format!("{} bytes", self.bytes));
        if let Some(id) = &self.key_id {
            row("key id", id.clone());
        }
        if let Some(fingerprint) = &self.fingerprint {
            row("fingerprint", fingerprint.clone());
        }
        for Fact { name, value } in &self.details {
            row(name, value.clone());
        }
        row("use", self.advice.to_owned());
        output::write_table(out, &rows)
    }
}

/// What most kinds are told by; as much as a prompt of ACVP may have.
const MOST_BYTES: usize = 16 * 1024 * 1024;
