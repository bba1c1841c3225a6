//! The core by its features: none, each alone, all; and in a program without the standard library.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{cargo, root};

/// Checks the core with each set of features; builds and runs `examples/no_std` on either backend.
///
/// # Errors
/// The first command that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    let manifest = fs::read_to_string(root().join("crates/pqc-core/Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let features = features.context("the core has no features")?;
    let core = "check --package pqc-core --lib --no-default-features";
    cargo(core)?;
    for feature in features.keys() {
        cargo(&format!("{core} --features {feature}"))?;
    }
    cargo(&format!("{core} --all-features"))?;
    for backend in ["", "--no-default-features"] {
        cargo(&format!(
            "build --locked --manifest-path examples/no_std/Cargo.toml --target-dir target/no_std {backend}"
        ))?;
        let ran = Command::new(root().join("target/no_std/debug/pqc-no-std")).status()?;
        ensure!(ran.success(), "the program without the standard library: {ran}");
    }
    println!("none, {} alone, all: checked; without std: linked and run", features.len());
    Ok(())
}
