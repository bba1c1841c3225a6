//! `pqc demo` plays the whole flow by itself, and leaves nothing behind.

use std::fs;
use std::process::Command;

use crate::support::{Run, names, pqc, run};

/// Runs it in a folder of its own, which is to be empty afterwards.
fn played(options: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut command: Command = pqc();
    command.arg("demo").args(options).env("TMPDIR", folder.path()).current_dir(folder.path());
    let run = run(&mut command, b"").ended(0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "it leaves files behind");
    for secret in ["pqc_r_", "pqc_t_", "Meet me at noon"] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{secret}");
    }
    run
}

#[test]
fn it_prints_each_step_with_sizes_and_times() {
    let run = played(&[]);
    println!("{}", run.stdout);
    assert!(run.stdout.starts_with("server on http://127.0.0.1:"), "{}", run.stdout);
    let steps: Vec<_> = run.stdout.lines().filter(|line| line.ends_with(" ms")).collect();
    for (who, did, size) in [
        ("receiver", "makes an ML-KEM-768 key pair", "1184 B"),
        ("sender", "checks the issuer key", "1952 B"),
        ("sender", "encapsulates", "1088 B"),
        ("receiver", "decapsulates", "32 B"),
        ("sender", "encrypts", "B"),
        ("receiver", "decrypts", "B"),
        ("receiver", "signs", "3309 B"),
        ("sender", "verifies", "genuine"),
    ] {
        let step = steps.iter().find(|step| step.starts_with(who) && step.contains(did));
        let step = step.unwrap_or_else(|| panic!("{who} never {did}: {}", run.stdout));
        assert!(step.contains(size), "{step}");
        let time = step.trim_end_matches(" ms").rsplit(' ').next().unwrap();
        assert!(time.parse::<f64>().unwrap() > 0.0, "{step}");
    }
    let last = run.stdout.lines().last().unwrap();
    assert_eq!(last, format!("all {} steps went as they should", steps.len()));
}

#[test]
fn it_prints_the_steps_as_one_object() {
    let demo = played(&["--json"]).json();
    assert_eq!(names(&demo), ["server", "steps"]);
    assert!(demo["server"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let steps = demo["steps"].as_array().unwrap();
    assert!(steps.len() >= 10, "{demo}");
    for step in steps {
        assert_eq!(names(step), ["did", "millis", "result", "who"]);
        assert!(step["millis"].as_f64().unwrap() > 0.0, "{step}");
    }
}

#[test]
fn it_needs_no_store_and_heeds_no_proxy() {
    let mut command = pqc();
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    run(command.arg("demo"), b"").ended(0);
}
