//! A person at a terminal: passphrases are asked for, and are not seen there.

use std::process::Command;

use rexpect::session::{PtySession, spawn_command};

use crate::run::Folder;

const PASSPHRASE: &str = "a longer sentence, with words";

/// The program on a terminal.
fn on_terminal(folder: &Folder, args: &[&str]) -> PtySession {
    let mut command: Command = folder.command(args);
    command.env("TERM", "dumb");
    spawn_command(command, Some(60_000)).unwrap()
}

/// Answers each question as a person would; gives what was on the terminal, and the exit status.
fn answered(mut session: PtySession, answers: &[(&str, &str)]) -> (String, i32) {
    let mut seen = String::new();
    for (question, answer) in answers {
        seen += &session.exp_string(question).unwrap();
        session.send_line(answer).unwrap();
    }
    seen += &session.exp_eof().unwrap();
    let status = session.process().wait().unwrap();
    (
        seen,
        format!("{status:?}")
            .split(", ")
            .nth(1)
            .and_then(|code| code.trim_end_matches(')').parse().ok())
            .unwrap_or(-1),
    )
}

const KEYGEN: [&str; 7] = ["sig", "keygen", "--passphrase", "--out", "key", "--public", "key.pub"];

#[test]
fn a_new_passphrase_is_asked_for_twice_and_the_key_opens_with_it() {
    let folder = Folder::new();
    let twice = [("New passphrase of key: ", PASSPHRASE), ("The same again: ", PASSPHRASE)];
    let (seen, code) = answered(on_terminal(&folder, &KEYGEN), &twice);
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains("sentence"), "it was seen: {seen}");
    let pem = String::from_utf8(folder.read("key")).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));

    folder.write("file", "text");
    let sign = ["sig", "sign", "--key", "key", "--out", "s", "file"];
    let question = "Passphrase of key: ";
    let wrong = [(question, "another longer sentence")];
    let (seen, code) = answered(on_terminal(&folder, &sign), &wrong);
    assert_eq!(code, 2, "{seen}");
    assert!(seen.contains("wrong passphrase"), "{seen}");
    let (seen, code) = answered(on_terminal(&folder, &sign), &[(question, PASSPHRASE)]);
    assert_eq!(code, 0, "{seen}");
    assert!(!seen.contains("sentence"), "it was seen: {seen}");
    folder.pqc(&["sig", "verify", "--public-key", "key.pub", "--signature", "s", "file"]);
}

#[test]
fn passphrases_that_differ_or_are_short_make_no_key() {
    let folder = Folder::new();
    let first = "New passphrase of key: ";
    for (answers, why) in [
        (&[(first, PASSPHRASE), ("The same again: ", "another longer sentence")][..], "differ"),
        (&[(first, "short")], "passphrase must be 15 to 1024 bytes"),
        (&[(first, "")], "passphrase must be 15 to 1024 bytes"),
    ] {
        let (seen, code) = answered(on_terminal(&folder, &KEYGEN), answers);
        assert_eq!(code, 2, "{seen}");
        assert!(seen.contains(why), "{seen}");
        assert_eq!(folder.names(), [""; 0]);
    }
}

#[test]
fn a_file_is_encrypted_to_a_passphrase_that_is_typed() {
    let folder = Folder::new();
    folder.write("letter", "text");
    let encrypt = ["encrypt", "--passphrase", "-o", "letter.pqc", "letter"];
    let twice = [("New passphrase of letter.pqc: ", PASSPHRASE), ("The same again: ", PASSPHRASE)];
    let (seen, code) = answered(on_terminal(&folder, &encrypt), &twice);
    assert_eq!(code, 0, "{seen}");
    let decrypt = ["decrypt", "--passphrase", "-o", "back", "letter.pqc"];
    let question = "Passphrase of letter.pqc: ";
    let wrong = [(question, "another longer sentence")];
    let (seen, code) = answered(on_terminal(&folder, &decrypt), &wrong);
    assert_eq!(code, 1, "{seen}");
    let (seen, code) = answered(on_terminal(&folder, &decrypt), &[(question, PASSPHRASE)]);
    assert_eq!(code, 0, "{seen}");
    assert_eq!(folder.read("back"), b"text");
    folder.refused(&encrypt, b"", 2, "--force replaces it");
    std::fs::remove_file(folder.path("letter.pqc")).unwrap();
    folder.refused(&encrypt, b"", 2, "--passphrase-file");
}

#[test]
fn who_gives_up_at_a_question_leaves_nothing() {
    let folder = Folder::new();
    folder.write("letter", "text");
    let encrypt = ["encrypt", "--passphrase", "-o", "letter.pqc", "letter"];
    for (args, question) in
        [(&encrypt[..], "New passphrase of letter.pqc: "), (&KEYGEN[..], "New passphrase of key: ")]
    {
        let mut session = on_terminal(&folder, args);
        session.exp_string(question).unwrap();
        session.send_control('c').unwrap();
        let seen = session.exp_eof().unwrap();
        let status = format!("{:?}", session.process().wait().unwrap());
        assert!(status.contains(", 130)"), "{status}: {seen}");
        assert_eq!(folder.names(), ["letter"], "{seen}");
    }
}

#[test]
fn without_a_terminal_it_is_said_what_to_give() {
    let folder = Folder::new();
    folder.refused(&KEYGEN, b"", 2, "--passphrase-file");
}

#[test]
fn a_person_sees_how_far_a_file_is_and_a_pipe_sees_nothing() {
    let folder = Folder::with_keys("kem", "X-Wing");
    std::fs::File::create(folder.path("large")).unwrap().set_len(300 << 20).unwrap();
    let encrypt = ["encrypt", "-r", "key.pub", "-o", "large.pqc", "large"];
    let mut command = folder.command(&encrypt);
    command.env("TERM", "xterm");
    let mut session = spawn_command(command, Some(60_000)).unwrap();
    session.exp_regex(r"[0-9]+% .* [0-9.]+ [MG]iB/s, [0-9]+s left").unwrap();
    let end = session.exp_eof().unwrap();
    assert!(end.contains("large.pqc: 314572800 bytes for 1 recipient"), "{end}");

    let piped = folder.run(&["decrypt", "-i", "key", "-o", "back", "large.pqc"], b"");
    assert!(piped.status.success() && piped.stderr.is_empty(), "{piped:?}");
}

#[test]
fn colours_are_for_a_terminal_and_not_for_who_wants_none() {
    let folder = Folder::new();
    let help = |no_color: &str| {
        let mut command = folder.command(&["--help"]);
        command.env("TERM", "xterm").env("NO_COLOR", no_color);
        spawn_command(command, Some(60_000)).unwrap().exp_eof().unwrap()
    };
    assert!(help("").contains("\u{1b}["), "a terminal is given no colours");
    assert!(!help("1").contains("\u{1b}["), "NO_COLOR is set");
    assert!(!folder.pqc(&["--help"]).contains('\u{1b}'), "a pipe");
}
