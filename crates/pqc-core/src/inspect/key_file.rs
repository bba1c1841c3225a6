//! Key files in PEM and DER.

use super::{Description, Encoding, Kind};
use crate::error::Error;
use crate::keyfile::{
    self, Content, FileEncoding, KeyAlgorithm, KeyDerivation, PrivateKeyForm, PublicKey,
};

/// The key file that these bytes are, if they are one.
pub(super) fn describe(file: &[u8]) -> Option<Description> {
    match keyfile::inspect(file) {
        Ok(found) => Some(of_content(&found.content, encoding(found.encoding), file.len())),
        Err(error) => of_refused(file, &error),
    }
}

fn of_content(content: &Content, encoding: Encoding, file_bytes: usize) -> Description {
    match content {
        Content::PublicKey(key) => Description::of_public_key(key, encoding),
        Content::PrivateKey { form, has_public_key, public_key } => {
            let (name, bytes) = form_of(*form, public_key);
            let mut found = Description::of_private_key(public_key, encoding, bytes);
            found.add("form", name);
            if *has_public_key {
                found.add("public key", "beside it");
            }
            found
        }
        Content::EncryptedPrivateKey { derivation } => {
            let mut found = Description::new(Kind::EncryptedPrivateKey, encoding, file_bytes);
            found.add("encryption", "PBES2 with AES-256-CBC");
            found.add(
                "passphrase",
                match derivation {
                    KeyDerivation::Scrypt { n, r, p } => {
                        alloc::format!("scrypt, N = {n}, r = {r}, p = {p}")
                    }
                    KeyDerivation::Pbkdf2HmacSha256 { iterations } => {
                        alloc::format!("PBKDF2-HMAC-SHA-256, {iterations} iterations")
                    }
                },
            );
            found
        }
    }
}

/// The name of the form and the bytes of the private key in it.
fn form_of(form: PrivateKeyForm, key: &PublicKey) -> (&'static str, usize) {
    let seed = match key.algorithm() {
        KeyAlgorithm::Kem(kem) => kem.seed_bytes(),
        KeyAlgorithm::Signature(_) => 32,
    };
    let expanded = key.algorithm().expanded_bytes().unwrap_or_default();
    match form {
        PrivateKeyForm::Seed => ("seed", seed),
        PrivateKeyForm::Expanded => ("expanded", expanded),
        PrivateKeyForm::Both => ("seed and expanded", seed + expanded),
    }
}

/// What a file that is refused says that it is.
fn of_refused(file: &[u8], error: &Error) -> Option<Description> {
    // A private key among certificates makes the file a secret.
    let label = labels(file).find(|label| is_private(label)).or_else(|| labels(file).next());
    let (kind, encoding) = match label {
        Some("ENCRYPTED PRIVATE KEY") => (Kind::EncryptedPrivateKey, Encoding::Pem),
        Some(label) if is_private(label) => (Kind::UnknownPrivateKey, Encoding::Pem),
        Some(label) if label.ends_with("PUBLIC KEY") => (Kind::UnknownPublicKey, Encoding::Pem),
        Some(_) => return None,
        // Its frame was that of a key in DER, or nothing would be said of an algorithm.
        None if matches!(error, Error::UnknownAlgorithm { .. }) => match frame(file) {
            Some(INTEGER) => (Kind::UnknownPrivateKey, Encoding::Der),
            _ => (Kind::UnknownPublicKey, Encoding::Der),
        },
        None => return None,
    };
    Some(Description::new(kind, encoding, file.len()).with_fault(error))
}

fn is_private(label: &str) -> bool {
    label.ends_with("PRIVATE KEY")
}

/// The labels of the blocks of PEM in a text.
fn labels(file: &[u8]) -> impl Iterator<Item = &str> {
    file.split(|byte| matches!(byte, b'\n' | b'\r')).filter_map(|line| {
        let label = line.strip_prefix(b"-----BEGIN ")?.trim_ascii_end().strip_suffix(b"-----")?;
        core::str::from_utf8(label).ok()
    })
}

/// The tag of the first element in a sequence of DER: behind a tag, and a length of one byte or more.
fn frame(der: &[u8]) -> Option<u8> {
    let more = match *der.get(1)? {
        length @ 0x80.. => usize::from(length & 0x7f),
        _ => 0,
    };
    der.get(2 + more).copied()
}

/// A private key begins with its version.
const INTEGER: u8 = 0x02;

fn encoding(encoding: FileEncoding) -> Encoding {
    match encoding {
        FileEncoding::Der => Encoding::Der,
        FileEncoding::Pem => Encoding::Pem,
    }
}
