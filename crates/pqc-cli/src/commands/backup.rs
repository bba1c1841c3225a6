//! `pqc backup`: all of a store in one encrypted file, while servers serve.

use std::io::{self, Write};

use anyhow::bail;
use pqc_core::envelope::{self, Recipients};
use pqc_core::{EncapsulationKey, PassphraseParameters};
use pqc_service::By;
use pqc_service::backup::Contents;
use serde::Serialize;

use super::keys::kind_name;
use super::rfc3339;
use crate::args::BackupArgs;
use crate::config::StoreConfig;
use crate::destination::Destination;
use crate::exit::Refused;
use crate::key_files;
use crate::new_file::Report;
use crate::opened::Opened;
use crate::output::{self, Human, Output};
use crate::private_file::Unnamed;

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
    let report = Report::beside_stream(&file, output)?;
    let destination = Destination::open(&file, force, Unnamed::beside)?;

    let rng = &mut getrandom::SysRng;
    let keys: Vec<&EncapsulationKey> = keys.iter().collect();
    let recipients = match &passphrase {
        Some(passphrase) => {
            Recipients::Passphrase(passphrase.expose_bytes(), PassphraseParameters::generate(rng)?)
        }
        None => Recipients::Keys(&keys),
    };
    let sealed = envelope::writer(destination.writer()?, &recipients, PURPOSE, rng)?;

    let (opened, _) = Opened::open_existing(&config).await?;
    let done = opened.service.back_up(&By::OPERATOR, sealed).await;
    opened.close().await;
    let (sealed, contents) = done?;
    sealed.finish().map_err(|error| destination.cannot_write(&error))?;
    destination.finish().await?;
    let damaged = name_damaged(&contents);
    report.show(&Written::from(contents))?;
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

impl Human for Written {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { accounts, keys, made, .. } = self;
        writeln!(out, "the store of {made}: {accounts} accounts, {keys} keys")
    }
}

/// What the envelope is bound to: no other file of ours passes for a backup.
pub(super) const PURPOSE: &[u8] = b"pqc/v1/backup";
