//! The Rust example runs as its reader would run it.
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
