//! `pqc issuer`: this server's issuer keys, and the others whose word counts.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use pqc_core::VerifyingKey;
use pqc_core::keyfile::{Jwk, PublicKey};
use pqc_service::By;
use pqc_service::Service;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keys;
use crate::args::{IssuerArgs, IssuerVerb};
use crate::config::StoreConfig;
use crate::exit::Refused;
use crate::opened::Opened;
use crate::output::{self, Human, Output};
use crate::private_file;

/// Does what was asked.
///
/// # Errors
/// Those of the store; the file holds no public ML-DSA key.
pub(crate) async fn run(args: IssuerArgs, output: Output) -> anyhow::Result<()> {
    let config = StoreConfig::new(args.store)?;
    // What is wrong with the file is said before the store is touched.
    let task = match args.verb {
        IssuerVerb::Show => Task::Show,
        IssuerVerb::Rotate => Task::Rotate,
        IssuerVerb::List => Task::List,
        IssuerVerb::Trust { file } => Task::Trust(read_keys(&file)?),
        IssuerVerb::Distrust { fingerprint } => Task::Distrust(fingerprint),
    };
    let (opened, _) = Opened::open_existing(&config).await?;
    let service = &opened.service;
    let done = match task {
        Task::Show => show(service, output).await,
        Task::Rotate => keys::rotate_issuer(service, output).await,
        Task::List => list(service, output).await,
        Task::Trust(keys) => trust(service, &keys, output).await,
        Task::Distrust(fingerprint) => distrust(service, &fingerprint, output).await,
    };
    opened.close().await;
    done
}

enum Task {
    Show,
    Rotate,
    List,
    Trust(Vec<VerifyingKey>),
    Distrust(String),
}

async fn show(service: &Service, output: Output) -> anyhow::Result<()> {
    let keys = service.issuer_keys().await?;
    output.show(&KeySet {
        keys: keys.iter().map(Jwk::from).collect(),
        fingerprints: keys.iter().map(fingerprint).collect(),
    })
}

async fn list(service: &Service, output: Output) -> anyhow::Result<()> {
    let keys = service.trusted_issuer_keys().await?;
    output.show(&Issuers { issuers: keys.iter().map(|key| Issuer::new(key, "trusted")).collect() })
}

async fn trust(service: &Service, keys: &[VerifyingKey], output: Output) -> anyhow::Result<()> {
    let own = service.issuer_keys().await?;
    let mut issuers = Vec::new();
    for key in keys {
        let state = if own.contains(key) {
            "always trusted: it is this server's own"
        } else if service.trust_issuer(&By::OPERATOR, key).await? {
            "now trusted"
        } else {
            "trusted already"
        };
        issuers.push(Issuer::new(key, state));
    }
    output.show(&Issuers { issuers })
}

async fn distrust(service: &Service, named: &str, output: Output) -> anyhow::Result<()> {
    let trusted = service.trusted_issuer_keys().await?;
    let is_named = |key: &&VerifyingKey| fingerprint(key).eq_ignore_ascii_case(named.trim());
    let Some(key) = trusted.iter().find(is_named) else {
        let why = "no issuer that was trusted here has that fingerprint; see `pqc issuer list`";
        return Err(Refused(why.to_owned()).into());
    };
    service.distrust_issuer(&By::OPERATOR, key).await?;
    output.show(&Issuers { issuers: vec![Issuer::new(key, "no longer trusted")] })
}

/// SHA-256 of the encoded public key: what two people compare.
fn fingerprint(key: &VerifyingKey) -> String {
    hex::encode(key.fingerprint())
}

/// The keys in a file.
///
/// # Errors
/// It cannot be read, or holds something else.
pub(super) fn read_keys(file: &Path) -> anyhow::Result<Vec<VerifyingKey>> {
    let name = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
    let bytes = if file == Path::new("-") {
        private_file::read_from(io::stdin().lock(), MAX_KEYS_BYTES)
    } else {
        private_file::read(file, MAX_KEYS_BYTES)
    };
    let bytes = bytes.with_context(|| format!("cannot read {name}"))?;
    parse_keys(&bytes).with_context(|| name)
}

/// The keys in PEM, hex, a JWK or a JWKS. A set may hold keys of other kinds, which are passed over.
fn parse_keys(bytes: &[u8]) -> anyhow::Result<Vec<VerifyingKey>> {
    let text = bytes.trim_ascii();
    if text.starts_with(b"-----BEGIN ") {
        return Ok(vec![parse_pem(text)?]);
    }
    if !text.starts_with(b"{") {
        let Ok(key) = hex::decode(text) else {
            bail!("this is neither PEM, hex, a JWK nor a JWKS");
        };
        return Ok(vec![VerifyingKey::from_bytes(&key)?]);
    }
    // The parser's own words may quote what is there.
    let Ok(document) = serde_json::from_slice::<Value>(text) else { bail!("this is not JSON") };
    let Some(keys) = document.get("keys") else { return Ok(vec![parse_jwk(&document)?]) };
    let keys = keys.as_array().context("in a JWKS `keys` is a list")?;
    let (ours, others): (Vec<_>, Vec<_>) =
        keys.iter().partition(|key| key.get("kty").and_then(Value::as_str) == Some("AKP"));
    if ours.is_empty() {
        bail!("the JWKS holds no key of type AKP");
    }
    if !others.is_empty() {
        output::note(format_args!("{} keys of other types were passed over", others.len()));
    }
    ours.into_iter().map(parse_jwk).collect()
}

fn parse_pem(text: &[u8]) -> anyhow::Result<VerifyingKey> {
    match PublicKey::from_pem(std::str::from_utf8(text).unwrap_or_default())? {
        PublicKey::Verifying(key) => Ok(key),
        _ => bail!("an issuer's key is one of ML-DSA, which this is not"),
    }
}

fn parse_jwk(document: &Value) -> anyhow::Result<VerifyingKey> {
    if document.get("priv").is_some() {
        bail!("this JWK holds a secret key: give the public one, and keep this file to yourself");
    }
    let Ok(jwk) = Jwk::deserialize(document) else {
        bail!("a JWK of an issuer has kty AKP, alg and pub");
    };
    Ok(VerifyingKey::try_from(&jwk)?)
}

#[derive(Debug, Serialize)]
struct KeySet {
    keys: Vec<Jwk>,
    #[serde(skip)]
    fingerprints: Vec<String>,
}

impl Human for KeySet {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (key, fingerprint) in self.keys.iter().zip(&self.fingerprints) {
            writeln!(out, "algorithm    {}", key.alg)?;
            writeln!(out, "fingerprint  {fingerprint}")?;
            writeln!(out, "jwk          {}", serde_json::to_string(key)?)?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Issuer {
    algorithm: &'static str,
    fingerprint: String,
    state: &'static str,
}

impl Issuer {
    fn new(key: &VerifyingKey, state: &'static str) -> Self {
        Self { algorithm: key.algorithm().name(), fingerprint: fingerprint(key), state }
    }
}

#[derive(Debug, Serialize)]
struct Issuers {
    issuers: Vec<Issuer>,
}

impl Human for Issuers {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for Issuer { algorithm, fingerprint, state } in &self.issuers {
            writeln!(out, "{algorithm}  {fingerprint}  {state}")?;
        }
        Ok(())
    }
}

const MAX_KEYS_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use pqc_core::{SignatureAlgorithm, SigningKey};

    fn key() -> VerifyingKey {
        let key = SigningKey::generate(SignatureAlgorithm::MlDsa44, &mut getrandom::SysRng);
        key.unwrap().verifying_key().clone()
    }

    #[test]
    fn pem_hex_a_jwk_and_a_jwks_say_the_same() {
        let key = key();
        let jwk = serde_json::to_string(&Jwk::from(&key)).unwrap();
        let other = r#"{"kty":"OKP","crv":"Ed25519","x":""}"#;
        for text in [
            PublicKey::from(key.clone()).to_pem().unwrap(),
            hex::encode(key.as_bytes()),
            hex::encode_upper(key.as_bytes()) + "\n",
            jwk.clone(),
            format!(r#"{{"keys":[{jwk}]}}"#),
            format!(r#"{{"keys":[{other},{jwk}]}}"#),
        ] {
            assert_eq!(parse_keys(text.as_bytes()).unwrap(), std::slice::from_ref(&key), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_a_quote() {
        let jwk = serde_json::to_value(Jwk::from(&key())).unwrap();
        let with = |name: &str, value: &str| {
            let mut changed = jwk.clone();
            changed.as_object_mut().unwrap().insert(name.to_owned(), value.into());
            changed.to_string()
        };
        for text in [
            String::new(),
            "hunter2".to_owned(),
            "-----BEGIN hunter2-----".to_owned(),
            "00".repeat(32),
            "{hunter2".to_owned(),
            "{}".to_owned(),
            r#"{"keys":"hunter2"}"#.to_owned(),
            r#"{"keys":[]}"#.to_owned(),
            r#"{"keys":[{"kty":"OKP"}]}"#.to_owned(),
            with("priv", "hunter2"),
            with("kty", "hunter2"),
            with("alg", "ML-DSA-65"),
            with("pub", "hunter2"),
        ] {
            let error = format!("{:#}", parse_keys(text.as_bytes()).unwrap_err());
            assert!(!error.contains("hunter2"), "{text}: {error}");
        }
    }
}
