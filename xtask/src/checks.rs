//! What is checked before a change lands.
//!
//! Every command takes the whole workspace with its default features, so that all of them share
//! one build of each dependency; one more looks at the core without its fast backend.

use std::env;

use anyhow::{Context, ensure};

use crate::cluster::Cluster;
use crate::command::{cargo, cargo_with, is_installed};
use crate::{conformance, features, fuzz, instructions};

/// Programs that tests start: the examples' flows.
const TEST_TOOLS: [&str; 3] = ["python3", "node", "curl"];

/// Every test, with a PostgreSQL cluster for those that need one. Benches run as tests, each once; doc tests need a run of their own.
///
/// # Errors
/// The first command that fails; under `CI=true` also a missing tool.
pub(crate) fn test() -> anyhow::Result<()> {
    look_for_tools()?;
    let cluster = cluster()?;
    let url = cluster.as_ref().map(|cluster| cluster.url("postgres"));
    let environment = url.as_deref().map(|url| [("PQC_TEST_POSTGRES", url)]);
    cargo_with("test --workspace --all-targets", environment.as_ref().map_or(&[], |one| one))?;
    drop(cluster);
    cargo("test --workspace --doc")
}

/// [`test()`], then the conformance of a running server, format, lints, features, documentation,
/// dependencies, 10 seconds for each fuzz target, and the count of instructions.
///
/// # Errors
/// The first command that fails.
pub(crate) fn ci() -> anyhow::Result<()> {
    test()?;
    if conformance::is_possible() || in_ci() {
        conformance::run(conformance::EXAMPLES, conformance::SEED)?;
    } else {
        eprintln!("xtask: MISSING TOOL: schemathesis: the conformance run is SKIPPED");
    }
    cargo("fmt --all --check")?;
    for apart in ["ct", "examples/no_std", "fuzz"] {
        cargo(&format!("fmt --manifest-path {apart}/Cargo.toml --check"))?;
    }
    cargo("clippy --workspace --all-targets -- -D warnings")?;
    features::run()?;
    cargo_with("doc --workspace --no-deps", &[("RUSTDOCFLAGS", "-D warnings")])?;
    cargo("deny check --hide-inclusion-graph bans licenses sources")?;
    fuzz::run(10, None)?;
    if instructions::is_possible() || in_ci() {
        return instructions::run(false);
    }
    eprintln!("xtask: MISSING TOOL: valgrind: the comparison of instructions is SKIPPED");
    Ok(())
}

/// The lines of the core that its units and `tests/core` run, with all features.
///
/// # Errors
/// A missing cargo-llvm-cov; a test that fails.
pub(crate) fn coverage() -> anyhow::Result<()> {
    ensure!(
        is_installed("cargo-llvm-cov"),
        "cargo-llvm-cov is MISSING (cargo install cargo-llvm-cov --locked; rustup component add llvm-tools)"
    );
    cargo("llvm-cov --package pqc-core --all-features --lib --test core --summary-only")
}

/// A cluster that ends with its value. Without the programs the tests on it skip, but never
/// silently, and never under `CI=true`.
pub(crate) fn cluster() -> anyhow::Result<Option<Cluster>> {
    if env::var_os("PQC_TEST_POSTGRES").is_some() {
        return Ok(None);
    }
    let cluster =
        Cluster::start().context("a PostgreSQL cluster for the tests can't be started")?;
    if cluster.is_none() {
        eprintln!(
            "xtask: MISSING: PostgreSQL (Debian: apt-get install postgresql): the tests of the \
             store on it are SKIPPED"
        );
        ensure!(!in_ci(), "under CI=true PostgreSQL must be there");
    }
    Ok(cluster)
}

/// Says which tools are missing: their tests skip, but never silently, and never under `CI=true`.
fn look_for_tools() -> anyhow::Result<()> {
    let mut missing = TEST_TOOLS.to_vec();
    missing.retain(|tool| !is_installed(tool));
    for tool in &missing {
        eprintln!("xtask: MISSING TOOL: {tool}: the tests that start it are SKIPPED");
    }
    ensure!(missing.is_empty() || !in_ci(), "under CI=true every tool must be there");
    Ok(())
}

fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}
