//! What a verb makes: files that appear whole or not at all, or bytes on stdout for `-`.
//!
//! In two steps, so that of two files both can be written before one appears: a [`NewFile`] is
//! refused before the work is done where it would be afterwards; [`NewFile::fill`] writes it under no
//! name; [`Filled::appear`] gives it its name.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use pqc_core::SecretVec;

use crate::input_file;
use crate::private_file::{self, Existing, Unnamed};

/// A file that is not written yet.
#[derive(Debug)]
pub(crate) struct NewFile<'a> {
    path: &'a Path,
    existing: Existing,
    is_secret: bool,
}

/// A file that has no name yet. Dropped, it is gone.
#[derive(Debug)]
pub(crate) enum Filled {
    /// For [`Filled::appear`] to name.
    File(Unnamed, PathBuf),
    /// For [`Filled::appear`] to print.
    Stdout(SecretVec),
}

impl<'a> NewFile<'a> {
    /// One that its owner alone can read.
    ///
    /// # Errors
    /// It is there already, and `force` is not given; it is a folder, or in none.
    pub(crate) fn secret(path: &'a Path, force: bool) -> anyhow::Result<Self> {
        Self::new(path, force, true)
    }

    /// One that others may read.
    ///
    /// # Errors
    /// As [`Self::secret`].
    pub(crate) fn public(path: &'a Path, force: bool) -> anyhow::Result<Self> {
        Self::new(path, force, false)
    }

    fn new(path: &'a Path, force: bool, is_secret: bool) -> anyhow::Result<Self> {
        let existing = if force { Existing::Replace } else { Existing::Keep };
        let file = Self { path, existing, is_secret };
        if !file.is_stdout() {
            private_file::check_name(path, existing).map_err(|error| cannot(path, &error))?;
        }
        Ok(file)
    }

    /// Whether it goes to stdout, which has no room for another word then.
    pub(crate) fn is_stdout(&self) -> bool {
        input_file::is_stdin(self.path)
    }

    /// Refuses two that are one.
    ///
    /// # Errors
    /// They are.
    pub(crate) fn apart_from(&self, other: &Self) -> anyhow::Result<()> {
        if self.path == other.path {
            let name =
                if self.is_stdout() { "stdout".into() } else { self.path.display().to_string() };
            bail!("two outputs cannot both go to {name}: give another file for one");
        }
        Ok(())
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn fill(self, bytes: &[u8]) -> anyhow::Result<Filled> {
        if self.is_stdout() {
            return Ok(Filled::Stdout(SecretVec::copy_of(bytes)));
        }
        let make = if self.is_secret { Unnamed::beside } else { Unnamed::for_all_beside };
        let filled = make(self.path, self.existing).and_then(|mut file| {
            file.write_all(bytes)?;
            Ok(file)
        });
        let file = filled.map_err(|error| cannot(self.path, &error))?;
        Ok(Filled::File(file, self.path.to_owned()))
    }
}

impl Filled {
    /// From here on it is there.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn appear(self) -> anyhow::Result<()> {
        match self {
            Self::File(file, path) => file.name().map_err(|error| cannot(&path, &error)),
            Self::Stdout(bytes) => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(bytes.expose_bytes()).and_then(|()| stdout.flush());
                written.context("cannot write to stdout")
            }
        }
    }
}

fn cannot(path: &Path, error: &io::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => anyhow!("{path} is there already: --force replaces it"),
        _ => anyhow!("cannot write {path}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn nothing_appears_before_its_time_and_nothing_is_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let filled = NewFile::public(&path, false).unwrap().fill(b"one").unwrap();
        assert!(!path.exists());
        filled.appear().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        let refused = NewFile::public(&path, false).unwrap_err().to_string();
        assert!(refused.ends_with("is there already: --force replaces it"), "{refused}");
        NewFile::public(&path, true).unwrap().fill(b"two").unwrap().appear().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");

        let late = folder.path().join("late");
        let filled = NewFile::secret(&late, false).unwrap().fill(b"three").unwrap();
        fs::write(&late, b"another's").unwrap();
        assert!(filled.appear().is_err());
        assert_eq!(fs::read(&late).unwrap(), b"another's");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn only_a_secret_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, new: fn(&Path, bool) -> anyhow::Result<NewFile<'_>>| {
            let path = folder.path().join(name);
            new(&path, false).unwrap().fill(b"x").unwrap().appear().unwrap();
            private_file::is_open_to_others(&path)
        };
        assert!(!make("secret", |path, force| NewFile::secret(path, force)));
        // Unless this process has a strict umask, as every other file shows.
        let usual = folder.path().join("usual");
        fs::write(&usual, b"x").unwrap();
        let public = make("public", |path, force| NewFile::public(path, force));
        assert_eq!(public, private_file::is_open_to_others(&usual));
    }

    #[test]
    fn what_cannot_be_written_is_refused_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| NewFile::secret(path, true).unwrap_err().to_string();
        assert!(refused(folder.path()).contains("directory"));
        assert!(refused(&folder.path().join("none/file")).contains("No such file"));
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let new = |path| NewFile::public(path, false).unwrap();
        assert!(new(&a).apart_from(&new(&b)).is_ok());
        assert!(new(&a).apart_from(&new(&a)).is_err());
    }
}
