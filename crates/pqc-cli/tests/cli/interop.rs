//! Another program verifies what `pqc sig sign` makes: PyPI `cryptography`.

use std::process::Command;

use crate::run::Folder;

/// Prints nothing and ends well where all verifies; 77: it has no ML-DSA.
const SCRIPT: &str = r#"
import sys
try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import mldsa
except ImportError:
    sys.exit(77)
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
    let python = std::env::var("PQC_INTEROP_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let output = Command::new(&python).arg("script.py").current_dir(folder.path("")).output();
    match output {
        Ok(output) if output.status.code() != Some(77) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        _ => {
            eprintln!("\nSKIPPED: {python} has no ML-DSA; PQC_INTEROP_PYTHON names one that has\n");
            assert!(std::env::var_os("CI").is_none(), "CI needs it");
        }
    }
}
