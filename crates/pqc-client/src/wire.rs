//! The contract's own words: paths, the members of what goes out and comes in, and how bytes are
//! written. Nowhere else in this crate is there a wire name; here each has the name that the rest of
//! the crate knows it by.

use std::io;

use bytes::Bytes;
use pqc_core::secret::Wiped;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

pub(crate) const NEW_TOKEN: &str = "/api/token/new";
pub(crate) const TOKEN_SELF: &str = "/api/v1/token/self";
pub(crate) const GENERATE_KEYS: &str = "/api/kem/generate_keys";
pub(crate) const ENCAPSULATE: &str = "/api/kem/encapsulate_key";
pub(crate) const DECAPSULATE: &str = "/api/kem/decapsulate_key";
pub(crate) const ENCRYPT_TEXT: &str = "/api/aes/encrypt_text";
pub(crate) const DECRYPT_TEXT: &str = "/api/aes/decrypt_text";
pub(crate) const SIGN: &str = "/api/signature/sign";
pub(crate) const VERIFY: &str = "/api/signature/verify";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";

pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

#[derive(Serialize)]
pub(crate) struct NewToken<'a> {
    #[serde(rename = "expiry_time", skip_serializing_if = "Option::is_none")]
    pub(crate) lifetime_seconds: Option<u64>,
    #[serde(rename = "expire_after_attempts", skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operations: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<&'a str>,
}

#[derive(Deserialize)]
pub(crate) struct Minted {
    #[serde(rename = "new_token")]
    pub(crate) token: Text,
    pub(crate) expires_at: u64,
    pub(crate) attempts: u32,
}

#[derive(Deserialize)]
pub(crate) struct TokenSelf {
    pub(crate) id: Read,
    pub(crate) kind: String,
    pub(crate) account: Read,
    pub(crate) label: Option<String>,
    pub(crate) operations: Option<Vec<String>>,
    pub(crate) key_id: Option<Read>,
    pub(crate) created_at: u64,
    pub(crate) expires_at: Option<u64>,
    pub(crate) attempts: Option<u32>,
    pub(crate) attempts_left: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct GenerateKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custody: Option<&'static str>,
}

/// The issuer's key that comes with it is not read: it proves nothing.
#[derive(Deserialize)]
pub(crate) struct KeyPair {
    #[serde(rename = "pk")]
    pub(crate) public: Read,
    #[serde(rename = "verification_signature")]
    pub(crate) attestation: Read,
    #[serde(rename = "sk")]
    pub(crate) seed: Option<Read>,
}

#[derive(Serialize)]
pub(crate) struct Encapsulate<'a> {
    #[serde(rename = "pk")]
    pub(crate) public: Hex<'a>,
    #[serde(rename = "signature")]
    pub(crate) attestation: Hex<'a>,
    #[serde(rename = "verif_key")]
    pub(crate) issuer: Hex<'a>,
    pub(crate) account: Hex<'a>,
}

#[derive(Deserialize)]
pub(crate) struct Encapsulated {
    #[serde(rename = "cipher")]
    pub(crate) ciphertext: Read,
    #[serde(rename = "shared_key")]
    pub(crate) shared_key: Read,
}

#[derive(Serialize)]
pub(crate) struct Decapsulate<'a> {
    #[serde(rename = "cipher")]
    pub(crate) ciphertext: Hex<'a>,
    #[serde(rename = "pk")]
    pub(crate) public: Hex<'a>,
}

#[derive(Deserialize)]
pub(crate) struct Decapsulated {
    pub(crate) shared_key: Read,
}

/// Its answer is a [`Read`].
#[derive(Serialize)]
pub(crate) struct EncryptText<'a> {
    #[serde(rename = "unencrypted")]
    pub(crate) text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Hex<'a>>,
    #[serde(rename = "aad")]
    pub(crate) associated_data: &'a str,
}

/// Its answer is a [`Text`].
#[derive(Serialize)]
pub(crate) struct DecryptText<'a> {
    #[serde(rename = "ciphertext")]
    pub(crate) sealed: Hex<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<Hex<'a>>,
    #[serde(rename = "aad")]
    pub(crate) associated_data: &'a str,
}

#[derive(Serialize)]
pub(crate) struct Sign<'a> {
    pub(crate) data: Hex<'a>,
    pub(crate) encoding: InHex,
    pub(crate) context: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<&'static str>,
}

#[derive(Deserialize)]
pub(crate) struct Signed {
    pub(crate) signature: Read,
    #[serde(rename = "pk")]
    pub(crate) public: Read,
}

#[derive(Serialize)]
pub(crate) struct Verify<'a> {
    pub(crate) data: Hex<'a>,
    pub(crate) encoding: InHex,
    pub(crate) context: &'a str,
    #[serde(rename = "pk")]
    pub(crate) public: Hex<'a>,
    pub(crate) signature: Hex<'a>,
}

#[derive(Deserialize)]
pub(crate) struct Verified {
    pub(crate) verified: bool,
}

/// Keys of other kinds may be among them.
#[derive(Deserialize)]
pub(crate) struct KeySet {
    pub(crate) keys: Vec<serde_json::Value>,
}

/// RFC 9457, with what the contract adds.
#[derive(Deserialize, Default)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) attempt: Option<String>,
    #[serde(default)]
    pub(crate) errors: Vec<ProblemField>,
}

#[derive(Deserialize)]
pub(crate) struct ProblemField {
    #[serde(rename = "loc")]
    pub(crate) place: Vec<String>,
    #[serde(rename = "msg")]
    pub(crate) message: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
}

/// Says that data are bytes in hex.
#[derive(Serialize)]
pub(crate) enum InHex {
    #[serde(rename = "hex")]
    Hex,
}

/// Bytes that go out, as lower-case hex.
#[derive(Clone, Copy)]
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = Wiped::new(vec![0; self.0.len().saturating_mul(2)]);
        let text = faster_hex::hex_encode(self.0, &mut digits)
            .map_err(<S::Error as ser::Error>::custom)?;
        serializer.serialize_str(text)
    }
}

/// Bytes that came in, as hex in either case. They may be secret.
pub(crate) struct Read(pub(crate) Wiped<Vec<u8>>);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?.0;
        let mut bytes = Wiped::new(vec![0; text.len() / 2]);
        faster_hex::hex_decode(text.as_bytes(), &mut bytes)
            .map_err(|_| <D::Error as de::Error>::custom("it is no hex"))?;
        Ok(Self(bytes))
    }
}

/// A text that came in, which may be secret.
pub(crate) struct Text(pub(crate) Wiped<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Wiped::new(text)))
    }
}

/// A body in JSON, wiped once its last copy is gone.
pub(crate) fn body(value: &impl Serialize) -> serde_json::Result<Bytes> {
    // Counted first: a buffer that grows leaves an unwiped one behind.
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value)?;
    let mut json = Wiped::new(Vec::with_capacity(count.0));
    serde_json::to_writer(&mut *json, value)?;
    Ok(shared(json))
}

/// Bytes that can be shared, and are wiped with the last who has them.
pub(crate) fn shared(bytes: Wiped<Vec<u8>>) -> Bytes {
    struct Owner(Wiped<Vec<u8>>);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Owner(bytes))
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_hex_in_json() {
        let json = body(&Decapsulate { ciphertext: Hex(&[0, 0xab]), public: Hex(&[]) }).unwrap();
        assert_eq!(&*json, br#"{"cipher":"00ab","pk":""}"#);
        for text in [r#""00aB""#, r#""00ab""#] {
            assert_eq!(**serde_json::from_str::<Read>(text).unwrap().0, [0, 0xab]);
        }
        for text in [r#""0""#, r#""0g""#, "7", "null", r#"["00"]"#] {
            assert!(serde_json::from_str::<Read>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_not_given_is_not_sent() {
        let all = NewToken {
            lifetime_seconds: None,
            attempts: Some(1),
            operations: None,
            key_id: None,
            label: None,
        };
        assert_eq!(&*body(&all).unwrap(), br#"{"expire_after_attempts":1}"#);
    }
}
