//! The section of the core: it and the libraries that could stand in its place, as the bench `peers`
//! measures them.

use anyhow::{Context, bail, ensure};

use super::Found;
use super::document::figure;
use super::section::{Goal, Limit, Part, Table};
use crate::command::cargo_told;
use crate::server::target;

/// Measures in three builds: with the features that the program `pqc` has; the same for machines with
/// AVX2 alone; the default.
///
/// # Errors
/// The bench does not build or run.
pub(crate) fn measure(is_trial: bool) -> anyhow::Result<Found> {
    let short = if is_trial { " -- --short" } else { "" };
    let told = |options: &str, flags: Option<&str>| -> anyhow::Result<Vec<Row>> {
        let bench = format!("bench --package pqc-benches {options} --bench peers{short}");
        let environment = flags.map(|flags| [("RUSTFLAGS", flags)]);
        let told = cargo_told(&bench, environment.as_ref().map_or(&[], |one| one))?;
        told.lines().skip(1).map(Row::parse).collect()
    };
    let features = "--features aws-lc,parallel";
    let full = told(features, None)?;
    // A folder of its own: with other flags every crate is built anew.
    let v3 = format!("{features} --target-dir {}", target()?.join("v3").display());
    let v3 = told(&v3, Some("-C target-cpu=x86-64-v3"))?;
    let plain = told("", None)?;
    ensure!(full.len() == plain.len() && full.len() == v3.len(), "builds have other rows");

    let mut families: Vec<(&str, &Row)> = Vec::new();
    for row in &full {
        match families.iter_mut().find(|(family, _)| *family == row.family()) {
            Some((_, least)) if least.met_by() <= row.met_by() => {}
            Some((_, least)) => *least = row,
            None => families.push((row.family(), row)),
        }
    }
    let goals = families.iter().map(|(family, least)| Goal {
        what: format!("core, {family} ÷ fastest other (least of its rows)"),
        measured: Ok(least.ratio),
        limit: Limit::AtLeast(least.goal),
        unit: "×".to_owned(),
    });
    let head = [
        "Operation",
        "Core, µs",
        "Fastest other",
        "µs",
        "Ratio",
        "Goal",
        "Slower others, µs",
        "For v3, µs",
        "Ratio",
        "Default, µs",
        "Ratio",
    ];
    let rows = full.iter().zip(&v3).zip(&plain).map(|((row, v3), plain)| {
        vec![
            row.name.clone(),
            figure(row.core),
            row.other.clone(),
            figure(row.other_time),
            figure(row.ratio),
            figure(row.goal),
            row.slower.clone(),
            figure(v3.core),
            figure(v3.ratio),
            figure(plain.core),
            figure(plain.ratio),
        ]
    });
    let table = Table { head: head.map(str::to_owned).to_vec(), rows: rows.collect() };
    let goals = goals.collect();
    Ok(Found { goals, parts: vec![Part::Text(ABOUT.to_owned()), Part::Table(table)] })
}

/// A line of the bench.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    core: f64,
    other: String,
    other_time: f64,
    ratio: f64,
    goal: f64,
    slower: String,
}

impl Row {
    fn parse(line: &str) -> anyhow::Result<Self> {
        let columns: Vec<_> = line.split('\t').collect();
        let &[name, core, other, other_time, ratio, goal, slower] = columns.as_slice() else {
            bail!("no row of the bench: {line}")
        };
        let number = |text: &str| text.parse().with_context(|| format!("no number: {text}"));
        let (name, other, slower) = (name.to_owned(), other.to_owned(), slower.to_owned());
        let (core, other_time) = (number(core)?, number(other_time)?);
        let (ratio, goal) = (number(ratio)?, number(goal)?);
        Ok(Self { name, core, other, other_time, ratio, goal, slower })
    }

    /// Without the parameter: `kem/encapsulate`.
    fn family(&self) -> &str {
        self.name.rsplit_once('/').map_or(self.name.as_str(), |(family, _)| family)
    }

    /// How far it is above its goal.
    fn met_by(&self) -> f64 {
        self.ratio / self.goal
    }
}

const ABOUT: &str = "Each call of the core beside the same work by aws-lc-rs, libcrux, RustCrypto's crates (ml-kem, ml-dsa, \
aes-gcm), fips203 and fips204, or the core itself in another way; in one process, in turn, the median of \
eleven rounds. The ratio is the other's time by the core's: above 1 the core is faster. The first \
columns, and the goals above, are of a release build with the features `aws-lc` and `parallel`; the last \
of the default features, beside the fastest other too. **For v3** is the first once more with \
`RUSTFLAGS=\"-C target-cpu=x86-64-v3\"`, which runs on machines with AVX2 only. What libcrux gains by \
it, it loses otherwise in three functions of libcrux-sha3 0.0.11 (`load_block`, `load_last` and \
`squeeze4` of its AVX2 sponge): they are generic, so they are compiled for plain x86-64 and call each \
vector instruction as a function. With `#[inline(always)]` on them a plain build signs as fast as one \
for v3, and runs everywhere; that is for libcrux to change. `overhead/…` is the core beside its own \
backend called directly. `from-bytes` begins with a key's bytes and checks it; `prepared` with a key \
that was decoded before, where the library can. aws-lc-rs takes its randomness from itself, the others \
from the operating system at each call.";

#[test]
fn a_row_of_the_bench_is_read() {
    let line = "kem/encapsulate/ML-KEM-768\t8.20\taws-lc-rs\t15.00\t1.83\t1.5\t\
                libcrux 17.00, ml-kem 75.00";
    let row = Row::parse(line).unwrap();
    assert_eq!((row.family(), row.ratio, row.goal), ("kem/encapsulate", 1.83, 1.5));
    assert_eq!((row.other.as_str(), row.other_time), ("aws-lc-rs", 15.0));
    assert_eq!(row.slower, "libcrux 17.00, ml-kem 75.00");
    assert!(Row::parse("kem/encapsulate/ML-KEM-768\t8.20").is_err());
    assert!(Row::parse("a\tb\tc\t1\t1\t1\t").is_err());
}
