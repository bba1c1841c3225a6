//! `pqc account`: accounts are made and changed by whoever has the store.

use std::io::{self, Write};

use pqc_core::Timestamp;
use pqc_service::{AccountRecord, By, Custody};
use serde::Serialize;

use super::rfc3339;
use crate::args::{AccountArgs, AccountVerb};
use crate::config::StoreConfig;
use crate::opened::Opened;
use crate::output::{self, Human, Output};

/// Does what was asked.
///
/// # Errors
/// Those of the store; the name is unknown, taken or none.
pub(crate) async fn run(args: AccountArgs, output: Output) -> anyhow::Result<()> {
    let config = StoreConfig::new(args.store)?;
    let (opened, _) = Opened::open_existing(&config).await?;
    let done = act(&opened, args.verb, output).await;
    opened.close().await;
    done
}

async fn act(opened: &Opened, verb: AccountVerb, output: Output) -> anyhow::Result<()> {
    let service = &opened.service;
    let name = match verb {
        AccountVerb::New { name, custody } => return make(opened, &name, custody, output).await,
        AccountVerb::List => {
            let accounts = service.accounts().await?.iter().map(Account::from).collect();
            return output.show(&List { accounts });
        }
        AccountVerb::Set { name, custody } => {
            service.set_custody(&By::OPERATOR, &name, custody).await?;
            name
        }
        AccountVerb::Disable { name } => {
            service.set_disabled(&By::OPERATOR, &name, true).await?;
            name
        }
        AccountVerb::Enable { name } => {
            service.set_disabled(&By::OPERATOR, &name, false).await?;
            name
        }
    };
    output.show(&Account::from(&service.account(&name).await?))
}

async fn make(opened: &Opened, name: &str, custody: Custody, output: Output) -> anyhow::Result<()> {
    let pending = opened.service.prepare_account(name, custody).await?;
    let token = opened.service.create_account(&By::OPERATOR, pending).await?;
    let account = Account::from(&opened.service.account(name).await?);
    output::note(format_args!("account {name} is made; its root token is shown this once"));
    let remedy = format!("make another with `pqc token root-reset --account {name}`");
    output.show_once(&Made { account, root_token: &token.expose_text() }, &remedy)
}

#[derive(Debug, Serialize)]
struct Account {
    name: String,
    id: String,
    custody: Custody,
    disabled: bool,
    /// In seconds, as everywhere on the wire.
    created_at: u64,
}

impl From<&AccountRecord> for Account {
    fn from(record: &AccountRecord) -> Self {
        Self {
            name: record.name.clone(),
            id: record.id.to_string(),
            custody: record.custody,
            disabled: record.disabled,
            created_at: record.created_at.seconds(),
        }
    }
}

impl Human for Account {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let state = if self.disabled { "disabled" } else { "enabled" };
        writeln!(out, "account {}: {state}, custody {}", self.name, self.custody)
    }
}

#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    account: Account,
    root_token: &'a str,
}

impl Human for Made<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.root_token)
    }
}

#[derive(Debug, Serialize)]
struct List {
    accounts: Vec<Account>,
}

impl Human for List {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut rows = vec![["NAME", "ID", "CUSTODY", "STATE", "MADE"].map(str::to_owned)];
        rows.extend(self.accounts.iter().map(|account| {
            [
                account.name.clone(),
                account.id.clone(),
                account.custody.to_string(),
                if account.disabled { "disabled" } else { "enabled" }.to_owned(),
                rfc3339(Timestamp::from_seconds(account.created_at)),
            ]
        }));
        output::write_table(out, &rows)
    }
}
