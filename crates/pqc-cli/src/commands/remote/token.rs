//! `pqc remote token`: a temporary token from a root token, and what a token is.

use std::io::{self, Write};

use anyhow::bail;
use pqc_client::{NewToken, TokenInfo};
use pqc_core::Timestamp;
use pqc_core::token::{OperationSet, TokenKind};
use serde::Serialize;
use zeroize::Zeroizing;

use super::failure::{told, told_of_look};
use super::opened::Remote;
use crate::args::RemoteTokenArgs;
use crate::commands::rfc3339;
use crate::new_file::{NewFile, output_name};
use crate::output::{Human, Output};

/// Mints a temporary token.
///
/// # Errors
/// The server says no, or cannot be asked.
pub(super) async fn new(
    remote: &Remote,
    args: RemoteTokenArgs,
    output: Output,
) -> anyhow::Result<()> {
    let operations = match &args.operations {
        Some(names) => Some(OperationSet::from_names(names.iter().map(|name| name.trim()))?),
        None => None,
    };
    if args.expiry.0 > A_DAY {
        bail!("--expiry is a day at most (24h)");
    }
    let file = args.out.as_deref().map(|path| NewFile::secret(path, args.force)).transpose()?;
    let request = NewToken {
        lifetime_seconds: Some(args.expiry.0),
        attempts: Some(args.attempts),
        operations,
        key_id: args.key_id,
        label: args.label,
    };
    let minted = remote.client.new_token(&request).await.map_err(told)?;
    let text = minted.token.expose_text();
    let (expires_at, attempts) = (minted.expires_at.seconds(), minted.attempts);
    let Some(file) = file else {
        let shown = Temporary { token: Some(&text), file: None, expires_at, attempts };
        return output.show_once(&shown, "mint another; this one ends by itself");
    };
    file.fill(Zeroizing::new(format!("{}\n", *text)).as_bytes())?.appear()?;
    let file = args.out.as_deref().map(output_name);
    output.show(&Temporary { token: None, file, expires_at, attempts })
}

const A_DAY: u64 = 24 * 60 * 60;

/// Shows what the token is.
///
/// # Errors
/// As [`new`].
pub(super) async fn itself(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let info = remote.client.token_self().await.map_err(told_of_look)?;
    output.show(&Itself::from(&info))
}

#[derive(Serialize)]
struct Temporary<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    expires_at: u64,
    attempts: u32,
}

impl Human for Temporary<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match (self.token, &self.file) {
            (Some(token), _) => writeln!(out, "{token}"),
            (None, file) => {
                let name = file.as_deref().unwrap_or_default();
                writeln!(out, "{name}: a token, attempts: {}", self.attempts)
            }
        }
    }
}

#[derive(Debug, Serialize)]
struct Itself<'a> {
    id: String,
    kind: &'static str,
    account: String,
    label: Option<&'a str>,
    operations: Option<&'a [String]>,
    key_id: Option<String>,
    created_at: u64,
    expires_at: Option<u64>,
    attempts: Option<u32>,
    attempts_left: Option<u32>,
}

impl<'a> From<&'a TokenInfo> for Itself<'a> {
    fn from(info: &'a TokenInfo) -> Self {
        Self {
            id: info.id.to_string(),
            kind: match info.kind {
                TokenKind::Root => "root",
                TokenKind::Temporary => "temporary",
            },
            account: info.account.to_string(),
            label: info.label.as_deref(),
            operations: info.operations.as_deref(),
            key_id: info.key_id.map(|id| id.to_string()),
            created_at: info.created_at.seconds(),
            expires_at: info.expires_at.map(Timestamp::seconds),
            attempts: info.attempts,
            attempts_left: info.attempts_left,
        }
    }
}

impl Human for Itself<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let time = |seconds| rfc3339(Timestamp::from_seconds(seconds));
        writeln!(out, "kind        {}", self.kind)?;
        writeln!(out, "id          {}", self.id)?;
        writeln!(out, "account     {}", self.account)?;
        if let Some(label) = self.label {
            // Whoever minted it chose these words.
            writeln!(out, "label       {}", label.escape_debug())?;
        }
        let operations = self.operations.map_or_else(|| "all".to_owned(), |all| all.join(","));
        writeln!(out, "operations  {}", operations.escape_debug())?;
        if let Some(key_id) = &self.key_id {
            writeln!(out, "key         {key_id}")?;
        }
        writeln!(out, "created     {}", time(self.created_at))?;
        if let Some(expires_at) = self.expires_at {
            writeln!(out, "expires     {}", time(expires_at))?;
        }
        if let (Some(left), Some(all)) = (self.attempts_left, self.attempts) {
            writeln!(out, "attempts    {left} of {all} left")?;
        }
        Ok(())
    }
}
