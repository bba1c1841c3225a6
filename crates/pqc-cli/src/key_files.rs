//! Keys and passphrases in files, as verbs take them.

use std::io;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use pqc_core::keyfile::{PrivateKey, PublicKey};
use pqc_core::{DecapsulationKey, EncapsulationKey, SecretVec, SigningKey, VerifyingKey};

use crate::input_file::{self, name};
use crate::{logging, output, private_file, terminal};

/// The passphrase on the first line of the file; `-` is stdin.
///
/// # Errors
/// The file cannot be read; its first line is empty.
pub(crate) fn passphrase(file: &Path) -> anyhow::Result<SecretVec> {
    let line =
        first_line(file).with_context(|| format!("cannot read the passphrase {}", name(file)))?;
    if line.is_empty() {
        bail!("the first line of {} is empty: it must be the passphrase", name(file));
    }
    warn_if_open(file);
    Ok(line)
}

/// The first line of a file, without its end; `-` is stdin.
///
/// # Errors
/// Of the file system.
pub(crate) fn first_line(file: &Path) -> io::Result<SecretVec> {
    let text = if input_file::is_stdin(file) {
        private_file::read_from(io::stdin().lock(), MAX_BYTES)?
    } else {
        private_file::read(file, MAX_BYTES)?
    };
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(SecretVec::copy_of(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// The encapsulation key in a PEM file.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub(crate) fn encapsulation_key(file: &Path) -> anyhow::Result<EncapsulationKey> {
    match public_key(file)? {
        PublicKey::Encapsulation(key) => Ok(key),
        _ => bail!(
            "{} holds a key that verifies signatures: give one that encapsulates (ML-KEM or X-Wing)",
            name(file)
        ),
    }
}

/// The verifying key in a PEM file.
///
/// # Errors
/// As [`encapsulation_key`].
pub(crate) fn verifying_key(file: &Path) -> anyhow::Result<VerifyingKey> {
    match public_key(file)? {
        PublicKey::Verifying(key) => Ok(key),
        _ => bail!(
            "{} holds a key that encapsulates: give one that verifies signatures (ML-DSA)",
            name(file)
        ),
    }
}

/// The decapsulation key in a PEM file, which may be encrypted under a passphrase; without one, who is
/// at the terminal is asked for it. `option` is that by which it could have been given.
///
/// # Errors
/// The file cannot be read, or holds something else; the passphrase is missing or wrong.
pub(crate) fn decapsulation_key(
    file: &Path,
    passphrase: Option<&SecretVec>,
    option: &str,
) -> anyhow::Result<DecapsulationKey> {
    match private_key(file, passphrase, option)? {
        PrivateKey::Decapsulation(key) => Ok(key),
        _ => bail!("{} holds a key that signs: give one that decapsulates", name(file)),
    }
}

/// The signing key in a PEM file, in the same way.
///
/// # Errors
/// As [`decapsulation_key`].
pub(crate) fn signing_key(
    file: &Path,
    passphrase: Option<&SecretVec>,
    option: &str,
) -> anyhow::Result<SigningKey> {
    match private_key(file, passphrase, option)? {
        PrivateKey::Signing(key) => Ok(key),
        _ => bail!("{} holds a key that decapsulates: give one that signs (ML-DSA)", name(file)),
    }
}

fn public_key(file: &Path) -> anyhow::Result<PublicKey> {
    let bytes = input_file::read(file, MAX_BYTES)?;
    if is_der(&bytes) {
        return PublicKey::from_der(&bytes).with_context(|| name(file));
    }
    let text = pem(&bytes, file)?;
    match PublicKey::from_pem(text) {
        Err(_) if text.contains("PRIVATE KEY-----") => {
            bail!("{} holds a secret key: give the public one", name(file))
        }
        read => read.with_context(|| name(file)),
    }
}

fn private_key(
    file: &Path,
    passphrase: Option<&SecretVec>,
    option: &str,
) -> anyhow::Result<PrivateKey> {
    let bytes = input_file::read(file, MAX_BYTES)?;
    let text = if is_der(&bytes) { "" } else { pem(&bytes, file)? };
    let is_encrypted = text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----");
    let asked;
    let read = if is_encrypted {
        let passphrase = match passphrase {
            Some(passphrase) => passphrase,
            None if terminal::is_there() => {
                asked = terminal::ask_passphrase(&name(file))?;
                &asked
            }
            None => {
                bail!("{} is encrypted: give the file of its passphrase with {option}", name(file))
            }
        };
        PrivateKey::from_encrypted_pem(text, passphrase.expose_bytes())
    } else if text.is_empty() {
        PrivateKey::from_der(&bytes)
    } else {
        PrivateKey::from_pem(text)
    };
    match read {
        // Under a passphrase it is not open.
        Ok(_) if !is_encrypted && is_open_to_others(file) => {
            bail!("{0} can be read by others: run chmod 600 {0}", name(file))
        }
        Ok(key) => Ok(key),
        Err(_) if text.contains("-----BEGIN PUBLIC KEY-----") => {
            bail!("{} holds a public key: give the secret one", name(file))
        }
        Err(error) => Err(error).with_context(|| name(file)),
    }
}

/// The text of a PEM file with one key.
fn pem<'a>(bytes: &'a [u8], file: &Path) -> anyhow::Result<&'a str> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| anyhow!("{} is no key file, in PEM or DER", name(file)))?;
    if text.matches("-----BEGIN ").count() > 1 {
        bail!("{} holds more than one thing: give a file with the key alone", name(file));
    }
    Ok(text)
}

/// A SEQUENCE whose length takes more than a byte, as that of every key does.
fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0xff, ..])
}

/// Says so where others than its owner can read a secret file.
pub(crate) fn warn_if_open(file: &Path) {
    if is_open_to_others(file) {
        logging::warn(format_args!(
            "{} can be read by others: run chmod 600 on it",
            output::harmless(&file.display().to_string())
        ));
    }
}

fn is_open_to_others(file: &Path) -> bool {
    !input_file::is_stdin(file) && private_file::is_open_to_others(file)
}

/// The option of most verbs for the passphrase of their secret key.
pub(crate) const PASSPHRASE_FILE: &str = "--passphrase-file";
/// Several times the largest key.
const MAX_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use pqc_core::{KemAlgorithm, SignatureAlgorithm};
    use std::fs;

    #[test]
    fn a_passphrase_is_a_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        for text in ["two words", "two words\n", "two words\r\nmore\n"] {
            fs::write(&path, text).unwrap();
            assert_eq!(passphrase(&path).unwrap().expose_bytes(), b"two words", "{text:?}");
        }
        for text in ["", "\nmore"] {
            fs::write(&path, text).unwrap();
            assert!(passphrase(&path).unwrap_err().to_string().contains("is empty"));
        }
    }

    #[test]
    fn a_key_of_another_kind_is_named() {
        use crate::private_file::Existing;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let rng = &mut getrandom::SysRng;
        let kem = PrivateKey::from(DecapsulationKey::generate(KemAlgorithm::XWing, rng).unwrap());
        let sign = SigningKey::generate(SignatureAlgorithm::MlDsa44, rng).unwrap();
        let sign = PrivateKey::from(sign);
        for (name, key) in [("kem", &kem), ("sign", &sign)] {
            let pem = key.to_pem().unwrap();
            private_file::write(&path(name), pem.as_bytes(), Existing::Keep).unwrap();
            let public = key.public_key().to_pem().unwrap();
            fs::write(path(&format!("{name}.pub")), public).unwrap();
        }
        assert!(encapsulation_key(&path("kem.pub")).is_ok());
        assert!(decapsulation_key(&path("kem"), None, PASSPHRASE_FILE).is_ok());
        assert!(verifying_key(&path("sign.pub")).is_ok());
        assert!(signing_key(&path("sign"), None, PASSPHRASE_FILE).is_ok());
        let refused = |result: anyhow::Result<()>, why: &str| {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        refused(encapsulation_key(&path("kem")).map(drop), "a secret key");
        refused(encapsulation_key(&path("sign.pub")).map(drop), "verifies signatures");
        refused(
            decapsulation_key(&path("kem.pub"), None, PASSPHRASE_FILE).map(drop),
            "a public key",
        );
        refused(
            decapsulation_key(&path("sign"), None, PASSPHRASE_FILE).map(drop),
            "a key that signs",
        );
        refused(verifying_key(&path("sign")).map(drop), "a secret key");
        refused(verifying_key(&path("kem.pub")).map(drop), "a key that encapsulates");
        refused(signing_key(&path("sign.pub"), None, PASSPHRASE_FILE).map(drop), "a public key");
        refused(
            signing_key(&path("kem"), None, PASSPHRASE_FILE).map(drop),
            "a key that decapsulates",
        );
        refused(encapsulation_key(&path("none")).map(drop), "cannot read");
    }
}
