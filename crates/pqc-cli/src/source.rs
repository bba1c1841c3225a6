//! What a verb reads: a file of any length that must stay as it is, or stdin; read ahead of who works
//! on it.

use std::fs::{File, Metadata};
#[cfg(unix)]
use std::io::Seek;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::SystemTime;

use anyhow::{Context, bail};
use pqc_core::secret::Wiped;

use crate::input_file::{is_stdin, name};

/// An input.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    File {
        file: File,
        state: State,
        from: u64,
    },
    /// A pipe or a device, which says nothing of its length.
    Pipe(File),
    /// The same, where it is no file either.
    Stdin,
}

/// What is another after a file was written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    length: u64,
    modified: Option<SystemTime>,
}

impl State {
    fn of(file: &Metadata) -> Self {
        Self { length: file.len(), modified: file.modified().ok() }
    }
}

impl Source {
    /// Opens it; `-` is stdin.
    ///
    /// # Errors
    /// There is none, or it cannot be read; it is a folder.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let kind = if is_stdin(path) {
            Self::of_stdin().unwrap_or(Kind::Stdin)
        } else {
            let file = File::open(path).with_context(|| cannot_read(path))?;
            let there = file.metadata().with_context(|| cannot_read(path))?;
            if there.is_dir() {
                bail!("{} is a folder: give a file, such as an archive of it", name(path));
            }
            if there.is_file() {
                Kind::File { file, state: State::of(&there), from: 0 }
            } else {
                Kind::Pipe(file)
            }
        };
        Ok(Self { path: path.to_owned(), kind })
    }

    /// Stdin, if it is a file, which somebody may have read the beginning of.
    fn of_stdin() -> Option<Kind> {
        #[cfg(unix)]
        {
            use std::os::fd::AsFd;
            let mut file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
            let there = file.metadata().ok().filter(Metadata::is_file)?;
            let from = file.stream_position().ok()?;
            Some(Kind::File { file, state: State::of(&there), from })
        }
        #[cfg(not(unix))]
        None
    }

    /// How much there is to read, where that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.kind {
            Kind::File { state, from, .. } => Some(state.length.saturating_sub(*from)),
            Kind::Pipe(_) | Kind::Stdin => None,
        }
    }

    /// Something to read it by, on any thread.
    ///
    /// # Errors
    /// Of the system.
    pub(crate) fn reader(&self) -> anyhow::Result<Box<dyn Read + Send>> {
        Ok(match &self.kind {
            Kind::File { file, .. } | Kind::Pipe(file) => {
                Box::new(file.try_clone().with_context(|| cannot_read(&self.path))?)
            }
            Kind::Stdin => Box::new(io::stdin()),
        })
    }

    /// That it is still what it was when it was opened, so that the `read` bytes of it are one text.
    ///
    /// # Errors
    /// It was written to.
    pub(crate) fn check_unchanged(&self, read: u64) -> io::Result<()> {
        let Kind::File { file, state, .. } = &self.kind else { return Ok(()) };
        // What has no length, as in /proc, gives more than it says.
        let is_short = self.length().is_some_and(|length| read < length);
        if is_short || State::of(&file.metadata()?) != *state {
            return Err(io::Error::other("it changed while it was read: try again"));
        }
        Ok(())
    }

    /// An error of reading it, in words.
    pub(crate) fn cannot_read(&self) -> String {
        cannot_read(&self.path)
    }
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", name(path))
}

/// Pieces of a reader, which another thread reads while the last one is worked on. Wiped.
pub(crate) struct Ahead {
    pieces: Receiver<io::Result<Piece>>,
    piece: Piece,
    at: usize,
    is_ended: bool,
}

type Piece = Wiped<Vec<u8>>;

impl Ahead {
    /// Begins to read. The thread ends with the reader, or when nobody wants its pieces.
    pub(crate) fn of(mut reader: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = sync_channel(1);
        std::thread::spawn(move || {
            loop {
                let mut piece = Wiped::new(Vec::with_capacity(PIECE_BYTES));
                let read = reader.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
                let is_end = !matches!(read, Ok(count) if count > 0);
                if sender.send(read.map(|_| piece)).is_err() || is_end {
                    return;
                }
            }
        });
        Self { pieces, piece: Piece::default(), at: 0, is_ended: false }
    }

    /// The next piece; an empty one is the end.
    ///
    /// # Errors
    /// Those of the reader.
    pub(crate) fn next_piece(&mut self) -> io::Result<Piece> {
        if self.is_ended {
            return Ok(Piece::default());
        }
        // A thread that is gone without a word has not come to the end.
        let gone = || io::Error::new(ErrorKind::UnexpectedEof, "reading stopped");
        let piece = self.pieces.recv().map_err(|_| gone())??;
        self.is_ended = piece.is_empty();
        Ok(piece)
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            self.piece = self.next_piece()?;
            self.at = 0;
        }
        let count = self.piece.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// 64 chunks of a stream: so many are sealed at once.
pub(crate) const PIECE_BYTES: usize = 4 * 1024 * 1024;
