//! Files that hold a secret: mode 0600, there as a whole or not at all, read with a limit.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// What becomes of a file of that name that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and writing fails.
    Keep,
    /// The new one takes its place.
    Replace,
}

/// Writes the file so that after a crash at any moment it is there as a whole or not at all, and
/// once this returns it stays.
///
/// # Errors
/// Of the file system; with [`Existing::Keep`] also [`io::ErrorKind::AlreadyExists`].
pub(crate) fn write(path: &Path, secret: &[u8], existing: Existing) -> io::Result<()> {
    let mut file = Unnamed::beside(path, existing)?;
    file.write_all(secret)?;
    file.name()
}

/// A file for its owner alone that has no name yet. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Unnamed {
    file: tempfile::NamedTempFile,
    path: PathBuf,
    existing: Existing,
}

impl Unnamed {
    /// Makes it in the folder where it will have the name `path`.
    ///
    /// # Errors
    /// Of the file system; with [`Existing::Keep`] also [`io::ErrorKind::AlreadyExists`]; what is
    /// there is no regular file.
    pub(crate) fn beside(path: &Path, existing: Existing) -> io::Result<Self> {
        Self::made_by(&mut tempfile::Builder::new(), path, existing)
    }

    /// The same for a file that is no secret: whoever the umask lets may read it.
    ///
    /// # Errors
    /// As [`Self::beside`].
    pub(crate) fn for_all_beside(path: &Path, existing: Existing) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        Self::made_by(&mut builder, path, existing)
    }

    /// Mode 0600 unless `builder` says otherwise, and removed again unless it gets its name.
    fn made_by(
        builder: &mut tempfile::Builder<'_, '_>,
        path: &Path,
        existing: Existing,
    ) -> io::Result<Self> {
        check_name(path, existing)?;
        // Of what went wrong, not with a name that nobody gave.
        let file = builder.prefix(UNNAMED).tempfile_in(folder_of(path));
        let file = file.map_err(|error| io::Error::from(error.kind()))?;
        Ok(Self { file, path: path.to_owned(), existing })
    }

    /// Another handle on it, to write by.
    ///
    /// # Errors
    /// Of the file system.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Gives it its name, for good.
    ///
    /// # Errors
    /// As [`Self::beside`].
    pub(crate) fn name(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        let named = match self.existing {
            Existing::Keep => self.file.persist_noclobber(&self.path),
            Existing::Replace => self.file.persist(&self.path),
        };
        named.map_err(|failed| failed.error)?;
        sync_folder(folder_of(&self.path))
    }
}

impl Write for Unnamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether a file may get this name, as far as can be told beforehand.
///
/// # Errors
/// As [`Unnamed::beside`]; there is no such folder.
fn check_name(path: &Path, existing: Existing) -> io::Result<()> {
    let there = path.metadata();
    if there.as_ref().is_ok_and(fs::Metadata::is_dir) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if fs::read_link(path).is_ok_and(|target| target.starts_with("/proc/self/fd")) {
        let why = "it stands for an open file: give - for stdout";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    if existing == Existing::Keep && path.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    match there {
        // A device or a pipe would be replaced, not written to.
        Ok(there) if !there.is_file() => {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        _ => {}
    }
    folder_of(path).metadata().map(drop)
}

/// Gives a file another name in its folder, for good, unless there is one of that name.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::AlreadyExists`].
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    // A rename would put it over one that is there.
    fs::hard_link(from, to)?;
    fs::remove_file(from)?;
    sync_folder(folder_of(to))
}

/// Removes what writes into this folder left when their process was killed. One that is under way
/// fails by it, and says so.
///
/// # Errors
/// Of the file system.
pub(crate) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let ours = entry.file_name().as_encoded_bytes().starts_with(UNNAMED.as_bytes());
        if ours && entry.file_type()?.is_file() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// Of the file system; [`io::ErrorKind::FileTooLarge`].
pub(crate) fn read(path: &Path, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    read_from(File::open(path)?, limit)
}

/// Reads at most `limit` bytes to the end of `source`.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_from(source: impl Read, limit: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = limit.saturating_add(1);
    // All room at once: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    source.take(u64::try_from(room).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
}

/// Whether others than the owner may read the file. Only regular files are asked.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path)
            .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Whether others than the owner may put files into the folder, or take some away.
pub(crate) fn is_writable_by_others(folder: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(folder).is_ok_and(|folder| folder.permissions().mode() & 0o022 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        false
    }
}

/// Makes the folder, and those above it, for the owner alone; one that is there stays as it is.
///
/// # Errors
/// Of the file system.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)?;
    sync_folder(folder_of(path))
}

/// Makes an empty file for the owner alone, or opens the one that is there.
///
/// # Errors
/// Of the file system.
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Where a file of this name lies.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes names in the folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// How the names of files begin that have not got theirs yet.
pub(crate) const UNNAMED: &str = ".pqc-new-";

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write(&path, b"one", Existing::Keep).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!is_open_to_others(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(is_open_to_others(&path));
    }

    #[test]
    fn a_file_is_kept_or_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        write(&path, b"one", Existing::Keep).unwrap();
        let refused = write(&path, b"two", Existing::Keep).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"two", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn what_a_killed_write_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path(".pqc-new-Ab12Cd"), b"half").unwrap();
        fs::write(path(".new-notes"), b"someone's own").unwrap();
        fs::create_dir(path(".pqc-new-folder")).unwrap();
        remove_leftovers(folder.path()).unwrap();
        assert!(!path(".pqc-new-Ab12Cd").exists());
        assert!(path(".new-notes").exists() && path(".pqc-new-folder").exists());
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        assert_eq!(*read_from(&b"1234"[..], 4).unwrap(), b"1234");
        let refused = read_from(&b"12345"[..], 4).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }
}
