//! The files that a manifest lists: as they are hashed for it, and as they are compared with it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};
use pqc_core::checksum::Checksum;
use pqc_core::manifest::{Entry, Manifest};

use crate::input_file::{for_each_piece, is_stdin};

/// The manifest of these files, under their names as they were typed.
///
/// # Errors
/// A file cannot be read, has no name, or has one that a manifest cannot hold.
pub(crate) fn manifest_of(files: &[PathBuf]) -> anyhow::Result<Manifest> {
    let entry = |file: &PathBuf| {
        if is_stdin(file) {
            bail!("stdin has no name for a manifest: give a file, or ./- if it is called so");
        }
        let name = bytes_of(file.as_os_str());
        let name = name.with_context(|| format!("{} is no name in UTF-8", file.display()))?;
        let sha256 = hash(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(Entry { name: name.to_vec(), sha256 })
    };
    let entries = files.iter().map(entry).collect::<anyhow::Result<_>>()?;
    Manifest::new(entries).context("it has no files")
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It has another content than was signed.
    Altered,
    /// It is not there.
    Missing,
    /// It cannot be read.
    Unreadable(String),
    /// The manifest does not list it.
    Extra,
}

/// How files compare with a manifest.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// How many were compared.
    pub(crate) files: usize,
    /// The names of those that are not as they were signed.
    pub(crate) faults: Vec<(String, Fault)>,
}

/// Compares the files that the manifest lists: of these `files`, or all if they are none.
pub(crate) fn compare(manifest: &Manifest, files: &[PathBuf]) -> Comparison {
    let asked: BTreeSet<PathBuf> = files.iter().map(|file| plain(file)).collect();
    let mut extra = asked.clone();
    let mut comparison = Comparison { files: 0, faults: Vec::new() };
    for Entry { name, sha256 } in manifest.entries() {
        let Some(path) = os_string(name).map(PathBuf::from) else {
            let name = String::from_utf8_lossy(name).into_owned();
            let why = "its name is not in UTF-8".to_owned();
            comparison.faults.push((name, Fault::Unreadable(why)));
            continue;
        };
        let plain = plain(&path);
        if !asked.is_empty() && !asked.contains(&plain) {
            continue;
        }
        extra.remove(&plain);
        comparison.files += 1;
        let fault = match hash(&path) {
            Ok(hash) if hash == *sha256 => continue,
            Ok(_) => Fault::Altered,
            Err(error) if is_missing(&error) => Fault::Missing,
            Err(error) => Fault::Unreadable(error.to_string()),
        };
        comparison.faults.push((shown(&path), fault));
    }
    comparison.faults.extend(extra.iter().map(|path| (shown(path), Fault::Extra)));
    comparison
}

/// SHA-256, which `sha256sum` reads everywhere.
fn hash(path: &Path) -> io::Result<[u8; 32]> {
    let mut checksum = Checksum::default();
    for_each_piece(File::open(path)?, |piece| checksum.update(piece))?;
    Ok(checksum.finish())
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Without `.`: `./a` is `a`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// For a line of its own, and without what would steer a terminal.
fn shown(path: &Path) -> String {
    crate::output::harmless(&path.to_string_lossy())
}

#[cfg(unix)]
fn bytes_of(name: &OsStr) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt;
    Some(name.as_bytes())
}

#[cfg(not(unix))]
fn bytes_of(name: &OsStr) -> Option<&[u8]> {
    name.to_str().map(str::as_bytes)
}

#[cfg(unix)]
fn os_string(name: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(name.to_vec()))
}

#[cfg(not(unix))]
fn os_string(name: &[u8]) -> Option<OsString> {
    std::str::from_utf8(name).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_file_that_is_not_as_it_was_signed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let names = ["good", "altered", "gone", "a folder later", "line\nbreak"];
        let files: Vec<_> = names.iter().map(|name| path(name)).collect();
        files.iter().for_each(|file| fs::write(file, "one").unwrap());
        let manifest = manifest_of(&files).unwrap();
        let manifest = Manifest::parse(&manifest.to_bytes()).unwrap();
        assert_eq!(compare(&manifest, &[]).faults, []);

        fs::write(path("altered"), "two").unwrap();
        fs::remove_file(path("gone")).unwrap();
        fs::remove_file(path("a folder later")).unwrap();
        fs::create_dir(path("a folder later")).unwrap();
        fs::write(path("line\nbreak"), "two").unwrap();
        let compared = compare(&manifest, &[]);
        assert_eq!(compared.files, 5);
        let end = |name: &str, end: &str| assert!(name.ends_with(end), "{name}");
        let [altered, gone, unreadable, broken] = &compared.faults[..] else {
            panic!("{compared:?}")
        };
        end(&altered.0, "altered");
        assert_eq!((&altered.1, &gone.1), (&Fault::Altered, &Fault::Missing));
        assert!(matches!(unreadable.1, Fault::Unreadable(_)));
        end(&broken.0, "line\\nbreak");
    }

    #[test]
    fn files_that_are_named_are_compared_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b", "c"] {
            fs::write(path(name), name).unwrap();
        }
        let manifest = manifest_of(&[path("a"), path("b")]).unwrap();
        fs::remove_file(path("b")).unwrap();
        let asked = [path("./a"), path("c")];
        let compared = compare(&manifest, &asked);
        assert_eq!((compared.files, compared.faults.len()), (1, 1));
        assert_eq!(compared.faults[0].1, Fault::Extra);
        assert_eq!(plain(Path::new("./a/./b")), Path::new("a/b"));
    }
}
