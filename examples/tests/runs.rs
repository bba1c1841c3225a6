//! The Rust examples run as their reader would run them.
#![allow(clippy::unwrap_used, reason = "test code")]

use std::process::Command;

#[test]
fn the_flow_without_a_server_ends_well() {
    let run = Command::new(env!("CARGO_BIN_EXE_sender_receiver")).output().unwrap();
    let printed = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{printed}");
    assert_eq!(printed.lines().count(), 4, "{printed}");
    assert!(printed.contains("verifies"), "{printed}");
}

#[test]
fn a_file_is_sealed_read_from_its_middle_and_refused_when_cut() {
    let run = Command::new(env!("CARGO_BIN_EXE_sealed_file")).output().unwrap();
    let printed = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{printed}");
    assert!(printed.contains("opened:  measurement 10000: 100000000\n"), "{printed}");
    assert!(printed.contains("refused: authentication failed"), "{printed}");
}
