//! Output that nobody reads: the server serves on, and ends.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::{Client, Folder, KilledOnDrop, pqc, run, shared, wait_until};

#[test]
fn a_log_that_nobody_reads_holds_up_neither_calls_nor_the_end() {
    let folder = Folder::new();
    let mut server = pqc()
        .args(["serve", "--listen", "127.0.0.1:0", "--log", "debug", "--data-dir"])
        .arg(folder.data_dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map(KilledOnDrop)
        .unwrap();
    let mut listening = String::new();
    BufReader::new(server.0.stdout.as_mut().unwrap()).read_line(&mut listening).unwrap();
    let client = Client::new(listening.trim_end().strip_prefix("listening on ").unwrap().into());
    // More than wait in the server; a pipe takes 64 KiB, and each call logs a hundred bytes.
    for _ in 0..6000 {
        assert_eq!(client.get("/readyz").status, 200);
    }
    run(std::process::Command::new("kill").arg(server.0.id().to_string()), b"").ended(0);
    wait_until("its end", || server.0.try_wait().unwrap().is_some());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
    let unread = BufReader::new(server.0.stderr.take().unwrap()).lines().count();
    assert!(unread < 6000, "the pipe held all of the log, so nothing was tried");
}

#[cfg(target_os = "linux")]
#[test]
fn a_token_that_cannot_be_shown_is_no_success() {
    let server = shared();
    let account = server.account();
    for (verb, hint) in [
        ("account new unread", "token root-reset --account unread".to_owned()),
        ("token temp", "token revoke".to_owned()),
        (
            &format!("token root-reset --account {}", account.name),
            format!("token root-reset --account {}", account.name),
        ),
    ] {
        for json in ["", " --json"] {
            let line = format!("{verb}{json}");
            let (reader, closed) = std::io::pipe().unwrap();
            drop(reader);
            let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
            for stdout in [Stdio::from(closed), Stdio::from(full)] {
                let shown = pqc()
                    .args(line.split(' '))
                    .arg("--data-dir")
                    .arg(server.folder.data_dir())
                    .stdout(stdout)
                    .output()
                    .unwrap();
                let said = String::from_utf8(shown.stderr).unwrap();
                if !said.contains("exists already") {
                    assert_eq!(shown.status.code(), Some(2), "{line}: {said}");
                    assert!(said.contains(&hint), "{line}: {said}");
                }
            }
        }
    }
    // What carries no secret wants no reader.
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let mut list = pqc();
    list.args(["account", "list", "--data-dir"]).arg(server.folder.data_dir()).stdout(closed);
    assert_eq!(list.status().unwrap().code(), Some(0));
}
