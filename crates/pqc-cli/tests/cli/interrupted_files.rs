//! Files whose encryption or decryption does not come to its end, and what is left then.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::encrypted_files::{done, folder, text_of, words};

#[test]
fn a_pipe_that_is_closed_is_quiet_and_no_success() {
    let folder = folder();
    folder.write("text", text_of(3_000_000));
    done(&folder, "encrypt -r alice.pub.pem -o sealed text");
    for line in ["encrypt -r alice.pub.pem -o - text", "decrypt -i alice.pem -o - sealed"] {
        let mut command = folder.command(&words(line));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let ended = child.wait_with_output().unwrap();
        // As of one that died of SIGPIPE: it did not come to its end.
        assert_eq!(ended.status.code(), Some(141), "{line}: {ended:?}");
        assert!(ended.stderr.is_empty(), "{line}: {ended:?}");
    }
}

#[test]
fn a_disk_that_is_full_leaves_nothing() {
    let folder = folder();
    folder.write("text", text_of(3_000_000));
    let line = format!(
        "ulimit -f 1000; exec {} encrypt -r alice.pub.pem -o out text",
        env!("CARGO_BIN_EXE_pqc")
    );
    let full =
        Command::new("sh").args(["-c", &line]).current_dir(folder.path("")).output().unwrap();
    let stderr = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("cannot write out") && stderr.lines().count() == 1, "{stderr}");
    assert!(
        !folder.path("out").exists() && !folder.names().iter().any(|name| name.starts_with('.'))
    );
}

#[test]
fn a_file_that_changes_while_it_is_read_is_refused_and_never_whole() {
    let folder = folder();
    let length = 20_000_000;
    let changes: [fn(&mut File); 2] = [
        |file| {
            file.seek(SeekFrom::End(0)).unwrap();
            file.write_all(b"more").unwrap();
        },
        |file| file.write_all(b"other").unwrap(),
    ];
    for change in changes {
        folder.write("text", text_of(length));
        // Nobody takes the output, so that reading waits.
        let mut child = folder
            .command(&words("encrypt -r alice.pub.pem -o - text"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut sealed = vec![0; 1];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut sealed).unwrap();
        change(&mut File::options().write(true).open(folder.path("text")).unwrap());
        stdout.read_to_end(&mut sealed).unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(2));
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(said.contains("text: it changed while it was read"), "{said}");
        let opened = folder.run(&words("decrypt -i alice.pem -o - -"), &sealed);
        assert_eq!(opened.status.code(), Some(1), "it has no end");
    }
}

#[test]
fn one_that_is_stopped_leaves_nothing() {
    let folder = folder();
    let before = folder.names();
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        if signal == Signal::HUP && is_hangup_ignored() {
            eprintln!("\nSKIPPED: SIGHUP is ignored here, as under nohup, and so by the program\n");
            continue;
        }
        // It waits for a pipe that gives nothing more.
        let mut child = folder
            .command(&words("encrypt -r alice.pub.pem -o out -"))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&text_of(9_000_000)).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        drop(stdin);
        assert_eq!(status.code(), Some(128 + signal.as_raw()), "{status:?}");
        assert_eq!(folder.names(), before);
    }
}

fn is_hangup_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or("0");
    u64::from_str_radix(mask.trim(), 16).unwrap() & 1 != 0
}

#[test]
fn one_that_is_killed_at_any_moment_leaves_no_half_file() {
    let folder = folder();
    let text = text_of(40_000_000);
    folder.write("text", &text);
    let start = Instant::now();
    done(&folder, "encrypt -r alice.pub.pem -o out text");
    let all_of_it = start.elapsed();
    fs::remove_file(folder.path("out")).unwrap();
    let mut random = [0; 40];
    File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
    let mut whole = 0;
    for part in random {
        let mut child = folder
            .command(&words("encrypt -r alice.pub.pem -o out text"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Up to a third longer than it takes.
        std::thread::sleep(all_of_it * u32::from(part) / 190);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() || status.signal() == Some(9), "{status:?}");
        if folder.path("out").exists() {
            whole += 1;
            done(&folder, "decrypt -i alice.pem -o back --force out");
            assert!(folder.read("back") == text, "what has its name is whole");
            fs::remove_file(folder.path("out")).unwrap();
        }
    }
    println!("{whole} of 40 were whole, the others left no output");
    assert!((1..40).contains(&whole), "{whole}");
}
