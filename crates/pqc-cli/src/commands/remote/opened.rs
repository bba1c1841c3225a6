//! The server that was named: a client of it, the issuers that are pinned, and who reads stdin.
//!
//! The command line wins over the environment, the environment over the profile.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pqc_client::Client;
use pqc_core::VerifyingKey;
use pqc_core::token::TokenValue;

use super::failure::told;
use super::input::Input;
use super::profile;
use crate::args::RemoteOptions;
use crate::commands::issuer;
use crate::{key_files, logging, private_file};

/// A server that can be asked.
#[derive(Debug)]
pub(super) struct Remote {
    /// Asks it.
    pub(super) client: Client,
    /// Reads what verbs are given.
    pub(super) input: Input,
    pinned: Option<Vec<VerifyingKey>>,
}

/// Whose word counts.
pub(super) struct Issuers {
    /// Their keys.
    pub(super) keys: Vec<VerifyingKey>,
    /// Whether they were pinned, or are only what the server says.
    pub(super) pinned: bool,
}

impl Remote {
    /// Reads what the options name. Nothing is asked yet.
    ///
    /// # Errors
    /// The server or the token is not named; a file cannot be read, or holds something else.
    pub(super) fn open(options: RemoteOptions) -> anyhow::Result<Self> {
        // A profile is one server with its token: the environment does not come between them.
        let options = match options.profile.clone() {
            Some(name) => options.or(profile::read(&name)?),
            None => options,
        };
        let options = options.or(from_environment(|name| env::var_os(name))?);
        let server = options.server.context(
            "which server? name it with --server URL, PQC_SERVER, or --profile NAME and its file",
        )?;
        let token_file = options.token_file.context(
            "by which token? name its file with --token-file FILE, PQC_TOKEN_FILE, or --profile NAME",
        )?;
        let mut input = Input::default();
        let token = read_token(&token_file, &mut input)?;
        let pinned = match &options.issuer {
            Some(file) => {
                input.claim(file, "the issuer")?;
                Some(issuer::read_keys(file)?)
            }
            None => None,
        };
        let mut builder = Client::builder(&server);
        if let Some(file) = &options.ca_file {
            let pem = private_file::read(file, MAX_PEM_BYTES)
                .with_context(|| format!("cannot read {}", file.display()))?;
            builder =
                builder.ca_pem(&pem).map_err(told).with_context(|| file.display().to_string())?;
        }
        let client = builder.build(&token).map_err(told)?;
        Ok(Self { client, input, pinned })
    }

    /// The issuers whose word counts: those that are pinned, or else, with a warning, those that the
    /// server names.
    ///
    /// # Errors
    /// The server cannot be asked.
    pub(super) async fn issuers(&self) -> anyhow::Result<Issuers> {
        if let Some(keys) = &self.pinned {
            return Ok(Issuers { keys: keys.clone(), pinned: true });
        }
        let keys = self.client.published_issuers_unpinned().await.map_err(told)?;
        logging::warn(format_args!(
            "no issuer is pinned, so whose the key is only this server says: have its operator give \
             you what `pqc issuer show --json` prints, and name that file with --issuer"
        ));
        Ok(Issuers { keys, pinned: false })
    }
}

fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<RemoteOptions> {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let server = match variable("PQC_SERVER").map(OsString::into_string) {
        Some(Ok(server)) => Some(server),
        Some(Err(_)) => bail!("PQC_SERVER is no text in UTF-8"),
        None => None,
    };
    let token_file = variable("PQC_TOKEN_FILE").map(PathBuf::from);
    Ok(RemoteOptions { server, token_file, ..RemoteOptions::default() })
}

fn read_token(file: &Path, input: &mut Input) -> anyhow::Result<TokenValue> {
    if file.as_os_str().as_encoded_bytes().starts_with(b"pqc_") && !file.exists() {
        bail!(
            "--token-file (or PQC_TOKEN_FILE) was given a token: put it into a file and name that \
             file. Other users of this machine may have seen it"
        );
    }
    input.claim(file, "the token")?;
    let name = input.name(file);
    let line = key_files::first_line(file).with_context(|| format!("cannot read {name}"))?;
    key_files::warn_if_open(file);
    let text = std::str::from_utf8(line.expose_bytes()).unwrap_or_default().trim();
    TokenValue::parse(text).with_context(|| format!("the first line of {name} is no token"))
}

const MAX_PEM_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_server_and_a_token_file_and_an_empty_name_is_none() {
        let options = from_environment(|name| match name {
            "PQC_SERVER" => Some("https://pqc.example".into()),
            "PQC_TOKEN_FILE" => Some("".into()),
            other => panic!("{other}"),
        });
        let options = options.unwrap();
        assert_eq!(options.server.as_deref(), Some("https://pqc.example"));
        assert_eq!(options.token_file, None);
    }

    #[test]
    fn a_token_in_the_place_of_its_file_is_not_quoted() {
        let token = format!("pqc_r_{}", "A".repeat(43));
        let error = read_token(Path::new(&token), &mut Input::default()).unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("was given a token") && !error.contains("AAAA"), "{error}");
    }
}
