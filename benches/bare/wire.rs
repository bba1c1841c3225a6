//! What stands in requests and answers: the names of `pqc-http`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// Bytes in hex as a JSON text, for long ones: in place, and not looked through for what a text
/// would escape.
pub(crate) fn hex_json(bytes: &[u8]) -> Vec<u8> {
    let mut json = vec![b'"'; bytes.len() * 2 + 2];
    let end = json.len() - 1;
    if let Some(digits) = json.get_mut(1..end) {
        // The lengths fit.
        let _ = faster_hex::hex_encode(bytes, digits);
    }
    json
}

/// Lower-case hex.
pub(crate) fn to_hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut digits = vec![0; bytes.len() * 2];
    // The lengths fit, and digits are a text.
    let _ = faster_hex::hex_encode(bytes, &mut digits);
    String::from_utf8(digits).unwrap_or_default()
}

/// Bytes from hex.
pub(crate) fn from_hex(digits: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0; digits.len() / 2];
    faster_hex::hex_decode(digits.as_bytes(), &mut bytes)?;
    Ok(bytes)
}

#[derive(Deserialize)]
pub(crate) struct EncapsulateKey<'a> {
    pub(crate) pk: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) verif_key: &'a str,
}

#[derive(Serialize)]
pub(crate) struct EncapsulateKeyAnswer<'a> {
    pub(crate) cipher: String,
    pub(crate) shared_key: String,
    pub(crate) account: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct DecapsulateKey<'a> {
    pub(crate) cipher: &'a str,
    pub(crate) pk: &'a str,
}

#[derive(Serialize)]
pub(crate) struct DecapsulateKeyAnswer {
    pub(crate) shared_key: String,
}

#[derive(Serialize)]
pub(crate) struct GenerateKeysAnswer<'a> {
    pub(crate) pk: String,
    pub(crate) verification_key: &'a str,
    pub(crate) verification_signature: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) algorithm: &'a str,
    pub(crate) key_id: String,
    pub(crate) account: &'a str,
}

#[derive(Deserialize)]
pub(crate) struct EncryptText<'a> {
    #[serde(borrow)]
    pub(crate) unencrypted: Cow<'a, str>,
    pub(crate) key: Option<&'a str>,
}

#[derive(Deserialize)]
pub(crate) struct DecryptText<'a> {
    pub(crate) ciphertext: &'a str,
    pub(crate) key: Option<&'a str>,
}

#[derive(Deserialize)]
pub(crate) struct Sign<'a> {
    #[serde(borrow)]
    pub(crate) data: Cow<'a, str>,
    pub(crate) algorithm: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct SignAnswer<'a> {
    pub(crate) signature: String,
    pub(crate) pk: String,
    pub(crate) algorithm: &'a str,
    pub(crate) key_id: String,
}

#[derive(Deserialize)]
pub(crate) struct Verify<'a> {
    #[serde(borrow)]
    pub(crate) data: Cow<'a, str>,
    pub(crate) pk: &'a str,
    pub(crate) signature: &'a str,
}

#[derive(Serialize)]
pub(crate) struct VerifyAnswer {
    pub(crate) verified: bool,
}

#[derive(Serialize)]
pub(crate) struct NewTokenAnswer<'a> {
    pub(crate) new_token: &'a str,
    pub(crate) expires_at: u64,
    pub(crate) attempts: u32,
}

#[derive(Serialize)]
pub(crate) struct KemKeysAnswer<'a> {
    pub(crate) algorithm: &'a str,
    pub(crate) encapsulation_key: String,
    pub(crate) decapsulation_key: String,
}

#[derive(Deserialize)]
pub(crate) struct Encapsulate<'a> {
    pub(crate) encapsulation_key: &'a str,
}

#[derive(Serialize)]
pub(crate) struct EncapsulateAnswer {
    pub(crate) ciphertext: String,
    pub(crate) shared_secret: String,
}

#[derive(Deserialize)]
pub(crate) struct Decapsulate<'a> {
    pub(crate) decapsulation_key: &'a str,
    pub(crate) ciphertext: &'a str,
}

#[derive(Serialize)]
pub(crate) struct DecapsulateAnswer {
    pub(crate) shared_secret: String,
}
