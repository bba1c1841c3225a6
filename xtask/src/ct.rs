//! Constant time: the core's operations on secrets under valgrind, their secrets marked undefined.
//!
//! `ct/` holds the checks. Each runs twice: as it is, where memcheck must find nothing, and with a
//! branch on its result, where it must find something; without the second, the first shows nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::command::{cargo_with, is_installed, root};

/// Builds `ct/` and runs its checks.
///
/// # Errors
/// A missing tool; a check that branches or computes an address on a secret; a control that finds
/// nothing.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure!(is_installed("valgrind"), "valgrind is MISSING: {NEEDS}");
    cargo_with(
        "build --release --locked --manifest-path ct/Cargo.toml --target-dir target/ct",
        // libcrux then marks what it may branch on, such as the count of attempts in signing.
        &[("RUSTFLAGS", "--cfg valgrind_ct_test")],
    )
    .context(NEEDS)?;
    let names = Command::new(program()).output().context("the checks can't be started")?;
    let names = String::from_utf8(names.stdout)?;
    ensure!(!names.is_empty(), "there are no checks");
    for name in names.lines() {
        ensure!(!reported(&[name], Stdio::inherit())?, "{name} does not run in constant time");
        ensure!(
            reported(&[name, "leak"], Stdio::null())?,
            "the control of {name} leaks and was not found: valgrind sees nothing here"
        );
        println!("{name}: nothing found, and its control found");
    }
    Ok(())
}

/// Whether memcheck reports something of this run.
fn reported(arguments: &[&str], report: Stdio) -> anyhow::Result<bool> {
    let status = Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=99"])
        .arg(program())
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(report)
        .status()
        .context("valgrind can't be started")?;
    match status.code() {
        Some(0) => Ok(false),
        Some(99) => Ok(true),
        _ => bail!("{arguments:?} under valgrind: {status}"),
    }
}

fn program() -> PathBuf {
    root().join("target/ct/release/pqc-ct")
}

const NEEDS: &str = "`cargo xtask ct` needs valgrind, a C compiler and libclang (Debian: apt-get install valgrind gcc libclang-dev)";
