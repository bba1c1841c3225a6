//! `pqc restore`: a new store of a backup, on either engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use pqc_core::envelope::{self, Opener};
use pqc_core::stream::OpeningReader;
use pqc_service::System;
use pqc_service::backup::{self, AccountContents, RestoreOptions, Restored, Target};
use serde::Serialize;
use zeroize::Zeroizing;

use super::backup::PURPOSE;
use super::rfc3339;
use crate::args::{PolicyArgs, RestoreArgs};
use crate::config::StoreConfig;
use crate::data_dir::DataDir;
use crate::key_files;
use crate::output::{self, Human, Output};

/// Makes a store of the backup. What is refused leaves nothing behind.
///
/// # Errors
/// The keys or the backup cannot be used; there is a store already.
pub(crate) async fn run(args: RestoreArgs, output: Output) -> anyhow::Result<()> {
    let config = StoreConfig::load(args.store.clone(), PolicyArgs::default())?;
    let folder = DataDir::at(&config.data_dir);
    let master_key = folder.master_secret(&config.master)?;
    let options = RestoreOptions { master_key, reset_root_tokens: args.reset_root_tokens };
    let input = open(&args)?;
    let restored = match &config.postgres {
        Some(url) => {
            let target = Target::Postgres(url.expose().to_owned());
            backup::restore(input, target, Arc::new(System), options).await?
        }
        None => {
            let new = folder.begin_restore()?;
            let target = Target::Sqlite(new.path().to_owned());
            let restored = backup::restore(input, target, Arc::new(System), options).await?;
            new.keep()?;
            restored
        }
    };
    show(restored, output)
}

/// The lines in the file, decrypted as they are read.
fn open(args: &RestoreArgs) -> anyhow::Result<OpeningReader<Box<dyn Read + Send>>> {
    let from_stdin = args.file == Path::new("-");
    if from_stdin && args.passphrase_file.as_deref() == Some(Path::new("-")) {
        bail!("stdin cannot be both the backup and its passphrase");
    }
    let passphrase = args.passphrase_file.as_deref().map(key_files::passphrase).transpose()?;
    let key = match &args.identity {
        Some(file) => Some(key_files::decapsulation_key(file, passphrase.as_ref())?),
        None => None,
    };
    let opener = match (&key, &passphrase) {
        (Some(key), _) => Opener::Key(key),
        (None, Some(passphrase)) => Opener::Passphrase(passphrase.expose_bytes()),
        (None, None) => bail!("give --identity or --passphrase-file"),
    };
    let (name, input): (_, Box<dyn Read + Send>) = if from_stdin {
        ("stdin".to_owned(), Box::new(io::stdin()))
    } else {
        let name = args.file.display().to_string();
        let file = File::open(&args.file).with_context(|| format!("cannot read {name}"))?;
        (name, Box::new(file))
    };
    envelope::reader(input, &opener, PURPOSE).with_context(|| format!("cannot open {name}"))
}

fn show(restored: Restored, output: Output) -> anyhow::Result<()> {
    let contents = restored.contents;
    let mut new_tokens: BTreeMap<_, _> = restored
        .root_tokens
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose_text()))
        .collect();
    let is_reset = !new_tokens.is_empty();
    let accounts = contents.accounts.iter();
    let accounts = accounts.map(|a| Account::new(a, new_tokens.remove(a.name.as_str())));
    let shown = Shown {
        made_at: contents.made_at.seconds(),
        made: rfc3339(contents.made_at),
        accounts: accounts.collect(),
        issuer_keys: contents.issuer_keys,
        trusted_issuers: contents.trusted_issuers,
    };
    output::note(format_args!(
        "no temporary token lives on; {}",
        if is_reset {
            "the new root tokens are shown this once, and the old ones are dead"
        } else {
            "the root tokens below are in force again, also those that were replaced since: \
             `pqc token root-reset` replaces one (and --reset-root-tokens all, when restoring)"
        }
    ));
    if is_reset {
        let remedy = "make others with `pqc token root-reset --account NAME`";
        output.show_once(&shown, remedy)
    } else {
        output.show(&shown)
    }
}

#[derive(Debug, Serialize)]
struct Shown {
    /// In seconds.
    made_at: u64,
    #[serde(skip)]
    made: String,
    accounts: Vec<Account>,
    issuer_keys: u64,
    trusted_issuers: u64,
}

#[derive(Debug, Serialize)]
struct Account {
    name: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_token: Option<Zeroizing<String>>,
    root_token_id: Option<String>,
    #[serde(skip)]
    root_token_made: String,
    /// By kind.
    keys: BTreeMap<String, u64>,
}

impl Account {
    fn new(account: &AccountContents, new_token: Option<Zeroizing<String>>) -> Self {
        let old = account.root_token.filter(|_| new_token.is_none());
        Self {
            name: account.name.clone(),
            id: account.id.to_string(),
            root_token: new_token,
            root_token_id: old.map(|(id, _)| id.to_string()),
            root_token_made: old.map(|(_, at)| rfc3339(at)).unwrap_or_default(),
            keys: account.keys.clone(),
        }
    }
}

impl Human for Shown {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "restored the store of {}", self.made)?;
        for account in &self.accounts {
            writeln!(out, "account {}", account.name)?;
            match (&account.root_token, &account.root_token_id) {
                (Some(value), _) => writeln!(out, "  root token  {}", **value)?,
                (None, Some(id)) => {
                    writeln!(out, "  root token  {id}, made {}", account.root_token_made)?;
                }
                (None, None) => writeln!(out, "  root token  none")?,
            }
            for (kind, count) in &account.keys {
                writeln!(out, "  keys        {count} {kind}")?;
            }
        }
        writeln!(
            out,
            "issuer keys   {}, trusted of others {}",
            self.issuer_keys, self.trusted_issuers
        )
    }
}
