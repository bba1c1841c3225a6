//! Whether a running server does what its OpenAPI document says: schemathesis asks it.
//!
//! Every check that schemathesis has, over examples that it draws from the document, right and
//! wrong, each with a root token and with a temporary one; with keys in memory as by default, with room
//! for one, and with none. `xtask/conformance/` has its settings.

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::command::{cargo, root};
use crate::server::{Server, field};

/// As much as CI can wait for.
pub(crate) const EXAMPLES: u32 = 3;
/// The same examples each time.
pub(crate) const SEED: u64 = 1;

/// By which token, and of a server with which options.
const ASKED: [(&str, &[&str]); 4] = [
    ("root", &[]),
    ("temporary", &[]),
    ("root", &["--key-cache", "40000"]),
    ("root", &["--key-cache", "0"]),
];

/// Builds, serves, and has schemathesis ask with either kind of token: `examples` for each
/// operation and phase.
///
/// # Errors
/// schemathesis is missing, or found something.
pub(crate) fn run(examples: u32, seed: u64) -> anyhow::Result<()> {
    let schemathesis = program();
    ensure!(
        is_possible(),
        "schemathesis is MISSING (pip install -r xtask/conformance/requirements.txt; \
         PQC_CONFORMANCE_SCHEMATHESIS may name it)"
    );
    // As the tests are built, so that all of them share one build.
    cargo("build --workspace --all-targets")?;
    for (kind, options) in ASKED {
        let folder = TempDir::new()?;
        let mut server = Server::start("debug", folder.path(), options)?;
        let minted;
        let token = match kind {
            "root" => server.root_token.as_str(),
            _ => {
                minted = server
                    .post("/api/token/new?expiry_time=86400&expire_after_attempts=1000000")?;
                field(&minted, "new_token")?
            }
        };
        let begin = Instant::now();
        let how = options.join(" ");
        eprintln!(
            "xtask: schemathesis with a {kind} token, {examples} examples, seed {seed} {how}"
        );
        let status = Command::new(&schemathesis)
            .args(["--config-file", "schemathesis.toml", "run"])
            .arg(format!("http://{}/openapi.json", server.address))
            .args(["--checks", "all", "--max-examples", &examples.to_string()])
            .args(["--seed", &seed.to_string()])
            .current_dir(root().join("xtask/conformance"))
            .env("PYTHONPATH", ".")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("PQC_CONFORMANCE_TOKEN", token)
            .status()
            .context("schemathesis can't be started")?;
        eprintln!("xtask: {kind} token: {} s", begin.elapsed().as_secs());
        ensure!(server.runs()?, "the server ended");
        ensure!(status.success(), "schemathesis with a {kind} token {how}: {status}");
    }
    Ok(())
}

/// Whether schemathesis can be started.
pub(crate) fn is_possible() -> bool {
    Command::new(program()).arg("--version").output().is_ok()
}

fn program() -> OsString {
    env::var_os("PQC_CONFORMANCE_SCHEMATHESIS").unwrap_or_else(|| OsString::from("schemathesis"))
}
