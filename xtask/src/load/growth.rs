//! The section of growth: throughput against connections, stored keys, the size of a text, and
//! servers on one database.

use std::process::Command;

use anyhow::ensure;

use super::material::{Material, text};
use super::section::{Line, Part, Plot};
use super::subject::{Kind, OPTIONS, Subject};
use super::wrk::{Body, Drive, drive};
use super::{Extent, Found, servers};
use crate::http::median;
use crate::server::{Server, hex_field, target};

/// Measures.
///
/// # Errors
/// A server does not start, or answers wrongly.
pub(crate) fn measure(extent: Extent) -> anyhow::Result<Found> {
    let extent = Extent { rounds: extent.rounds.min(MOST_ROUNDS), ..extent };
    let mut parts = vec![Part::Text(format!(
        "wrk in closed loop, {} s for each point, the median of {}. Options of the server: `{}`.",
        extent.seconds,
        extent.rounds,
        OPTIONS.join(" "),
    ))];
    parts.push(Part::Plot(connections(extent)?));
    parts.push(Part::Plot(keys(extent)?));
    parts.push(Part::Plot(texts(extent)?));
    parts.push(servers::measure(extent)?);
    Ok(Found { goals: Vec::new(), parts })
}

/// The median rate of some rounds.
pub(crate) fn rate(
    subject: &Subject,
    path: &str,
    body: &Body,
    connections: usize,
    extent: Extent,
) -> anyhow::Result<f64> {
    let Server { address, root_token, .. } = &subject.server;
    let what = Drive { connections, seconds: extent.seconds };
    let mut rates = Vec::new();
    for _ in 0..extent.rounds {
        rates.push(drive(address, path, root_token, body, what)?.rate);
    }
    let rate = median(&mut rates);
    eprintln!("xtask: {:?} {path}, {connections} connections: {rate:.0}/s", subject.kind);
    Ok(rate)
}

fn connections(extent: Extent) -> anyhow::Result<Plot> {
    let subjects = [Subject::pqc(&[])?, Subject::bare()?];
    let mut lines = Vec::new();
    for subject in &subjects {
        let material = Material::of(subject)?;
        let name = |what: &str| match subject.kind {
            Kind::Pqc => what.to_owned(),
            _ => format!("{what}, bare"),
        };
        let durably = if subject.kind == Kind::Bare { "/durable" } else { "" };
        let calls = [
            ("encapsulate", "/api/kem/encapsulate_key".to_owned(), material.encapsulate_key),
            ("sign", format!("{durably}/api/signature/sign"), material.sign),
        ];
        for (what, path, body) in calls {
            let mut line = Line { name: name(what), points: Vec::new() };
            for power in 0..=8 {
                let count = 1_usize << power;
                let rate = rate(subject, &path, &Body::Json(body.clone()), count, extent)?;
                line.points.push((count as f64, rate));
            }
            lines.push(line);
        }
    }
    Ok(Plot {
        name: "connections".to_owned(),
        title: "Connections".to_owned(),
        x: "connections".to_owned(),
        y: "calls/s".to_owned(),
        lines,
        bounded_by: BOUND_OF_CONNECTIONS.to_owned(),
    })
}

fn keys(extent: Extent) -> anyhow::Result<Plot> {
    let mut subject = Subject::pqc(&[])?;
    let mut line = Line { name: "decapsulate".to_owned(), points: Vec::new() };
    let (mut bodies, mut stored) = (Vec::new(), 0);
    for power in 1.. {
        let count = 10_u64.pow(power);
        if count > extent.most_keys {
            break;
        }
        let mut client = subject.connect()?;
        while stored < count.min(USED_KEYS) {
            let pair = client.post("/api/kem/generate_keys", "{}")?;
            let request = crate::server::encapsulation_to(&pair)?;
            let sent = client.post("/api/kem/encapsulate_key", &request)?;
            let (cipher, pk) = (hex_field(&sent, "cipher")?, hex_field(&pair, "pk")?);
            bodies.push(format!(r#"{{"cipher":"{cipher}","pk":"{pk}"}}"#));
            stored += 1;
        }
        if stored < count {
            subject = fill(subject, count - stored)?;
            stored = count;
        }
        let body = Body::Cycle(bodies.clone());
        let rate = rate(&subject, "/api/kem/decapsulate_key", &body, 16, extent)?;
        line.points.push((count as f64, rate));
    }
    Ok(Plot {
        name: "keys".to_owned(),
        title: format!("Stored keys (of which calls use {USED_KEYS} by turns)"),
        x: "stored keys".to_owned(),
        y: "calls/s".to_owned(),
        lines: vec![line],
        bounded_by: BOUND_OF_KEYS.to_owned(),
    })
}

/// The same server on its store, with so many rows more.
fn fill(subject: Subject, count: u64) -> anyhow::Result<Subject> {
    eprintln!("xtask: filling in {count} keys");
    let Subject { kind, server, folder } = subject;
    server.stop()?;
    let mut command = Command::new(target()?.join("release/pqc-bare"));
    command.arg("fill").arg(folder.path().join("data/pqc.db")).arg(count.to_string());
    ensure!(command.status()?.success(), "the store could not be filled");
    let server = Server::start("release", folder.path(), &OPTIONS)?;
    Ok(Subject { kind, server, folder })
}

fn texts(extent: Extent) -> anyhow::Result<Plot> {
    let subjects = [Subject::pqc(&[])?, Subject::bare()?];
    let mut lines = Vec::new();
    for subject in &subjects {
        let name = if subject.kind == Kind::Pqc { "encrypt" } else { "encrypt, bare" };
        let mut line = Line { name: name.to_owned(), points: Vec::new() };
        for bytes in SIZES {
            let connections = if bytes < LARGE { 16 } else { 2 };
            let body = text(bytes);
            let rate = rate(subject, "/api/aes/encrypt_text", &body, connections, extent)?;
            line.points.push((bytes as f64, rate * bytes as f64 / 1e6));
        }
        lines.push(line);
    }
    Ok(Plot {
        name: "texts".to_owned(),
        title: "Size of a text".to_owned(),
        x: "bytes of text".to_owned(),
        y: "MB/s".to_owned(),
        lines,
        bounded_by: BOUND_OF_TEXTS.to_owned(),
    })
}

/// Curves have many points.
const MOST_ROUNDS: usize = 3;
/// So many of the stored keys are used; the rest are rows.
const USED_KEYS: u64 = 1_000;
const SIZES: [usize; 6] = [16, 256, 4 << 10, 64 << 10, 1 << 20, 8 << 20];
/// Of which two connections are enough.
const LARGE: usize = 1 << 20;

const BOUND_OF_CONNECTIONS: &str = "with few connections the round trip between client and server \
     (and, where rows are written, the fsync that each call waits for alone); from about as many as \
     there are processors on, the processors, of which the client takes a part; signing gains on \
     because more calls share a commit.";
const BOUND_OF_KEYS: &str = "the commit of the use in the audit log; the lookup is two steps down an \
     index, whose pages are in memory as long as the keys in use are few.";
const BOUND_OF_TEXTS: &str = "up to some KiB the cost of a call; beyond, what is done with every \
     byte: received and read as JSON, encrypted, written as hex (twice as long) and sent; the cipher \
     is the least of it.";
