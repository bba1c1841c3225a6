//! The core by its features: tested with none and with its default, linted with each alone; and a program
//! without the standard library. With all features it is tested in the workspace, which turns them on.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};

use crate::command::{cargo, cargo_with, root};

/// Tests and lints the core by its features; builds and runs `examples/no_std` on either backend.
///
/// # Errors
/// The first command that fails.
pub(crate) fn run() -> anyhow::Result<()> {
    let manifest = fs::read_to_string(root().join("crates/pqc-core/Cargo.toml"))?;
    let manifest: toml::Table = manifest.parse()?;
    let features = manifest.get("features").and_then(toml::Value::as_table);
    let features = features.context("the core has no features")?;
    let core = "--package pqc-core --no-default-features --lib --tests";
    for feature in features.keys().filter(|feature| *feature != "default") {
        cargo(&format!("clippy {core} --features {feature} -- -D warnings"))?;
    }
    cargo(&format!("clippy {core} -- -D warnings"))?;
    // Those that people link by themselves. How many cases the backends are compared on is for
    // `cargo xtask test` to say.
    for features in ["", "--features libcrux"] {
        cargo_with(&format!("test {core} {features}"), &[("PQC_CASES", "102")])?;
    }
    for backend in ["", "--no-default-features"] {
        cargo(&format!(
            "build --locked --manifest-path examples/no_std/Cargo.toml --target-dir target/no_std {backend}"
        ))?;
        let ran = Command::new(root().join("target/no_std/debug/pqc-no-std")).status()?;
        ensure!(ran.success(), "the program without the standard library: {ran}");
    }
    println!(
        "none and each of {} alone: linted; none and the default: tested; without std: linked and run",
        features.len() - 1
    );
    Ok(())
}
