//! What a verb reads: a file of any length that must stay as it is, or stdin; read ahead of who works
//! on it.

use std::fs::{File, Metadata};
#[cfg(unix)]
use std::io::Seek;
use std::io::{self, ErrorKind, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
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

    /// That it is still what it was when it was opened, so that what was read of it is one text.
    ///
    /// # Errors
    /// It was written to.
    pub(crate) fn check_unchanged(&self) -> io::Result<()> {
        let Kind::File { file, state, .. } = &self.kind else { return Ok(()) };
        if State::of(&file.metadata()?) != *state {
            return Err(io::Error::other("it changed while it was read: try again"));
        }
        Ok(())
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        name(&self.path)
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
    /// Those that were worked on go back, to be filled again.
    spent: Sender<Piece>,
    piece: Piece,
    at: usize,
    is_ended: bool,
}

/// What was read at once.
#[derive(Default)]
pub(crate) struct Piece {
    room: Wiped<Vec<u8>>,
    length: usize,
}

impl Piece {
    /// Reads until it is full, or to the end.
    fn fill(&mut self, reader: &mut impl Read) -> io::Result<()> {
        if self.room.is_empty() {
            self.room = Wiped::new(vec![0; PIECE_BYTES]);
        }
        self.length = 0;
        while let Some(room) = self.room.get_mut(self.length..).filter(|room| !room.is_empty()) {
            match reader.read(room) {
                Ok(0) => break,
                Ok(count) => self.length = self.length.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.room.get(..self.length).unwrap_or_default()
    }
}

impl Ahead {
    /// Begins to read. The thread ends with the reader, or when nobody wants its pieces.
    pub(crate) fn of(mut reader: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = sync_channel(1);
        let (spent, empty) = channel::<Piece>();
        std::thread::spawn(move || {
            loop {
                let mut piece = empty.try_recv().unwrap_or_default();
                let read = piece.fill(&mut reader);
                let is_end = read.is_err() || piece.is_empty();
                if sender.send(read.map(|()| piece)).is_err() || is_end {
                    return;
                }
            }
        });
        Self { pieces, spent, piece: Piece::default(), at: 0, is_ended: false }
    }

    /// The next piece; an empty one is the end. [`Self::give_back`] takes it when its work is done.
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

    /// Lets the memory of a piece be used again.
    pub(crate) fn give_back(&self, piece: Piece) {
        // A thread that has ended needs none.
        let _ = self.spent.send(piece);
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.len() {
            let next = self.next_piece()?;
            let worked_on = std::mem::replace(&mut self.piece, next);
            self.give_back(worked_on);
            self.at = 0;
        }
        let count = self.piece.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

/// 64 chunks of a stream: so many are sealed at once.
pub(crate) const PIECE_BYTES: usize = 4 * 1024 * 1024;
