//! `pqc restore`: a new store of a backup, on either engine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use pqc_core::Timestamp;
use pqc_core::envelope::{self, Opener};
use pqc_core::stream::OpeningReader;
use pqc_service::System;
use pqc_service::backup::{self, AccountContents, KeyContents, RestoreOptions, Restored, Target};
use serde::Serialize;
use zeroize::Zeroizing;

use super::backup::PURPOSE;
use super::keys::kind_name;
use super::rfc3339;
use crate::args::RestoreArgs;
use crate::config::StoreConfig;
use crate::data_dir::DataDir;
use crate::key_files;
use crate::output::{self, Human, Output};

/// Makes a store of the backup. What is refused leaves nothing behind.
///
/// # Errors
/// The keys or the backup cannot be used; there is a store already.
pub(crate) async fn run(args: RestoreArgs, output: Output) -> anyhow::Result<()> {
    let config = StoreConfig::new(args.store.clone())?;
    let folder = DataDir::at(&config.data_dir);
    let old_token = folder.root_token_file();
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
    if config.postgres.is_none() && old_token.exists() {
        output::note(format_args!(
            "{} was here before: its token may be of no use now",
            old_token.display()
        ));
    }
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
        Some(file) => Some(key_files::decapsulation_key(
            file,
            passphrase.as_ref(),
            key_files::PASSPHRASE_FILE,
        )?),
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
        issuer_keys: contents.issuer_keys.iter().map(Key::from).collect(),
        trusted_issuers: contents.trusted_issuers,
    };
    if contents.damaged_keys > 0 {
        output::note(format_args!("{} keys do not open, as in the backup", contents.damaged_keys));
    }
    output::note(format_args!(
        "no temporary token lives on; the keys named live again, also those that were destroyed \
         since the backup: `pqc keys destroy` ends one; {}",
        if is_reset {
            "the new root tokens are shown this once, and the old ones are dead"
        } else {
            "so do the root tokens, also those that were replaced since: `pqc token root-reset` \
             replaces one (and --reset-root-tokens all, when restoring)"
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
    issuer_keys: Vec<Key>,
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
    keys: Vec<Key>,
}

#[derive(Debug, Serialize)]
struct Key {
    key_id: String,
    kind: &'static str,
    /// In seconds.
    destroyed_at: Option<u64>,
    /// Whether it opens.
    sound: bool,
    #[serde(skip)]
    destroyed: Option<Timestamp>,
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
            keys: account.keys.iter().map(Key::from).collect(),
        }
    }
}

impl From<&KeyContents> for Key {
    fn from(key: &KeyContents) -> Self {
        Self {
            key_id: key.id.to_string(),
            kind: kind_name(key.kind),
            destroyed_at: key.destroyed_at.map(Timestamp::seconds),
            sound: key.is_sound,
            destroyed: key.destroyed_at,
        }
    }
}

impl Human for Shown {
    /// The root tokens last: there may be very many keys.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "restored the store of {}", self.made)?;
        let owned = self.accounts.iter().map(|account| (account.name.as_str(), &account.keys));
        for (owner, keys) in owned.chain([("the server", &self.issuer_keys)]) {
            for Key { key_id, kind, destroyed, sound, .. } in keys {
                write!(out, "key {key_id}  {kind} of {owner}")?;
                if let Some(at) = destroyed {
                    write!(out, "  destroyed {}", rfc3339(*at))?;
                }
                writeln!(out, "{}", if *sound { "" } else { "  does not open" })?;
            }
        }
        if self.trusted_issuers > 0 {
            writeln!(out, "issuers of others that are trusted: {}", self.trusted_issuers)?;
        }
        for account in &self.accounts {
            write!(out, "account {}: {} keys, root token ", account.name, account.keys.len())?;
            match (&account.root_token, &account.root_token_id) {
                (Some(value), _) => writeln!(out, "{}", **value)?,
                (None, Some(id)) => writeln!(out, "{id}, made {}", account.root_token_made)?,
                (None, None) => writeln!(out, "none")?,
            }
        }
        Ok(())
    }
}
