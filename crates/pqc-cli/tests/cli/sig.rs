//! `pqc sig`: the signatures are FIPS 204's, of files of any size, and of many at once.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use pqc_core::keyfile::{PrivateKey, PublicKey};
use pqc_core::sign::{PreHash, PreHashAlgorithm};
use pqc_core::{Context, Signature, SignatureAlgorithm};
use serde_json::{Value, json};

use crate::run::Folder;

const SIGN: [&str; 6] = ["sig", "sign", "--key", "key", "--out", "s"];
const VERIFY: [&str; 6] = ["sig", "verify", "--public-key", "key.pub", "--signature", "s"];

fn with(start: [&'static str; 6], more: &[&'static str]) -> Vec<&'static str> {
    [&start[..], more].concat()
}

#[test]
fn a_signature_is_the_one_of_fips_204() {
    for set in SignatureAlgorithm::ALL {
        let folder = Folder::with_keys("sig", set.name());
        let pem = String::from_utf8(folder.read("key.pub")).unwrap();
        let PublicKey::Verifying(key) = PublicKey::from_pem(&pem).unwrap() else { panic!() };
        let message = vec![7; 300_000];
        folder.write("file", &message);
        for (args, context, is_prehashed) in [
            (&["file"][..], "", false),
            (&["--context", "a purpose", "file"], "a purpose", false),
            (&["--prehash", "--context", "a purpose", "file"], "a purpose", true),
        ] {
            folder.pqc(&with(SIGN, args));
            folder.pqc(&with(VERIFY, args));
            let signature = Signature::from_bytes(&folder.read("s")).unwrap();
            let context = Context::new(context.as_bytes()).unwrap();
            assert!(if is_prehashed {
                let digest = PreHash::of(PreHashAlgorithm::Sha512, &message);
                key.verify_prehash(&digest, context, &signature)
            } else {
                key.verify(&message, context, &signature)
            });
            fs::remove_file(folder.path("s")).unwrap();
        }
    }
}

#[test]
fn signatures_differ_unless_they_shall_not() {
    let folder = Folder::with_keys("sig", "ML-DSA-44");
    let signed = |more: &[&'static str]| {
        folder.piped(&[&["sig", "sign", "--key", "key", "--out", "-"], more, &["-"]].concat(), b"m")
    };
    let deterministic = signed(&["--deterministic"]);
    assert_eq!(signed(&["--deterministic"]), deterministic);
    assert_ne!(signed(&[]), signed(&[]));
    let pem = String::from_utf8(folder.read("key")).unwrap();
    let PrivateKey::Signing(key) = PrivateKey::from_pem(&pem).unwrap() else { panic!() };
    let own = key.sign_deterministic(b"m", Context::EMPTY).unwrap();
    assert_eq!(own.as_bytes(), deterministic);
    folder.write("s", deterministic);
    folder.piped(&with(VERIFY, &["-"]), b"m");
    folder.refused(&with(VERIFY, &["-"]), b"n", 1, "does not verify: stdin was altered");
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_file_takes_no_more_memory_than_a_short_one() {
    const MIB: usize = 1 << 20;
    let folder = Folder::with_keys("sig", "ML-DSA-44");
    let peak = |length: usize| {
        let mut command = folder.command(&["sig", "sign", "--key", "key", "--out", "-", "-"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let piece = vec![7; MIB];
        (0..length).for_each(|_| stdin.write_all(&piece).unwrap());
        // It waits for more.
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    };
    let (short, long) = (peak(1), peak(64));
    assert!(long < short + 8 * MIB, "{} MiB, and {} MiB", short / MIB, long / MIB);
}

#[test]
fn many_files_are_signed_at_once_and_each_fault_is_named() {
    let folder = Folder::with_keys("sig", "ML-DSA-44");
    let names = ["one", "two words", "back\\slash", "line\nbreak", "-"];
    let files = ["one", "two words", "back\\slash", "line\nbreak", "./-"];
    names.iter().for_each(|name| folder.write(name, name));
    let sign = [&with(SIGN, &["--manifest", "m", "--"])[..], &files].concat();
    folder.pqc(&sign);
    let verify = |more: &[&'static str]| folder.run(&with(VERIFY, more), b"");
    assert_eq!(verify(&["--manifest", "m"]).status.code(), Some(0));
    // The manifest is a file that is signed as any other.
    assert_eq!(verify(&["m"]).status.code(), Some(0));

    folder.write("two words", "altered");
    fs::remove_file(folder.path("line\nbreak")).unwrap();
    folder.write("new", "");
    let run = verify(&["--json", "--manifest", "m"]);
    assert_eq!(run.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&said["verified"], &said["signature"]), (&json!(false), &json!(true)));
    let faults = json!([
        { "name": "two words", "fault": "altered" },
        { "name": "line\\nbreak", "fault": "missing" },
    ]);
    assert_eq!(said["faults"], faults);

    let run = verify(&["--manifest", "m", "one", "./two words", "new"]);
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(String::from_utf8(run.stdout).unwrap(), "two words: altered\nnew: extra\n");
    assert_eq!(verify(&["--manifest", "m", "./one"]).status.code(), Some(0));

    // An altered manifest vouches for nothing.
    let text = String::from_utf8(folder.read("m")).unwrap();
    folder.write("m", text.replace("one", "two"));
    folder.refused(&with(VERIFY, &["--manifest", "m"]), b"", 1, "does not verify: m was altered");
}

#[cfg(unix)]
#[test]
fn sha256sum_reads_what_we_write_and_we_what_it_writes() {
    use std::process::Command;
    let folder = Folder::with_keys("sig", "ML-DSA-44");
    let names = ["one", "two words", "back\\slash", "line\nbreak"];
    names.iter().for_each(|name| folder.write(name, name));
    let sum = |args: &[&str]| {
        let output = Command::new("sha256sum").args(args).current_dir(folder.path("")).output();
        output.ok().map(|output| (output.status.success(), output.stdout))
    };
    folder.pqc(&[&with(SIGN, &["--manifest", "m"])[..], &names].concat());
    let Some((is_right, _)) = sum(&["--check", "--strict", "m"]) else {
        eprintln!("\nSKIPPED: there is no sha256sum\n");
        assert!(std::env::var_os("CI").is_none(), "CI needs it");
        return;
    };
    assert!(is_right);
    let (_, theirs) = sum(&names).unwrap();
    assert_eq!(theirs, folder.read("m"));
}
