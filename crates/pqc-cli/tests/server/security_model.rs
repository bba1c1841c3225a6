//! `docs/security-model.md` names tests: each of them is there.

use std::fs;
use std::path::PathBuf;

/// The files that it names, each with the tests that it names of it.
fn named(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut files: Vec<(&str, Vec<&str>)> = Vec::new();
    // Outside of code spans, and inside, in turn.
    let mut parts = text.split('`');
    let mut before = parts.next().unwrap();
    let mut in_list = false;
    while let (Some(code), Some(after)) = (parts.next(), parts.next()) {
        if code.ends_with(".rs") {
            files.push((code, Vec::new()));
            in_list = after.trim_start_matches(':').len() < after.len();
        } else if in_list && [":", ","].contains(&before.trim()) {
            files.last_mut().unwrap().1.push(code);
        } else {
            in_list = false;
        }
        before = after;
    }
    files
}

fn path(name: &str) -> PathBuf {
    let (folder, rest) = name.split_once('/').unwrap();
    let folder = match folder {
        "server" => "pqc-cli/tests/server".to_owned(),
        "store" => "pqc-service/tests/store".to_owned(),
        "core" => "pqc-core/tests/core".to_owned(),
        other => other.to_owned(),
    };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(folder).join(rest)
}

/// Whether the source has a test of this name.
fn has_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    let item = before.rsplit("\n\n").next().unwrap();
    let mut attributes = item.lines().map(str::trim).filter(|line| line.starts_with("#["));
    attributes.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
}

#[test]
fn every_test_that_is_named_is_there() {
    let text = include_str!("../../../../docs/security-model.md");
    let (mut found, mut missing) = (0, Vec::new());
    for (file, tests) in named(text) {
        let source = fs::read_to_string(path(file)).unwrap_or_default();
        if source.is_empty() {
            missing.push(file.to_owned());
        }
        for test in tests {
            found += 1;
            if !has_test(&source, test) {
                missing.push(format!("{file}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(found > 80, "{found}");
}

#[test]
fn names_are_read_wherever_they_stand_and_a_missing_test_is_found() {
    let text =
        "`a` b `server/x.rs`: `one`, `two`; `core/y.rs`:\n`three` (`four`). `store/z.rs`, `five`";
    let named = named(text);
    let expected = [("server/x.rs", vec!["one", "two"]), ("core/y.rs", vec!["three"])];
    assert_eq!(named[..2], expected);
    assert_eq!(named[2], ("store/z.rs", Vec::new()));
    let source = "#[test]\nfn one() {}\n\nfn two() {}\n";
    assert!(has_test(source, "one") && !has_test(source, "two") && !has_test(source, "on"));
}
