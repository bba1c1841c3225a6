//! Another program verifies what `pqc sig sign` makes: PyPI `cryptography`.

use std::process::Command;

use crate::run::Folder;

/// Prints nothing and ends well where all verifies.
const SCRIPT: &str = r#"
from cryptography.hazmat.primitives import serialization
key = serialization.load_pem_public_key(open("key.pub", "rb").read())
message = open("file", "rb").read()
key.verify(open("pure", "rb").read(), message)
key.verify(open("in-context", "rb").read(), message, b"a purpose")
"#;

#[test]
fn python_verifies_our_signatures() {
    let folder = Folder::with_keys("sig", "ML-DSA-65");
    folder.write("file", vec![7; 100_000]);
    folder.write("script.py", SCRIPT);
    folder.pqc(&["sig", "sign", "--key", "key", "--out", "pure", "file"]);
    folder.pqc(&[
        "sig",
        "sign",
        "--key",
        "key",
        "--context",
        "a purpose",
        "--out",
        "in-context",
        "file",
    ]);
    let Some(python) = python() else { return };
    let output = Command::new(&python).arg("script.py").current_dir(folder.path("")).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A Python whose `cryptography` has ML-KEM and ML-DSA; where there is none, this is said, and in CI it
/// is a failure.
pub fn python() -> Option<String> {
    const PROBE: &str = "from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem; \
                         mlkem.MLKEM1024PrivateKey";
    let python = std::env::var("PQC_INTEROP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", PROBE]).output();
    if probe.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("\nSKIPPED: {python} has no ML-DSA; PQC_INTEROP_PYTHON names one that has\n");
    assert!(std::env::var_os("CI").is_none(), "CI needs it");
    None
}
