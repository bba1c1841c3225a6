//! `pqc kem`: both sides get the same secret, and only its owner can read it.

use pqc_core::KemAlgorithm;

use crate::run::Folder;

#[test]
fn both_sides_have_the_same_secret_by_every_algorithm() {
    for kem in KemAlgorithm::ALL {
        let folder = Folder::with_keys("kem", kem.name());
        folder.pqc(&[
            "kem",
            "encapsulate",
            "--public-key",
            "key.pub",
            "--ciphertext-out",
            "c",
            "--shared-secret-out",
            "sent",
        ]);
        folder.pqc(&[
            "kem",
            "decapsulate",
            "--key",
            "key",
            "--ciphertext",
            "c",
            "--shared-secret-out",
            "got",
        ]);
        assert_eq!(folder.read("c").len(), kem.ciphertext_bytes());
        assert_eq!(folder.read("sent").len(), 32);
        assert_eq!(folder.read("sent"), folder.read("got"), "{kem}");
        assert_eq!(folder.names(), ["c", "got", "key", "key.pub", "sent"]);
        #[cfg(unix)]
        for (name, is_secret) in [("key", true), ("sent", true), ("got", true)] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(folder.path(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077 == 0, is_secret, "{name}");
        }
    }
}

#[test]
fn keys_ciphertexts_and_secrets_go_through_pipes() {
    let folder = Folder::with_keys("kem", "X-Wing");
    let key = folder.read("key");
    let ciphertext = folder.piped(
        &[
            "kem",
            "encapsulate",
            "--public-key",
            "-",
            "--ciphertext-out",
            "-",
            "--shared-secret-out",
            "sent",
        ],
        &folder.read("key.pub"),
    );
    folder.write("c", &ciphertext);
    let secret = folder.piped(
        &["kem", "decapsulate", "--key", "-", "--ciphertext", "c", "--shared-secret-out", "-"],
        &key,
    );
    assert_eq!(secret, folder.read("sent"));
    let secret = folder.piped(
        &["kem", "decapsulate", "--key", "key", "--ciphertext", "-", "--shared-secret-out", "-"],
        &ciphertext,
    );
    assert_eq!(secret, folder.read("sent"));
    let pem = folder.piped(&["kem", "keygen", "--out", "-", "--public", "another.pub"], b"");
    assert!(pem.starts_with(b"-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn where_one_output_cannot_be_written_neither_is() {
    let folder = Folder::with_keys("kem", "ML-KEM-512");
    let encapsulate = |c: &str, k: &str, why: &str| {
        let args = [
            "kem",
            "encapsulate",
            "--public-key",
            "key.pub",
            "--ciphertext-out",
            c,
            "--shared-secret-out",
            k,
        ];
        folder.refused(&args, b"", 2, why);
    };
    encapsulate("none/c", "k", "cannot write none/c");
    encapsulate("c", "none/k", "cannot write none/k");
    encapsulate("key", "k", "--force replaces it");
    encapsulate("c", ".", "cannot write .");
    encapsulate("c", "c", "give another file");
    assert_eq!(folder.names(), ["key", "key.pub"]);
}
