//! Start and end: what an empty folder becomes, what is shown once, who is refused, how it stops.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Folder, KilledOnDrop, pqc, run, text, wait_until};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn files(folder: &Folder) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    entries.map(|path| (name(&path), fs::read(&path).unwrap())).collect()
}

#[test]
fn an_empty_folder_becomes_a_server_that_is_ready_and_shows_its_root_token_once() {
    let folder = Folder::new();
    let server = folder.serve();
    server.anyone().get("/readyz").ok();

    let token = folder.root_token();
    assert!(token.starts_with("pqc_r_") && token.len() == 49);
    assert_eq!(fs::read_to_string(folder.file("root-token")).unwrap(), format!("{token}\n"));
    let key = fs::read_to_string(folder.file("master.key")).unwrap();
    assert_eq!(hex::decode(key.trim_end()).unwrap().len(), 32);
    assert_eq!(mode(&folder.data_dir()), 0o700);
    for name in files(&folder).keys() {
        assert_eq!(mode(&folder.file(name)), 0o600, "{name}");
    }
    let about = server.holder(&token).token_self();
    assert_eq!((&about["kind"], &about["attempts_left"]), (&json!("root"), &json!(null)));

    let address = server.address;
    let ended = server.stop();
    assert_eq!(ended.stdout, format!("listening on http://{address}\n"));
    assert_eq!(ended.stderr.matches("pqc_r_").count(), 1, "shown once");
    assert!(ended.stderr.lines().any(|line| line == token), "on a line of its own");
    assert!(!ended.stderr.contains(key.trim_end()));
    assert!(ended.stderr.contains("--master-key-file"), "what the key in the folder is worth");
}

/// The best of some starts: the others may have waited for the machine.
#[test]
fn a_first_start_is_ready_in_under_two_seconds() {
    let best = (0..5).map(|_| Folder::new().serve().ready_in).min().unwrap();
    println!("ready in {best:?}");
    assert!(best < Duration::from_secs(2), "{best:?}");
}

#[test]
fn listening_can_be_told_in_json() {
    let folder = Folder::new();
    let start = run(pqc().args(["serve", "--help"]), b"").ended(0);
    assert!(start.stdout.contains("[default: 127.0.0.1:8000]"), "{}", start.stdout);
    // The line is read by `serve_with` in its plain form; with `--json` it is an object.
    let mut child = pqc()
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.data_dir())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stdout = child.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(text(&told, "listening").starts_with("http://127.0.0.1:"), "{line}");
}

#[test]
fn a_second_start_shows_no_secret_and_keeps_the_first_ones() {
    let folder = Folder::new();
    folder.serve().stop();
    let (token, key) = (folder.root_token(), fs::read(folder.file("master.key")).unwrap());
    let server = folder.serve();
    assert_eq!(server.holder(&token).token_self()["kind"], "root");
    assert_eq!((folder.root_token(), fs::read(folder.file("master.key")).unwrap()), (token, key));
    let ended = server.stop();
    for word in ["pqc_r_", "root token"] {
        assert!(!ended.stderr.contains(word), "{}", ended.stderr);
    }
    assert_eq!(ended.stdout.lines().count(), 1);
    // Each start warns of the key beside the store; its twin has it elsewhere.
    let warns = |said: &str| said.matches("protects backups of the store").count();
    assert_eq!(warns(&ended.stderr), 1, "{}", ended.stderr);
    let elsewhere = folder.beside("master.key");
    fs::rename(folder.file("master.key"), &elsewhere).unwrap();
    let server =
        folder.serve_with(&format!("--log info --master-key-file {}", elsewhere.display()));
    assert_eq!(warns(&server.stop().stderr), 0);

    // It is where it is, whatever names it, and whatever the log leaves out.
    let (inside, link) = (folder.file("other.key"), folder.beside("link"));
    fs::rename(&elsewhere, &inside).unwrap();
    std::os::unix::fs::symlink(&inside, &link).unwrap();
    for file in [&inside, &link] {
        let line = format!("--log error --master-key-file {}", file.display());
        assert_eq!(warns(&folder.serve_with(&line).stop().stderr), 1, "{file:?}");
    }
}

#[test]
fn a_secret_in_the_place_of_its_files_name_is_not_printed() {
    let folder = Folder::new();
    let (key, passphrase) = ("5a".repeat(32), "my-secret-passphrase-of-some-length");
    for line in ["serve", "serve --print-config", "account list"] {
        let run = folder.verb(&format!("{line} --master-key-file {key}"));
        assert!(!format!("{run:?}").contains(&key), "{run:?}");
        let run = folder.verb(&format!("{line} --master-passphrase-file {passphrase}"));
        assert!(!format!("{run:?}").contains(passphrase), "{run:?}");
    }
    folder.verb(&format!("serve --master-key-file {key}")).refused(2, "was given a key");
}

#[test]
fn a_root_token_file_that_was_removed_is_not_made_again() {
    let folder = Folder::new();
    folder.serve().stop();
    let token = folder.root_token();
    fs::remove_file(folder.file("root-token")).unwrap();
    let server = folder.serve();
    assert_eq!(server.holder(&token).token_self()["kind"], "root");
    assert!(!folder.file("root-token").exists());
}

#[test]
fn a_first_start_that_is_killed_needs_no_help() {
    for round in 0..24 {
        let folder = Folder::new();
        let mut first = pqc();
        first.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.data_dir());
        let first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(4 * round));
        drop(KilledOnDrop(first));
        let server = folder.serve();
        assert_eq!(server.root().token_self()["kind"], "root", "{round}");
        assert!(!folder.file("root-token.new").exists(), "{round}");
    }
}

/// The two sides of the moment at which the account is made.
#[test]
fn a_root_token_without_its_name_gets_it_or_goes() {
    let folder = Folder::new();
    folder.serve().stop();
    let token = folder.root_token();
    let (new, named) = (folder.file("root-token.new"), folder.file("root-token"));
    fs::rename(&named, &new).unwrap();
    folder.serve().stop();
    assert_eq!((folder.root_token(), new.exists()), (token.clone(), false));

    let folder = Folder::new();
    fs::create_dir_all(folder.data_dir()).unwrap();
    let new = folder.file("root-token.new");
    fs::write(&new, &token).unwrap();
    let server = folder.serve();
    assert!(!new.exists() && folder.root_token() != token);
    server.root().token_self();
}

#[test]
fn a_second_server_on_the_folder_is_refused_while_the_verbs_work_beside() {
    let folder = Folder::new();
    let server = folder.serve();
    let second = "serve --listen 127.0.0.1:0";
    folder.verb(second).refused(2, "another `pqc serve` runs on");
    let listed = folder.verb("account list --json").json();
    assert_eq!(listed["accounts"][0]["name"], "default");
    server.root().generate();
    // Its twin: once the first is gone, the folder is free.
    server.stop();
    folder.serve();
}

#[test]
fn a_wrong_master_key_is_refused_and_nothing_is_overwritten() {
    let folder = Folder::new();
    let key = folder.serve();
    let pair = key.root().generate();
    let (cipher, shared_key) = pair.encapsulated_by(&key.root());
    key.stop();
    let right = fs::read(folder.file("master.key")).unwrap();
    let wrong = folder.beside("wrong.key");
    fs::write(&wrong, "5a".repeat(32)).unwrap();

    let before = files(&folder);
    let named = format!("--master-key-file {}", wrong.display());
    for line in [format!("serve --listen 127.0.0.1:0 {named}"), format!("account list {named}")] {
        folder.verb(&line).refused(2, "the master key does not open this store");
    }
    assert_eq!(files(&folder).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for name in ["pqc.db", "master.key", "root-token"] {
        assert!(files(&folder)[name] == before[name], "{name} changed");
    }
    fs::write(folder.file("master.key"), "5a".repeat(32)).unwrap();
    folder.verb("serve --listen 127.0.0.1:0").refused(2, "the master key does not open this store");
    assert_eq!(fs::read_to_string(folder.file("master.key")).unwrap(), "5a".repeat(32));

    // Its twin: the right key, from anywhere, and the store is as it was.
    let elsewhere = folder.beside("right.key");
    fs::write(&elsewhere, right).unwrap();
    let server = folder.serve_with(&format!("--master-key-file {}", elsewhere.display()));
    let fields = json!({"cipher": cipher, "pk": pair.pk});
    let answer = server.root().post("/api/kem/decapsulate_key", &fields).ok();
    assert_eq!(answer["shared_key"], shared_key);
}

#[test]
fn a_missing_master_key_is_refused_and_none_is_made() {
    let folder = Folder::new();
    folder.serve().stop();
    let aside = folder.beside("aside.key");
    fs::rename(folder.file("master.key"), &aside).unwrap();
    let before = files(&folder);
    for line in ["serve --listen 127.0.0.1:0", "token list"] {
        folder.verb(line).refused(2, "master.key is missing");
    }
    assert!(files(&folder) == before, "nothing was changed");
    fs::rename(&aside, folder.file("master.key")).unwrap();
    folder.serve().root().token_self();
}

#[test]
fn a_store_that_is_missing_beside_its_root_token_is_not_made_anew() {
    let folder = Folder::new();
    folder.serve().stop();
    let store = fs::read(folder.file("pqc.db")).unwrap();
    fs::remove_file(folder.file("pqc.db")).unwrap();
    let before = files(&folder);
    folder.verb("serve --listen 127.0.0.1:0").refused(2, "put the store back from its backup");
    assert_eq!(files(&folder), before);
    // Either of the two ways out.
    fs::write(folder.file("pqc.db"), store).unwrap();
    folder.serve().stop();
    fs::remove_file(folder.file("pqc.db")).unwrap();
    fs::remove_file(folder.file("root-token")).unwrap();
    folder.serve().root().generate();
}

#[test]
fn a_store_that_lost_its_log_is_not_begun_anew() {
    let server = Folder::new().serve();
    server.root().generate();
    let folder = server.kill();
    // So young that all of it is in the log.
    fs::remove_file(folder.file("pqc.db-wal")).unwrap();
    fs::remove_file(folder.file("pqc.db-shm")).unwrap();
    for cut in [4096, 1] {
        let file = fs::File::options().write(true).open(folder.file("pqc.db")).unwrap();
        file.set_len(cut).unwrap();
        let kept =
            || ["pqc.db", "root-token", "master.key"].map(|name| files(&folder).remove(name));
        let before = kept();
        for verb in ["serve --listen 127.0.0.1:0", "account list", "token list"] {
            folder.verb(verb).refused(2, "put it back from a backup");
            assert!(kept() == before, "{cut}: {verb}");
        }
    }
}

#[test]
fn a_port_in_use_makes_no_store() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let line = format!("serve --listen {}", taken.local_addr().unwrap());
    folder.verb(&line).refused(2, "cannot listen on 127.0.0.1:");
    for name in ["pqc.db", "master.key", "root-token"] {
        assert!(!folder.file(name).exists(), "{name}");
    }
    drop(taken);
    folder.serve();
}

#[test]
fn listening_beyond_loopback_takes_a_loud_word() {
    let folder = Folder::new();
    folder.verb("serve --listen 0.0.0.0:0").refused(2, "--insecure-no-tls");
    assert!(!folder.data_dir().exists());
}

#[test]
fn sigterm_and_sigint_finish_what_runs_and_exit_0() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new();
        let server = folder.serve();
        let root = server.root();
        let body = json!({"unencrypted": "x".repeat(5000), "key": "07".repeat(32)}).to_string();
        let (first, second) = body.as_bytes().split_at(body.len() / 2);

        let mut upload = server.raw();
        let authorization = format!("Authorization: Bearer {}", root.token);
        let length = format!("Content-Length: {}", body.len());
        let json = "Content-Type: application/json";
        let headers = [authorization.as_str(), &length, json, "Expect: 100-continue"];
        upload.head("POST /api/aes/encrypt_text HTTP/1.1", &headers);
        assert_eq!(upload.answer().status, 100, "the handler waits for the body");
        upload.write(first);

        server.signal(signal);
        assert!(server.stderr.wait_for("shutting down"), "{signal}");
        assert!(TcpStream::connect(server.address).is_err(), "no new connections");
        // Slowly, so that a server which does not wait for the rest is gone before its end.
        for piece in second.chunks(second.len() / 40) {
            std::thread::sleep(Duration::from_millis(5));
            upload.write(piece);
        }
        let sealed = upload.answer().ok_text();
        assert!(upload.is_closed());
        let ended = server.wait();
        assert_eq!(ended.status.code(), Some(0), "{signal}: {ended:?}");

        let again = folder.serve();
        assert_eq!(decrypted(&again.root(), &sealed), "x".repeat(5000));
    }
}

#[cfg(unix)]
#[test]
fn a_start_that_hangs_is_ended_by_a_signal() {
    let folder = Folder::new();
    let pipe = folder.beside("key");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut start = pqc();
    start.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.data_dir());
    start.arg("--master-key-file").arg(&pipe).stdout(Stdio::null());
    let mut start = start.spawn().map(KilledOnDrop).unwrap();
    // By then it listens for signals; now it waits for the key.
    wait_until("the lock", || folder.file("serve.lock").exists());
    std::thread::sleep(Duration::from_millis(300));
    assert!(start.0.try_wait().unwrap().is_none(), "it waits for the key");
    assert!(Command::new("kill").arg(start.0.id().to_string()).status().unwrap().success());
    wait_until("its end", || start.0.try_wait().unwrap().is_some());
    assert_eq!(start.0.wait().unwrap().code(), Some(128 + 15));
}

#[test]
fn a_second_signal_ends_at_once() {
    let server = Folder::new().serve();
    let mut idle = server.raw();
    let authorization = format!("Authorization: Bearer {}", server.root().token);
    let headers = [authorization.as_str(), "Content-Length: 9", "Expect: 100-continue"];
    idle.head(
        "POST /api/aes/encrypt_text HTTP/1.1",
        &[headers.as_slice(), &["Content-Type: application/json"]].concat(),
    );
    assert_eq!(idle.answer().status, 100);
    server.signal("TERM");
    assert!(server.stderr.wait_for("shutting down"));
    server.signal("TERM");
    assert_eq!(server.wait().status.code(), Some(128 + 15));
}

fn decrypted(client: &Client, sealed: &str) -> String {
    let fields = json!({"ciphertext": sealed, "key": "07".repeat(32)});
    client.post("/api/aes/decrypt_text", &fields).ok_text()
}
