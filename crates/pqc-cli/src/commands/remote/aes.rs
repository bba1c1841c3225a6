//! `pqc remote aes`: texts, by a key that is given or the account's own.

use std::io::{self, Write};

use anyhow::Context;
use pqc_core::MessageBox;
use serde::Serialize;

use super::failure::told;
use super::opened::Remote;
use crate::args::RemoteAesArgs;
use crate::new_file::{NewFile, Report};
use crate::output::{Human, Output};

/// Encrypts a text.
///
/// # Errors
/// The server says no, or cannot be asked; a file cannot be read, holds something else, or is there
/// already.
pub(super) async fn encrypt(
    remote: &mut Remote,
    args: RemoteAesArgs,
    output: Output,
) -> anyhow::Result<()> {
    let key = args.key.as_deref().map(|file| remote.input.key(file)).transpose()?;
    let text = remote.input.bytes(&args.file, "the text", MAX_TEXT_BYTES)?;
    let text = std::str::from_utf8(&text)
        .with_context(|| format!("{} is no text in UTF-8", remote.input.name(&args.file)))?;
    let file = NewFile::public(&args.out, args.force)?;
    let report = Report::beside(&[&file], output)?;

    let sealed = remote.client.encrypt_text(text, key.as_ref(), &args.aad).await.map_err(told)?;
    file.fill(sealed.as_bytes())?.appear()?;
    let key_id = sealed.key_id().map(hex::encode);
    report.show(&Encrypted { bytes: sealed.as_bytes().len(), key_id })
}

/// Decrypts a text.
///
/// # Errors
/// As [`encrypt`].
pub(super) async fn decrypt(
    remote: &mut Remote,
    args: RemoteAesArgs,
    output: Output,
) -> anyhow::Result<()> {
    let key = args.key.as_deref().map(|file| remote.input.key(file)).transpose()?;
    let sealed = remote.input.bytes(&args.file, "the encrypted text", MAX_BOX_BYTES)?;
    let sealed =
        MessageBox::from_bytes(sealed.to_vec()).with_context(|| remote.input.name(&args.file))?;
    let file = NewFile::secret(&args.out, args.force)?;
    let report = Report::beside(&[&file], output)?;

    let text = remote.client.decrypt_text(&sealed, key.as_ref(), &args.aad).await.map_err(told)?;
    file.fill(text.as_bytes())?.appear()?;
    report.show(&Decrypted { bytes: text.len() })
}

#[derive(Debug, Serialize)]
struct Encrypted {
    bytes: usize,
    key_id: Option<String>,
}

impl Human for Encrypted {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.key_id {
            Some(key_id) => writeln!(out, "{} B, by the account's key {key_id}", self.bytes),
            None => writeln!(out, "{} B, by the key that was given", self.bytes),
        }
    }
}

#[derive(Debug, Serialize)]
struct Decrypted {
    bytes: usize,
}

impl Human for Decrypted {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{} B of text", self.bytes)
    }
}

/// The most that a server can be set to take.
const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;
const MAX_BOX_BYTES: usize = MAX_TEXT_BYTES + pqc_core::message::OVERHEAD_BYTES;
