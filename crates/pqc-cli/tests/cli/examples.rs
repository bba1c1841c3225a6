//! The walk in `examples/files.sh`: what a person does who knows `pqc --help`; and its transcript in the
//! README.

use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn the_walk_through_files_and_a_server_ends_well_and_is_what_the_readme_shows() {
    let mut command = Command::new("bash");
    command.arg(format!("{ROOT}/examples/files.sh")).arg(env!("CARGO_BIN_EXE_pqc"));
    command.env("no_proxy", "127.0.0.1");
    crate::run::without_settings(&mut command);
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{printed}\n{said}");
    assert!(printed.ends_with("# Done\n"), "{printed}");
    for secret in ["pqc_r_", "pqc_t_", "PRIVATE KEY"] {
        assert!(!printed.contains(secret) && !said.contains(secret), "{secret}");
    }
    let transcript = without_chance(&printed);
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).unwrap();
    assert!(readme.contains(&transcript), "the README has not this transcript:\n{transcript}");
}

/// With every key id, fingerprint and port the same.
fn without_chance(printed: &str) -> String {
    let mut kept = String::new();
    for line in printed.trim().split_inclusive('\n') {
        let words = line.split_inclusive(ENDS).map(|word| {
            let bare = word.trim_end_matches(ENDS);
            let end = &word[bare.len()..];
            let is_hex = bare.bytes().all(|byte| byte.is_ascii_hexdigit());
            match bare.len() {
                32.. if is_hex => format!("0123abcd…{end}"),
                4..6 if is_hex && line.contains("127.0.0.1:") => format!("8000{end}"),
                _ => word.to_owned(),
            }
        });
        kept.extend(words);
    }
    kept
}

const ENDS: [char; 6] = [' ', '\n', '/', ':', '(', ')'];
