//! `pqc keys`: an operator lists, rotates, destroys and brings back stored keys. Never a secret.

use std::io::{self, Write};

use anyhow::bail;
use pqc_core::seal::RecordKind;
use pqc_core::{SignatureAlgorithm, Timestamp};
use pqc_service::{By, KeyInfo, Service};
use serde::Serialize;

use super::rfc3339;
use crate::args::{DEFAULT_ACCOUNT, KeysArgs, KeysVerb, RotatedKind};
use crate::config::StoreConfig;
use crate::opened::Opened;
use crate::output::{Human, Output, Row};

/// Does what was asked.
///
/// # Errors
/// Those of the store; the account or key is unknown.
pub(crate) async fn run(args: KeysArgs, output: Output) -> anyhow::Result<()> {
    let mut config = StoreConfig::new(args.store)?;
    args.policy.apply(&mut config.settings);
    // What is wrong with the options is said before the store is touched.
    if let KeysVerb::Rotate { kind, algorithm, account } = &args.verb {
        if algorithm.is_some() && *kind != RotatedKind::Signing {
            bail!(
                "--algorithm goes with --kind signing: of the other kinds there is one algorithm"
            );
        }
        if account.is_some() && *kind == RotatedKind::Issuer {
            bail!("--account does not go with --kind issuer: that key is the server's");
        }
    }
    let (opened, _) = Opened::open_existing(&config).await?;
    let done = act(&opened.service, args.verb, output).await;
    opened.close().await;
    done
}

async fn act(service: &Service, verb: KeysVerb, output: Output) -> anyhow::Result<()> {
    match verb {
        KeysVerb::List { account } => list(service, &account.name, output).await,
        KeysVerb::Rotate { kind: RotatedKind::Issuer, .. } => rotate_issuer(service, output).await,
        KeysVerb::Rotate { kind, algorithm, account } => {
            let name = account.unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned());
            let account = service.account(&name).await?.id;
            let key = match kind {
                RotatedKind::Aes => service.rotate_account_key(&By::OPERATOR, account).await?,
                _ => {
                    let algorithm = algorithm.unwrap_or(SignatureAlgorithm::MlDsa65);
                    service.rotate_signing_key(&By::OPERATOR, account, algorithm).await?
                }
            };
            output.show(&Rotated { account: Some(name), key: Key::new(service, &key) })
        }
        KeysVerb::Destroy { id, account } => {
            let owner = service.account(&account.name).await?.id;
            let key = service.destroy_key(&By::OPERATOR, owner, &id).await?;
            output.show(&Destroyed { account: account.name, key: Key::new(service, &key) })
        }
        KeysVerb::Undelete { id, account } => {
            let owner = service.account(&account.name).await?.id;
            let key = service.undestroy_key(&By::OPERATOR, owner, &id).await?;
            output.show(&BroughtBack { account: account.name, key: Key::new(service, &key) })
        }
    }
}

/// Puts a new issuer key in force; also `pqc issuer rotate`.
///
/// # Errors
/// Those of the store.
pub(super) async fn rotate_issuer(service: &Service, output: Output) -> anyhow::Result<()> {
    let key = service.rotate_issuer(&By::OPERATOR).await?;
    output.show(&Rotated { account: None, key: Key::new(service, &key) })
}

/// Writes page by page, for there may be more keys than fit into memory.
async fn list(service: &Service, name: &str, output: Output) -> anyhow::Result<()> {
    let account = service.account(name).await?.id;
    let mut listing = output.listing(&Head { account: name }, "keys", HEADS)?;
    let mut after = None;
    loop {
        let page = service.keys(account, after, PAGE).await?;
        let Some(last) = page.last() else { return listing.end() };
        after = Some((last.created_at, last.id));
        let keys: Vec<_> = page.iter().map(|key| Key::new(service, key)).collect();
        listing.page(&keys)?;
    }
}

#[derive(Serialize)]
struct Head<'a> {
    account: &'a str,
}

#[derive(Debug, Serialize)]
struct Key {
    key_id: String,
    kind: &'static str,
    algorithm: String,
    version: Option<u32>,
    created_at: u64,
    retired_at: Option<u64>,
    destroyed_at: Option<u64>,
    purge_after: Option<u64>,
}

impl Key {
    fn new(service: &Service, key: &KeyInfo) -> Self {
        Self {
            key_id: key.id.to_string(),
            kind: kind_name(key.kind),
            algorithm: key.algorithm.clone(),
            version: key.version,
            created_at: key.created_at.seconds(),
            retired_at: key.retired_at.map(Timestamp::seconds),
            destroyed_at: key.destroyed_at.map(Timestamp::seconds),
            purge_after: service.purge_after(key).map(Timestamp::seconds),
        }
    }

    /// The key in a few words.
    fn words(&self) -> String {
        let version = self.version.map(|version| format!(", version {version}"));
        format!("key {} ({}{})", self.key_id, self.algorithm, version.unwrap_or_default())
    }
}

impl Row<7> for Key {
    fn cells(&self) -> [String; 7] {
        let state = match (self.destroyed_at, self.retired_at) {
            (Some(_), _) => "destroyed",
            (None, Some(_)) => "retired",
            (None, None) => "active",
        };
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            self.kind.to_owned(),
            self.algorithm.clone(),
            or_none(self.version.map(|version| version.to_string())),
            state.to_owned(),
            time(self.created_at),
            or_none(self.purge_after.map(time)),
            self.key_id.clone(),
        ]
    }
}

/// The kind of a key, as users type it.
pub(super) fn kind_name(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::DecapsulationKey => "kem",
        RecordKind::SigningKey => "signing",
        kind => kind.name(),
    }
}

fn time(seconds: u64) -> String {
    rfc3339(Timestamp::from_seconds(seconds))
}

#[derive(Debug, Serialize)]
struct Rotated {
    /// `None`: the server.
    account: Option<String>,
    key: Key,
}

impl Human for Rotated {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let key = self.key.words();
        match &self.account {
            Some(account) => writeln!(out, "{key} is in force for account {account}"),
            None => writeln!(
                out,
                "{key} is the issuer key in force; running servers follow within a second"
            ),
        }
    }
}

#[derive(Debug, Serialize)]
struct Destroyed {
    account: String,
    key: Key,
}

impl Human for Destroyed {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { account, key } = self;
        if key.purge_after <= key.destroyed_at {
            return writeln!(out, "{} is destroyed for good", key.words());
        }
        let until = time(key.purge_after.unwrap_or_default());
        writeln!(out, "{} is destroyed; until {until} it can be brought back:", key.words())?;
        writeln!(out, "  pqc keys undelete --account {account} {}", key.key_id)
    }
}

#[derive(Debug, Serialize)]
struct BroughtBack {
    account: String,
    key: Key,
}

impl Human for BroughtBack {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let retired =
            if self.key.retired_at.is_some() { "; a newer version is in force" } else { "" };
        writeln!(out, "{} is back in account {}{retired}", self.key.words(), self.account)
    }
}

const HEADS: [&str; 7] = ["KIND", "ALGORITHM", "VERSION", "STATE", "MADE", "REMOVED AFTER", "ID"];
const PAGE: u32 = 500;
