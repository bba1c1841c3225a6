//! What the requests to one subject are made of: a key pair of it, a signature by it, and so on.

use anyhow::Context;

use super::subject::Subject;
use super::wrk::Body;
use crate::server::{encapsulation_to, hex_field};

/// Bodies that this subject answers 200.
pub(crate) struct Material {
    pub(crate) encapsulate_key: String,
    pub(crate) decapsulate_key: String,
    pub(crate) sign: String,
    pub(crate) verify: String,
    pub(crate) decrypt: String,
    pub(crate) decrypt_by_callers: String,
    pub(crate) encapsulate: String,
    pub(crate) decapsulate: String,
}

impl Material {
    /// Asks it for all of them.
    ///
    /// # Errors
    /// It does not answer so.
    pub(crate) fn of(subject: &Subject) -> anyhow::Result<Self> {
        let mut client = subject.connect()?;
        // A pair that every worker of the peer has; the others take no notice of the word.
        let pair = client.post("/api/kem/generate_keys", r#"{"shared":true}"#)?;
        let encapsulate_key = encapsulation_to(&pair)?;
        let sent = client.post("/api/kem/encapsulate_key", &encapsulate_key)?;
        let (cipher, pk) = (hex_field(&sent, "cipher")?, hex_field(&pair, "pk")?);
        let decapsulate_key = format!(r#"{{"cipher":"{cipher}","pk":"{pk}"}}"#);
        let sign = format!(r#"{{"data":"{MESSAGE}"}}"#);
        let signed = client.post("/api/signature/sign", &sign)?;
        let (signature, pk) = (hex_field(&signed, "signature")?, hex_field(&signed, "pk")?);
        let verify = format!(r#"{{"data":"{MESSAGE}","pk":"{pk}","signature":"{signature}"}}"#);
        let sealed = client.post("/api/aes/encrypt_text", &encrypt(MESSAGE, None))?;
        let decrypt = decrypt(&sealed, None)?;
        let sealed = client.post("/api/aes/encrypt_text", &encrypt(MESSAGE, Some(KEY)))?;
        let decrypt_by_callers = self::decrypt(&sealed, Some(KEY))?;
        let pair = client.post("/api/v1/pqc/kem/generate-keys/", "{}")?;
        let key = hex_field(&pair, "encapsulation_key")?;
        let encapsulate = format!(r#"{{"encapsulation_key":"{key}"}}"#);
        let sent = client.post("/api/v1/pqc/kem/encapsulate/", &encapsulate)?;
        let ciphertext = hex_field(&sent, "ciphertext")?;
        let key = hex_field(&pair, "decapsulation_key")?;
        let decapsulate = format!(r#"{{"decapsulation_key":"{key}","ciphertext":"{ciphertext}"}}"#);
        Ok(Self {
            encapsulate_key,
            decapsulate_key,
            sign,
            verify,
            decrypt,
            decrypt_by_callers,
            encapsulate,
            decapsulate,
        })
    }
}

/// The body of a request that encrypts a text (without a quote in it).
pub(crate) fn encrypt(text: &str, key: Option<&str>) -> String {
    format!(r#"{{"unencrypted":"{text}"{}}}"#, by(key))
}

/// The body of a request that decrypts what another was answered.
///
/// # Errors
/// That was no JSON text.
pub(crate) fn decrypt(answer: &str, key: Option<&str>) -> anyhow::Result<String> {
    let sealed = answer.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    Ok(format!(r#"{{"ciphertext":"{}"{}}}"#, sealed.context("not a text")?, by(key)))
}

fn by(key: Option<&str>) -> String {
    key.map_or(String::new(), |key| format!(r#","key":"{key}""#))
}

/// A text of so many bytes, by a key that the caller brings.
pub(crate) fn text(bytes: usize) -> Body {
    Body::Text { bytes, key: Some(KEY.to_owned()) }
}

/// 64 bytes.
pub(crate) const MESSAGE: &str = "a message of sixty-four bytes, as a client may well send one now";
/// A key that the caller brings.
pub(crate) const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";

#[test]
fn the_message_is_as_long_as_the_document_says() {
    assert_eq!(MESSAGE.len(), 64);
}
