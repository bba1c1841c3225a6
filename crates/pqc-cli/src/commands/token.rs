//! `pqc token`: an operator mints, lists and revokes without a token of his own.

use std::io::{self, Write};

use pqc_core::token::{OperationSet, Refusal, TokenKind, authenticate};
use pqc_core::{AccountId, Timestamp, TokenId};
use pqc_service::tokens::MintRequest;
use pqc_service::{By, Error, Service, TokenRecord};
use serde::Serialize;

use super::rfc3339;
use crate::args::{DEFAULT_ACCOUNT, TempArgs, TokenArgs, TokenVerb};
use crate::config::StoreConfig;
use crate::data_dir::DataDir;
use crate::opened::Opened;
use crate::output::{self, Human, Output, Row};

/// Does what was asked.
///
/// # Errors
/// Those of the store; the account or token is unknown; the policy refuses.
pub(crate) async fn run(args: TokenArgs, output: Output) -> anyhow::Result<()> {
    let TokenArgs { store, verb } = args;
    let mut config = StoreConfig::new(store)?;
    if let TokenVerb::Temp(temp) = &verb {
        temp.policy.apply(&mut config.settings);
    }
    let (opened, data_dir) = Opened::open_existing(&config).await?;
    let service = &opened.service;
    let done = match verb {
        TokenVerb::RootReset { account, keep_temporary } => {
            // Beside an embedded store lies that one's token.
            let is_ours = config.postgres.is_none() || !data_dir.has_store();
            let file = is_ours.then_some(&data_dir);
            reset(service, file, &account.name, keep_temporary, output).await
        }
        TokenVerb::Temp(temp) => mint(service, temp, output).await,
        TokenVerb::List { account, after, limit } => {
            list(service, &account.name, after, limit, output).await
        }
        TokenVerb::Revoke { id, account } => revoke(service, &account.name, id, output).await,
    };
    opened.close().await;
    done
}

async fn reset(
    service: &Service,
    data_dir: Option<&DataDir>,
    account: &str,
    keep_temporary: bool,
    output: Output,
) -> anyhow::Result<()> {
    let id = service.account(account).await?.id;
    let file = match data_dir.filter(|_| account == DEFAULT_ACCOUNT) {
        Some(data_dir) => file_of(service, id, data_dir).await?,
        None => None,
    };
    let token = service.reset_root_token(&By::OPERATOR, id, keep_temporary).await?;
    // The file of the first start goes on being right. The new token is shown even if it cannot be
    // written.
    if let Some(data_dir) = file {
        let path = data_dir.root_token_file();
        match data_dir.replace_root_token(&token) {
            Ok(()) => output::note(format_args!("{} holds the new token", path.display())),
            Err(error) => output::note(format_args!(
                "{} is out of date, for it cannot be written: {error:#}",
                path.display()
            )),
        }
    }
    output::note(format_args!(
        "the root token of account {account} is replaced; the new one is shown this once"
    ));
    let remedy = format!("make another with `pqc token root-reset --account {account}`");
    output.show_once(&RootToken { account, root_token: &token.expose_text() }, &remedy)
}

/// The folder whose file holds the account's token: another store's stays as it is.
async fn file_of<'a>(
    service: &Service,
    account: AccountId,
    data_dir: &'a DataDir,
) -> anyhow::Result<Option<&'a DataDir>> {
    let Some(kept) = data_dir.read_root_token()? else { return Ok(None) };
    let is_its = match service.authenticate(&kept).await {
        Ok(caller) => caller.account_id() == account,
        Err(Error::Unauthorized(_)) => false,
        Err(error) => return Err(error.into()),
    };
    if !is_its {
        let path = data_dir.root_token_file();
        output::note(format_args!("{} holds another token, and stays as it is", path.display()));
    }
    Ok(is_its.then_some(data_dir))
}

async fn mint(service: &Service, args: TempArgs, output: Output) -> anyhow::Result<()> {
    let operations = match &args.operations {
        Some(names) => {
            let names = names.iter().map(|name| name.trim());
            Some(OperationSet::from_names(names)?)
        }
        None => None,
    };
    let account = service.account(&args.account.name).await?.id;
    let minted = service
        .mint_for(
            &By::OPERATOR,
            account,
            MintRequest {
                lifetime_seconds: Some(args.expiry.0),
                attempts: Some(args.attempts),
                operations,
                key_id: args.key_id,
                label: args.label,
            },
        )
        .await?;
    let id = minted.id.to_string();
    let remedy = format!("mint another, and end this one with `pqc token revoke {id}`");
    let shown = Temporary {
        token: &minted.value.expose_text(),
        id,
        expires_at: minted.expires_at.seconds(),
        attempts: minted.attempts,
    };
    output.show_once(&shown, &remedy)
}

/// Page by page, so that a list of any length needs no more memory than a short one.
async fn list(
    service: &Service,
    account: &str,
    mut after: Option<TokenId>,
    limit: Option<u64>,
    output: Output,
) -> anyhow::Result<()> {
    let id = service.account(account).await?.id;
    let now = service.now().await?;
    let mut listing = output.listing(&Head { account }, "tokens", HEADS)?;
    let mut left = limit.unwrap_or(u64::MAX);
    while left > 0 {
        let size = u32::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let page = service.tokens(id, after, size).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        left = left.saturating_sub(u64::from(size));
        let tokens: Vec<_> = page.iter().map(|record| Token::new(record, now)).collect();
        listing.page(&tokens)?;
        if page.len() < size as usize {
            break;
        }
    }
    listing.end()
}

async fn revoke(
    service: &Service,
    account: &str,
    token: TokenId,
    output: Output,
) -> anyhow::Result<()> {
    let account = service.account(account).await?.id;
    service.revoke(&By::OPERATOR, account, token).await?;
    output.show(&Revoked { revoked: token.to_string() })
}

#[derive(Serialize)]
struct RootToken<'a> {
    account: &'a str,
    root_token: &'a str,
}

impl Human for RootToken<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.root_token)
    }
}

#[derive(Serialize)]
struct Temporary<'a> {
    token: &'a str,
    id: String,
    expires_at: u64,
    attempts: u32,
}

impl Human for Temporary<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.token)
    }
}

#[derive(Debug, Serialize)]
struct Revoked {
    revoked: String,
}

impl Human for Revoked {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "token {} is revoked", self.revoked)
    }
}

#[derive(Debug, Serialize)]
struct Token {
    id: String,
    kind: &'static str,
    label: Option<String>,
    state: &'static str,
    attempts: Option<u32>,
    attempts_left: Option<u32>,
    created_at: u64,
    last_used_at: Option<u64>,
    expires_at: Option<u64>,
    operations: Option<Vec<&'static str>>,
    key_id: Option<String>,
}

impl Token {
    fn new(record: &TokenRecord, now: Timestamp) -> Self {
        let state = &record.state;
        Self {
            id: record.id.to_string(),
            kind: match state.kind {
                TokenKind::Root => "root",
                TokenKind::Temporary => "temporary",
            },
            label: record.label.clone(),
            state: match authenticate(state, now) {
                Ok(()) => "active",
                Err(Refusal::Expired) => "expired",
                Err(Refusal::Spent) => "spent",
                Err(Refusal::Revoked) => "revoked",
                Err(Refusal::AccountDisabled) => "account disabled",
                Err(_) => "unusable",
            },
            attempts: record.attempts,
            attempts_left: state.attempts_left,
            created_at: record.created_at.seconds(),
            last_used_at: record.last_used_at.map(Timestamp::seconds),
            expires_at: state.expires_at.map(Timestamp::seconds),
            operations: state.scope.operations.names(),
            key_id: state.scope.key_id.map(|id| id.to_string()),
        }
    }
}

/// What a list begins with.
#[derive(Debug, Serialize)]
struct Head<'a> {
    account: &'a str,
}

impl Row<7> for Token {
    fn cells(&self) -> [String; 7] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            self.id.clone(),
            self.kind.to_owned(),
            self.state.to_owned(),
            or_dash(self.attempts_left.map(|left| left.to_string())),
            or_dash(self.expires_at.map(Timestamp::from_seconds).map(rfc3339)),
            self.operations.as_ref().map_or_else(|| "all".to_owned(), |names| names.join(",")),
            or_dash(self.label.clone()),
        ]
    }
}

const HEADS: [&str; 7] = ["ID", "KIND", "STATE", "LEFT", "EXPIRES", "OPERATIONS", "LABEL"];
const PAGE: u32 = 500;
