//! A chart of a month's usage, by day, stacked by operation: the numbers of an SVG, drawn on the server.

use std::collections::BTreeMap;

use pqc_service::usage::UsageSum;

use super::month::Month;

/// What is drawn.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    /// Where the lines are, and how many calls each stands for.
    pub(super) lines: Vec<(u64, u64)>,
    /// Where the names of days are.
    pub(super) days: Vec<(u64, String)>,
    /// The operations, the most frequent first.
    pub(super) series: Vec<Series>,
}

/// Calls of one operation on one day.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) y: u64,
    pub(super) height: u64,
    /// Which of the series.
    pub(super) place: usize,
    pub(super) said: String,
}

/// An operation, or all the rest of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) calls: u64,
    pub(super) place: usize,
}

impl Chart {
    /// Of sums by day.
    pub(super) fn of(month: Month, sums: &[UsageSum]) -> Self {
        let series = series(sums);
        let place = |operation: &str| {
            let found = series.iter().find(|series| series.name == operation);
            found.map_or(MOST_SERIES - 1, |series| series.place)
        };
        let mut days: BTreeMap<&str, [u64; MOST_SERIES]> = BTreeMap::new();
        for sum in sums {
            let day = days.entry(&sum.group).or_default();
            if let Some(calls) = day.get_mut(place(&sum.operation)) {
                *calls = calls.saturating_add(sum.calls);
            }
        }
        let total =
            |calls: &[u64; MOST_SERIES]| calls.iter().fold(0, |sum: u64, n| sum.saturating_add(*n));
        let top = round_up(days.values().map(total).max().unwrap_or_default());
        let height = |calls: u64| scaled(calls, HEIGHT, top);
        let mut chart = Self { series, ..Self::default() };
        for number in 1..=month.days() {
            let x = LEFT + u64::from(number - 1) * STEP;
            if number % 5 == 0 || number == 1 {
                chart.days.push((x + WIDTH / 2, number.to_string()));
            }
            let day = format!("{month}-{number:02}");
            let Some(calls) = days.get(&*day) else { continue };
            let mut below = 0_u64;
            for (place, calls) in calls.iter().enumerate().filter(|(_, calls)| **calls > 0) {
                let before = height(below);
                below = below.saturating_add(*calls);
                let height = (height(below) - before).max(1);
                let y = (TOP + HEIGHT).saturating_sub(before + height);
                let name = chart.series.iter().find(|series| series.place == place);
                let name = name.map_or(OTHERS, |series| &series.name);
                let said = format!("{day}: {name}, {calls} calls");
                chart.bars.push(Bar { x, y, height, place, said });
            }
        }
        chart.lines = [0, top / 2, top].map(|calls| (TOP + HEIGHT - height(calls), calls)).to_vec();
        chart.lines.dedup();
        chart
    }
}

/// The most frequent operations, and the rest as one.
fn series(sums: &[UsageSum]) -> Vec<Series> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for sum in sums {
        let calls = totals.entry(&sum.operation).or_default();
        *calls = calls.saturating_add(sum.calls);
    }
    let mut totals: Vec<_> = totals.into_iter().collect();
    totals.sort_by_key(|(name, calls)| (std::cmp::Reverse(*calls), *name));
    let kept = if totals.len() > MOST_SERIES { MOST_SERIES - 1 } else { MOST_SERIES };
    let rest = totals.iter().skip(kept).fold(0_u64, |sum, (_, calls)| sum.saturating_add(*calls));
    let mut series: Vec<_> = totals
        .iter()
        .take(kept)
        .enumerate()
        .map(|(place, (name, calls))| Series { name: (*name).to_owned(), calls: *calls, place })
        .collect();
    if totals.len() > kept {
        series.push(Series { name: OTHERS.to_owned(), calls: rest, place: MOST_SERIES - 1 });
    }
    series
}

/// The next of 2, 4, 10, 20, 40, 100 and so on: halves of it are whole.
fn round_up(most: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [2, 4, 10] {
            let round = power.saturating_mul(step);
            if round >= most {
                return round;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// So much of `whole` as `part` is of `top`.
fn scaled(part: u64, whole: u64, top: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(whole) / u128::from(top.max(1));
    u64::try_from(scaled).unwrap_or(whole).min(whole)
}

/// As many as can be told apart by their colours.
const MOST_SERIES: usize = 6;
const OTHERS: &str = "others";
const LEFT: u64 = 64;
const TOP: u64 = 12;
const HEIGHT: u64 = 200;
const STEP: u64 = 21;
const WIDTH: u64 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(day: &str, operation: &str, calls: u64) -> UsageSum {
        let (group, operation) = (day.to_owned(), operation.to_owned());
        UsageSum { group, token: None, label: None, operation, calls, failed: 0 }
    }

    fn november() -> Month {
        Month::parse("2026-11").unwrap()
    }

    #[test]
    fn a_days_operations_stand_on_each_other() {
        let sums = [sum("2026-11-02", "sign", 30), sum("2026-11-02", "verify", 10)];
        let chart = Chart::of(november(), &sums);
        let bars: Vec<_> = chart.bars.iter().map(|bar| (bar.x, bar.y, bar.height)).collect();
        assert_eq!(bars, [(85, 62, 150), (85, 12, 50)]);
        assert_eq!(chart.bars[1].said, "2026-11-02: verify, 10 calls");
        assert_eq!(chart.lines, [(212, 0), (112, 20), (12, 40)]);
        assert_eq!(chart.days.len(), 7);
        assert_eq!(Chart::of(november(), &[]).bars, []);
    }

    #[test]
    fn rare_operations_are_one_and_no_call_is_lost() {
        let sums: Vec<_> =
            (1..=9).map(|n| sum("2026-11-30", &format!("operation {n}"), n)).collect();
        let chart = Chart::of(november(), &sums);
        assert_eq!(chart.series.len(), MOST_SERIES);
        let first = &chart.series[0];
        assert_eq!((&*first.name, first.calls), ("operation 9", 9));
        assert_eq!(chart.series[5].name, OTHERS);
        assert_eq!(chart.series.iter().map(|series| series.calls).sum::<u64>(), 45);
        assert!(chart.bars.iter().any(|bar| bar.said.ends_with("others, 10 calls")));
    }

    #[test]
    fn the_top_is_a_round_number_at_any_size() {
        for (most, top) in [(0, 2), (1, 2), (3, 4), (5, 10), (10, 10), (11, 20), (399, 400)] {
            assert_eq!(round_up(most), top);
        }
        assert!(round_up(u64::MAX) == u64::MAX);
        let sums = [sum("2026-11-02", "sign", u64::MAX), sum("2026-11-02", "verify", u64::MAX)];
        assert_eq!(Chart::of(november(), &sums).bars.len(), 2);
    }
}
