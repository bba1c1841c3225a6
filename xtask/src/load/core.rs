//! The section of the core: it and the libraries that could stand in its place, as the bench `peers`
//! measures them.

use anyhow::{Context, bail, ensure};

use super::Found;
use super::document::figure;
use super::section::{Goal, Limit, Part, Table};
use crate::build::shipped_told;
use crate::command::cargo_told;

/// Measures in both builds: as the program `pqc` is shipped, and a default one.
///
/// # Errors
/// The bench does not build or run.
pub(crate) fn measure(is_trial: bool) -> anyhow::Result<Found> {
    let short = if is_trial { " -- --short" } else { "" };
    let bench =
        |features: &str| format!("bench --package pqc-benches {features} --bench peers{short}");
    let rows = |told: String| told.lines().skip(1).map(Row::parse).collect::<Result<Vec<_>, _>>();
    let full = rows(shipped_told(&bench("--features aws-lc,parallel"))?)?;
    let plain = rows(cargo_told(&bench(""), &[])?)?;
    ensure!(full.len() == plain.len(), "the two builds have other rows");

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
        "Default build, µs",
        "Ratio",
    ];
    let rows = full.iter().zip(&plain).map(|(row, plain)| {
        vec![
            row.name.clone(),
            figure(row.core),
            row.other.clone(),
            figure(row.other_time),
            figure(row.ratio),
            figure(row.goal),
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
}

impl Row {
    fn parse(line: &str) -> anyhow::Result<Self> {
        let columns: Vec<_> = line.split('\t').collect();
        let &[name, core, other, other_time, ratio, goal] = columns.as_slice() else {
            bail!("no row of the bench: {line}")
        };
        let number = |text: &str| text.parse().with_context(|| format!("no number: {text}"));
        let (name, other) = (name.to_owned(), other.to_owned());
        let (core, other_time) = (number(core)?, number(other_time)?);
        Ok(Self { name, core, other, other_time, ratio: number(ratio)?, goal: number(goal)? })
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

const ABOUT: &str = "Each call of the core beside the same work by aws-lc-rs, libcrux, RustCrypto's AES, or the \
core itself in another way; in one process, in turn, the median of eleven rounds. The ratio is the other's time \
by the core's: above 1 the core is faster. The first columns are of a build as `cargo xtask build` makes it, the others included, with the features \
`aws-lc` and `parallel`; the last of a default build without features, beside the fastest other in it. `overhead/…` is the core beside its own \
backend called directly. `from-bytes` begins with a key's bytes and checks it; `prepared` with a key that was \
decoded before, where the library can. aws-lc-rs takes its randomness from itself, the others from the operating \
system at each call.";

#[test]
fn a_row_of_the_bench_is_read() {
    let row = Row::parse("kem/encapsulate/ML-KEM-768\t8.20\taws-lc-rs\t15.00\t1.83\t1.5").unwrap();
    assert_eq!((row.family(), row.ratio, row.goal), ("kem/encapsulate", 1.83, 1.5));
    assert_eq!((row.other.as_str(), row.other_time), ("aws-lc-rs", 15.0));
    assert!(Row::parse("kem/encapsulate/ML-KEM-768\t8.20").is_err());
    assert!(Row::parse("a\tb\tc\t1\t1\t1").is_err());
}
