//! Where the master key comes from: a file of 64 hex digits, or a passphrase in a file.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use pqc_core::passphrase::check_passphrase;
use pqc_core::{Field, Secret, SecretVec};
use pqc_service::Error;
use zeroize::Zeroizing;

use crate::commands::rfc3339;
use crate::{key_files, private_file};

/// What names the master key of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MasterSource {
    /// `master.key` in the data folder.
    Own,
    /// The file of a key.
    KeyFile(PathBuf),
    /// A file whose first line is the passphrase.
    PassphraseFile(PathBuf),
}

impl MasterSource {
    /// The error of an opening, with what there is to do in the words of the command line; `own` is
    /// the data folder's own key file.
    pub(crate) fn explain(&self, error: anyhow::Error, own: &Path) -> anyhow::Error {
        let (version, retired_at, in_force) = match error.downcast_ref() {
            Some(Error::RetiredMasterKey { version, retired_at, in_force }) => {
                (version, retired_at, in_force)
            }
            Some(Error::OtherMasterKeyForm { .. }) => {
                let option = match self {
                    Self::PassphraseFile(_) => "--master-key-file",
                    Self::Own | Self::KeyFile(_) => "--master-passphrase-file",
                };
                return anyhow!("{error}: name its file with {option}; nothing was changed");
            }
            _ => return error,
        };
        let file = match self {
            Self::Own => own,
            Self::KeyFile(file) | Self::PassphraseFile(file) => file,
        };
        let or_put_it_there = match self {
            Self::Own => ", or move this file away and put that one in its place",
            _ => "",
        };
        let retired = format!(
            "{} holds the master key of version {version}, which was retired by the rotation \
             of {}: name the file of version {in_force} with --master-key-file or --master-passphrase-file\
             {or_put_it_there}; nothing was changed",
            file.display(),
            rfc3339(*retired_at),
        );
        RetiredKeyGiven(retired).into()
    }
}

/// The master key that was given is not in force any more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct RetiredKeyGiven(String);

/// Reads a key; `None`: there is no such file. `-` is stdin.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub(crate) fn read_key(path: &Path) -> anyhow::Result<Option<Secret<32>>> {
    let read = if path == Path::new("-") {
        private_file::read_from(io::stdin().lock(), MAX_KEY_FILE_BYTES)
    } else {
        private_file::read(path, MAX_KEY_FILE_BYTES)
    };
    let text = match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("cannot read the master key {}", path.display()))?,
    };
    let mut bytes = Zeroizing::new([0; 32]);
    if hex::decode_to_slice(text.trim_ascii(), &mut *bytes).is_err() {
        bail!("{} is no master key: it must hold 64 hex digits", path.display());
    }
    key_files::warn_if_open(path);
    Ok(Some(Secret::from_slice(Field::MasterKey, &*bytes)?))
}

/// What to do about a key file that is not there.
pub(crate) fn missing(path: &Path) -> String {
    format!(
        "the master key file {} is missing: it must hold 64 hex digits (`pqc master-key new --out \
         FILE` makes one)",
        path.display()
    )
}

/// The form in a file: 64 hex digits and a newline.
pub(crate) fn line(key: &Secret<32>) -> Zeroizing<Vec<u8>> {
    let digits = Zeroizing::new(hex::encode(key.expose_bytes()));
    Zeroizing::new([digits.as_bytes(), b"\n"].concat())
}

/// Reads a passphrase, the first line of its file without the end of the line. `-` is stdin.
///
/// # Errors
/// The file is missing or cannot be read; the line is too short or too long.
pub(crate) fn read_passphrase(path: &Path) -> anyhow::Result<SecretVec> {
    let line = match key_files::first_line(path) {
        // It is not named: it may be the passphrase itself.
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "the file that master_passphrase_file names is missing: its first line must be the \
             passphrase"
        ),
        line => {
            line.with_context(|| format!("cannot read the master passphrase {}", path.display()))?
        }
    };
    check_passphrase(line.expose_bytes()).with_context(|| path.display().to_string())?;
    key_files::warn_if_open(path);
    Ok(line)
}

const MAX_KEY_FILE_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_passphrase_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        for text in ["a sentence of mine", "a sentence of mine\n", "a sentence of mine\r\nand more"]
        {
            fs::write(&path, text).unwrap();
            assert_eq!(read_passphrase(&path).unwrap().expose_bytes(), b"a sentence of mine");
        }
        fs::write(&path, " a sentence \n").unwrap();
        let kept = read_passphrase(&path);
        assert!(kept.is_err(), "14 bytes with their spaces");
        fs::write(&path, "  a sentence   \n").unwrap();
        assert_eq!(read_passphrase(&path).unwrap().expose_bytes(), b"  a sentence   ");
        for text in ["", "\n", "\na sentence of mine", "hunter2", &"x".repeat(1025)] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", read_passphrase(&path).unwrap_err());
            assert!(error.contains("15 to 1024 bytes") && !error.contains("hunter2"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(read_passphrase(&path).unwrap_err().to_string().contains("is missing"));
    }
}
