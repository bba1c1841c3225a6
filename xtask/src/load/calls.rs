//! The section of the calls: every operation on every subject, in turn, round after round.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, ensure};

use super::document::figure;
use super::material::Material;
use super::operation::{ALL, CONNECTIONS, Operation, Writes};
use super::peer;
use super::section::{Goal, Limit, Part, Table};
use super::subject::{Kind, OPTIONS, Subject};
use super::witness::watch;
use super::wrk::{Drive, Driven, drive};
use super::{Extent, Found};
use crate::http::median;
use crate::server::field;

/// Measures.
///
/// # Errors
/// A subject does not start, or answers wrongly.
pub(crate) fn measure(extent: Extent) -> anyhow::Result<Found> {
    let mut subjects = vec![Subject::pqc(&NO_CACHE)?, Subject::bare()?];
    let mut head = ["Calls per second", "pqc", "bare", "pqc ÷ bare"].map(str::to_owned).to_vec();
    for workers in peer::workers() {
        if let Some(peer) = Subject::peer(workers)? {
            subjects.push(peer);
            let processes = if workers == 1 { "" } else { "es" };
            head.push(format!("peer, {workers} process{processes}"));
            head.push("pqc ÷ it".to_owned());
        }
    }
    subjects.push(Subject::pqc(&[])?);
    head.extend(["pqc with keys in memory", "pqc ÷ it"].map(str::to_owned));
    let mut lanes = Vec::new();
    for subject in subjects {
        lanes.push(Lane { material: Material::of(&subject)?, subject });
    }
    let mut rates: Vec<_> = ALL.iter().map(|_| vec![Vec::new(); lanes.len()]).collect();
    let mut looks = 0;
    for round in 1..=extent.rounds {
        for (operation, rates) in ALL.iter().zip(&mut rates) {
            for (lane, rates) in lanes.iter().zip(rates) {
                if operation.is_of(lane.subject.kind) {
                    let (driven, looked) = lane.drive(operation, extent.seconds)?;
                    eprintln!(
                        "xtask: round {round}: {}, {:?}: {:.0}/s",
                        operation.name, lane.subject.kind, driven.rate
                    );
                    looks += looked;
                    rates.push(driven.rate);
                }
            }
        }
    }
    let mut found = Found { goals: Vec::new(), parts: vec![Part::Text(about(extent, looks))] };
    let mut rows = Vec::new();
    for (operation, rates) in ALL.iter().zip(&rates) {
        rows.push(row(operation, rates, &mut found.goals));
    }
    found.parts.push(Part::Table(Table { head, rows }));
    Ok(found)
}

/// A subject, and what requests to it are made of.
struct Lane {
    subject: Subject,
    material: Material,
}

impl Lane {
    /// Drives it, with a witness beside: what came of it, and how often the witness looked.
    fn drive(&self, operation: &Operation, seconds: u64) -> anyhow::Result<(Driven, u64)> {
        let Self { subject, material } = self;
        let counted = match (operation.writes, subject.kind) {
            (Writes::Attempt, Kind::Pqc) => Some(Counted::mint(subject)?),
            _ => None,
        };
        let token = counted.as_ref().map_or(&subject.server.root_token, |counted| &counted.token);
        let over = AtomicBool::new(false);
        let (driven, looked) = thread::scope(|scope| {
            let witness = scope.spawn(|| watch(subject, operation.watch, &over));
            let path = operation.path(subject.kind);
            let what = Drive { connections: operation.connections, seconds };
            let body = (operation.body)(material);
            let driven = drive(&subject.server.address, &path, token, &body, what);
            over.store(true, Ordering::Relaxed);
            (driven, witness.join())
        });
        let looked = looked.ok().context("the witness panicked")??;
        let driven = driven?;
        if let Some(counted) = counted {
            counted.check(subject, driven.requests, operation.connections)?;
        }
        Ok((driven, looked))
    }
}

/// A token of many attempts.
struct Counted {
    token: String,
}

impl Counted {
    fn mint(subject: &Subject) -> anyhow::Result<Self> {
        let asked = format!(r#"{{"expire_after_attempts":{ATTEMPTS},"expiry_time":3600}}"#);
        let minted = subject.connect()?.post("/api/token/new", &asked)?;
        Ok(Self { token: field(&minted, "new_token")?.to_owned() })
    }

    /// Every call has spent one attempt. wrk goes without waiting for the last answers.
    fn check(&self, subject: &Subject, calls: u64, connections: usize) -> anyhow::Result<()> {
        let told = subject.connect()?.get("/api/v1/token/self", &self.token)?;
        let (_, left) = told.split_once("\"attempts_left\":").context("no attempts left")?;
        let left = left.split([',', '}']).next().unwrap_or_default().trim().parse::<u64>()?;
        let spent = ATTEMPTS - left;
        let most = calls + connections as u64;
        ensure!((calls..=most).contains(&spent), "{calls} calls spent {spent} attempts");
        Ok(())
    }
}

fn row(operation: &Operation, rates: &[Vec<f64>], goals: &mut Vec<Goal>) -> Vec<String> {
    let of = |lane: usize| rates.get(lane).filter(|rates| !rates.is_empty());
    let ratio = |lane: usize| {
        let (ours, theirs) = (of(0)?, of(lane)?);
        let mut ratios: Vec<_> = ours.iter().zip(theirs).map(|(our, their)| our / their).collect();
        Some(median(&mut ratios))
    };
    let shown = |lane: usize| {
        of(lane).map_or_else(none, |rates| figure(median(&mut rates.clone()).round()))
    };
    let times = |ratio: Option<f64>| ratio.map_or_else(none, figure);
    let over_bare = ratio(1);
    goals.push(Goal {
        what: format!("{}: ÷ bare{}", operation.name, writing(operation.writes)),
        measured: over_bare.ok_or_else(|| "not measured".to_owned()),
        limit: Limit::AtLeast(operation.of_bare()),
        unit: "×".to_owned(),
    });
    if let Some(limit) = operation.over_peer {
        goals.push(Goal {
            what: format!("{}: ÷ peer, 1 process", operation.name),
            measured: ratio(2).ok_or_else(|| peer::ABSENT.to_owned()),
            limit: Limit::AtLeast(limit),
            unit: "×".to_owned(),
        });
    }
    let mut row = vec![format!("{}{}", operation.name, writing(operation.writes)), shown(0)];
    for lane in 1..rates.len() {
        row.extend([shown(lane), times(ratio(lane))]);
    }
    row
}

fn writing(writes: Writes) -> &'static str {
    if writes == Writes::Nothing { "" } else { " (durable)" }
}

fn none() -> String {
    "–".to_owned()
}

fn about(Extent { rounds, seconds, .. }: Extent, looks: u64) -> String {
    let peer = match std::env::var_os("PQC_LOAD_PYTHON") {
        Some(_) => {
            "**peer** is FastAPI on uvicorn (uvloop, httptools) with PyPI `cryptography`, so \
                    OpenSSL (`xtask/load/peer.py`, as `xtask/load/requirements.txt` pins it): one \
                    process, as it comes, and one for each processor. It writes nothing, so in the \
                    rows marked (durable) it does less than the two others."
                .to_owned()
        }
        None => "There was no **peer**: `PQC_LOAD_PYTHON` names a Python that has what \
                 `xtask/load/requirements.txt` lists."
            .to_owned(),
    };
    format!(
        "`wrk -t1 -c{CONNECTIONS}` (`-c2` for 8 MiB), {seconds} s for each figure, {rounds} rounds; \
         all servers run beside each other, and one at a time is driven. **pqc** is a release build \
         on its embedded store with the default settings but for \
         `{} {}`: without keys in memory, so that it opens, decodes and verifies for each call as the others \
         do; the last columns are of one that has its key cache, as by default. Calls are made by the root \
         token. **bare** is hyper alone (`benches/bare`): the same cryptography by the same core, the \
         same JSON and hex, and nothing else; its keys are open in memory. In the rows marked \
         (durable) the server writes rows before it answers (of a new key or token, of the attempt \
         that is spent, and in the audit log for each use of a stored key), and the bare server does \
         too: the same rows in the same schema of SQLite, with the same settings (WAL, \
         `synchronous=FULL`), by one connection that makes one commit of all calls that wait. {peer} \
         Beside each run a witness made the same calls on a connection of its own, and checked \
         {looks} times that the answers were true.",
        OPTIONS.join(" "),
        NO_CACHE.join(" "),
    )
}

/// What was opened or verified for a call is not kept for the next.
const NO_CACHE: [&str; 2] = ["--key-cache", "0"];
const ATTEMPTS: u64 = 1_000_000;
