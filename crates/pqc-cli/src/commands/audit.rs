//! `pqc audit`: the log of what was done, verified, printed and signed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use pqc_core::VerifyingKey;
use pqc_core::audit::{Checkpoint, Report};
use pqc_service::Service;
use pqc_service::audit::line::{self, Verified};
use serde::Serialize;

use super::rfc3339;
use crate::args::{AuditArgs, AuditVerb};
use crate::config::StoreConfig;
use crate::exit::{OutputClosed, Refused};
use crate::opened::Opened;
use crate::output::{self, Human, Output};
use crate::private_file;

/// Does what was asked.
///
/// # Errors
/// Those of the store and the files; something is wrong with the log.
pub(crate) async fn run(args: AuditArgs, output: Output) -> anyhow::Result<()> {
    let AuditArgs { store, verb } = args;
    let verb = match verb {
        AuditVerb::Verify { export, key, against } => {
            let trust = Trust::read(key.as_deref(), against.as_deref())?;
            if let Some(export) = export {
                let mut export = open(&export)?;
                return told(&trust.verify(&mut export)?, trust.is_pinned(), output);
            }
            Verb::Verify(trust)
        }
        AuditVerb::Export => Verb::Export,
        AuditVerb::Checkpoint => Verb::Checkpoint,
        AuditVerb::Key => Verb::Key,
    };
    let (opened, _) = Opened::open_existing(&StoreConfig::new(store)?).await?;
    let service = &opened.service;
    let done = match verb {
        Verb::Verify(trust) => verify_store(service, trust, output).await,
        Verb::Export => export(service).await,
        Verb::Checkpoint => checkpoint(service, output).await,
        Verb::Key => keys(service, output).await,
    };
    opened.close().await;
    done
}

enum Verb {
    Verify(Trust),
    Export,
    Checkpoint,
    Key,
}

/// What is believed of a log.
struct Trust {
    keys: Vec<VerifyingKey>,
    kept: Vec<Checkpoint>,
}

impl Trust {
    fn read(key: Option<&Path>, against: Option<&Path>) -> anyhow::Result<Self> {
        let keys = key.map(read_keys).transpose()?.unwrap_or_default();
        let kept = match against {
            Some(file) => {
                let kept = line::checkpoints(&mut open(file)?);
                let kept = kept.with_context(|| file.display().to_string())?;
                if kept.is_empty() {
                    anyhow::bail!("{} holds no checkpoint", file.display());
                }
                kept
            }
            None => Vec::new(),
        };
        Ok(Self { keys, kept })
    }

    fn is_pinned(&self) -> bool {
        !self.keys.is_empty()
    }

    fn verify(&self, export: &mut impl BufRead) -> anyhow::Result<Verified> {
        Ok(line::verify(export, self.keys.clone(), &self.kept)?)
    }
}

/// The store's log goes through a pipe, so that one of any length needs little memory.
async fn verify_store(service: &Arc<Service>, trust: Trust, output: Output) -> anyhow::Result<()> {
    let (reader, writer) = io::pipe().context("cannot make a pipe")?;
    let is_pinned = trust.is_pinned();
    let verified = tokio::task::spawn_blocking(move || trust.verify(&mut BufReader::new(reader)));
    let exported = {
        let mut out = BufWriter::new(writer);
        let exported = service.export_audit(&mut out).await;
        exported.and_then(|_| out.flush().map_err(pqc_service::Error::ExportNotWritten))
    };
    let verified = verified.await.context("the task that verifies has ended")?;
    match (exported, verified) {
        (_, Ok(verified)) => told(&verified, is_pinned, output),
        // Whoever reads no more has a reason.
        (Err(pqc_service::Error::ExportNotWritten(_)) | Ok(()), Err(error)) => Err(error),
        (Err(error), _) => Err(error.into()),
    }
}

async fn export(service: &Service) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    let exported = service.export_audit(&mut out).await;
    let flushed = out.flush();
    match exported {
        Ok(_) => flushed.map_err(closed),
        Err(pqc_service::Error::ExportNotWritten(error)) => Err(closed(error)),
        Err(error) => Err(error.into()),
    }
}

fn closed(error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => OutputClosed.into(),
        _ => anyhow::Error::from(error).context("cannot write to stdout"),
    }
}

async fn checkpoint(service: &Service, output: Output) -> anyhow::Result<()> {
    let last = service.note_checkpoint().await?;
    let last = last.context("nothing was signed")?;
    output.show(&Line(serde_json::from_str(&line::checkpoint_line(&last)?)?))
}

async fn keys(service: &Service, output: Output) -> anyhow::Result<()> {
    let keys = service.checkpoint_keys().await?;
    let keys = keys.iter().map(|key| hex::encode(key.as_bytes())).collect();
    output.show(&Keys { keys })
}

fn told(verified: &Verified, is_pinned: bool, output: Output) -> anyhow::Result<()> {
    let Verified { report, keys } = verified;
    if !is_pinned {
        for key in keys {
            output::note(format_args!(
                "the key of checkpoints is taken from the log itself; compare its fingerprint \
                 (SHA-256), or give --key: {}",
                hex::encode(key.fingerprint())
            ));
        }
    }
    output.show(&Told::from(report))?;
    match report.findings.len() {
        0 => Ok(()),
        1 => Err(Refused("something is wrong with the log".to_owned()).into()),
        count => Err(Refused(format!("{count} things are wrong with the log")).into()),
    }
}

fn open(file: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(BufReader::new(opened)))
}

fn read_keys(file: &Path) -> anyhow::Result<Vec<VerifyingKey>> {
    let name = || file.display().to_string();
    let bytes = private_file::read(file, MAX_KEY_BYTES).with_context(name)?;
    let text = std::str::from_utf8(&bytes).with_context(name)?;
    let key = |line: &str| Ok(VerifyingKey::from_bytes(&hex::decode(line.trim())?)?);
    let keys = text.lines().map(key).collect::<anyhow::Result<Vec<_>>>().with_context(name)?;
    anyhow::ensure!(!keys.is_empty(), "{} holds no key", file.display());
    Ok(keys)
}

#[derive(Debug, Serialize)]
struct Told {
    whole: bool,
    rows: u64,
    chains: u64,
    checkpoints: u64,
    uncovered: u64,
    covered_until_ms: Option<u64>,
    findings: Vec<String>,
}

impl From<&Report> for Told {
    fn from(report: &Report) -> Self {
        Self {
            whole: report.findings.is_empty(),
            rows: report.rows,
            chains: report.chains,
            checkpoints: report.checkpoints,
            uncovered: report.uncovered,
            covered_until_ms: report.covered_until.map(|time| time.millis()),
            findings: report.findings.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Human for Told {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for finding in &self.findings {
            writeln!(out, "{finding}")?;
        }
        let Self { rows, chains, checkpoints, uncovered, .. } = self;
        writeln!(out, "{rows} rows in {chains} chains, {checkpoints} checkpoints")?;
        match self.covered_until_ms {
            Some(millis) => {
                let until = rfc3339(pqc_core::Timestamp::from_millis(millis));
                writeln!(out, "the last checkpoint is of {until}")?;
            }
            None => writeln!(out, "nothing is signed yet")?,
        }
        if *uncovered > 0 {
            writeln!(out, "{uncovered} rows are covered by no checkpoint yet")?;
        }
        if self.whole {
            writeln!(out, "nothing is missing, changed or added among what is signed")?;
        }
        Ok(())
    }
}

/// A line of an export, which is an object in any case.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Line(serde_json::Value);

impl Human for Line {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.0)
    }
}

#[derive(Debug, Serialize)]
struct Keys {
    keys: Vec<String>,
}

impl Human for Keys {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.keys.iter().try_for_each(|key| writeln!(out, "{key}"))
    }
}

const MAX_KEY_BYTES: usize = 64 * 1024;
