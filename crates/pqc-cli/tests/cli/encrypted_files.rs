//! `pqc encrypt` and `pqc decrypt`: sizes, pipes, signatures, refusals, and what is left after each.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use proptest::prelude::*;

use crate::run::Folder;

/// A folder with the keys of two people, and one who signs.
pub fn folder() -> Folder {
    let folder = Folder::new();
    for (name, algorithm) in [("alice", "X-Wing"), ("bob", "ML-KEM-1024"), ("eve", "X-Wing")] {
        done(
            &folder,
            &format!("kem keygen --algorithm {algorithm} --out {name}.pem --public {name}.pub.pem"),
        );
    }
    for name in ["sender", "other"] {
        done(&folder, &format!("sig keygen --out {name}.pem --public {name}.pub.pem"));
    }
    folder
}

pub fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

pub fn done(folder: &Folder, line: &str) -> String {
    folder.pqc(&words(line))
}

/// It is refused for that reason, and leaves nothing.
#[track_caller]
fn refused(folder: &Folder, line: &str, code: i32, why: &str) {
    let before = folder.names();
    folder.refused(&words(line), b"", code, why);
    assert_eq!(folder.names(), before, "{line}");
}

fn secret(folder: &Folder, name: &str, bytes: &[u8]) {
    folder.write(name, bytes);
    fs::set_permissions(folder.path(name), PermissionsExt::from_mode(0o600)).unwrap();
}

pub fn text_of(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from(i.wrapping_mul(31) % 253).unwrap()).collect()
}

#[test]
fn each_recipient_reads_it_and_nobody_else() {
    let folder = folder();
    folder.write("text", b"for two");
    done(&folder, "encrypt -r alice.pub.pem -r bob.pub.pem -o text.pqc text");
    for name in ["alice", "bob"] {
        done(&folder, &format!("decrypt -i {name}.pem -o {name}.text text.pqc"));
        assert_eq!(folder.read(&format!("{name}.text")), b"for two");
    }
    refused(&folder, "decrypt -i eve.pem -o eve.text text.pqc", 1, "not for this key");
    // Named twice, it is one recipient.
    let said = done(&folder, "encrypt -r bob.pub.pem -r bob.pub.pem -o twice.pqc text");
    assert!(said.contains("for 1 recipient"), "{said}");
}

#[test]
fn a_passphrase_opens_what_was_encrypted_to_it() {
    let folder = Folder::new();
    folder.write("text", b"a text");
    secret(&folder, "words", b"correct horse battery staple\n");
    secret(&folder, "wrong", b"correct horse battery stable\n");
    done(&folder, "encrypt --passphrase-file words -o text.pqc text");
    done(&folder, "decrypt --passphrase-file words -o back text.pqc");
    assert_eq!(folder.read("back"), b"a text");
    refused(&folder, "decrypt --passphrase-file wrong -o none text.pqc", 1, "wrong passphrase");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Lengths around the borders of chunks (64 KiB) and of the pieces that are read (4 MiB).
    #[test]
    fn what_is_encrypted_comes_back(
        chunks in prop_oneof![0_usize..4, 62_usize..67],
        by in -2_isize..3,
        sign: bool,
        armor: bool,
        through_pipes: bool,
    ) {
        let folder = folder();
        let length = (chunks * 65_536).saturating_add_signed(by);
        let text = text_of(length);
        let sign_with = if sign { "--sign-with sender.pem" } else { "" };
        let verify_with = if sign { "--verify-with sender.pub.pem" } else { "" };
        let armor = if armor { "--armor" } else { "" };
        let encrypt = format!("encrypt -r alice.pub.pem {sign_with} {armor}");
        let decrypt = format!("decrypt -i alice.pem {verify_with}");
        let back = if through_pipes {
            let sealed = folder.run(&words(&format!("{encrypt} -o - -")), &text);
            prop_assert!(sealed.status.success() && sealed.stderr.is_empty(), "{sealed:?}");
            let opened = folder.run(&words(&format!("{decrypt} -o - -")), &sealed.stdout);
            prop_assert!(opened.status.success() && opened.stderr.is_empty());
            opened.stdout
        } else {
            folder.write("text", &text);
            done(&folder, &format!("{encrypt} -o sealed text"));
            done(&folder, &format!("{decrypt} -o back sealed"));
            folder.read("back")
        };
        prop_assert!(back == text, "{length}");
        prop_assert!(!folder.names().iter().any(|name| name.starts_with('.')));
    }
}

#[test]
fn a_signature_is_demanded_verified_or_spoken_of() {
    let folder = folder();
    let text = text_of(300_000);
    folder.write("text", &text);
    done(&folder, "encrypt -r alice.pub.pem --sign-with sender.pem -o signed text");
    done(&folder, "encrypt -r alice.pub.pem -o unsigned text");

    let said = done(&folder, "decrypt -i alice.pem --verify-with sender.pub.pem -o one signed");
    assert!(said.contains("signature verified"), "{said}");
    let silent = folder.run(&words("decrypt -i alice.pem -o two signed"), b"");
    let stderr = String::from_utf8(silent.stderr).unwrap();
    assert!(silent.status.success() && stderr.contains("--verify-with"), "{stderr}");
    refused(
        &folder,
        "decrypt -i alice.pem --verify-with other.pub.pem -o no signed",
        1,
        "not by this key",
    );
    refused(
        &folder,
        "decrypt -i alice.pem --verify-with sender.pub.pem -o no unsigned",
        1,
        "not signed",
    );

    // A pipe never gets the end of a text whose signature is not right.
    let piped =
        folder.run(&words("decrypt -i alice.pem --verify-with other.pub.pem -o - signed"), b"");
    assert_eq!(piped.status.code(), Some(1));
    assert!(text.starts_with(&piped.stdout) && piped.stdout.len() <= 300_000 - 65_536);
}

#[test]
fn a_file_that_was_cut_or_altered_leaves_none_and_a_pipe_is_told() {
    let folder = folder();
    let text = text_of(300_000);
    folder.write("text", &text);
    done(&folder, "encrypt -r alice.pub.pem -o sealed text");
    let sealed = folder.read("sealed");
    folder.write("cut", &sealed[..sealed.len() - 1]);
    let mut altered = sealed.clone();
    altered[200_000] ^= 1;
    folder.write("altered", &altered);
    folder.write("head", &sealed[..100]);
    for name in ["cut", "altered"] {
        refused(&folder, &format!("decrypt -i alice.pem -o none {name}"), 1, "altered or cut");
        let piped = folder.run(&words(&format!("decrypt -i alice.pem -o - {name}")), b"");
        let stderr = String::from_utf8(piped.stderr).unwrap();
        assert_eq!(piped.status.code(), Some(1), "{stderr}");
        assert!(text.starts_with(&piped.stdout) && !piped.stdout.is_empty());
        let count = piped.stdout.len();
        assert!(stderr.contains(&format!("the {count} bytes that came out are incomplete")));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    refused(
        &folder,
        "decrypt -i alice.pem -o none head",
        1,
        "head was cut: it ends within its header",
    );

    done(&folder, "encrypt -r alice.pub.pem --armor -o armored text");
    let armored = folder.read("armored");
    folder.write("cut armor", &armored[..armored.len() - 40]);
    folder.write("wrong armor", [&armored[..5000], b"-", &armored[5001..]].concat());
    for name in ["cut armor", "wrong armor"] {
        let decrypt = ["decrypt", "-i", "alice.pem", "-o", "none", name];
        folder.refused(&decrypt, b"", 1, "altered or cut");
    }
    let piped = folder.run(&["decrypt", "-i", "alice.pem", "-o", "-", "cut armor"], b"");
    assert_eq!(piped.status.code(), Some(1));
    assert!(text.starts_with(&piped.stdout) && piped.stdout.len() < text.len());
    folder.write("other", b"not of ours");
    refused(
        &folder,
        "decrypt -i alice.pem -o none other",
        2,
        "other is nothing that pqc encrypt made",
    );
}

#[test]
fn what_cannot_be_used_is_named_and_leaves_nothing() {
    let folder = folder();
    folder.write("text", b"a text");
    fs::create_dir(folder.path("folder")).unwrap();
    folder.write("there", b"already");
    std::os::unix::fs::symlink("/proc/self/fd/1", folder.path("named")).unwrap();
    let both = [folder.read("alice.pub.pem"), folder.read("bob.pub.pem")].concat();
    folder.write("both.pub.pem", both);
    for (line, why) in [
        ("encrypt -r alice.pub.pem -o out folder", "is a folder: give a file, such as an archive"),
        ("encrypt -r alice.pub.pem -o out missing", "cannot read missing"),
        ("encrypt -r alice.pem -o out text", "holds a secret key: give the public one"),
        ("encrypt -r sender.pub.pem -o out text", "give one that encapsulates"),
        ("encrypt -r text -o out text", "text"),
        ("encrypt -r alice.pub.pem --sign-with alice.pem -o out text", "give one that signs"),
        ("encrypt -r alice.pub.pem -o no/such/out text", "cannot write no/such/out"),
        ("encrypt -r alice.pub.pem -o folder text", "cannot write folder"),
        ("encrypt -r alice.pub.pem -o there text", "--force replaces it"),
        ("encrypt -r alice.pub.pem -o /dev/full text", "cannot write /dev/full"),
        ("encrypt -r both.pub.pem -o out text", "holds more than one thing"),
        ("decrypt -i alice.pub.pem -o out text", "holds a public key: give the secret one"),
        ("encrypt -r - -o out -", "more than one input is -"),
        ("encrypt --passphrase-file - -o out -", "more than one input is -"),
        ("decrypt -i - -o out -", "more than one input is -"),
        ("encrypt --json -r alice.pub.pem -o - text", "--json stdout is for the object"),
        ("decrypt --json -i alice.pem -o - there", "--json stdout is for the object"),
    ] {
        refused(&folder, line, 2, why);
    }
    for (line, missing) in [
        ("encrypt -o out text", "--recipient"),
        ("encrypt -r alice.pub.pem text", "--output"),
        ("decrypt -o out text", "--identity"),
    ] {
        let usage = folder.run(&words(line), b"");
        assert_eq!(usage.status.code(), Some(2));
        assert!(String::from_utf8(usage.stderr).unwrap().contains(missing), "{line}");
    }
    assert_eq!(folder.read("there"), b"already");
    // A name of stdout is no file to be put in its place.
    let mut command = folder.command(&words("encrypt -r alice.pub.pem -o named --force text"));
    let output = command.stdout(File::create(folder.path("so")).unwrap()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("it stands for an open file: give -"), "{said}");
    assert!(folder.path("named").is_symlink() && folder.read("so").is_empty());
    // What a link leads to stays.
    std::os::unix::fs::symlink("there", folder.path("link")).unwrap();
    refused(&folder, "encrypt -r alice.pub.pem -o link text", 2, "--force replaces it");
    done(&folder, "encrypt -r alice.pub.pem -o link --force text");
    assert_eq!(folder.read("there"), b"already");
    done(&folder, "decrypt -i alice.pem -o - link");
    done(&folder, "encrypt -r alice.pub.pem -o there --force text");
    fs::set_permissions(folder.path("alice.pem"), PermissionsExt::from_mode(0o640)).unwrap();
    refused(&folder, "decrypt -i alice.pem -o out there", 2, "chmod 600");
}

#[test]
fn what_may_not_be_read_or_written_is_named() {
    let folder = folder();
    folder.write("text", b"a text");
    fs::set_permissions(folder.path("text"), PermissionsExt::from_mode(0o000)).unwrap();
    // Root may everything, unless it is without its capabilities.
    let by_one_who_may_little = |line: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--inh-caps=-all", "--bounding-set=-all", "--"]);
        command.arg(env!("CARGO_BIN_EXE_pqc")).args(words(line)).current_dir(folder.path(""));
        crate::run::without_settings(&mut command);
        command.output()
    };
    if by_one_who_may_little("--version").is_err() {
        eprintln!("\nSKIPPED: there is no setpriv, which is part of Linux\n");
        assert!(std::env::var_os("CI").is_none(), "CI has it");
        return;
    }
    for (line, why) in [
        ("encrypt -r alice.pub.pem -o /dev/null text", "cannot read text: Permission denied"),
        ("encrypt -r alice.pub.pem -o /proc/new alice.pub.pem", "cannot write /proc/new"),
    ] {
        let output = by_one_who_may_little(line).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_pipe_with_a_name_takes_what_is_written() {
    let folder = folder();
    folder.write("text", b"a text");
    let made = Command::new("mkfifo").arg(folder.path("fifo")).status().unwrap();
    assert!(made.success());
    let line = words("encrypt -r alice.pub.pem -o fifo text");
    let mut child = folder.command(&line).stdout(Stdio::null()).spawn().unwrap();
    folder.write("sealed", fs::read(folder.path("fifo")).unwrap());
    assert!(child.wait().unwrap().success());
    assert_eq!(done(&folder, "decrypt -i alice.pem -o - sealed"), "a text");
}

/// 64 MiB for any size.
#[test]
fn memory_does_not_grow_with_the_file() {
    let folder = folder();
    File::create(folder.path("large")).unwrap().set_len(400 << 20).unwrap();
    for (encrypt, decrypt) in [
        ("encrypt -r alice.pub.pem", "decrypt -i alice.pem"),
        (
            "encrypt -r alice.pub.pem --armor --sign-with sender.pem",
            "decrypt -i alice.pem --verify-with sender.pub.pem",
        ),
    ] {
        let sealed = peak_mib(&folder, &format!("{encrypt} -o sealed --force large"));
        let opened = peak_mib(&folder, &format!("{decrypt} -o /dev/null sealed"));
        println!("{encrypt}: peak {sealed} MiB for 400 MiB, {opened} MiB to decrypt it");
        assert!(sealed < 64 && opened < 64);
    }
}

fn peak_mib(folder: &Folder, line: &str) -> u64 {
    let mut child = folder.command(&words(line)).stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let high = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = high.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success() && peak > 0);
    peak / 1024
}

#[test]
fn a_program_reads_one_object_on_one_line() {
    let folder = folder();
    folder.write("text", b"a text");
    let line = "encrypt --json -r alice.pub.pem -r bob.pub.pem --sign-with sender.pem -o out text";
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&done(&folder, line)).unwrap(),
        serde_json::json!({"output": "out", "bytes": 6, "recipients": 2, "signed_with": "ML-DSA-65"})
    );
    let line = "decrypt --json -i bob.pem --verify-with sender.pub.pem -o back out";
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&done(&folder, line)).unwrap(),
        serde_json::json!({"output": "back", "bytes": 6, "signature": "verified"})
    );
}

/// Another reader, which knows `docs/formats.md` alone.
#[test]
fn the_example_in_python_decrypts_it() {
    let Some(python) = crate::interop::python() else { return };
    let folder = folder();
    let text = text_of(200_000);
    folder.write("text", &text);
    secret(&folder, "words", b"correct horse battery staple\n");
    done(
        &folder,
        "encrypt -r alice.pub.pem -r bob.pub.pem --sign-with sender.pem --armor -o keys text",
    );
    done(&folder, "encrypt --passphrase-file words -o words.pqc text");
    done(&folder, "encrypt -r alice.pub.pem -o unsigned text");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/decrypt.py");
    let read = |line: &str| -> Output {
        let line = line.split(' ');
        Command::new(&python).arg(example).args(line).current_dir(folder.path("")).output().unwrap()
    };
    for line in [
        "--identity alice.pem --verify-with sender.pub.pem keys",
        "--identity bob.pem keys",
        "--passphrase-file words words.pqc",
        "--identity alice.pem unsigned",
    ] {
        let output = read(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == text, "{line}");
    }
    for line in [
        "--identity eve.pem keys",
        "--identity alice.pem --verify-with other.pub.pem keys",
        "--identity alice.pem --verify-with sender.pub.pem unsigned",
    ] {
        let output = read(line);
        assert!(!output.status.success() && output.stdout.is_empty(), "{line}");
    }
}
