//! Other programs open our key files, we open theirs, and both use what they find there.
//!
//! That is PyPI `cryptography` 50 and Node 26, by the scripts in tests/interop. The variables
//! `PQC_INTEROP_PYTHON` and `PQC_INTEROP_NODE` name the programs that run them, if they are not
//! `python3` and `node`.

use std::env;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use pqc_core::keyfile::{
    Content, FileEncoding, KeyAlgorithm, KeyDerivation, PrivateKey, PublicKey, inspect,
};
use pqc_core::{Ciphertext, Context, DecapsulationKey, Signature, SigningKey};
use serde_json::{Map, Value, json};

use super::{IN_RFCS, expanded, key};
use crate::support::{Repeatable, say};

const PASSPHRASE: &[u8] = "Grüße, 世界".as_bytes();
const MESSAGE: &[u8] = b"signed by one, verified by the other";
const CONTEXT: &[u8] = b"pqc/interop";

/// The script's exit status when what it needs is not there.
const MISSING: i32 = 77;

#[test]
fn python_opens_our_files_and_we_open_its() {
    exchange("PQC_INTEROP_PYTHON", "python3", "key_files.py", &["ML-KEM-512"]);
}

#[test]
fn node_opens_our_files_and_we_open_its() {
    exchange("PQC_INTEROP_NODE", "node", "key_files.mjs", &[]);
}

/// Exchanges keys of every algorithm but those that may be unknown to the script's program.
fn exchange(variable: &str, program: &str, script: &str, may_lack: &[&str]) {
    let mut ours = Map::new();
    let mut secrets = Map::new();
    for algorithm in IN_RFCS {
        let (files, secret) = write(algorithm);
        ours.insert(algorithm.name().to_owned(), files);
        secrets.insert(algorithm.name().to_owned(), secret);
    }
    let request = json!({
        "keys": ours,
        "passphrase": hex::encode(PASSPHRASE),
        "message": hex::encode(MESSAGE),
        "context": hex::encode(CONTEXT),
    });
    let program = env::var(variable).unwrap_or_else(|_| program.to_owned());
    let Some(answer) = run(&program, script, &request) else { return };
    let mut exchanged = vec![];
    for (name, theirs) in answer["keys"].as_object().unwrap() {
        let algorithm = IN_RFCS.into_iter().find(|set| set.name() == name).unwrap();
        read(algorithm, theirs, &secrets[name]);
        exchanged.push(name.as_str());
    }
    let lacks: Vec<&str> = answer["unsupported"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    say(&format!(
        "key files: {script} {} exchanged {exchanged:?}, lacks {lacks:?}",
        answer["version"],
    ));
    assert!(lacks.iter().all(|name| may_lack.contains(name)), "{lacks:?}");
    assert_eq!(exchanged.len() + lacks.len(), IN_RFCS.len());
}

/// Our files of a key, what we made for it, and the secret that is not told.
fn write(algorithm: KeyAlgorithm) -> (Value, Value) {
    let mut rng = Repeatable::new(1);
    let key = key(algorithm, 0);
    let public = key.public_key();
    let (made, bytes, secret) = match (&key, &public) {
        (PrivateKey::Signing(key), _) => {
            let context = Context::new(CONTEXT).unwrap();
            let signature = key.sign(MESSAGE, context, &mut rng).unwrap();
            ("signature", signature.as_bytes().to_vec(), Value::Null)
        }
        (_, PublicKey::Encapsulation(key)) => {
            let (ciphertext, secret) = key.encapsulate_unattested(&mut rng).unwrap();
            let secret = hex::encode(secret.expose_bytes()).into();
            ("ciphertext", ciphertext.as_bytes().to_vec(), secret)
        }
        other => panic!("{other:?}"),
    };
    let files = json!({
        "private_pem": hex::encode(&*key.to_pem().unwrap()),
        "private_der": hex::encode(key.to_der().unwrap().expose_bytes()),
        "encrypted_pem": hex::encode(key.to_encrypted_pem(PASSPHRASE, &mut rng).unwrap()),
        "encrypted_der": hex::encode(key.to_encrypted_der(PASSPHRASE, &mut rng).unwrap()),
        "expanded_pem": hex::encode(&*without_seed(&key).to_pem().unwrap()),
        "public_pem": hex::encode(public.to_pem().unwrap()),
        "public_der": hex::encode(public.to_der().unwrap()),
        made: hex::encode(bytes),
    });
    (files, secret)
}

fn without_seed(key: &PrivateKey) -> PrivateKey {
    match key {
        PrivateKey::Decapsulation(_) => {
            DecapsulationKey::from_expanded(expanded(key)).unwrap().into()
        }
        _ => SigningKey::from_expanded(expanded(key)).unwrap().into(),
    }
}

/// Opens their files, and uses their key and what they made with ours.
fn read(algorithm: KeyAlgorithm, theirs: &Value, secret: &Value) {
    let part = |name: &str| hex::decode(theirs[name].as_str().expect(name)).unwrap();
    let text = |name: &str| String::from_utf8(part(name)).unwrap();
    let public = PublicKey::from_pem(&text("public_pem")).unwrap();
    assert_eq!(public.algorithm(), algorithm);
    assert_eq!(PublicKey::from_der(&part("public_der")).unwrap(), public);
    assert_eq!(public.to_pem().unwrap(), text("public_pem"));
    let mut private = vec![
        PrivateKey::from_pem(&text("private_pem")).unwrap(),
        PrivateKey::from_der(&part("private_der")).unwrap(),
        PrivateKey::from_encrypted_pem(&text("encrypted_pem"), PASSPHRASE).unwrap(),
        PrivateKey::from_encrypted_der(&part("encrypted_der"), PASSPHRASE).unwrap(),
    ];
    if theirs.get("scrypt_der").is_some() {
        let file = part("scrypt_der");
        let derivation = KeyDerivation::Scrypt { n: 16384, r: 8, p: 1 };
        assert_eq!(inspect(&file).unwrap().content, Content::EncryptedPrivateKey { derivation });
        private.push(PrivateKey::from_encrypted_der(&file, PASSPHRASE).unwrap());
    }
    for key in &private {
        assert_eq!(key.public_key(), public);
        assert_eq!(*key.to_pem().unwrap(), text("private_pem"));
    }
    let encrypted = inspect(&part("encrypted_pem")).unwrap();
    assert_eq!(encrypted.encoding, FileEncoding::Pem);
    assert!(matches!(
        encrypted.content,
        Content::EncryptedPrivateKey { derivation: KeyDerivation::Pbkdf2HmacSha256 { .. } }
    ));

    match (private.remove(0), key(algorithm, 0), public) {
        (PrivateKey::Signing(_), PrivateKey::Signing(ours), PublicKey::Verifying(public)) => {
            let context = Context::new(CONTEXT).unwrap();
            let signature = |name| Signature::from_bytes(&part(name)).unwrap();
            assert!(public.verify(MESSAGE, context, &signature("signature")));
            assert!(!public.verify(MESSAGE, context, &signature("signature_by_ours")));
            assert!(ours.verifying_key().verify(MESSAGE, context, &signature("signature_by_ours")));
        }
        (PrivateKey::Decapsulation(theirs_key), PrivateKey::Decapsulation(ours), _) => {
            let ciphertext = |name| Ciphertext::from_bytes(&part(name)).unwrap();
            let opened = theirs_key.decapsulate(&ciphertext("ciphertext")).unwrap();
            assert_eq!(opened.expose_bytes().as_slice(), part("secret"));
            let opened = ours.decapsulate(&ciphertext("ciphertext_to_ours")).unwrap();
            assert_eq!(opened.expose_bytes().as_slice(), part("secret_to_ours"));
            assert_eq!(theirs["opened"], *secret);
        }
        other => panic!("{other:?}"),
    }
}

/// What the script answers; nothing if it can't run here, which is said, and in CI is a failure.
fn run(program: &str, script: &str, request: &Value) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
    let missing = |why: &str| {
        say(&format!("\nSKIPPED: {program} can't run tests/interop/{script}: {why}\n"));
        assert!(env::var_os("CI").is_none(), "CI needs it: {why}");
    };
    let mut command = Command::new(program);
    command.arg(&path).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            missing(&error.to_string());
            return None;
        }
    };
    // The script may end before it reads: its status tells.
    let _ = child.stdin.take().unwrap().write_all(request.to_string().as_bytes());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(MISSING) {
        missing(errors.trim());
        return None;
    }
    assert!(output.status.success(), "{}: {errors}", output.status);
    Some(serde_json::from_slice(&output.stdout).unwrap())
}
