//! The section of millions of requests: whether the server's memory stays what it was.

use super::document::figure;
use super::material::{KEY, MESSAGE, Material, encrypt};
use super::operation::CONNECTIONS;
use super::section::{Goal, Limit, Line, Part, Plot};
use super::subject::{OPTIONS, Subject};
use super::wrk::{Body, Drive, drive};
use super::{Extent, Found};

/// Measures.
///
/// # Errors
/// The server does not start, or answers wrongly.
pub(crate) fn measure(extent: Extent) -> anyhow::Result<Found> {
    let subject = Subject::pqc(&[])?;
    let material = Material::of(&subject)?;
    // Calls that make no row: the store's own growth has a curve of its own.
    let calls = [
        ("/api/aes/encrypt_text", encrypt(MESSAGE, Some(KEY))),
        ("/api/kem/encapsulate_key", material.encapsulate_key),
        ("/api/v1/pqc/kem/decapsulate/", material.decapsulate),
        ("/api/aes/decrypt_text", material.decrypt_by_callers),
    ];
    let what = Drive { connections: CONNECTIONS, seconds: extent.seconds };
    let (address, token) = (&subject.server.address, &subject.server.root_token);
    let (mut requests, mut points) = (0, Vec::new());
    while requests < extent.requests {
        for (path, body) in &calls {
            requests += drive(address, path, token, &Body::Json(body.clone()), what)?.requests;
        }
        let memory = subject.resident_mib()?;
        eprintln!("xtask: {requests} requests: {memory:.1} MiB");
        points.push((requests as f64 / 1e6, memory));
    }
    let early = points.iter().find(|(millions, _)| *millions >= extent.requests as f64 / 1e7);
    let grown = match (early, points.last()) {
        (Some((_, early)), Some((_, late))) => Ok(late / early),
        _ => Err("not measured: no request was answered".to_owned()),
    };
    let made = figure(requests as f64 / 1e6);
    let goal = Goal {
        what: format!("Memory after {made} million requests ÷ after a tenth of them"),
        measured: grown,
        limit: Limit::AtMost(FLAT),
        unit: "×".to_owned(),
    };
    let about = format!(
        "wrk, {CONNECTIONS} connections, {} s for each of four calls in turn (encrypt and decrypt 64 B, \
         encapsulate, decapsulate), over and over. Options: `{}`. `cargo xtask soak` does it with calls \
         that write, tokens that end and connections that drop.",
        extent.seconds,
        OPTIONS.join(" "),
    );
    let plot = Plot {
        name: "memory".to_owned(),
        title: "Memory over millions of requests".to_owned(),
        x: "requests, millions".to_owned(),
        y: "resident, MiB".to_owned(),
        lines: vec![Line { name: "pqc".to_owned(), points }],
        bounded_by:
            "What stays is what the allocator keeps for the next call; a line that climbs would be a leak."
                .to_owned(),
    };
    Ok(Found { goals: vec![goal], parts: vec![Part::Text(about), Part::Plot(plot)] })
}

/// What of growth is none.
const FLAT: f64 = 1.1;
