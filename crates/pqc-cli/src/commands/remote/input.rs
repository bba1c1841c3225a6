//! What verbs read: files, and stdin for one of them.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, bail};
use pqc_core::{EncapsulationKey, Field, Secret, VerifyingKey};
use zeroize::Zeroizing;

use crate::{input_file, key_files, private_file};

/// Reads files, and stdin once.
#[derive(Debug, Default)]
pub(super) struct Input {
    /// What stdin is.
    stdin: Option<&'static str>,
}

impl Input {
    /// Takes stdin for this, if that is what `file` means.
    ///
    /// # Errors
    /// It is something else already.
    pub(super) fn claim(&mut self, file: &Path, what: &'static str) -> anyhow::Result<()> {
        if file != Path::new("-") {
            return Ok(());
        }
        if let Some(other) = self.stdin {
            bail!("stdin is {other} already: give {what} in a file");
        }
        self.stdin = Some(what);
        Ok(())
    }

    /// What people call the file.
    pub(super) fn name(&self, file: &Path) -> String {
        input_file::name(file)
    }

    /// All bytes of a file, if they are no more than `limit`. They may be secret.
    ///
    /// # Errors
    /// The file cannot be read, or is longer; stdin is something else already.
    pub(super) fn bytes(
        &mut self,
        file: &Path,
        what: &'static str,
        limit: usize,
    ) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        self.claim(file, what)?;
        let read = if file == Path::new("-") {
            private_file::read_from(io::stdin().lock(), limit)
        } else {
            // As much memory as the file needs, where it says how much that is.
            let length = fs::metadata(file).ok().filter(fs::Metadata::is_file);
            let length = length.and_then(|file| usize::try_from(file.len()).ok());
            private_file::read(file, length.map_or(limit, |length| length.min(limit)))
        };
        read.with_context(|| {
            format!("cannot read {what} in {} (of at most {limit} bytes)", self.name(file))
        })
    }

    /// A key of 32 bytes. Secret.
    ///
    /// # Errors
    /// As [`Self::bytes`]; it has another length.
    pub(super) fn key(&mut self, file: &Path) -> anyhow::Result<Secret<32>> {
        let bytes = self.bytes(file, "the key", MAX_KEY_BYTES)?;
        key_files::warn_if_open(file);
        Secret::from_slice(Field::BoxKey, &bytes).with_context(|| self.name(file))
    }

    /// An encapsulation key (PEM).
    ///
    /// # Errors
    /// The file cannot be read, or holds something else.
    pub(super) fn encapsulation_key(&mut self, file: &Path) -> anyhow::Result<EncapsulationKey> {
        self.claim(file, "the public key")?;
        key_files::encapsulation_key(file)
    }

    /// A verifying key (PEM).
    ///
    /// # Errors
    /// As [`Self::encapsulation_key`].
    pub(super) fn verifying_key(&mut self, file: &Path) -> anyhow::Result<VerifyingKey> {
        self.claim(file, "the public key")?;
        key_files::verifying_key(file)
    }
}

/// Several times the largest key.
const MAX_KEY_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdin_is_one_thing() {
        let mut input = Input::default();
        let stdin = Path::new("-");
        input.claim(Path::new("file"), "the text").unwrap();
        input.claim(stdin, "the token").unwrap();
        let refused = input.claim(stdin, "the text").unwrap_err().to_string();
        assert_eq!(refused, "stdin is the token already: give the text in a file");
    }

    #[test]
    fn a_file_is_read_to_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let mut input = Input::default();
        fs::write(&path, [7; 32]).unwrap();
        assert_eq!(*input.bytes(&path, "the key", 32).unwrap(), [7; 32]);
        assert!(input.bytes(&path, "the key", 31).is_err());
        assert!(input.key(&path).is_ok());
        fs::write(&path, [7; 31]).unwrap();
        let refused = format!("{:#}", input.key(&path).unwrap_err());
        assert!(refused.contains("key must be 32 bytes, not 31"), "{refused}");
    }
}
