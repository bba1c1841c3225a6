//! A disk that cannot flush: no answer, the process stops, the restart is consistent.
#![cfg(target_os = "linux")]

use std::time::Duration;

use crate::support::{Call, Faults, Folder, Load};

const GRANTED: u32 = 1_000_000;

#[test]
fn a_server_that_cannot_flush_ends_without_an_answer_and_lost_nothing() {
    let faults = Faults::none();
    let folder = Folder::new();
    let server = folder.serve_on(&faults, "--log warn");
    let root = server.root();
    let counted = root.mint_counted(GRANTED).token;
    let load = Load::on(&[root], &counted);
    std::thread::sleep(Duration::from_millis(700));
    faults.fail_fsync();
    load.nothing_can_succeed();

    let ended = server.wait();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    let said: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("pqc: ")).collect();
    let [why] = said[..] else { panic!("it says {said:?}") };
    assert!(why.contains("did not confirm") && why.contains("pqc.db"), "{why}");
    assert_eq!(ended.stderr.lines().last(), Some(why));
    let ledger = load.end();
    assert_eq!(ledger.refused, 0, "nobody is told that nothing was done");
    assert!(ledger.spent > 50 && ledger.tokens.len() > 5 && ledger.keys.len() > 5);

    let server = folder.serve();
    ledger.assert_kept(&server.root(), &counted, GRANTED.into());
    server.root().generate();
}

#[test]
fn a_verb_that_cannot_flush_says_so_and_promises_nothing() {
    let faults = Faults::none();
    let folder = Folder::new();
    folder.serve().stop();
    let add = |name: &str| {
        let mut verb = faults.pqc();
        verb.args(["account", "new", name, "--data-dir"]).arg(folder.data_dir());
        crate::support::run(&mut verb, b"")
    };
    let token = add("alice").line();
    faults.fail_fsync();
    add("bob").refused(2, "the disk did not confirm");
    let server = folder.serve();
    server.holder(&token).send(&Call::get("/api/v1/token/self")).ok();
}
