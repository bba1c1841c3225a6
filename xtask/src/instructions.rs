//! Whether an operation takes more instructions than it did: a regression that no noise hides, and no
//! noise makes.
//!
//! `pqc-instructions` (in `benches/`) runs a case once, and some times more, under valgrind, which
//! counts: the difference is what the runs took. `xtask/instructions.toml` keeps the counts that were
//! found right. They are those of the tests' own build, which is there in any case: a release takes as
//! long again to make, and an operation that does more does more in both. A count that falls fails as one that rises does: until it is kept, the next loss of as
//! much would not be seen.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, bail, ensure};

use crate::command::{cargo, is_installed, root};

/// Builds, counts and compares; `bless` keeps the counts instead.
///
/// # Errors
/// The build fails; a case fails; a count is another one than was kept; to keep, valgrind is missing.
pub(crate) fn run(bless: bool) -> anyhow::Result<()> {
    ensure!(is_possible(), "valgrind is MISSING (Debian: apt-get install valgrind)");
    // As the tests are built, so that all of them share one build.
    cargo("build --workspace --all-targets")?;
    let program = program()?;
    let machine = machine(&program)?;
    let kept = if bless { None } else { Some(Counts::parse(&fs::read_to_string(file())?)?) };
    if let Some(kept) = &kept
        && kept.machine != machine
    {
        eprintln!(
            "xtask: ANOTHER MACHINE: the comparison of instructions is SKIPPED\n  kept: {}\n  here: {machine}",
            kept.machine
        );
        return Ok(());
    }
    let counts = Counts { machine, compiler: compiler()?, cases: count_all(&program)? };
    let Some(kept) = kept else {
        fs::write(file(), counts.to_text())?;
        println!("{} counts are kept in {}", counts.cases.len(), file().display());
        return Ok(());
    };
    for (name, now) in &counts.cases {
        println!("{name}: {}", told(kept.cases.get(name).copied(), *now));
    }
    let differences = differences(&kept.cases, &counts.cases);
    if differences.is_empty() {
        return Ok(());
    }
    if kept.compiler != counts.compiler {
        eprintln!("xtask: kept with {}, now {}", kept.compiler, counts.compiler);
    }
    bail!(
        "instructions changed by more than {LIMIT_PERCENT} %:\n  {}\nIf that is meant: cargo xtask instructions --bless",
        differences.join("\n  ")
    )
}

/// Whether valgrind is there.
pub(crate) fn is_possible() -> bool {
    is_installed("valgrind")
}

/// What a case may take more, or less, than it did.
const LIMIT_PERCENT: u64 = 5;

/// The instructions of one run, by case, and what they hold for.
#[derive(Debug, PartialEq, Eq)]
struct Counts {
    machine: String,
    compiler: String,
    cases: BTreeMap<String, u64>,
}

impl Counts {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut table: toml::Table = toml::from_str(text)?;
        let mut take =
            |name: &str| table.remove(name).with_context(|| format!("{name} is missing"));
        let (machine, compiler) = (take("machine")?.try_into()?, take("compiler")?.try_into()?);
        Ok(Self { machine, compiler, cases: take("instructions")?.try_into()? })
    }

    fn to_text(&self) -> String {
        let Self { machine, compiler, cases } = self;
        let mut text = format!(
            "# Instructions of one run of each case: written by `cargo xtask instructions --bless`.\n\
             # They hold for the processor that valgrind shows (another one is not compared).\n\
             machine = \"{machine}\"\ncompiler = \"{compiler}\"\n\n[instructions]\n"
        );
        for (name, count) in cases {
            let _ = writeln!(text, "\"{name}\" = {count}");
        }
        text
    }
}

/// A line for each case that has another count than before, or is only in one of them.
fn differences(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, now) in now {
        let before = before.get(name).copied();
        if before.is_none_or(|before| differ(before, *now)) {
            lines.push(format!("{name}: {}", told(before, *now)));
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    lines.extend(gone.map(|name| format!("{name}: there is no such case any more")));
    lines
}

fn differ(before: u64, now: u64) -> bool {
    u128::from(before.abs_diff(now)) * 100 > u128::from(before) * u128::from(LIMIT_PERCENT)
}

fn told(before: Option<u64>, now: u64) -> String {
    let Some(before) = before else { return format!("{now}, which is not kept") };
    let (more, sign) = if now < before { (before - now, '-') } else { (now - before, '+') };
    // In hundredths of a percent.
    let part = u128::from(more) * 10_000 / u128::from(before.max(1));
    let (whole, hundredths) = (part / 100, part % 100);
    let verdict = match (differ(before, now), sign) {
        (false, _) => "",
        (true, '-') => ", FEWER",
        (true, _) => ", MORE",
    };
    format!("{before} before, {now} now ({sign}{whole}.{hundredths:02} %){verdict}")
}

/// Counts all cases, as many at a time as there are processors: one does not change another's.
fn count_all(program: &Path) -> anyhow::Result<BTreeMap<String, u64>> {
    let listed = Command::new(program).output().context("the cases can't be listed")?;
    let listed = String::from_utf8(listed.stdout)?;
    let waiting = listed.lines().map(case).collect::<anyhow::Result<VecDeque<_>>>()?;
    ensure!(!waiting.is_empty(), "there are no cases");
    let waiting = Mutex::new(waiting);
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let work = || {
        let mut counts = Vec::new();
        while let Some((name, runs)) = next() {
            counts.push((name.to_owned(), count(program, name, runs)?));
        }
        anyhow::Ok(counts)
    };
    let at_a_time = thread::available_parallelism().map_or(1, usize::from);
    let counted: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..at_a_time).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut counts = BTreeMap::new();
    for part in counted {
        counts.extend(part.unwrap_or_else(|_| bail!("a thread that counted panicked"))?);
    }
    Ok(counts)
}

/// A line of the list: a name, and how many runs are counted.
fn case(line: &str) -> anyhow::Result<(&str, u64)> {
    let (name, runs) = line.rsplit_once(' ').context("a case without a number of runs")?;
    Ok((name, runs.parse()?))
}

/// The instructions of one of `runs` runs.
fn count(program: &Path, name: &str, runs: u64) -> anyhow::Result<u64> {
    let one = instructions(program, name, FIRST_RUNS)?;
    let more = instructions(program, name, FIRST_RUNS + runs)?;
    let difference =
        more.checked_sub(one).with_context(|| format!("{name}: more runs took less"))?;
    difference.checked_div(runs).with_context(|| format!("{name} counts no runs"))
}

/// Of the first, what is made once is part: it is in both counts.
const FIRST_RUNS: u64 = 1;

/// The instructions of the whole process, of all its threads.
fn instructions(program: &Path, name: &str, runs: u64) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &runs.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("valgrind can't be started")?;
    let report = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} under valgrind: {}\n{report}", output.status);
    total(&report).with_context(|| format!("valgrind gives no count of {name}:\n{report}"))
}

/// The number of a line such as `==1== I   refs:      1,234`.
fn total(report: &str) -> Option<u64> {
    let count = report.lines().find_map(|line| {
        let (head, count) = line.split_once("refs:")?;
        (head.split_whitespace().last()? == "I").then_some(count)
    })?;
    count.trim().replace(',', "").parse().ok()
}

/// The processor as valgrind shows it to the program.
fn machine(program: &Path) -> anyhow::Result<String> {
    let output = Command::new("valgrind")
        .args(["--tool=none", "--quiet"])
        .arg(program)
        .arg("machine")
        .output()
        .context("valgrind can't be started")?;
    ensure!(output.status.success(), "valgrind: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn compiler() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").current_dir(root()).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn program() -> anyhow::Result<PathBuf> {
    let xtask = std::env::current_exe()?;
    let target = xtask.ancestors().nth(2).context("xtask runs outside a target folder")?;
    Ok(target.join("debug/pqc-instructions"))
}

fn file() -> PathBuf {
    root().join("xtask/instructions.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(cases: &[(&str, u64)]) -> BTreeMap<String, u64> {
        cases.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn more_than_the_limit_is_told_with_before_and_now() {
        let before = counts(&[("a", 1000), ("b", 1000)]);
        let now = counts(&[("a", 1051), ("b", 1000)]);
        assert_eq!(differences(&before, &now), ["a: 1000 before, 1051 now (+5.10 %), MORE"]);
        assert!(differences(&before, &counts(&[("a", 1050), ("b", 950)])).is_empty());
    }

    #[test]
    fn less_than_the_limit_is_told_too_so_that_the_gain_is_kept() {
        let found = differences(&counts(&[("a", 1000)]), &counts(&[("a", 949)]));
        assert_eq!(found, ["a: 1000 before, 949 now (-5.10 %), FEWER"]);
    }

    #[test]
    fn a_case_that_was_not_kept_or_is_gone_is_told() {
        let found = differences(&counts(&[("gone", 1)]), &counts(&[("new", 2)]));
        assert_eq!(found, ["new: 2, which is not kept", "gone: there is no such case any more"]);
    }

    #[test]
    fn valgrinds_total_is_read() {
        assert_eq!(
            total("==7== Cachegrind\n==7== \n==7== I   refs:      1,234,567\n"),
            Some(1_234_567)
        );
        assert_eq!(total("==7== I refs:  12\n"), Some(12));
        assert_eq!(total("==7== D   refs:      12\n"), None);
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let (machine, compiler) = ("x86_64 linux avx2".to_owned(), "rustc 1".to_owned());
        let kept = Counts { machine, compiler, cases: counts(&[("kem/keygen/X-Wing", 7)]) };
        assert_eq!(Counts::parse(&kept.to_text()).unwrap(), kept);
        assert!(Counts::parse("machine = \"x\"\ncompiler = \"y\"\n").is_err());
    }
}
