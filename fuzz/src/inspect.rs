//! Any bytes are described, whole or by their start, and without what is secret in them; an honest file
//! is what it is. A text is a manifest that writes back the same, or none.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::inspect::{Kind, inspect};
use pqc_core::keyfile::{self, Content};
use pqc_core::manifest::Manifest;

use crate::{Edit, decode, edited, key_files};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// The start of a longer file.
    Start { start: &'a [u8], behind: u64 },
    /// An honest file after some edits.
    Edited { file: u8, edits: Vec<Edit<'a>> },
    /// Bytes of a length that something has.
    OfLength { which: u8, start: &'a [u8], filling: u8 },
}

/// A token, which an honest file below is.
const TOKEN: &str = "pqc_r_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Honest files: those of keys, and others.
static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let manifest = format!("{}  a\n\\{}  b\\\\c\n", "0a".repeat(32), "1b".repeat(32));
    let acvp =
        r#"{"algorithm":"ML-KEM","mode":"keyGen","testGroups":[{"testType":"AFT","tests":[{}]}]}"#;
    let set = format!(
        r#"{{"keys":[{{"kty":"AKP","alg":"ML-DSA-44","pub":"{}"}},{{"kty":"oct","k":"AA"}}]}}"#,
        "A".repeat(1750)
    );
    let sealed = |start: &[u8], length| {
        let mut file = start.to_vec();
        file.resize(length, 7);
        file
    };
    let mut files = vec![
        TOKEN.into(),
        manifest.into(),
        acvp.into(),
        set.into(),
        sealed(&[1, 1], 58 + 20),
        sealed(&[1, 2], 82 + 16),
        sealed(b"pqc-env\x01\x01\x10\x00\x01\x00\x00\x00\x00\x00\x03\x00\x00\x00\x04", 200),
        "07".repeat(32).into(),
    ];
    files.extend(key_files::honest().iter().cloned());
    files
});

/// Of signatures, ciphertexts, keys and attestations.
const LENGTHS: [usize; 18] = [
    32, 64, 768, 800, 1088, 1120, 1184, 1216, 1312, 1568, 1632, 1952, 2420, 2453, 2560, 3309, 3414,
    4627,
];

/// Makes the honest files, before an input's time counts.
pub fn prepare() {
    LazyLock::force(&FILES);
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    check(bytes, bytes.len() as u64);
    match decode(bytes) {
        Some(Input::Start { start, behind }) => {
            check(start, (start.len() as u64).saturating_add(behind));
        }
        Some(Input::Edited { file, edits }) => {
            let honest = &FILES[usize::from(file) % FILES.len()];
            let bytes = edited(honest, &edits);
            if bytes == *honest {
                assert!(!inspect(&bytes, bytes.len() as u64).is_empty());
            }
            check(&bytes, bytes.len() as u64);
        }
        Some(Input::OfLength { which, start, filling }) => {
            let mut bytes = start.to_vec();
            bytes.resize(LENGTHS[usize::from(which) % LENGTHS.len()], filling);
            check(&bytes, bytes.len() as u64);
        }
        None => {}
    }
}

fn check(start: &[u8], length: u64) {
    let found = inspect(start, length);
    let certain: Vec<_> = found.iter().filter(|found| found.is_certain).collect();
    assert!(certain.len() <= 1 && found.len() <= 5);
    for one in &found {
        let said = format!("{one:?}");
        assert!(!said.contains(&TOKEN[6..]));
        assert!(!one.kind.name().is_empty() && !one.kind.advice().is_empty());
    }
    if start.len() as u64 != length {
        return;
    }
    if let Ok(key) = keyfile::inspect(start) {
        let [one] = &found[..] else { panic!("a key file is nothing else: {found:?}") };
        let (kind, key_id) = match key.content {
            Content::PublicKey(key) => (None, Some(key.key_id())),
            Content::PrivateKey { public_key, .. } => (None, Some(public_key.key_id())),
            Content::EncryptedPrivateKey { .. } => (Some(Kind::EncryptedPrivateKey), None),
            other => panic!("{other:?}"),
        };
        assert_eq!(one.key_id, key_id);
        assert!(one.is_certain && kind.is_none_or(|kind| one.kind == kind));
    }
    if let Ok(manifest) = Manifest::parse(start) {
        assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
    }
}
