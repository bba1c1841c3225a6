//! `cargo xtask load`: the server over HTTP, against a bare one that does the same cryptography and
//! against a Python peer; writes `docs/benchmarks.md`.
//!
//! Each part measures, writes its section down as JSON, and the document is made of all sections
//! that lie there: so a part can be measured alone, and other programs may add theirs.

mod calls;
mod core;
mod document;
mod growth;
mod latency;
mod material;
mod operation;
mod peer;
mod plot;
mod requests;
mod section;
mod servers;
mod start;
mod subject;
mod witness;
mod wrk;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use self::section::{Goal, Made, Part, Section};
use crate::command::{cargo, is_installed, root};
use crate::server::target;

/// What and how much.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Options {
    /// One round of a second, into target/: to see that everything runs.
    #[arg(long)]
    quick: bool,
    /// Each figure is the median of so many.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How long each round of a figure is.
    #[arg(long, value_name = "N", default_value_t = 5)]
    seconds: u64,
    /// The end of the curve of stored keys (a million are 6 GB).
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    most_keys: u64,
    /// These parts only; the others stay as they were.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Name>,
}

/// A part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Core,
    Http,
    Latency,
    Start,
    Growth,
    Requests,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Extent {
    rounds: usize,
    seconds: u64,
    most_keys: u64,
    /// Over which memory shall be flat.
    requests: u64,
}

/// What came of it.
struct Found {
    goals: Vec<Goal>,
    parts: Vec<Part>,
}

/// Builds, measures, and writes the document.
///
/// # Errors
/// wrk is missing, a build fails, a server does not start, or an answer is not true.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.rounds > 0 && options.seconds > 0, "nothing to measure");
    ensure!(is_installed("wrk"), "wrk is missing; on Debian: apt-get install wrk");
    cargo("build --release")?;
    // Apart: it asks for more of the core than the server has.
    cargo("build --release --package pqc-benches --bin pqc-bare --features aws-lc")?;
    let Options { rounds, seconds, most_keys, .. } = *options;
    let (place, extent) = match options.quick {
        true => {
            let extent = Extent { rounds: 1, seconds: 1, most_keys: 10_000, requests: 20_000 };
            (target()?.join("load"), extent)
        }
        false => {
            let extent = Extent { rounds, seconds, most_keys, requests: REQUESTS };
            (root().join("docs"), extent)
        }
    };
    let folder = place.join(FOLDER);
    let is_asked = |name: &Name| options.only.is_empty() || options.only.contains(name);
    for name in Name::value_variants().iter().copied().filter(is_asked) {
        let (title, found) = match name {
            Name::Core => ("The core", core::measure(options.quick)),
            Name::Http => ("Calls over HTTP", calls::measure(extent)),
            Name::Latency => ("Latency", latency::measure(extent)),
            Name::Start => ("Start and memory", start::measure(extent)),
            Name::Growth => ("Growth", growth::measure(extent)),
            Name::Requests => ("Millions of requests", requests::measure(extent)),
        };
        let Found { goals, parts } = found.with_context(|| title.to_owned())?;
        let name = format!("{name:?}").to_lowercase();
        let title = title.to_owned();
        Section { name, title, made: made(options.quick)?, goals, parts }.save(&folder)?;
    }
    write(&place)
}

/// Writes the document of all sections that there are.
fn write(place: &Path) -> anyhow::Result<()> {
    let folder = place.join(FOLDER);
    let sections = Section::all(&folder)?;
    for part in sections.iter().flat_map(|section| &section.parts) {
        if let Part::Plot(plot) = part {
            plot::draw(plot, &folder)?;
        }
    }
    let file = place.join("benchmarks.md");
    fs::write(&file, document::markdown(&sections, FOLDER))?;
    eprintln!("xtask: {} is written", file.display());
    Ok(())
}

fn made(is_trial: bool) -> anyhow::Result<Made> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let changed =
        !told("git", &["status", "--porcelain", "--", "crates", "benches", "Cargo.lock"])?
            .is_empty();
    let commit = told("git", &["rev-parse", "--short=10", "HEAD"])?;
    Ok(Made {
        commit: format!("{commit}{}", if changed { " (and changes)" } else { "" }),
        command: format!("cargo xtask {}", arguments.join(" ")),
        machine: machine(),
        compiler: told("rustc", &["--version"])?,
        date: told("date", &["+%Y-%m-%d"])?,
        is_trial,
    })
}

/// The processor, how many of it, the memory, and the system.
fn machine() -> String {
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let processor = line("/proc/cpuinfo", "model name");
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = line("/proc/meminfo", "MemTotal")
        .and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok())
        .map_or_else(String::new, |kib| format!(", {} GiB", kib >> 20));
    let system = told("uname", &["-s", "-r"]).unwrap_or_default();
    let processor = processor.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    format!("{count} × {processor}{memory}, {system}")
}

/// What a program prints.
fn told(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output = output.with_context(|| format!("{program} can't be started"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Enough for a leak of a few bytes each to show.
const REQUESTS: u64 = 10_000_000;
/// Beside the document: what it is made of, and its pictures.
const FOLDER: &str = "benchmarks";
