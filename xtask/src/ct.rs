//! Constant time: the core's operations on secrets under valgrind, their secrets marked undefined,
//! and by the clock.
//!
//! `ct/` holds the checks. Each runs twice: as it is, where memcheck must find nothing, and with a
//! branch on its result, where it must find something; without the second, the first shows nothing.
//! Then RustCrypto's signing and decapsulation are timed and compared by dudect's t-test.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::command::{cargo_with, is_installed, root};

/// Builds `ct/` and runs its checks.
///
/// # Errors
/// A missing tool; a check that branches or computes an address on a secret; times that differ; a
/// control that finds nothing.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure!(is_installed("valgrind"), "valgrind is MISSING: {NEEDS}");
    cargo_with(
        "build --release --locked --manifest-path ct/Cargo.toml --target-dir target/ct",
        // libcrux then marks what it may branch on, such as the count of attempts in signing.
        &[("RUSTFLAGS", "--cfg valgrind_ct_test")],
    )
    .context(NEEDS)?;
    let names = Command::new(program("pqc-ct")).output().context("the checks can't be started")?;
    let names = String::from_utf8(names.stdout)?;
    ensure!(!names.is_empty(), "there are no checks");
    for name in names.lines() {
        let leak = KNOWN_LEAKS.iter().find(|(known, _)| *known == name);
        let report = if leak.is_some() { Stdio::null() } else { Stdio::inherit() };
        match (reported(&[name], report)?, leak) {
            (true, Some((_, why))) => println!("{name}: LEAKS, as is known: {why}"),
            (false, Some(_)) => bail!("{name} leaks no more: take it from the known leaks"),
            (true, None) => bail!("{name} does not run in constant time"),
            (false, None) => {
                ensure!(
                    reported(&[name, "leak"], Stdio::null())?,
                    "the control of {name} leaks and was not found: valgrind sees nothing here"
                );
                println!("{name}: nothing found, and its control found");
            }
        }
    }
    compare_times()
}

/// Checks that are known to fail, with the reason.
const KNOWN_LEAKS: &[(&str, &str)] = &[(
    "signing-key-pair-reference",
    "ml-dsa 0.1.2 encodes s1 and s2 with an assertion that branches on the sign of each coefficient",
)];

/// Above this |t|, dudect says, a difference is probably there; it is printed.
const SUSPICIOUS: f64 = 4.5;
/// Above this one it is there, even on a noisy machine: it fails.
const DIFFERENT: f64 = 10.0;

/// Runs dudect's comparisons; their controls must be found.
fn compare_times() -> anyhow::Result<()> {
    let printed = Command::new(program("timing")).output().context("timing can't be started")?;
    ensure!(printed.status.success(), "timing: {}", printed.status);
    let mut compared = 0;
    for line in String::from_utf8(printed.stdout)?.lines() {
        let Some((name, t)) = comparison(line) else { continue };
        let verdict = match (name.starts_with("control"), t.abs()) {
            (true, t) if t > DIFFERENT => "found, as it must be",
            (true, _) => bail!("{name} was not found (t = {t:.2}): this measures nothing"),
            (false, t) if t > DIFFERENT => bail!("{name} takes another time (t = {t:.2})"),
            (false, t) if t > SUSPICIOUS => "SUSPICIOUS: run it again",
            (false, _) => "no difference found",
        };
        println!("{name}: t = {t:.2}, {verdict}");
        compared += 1;
    }
    ensure!(compared == COMPARISONS, "{compared} comparisons in place of {COMPARISONS}");
    Ok(())
}

const COMPARISONS: usize = 5;

/// The name and t of a line such as `bench sign-keys ... : n == +0.1M, max t = -1.2, max tau = …`.
fn comparison(line: &str) -> Option<(&str, f64)> {
    let (head, rest) = line.split_once("max t = ")?;
    let name = head.strip_prefix("bench ")?.split_whitespace().next()?;
    Some((name, rest.split_once(',')?.0.parse().ok()?))
}

/// Whether memcheck reports something of this run.
fn reported(arguments: &[&str], report: Stdio) -> anyhow::Result<bool> {
    let status = Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=99", "--num-callers=40"])
        .arg(format!("--suppressions={}", root().join("ct/public.supp").display()))
        .arg(program("pqc-ct"))
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

fn program(name: &str) -> PathBuf {
    root().join("target/ct/release").join(name)
}

const NEEDS: &str = "`cargo xtask ct` needs valgrind, a C compiler and libclang (Debian: apt-get install valgrind gcc libclang-dev)";
