//! The section of the start and of memory: the time until it listens, and what an idle server takes.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::document::figure;
use super::material::Material;
use super::operation::CONNECTIONS;
use super::section::{Goal, Limit, Part, Table};
use super::subject::{OPTIONS, Subject};
use super::wrk::{Body, Drive, drive};
use super::{Extent, Found};
use crate::http::{Connection, median};
use crate::server::pqc;

/// Measures.
///
/// # Errors
/// The server does not start; fewer connections can be opened than there shall be.
pub(crate) fn measure(extent: Extent) -> anyhow::Result<Found> {
    let mut rows = Vec::new();
    let mut goals = Vec::new();
    let mut told = |what: &str, measured: anyhow::Result<f64>, limit: f64, unit: &str| {
        let measured = measured.map_err(|error| format!("not measured: {error:#}"));
        eprintln!("xtask: {what}: {measured:?}{unit}");
        rows.push(vec![
            what.to_owned(),
            measured
                .as_ref()
                .map_or_else(Clone::clone, |value| format!("{}{unit}", figure(*value))),
        ]);
        let (what, limit, unit) = (what.to_owned(), Limit::AtMost(limit), unit.to_owned());
        goals.push(Goal { what, measured, limit, unit });
    };

    let starts = extent.rounds.max(FEWEST_STARTS);
    let (best, middle, worst) = starts_of(starts)?;
    told("Start on an existing store, until it listens", Ok(middle), START_MS, " ms");

    let options = ["--max-connections", "10100"];
    let subject = Subject::pqc(&options)?;
    thread::sleep(SETTLE);
    told("Memory, idle after its start", subject.resident_mib(), IDLE_MIB, " MiB");
    told("Memory with 10,000 idle connections", connected(&subject), CONNECTED_MIB, " MiB");
    thread::sleep(SETTLE);
    let left = subject.resident_mib()?;
    let material = Material::of(&subject)?;
    let what = Drive { connections: CONNECTIONS, seconds: extent.seconds };
    let (address, token) = (&subject.server.address, &subject.server.root_token);
    let body = Body::Json(material.encapsulate_key);
    drive(address, "/api/kem/encapsulate_key", token, &body, what)?;
    thread::sleep(SETTLE);
    let used = subject.resident_mib()?;
    let bare = Subject::bare()?;
    let bare =
        connected(&bare).map_or_else(|_| "–".to_owned(), |mib| format!("{} MiB", figure(mib)));
    rows.push(vec!["Memory once they have left".to_owned(), format!("{} MiB", figure(left))]);
    let what = format!("Memory, idle after {} s of encapsulation", extent.seconds);
    rows.push(vec![what, format!("{} MiB", figure(used))]);
    rows.push(vec!["The bare server with 10,000 idle connections".to_owned(), bare]);

    let about = format!(
        "A start is that of the process until it has said `listening on …`, its self-test included, \
         on a store that an orderly end left: the median of {starts}, between {} and {} ms. Memory is \
         what is resident, by the system's count. Each of the idle connections has made one request \
         (`GET /healthz`). Options besides the defaults: `{} {}`.",
        figure(best),
        figure(worst),
        OPTIONS.join(" "),
        options.join(" "),
    );
    let head = ["", "Measured"].map(str::to_owned).to_vec();
    Ok(Found { goals, parts: vec![Part::Text(about), Part::Table(Table { head, rows })] })
}

/// The least time, the median and the greatest, in milliseconds.
fn starts_of(count: usize) -> anyhow::Result<(f64, f64, f64)> {
    let Subject { server, folder, .. } = Subject::pqc(&[])?;
    // So that there is a key of each kind.
    server.encapsulation_request()?;
    server.stop()?;
    let mut times = Vec::new();
    for _ in 0..count {
        let mut command = pqc("release")?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(folder.path().join("data")).args(OPTIONS);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let begin = Instant::now();
        let mut process = command.spawn()?;
        let listening = listening(&mut process);
        let time = begin.elapsed();
        end(process)?;
        listening?;
        times.push(time.as_secs_f64() * 1000.0);
    }
    let middle = median(&mut times);
    let (least, greatest) = (times.first().copied(), times.last().copied());
    Ok((least.unwrap_or(middle), middle, greatest.unwrap_or(middle)))
}

fn listening(process: &mut Child) -> anyhow::Result<()> {
    let mut out = BufReader::new(process.stdout.take().context("no output")?);
    let mut line = String::new();
    while !line.starts_with("listening on ") {
        line.clear();
        ensure!(out.read_line(&mut line)? > 0, "the server ended before it listened");
    }
    Ok(())
}

fn end(mut process: Child) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        kill_process(Pid::from_child(&process), Signal::TERM)?;
    }
    #[cfg(not(unix))]
    process.kill()?;
    process.wait()?;
    Ok(())
}

/// The memory while they are all there.
fn connected(subject: &Subject) -> anyhow::Result<f64> {
    allow_files(IDLE_CONNECTIONS as u64 + FILES_OF_OUR_OWN)?;
    let address = &subject.server.address;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let mut there = Vec::new();
    for number in 0..IDLE_CONNECTIONS {
        let stream = TcpStream::connect(address)
            .with_context(|| format!("connection {number} (ulimit -n?)"))?;
        let mut connection = Connection::on(stream, address)?;
        connection.ask(request.as_bytes())?.ok()?;
        there.push(connection);
    }
    thread::sleep(SETTLE);
    let memory = subject.resident_mib();
    // Whoever was cut meanwhile answers no more.
    for connection in there.iter_mut().step_by(IDLE_CONNECTIONS / 20) {
        connection.ask(request.as_bytes())?.ok()?;
    }
    memory
}

/// Lets this process have so many files open.
#[cfg(unix)]
fn allow_files(wanted: u64) -> anyhow::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut files = getrlimit(Resource::Nofile);
    if files.current.is_some_and(|current| current < wanted) {
        files.current = Some(wanted);
        setrlimit(Resource::Nofile, files).context("so many files can't be open (ulimit -Hn)")?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn allow_files(_: u64) -> anyhow::Result<()> {
    Ok(())
}

const FEWEST_STARTS: usize = 5;
const IDLE_CONNECTIONS: usize = 10_000;
const FILES_OF_OUR_OWN: u64 = 100;
const SETTLE: Duration = Duration::from_secs(2);
const START_MS: f64 = 100.0;
const IDLE_MIB: f64 = 20.0;
const CONNECTED_MIB: f64 = 200.0;
