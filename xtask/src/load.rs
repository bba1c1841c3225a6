//! The HTTP load run: how many `encapsulate_key` requests a second a release build answers.
//!
//! One server on a free loopback port with a new store, one key pair, and wrk beside it on the
//! same machine: the number compares builds on one machine, and is no more than that.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::command::{cargo, is_installed};

/// One thread, 16 connections, 10 seconds.
const WRK_ARGS: [&str; 4] = ["-t1", "-c16", "-d10s", "--latency"];

/// How long the server may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Builds, serves, loads, and prints what wrk says and the requests per second.
///
/// # Errors
/// wrk is missing, the build fails, the server doesn't start, or any request isn't answered 200.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure!(is_installed("wrk"), "wrk is missing; on Debian: apt-get install wrk");
    cargo("build --release")?;

    let folder = TempDir::new()?;
    let server = Server::start(folder.path())?;
    let token = fs::read_to_string(folder.path().join("data/root-token"))?;
    let script = folder.path().join("encapsulate.lua");
    fs::write(&script, lua(token.trim(), &encapsulation_request(&server, token.trim())?))?;

    eprintln!("xtask: wrk {} encapsulate_key", WRK_ARGS.join(" "));
    let wrk = Command::new("wrk")
        .args(WRK_ARGS)
        .arg("--script")
        .arg(&script)
        .arg(format!("http://{}/api/kem/encapsulate_key", server.address))
        .stderr(Stdio::inherit())
        .output()?;
    let report = String::from_utf8_lossy(&wrk.stdout);
    print!("{report}");
    ensure!(wrk.status.success(), "wrk failed: {}", wrk.status);
    ensure!(!report.contains("Non-2xx"), "some answers were not 200");
    ensure!(!report.contains("Socket errors"), "some requests were not answered");
    let rate = report.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    println!("encapsulate_key: {} requests/s", rate.context("wrk gives no rate")?.trim());
    Ok(())
}

/// A server that stops when it is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Starts `pqc serve` in `folder` and waits until it listens.
    fn start(folder: &Path) -> anyhow::Result<Self> {
        // This program is TARGET/debug/xtask.
        let xtask = env::current_exe()?;
        let target = xtask.ancestors().nth(2).context("xtask runs outside a target folder")?;
        let log = folder.join("log");
        let out = File::create(&log)?;
        let process = Command::new(target.join("release/pqc"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .context("target/release/pqc can't be started")?;
        let mut server = Self { process, address: String::new() };
        let begin = Instant::now();
        while begin.elapsed() < START_LIMIT {
            if let Some(address) = listening_address(&fs::read_to_string(&log)?) {
                server.address = address;
                return Ok(server);
            }
            if let Some(status) = server.process.try_wait()? {
                bail!("the server ended before it listened: {status}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the server does not listen after {START_LIMIT:?}");
    }

    /// The body of the answer to one POST, which must be a 200.
    fn post(&self, path: &str, token: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.contains(" 200"), "{path} answered: {status}");
        Ok(body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The address in `listening on http://ADDRESS`, once its line is complete.
fn listening_address(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on http://")?;
    let (address, _) = rest.split_once(char::is_whitespace)?;
    Some(address.to_owned())
}

/// Makes a key pair, and the body of a request that encapsulates to it.
fn encapsulation_request(server: &Server, token: &str) -> anyhow::Result<String> {
    let answer = server.post("/api/kem/generate_keys", token)?;
    Ok(format!(
        r#"{{"pk":"{}","signature":"{}","verif_key":"{}"}}"#,
        hex_field(&answer, "pk")?,
        hex_field(&answer, "verification_signature")?,
        hex_field(&answer, "verification_key")?,
    ))
}

/// The hex text of one field of a flat JSON object: no escapes, so no parser.
fn hex_field<'a>(json: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let field = format!("\"{name}\":\"");
    let (_, rest) = json.split_once(&field).with_context(|| format!("no field {name}"))?;
    let (value, _) = rest.split_once('"').with_context(|| format!("{name} has no end"))?;
    ensure!(value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name} is not hex");
    Ok(value)
}

/// The script that makes wrk send `body` (which holds no single quote).
fn lua(token: &str, body: &str) -> String {
    format!(
        "wrk.method = 'POST'\n\
         wrk.headers['Authorization'] = 'Bearer {token}'\n\
         wrk.headers['Content-Type'] = 'application/json'\n\
         wrk.body = '{body}'\n"
    )
}

#[test]
fn an_address_counts_when_its_line_is_complete() {
    let log = "root token: x\nlistening on http://127.0.0.1:4242";
    assert_eq!(listening_address(log), None);
    let log = format!("{log}\n");
    assert_eq!(listening_address(&log).as_deref(), Some("127.0.0.1:4242"));
}

#[test]
fn a_field_is_found_by_its_whole_name_and_must_be_hex() {
    let json = r#"{"verification_pk":"aa","pk":"0f","name":"x y"}"#;
    assert_eq!(hex_field(json, "pk").ok(), Some("0f"));
    assert!(hex_field(json, "name").is_err());
    assert!(hex_field(json, "k").is_err());
}
