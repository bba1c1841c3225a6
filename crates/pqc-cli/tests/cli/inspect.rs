//! `pqc inspect`: what it says in JSON, and that it says no secret.

use std::fs;

use pqc_core::keyfile::PrivateKey;
use serde_json::{Value, json};

use crate::run::Folder;

fn inspect(folder: &Folder, file: &str, stdin: &[u8]) -> Value {
    serde_json::from_slice(&folder.piped(&["--json", "inspect", file], stdin)).unwrap()
}

#[test]
fn the_shape_in_json_is_the_one_of_the_help() {
    let folder = Folder::with_keys("sig", "ML-DSA-65");
    let said = inspect(&folder, "key.pub", b"");
    let members = |value: &Value| {
        value.as_object().unwrap().keys().map(|name| format!("`{name}`")).collect::<Vec<_>>()
    };
    let help = folder.pqc(&["inspect", "--help"]);
    let found = &said["found"][0];
    let secret = inspect(&folder, "key", b"");
    let detail = &secret["found"][0]["details"][0];
    for member in [members(&said), members(found), members(detail)].concat() {
        assert!(help.contains(&member), "{member} is not in the help: {help}");
    }
    assert_eq!(said["file"], "key.pub");
    assert_eq!((&found["what"], &found["certain"]), (&json!("verifying key"), &json!(true)));
    assert_eq!((&found["category"], &found["bytes"]), (&json!(3), &json!(1952)));
    assert_eq!(said["warnings"], json!([]));
}

#[test]
fn no_secret_is_said() {
    let folder = Folder::with_keys("sig", "ML-DSA-44");
    let pem = String::from_utf8(folder.read("key")).unwrap();
    let key = PrivateKey::from_pem(&pem).unwrap();
    let PrivateKey::Signing(signing) = &key else { panic!() };
    let seed = hex::encode(signing.expose_seed().unwrap().expose_bytes());
    let token = "pqc_r_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    folder.write("token", token);
    folder.write("seed", &seed);
    folder.write("bytes", hex::decode(&seed).unwrap());
    folder.write("expanded", signing.expose_expanded().expose_bytes());
    for file in ["key", "token", "seed", "bytes", "expanded"] {
        for args in [&["inspect", file][..], &["--json", "inspect", file]] {
            let output = folder.run(args, b"");
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            for secret in [&seed[..], &token[6..], pem.lines().nth(1).unwrap()] {
                assert!(!said.contains(secret), "{file}: {said}");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::with_keys("kem", "ML-KEM-768");
    let warned = |file: &str, mode| {
        fs::set_permissions(folder.path(file), PermissionsExt::from_mode(mode)).unwrap();
        inspect(&folder, file, b"")["warnings"].to_string()
    };
    assert!(!warned("key", 0o600).contains("by others"));
    assert!(warned("key", 0o640).contains("key can be read by others: run chmod 600 on it"));
    assert!(warned("key", 0o600).contains("not encrypted"));
    assert_eq!(warned("key.pub", 0o644), "[]");
}

#[test]
fn a_long_stream_is_told_by_its_start_from_a_file_and_from_stdin() {
    let folder = Folder::new();
    // Of 82 bytes of header and so many sealed chunks of 64 KiB, which are not looked at.
    let mut stream = vec![0; 82 + 400 * (65_536 + 16)];
    stream[..2].copy_from_slice(&[1, 2]);
    folder.write("stream", &stream);
    let said = inspect(&folder, "stream", b"");
    assert_eq!(said["found"][0]["what"], "stream");
    assert_eq!(said["found"][0]["details"][0]["value"], format!("{} bytes", 400 * 65_536));
    assert_eq!(inspect(&folder, "-", &stream)["found"], said["found"]);
}

#[test]
fn a_certificate_is_told() {
    let folder = Folder::new();
    let made = rcgen::generate_simple_self_signed(["name.example".to_owned()]).unwrap();
    folder.write("cert.pem", made.cert.pem());
    let said = inspect(&folder, "cert.pem", b"");
    assert_eq!(said["found"][0]["what"], "certificate");
    assert_eq!(said["found"][0]["algorithm"], "elliptic curve");
}
