//! The HTTP load run: how many `encapsulate_key` requests a second a release build answers.
//!
//! One server on a free loopback port with a new store, one key pair, and wrk beside it on the
//! same machine: the number compares builds on one machine, and is no more than that.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::command::{cargo, is_installed};
use crate::server::{Server, field};

/// One thread, 16 connections, 10 seconds.
const WRK_ARGS: [&str; 4] = ["-t1", "-c16", "-d10s", "--latency"];

/// Builds, serves, loads, and prints what wrk says and the requests per second.
///
/// # Errors
/// wrk is missing, the build fails, the server doesn't start, or any request isn't answered 200.
pub(crate) fn run() -> anyhow::Result<()> {
    ensure!(is_installed("wrk"), "wrk is missing; on Debian: apt-get install wrk");
    cargo("build --release")?;

    let folder = TempDir::new()?;
    let server = Server::start("release", folder.path())?;
    let script = folder.path().join("encapsulate.lua");
    fs::write(&script, lua(&server.root_token, &encapsulation_request(&server)?))?;

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

/// Makes a key pair, and the body of a request that encapsulates to it.
///
/// # Errors
/// The server does not make one.
pub(crate) fn encapsulation_request(server: &Server) -> anyhow::Result<String> {
    let answer = server.post("/api/kem/generate_keys")?;
    Ok(format!(
        r#"{{"pk":"{}","signature":"{}","verif_key":"{}"}}"#,
        hex_field(&answer, "pk")?,
        hex_field(&answer, "verification_signature")?,
        hex_field(&answer, "verification_key")?,
    ))
}

/// The hex text of one field of a flat JSON object.
fn hex_field<'a>(json: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let value = field(json, name)?;
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
fn a_field_must_be_hex() {
    let json = r#"{"pk":"0f","name":"x y"}"#;
    assert_eq!(hex_field(json, "pk").ok(), Some("0f"));
    assert!(hex_field(json, "name").is_err());
}
