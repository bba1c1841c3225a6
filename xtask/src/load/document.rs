//! `docs/benchmarks.md`, from the sections that were written down: a pure function of them.

use std::fmt::Write as _;

use super::section::{Goal, Limit, Part, Plot, Section, Table};

/// The whole document. Pictures are looked for in `pictures`, beside it.
pub(crate) fn markdown(sections: &[Section], pictures: &str) -> String {
    let mut out = String::from(HEAD);
    if sections.iter().any(|section| section.made.is_trial) {
        out.push_str(TRIAL);
    }
    out.push_str("\n## Goals\n\n");
    let mut goals = Table {
        head: ["Goal", "Measured", "Limit", "Verdict"].map(str::to_owned).to_vec(),
        rows: Vec::new(),
    };
    for goal in sections.iter().flat_map(|section| &section.goals) {
        goals.rows.push(row(goal));
    }
    table(&mut out, &goals);
    for section in sections {
        let _ = write!(out, "\n## {}\n", section.title);
        for part in &section.parts {
            out.push('\n');
            match part {
                Part::Text(text) => paragraph(&mut out, text),
                Part::Table(shown) => table(&mut out, shown),
                Part::Plot(plot) => picture(&mut out, plot, pictures),
            }
        }
        let made = &section.made;
        out.push('\n');
        let made = format!(
            "Measured {} at commit `{}` by `{}`, on {}, {}.",
            made.date, made.commit, made.command, made.machine, made.compiler
        );
        paragraph(&mut out, &made);
    }
    out
}

fn row(goal: &Goal) -> Vec<String> {
    let measured = match &goal.measured {
        Ok(measured) => format!("{}{}", figure(*measured), goal.unit),
        Err(reason) => reason.clone(),
    };
    let limit = match goal.limit {
        Limit::AtLeast(limit) => format!("at least {}{}", figure(limit), goal.unit),
        Limit::AtMost(limit) => format!("at most {}{}", figure(limit), goal.unit),
    };
    vec![goal.what.clone(), measured, limit, goal.verdict().to_owned()]
}

fn table(out: &mut String, Table { head, rows }: &Table) {
    let line = |out: &mut String, cells: &[String]| {
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    };
    line(out, head);
    let rule: Vec<_> = (0..head.len()).map(|n| if n == 0 { "---" } else { "---:" }).collect();
    let _ = writeln!(out, "|{}|", rule.join("|"));
    for row in rows {
        line(out, row);
    }
}

fn picture(out: &mut String, plot: &Plot, pictures: &str) {
    let _ =
        write!(out, "### {}\n\n![{}]({pictures}/{}.svg)\n\n", plot.title, plot.title, plot.name);
    let mut head = vec![plot.x.clone()];
    head.extend(plot.lines.iter().map(|line| format!("{}: {}", line.name, plot.y)));
    let mut at: Vec<_> = plot.lines.iter().flat_map(|line| &line.points).map(|p| p.0).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    let rows = at.iter().map(|x| {
        let mut row = vec![figure(*x)];
        row.extend(plot.lines.iter().map(|line| {
            let point = line.points.iter().find(|point| point.0 == *x);
            point.map_or_else(|| "–".to_owned(), |point| figure(point.1))
        }));
        row
    });
    table(out, &Table { head, rows: rows.collect() });
    out.push('\n');
    paragraph(out, &format!("What bounds it: {}", plot.bounded_by));
}

/// In lines as long as those of the other documents; a break in the text stays.
fn paragraph(out: &mut String, text: &str) {
    for line in text.lines() {
        let mut length = 0;
        for word in line.split(' ') {
            let width = word.chars().count();
            if length > 0 && length + 1 + width > LINE {
                out.push('\n');
                length = 0;
            }
            if length > 0 {
                out.push(' ');
                length += 1;
            }
            out.push_str(word);
            length += width;
        }
        out.push('\n');
    }
}

/// Three digits, or all of a whole number, in groups.
pub(crate) fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        _ => 4,
    };
    let text = format!("{value:.decimals$}");
    let (whole, rest) = match text.split_once('.') {
        Some((whole, rest)) => (whole, format!(".{rest}")),
        None => (text.as_str(), String::new()),
    };
    let digits: Vec<_> = whole.chars().collect();
    let groups: Vec<String> = digits.rchunks(3).rev().map(|group| group.iter().collect()).collect();
    format!("{}{rest}", groups.join(","))
}

const LINE: usize = 104;

const HEAD: &str = "# Benchmarks

<!-- `cargo xtask load` writes this file, from `docs/benchmarks/*.json`: changes by hand are lost. -->

Ratios matter here, not figures: everything that is compared was measured in turn in one run, on one
machine that also ran the client. Each figure is the median of the rounds, a ratio the median of the
rounds' ratios. What each part measures, and how, stands with it.
";

const TRIAL: &str = "
**This is a trial (`--quick`): one short round, good for seeing that everything runs, and for nothing
else.**
";

#[cfg(test)]
mod tests {
    use super::super::section::{Line, Made};
    use super::*;

    fn section(measured: Result<f64, String>, limit: Limit, is_trial: bool) -> Section {
        let made = Made {
            commit: "abc".to_owned(),
            command: "cargo xtask load".to_owned(),
            machine: "a machine".to_owned(),
            compiler: "rustc 1".to_owned(),
            date: "2026-01-01".to_owned(),
            is_trial,
        };
        let plot = Plot {
            name: "curve".to_owned(),
            title: "A curve".to_owned(),
            x: "size".to_owned(),
            y: "calls/s".to_owned(),
            lines: vec![
                Line { name: "one".to_owned(), points: vec![(1.0, 5.0), (2.0, 1234.6)] },
                Line { name: "two".to_owned(), points: vec![(2.0, 7.25)] },
            ],
            bounded_by: "nothing.".to_owned(),
        };
        Section {
            name: "x".to_owned(),
            title: "Title".to_owned(),
            made,
            goals: vec![Goal {
                what: "a goal".to_owned(),
                measured,
                limit,
                unit: " ms".to_owned(),
            }],
            parts: vec![Part::Text("Words.".to_owned()), Part::Plot(plot)],
        }
    }

    #[test]
    fn a_goal_is_met_at_its_limit_and_not_beyond() {
        let verdict = |measured: Result<f64, String>, limit| {
            markdown(&[section(measured, limit, false)], "p")
                .lines()
                .find(|line| line.starts_with("| a goal |"))
                .unwrap()
                .to_owned()
        };
        let most = Limit::AtMost(3.0);
        assert_eq!(verdict(Ok(3.0), most), "| a goal | 3 ms | at most 3 ms | met |");
        assert_eq!(verdict(Ok(3.01), most), "| a goal | 3.01 ms | at most 3 ms | **not met** |");
        let least = Limit::AtLeast(0.8);
        assert_eq!(verdict(Ok(0.8), least), "| a goal | 0.80 ms | at least 0.80 ms | met |");
        assert_eq!(
            verdict(Ok(0.79), least),
            "| a goal | 0.79 ms | at least 0.80 ms | **not met** |"
        );
        let no_peer = Err("no peer".to_owned());
        assert_eq!(
            verdict(no_peer, least),
            "| a goal | no peer | at least 0.80 ms | not measured |"
        );
    }

    #[test]
    fn a_curve_is_a_picture_and_a_table() {
        let document = markdown(&[section(Ok(1.0), Limit::AtMost(1.0), false)], "pictures");
        assert!(document.contains("![A curve](pictures/curve.svg)"), "{document}");
        assert!(document.contains("| size | one: calls/s | two: calls/s |"), "{document}");
        assert!(document.contains("| 1 | 5 | – |\n| 2 | 1,235 | 7.25 |"), "{document}");
        assert!(document.contains("What bounds it: nothing."), "{document}");
    }

    #[test]
    fn a_trial_says_so() {
        let of = |is_trial| markdown(&[section(Ok(1.0), Limit::AtMost(1.0), is_trial)], "p");
        assert!(of(true).contains("This is a trial"));
        assert!(!of(false).contains("This is a trial"));
    }

    #[test]
    fn figures_are_grouped() {
        let shown = [0.0, 0.123, 12.34, 1234567.0, 999.9].map(figure);
        assert_eq!(shown, ["0", "0.12", "12.3", "1,234,567", "1,000"]);
    }
}
