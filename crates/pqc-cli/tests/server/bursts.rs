//! Many at once: who comes in a burst waits for an answer, and is not kept from connecting.

use std::fs;

use crate::support::Folder;

#[test]
fn a_burst_of_connections_waits_its_turn() {
    const BURST: usize = 300;
    // Older systems let no more wait, whatever a program asks for.
    let most = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    if most.trim().parse::<usize>().is_ok_and(|most| most <= BURST) {
        eprintln!("\nSKIPPED: this system lets {} connections wait\n", most.trim());
        return;
    }
    let server = Folder::new().serve();
    // While it stands still, it accepts none.
    server.signal("STOP");
    let mut burst: Vec<_> = (0..BURST).map(|_| server.raw()).collect();
    server.signal("CONT");
    for raw in &mut burst {
        raw.head("GET /healthz HTTP/1.1", &[]).answer().ok();
    }
}

#[cfg(unix)]
#[test]
fn with_few_files_connections_wait_and_none_is_refused() {
    let server = Folder::new().serve_after("ulimit -n 100");
    let mut many: Vec<_> = (0..100).map(|_| server.raw()).collect();
    // Time for it to accept as many as it ever will.
    std::thread::sleep(std::time::Duration::from_millis(300));
    for raw in &mut many {
        raw.head("GET /readyz HTTP/1.1", &["Connection: close"]).answer().ok();
    }
    let log = server.stop().stderr;
    assert!(!log.contains("accepting a connection"), "{log}");
}
