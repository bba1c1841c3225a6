//! A disk that is full, or read-only: a clear 503, or a refusal at the start; nothing is lost, and
//! it passes by itself.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::support::{Folder, Ledger, Load, Server, wait_until};

const GRANTED: u32 = 1_000_000;

/// The server under load, from before the disk is `filled` until after there is `room` again.
fn on_a_full_disk(server: Server, filled: impl Fn(&Server), room: impl Fn(&Server)) {
    let root = server.root();
    let counted = root.mint_counted(GRANTED).token;
    let load = Load::on(std::slice::from_ref(&root), &counted);
    std::thread::sleep(Duration::from_millis(300));
    filled(&server);
    let ready = || server.anyone().get("/readyz").status;
    // At first what is small may still find its place.
    wait_until("refusals", || load.refused() > 200 && ready() == 503);
    let refused = server.root().get("/api/kem/generate_keys");
    let problem = refused.problem(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(problem.get("attempt"), None, "nothing was done, and that is known");
    // What only reads goes on.
    assert_eq!(root.token_self()["kind"], "root");

    room(&server);
    wait_until("readiness", || ready() == 200);
    root.generate();
    std::thread::sleep(Duration::from_millis(300));
    let ledger = load.end();
    println!(
        "{} spent, {} refused, {} in doubt, {} tokens, {} keys",
        ledger.spent,
        ledger.refused,
        ledger.doubtful,
        ledger.tokens.len(),
        ledger.keys.len()
    );
    assert_eq!(ledger.doubtful, 0, "each refusal says that nothing was done");
    assert!(ledger.spent > 50 && ledger.tokens.len() > 5 && ledger.keys.len() > 5);
    ledger.assert_kept(&root, &counted, GRANTED.into());
    let server = server.kill().serve();
    ledger.assert_kept(&server.root(), &counted, GRANTED.into());
}

#[test]
fn files_that_may_not_grow_are_a_503_until_they_may() {
    let server = Folder::new().serve();
    let log = server.folder.file("pqc.db-wal");
    on_a_full_disk(
        server,
        |server| server.limit_files(&(fs::metadata(&log).unwrap().len() + 64 * 1024).to_string()),
        |server| server.limit_files("unlimited"),
    );
}

#[test]
fn a_full_disk_is_a_503_until_there_is_room() {
    // Far more than the store's log takes.
    let Some(disk) = Disk::of("96m") else { return };
    let server = disk.folder.serve();
    let filler = disk.folder.file("filler");
    on_a_full_disk(
        server,
        |_| {
            // All that is left.
            let all = fs::write(&filler, vec![0; 96 << 20]);
            assert_eq!(all.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        },
        |_| fs::remove_file(&filler).unwrap(),
    );
}

#[test]
fn a_log_that_fills_the_disk_gives_its_room_back() {
    // Less than the log would take by itself.
    let Some(disk) = Disk::of("24m") else { return };
    let filler = disk.folder.file("filler");
    let server = disk.folder.serve();
    fs::write(&filler, vec![0; 8 << 20]).unwrap();
    let root = server.root();
    let counted = root.mint_counted(GRANTED).token;
    let load = Load::on(std::slice::from_ref(&root), &counted);
    wait_until("refusals", || load.refused() > 200);
    fs::remove_file(&filler).unwrap();
    let ledger = load.end();
    wait_until("readiness", || server.anyone().get("/readyz").status == 200);

    // More is written than the disk holds, and little of it is new.
    let token = root.with_token(&counted);
    let text = json!({"unencrypted": "x", "key": "07".repeat(32)});
    for _ in 0..3000 {
        token.post("/api/aes/encrypt_text", &text).ok();
    }
    let all = Ledger { spent: ledger.spent + 3000, ..ledger };
    all.assert_kept(&root, &counted, GRANTED.into());
}

#[test]
fn a_full_disk_at_the_start_is_told_and_nothing_is_lost() {
    let Some(disk) = Disk::of("8m") else { return };
    let server = disk.folder.serve();
    let pair = server.root().generate();
    server.stop();
    let filler = disk.folder.file("filler");
    let _ = fs::write(&filler, vec![0; 8 << 20]);
    let before = fs::read(disk.folder.file("pqc.db")).unwrap();
    let refused = disk.folder.verb("serve --listen 127.0.0.1:0");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("the disk is full"), "{refused:?}");
    assert_eq!(refused.stdout, "");
    assert!(fs::read(disk.folder.file("pqc.db")).unwrap() == before);
    fs::remove_file(&filler).unwrap();
    let server = disk.folder.serve();
    pair.encapsulated_by(&server.root());
}

#[test]
fn a_restore_that_does_not_fit_leaves_nothing() {
    let Some(disk) = Disk::of("64m") else { return };
    let origin = Folder::new().serve();
    let root = origin.root();
    for _ in 0..200 {
        root.generate();
    }
    let (file, phrase) = (origin.folder.beside("b.pqcb"), origin.folder.beside("passphrase"));
    fs::write(&phrase, "correct horse battery staple\n").unwrap();
    let [file, phrase] = [file, phrase].map(|path| path.display().to_string());
    origin.verb(&format!("backup {file} --passphrase-file {phrase}")).ended(0);
    let key = format!("--master-key-file {}", origin.folder.file("master.key").display());
    let (mut refused, mut done) = (0, 0);
    // From less than the store to more than the store and its log.
    for kib in (512..4096).step_by(256) {
        disk.remount(&format!("size={kib}k"));
        let restore = format!("restore {file} --passphrase-file {phrase} {key}");
        let restored = disk.folder.verb(&restore);
        if restored.code == 0 {
            done += 1;
            let keys = disk.folder.verb(&format!("keys list --json {key}")).json();
            assert_eq!(keys["keys"].as_array().unwrap().len(), 200, "{kib} KiB");
        } else {
            refused += 1;
            restored.refused(2, "disk is full");
        }
        for left in fs::read_dir(disk.folder.data_dir()).unwrap() {
            let left = left.unwrap();
            let name = left.file_name().into_string().unwrap();
            assert!(!name.starts_with(".pqc-new"), "{kib} KiB: {name}");
            fs::remove_file(left.path()).unwrap();
        }
    }
    assert!(refused > 2 && done > 2, "{refused} refused, {done} done");
}

#[test]
fn a_read_only_disk_is_refused_at_the_start() {
    let Some(disk) = Disk::of("8m") else { return };
    disk.folder.serve().stop();
    disk.remount("ro");
    for line in ["serve --listen 127.0.0.1:0", "account new alice"] {
        let refused = disk.folder.verb(line);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("writable for this user"), "{refused:?}");
        assert_eq!(refused.stdout, "");
    }
    // The twin: the same disk.
    disk.remount("rw");
    disk.folder.serve().root().generate();
}

/// A small disk in memory under a data folder.
struct Disk {
    folder: Folder,
    mounted: PathBuf,
}

impl Disk {
    /// `None`: this user may not mount, which is said loudly.
    fn of(size: &str) -> Option<Self> {
        let folder = Folder::new();
        let mounted = folder.data_dir();
        fs::create_dir(&mounted).unwrap();
        let options = format!("size={size},mode=700");
        if !mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], &mounted) {
            eprintln!("\nSKIPPED: a test on a small disk: this user may not mount a tmpfs\n");
            return None;
        }
        Some(Self { folder, mounted })
    }

    fn remount(&self, mode: &str) {
        assert!(mount(&["-o", &format!("remount,{mode}")], &self.mounted), "{mode}");
    }
}

fn mount(arguments: &[&str], place: &Path) -> bool {
    let done = Command::new("mount").args(arguments).arg(place).output();
    done.is_ok_and(|done| done.status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that is just killed may still have it.
        let _ = Command::new("umount").arg("--lazy").arg(&self.mounted).status();
    }
}
