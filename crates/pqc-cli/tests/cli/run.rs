//! The program, run to its end in a folder of its own.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder for files, gone at the end of a test.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One with a key pair: `key`, `key.pub`.
    pub fn with_keys(verb: &str, algorithm: &str) -> Self {
        let folder = Self::new();
        folder.pqc(&[
            verb,
            "keygen",
            "--algorithm",
            algorithm,
            "--out",
            "key",
            "--public",
            "key.pub",
        ]);
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// The names of all that lies there.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The program with these arguments, in the folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pqc"));
        command.args(args).current_dir(self.0.path());
        without_settings(&mut command);
        command
    }

    /// What it prints, where all goes well.
    #[track_caller]
    pub fn pqc(&self, args: &[&str]) -> String {
        String::from_utf8(self.piped(args, b"")).unwrap()
    }

    /// The same with an input, as bytes.
    #[track_caller]
    pub fn piped(&self, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let output = self.run(args, stdin);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        output.stdout
    }

    /// Runs it to its end, whatever that is.
    pub fn run(&self, args: &[&str], stdin: &[u8]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // Who reads nothing may be gone already; who prints much waits for a reader.
            scope.spawn(move || input.write_all(stdin));
            child.wait_with_output().unwrap()
        })
    }

    /// Asserts that it ends with `code`, prints nothing, and says `why` on one line.
    #[track_caller]
    pub fn refused(&self, args: &[&str], stdin: &[u8], code: i32, why: &str) {
        let output = self.run(args, stdin);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert_eq!(output.stdout, b"", "{args:?}");
        assert!(said.contains(why), "it does not say {why:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// Those of the tests are none of the program's.
pub fn without_settings(command: &mut Command) {
    command.env_remove("RUST_BACKTRACE");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PQC_") {
            command.env_remove(name);
        }
    }
}
