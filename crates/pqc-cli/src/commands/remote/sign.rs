//! `pqc remote sign` and `verify`: ML-DSA by the account's stored key, and of anyone.

use std::io::{self, Write};

use anyhow::{Context, bail};
use pqc_client::SigningKeyChoice;
use pqc_core::Signature;
use pqc_core::keyfile::PublicKey;
use serde::Serialize;

use super::failure::told;
use super::opened::Remote;
use crate::args::{RemoteSignArgs, RemoteVerifyArgs};
use crate::commands::named_key::NamedKey;
use crate::exit::Refused;
use crate::new_file::{Filled, NewFile, Report};
use crate::output::{Human, Output};

/// Signs a file.
///
/// # Errors
/// The server says no, or cannot be asked; a file cannot be read, or is there already.
pub(super) async fn sign(
    remote: &mut Remote,
    args: RemoteSignArgs,
    output: Output,
) -> anyhow::Result<()> {
    pqc_core::Context::new(args.context.as_bytes())?;
    let data = remote.input.bytes(&args.file, "what is signed", MAX_DATA_BYTES)?;
    let signature = NewFile::public(&args.out, args.force)?;
    let public = match &args.public {
        Some(file) => Some(NewFile::public(file, args.force)?),
        None => None,
    };
    let made: Vec<_> = public.iter().chain([&signature]).collect();
    let report = Report::beside(&made, output)?;

    let by = SigningKeyChoice { key_id: args.key_id, algorithm: args.algorithm };
    let signed = remote.client.sign(&data, &args.context, &by).await.map_err(told)?;
    let mut filled = Vec::new();
    if let Some(public) = public {
        filled.push(public.fill(PublicKey::from(signed.key.clone()).to_pem()?.as_bytes())?);
    }
    filled.push(signature.fill(signed.signature.as_bytes())?);
    filled.into_iter().try_for_each(Filled::appear)?;
    report.show(&NamedKey::from(&signed.key))
}

/// Verifies a signature.
///
/// # Errors
/// It is not genuine; and as [`sign`].
pub(super) async fn verify(
    remote: &mut Remote,
    args: RemoteVerifyArgs,
    output: Output,
) -> anyhow::Result<()> {
    pqc_core::Context::new(args.context.as_bytes())?;
    let key = remote.input.verifying_key(&args.public_key)?;
    let signature = remote.input.bytes(&args.signature, "the signature", MAX_SIGNATURE_BYTES)?;
    let signature =
        Signature::from_bytes(&signature).with_context(|| remote.input.name(&args.signature))?;
    if signature.algorithm() != key.algorithm() {
        bail!(
            "{} is of {}, and the key of {}: give the key that signed",
            remote.input.name(&args.signature),
            signature.algorithm(),
            key.algorithm()
        );
    }
    let data = remote.input.bytes(&args.file, "what was signed", MAX_DATA_BYTES)?;

    let verified = remote.client.verify(&data, &args.context, &key, &signature).await;
    let verified = verified.map_err(told)?;
    output.show(&Verdict { verified, key: NamedKey::from(&key) })?;
    if !verified {
        let file = remote.input.name(&args.file);
        let why = format!(
            "the signature is not genuine: not this key's, of {file}, in this context (--context)"
        );
        return Err(Refused(why).into());
    }
    Ok(())
}

#[derive(Debug, Serialize)]
struct Verdict {
    verified: bool,
    #[serde(flatten)]
    key: NamedKey,
}

impl Human for Verdict {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.verified {
            return Ok(()); // The error says it.
        }
        writeln!(out, "genuine: {}  {}", self.key.algorithm, self.key.key_id)
    }
}

/// More than a server takes: how much that is, it says itself.
const MAX_DATA_BYTES: usize = 1024 * 1024;
/// Several times the longest signature.
const MAX_SIGNATURE_BYTES: usize = 64 * 1024;
