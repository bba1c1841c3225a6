//! `cargo xtask build`: the program as one ships it, faster than `cargo build --release` makes it.
//!
//! libcrux's AVX2 code calls functions of other crates that are compiled for plain x86-64, and each of
//! its vectors then goes through memory. LLVM compiles such a function for AVX2 where it is inlined into
//! code that has AVX2, but by itself it inlines none so long, and takes none so long from another
//! crate's module. With higher limits it does; the program still runs on every x86-64, since what has
//! AVX2 is chosen at run time as before. The flags hold for the whole program, so it is larger and
//! takes longer to build: not for each day.

use std::env;

use crate::command::{cargo_told, cargo_with};
use crate::server::target;

/// Where it lies, as a build below the target folder.
pub(crate) const SHIPPED: &str = "shipped/release";

/// Builds it, and says where it is.
///
/// # Errors
/// The build fails.
pub(crate) fn run() -> anyhow::Result<()> {
    shipped("build --release --locked --package pqc-cli")?;
    println!("{}", target()?.join(SHIPPED).join("pqc").display());
    Ok(())
}

/// Runs `cargo` so that what it builds is built that way.
///
/// # Errors
/// As [`cargo_with`].
pub(crate) fn shipped(arguments: &str) -> anyhow::Result<()> {
    let (arguments, flags) = in_folder(arguments)?;
    cargo_with(&arguments, &[("RUSTFLAGS", &flags)])
}

/// The same; what it prints.
///
/// # Errors
/// As [`cargo_told`].
pub(crate) fn shipped_told(arguments: &str) -> anyhow::Result<String> {
    let (arguments, flags) = in_folder(arguments)?;
    cargo_told(&arguments, &[("RUSTFLAGS", &flags)])
}

fn in_folder(arguments: &str) -> anyhow::Result<(String, String)> {
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    // Other flags are another build of every crate, which has a folder of its own.
    let folder = target()?.join("shipped");
    let (command, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    Ok((
        format!("{command} --target-dir {} {rest}", folder.display()),
        format!("{flags} {INLINING}").trim().to_owned(),
    ))
}

/// The defaults are 100 and 225; at ten times as much again nothing more was gained.
const INLINING: &str = "-C llvm-args=-import-instr-limit=3000 -C llvm-args=-inline-threshold=3000";
