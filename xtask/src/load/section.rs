//! A section of `docs/benchmarks.md`: what was measured, as a program wrote it down. Whoever measures
//! writes one of these as JSON; the document is made of all that there are.

use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What one program measured in one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Section {
    /// The name of its file.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) made: Made,
    pub(crate) goals: Vec<Goal>,
    pub(crate) parts: Vec<Part>,
}

/// By whom, where and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {
    pub(crate) commit: String,
    pub(crate) command: String,
    pub(crate) machine: String,
    pub(crate) compiler: String,
    pub(crate) date: String,
    /// Too short to mean anything.
    pub(crate) is_trial: bool,
}

/// A number and the one that it is held against.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    /// `None`: it was not measured, for this reason.
    pub(crate) measured: Result<f64, String>,
    pub(crate) limit: Limit,
    /// Behind the number; "" or "×" or " ms".
    pub(crate) unit: String,
}

/// What the number shall be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Limit {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    /// In plain words.
    pub(crate) fn verdict(&self) -> &'static str {
        match (&self.measured, self.limit) {
            (Err(_), _) => "not measured",
            (Ok(measured), Limit::AtLeast(limit)) if *measured >= limit => "met",
            (Ok(measured), Limit::AtMost(limit)) if *measured <= limit => "met",
            (Ok(_), _) => "**not met**",
        }
    }
}

/// What a section shows, in this order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Part {
    /// A paragraph, or a list.
    Text(String),
    Table(Table),
    Plot(Plot),
}

/// The first column is text, the others are numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Curves over one another.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plot {
    /// The name of its file.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) lines: Vec<Line>,
    /// What bounds it.
    pub(crate) bounded_by: String,
}

/// One curve.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Section {
    /// Writes it down in `folder`, over the one of the same name.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn save(&self, folder: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(folder)?;
        let json = serde_json::to_string_pretty(self)?;
        Ok(fs::write(folder.join(format!("{}.json", self.name)), format!("{json}\n"))?)
    }

    /// All that there are in `folder`, in their order in the document.
    ///
    /// # Errors
    /// One of them is no section.
    pub(crate) fn all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let mut sections = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let json = fs::read_to_string(&path)?;
                let section = serde_json::from_str(&json);
                sections
                    .push(section.with_context(|| format!("{} is no section", path.display()))?);
            }
        }
        sections.sort_by_key(|section: &Self| {
            let place = ORDER.iter().position(|name| *name == section.name);
            (place.unwrap_or(ORDER.len()), section.name.clone())
        });
        Ok(sections)
    }
}

/// The others come behind these.
const ORDER: [&str; 6] = ["core", "http", "latency", "start", "requests", "growth"];
