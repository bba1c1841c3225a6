//! The program's verbs, run to their end.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use serde_json::Value;

use super::capture::Capture;
use super::process::KilledOnDrop;
use super::wait_until;

/// A run of the program that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit status.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it said beside.
    pub(crate) stderr: String,
}

impl Run {
    /// Asserts the exit status.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Asserts success, and reads the one object on one line that `--json` prints.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let run = self.ended(0);
        assert_eq!(run.stdout.matches('\n').count(), 1, "one line: {run:?}");
        assert!(run.stdout.ends_with('\n'), "{run:?}");
        let value: Value = serde_json::from_str(&run.stdout).unwrap();
        assert!(value.is_object(), "{run:?}");
        value
    }

    /// Asserts success, and reads the one line that was printed.
    #[track_caller]
    pub(crate) fn line(self) -> String {
        let run = self.ended(0);
        let line = run.stdout.strip_suffix('\n').unwrap_or_else(|| panic!("no line: {run:?}"));
        assert!(!line.contains('\n'), "more than a line: {run:?}");
        line.to_owned()
    }

    /// Asserts the exit status, an empty stdout, and one line on stderr that says `why`.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, why: &str) {
        let run = self.ended(code);
        assert_eq!(run.stdout, "", "{run:?}");
        assert!(run.stderr.contains(why), "it does not say {why:?}: {run:?}");
    }
}

/// The program under test, without settings from the environment.
pub(crate) fn pqc() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_pqc")))
}

/// The same for a command that runs it.
pub(crate) fn without_settings(mut command: Command) -> Command {
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PQC_") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE");
    command
}

/// A run of the program that goes on. Killed when it is dropped.
pub(crate) struct Started {
    child: KilledOnDrop,
    stdin: Option<ChildStdin>,
    stdout: Capture,
    stderr: Capture,
}

impl Started {
    /// Starts a verb on a data folder, and gives it the first bytes of its input.
    pub(crate) fn on(data_dir: &Path, line: &str, first: &[u8]) -> Self {
        Self::reading(pqc().args(line.split(' ')).arg("--data-dir").arg(data_dir), first)
    }

    fn reading(command: &mut Command, first: &[u8]) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Capture::of(child.stdout.take().unwrap());
        let stderr = Capture::of(child.stderr.take().unwrap());
        let mut stdin = child.stdin.take().unwrap();
        // Who does not read its input closes it: no matter.
        let _ = stdin.write_all(first);
        Self { child: KilledOnDrop(child), stdin: Some(stdin), stdout, stderr }
    }

    /// Sends a signal by its name, and waits for the end.
    pub(crate) fn signal(self, name: &str) -> Run {
        let kill = format!("kill -{name} {}", self.child.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.wait()
    }

    fn wait(mut self) -> Run {
        let mut status = None;
        wait_until("the end of a verb", || {
            status = self.child.0.try_wait().unwrap();
            status.is_some()
        });
        let code = status.and_then(|status| status.code()).unwrap_or(-1);
        let text = |capture: &Capture| String::from_utf8(capture.all()).unwrap();
        Run { code, stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

/// Runs a command to its end, with `stdin` as its input.
pub(crate) fn run(command: &mut Command, stdin: &[u8]) -> Run {
    let mut started = Started::reading(command, stdin);
    started.stdin = None;
    started.wait()
}

/// Runs a verb on a data folder. The words of `line` are separated by spaces.
pub(crate) fn run_on(data_dir: &Path, line: &str, stdin: &[u8]) -> Run {
    run(pqc().args(line.split(' ')).arg("--data-dir").arg(data_dir), stdin)
}
