//! A key pair that was just made, on its way into two files.

use std::io::{self, Write};

use pqc_core::SecretVec;
use pqc_core::keyfile::PrivateKey;
use pqc_core::passphrase::check_passphrase;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::args::KeyPairArgs;
use crate::new_file::{NewFile, Report};
use crate::output::{Human, Output};
use crate::{key_files, terminal};

/// Writes both halves, the secret one under a passphrase if one is asked for, and shows what was
/// made.
///
/// # Errors
/// A file is there already, or cannot be written; the passphrase is none.
pub(crate) fn write(key: &PrivateKey, args: &KeyPairArgs, output: Output) -> anyhow::Result<()> {
    let secret = NewFile::secret(&args.out, args.force)?;
    let public = NewFile::public(&args.public, args.force)?;
    let report = Report::beside(&[&secret, &public], output)?;

    let passphrase = new_passphrase(args)?;
    let pem = match &passphrase {
        Some(passphrase) => {
            Zeroizing::new(key.to_encrypted_pem(passphrase.expose_bytes(), &mut getrandom::SysRng)?)
        }
        None => key.to_pem()?,
    };
    let public_key = key.public_key();
    let secret = secret.fill(pem.as_bytes())?;
    let public = public.fill(public_key.to_pem()?.as_bytes())?;
    secret.appear()?;
    public.appear()?;

    report.show(&Made {
        algorithm: key.algorithm().name(),
        key_id: public_key.key_id().to_string(),
        encrypted: passphrase.is_some(),
    })
}

fn new_passphrase(args: &KeyPairArgs) -> anyhow::Result<Option<SecretVec>> {
    let Some(file) = &args.passphrase_file else {
        let asked =
            args.passphrase.then(|| terminal::ask_new_passphrase(&args.out.display().to_string()));
        return asked.transpose();
    };
    let passphrase = key_files::passphrase(file)?;
    check_passphrase(passphrase.expose_bytes())?;
    Ok(Some(passphrase))
}

#[derive(Debug, Serialize)]
struct Made {
    algorithm: &'static str,
    key_id: String,
    encrypted: bool,
}

impl Human for Made {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}  {}", self.algorithm, self.key_id)
    }
}
