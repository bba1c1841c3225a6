//! `pqc master-key`: new ones, and the way from one to the next while servers serve.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, bail};
use pqc_core::{Secret, Timestamp};
use pqc_service::{By, MasterKeyStatus, MasterSecret, Service};
use serde::Serialize;

use super::rfc3339;
use crate::args::{MasterKeyVerb, RotateArgs};
use crate::config::StoreConfig;
use crate::data_dir::DataDir;
use crate::master_key::{self, MasterSource, RetiredKeyGiven};
use crate::opened::Opened;
use crate::output::{self, Human, Output};
use crate::private_file::{self, Existing};

/// Does what was asked.
///
/// # Errors
/// A file is there already, or not there, or holds no master key. Those of the store.
pub(crate) async fn run(verb: MasterKeyVerb, output: Output) -> anyhow::Result<()> {
    match verb {
        MasterKeyVerb::New { out, force } => make(&out, force, output),
        MasterKeyVerb::Rotate(args) => rotate(args, output).await,
        MasterKeyVerb::Status { store } => {
            let config = StoreConfig::new(store)?;
            let (opened, _) = Opened::open_existing(&config).await?;
            let done = show_status(&opened.service, output).await;
            opened.close().await;
            done
        }
    }
}

fn make(out: &Path, force: bool, output: Output) -> anyhow::Result<()> {
    let key = Secret::generate(&mut getrandom::SysRng)?;
    let line = master_key::line(&key);
    let existing = if force { Existing::Replace } else { Existing::Keep };
    match private_file::write(out, &line, existing) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => bail!(
            "{} is there already, and may be the only copy of a key: name another file, or \
             overwrite it with --force",
            out.display()
        ),
        written => written.with_context(|| format!("cannot write {}", out.display()))?,
    }
    output.show(&Made { master_key_file: out.display().to_string() })
}

async fn rotate(args: RotateArgs, output: Output) -> anyhow::Result<()> {
    let mut config = StoreConfig::new(args.store)?;
    // What is wrong with the file is said before the store is touched.
    let to = match (args.to, args.to_passphrase_file) {
        (Some(file), _) => MasterSource::KeyFile(file),
        (None, Some(file)) => MasterSource::PassphraseFile(file),
        (None, None) => bail!("name the new master key with --to or --to-passphrase-file"),
    };
    let secret = DataDir::at(&config.data_dir).master_secret(&to)?;
    let given = config.master.clone();
    let (opened, data_dir) = match Opened::open_existing(&config).await {
        // The command is given again, and its rotation has ended already.
        Err(error) if error.is::<RetiredKeyGiven>() => {
            config.master = to.clone();
            Opened::open_existing(&config).await.map_err(|_| error)?
        }
        opened => opened?,
    };
    let done = carry_out(&opened.service, &secret).await;
    opened.close().await;
    let rotated = done?;
    output.show(&rotated)?;
    output::note(format_args!("{}", next_steps(&to, &given, &data_dir, rotated.from)));
    Ok(())
}

async fn carry_out(service: &Service, to: &MasterSecret) -> anyhow::Result<Rotated> {
    let Some(rotation) = service.begin_rotation(&By::OPERATOR, to).await? else {
        let keys = service.master_key_status().await?;
        let in_force = keys.last().context("there is no master key")?.version;
        output::note(format_args!("the rotation to this key has ended before"));
        return Ok(Rotated { from: in_force.saturating_sub(1), to: in_force, resealed: 0 });
    };
    output::note(format_args!(
        "the rotation to master key version {} {}; if it is stopped, the same command carries it on",
        rotation.to,
        if rotation.resumed { "goes on" } else { "has begun" }
    ));
    let resealed = service.complete_rotation(&By::OPERATOR, rotation).await?;
    Ok(Rotated { from: rotation.from, to: rotation.to, resealed })
}

/// What the next start of a server needs. Nothing is put in the place of the folder's own key: the
/// new one may be on another medium on purpose, and the old one opens the backups.
fn next_steps(to: &MasterSource, given: &MasterSource, data_dir: &DataDir, from: u32) -> String {
    let (option, file) = match to {
        MasterSource::PassphraseFile(file) => ("--master-passphrase-file", file.clone()),
        MasterSource::KeyFile(file) => ("--master-key-file", file.clone()),
        MasterSource::Own => ("--master-key-file", data_dir.own_key()),
    };
    let kept = match given {
        // A rotation that was carried on with the new key.
        given if given == to => "the older key is retired".to_owned(),
        MasterSource::Own => {
            let own = data_dir.own_key();
            format!(
                "{} is retired, and without that option the next start is refused",
                own.display()
            )
        }
        MasterSource::KeyFile(file) | MasterSource::PassphraseFile(file) => {
            format!("{} is retired", file.display())
        }
    };
    format!(
        "from now on start servers with {option} {}: {kept}; keep version {from} as long as backups \
         that were made under it",
        file.display()
    )
}

async fn show_status(service: &Service, output: Output) -> anyhow::Result<()> {
    let keys = service.master_key_status().await?;
    let rotating = keys.iter().any(|key| key.rotating);
    output.show(&Status { rotating, master_keys: keys.iter().map(Key::from).collect() })
}

#[derive(Debug, Serialize)]
struct Made {
    master_key_file: String,
}

impl Human for Made {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "a new master key is in {}", self.master_key_file)
    }
}

#[derive(Debug, Serialize)]
struct Rotated {
    from: u32,
    to: u32,
    resealed: u64,
}

impl Human for Rotated {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { from, to, resealed } = self;
        writeln!(
            out,
            "master key version {to} is in force, and no stored key needs version {from} any more \
             ({resealed} were sealed again)"
        )
    }
}

#[derive(Debug, Serialize)]
struct Status {
    rotating: bool,
    master_keys: Vec<Key>,
}

#[derive(Debug, Serialize)]
struct Key {
    version: u32,
    state: &'static str,
    from_passphrase: bool,
    keys: u64,
    /// In seconds, as everywhere on the wire.
    created_at: u64,
    superseded_at: Option<u64>,
}

impl From<&MasterKeyStatus> for Key {
    fn from(key: &MasterKeyStatus) -> Self {
        Self {
            version: key.version,
            state: match (key.superseded_at, key.rotating) {
                (None, _) => "in force",
                (Some(_), true) => "being retired",
                (Some(_), false) => "retired",
            },
            from_passphrase: key.from_passphrase,
            keys: key.keys,
            created_at: key.created_at.seconds(),
            superseded_at: key.superseded_at.map(Timestamp::seconds),
        }
    }
}

impl Human for Status {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let heads = ["VERSION", "STATE", "MADE OF", "KEYS", "MADE", "SUPERSEDED"];
        let mut rows = vec![heads.map(str::to_owned)];
        let time = |seconds| rfc3339(Timestamp::from_seconds(seconds));
        rows.extend(self.master_keys.iter().map(|key| {
            [
                key.version.to_string(),
                key.state.to_owned(),
                if key.from_passphrase { "a passphrase" } else { "a key" }.to_owned(),
                key.keys.to_string(),
                time(key.created_at),
                key.superseded_at.map_or_else(|| "-".to_owned(), time),
            ]
        }));
        output::write_table(out, &rows)
    }
}
