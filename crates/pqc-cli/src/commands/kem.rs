//! `pqc kem`: KEM keys that no server holds.

use std::path::Path;

use anyhow::anyhow;
use pqc_core::keyfile::PrivateKey;
use pqc_core::{Ciphertext, DecapsulationKey};

use super::named_key::NamedKey;
use crate::args::{KemArgs, KemVerb, SecretKeyArgs};
use crate::new_file::{NewFile, Report};
use crate::output::Output;
use crate::{input_file, key_files, key_pair};

/// Does what was asked.
///
/// # Errors
/// A file is there already, cannot be written or read, or holds something else.
pub(crate) fn run(args: KemArgs, output: Output) -> anyhow::Result<()> {
    match args.verb {
        KemVerb::Keygen { algorithm, pair } => {
            let key = DecapsulationKey::generate(algorithm, &mut getrandom::SysRng)?;
            key_pair::write(&PrivateKey::from(key), &pair, output)
        }
        KemVerb::Encapsulate { public_key, ciphertext_out, shared_secret_out, force } => {
            let ciphertext = NewFile::public(&ciphertext_out, force)?;
            let secret = NewFile::secret(&shared_secret_out, force)?;
            encapsulate(&public_key, ciphertext, secret, output)
        }
        KemVerb::Decapsulate { key, ciphertext, shared_secret_out, force } => {
            let secret = NewFile::secret(&shared_secret_out, force)?;
            decapsulate(&key, &ciphertext, secret, output)
        }
    }
}

fn encapsulate(
    public_key: &Path,
    ciphertext_out: NewFile<'_>,
    secret_out: NewFile<'_>,
    output: Output,
) -> anyhow::Result<()> {
    let report = Report::beside(&[&ciphertext_out, &secret_out], output)?;
    let key = key_files::encapsulation_key(public_key)?;
    let (ciphertext, secret) = key.encapsulate_unattested(&mut getrandom::SysRng)?;
    let secret = secret_out.fill(secret.expose_bytes())?;
    let ciphertext = ciphertext_out.fill(ciphertext.as_bytes())?;
    // The ciphertext last: where it is, the secret is too.
    secret.appear()?;
    ciphertext.appear()?;
    report.show(&NamedKey::from(&key))
}

fn decapsulate(
    key: &SecretKeyArgs,
    ciphertext: &Path,
    secret_out: NewFile<'_>,
    output: Output,
) -> anyhow::Result<()> {
    let report = Report::beside(&[&secret_out], output)?;
    let inputs = [Some(key.key.as_path()), Some(ciphertext), key.passphrase_file.as_deref()];
    input_file::at_most_one_stdin(inputs.into_iter().flatten())?;
    let passphrase = key.passphrase_file.as_deref().map(key_files::passphrase).transpose()?;
    let key =
        key_files::decapsulation_key(&key.key, passphrase.as_ref(), key_files::PASSPHRASE_FILE)?;
    let bytes = input_file::read_public(ciphertext, MAX_CIPHERTEXT_BYTES)?;
    let cannot = |error: pqc_core::Error| {
        let name = input_file::name(ciphertext);
        anyhow!("{name}: {error}; give what was encapsulated to this key")
    };
    let ciphertext = Ciphertext::from_bytes(&bytes).map_err(cannot)?;
    let secret = key.decapsulate(&ciphertext).map_err(cannot)?;
    secret_out.fill(secret.expose_bytes())?.appear()?;
    report.show(&NamedKey::from(key.encapsulation_key()))
}

/// Many times the largest ciphertext, so that the refusal can say how long this one is.
const MAX_CIPHERTEXT_BYTES: usize = 1024 * 1024;
