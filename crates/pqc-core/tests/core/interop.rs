//! Other people's programs, which run the scripts in tests/interop: one JSON object goes in, one
//! comes out.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::say;

/// Python with PyPI `cryptography` 50.
pub(crate) const PYTHON: Program = Program { variable: "PQC_INTEROP_PYTHON", default: "python3" };
/// Node 26.
pub(crate) const NODE: Program = Program { variable: "PQC_INTEROP_NODE", default: "node" };

/// The script's exit status when what it needs is not there.
const MISSING: i32 = 77;

#[derive(Clone, Copy)]
pub(crate) struct Program {
    /// The variable that names it.
    variable: &'static str,
    default: &'static str,
}

impl Program {
    /// What the script answers; nothing if it can't run here, which is said, and in CI is a failure.
    pub(crate) fn run(self, script: &str, request: &Value) -> Option<Value> {
        let program = env::var(self.variable).unwrap_or_else(|_| self.default.to_owned());
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
        let missing = |why: &str| {
            say(&format!("\nSKIPPED: {program} can't run tests/interop/{script}: {why}\n"));
            assert!(env::var_os("CI").is_none(), "CI needs it: {why}");
        };
        let mut command = Command::new(&program);
        command.arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                missing(&error.to_string());
                return None;
            }
        };
        // The script may end before it reads: its status tells.
        let _ = child.stdin.take().unwrap().write_all(request.to_string().as_bytes());
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(MISSING) {
            missing(errors.trim());
            return None;
        }
        assert!(output.status.success(), "{}: {errors}", output.status);
        Some(serde_json::from_slice(&output.stdout).unwrap())
    }
}
