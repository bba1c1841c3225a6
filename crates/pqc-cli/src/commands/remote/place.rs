//! Where a result goes: a file, or stdout. Chosen and looked at before the server is asked.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;

use crate::output::{Human, Output};
use crate::private_file::{Existing, Unnamed};

/// Where a result goes.
#[derive(Debug)]
pub(super) enum Place {
    /// To whoever reads stdout.
    Stdout,
    /// Into a file that only its owner can read, which has its name once all is in it.
    Secret(PathBuf, Unnamed),
    /// Into a file for everyone.
    Public(PathBuf, Existing),
}

impl Place {
    /// For a secret.
    ///
    /// # Errors
    /// There is such a file, and it is not to be replaced; there can be none.
    pub(super) fn secret(file: &Path, force: bool) -> anyhow::Result<Self> {
        if file == Path::new("-") {
            return Ok(Self::Stdout);
        }
        let made = Unnamed::beside(file, existing(force));
        made.map(|made| Self::Secret(file.to_owned(), made)).with_context(|| refused(file))
    }

    /// For what is no secret.
    ///
    /// # Errors
    /// As [`Self::secret`].
    pub(super) fn public(file: &Path, force: bool) -> anyhow::Result<Self> {
        if file == Path::new("-") {
            return Ok(Self::Stdout);
        }
        // Gone again at once: it was only to be seen that there can be one.
        Unnamed::beside(file, existing(force)).with_context(|| refused(file))?;
        Ok(Self::Public(file.to_owned(), existing(force)))
    }

    /// Writes the result.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                let written = out.write_all(bytes).and_then(|()| out.flush());
                written.context("the result could not be written to stdout")
            }
            Self::Secret(path, mut file) => {
                let written = file.write_all(bytes).and_then(|()| file.name());
                written.with_context(|| refused(&path))
            }
            Self::Public(path, Existing::Replace) => {
                fs::write(&path, bytes).with_context(|| refused(&path))
            }
            Self::Public(path, Existing::Keep) => {
                let written = File::create_new(&path).and_then(|mut file| file.write_all(bytes));
                written.with_context(|| refused(&path))
            }
        }
    }

    fn is_stdout(&self) -> bool {
        matches!(self, Self::Stdout)
    }
}

/// What is said of the results beside them.
#[derive(Debug)]
pub(super) struct Report(Option<Output>);

impl Report {
    /// On stdout, unless one of the results goes there.
    ///
    /// # Errors
    /// More than one thing would go to stdout.
    pub(super) fn beside(places: &[&Place], output: Output) -> anyhow::Result<Self> {
        match places.iter().filter(|place| place.is_stdout()).count() {
            0 => Ok(Self(Some(output))),
            1 if output == Output::Text => Ok(Self(None)),
            1 => bail!("with --json stdout is for the object: give a file in the place of -"),
            _ => bail!("only one result can go to stdout: give files in the place of the other -"),
        }
    }

    /// Says it.
    ///
    /// # Errors
    /// As [`Output::show`].
    pub(super) fn show(self, what: &(impl Human + Serialize)) -> anyhow::Result<()> {
        self.0.map_or(Ok(()), |output| output.show(what))
    }
}

fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}

fn refused(file: &Path) -> String {
    format!("cannot write {} (--force replaces a file that is there)", file.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_stays_unless_it_is_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for make in [Place::secret, Place::public] {
            make(&path, false).unwrap().write(b"one").unwrap();
            assert!(make(&path, false).is_err());
            assert_eq!(fs::read(&path).unwrap(), b"one");
            make(&path, true).unwrap().write(b"two").unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"two");
            fs::remove_file(&path).unwrap();
            // One that came meanwhile stays too.
            let place = make(&path, false).unwrap();
            fs::write(&path, "meanwhile").unwrap();
            assert!(place.write(b"three").is_err());
            assert_eq!(fs::read(&path).unwrap(), b"meanwhile");
            fs::remove_file(&path).unwrap();
        }
        assert!(Place::secret(&folder.path().join("no/such"), true).is_err());
        assert!(Place::public(&folder.path().join("no/such"), true).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        Place::secret(&path, false).unwrap().write(b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn stdout_is_one_things() {
        let folder = tempfile::tempdir().unwrap();
        let file = Place::public(&folder.path().join("file"), false).unwrap();
        let stdout = Place::Stdout;
        assert!(Report::beside(&[&file], Output::Json).is_ok());
        assert!(Report::beside(&[&file, &stdout], Output::Text).is_ok());
        assert!(Report::beside(&[&file, &stdout], Output::Json).is_err());
        assert!(Report::beside(&[&stdout, &stdout], Output::Text).is_err());
    }
}
