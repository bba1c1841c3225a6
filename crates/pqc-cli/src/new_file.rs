//! What a verb makes: files that appear whole or not at all, or bytes on stdout for `-`.
//!
//! In two steps, so that of two files both can be written before one appears: a [`NewFile`] is
//! refused before the work is done where it would be afterwards; [`NewFile::fill`] writes it under no
//! name; [`Filled::appear`] gives it its name.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use pqc_core::SecretVec;
use serde::Serialize;

use crate::destination::{Destination, is_pipe_or_terminal};
use crate::exit::OutputCut;
use crate::input_file;
use crate::output::{self, Human, Output};
use crate::private_file::{Existing, Unnamed, folder_of};

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
    /// For [`Filled::appear`] to write to a pipe or a device.
    Device(PathBuf, SecretVec),
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
        Destination::check(path, force)?;
        Ok(file)
    }

    /// Whether it goes to stdout, which has no room for another word then.
    pub(crate) fn is_stdout(&self) -> bool {
        input_file::is_stdin(self.path)
    }

    /// Whether both are one file, by whatever names.
    fn is(&self, other: &Self) -> bool {
        let folder = |path: &Path| folder_of(path).canonicalize().ok();
        self.path == other.path
            || self.path.file_name() == other.path.file_name()
                && folder(self.path).is_some_and(|ours| folder(other.path) == Some(ours))
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn fill(self, bytes: &[u8]) -> anyhow::Result<Filled> {
        if self.is_stdout() {
            return Ok(Filled::Stdout(SecretVec::copy_of(bytes)));
        }
        if is_pipe_or_terminal(self.path) {
            return Ok(Filled::Device(self.path.to_owned(), SecretVec::copy_of(bytes)));
        }
        let make = if self.is_secret { Unnamed::beside } else { Unnamed::for_all_beside };
        let filled = make(self.path, self.existing).and_then(|mut file| {
            file.write_all(bytes)?;
            Ok(file)
        });
        let file = filled.map_err(|error| cannot_write(self.path, &error))?;
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
            Self::File(file, path) => file.name().map_err(|error| cannot_write(&path, &error)),
            Self::Device(path, bytes) => {
                let file = File::options().write(true).open(&path);
                let written = file.and_then(|mut file| file.write_all(bytes.expose_bytes()));
                written.map_err(|error| cannot_write(&path, &error))
            }
            Self::Stdout(bytes) => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(bytes.expose_bytes()).and_then(|()| stdout.flush());
                match written {
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(OutputCut.into()),
                    written => written.context("cannot write to stdout"),
                }
            }
        }
    }
}

/// What is said of new files beside them.
#[derive(Debug)]
pub(crate) enum Report {
    Stdout(Output),
    /// One of the files goes to stdout.
    Stderr,
    /// A pipe is no place for words.
    Nowhere,
}

impl Report {
    /// Of these files.
    ///
    /// # Errors
    /// Two of them are one; one goes to stdout, which `--json` wants for the object.
    pub(crate) fn beside(files: &[&NewFile<'_>], output: Output) -> anyhow::Result<Self> {
        for (at, file) in files.iter().enumerate() {
            if files.iter().skip(at.saturating_add(1)).any(|other| file.is(other)) {
                let name = output_name(file.path);
                bail!("two outputs cannot both go to {name}: give another file for one");
            }
        }
        let is_printed = files.iter().any(|file| file.is_stdout());
        Self::unless_printed(is_printed, output, Self::Stderr)
    }

    /// Beside one output, which may be stdout.
    ///
    /// # Errors
    /// It is, and `--json` wants stdout for the object.
    pub(crate) fn beside_stream(path: &Path, output: Output) -> anyhow::Result<Self> {
        Self::unless_printed(input_file::is_stdin(path), output, Self::Stderr)
    }

    /// The same, of an output in a pipeline, which wants no words.
    ///
    /// # Errors
    /// As [`Self::beside_stream`].
    pub(crate) fn of_stream(path: &Path, output: Output) -> anyhow::Result<Self> {
        Self::unless_printed(input_file::is_stdin(path), output, Self::Nowhere)
    }

    fn unless_printed(is_printed: bool, output: Output, instead: Self) -> anyhow::Result<Self> {
        match (is_printed, output) {
            (false, output) => Ok(Self::Stdout(output)),
            (true, Output::Text) => Ok(instead),
            (true, Output::Json) => {
                bail!("with --json stdout is for the object: give a file in the place of -")
            }
        }
    }

    /// Says it.
    ///
    /// # Errors
    /// As [`Output::show`].
    pub(crate) fn show(self, what: &(impl Human + Serialize)) -> anyhow::Result<()> {
        match self {
            Self::Stdout(output) => output.show(what),
            Self::Stderr => {
                let mut words = Vec::new();
                what.write(&mut words)?;
                output::note(format_args!("{}", String::from_utf8_lossy(&words).trim_end()));
                Ok(())
            }
            Self::Nowhere => Ok(()),
        }
    }
}

/// A file or stdout, for people.
pub(crate) fn output_name(path: &Path) -> String {
    if input_file::is_stdin(path) { "stdout".to_owned() } else { path.display().to_string() }
}

/// An error of writing to it, in words.
pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> anyhow::Error {
    let name = output_name(path);
    match error.kind() {
        ErrorKind::AlreadyExists => anyhow!("{name} is there already: --force replaces it"),
        _ => anyhow!("cannot write {name}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::private_file;
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
    }

    #[test]
    fn two_results_are_not_one_file_and_stdout_is_one_things() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "./a"].map(|name| folder.path().join(name));
        let [a, b, also_a] = paths.each_ref().map(|path| NewFile::public(path, false).unwrap());
        let stdout = NewFile::public(Path::new("-"), false).unwrap();
        let beside = |files: &[&NewFile<'_>], output| Report::beside(files, output).is_ok();
        assert!(beside(&[&a, &b], Output::Json) && beside(&[&a, &stdout], Output::Text));
        assert!(!beside(&[&a, &also_a], Output::Text) && !beside(&[&b, &a, &a], Output::Text));
        assert!(!beside(&[&stdout, &stdout], Output::Text));
        assert!(!beside(&[&a, &stdout], Output::Json));
    }
}
