//! `pqc kem`: KEM keys that no server holds.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use pqc_core::keyfile::PrivateKey;
use pqc_core::{DecapsulationKey, KemAlgorithm};
use serde::Serialize;

use crate::args::{KemArgs, KemVerb};
use crate::output::{Human, Output};
use crate::private_file::{self, Existing};

/// Does what was asked.
///
/// # Errors
/// A file is there already, or cannot be written.
pub(crate) fn run(args: KemArgs, output: Output) -> anyhow::Result<()> {
    let KemVerb::Keygen { algorithm, out, public, force } = args.verb;
    keygen(algorithm, &out, &public, force, output)
}

fn keygen(
    algorithm: KemAlgorithm,
    out: &Path,
    public: &Path,
    force: bool,
    output: Output,
) -> anyhow::Result<()> {
    let existing = if force { Existing::Replace } else { Existing::Keep };
    if !force && public.exists() {
        anyhow::bail!("{} is there already: --force replaces it", public.display());
    }
    let key = PrivateKey::from(DecapsulationKey::generate(algorithm, &mut getrandom::SysRng)?);
    let public_key = key.public_key();
    private_file::write(out, key.to_pem()?.as_bytes(), existing).with_context(|| {
        format!("cannot write {} (--force replaces a file that is there)", out.display())
    })?;
    std::fs::write(public, public_key.to_pem()?)
        .with_context(|| format!("cannot write {}", public.display()))?;
    output.show(&Made { algorithm: algorithm.name(), key_id: public_key.key_id().to_string() })
}

#[derive(Debug, Serialize)]
struct Made {
    algorithm: &'static str,
    key_id: String,
}

impl Human for Made {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}  {}", self.algorithm, self.key_id)
    }
}
