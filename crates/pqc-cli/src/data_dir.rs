//! The folder that holds the embedded store, and what lies beside it: `pqc.db`, `master.key`,
//! `root-token` (`root-token.new` until its account is made), `serve.lock`. Beside a store on PostgreSQL it holds the root token alone.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pqc_core::Secret;
use pqc_core::token::TokenValue;
use pqc_service::MasterSecret;
use zeroize::Zeroizing;

use crate::logging;
use crate::master_key::{self, MasterSource};
use crate::private_file::{self, Existing};

/// A data folder.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
}

/// Another server has the folder.
#[derive(Debug, thiserror::Error)]
#[error(
    "another `pqc serve` runs on {}: stop it, or give this one another --data-dir", path.display()
)]
pub(crate) struct FolderInUse {
    path: PathBuf,
}

/// Held while a server runs on the folder; the system lets go of it with the process.
#[derive(Debug)]
pub(crate) struct ServeLock {
    _file: File,
}

/// A store that is made in the folder and has not got its name yet. Dropped, nothing is left of it.
#[derive(Debug)]
pub(crate) struct NewStore {
    path: PathBuf,
    folder: DataDir,
    /// The folders that were made for it: its own, and those above.
    made_folders: Vec<PathBuf>,
    is_kept: bool,
    _lock: ServeLock,
}

impl NewStore {
    /// Its file, which is not there yet.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it the folder's store.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn keep(mut self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.folder.database().display());
        std::fs::rename(&self.path, self.folder.database()).with_context(cannot)?;
        private_file::sync_folder(&self.folder.path).with_context(cannot)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for NewStore {
    fn drop(&mut self) {
        if !self.is_kept {
            let _ = private_file::remove_leftovers(&self.folder.path);
            if !self.made_folders.is_empty() {
                let _ = std::fs::remove_file(self.folder.path.join(LOCK));
            }
            for folder in &self.made_folders {
                let _ = std::fs::remove_dir(folder);
            }
        }
    }
}

impl DataDir {
    /// The folder, made for its owner alone if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        private_file::create_folder(path).with_context(|| {
            format!("cannot make the data folder {} (--data-dir)", path.display())
        })?;
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

    /// That the file is there and has no tables, and what to do.
    pub(crate) fn lost_tables(&self) -> String {
        format!(
            "{} has no tables, as when its pqc.db-wal was removed or is damaged, or when the first \
             start was stopped: put it back from a backup, or remove it, and root-token beside it, \
             to begin a new store; nothing was changed",
            self.database().display()
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
        let path = self.path.join(LOCK);
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
            Err(TryLockError::WouldBlock) => Err(FolderInUse { path: self.path.clone() }.into()),
            Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
        }
    }

    /// Takes the folder, as a server would, for a store that is to be made by a restore.
    ///
    /// # Errors
    /// There is a store; a server has the folder; it cannot be written.
    pub(crate) fn begin_restore(self) -> anyhow::Result<NewStore> {
        let refuse = || {
            anyhow::anyhow!(
                "there is a store already, {}: restore into another folder (--data-dir); nothing \
                 was changed",
                self.database().display()
            )
        };
        if self.has_store() {
            return Err(refuse());
        }
        self.check_no_stray_log()?;
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made_folders = self.path.ancestors().take_while(is_missing).map(Path::to_owned);
        let made_folders = made_folders.collect();
        let folder = Self::create(&self.path)?;
        let lock = folder.lock()?;
        let path = self.path.join(format!("{}restore.db", private_file::UNNAMED));
        let new = NewStore { path, folder, made_folders, is_kept: false, _lock: lock };
        if new.folder.has_store() { Err(refuse()) } else { Ok(new) }
    }

    /// The master key, or the passphrase that it is made from.
    ///
    /// # Errors
    /// The file is missing, or holds something else.
    pub(crate) fn master_secret(&self, source: &MasterSource) -> anyhow::Result<MasterSecret> {
        match source {
            MasterSource::PassphraseFile(path) => {
                master_key::read_passphrase(path).map(MasterSecret::Passphrase)
            }
            MasterSource::KeyFile(path) => {
                let key = master_key::read_key(path)?;
                Ok(key.with_context(|| master_key::missing(path))?.into())
            }
            MasterSource::Own => {
                let key = master_key::read_key(&self.own_key())?.with_context(|| {
                    format!(
                        "{} is missing, and without the master key nothing opens: put it back \
                         from its backup, or name its file with --master-key-file or \
                         --master-passphrase-file; nothing was changed",
                        self.own_key().display()
                    )
                })?;
                Ok(key.into())
            }
        }
    }

    /// As [`Self::master_secret`]; but a folder without a store gets a key of its own if none is
    /// named.
    ///
    /// # Errors
    /// As there; the key cannot be written; a root token is there whose store is not.
    pub(crate) fn master_secret_or_new(
        &self,
        source: &MasterSource,
    ) -> anyhow::Result<MasterSecret> {
        if self.root_token_file().exists() && !self.has_store() {
            bail!(
                "{} is here and the store {} is not: put the store back from its backup, or remove \
                 that file to begin a new one",
                self.root_token_file().display(),
                self.database().display()
            );
        }
        self.check_no_stray_log()?;
        if *source != MasterSource::Own || self.has_store() || self.own_key().exists() {
            return self.master_secret(source);
        }
        let key = Secret::generate(&mut getrandom::SysRng)?;
        let path = self.own_key();
        private_file::write(&path, &master_key::line(&key), Existing::Keep)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(key.into())
    }

    /// Where the root token of the first account is written.
    pub(crate) fn root_token_file(&self) -> PathBuf {
        self.path.join("root-token")
    }

    /// Writes a root token in the place of another of its account.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn replace_root_token(&self, token: &TokenValue) -> anyhow::Result<()> {
        write_token(&self.root_token_file(), token)
    }

    /// Where it is until the account is made.
    pub(crate) fn new_root_token_file(&self) -> PathBuf {
        self.path.join("root-token.new")
    }

    /// Writes the root token of an account that is to be made.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write_new_root_token(&self, token: &TokenValue) -> anyhow::Result<()> {
        write_token(&self.new_root_token_file(), token)
    }

    /// The root token that a start which was killed has left, if one did.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read_new_root_token(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        read_token(&self.new_root_token_file())
    }

    /// The root token in its file, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read_root_token(&self) -> anyhow::Result<Option<Zeroizing<String>>> {
        read_token(&self.root_token_file())
    }

    /// Gives the new root token its name: the account was made. Puts over none.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn keep_new_root_token(&self) -> anyhow::Result<()> {
        let (new, file) = (self.new_root_token_file(), self.root_token_file());
        private_file::rename(&new, &file).with_context(|| {
            format!("cannot write {}; the token is in {}", file.display(), new.display())
        })
    }

    /// Removes the root token of an account that was not made.
    ///
    /// # Errors
    /// It cannot be removed.
    pub(crate) fn remove_new_root_token(&self) -> anyhow::Result<()> {
        let path = self.new_root_token_file();
        std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
    }

    /// The key's file in the folder.
    pub(crate) fn own_key(&self) -> PathBuf {
        self.path.join("master.key")
    }

    /// Whether the file lies in the folder, wherever links lead.
    pub(crate) fn holds(&self, file: &Path) -> bool {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        real(file).zip(real(&self.path)).is_some_and(|(file, folder)| file.starts_with(folder))
    }

    /// That no log is here whose store is not: a new store must not take it for its own.
    fn check_no_stray_log(&self) -> anyhow::Result<()> {
        let log = self.path.join("pqc.db-wal");
        if self.has_store() || !log.metadata().is_ok_and(|file| file.len() > 0) {
            return Ok(());
        }
        bail!(
            "{} is here and the store {} is not: put the store back beside it, or move that file \
             away; it may hold the last of what was written. Nothing was changed",
            log.display(),
            self.database().display()
        );
    }

    /// Whether an embedded store is here. An empty file is a store that was never begun.
    pub(crate) fn has_store(&self) -> bool {
        self.database().metadata().is_ok_and(|file| file.len() > 0)
    }
}

fn write_token(path: &Path, token: &TokenValue) -> anyhow::Result<()> {
    let mut line = token.expose_text();
    line.push('\n');
    private_file::write(path, line.as_bytes(), Existing::Replace)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn read_token(path: &Path) -> anyhow::Result<Option<Zeroizing<String>>> {
    let bytes = match private_file::read(path, MAX_TOKEN_FILE_BYTES) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        bytes => bytes.with_context(|| format!("cannot read {}", path.display()))?,
    };
    Ok(Some(Zeroizing::new(String::from_utf8_lossy(bytes.trim_ascii()).into_owned())))
}

const LOCK: &str = "serve.lock";
/// Several times a token.
const MAX_TOKEN_FILE_BYTES: usize = 1024;

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
        let key = || match data.master_secret_or_new(&MasterSource::Own).unwrap() {
            MasterSecret::Key(key) => key,
            _ => panic!("no key"),
        };
        let made = key();
        let text = fs::read_to_string(data.own_key()).unwrap();
        assert_eq!(text, format!("{}\n", hex::encode(made.expose_bytes())));
        assert!(made.ct_eq(&key()));
    }

    #[test]
    fn no_key_is_made_beside_a_store_that_lost_its_own() {
        let (_folder, data) = empty();
        fs::write(data.database(), b"rows").unwrap();
        let error = data.master_secret_or_new(&MasterSource::Own).unwrap_err().to_string();
        assert!(error.contains("--master-key-file"), "{error}");
        assert!(!data.own_key().exists());
        // Its twin: an empty file is no store.
        fs::write(data.database(), b"").unwrap();
        assert!(data.master_secret_or_new(&MasterSource::Own).is_ok());
    }

    #[test]
    fn a_log_without_its_store_is_left_alone() {
        let (_folder, data) = empty();
        let log = data.path.join("pqc.db-wal");
        fs::write(&log, b"pages").unwrap();
        let refused = data.master_secret_or_new(&MasterSource::Own).unwrap_err().to_string();
        assert!(refused.contains("pqc.db-wal is here"), "{refused}");
        let refused = DataDir::at(&data.path).begin_restore().unwrap_err().to_string();
        assert!(refused.contains("pqc.db-wal is here"), "{refused}");
        assert_eq!((data.own_key().exists(), fs::read(&log).unwrap()), (false, b"pages".to_vec()));
        // Its twins: the log of a store that is there, and one that is empty.
        fs::write(data.database(), b"rows").unwrap();
        fs::write(data.own_key(), "5a".repeat(32)).unwrap();
        assert!(data.master_secret_or_new(&MasterSource::Own).is_ok());
        fs::remove_file(data.database()).unwrap();
        fs::write(&log, b"").unwrap();
        assert!(data.begin_restore().is_ok());
    }

    #[test]
    fn of_a_restore_that_is_refused_no_folder_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let data = || DataDir::at(&folder.path().join("one/two"));
        drop(data().begin_restore().unwrap());
        assert!(!folder.path().join("one").exists());
        // What was there stays.
        fs::create_dir(folder.path().join("one")).unwrap();
        drop(data().begin_restore().unwrap());
        assert!(folder.path().join("one").exists() && !folder.path().join("one/two").exists());
        let new = data().begin_restore().unwrap();
        fs::write(new.path(), b"rows").unwrap();
        new.keep().unwrap();
        assert!(data().has_store());
    }

    #[test]
    fn a_key_file_holds_64_hex_digits() {
        let (_folder, data) = empty();
        let path = data.path.join("key");
        let named = MasterSource::KeyFile(path.clone());
        let good = "0aF1".repeat(16);
        for text in [good.clone(), format!("{good}\n"), format!(" {good}\r\n")] {
            fs::write(&path, text).unwrap();
            assert!(data.master_secret(&named).is_ok());
        }
        for text in ["", "\n", &good[1..], &format!("{good}0"), &"g".repeat(64), &" ".repeat(2000)]
        {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", data.master_secret(&named).unwrap_err());
            assert!(text.trim().is_empty() || !error.contains(text.trim()), "{error}");
        }
        fs::remove_file(&path).unwrap();
        assert!(data.master_secret(&named).unwrap_err().to_string().contains("is missing"));
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
