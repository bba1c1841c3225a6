//! The folder that holds the embedded store, and what lies beside it: `pqc.db`, `master.key`,
//! `root-token`, `serve.lock`. Beside a store on PostgreSQL it holds the root token alone.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pqc_core::token::TokenValue;
use pqc_core::{Field, Secret};
use zeroize::Zeroizing;

use crate::logging;
use crate::private_file::{self, Existing};

/// A data folder.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// Held while a server runs on the folder; the system lets go of it with the process.
#[derive(Debug)]
pub(crate) struct ServeLock {
    _file: File,
}

/// Where the master key came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyOrigin {
    /// A file that was there.
    Read,
    /// It was made now, and lies beside the store.
    Made,
}

impl DataDir {
    /// The folder, made for its owner alone if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        private_file::create_folder(path)
            .with_context(|| format!("cannot make the data folder {}", path.display()))?;
        if private_file::is_writable_by_others(path) {
            logging::warn(format_args!(
                "others can write into {}: run chmod 700 on it",
                path.display()
            ));
        }
        Ok(Self { path: path.to_owned() })
    }

    /// The folder, which may not be there.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// That there is no store here, and what to do.
    pub(crate) fn no_store(&self) -> anyhow::Error {
        anyhow::anyhow!(
            "there is no store in {}: run `pqc serve` first, or name its folder with --data-dir",
            self.path.display()
        )
    }

    /// The embedded store's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("pqc.db")
    }

    /// Takes the folder for one server, and clears away what a killed one left half done.
    ///
    /// # Errors
    /// Another server has it.
    pub(crate) fn lock(&self) -> anyhow::Result<ServeLock> {
        let path = self.path.join("serve.lock");
        let cannot = || {
            format!(
                "cannot lock {}: a server must be able to write in its data folder; make it \
                 writable for this user, or name another with --data-dir",
                path.display()
            )
        };
        let file = private_file::open_or_create(&path).with_context(cannot)?;
        match file.try_lock() {
            Ok(()) => {
                private_file::remove_leftovers(&self.path).with_context(|| {
                    format!("cannot clean the data folder {}", self.path.display())
                })?;
                Ok(ServeLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => bail!(
                "another `pqc serve` runs on {}: stop it, or give this one another --data-dir",
                self.path.display()
            ),
            Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
        }
    }

    /// The master key in `file`, or in the folder.
    ///
    /// # Errors
    /// The file is missing, or holds something else.
    pub(crate) fn master_key(&self, file: Option<&Path>) -> anyhow::Result<Secret<32>> {
        match file {
            Some(path) => read_key(path)?.with_context(|| {
                format!(
                    "the master key file {} is missing: it must hold 64 hex digits (`openssl rand \
                     -hex 32` makes such a key)",
                    path.display()
                )
            }),
            None => read_key(&self.own_key())?.with_context(|| {
                format!(
                    "{} is missing, and without it the store beside it cannot be opened: put it \
                     back from its backup, or name its file with --master-key-file; nothing was \
                     changed",
                    self.own_key().display()
                )
            }),
        }
    }

    /// As [`Self::master_key`]; but a folder without a store gets a key of its own if `file` is
    /// not given.
    ///
    /// # Errors
    /// As there; the key cannot be written; a root token is there whose store is not.
    pub(crate) fn master_key_or_new(
        &self,
        file: Option<&Path>,
    ) -> anyhow::Result<(Secret<32>, KeyOrigin)> {
        if self.root_token_file().exists() && !self.has_store() {
            bail!(
                "{} is here and the store {} is not: put the store back from its backup, or remove \
                 that file to begin a new one",
                self.root_token_file().display(),
                self.database().display()
            );
        }
        if file.is_some() || self.has_store() || self.own_key().exists() {
            return Ok((self.master_key(file)?, KeyOrigin::Read));
        }
        let key = Secret::generate(&mut getrandom::SysRng)?;
        let digits = Zeroizing::new(hex::encode(key.expose_bytes()));
        let line = Zeroizing::new([digits.as_bytes(), b"\n"].concat());
        let path = self.own_key();
        private_file::write(&path, &line, Existing::Keep)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok((key, KeyOrigin::Made))
    }

    /// Where the root token of the first account is written.
    pub(crate) fn root_token_file(&self) -> PathBuf {
        self.path.join("root-token")
    }

    /// Writes the root token of the first account.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_root_token(&self, token: &TokenValue) -> anyhow::Result<()> {
        let path = self.root_token_file();
        let mut line = token.expose_text();
        line.push('\n');
        private_file::write(&path, line.as_bytes(), Existing::Replace)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// The key's file in the folder.
    pub(crate) fn own_key(&self) -> PathBuf {
        self.path.join("master.key")
    }

    /// Removes the root token of an account that was not made.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn remove_root_token(&self) -> anyhow::Result<()> {
        let path = self.root_token_file();
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// Whether an embedded store is here. An empty file is a store that was never begun.
    pub(crate) fn has_store(&self) -> bool {
        self.database().metadata().is_ok_and(|file| file.len() > 0)
    }
}

/// `None`: there is no such file.
fn read_key(path: &Path) -> anyhow::Result<Option<Secret<32>>> {
    let text = match private_file::read(path, MAX_KEY_FILE_BYTES) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read the master key {}", path.display()))?,
    };
    let mut bytes = Zeroizing::new([0; 32]);
    if hex::decode_to_slice(text.trim_ascii(), &mut *bytes).is_err() {
        bail!("{} is no master key: it must hold 64 hex digits", path.display());
    }
    if private_file::is_open_to_others(path) {
        logging::warn(format_args!(
            "{} can be read by others: run chmod 600 on it",
            path.display()
        ));
    }
    Ok(Some(Secret::from_slice(Field::MasterKey, &*bytes)?))
}

const MAX_KEY_FILE_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn empty() -> (tempfile::TempDir, DataDir) {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::create(&folder.path().join("data")).unwrap();
        (folder, data)
    }

    #[test]
    fn a_key_is_made_once() {
        let (_folder, data) = empty();
        let (made, origin) = data.master_key_or_new(None).unwrap();
        assert_eq!(origin, KeyOrigin::Made);
        let text = fs::read_to_string(data.own_key()).unwrap();
        assert_eq!(text, format!("{}\n", hex::encode(made.expose_bytes())));
        let (read, origin) = data.master_key_or_new(None).unwrap();
        assert_eq!(origin, KeyOrigin::Read);
        assert!(made.ct_eq(&read));
    }

    #[test]
    fn no_key_is_made_beside_a_store_that_lost_its_own() {
        let (_folder, data) = empty();
        fs::write(data.database(), b"rows").unwrap();
        let error = data.master_key_or_new(None).unwrap_err().to_string();
        assert!(error.contains("--master-key-file"), "{error}");
        assert!(!data.own_key().exists());
        // Its twin: an empty file is no store.
        fs::write(data.database(), b"").unwrap();
        assert!(data.master_key_or_new(None).is_ok());
    }

    #[test]
    fn a_key_file_holds_64_hex_digits() {
        let (_folder, data) = empty();
        let path = data.path.join("key");
        let good = "0aF1".repeat(16);
        for text in [good.clone(), format!("{good}\n"), format!(" {good}\r\n")] {
            fs::write(&path, text).unwrap();
            assert!(data.master_key(Some(&path)).is_ok());
        }
        for text in ["", "\n", &good[1..], &format!("{good}0"), &"g".repeat(64), &" ".repeat(2000)]
        {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", data.master_key(Some(&path)).unwrap_err());
            assert!(text.trim().is_empty() || !error.contains(text.trim()), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(data.master_key(Some(&path)).unwrap_err().to_string().contains("is missing"));
    }

    #[test]
    fn a_folder_serves_one_at_a_time() {
        let (_folder, data) = empty();
        let first = data.lock().unwrap();
        assert!(data.lock().unwrap_err().to_string().contains("another `pqc serve`"));
        drop(first);
        assert!(data.lock().is_ok());
    }
}
