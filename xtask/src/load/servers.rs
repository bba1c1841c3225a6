//! More servers on one PostgreSQL: the last curve of growth.

use super::section::Part;
use super::{Extent, section};

/// Measures; where PostgreSQL is missing, a line says so.
///
/// # Errors
/// A server does not start, or answers wrongly.
#[cfg(unix)]
pub(crate) fn measure(extent: Extent) -> anyhow::Result<Part> {
    use super::material::Material;
    use super::subject::Subject;
    use section::{Line, Plot};

    // As a database in use has it: commits are on the disk.
    let Some(cluster) = crate::cluster::Cluster::start_with("fsync = on")? else {
        return Ok(absent());
    };
    let keys = super::subject::folder()?;
    let key = private_key(keys.path())?;
    let url = cluster.url("postgres");
    let options = ["--store", &url, "--master-key-file", &key];
    let first = Subject::pqc(&options)?;
    let material = Material::of(&first)?;
    let mut subjects = vec![first];
    let calls = [
        (
            "encapsulate",
            "/api/kem/encapsulate_key",
            super::wrk::Body::Json(material.encapsulate_key),
        ),
        ("make a key pair", "/api/kem/generate_keys", super::wrk::Body::Nothing),
    ];
    let mut lines =
        calls.each_ref().map(|(name, ..)| Line { name: (*name).to_owned(), points: Vec::new() });
    for count in 1..=MOST {
        if subjects.len() < count {
            subjects.push(another(&subjects, &options)?);
        }
        for ((_, path, body), line) in calls.iter().zip(&mut lines) {
            let rate = together(&subjects, path, body, extent)?;
            eprintln!("xtask: {count} servers on one database, {path}: {rate:.0}/s");
            line.points.push((count as f64, rate));
        }
    }
    // Servers first: they would complain about a database that is gone.
    drop(subjects);
    Ok(Part::Plot(Plot {
        name: "servers".to_owned(),
        title: "Servers on one PostgreSQL".to_owned(),
        x: "servers".to_owned(),
        y: "calls/s".to_owned(),
        lines: lines.into(),
        bounded_by: BOUND.to_owned(),
    }))
}

/// Elsewhere no cluster is started.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub(crate) fn measure(_: Extent) -> anyhow::Result<Part> {
    Ok(absent())
}

fn absent() -> Part {
    Part::Text("Servers on one PostgreSQL: not measured: no PostgreSQL.".to_owned())
}

/// A server more; its folder has no token, since the account is there.
#[cfg(unix)]
fn another(
    subjects: &[super::subject::Subject],
    options: &[&str],
) -> anyhow::Result<super::subject::Subject> {
    use super::subject::{Kind, OPTIONS, Subject, folder};
    use crate::server::{Server, pqc};
    let folder = folder()?;
    let mut command = pqc("release")?;
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(folder.path().join("data")).args(OPTIONS).args(options);
    let mut server = Server::run(command, folder.path())?;
    if let Some(first) = subjects.first() {
        first.server.root_token.clone_into(&mut server.root_token);
    }
    Ok(Subject { kind: Kind::Pqc, server, folder })
}

/// The sum of what they reach, as many connections in all as one has alone.
#[cfg(unix)]
fn together(
    subjects: &[super::subject::Subject],
    path: &str,
    body: &super::wrk::Body,
    extent: Extent,
) -> anyhow::Result<f64> {
    use super::operation::CONNECTIONS;
    use super::wrk::{Drive, drive};
    use anyhow::Context;
    use std::thread;
    let connections = CONNECTIONS.div_ceil(subjects.len());
    let what = Drive { connections, seconds: extent.seconds };
    let mut sums = Vec::new();
    for _ in 0..extent.rounds {
        let rates: anyhow::Result<Vec<f64>> = thread::scope(|scope| {
            let driving: Vec<_> = subjects
                .iter()
                .map(|subject| {
                    let (address, token) = (&subject.server.address, &subject.server.root_token);
                    scope.spawn(move || Ok(drive(address, path, token, body, what)?.rate))
                })
                .collect();
            let join = |one: thread::ScopedJoinHandle<'_, _>| {
                one.join().ok().context("a driver panicked")?
            };
            driving.into_iter().map(join).collect()
        });
        sums.push(rates?.iter().sum());
    }
    Ok(crate::http::median(&mut sums))
}

#[cfg(unix)]
fn private_key(folder: &std::path::Path) -> anyhow::Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let key = folder.join("master.key");
    std::fs::write(&key, format!("{}\n", "5a".repeat(32)))?;
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600))?;
    Ok(key.display().to_string())
}

#[cfg(unix)]
const MOST: usize = 4;
#[cfg(unix)]
const BOUND: &str = "the machine: all servers, the database and the client share its processors, so \
     this shows what a server more costs, not what it brings on a machine of its own; making a key \
     pair waits for the database's commit, which is on the disk (`fsync = on`).";
