//! `pqc backup`: all of a store in one encrypted file, while servers serve.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{anyhow, bail};
use pqc_core::envelope::{self, Recipients};
use pqc_core::stream::SealingWriter;
use pqc_core::{EncapsulationKey, PassphraseParameters};
use pqc_service::By;
use pqc_service::backup::Contents;
use serde::Serialize;

use super::keys::kind_name;
use super::rfc3339;
use crate::args::BackupArgs;
use crate::config::StoreConfig;
use crate::exit::Refused;
use crate::key_files;
use crate::opened::Opened;
use crate::output::{self, Human, Output};
use crate::private_file::{Existing, Unnamed};

/// Writes a backup. The file appears as a whole, or not at all.
///
/// # Errors
/// The keys, the store or the file cannot be used.
pub(crate) async fn run(args: BackupArgs, output: Output) -> anyhow::Result<()> {
    let BackupArgs { file, recipient, passphrase_file, force, store } = args;
    if recipient.is_empty() && passphrase_file.is_none() {
        bail!("give --recipient or --passphrase-file: a backup is encrypted");
    }
    let config = StoreConfig::new(store)?;
    let keys: Vec<_> = recipient
        .iter()
        .map(|file| key_files::encapsulation_key(file))
        .collect::<Result<_, _>>()?;
    let passphrase = passphrase_file.as_deref().map(key_files::passphrase).transpose()?;
    let existing = if force { Existing::Replace } else { Existing::Keep };
    let to_stdout = file == Path::new("-");
    let cannot = |error: io::Error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => " (--force replaces it)",
            _ => "",
        };
        anyhow!("cannot write {}: {error}{remedy}", file.display())
    };
    let out = if to_stdout {
        Out::Stdout(io::stdout())
    } else {
        Out::File(Unnamed::beside(&file, existing).map_err(cannot)?)
    };

    let rng = &mut getrandom::SysRng;
    let keys: Vec<&EncapsulationKey> = keys.iter().collect();
    let recipients = match &passphrase {
        Some(passphrase) => {
            Recipients::Passphrase(passphrase.expose_bytes(), PassphraseParameters::generate(rng)?)
        }
        None => Recipients::Keys(&keys),
    };
    let sealed = envelope::writer(out, &recipients, PURPOSE, rng)?;

    let (opened, _) = Opened::open_existing(&config).await?;
    let done = opened.service.back_up(&By::OPERATOR, sealed).await;
    opened.close().await;
    let (sealed, contents) = done?;
    finish(sealed).map_err(cannot)?;
    let damaged = name_damaged(&contents);
    let written = Written::from(contents);
    if to_stdout {
        output::note(format_args!("{written}"));
    } else {
        output.show(&written)?;
    }
    damaged
}

/// Names the keys that do not open. They are in the backup as they are in the store; but who has a
/// sound one should keep it.
fn name_damaged(contents: &Contents) -> anyhow::Result<()> {
    let of_accounts = contents.accounts.iter().map(|account| (&*account.name, &account.keys));
    for (owner, keys) in of_accounts.chain([("the server", &contents.issuer_keys)]) {
        for key in keys.iter().filter(|key| !key.is_sound) {
            let kind = kind_name(key.kind);
            output::note(format_args!("key {}, {kind} of {owner}, does not open", key.id));
        }
    }
    match contents.damaged_keys {
        0 => Ok(()),
        count => Err(Refused(format!(
            "the store is damaged: {count} keys in it do not open, and so not in this backup \
             either; keep the one before"
        ))
        .into()),
    }
}

fn finish(sealed: SealingWriter<Out>) -> io::Result<()> {
    match sealed.finish()? {
        Out::File(file) => file.name(),
        Out::Stdout(mut stdout) => stdout.flush(),
    }
}

/// Where the backup goes.
enum Out {
    File(Unnamed),
    Stdout(io::Stdout),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Written {
    /// In seconds.
    made_at: u64,
    accounts: usize,
    keys: usize,
    #[serde(skip)]
    made: String,
}

impl From<Contents> for Written {
    fn from(contents: Contents) -> Self {
        let keys = contents.accounts.iter().map(|account| account.keys.len()).sum();
        Self {
            made_at: contents.made_at.seconds(),
            accounts: contents.accounts.len(),
            keys,
            made: rfc3339(contents.made_at),
        }
    }
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { accounts, keys, made, .. } = self;
        write!(f, "the store of {made}: {accounts} accounts, {keys} keys")
    }
}

impl Human for Written {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{self}")
    }
}

/// What the envelope is bound to: no other file of ours passes for a backup.
pub(super) const PURPOSE: &[u8] = b"pqc/v1/backup";
