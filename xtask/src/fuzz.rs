//! Fuzzing: each target of `fuzz/` for some seconds, from its kept corpus on.
//!
//! Runs on the stable toolchain, with the address sanitizer. What is new in a run goes to
//! `target/fuzz/corpus/`; into `fuzz/corpus/`, which the tests replay, only a person takes it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::command::{is_installed, root};

/// Builds all targets, then runs each for `seconds`; with `only`, that one.
///
/// # Errors
/// A missing cargo-fuzz, a target that is unknown or can't be built; the first input that crashes,
/// takes over a second or over 1 GiB, with the file that holds it.
pub(crate) fn run(seconds: u32, only: Option<&str>) -> anyhow::Result<()> {
    ensure!(is_installed("cargo-fuzz"), "cargo-fuzz is MISSING: {NEEDS}");
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml"))?;
    let mut targets = targets(&manifest)?;
    if let Some(only) = only {
        ensure!(targets.iter().any(|name| name == only), "no target {only}, only {targets:?}");
        targets.retain(|name| name == only);
    }
    eprintln!("xtask: cargo fuzz build");
    let built = cargo_fuzz("build").args(only).status().context(NEEDS)?;
    ensure!(built.success(), "the targets can't be built: {NEEDS}");
    for target in targets {
        let runs = fuzz(&target, seconds)?;
        println!("{target}: {runs} runs in {seconds} s, nothing found");
    }
    Ok(())
}

/// `cargo fuzz SUBCOMMAND`, in a target folder of its own.
fn cargo_fuzz(subcommand: &str) -> Command {
    let mut command = Command::new("cargo-fuzz");
    command.args(["fuzz", subcommand, "--target-dir", "target/fuzz"]);
    // Its options are unstable, and the toolchain is not.
    command.env("RUSTC_BOOTSTRAP", "1").current_dir(root());
    command
}

/// Runs one target, and says how often it ran.
fn fuzz(target: &str, seconds: u32) -> anyhow::Result<u64> {
    let found = root().join("target/fuzz/corpus").join(target);
    let kept = root().join("fuzz/corpus").join(target);
    fs::create_dir_all(&found)?;
    for (name, input) in large_inputs(&longest(&kept)?) {
        fs::write(found.join(name), input)?;
    }
    eprintln!("xtask: cargo fuzz run {target}");
    let mut child = cargo_fuzz("run")
        .arg(target)
        // libFuzzer writes to the first folder and only reads the second.
        .args([found, kept])
        .arg("--")
        .arg(format!("-max_total_time={seconds}"))
        .args(LIMITS)
        .stderr(Stdio::piped())
        .spawn()
        .context(NEEDS)?;
    let mut log = Vec::new();
    for line in BufReader::new(child.stderr.take().context("no standard error")?).lines() {
        log.push(line?);
    }
    let status = child.wait()?;
    if status.success() && !was_slow(&log) {
        ensure!(loaded_large(&log), "{target} loaded no input of {MAX_BYTES} bytes");
        return runs(&log).with_context(|| format!("{target} says not how often it ran"));
    }
    for line in &log {
        eprintln!("{line}");
    }
    match input(&log) {
        Some(file) => bail!("{target} fails on {file}"),
        None => bail!("{target} did not run: {status}"),
    }
}

/// Inputs of the greatest length, by name: left to itself, libFuzzer seldom comes to one, and the
/// limits would be put to short inputs alone.
fn large_inputs(kept: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let patterns = [
        ("large-zeros", &[0][..]),
        ("large-ones", &[0xff]),
        ("large-letters", b"A"),
        ("large-kept", kept),
    ];
    patterns
        .map(|(name, pattern)| (name, pattern.iter().copied().cycle().take(MAX_BYTES).collect()))
}

/// The longest input in a folder of kept ones.
fn longest(folder: &Path) -> anyhow::Result<Vec<u8>> {
    let inputs = fs::read_dir(folder)
        .with_context(|| format!("{} has no kept inputs", folder.display()))?
        .map(|entry| Ok(fs::read(entry?.path())?))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let longest = inputs.into_iter().max_by_key(Vec::len).filter(|input| !input.is_empty());
    longest.with_context(|| format!("{} has no kept input", folder.display()))
}

/// The names of the programs in the manifest of `fuzz/`.
fn targets(manifest: &str) -> anyhow::Result<Vec<String>> {
    let manifest: toml::Table = manifest.parse()?;
    let programs = manifest.get("bin").and_then(toml::Value::as_array);
    let programs = programs.map(Vec::as_slice).unwrap_or_default().iter();
    let names: Option<Vec<_>> =
        programs.map(|program| Some(program.get("name")?.as_str()?.to_owned())).collect();
    names.filter(|names| !names.is_empty()).context("fuzz/Cargo.toml names no target")
}

/// The number in libFuzzer's last line, `Done 12 runs in 3 second(s)`.
fn runs(log: &[String]) -> Option<u64> {
    let line = log.iter().rev().find_map(|line| line.strip_prefix("Done "))?;
    line.split_once(" runs")?.0.parse().ok()
}

/// Whether inputs of the greatest length were among those of the start, by libFuzzer's line
/// `INFO: seed corpus: files: 9 min: 1b max: 1048576b total: …`.
fn loaded_large(log: &[String]) -> bool {
    let max = format!(" max: {MAX_BYTES}b ");
    log.iter().any(|line| line.starts_with("INFO: seed corpus: ") && line.contains(&max))
}

/// Whether an input took a second or more: the timeout, which is looked at once a second, lets
/// some of them pass.
fn was_slow(log: &[String]) -> bool {
    log.iter().any(|line| line.starts_with("Slowest unit: "))
}

/// The file in libFuzzer's line `…; Test unit written to FILE`.
fn input(log: &[String]) -> Option<&str> {
    log.iter().find_map(|line| Some(line.split_once("Test unit written to ")?.1))
}

/// For each input: 1 s, 1 GiB; inputs are up to 1 MiB.
const LIMITS: [&str; 4] =
    ["-timeout=1", "-report_slow_units=1", "-rss_limit_mb=1024", "-max_len=1048576"];

/// The greatest length of an input.
const MAX_BYTES: usize = 1 << 20;

const NEEDS: &str = "`cargo xtask fuzz` needs cargo-fuzz and a C++ compiler (cargo install cargo-fuzz --locked; Debian: apt-get install g++)";

#[test]
fn the_runs_and_the_input_are_found_in_the_log() {
    let log = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let done = log("#64\tDONE cov: 7\nDone 64 runs in 2 second(s)");
    assert_eq!((runs(&done), input(&done)), (Some(64), None));
    let crash =
        log("==1== ERROR\nartifact_prefix='a/'; Test unit written to a/crash-1\nBase64: AA==");
    assert_eq!((runs(&crash), input(&crash)), (None, Some("a/crash-1")));
    let slow = log("Slowest unit: 1 s:\nartifact_prefix='a/'; Test unit written to a/slow-unit-1");
    assert_eq!(input(&slow), Some("a/slow-unit-1"));
    assert!(was_slow(&slow) && !was_slow(&done));
}

#[test]
fn large_inputs_are_made_and_missed_where_they_are_not_loaded() {
    let inputs = large_inputs(b"kept");
    assert!(inputs.iter().all(|(_, input)| input.len() == MAX_BYTES));
    assert!(inputs[3].1.starts_with(b"keptkept"));
    assert!(LIMITS.contains(&format!("-max_len={MAX_BYTES}").as_str()));
    let started = |max| {
        loaded_large(&[format!(
            "INFO: seed corpus: files: 9 min: 1b max: {max}b total: 9b rss: 9Mb"
        )])
    };
    assert!(started(1_048_576) && !started(1_048_575) && !started(11_048_576));
}

#[test]
fn targets_are_the_programs_of_the_manifest() {
    let manifest = "[[bin]]\nname = \"a\"\n[[bin]]\nname = \"b\"";
    assert_eq!(targets(manifest).ok(), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert!(targets("[package]").is_err());
}
