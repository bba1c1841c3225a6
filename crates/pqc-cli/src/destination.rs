//! Where a verb writes what it makes: a file that appears as a whole or not at all, or stdout.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::exit::OutputCut;
use crate::input_file::is_stdin;
use crate::new_file::{cannot_write, output_name};
use crate::private_file::{Existing, Unnamed};

/// A place to write to, piece by piece. Dropped, nothing of a file is left.
#[derive(Debug)]
pub(crate) struct Destination {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File(Unnamed),
    /// A device or a pipe, which takes what it is given.
    Device(File),
    Stdout,
}

impl Destination {
    /// Whether there can be one, before anything is done for it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn check(path: &Path, force: bool) -> anyhow::Result<()> {
        if is_stdin(path) || is_pipe_or_terminal(path) {
            return Ok(());
        }
        Unnamed::beside(path, existing(force)).map(drop).map_err(|e| cannot_write(path, &e))
    }

    /// Opens it, for its owner alone if `make` is [`Unnamed::beside`]; `-` is stdout.
    ///
    /// # Errors
    /// There is one, and `force` is not given; it cannot be written.
    pub(crate) fn open(
        path: &Path,
        force: bool,
        make: fn(&Path, Existing) -> io::Result<Unnamed>,
    ) -> anyhow::Result<Self> {
        let kind = if is_stdin(path) {
            Ok(Kind::Stdout)
        } else if is_pipe_or_terminal(path) {
            File::options().write(true).open(path).map(Kind::Device)
        } else {
            make(path, existing(force)).map(Kind::File)
        };
        kind.map(|kind| Self { path: path.to_owned(), kind }).map_err(|e| cannot_write(path, &e))
    }

    /// Whether what is written leaves the process at once, and cannot be taken back.
    pub(crate) fn is_pipe(&self) -> bool {
        !matches!(self.kind, Kind::File(_))
    }

    /// Something to write by, on any thread.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn writer(&self) -> anyhow::Result<Writer> {
        let file = match &self.kind {
            Kind::File(file) => file.handle().map(Writer::File),
            Kind::Device(file) => file.try_clone().map(Writer::File),
            Kind::Stdout => Ok(Writer::Stdout(io::stdout())),
        };
        file.map_err(|error| self.cannot_write(&error))
    }

    /// Makes what was written stay: a file gets its name now.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) async fn finish(self) -> anyhow::Result<()> {
        let Kind::File(file) = self.kind else { return Ok(()) };
        // A disk may take its time.
        let named = tokio::task::spawn_blocking(move || file.name());
        named.await.context("writing stopped")?.map_err(|error| cannot_write(&self.path, &error))
    }

    /// An error of writing to it, in words.
    pub(crate) fn cannot_write(&self, error: &io::Error) -> anyhow::Error {
        if self.is_pipe() && error.kind() == ErrorKind::BrokenPipe {
            return OutputCut.into();
        }
        match self.kind {
            Kind::File(_) if error.kind() == ErrorKind::StorageFull => {
                anyhow!("cannot write {}: {error} (nothing is left of it)", output_name(&self.path))
            }
            _ => cannot_write(&self.path, error),
        }
    }
}

fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Keep }
}

/// What takes all that is written to it and keeps nothing that was there; a disk is none.
pub(crate) fn is_pipe_or_terminal(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        path.metadata()
            .is_ok_and(|there| there.file_type().is_fifo() || there.file_type().is_char_device())
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Writes to a [`Destination`].
#[derive(Debug)]
pub(crate) enum Writer {
    File(File),
    Stdout(io::Stdout),
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}
