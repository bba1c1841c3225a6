//! The metrics, as an operator reads them.

use std::collections::{BTreeMap, BTreeSet};

use super::Client;

/// What is counted, by name and labels.
pub(crate) struct Scrape(pub(crate) BTreeMap<String, f64>);

impl Scrape {
    /// As an operator reads it now.
    #[track_caller]
    pub(crate) fn of(operator: &Client) -> Self {
        let answer = operator.get("/metrics");
        assert_eq!(answer.status, 200, "{}", answer.start());
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(format));
        let text = String::from_utf8(answer.body).unwrap();
        assert!(text.ends_with('\n'), "{text}");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        });
        let samples: Vec<_> = samples.collect();
        let scrape = Self(samples.iter().cloned().collect());
        assert_eq!(scrape.0.len(), samples.len(), "a series stands twice: {text}");
        scrape
    }

    /// A series that is not there has counted nothing.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or(0.0)
    }

    /// What of these families is more than it was.
    pub(crate) fn since(&self, before: &Self, families: &[&str]) -> Vec<(String, f64)> {
        let of_them = |series: &str| families.contains(&series.split('{').next().unwrap());
        let grown = self.0.iter().map(|(series, now)| (series, now - before.value(series)));
        let grown = grown.filter(|(series, more)| of_them(series) && *more != 0.0);
        grown.map(|(series, more)| (series.clone(), more)).collect()
    }

    /// All values of a label.
    pub(crate) fn values_of(&self, label: &str) -> BTreeSet<&str> {
        let start = format!("{label}=\"");
        let values = self.0.keys().filter_map(|series| series.split_once(&start));
        values.map(|(_, rest)| rest.split_once('"').unwrap().0).collect()
    }
}
