//! `pqc remote kem`: key pairs that the server makes and an issuer attests, and shared secrets.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use pqc_client::{Custody, Error, NewKeyPair, VerifiedKey};
use pqc_core::keyfile::{PrivateKey, PublicKey};
use pqc_core::{Attestation, Ciphertext, Timestamp};
use serde::Serialize;

use super::failure::told;
use super::opened::Remote;
use crate::args::{Keeper, RemoteDecapsulateArgs, RemoteEncapsulateArgs, RemoteGenerateArgs};
use crate::commands::named_key::NamedKey;
use crate::new_file::{Filled, NewFile, Report};
use crate::output::{Human, Output};

/// Makes a key pair.
///
/// # Errors
/// The server says no, or cannot be asked; its key is attested by another issuer than those that are
/// pinned; a file is there already.
pub(super) async fn generate(
    remote: &Remote,
    args: RemoteGenerateArgs,
    output: Output,
) -> anyhow::Result<()> {
    if args.custody == Some(Keeper::Server) && args.secret_out.is_some() {
        bail!("--secret-out is for --custody client: the server gives no key away that it keeps");
    }
    let public = NewFile::public(&args.public, args.force)?;
    let attestation = NewFile::public(&args.attestation_out, args.force)?;
    let secret_out = match &args.secret_out {
        Some(file) => Some(NewFile::secret(file, args.force)?),
        None => None,
    };
    let made: Vec<_> = secret_out.iter().chain([&public, &attestation]).collect();
    let report = Report::beside(&made, output)?;

    let issuers = remote.issuers().await?;
    let request = NewKeyPair {
        algorithm: args.algorithm,
        // Said in any case: what the account has by itself could be a secret key that nobody keeps.
        custody: Some(match (args.custody, &args.secret_out) {
            (Some(Keeper::Client), _) | (None, Some(_)) => Custody::Client,
            (Some(Keeper::Server), _) | (None, None) => Custody::Server,
        }),
    };
    let pair = remote.client.generate_key_pair(&request, &issuers.keys).await.map_err(told)?;
    let custody = if pair.secret.is_some() { "client" } else { "server" };
    let mut filled = Vec::new();
    match (pair.secret, secret_out) {
        (Some(secret), Some(file)) => {
            filled.push(file.fill(PrivateKey::from(secret).to_pem()?.as_bytes())?);
        }
        (Some(_), None) => bail!(
            "the server gave the secret key away, though it was to keep it: nothing was written, and \
             nobody has it"
        ),
        // The server keeps it, and no file is made.
        (None, _) => {}
    }
    filled.push(public.fill(PublicKey::from(pair.key.key().clone()).to_pem()?.as_bytes())?);
    filled.push(attestation.fill(&pair.key.attestation().to_bytes())?);
    filled.into_iter().try_for_each(Filled::appear)?;
    report.show(&Attested::new(&pair.key, issuers.pinned, Some(custody)))
}

/// Encapsulates to a key.
///
/// # Errors
/// As [`generate`]; a file cannot be read, or holds something else.
pub(super) async fn encapsulate(
    remote: &mut Remote,
    args: RemoteEncapsulateArgs,
    output: Output,
) -> anyhow::Result<()> {
    let key = remote.input.encapsulation_key(&args.public_key)?;
    let what = "the attestation";
    let attestation = remote.input.bytes(&args.attestation, what, MAX_BYTES)?;
    let attestation = Attestation::from_bytes(&attestation)
        .with_context(|| remote.input.name(&args.attestation))?;
    let ciphertext = NewFile::public(&args.ciphertext_out, args.force)?;
    let shared_secret = NewFile::secret(&args.shared_secret_out, args.force)?;
    let report = Report::beside(&[&ciphertext, &shared_secret], output)?;

    let issuers = remote.issuers().await?;
    let key = VerifiedKey::verify(&key, &attestation, &issuers.keys, args.account, now())
        .map_err(Error::Attestation)
        .map_err(told)?;
    let made = remote.client.encapsulate(&key).await.map_err(told)?;
    let shared_secret = shared_secret.fill(made.shared_key.expose_bytes())?;
    let ciphertext = ciphertext.fill(made.ciphertext.as_bytes())?;
    shared_secret.appear()?;
    ciphertext.appear()?;
    report.show(&Attested::new(&key, issuers.pinned, None))
}

/// Decapsulates by a key that the server keeps.
///
/// # Errors
/// As [`encapsulate`].
pub(super) async fn decapsulate(
    remote: &mut Remote,
    args: RemoteDecapsulateArgs,
    output: Output,
) -> anyhow::Result<()> {
    let key = remote.input.encapsulation_key(&args.public_key)?;
    let ciphertext = remote.input.bytes(&args.ciphertext, "the ciphertext", MAX_BYTES)?;
    let ciphertext =
        Ciphertext::from_bytes(&ciphertext).with_context(|| remote.input.name(&args.ciphertext))?;
    let shared_secret = NewFile::secret(&args.shared_secret_out, args.force)?;
    let report = Report::beside(&[&shared_secret], output)?;

    let shared_key = remote.client.decapsulate(&ciphertext, &key).await.map_err(told)?;
    shared_secret.fill(shared_key.expose_bytes())?.appear()?;
    report.show(&NamedKey::from(&key))
}

#[derive(Debug, Serialize)]
struct Attested {
    #[serde(flatten)]
    key: NamedKey,
    account: String,
    issuer: String,
    pinned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    custody: Option<&'static str>,
}

impl Attested {
    fn new(key: &VerifiedKey, pinned: bool, custody: Option<&'static str>) -> Self {
        Self {
            key: key.key().into(),
            account: key.account().to_string(),
            issuer: hex::encode(key.issuer().fingerprint()),
            pinned,
            custody,
        }
    }
}

impl Human for Attested {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.key.write(out)?;
        let how = if self.pinned { "pinned" } else { "not pinned" };
        writeln!(out, "account {}, attested by issuer {} ({how})", self.account, self.issuer)
    }
}

/// A clock before 1970 is one that knows nothing.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(since.as_secs())
}

/// Several times the longest attestation or ciphertext.
const MAX_BYTES: usize = 64 * 1024;
