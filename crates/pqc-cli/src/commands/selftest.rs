//! `pqc selftest`: this build's cryptography against known answers.

use std::io::{self, Write};

use serde::Serialize;

use crate::output::{Human, Output};

#[derive(Debug, Serialize)]
struct Passed {
    backend: &'static str,
    checks: usize,
}

/// Runs every check.
///
/// # Errors
/// The check that failed.
pub(crate) fn run(output: Output) -> anyhow::Result<()> {
    let report = pqc_core::selftest::run(&mut getrandom::SysRng)?;
    output.show(&Passed { backend: report.backend, checks: report.checks })
}

impl Human for Passed {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "self-test passed: {} checks of backend {}", self.checks, self.backend)
    }
}
