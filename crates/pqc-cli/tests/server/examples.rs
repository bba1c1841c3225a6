//! The examples for other languages, each a whole flow against a live server.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Folder, run};

/// Whether the tools are there; in CI every one of them has to be.
fn are_installed(tools: &[&str], what: &str) -> bool {
    tools.iter().all(|tool| {
        let mut probe = Command::new(tool);
        probe.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let is_there = probe.status().is_ok();
        if !is_there {
            eprintln!("\nSKIPPED: {tool} is not installed, so {what} was NOT run\n");
            assert_ne!(env::var("CI").as_deref(), Ok("true"), "CI needs {tool}");
        }
        is_there
    })
}

/// Runs an example by `program`.
fn plays(program: &str, tools: &[&str], file: &str) {
    if !are_installed(&[&[program], tools].concat(), &format!("examples/{file}")) {
        return;
    }
    let server = Folder::new().serve();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(file);
    let mut command = Command::new(program);
    command.arg(path).arg(server.url()).arg(server.folder.file("root-token"));
    // The server is on this machine, whatever the environment says.
    for name in ["no_proxy", "NO_PROXY"] {
        command.env(name, "127.0.0.1");
    }
    let run = run(&mut command, b"").ended(0);
    println!("{}", run.stdout);
    assert_eq!(run.stdout.lines().last(), Some("done"), "{run:?}");
    for step in ["1184", "1952", "1088", "32-byte", "3309", "true", "false", "401", "403"] {
        assert!(run.stdout.contains(step), "no {step}: {run:?}");
    }
    for secret in ["pqc_r_", "pqc_t_", &server.folder.root_token()] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret}");
    }

    // Its twin: with another token it fails, and says so.
    let mut command = Command::new(program);
    let wrong = server.folder.beside("wrong-token");
    std::fs::write(&wrong, format!("pqc_r_{}\n", "A".repeat(43))).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(file);
    command.arg(path).arg(server.url()).arg(wrong).env("no_proxy", "127.0.0.1");
    let failed = crate::support::run(&mut command, b"").ended(1);
    assert!(failed.stderr.contains("401"), "{failed:?}");
}

#[test]
fn the_python_example_plays_the_flow() {
    plays("python3", &[], "sender_receiver.py");
}

#[test]
fn the_javascript_example_plays_the_flow() {
    plays("node", &[], "sender_receiver.mjs");
}

#[test]
fn the_curl_example_plays_the_flow() {
    plays("bash", &["curl", "sed"], "sender_receiver.sh");
}

/// Most clients read no answer before they have sent all of a body.
#[test]
fn curl_can_read_the_refusal_of_a_long_body() {
    if !are_installed(&["curl"], "curl with a long body") {
        return;
    }
    let server = Folder::new().serve();
    let body = server.folder.beside("body");
    std::fs::write(&body, vec![b'x'; 30 * 1024 * 1024]).unwrap();
    let url = format!("{}/api/aes/encrypt_text", server.url());
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--noproxy", "*", version, "--write-out", "%{http_code}"]);
        curl.args(["--header", "Content-Type: application/json", "--output"]);
        curl.arg(server.folder.beside("answer")).arg("--data-binary");
        let run = run(curl.arg(format!("@{}", body.display())).arg(&url), b"").ended(0);
        assert_eq!(run.stdout, "401", "{version}");
    }
}
