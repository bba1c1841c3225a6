//! The core's tests by its features: none, each alone, all; and a program without the standard
//! library.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{cargo, cargo_with, root};

/// Tests the core with each set of features; builds and runs `examples/no_std` on either backend.
///
/// # Errors
/// The first command that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    let manifest = fs::read_to_string(root().join("crates/pqc-core/Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let features = features.context("the core has no features")?;
    let core = "test --package pqc-core --lib --tests --no-default-features";
    // How many cases the backends are compared on is for `cargo xtask test` to say.
    let test = |features: &str| cargo_with(&format!("{core} {features}"), &[("PQC_CASES", "102")]);
    test("")?;
    for feature in features.keys().filter(|feature| *feature != "default") {
        test(&format!("--features {feature}"))?;
    }
    test("--all-features")?;
    for backend in ["", "--no-default-features"] {
        cargo(&format!(
            "build --locked --manifest-path examples/no_std/Cargo.toml --target-dir target/no_std {backend}"
        ))?;
        let ran = Command::new(root().join("target/no_std/debug/pqc-no-std")).status()?;
        ensure!(ran.success(), "the program without the standard library: {ran}");
    }
    println!("none, {} alone, all: tested; without std: linked and run", features.len() - 1);
    Ok(())
}
