//! Runs a command from the workspace's root, and keeps the exit status of one that fails.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

/// A command that ran and failed.
#[derive(Debug)]
pub(crate) struct Failed {
    command: String,
    status: ExitStatus,
}

impl Failed {
    /// The command's own exit status; 1 for one that a signal ended.
    pub(crate) fn exit_code(&self) -> ExitCode {
        let code = self.status.code().and_then(|code| u8::try_from(code).ok());
        code.map_or(ExitCode::FAILURE, ExitCode::from)
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` failed: {}", self.command, self.status)
    }
}

impl std::error::Error for Failed {}

/// Runs `cargo` with `arguments` (separated by spaces): the cargo that runs this task.
///
/// # Errors
/// [`Failed`] if it exits with another status than 0; any other error if it can't be started.
pub(crate) fn cargo(arguments: &str) -> anyhow::Result<()> {
    cargo_with(arguments, &[])
}

/// [`cargo`], with more environment variables.
///
/// # Errors
/// As [`cargo`].
pub(crate) fn cargo_with(arguments: &str, environment: &[(&str, &str)]) -> anyhow::Result<()> {
    run(arguments, environment, Stdio::inherit()).map(drop)
}

/// What [`cargo_with`] prints, but for its errors, which are shown.
///
/// # Errors
/// As [`cargo`].
pub(crate) fn cargo_told(arguments: &str, environment: &[(&str, &str)]) -> anyhow::Result<String> {
    Ok(String::from_utf8(run(arguments, environment, Stdio::piped())?)?)
}

/// What it prints, if that is piped.
fn run(arguments: &str, environment: &[(&str, &str)], printed: Stdio) -> anyhow::Result<Vec<u8>> {
    let command = format!("cargo {arguments}");
    eprintln!("xtask: {command}");
    let start = Instant::now();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let ran = Command::new(cargo)
        .args(arguments.split_whitespace())
        .envs(environment.iter().copied())
        .current_dir(root())
        .stdin(Stdio::inherit())
        .stdout(printed)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{command}` can't be started"))?;
    ensure!(ran.status.success(), Failed { command, status: ran.status });
    eprintln!("xtask: {command}: {} s", start.elapsed().as_secs());
    Ok(ran.stdout)
}

/// Whether `tool` can be started.
pub(crate) fn is_installed(tool: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
