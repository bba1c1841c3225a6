//! The core's tests by its features: none, the default, all; its unit tests with each of the others; and a
//! program without the standard library.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{cargo, cargo_with, root};

/// Tests the core with no feature, each and all; builds and runs `examples/no_std` on either backend.
///
/// # Errors
/// The first command that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    let manifest = fs::read_to_string(root().join("crates/pqc-core/Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let features = features.context("the core has no features")?;
    let core = "test --package pqc-core --no-default-features";
    // How many cases the backends are compared on is for `cargo xtask test` to say.
    let test = |what: &str| cargo_with(&format!("{core} {what}"), &[("PQC_CASES", "102")]);
    test("--lib --tests")?;
    for feature in features.keys().filter(|feature| *feature != "default") {
        // The default by itself is a build that people link; the others come on top of it.
        let tests = if feature == "libcrux" { "--tests" } else { "" };
        test(&format!("--lib {tests} --features {feature}"))?;
    }
    test("--lib --tests --all-features")?;
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
