//! Faults of the machine under a server: a disk that does not flush, a clock that is off.
//!
//! A few lines of C, built here by the compiler that built SQLite, stand before the C library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use super::pqc;

/// The faults of one machine: none at first.
pub(crate) struct Faults(TempDir);

impl Faults {
    /// A machine without fault.
    pub(crate) fn none() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// From now on nothing can be flushed to disk.
    pub(crate) fn fail_fsync(&self) {
        fs::write(self.0.path().join("fsync"), "").unwrap();
    }

    /// Sets the time of day this many seconds ahead of the real one, or behind it.
    pub(crate) fn set_clock(&self, seconds: i64) {
        // In one step: the program may look at any moment.
        let new = self.0.path().join("new");
        fs::write(&new, seconds.to_string()).unwrap();
        fs::rename(new, self.0.path().join("clock")).unwrap();
    }

    /// The program under test on this machine.
    pub(crate) fn pqc(&self) -> Command {
        let mut command = pqc();
        command.env("LD_PRELOAD", library()).env("TEST_FAULTS", self.0.path());
        command
    }
}

/// The library, built once by each run.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fault.so");
        let new = library.with_extension(std::process::id().to_string());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/support/fault.c");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let mut cc = Command::new(compiler);
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&new).arg(source);
        assert!(cc.status().unwrap().success(), "{cc:?}");
        // Another run may use it at this moment.
        fs::rename(new, &library).unwrap();
        library
    })
}
