//! What a verb reads: a file, or stdin for `-`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use crate::private_file;

/// What people call it.
pub(crate) fn name(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() }
}

/// Whether it is stdin.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads at most `limit` bytes to its end.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, limit: usize) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let bytes = if is_stdin(path) {
        private_file::read_from(io::stdin().lock(), limit)
    } else {
        private_file::read(path, limit)
    };
    bytes.with_context(|| format!("cannot read {}", name(path)))
}

/// Reads at most `limit` bytes of what is no secret, into no more memory than it takes.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_public(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let room = u64::try_from(limit.saturating_add(1)).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        open(path)?.take(room).read_to_end(&mut bytes)?;
        if bytes.len() > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    };
    read().with_context(|| format!("cannot read {}", name(path)))
}

/// Opens it, to be read piece by piece.
///
/// # Errors
/// Of the file system.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if is_stdin(path) { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(path)?)) }
}

/// Gives each piece of what is read to `take`.
///
/// # Errors
/// Of the file system.
pub(crate) fn for_each_piece(mut source: impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Refuses inputs of which more than one is stdin, which can be read once.
///
/// # Errors
/// There are two.
pub(crate) fn at_most_one_stdin<'a>(
    paths: impl IntoIterator<Item = &'a Path>,
) -> anyhow::Result<()> {
    if paths.into_iter().filter(|path| is_stdin(path)).nth(1).is_some() {
        bail!("more than one input is - (stdin), which is read once: give files for the others");
    }
    Ok(())
}

const PIECE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdin_is_read_once() {
        let check = |paths: &[&str]| at_most_one_stdin(paths.iter().map(Path::new)).is_ok();
        assert!(check(&["a", "-", "b"]));
        assert!(!check(&["-", "a", "-"]));
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "1234").unwrap();
        assert_eq!(read_public(file.path(), 4).unwrap(), b"1234");
        assert!(read_public(file.path(), 3).is_err());
        assert!(read(file.path(), 3).is_err());
    }

    #[test]
    fn all_pieces_come_in_order() {
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut read = Vec::new();
        for_each_piece(&bytes[..], |piece| read.extend_from_slice(piece)).unwrap();
        assert!(read == bytes);
    }
}
