//! Public ML-DSA keys as JSON Web Keys of type `AKP` (RFC 7517; key type "Algorithm Key Pair"),
//! named by their thumbprint (RFC 7638).

use alloc::string::{String, ToString};

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::error::{Error, Field};
use crate::sign::{SignatureAlgorithm, VerifyingKey};

/// A public key in JSON. Members beside these are ignored on reading.
///
/// ```
/// use pqc_core::keyfile::Jwk;
/// use pqc_core::{SignatureAlgorithm, SigningKey, VerifyingKey};
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut getrandom::SysRng)?;
/// let json = serde_json::to_string(&Jwk::from(key.verifying_key())).unwrap();
/// assert!(json.starts_with(r#"{"kty":"AKP","alg":"ML-DSA-65","pub":""#));
///
/// let mut jwk: Jwk = serde_json::from_str(&json).unwrap();
/// assert_eq!(&VerifyingKey::try_from(&jwk)?, key.verifying_key());
/// jwk.alg = "ML-DSA-44".to_string();
/// assert!(VerifyingKey::try_from(&jwk).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Jwk {
    /// The key type: `AKP`.
    pub kty: String,
    /// The algorithm, such as `ML-DSA-65`.
    pub alg: String,
    /// The encoded verifying key in base64url.
    #[serde(rename = "pub")]
    pub public: String,
    /// The key's name: its thumbprint (RFC 7638) in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// What it is for: `sig`.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

impl From<&VerifyingKey> for Jwk {
    fn from(key: &VerifyingKey) -> Self {
        let public = Base64UrlUnpadded::encode_string(key.as_bytes());
        let alg = key.algorithm().name();
        // RFC 7638: the required members in lexicographic order, without white space.
        let canonical = alloc::format!(r#"{{"alg":"{alg}","kty":"AKP","pub":"{public}"}}"#);
        let thumbprint = Base64UrlUnpadded::encode_string(&Sha256::digest(canonical));
        Self {
            kty: "AKP".to_string(),
            alg: alg.to_string(),
            public,
            kid: Some(thumbprint),
            usage: Some("sig".to_string()),
        }
    }
}

impl TryFrom<&Jwk> for VerifyingKey {
    type Error = Error;

    /// # Errors
    /// [`Error::Malformed`]: another key type, or `pub` is not base64url.
    /// [`Error::UnknownAlgorithm`]; [`Error::Length`]; [`Error::AlgorithmMismatch`].
    fn try_from(jwk: &Jwk) -> Result<Self, Error> {
        if jwk.kty != "AKP" {
            return Err(Error::Malformed { field: Field::Jwk, expected: "kty AKP" });
        }
        // RFC 7517: `alg` is case-sensitive.
        let algorithm = SignatureAlgorithm::from_name(&jwk.alg)
            .ok()
            .filter(|algorithm| algorithm.name() == jwk.alg)
            .ok_or(Error::UnknownAlgorithm { known: SignatureAlgorithm::NAMES })?;
        let bytes = Base64UrlUnpadded::decode_vec(&jwk.public)
            .map_err(|_| Error::Malformed { field: Field::Jwk, expected: "pub in base64url" })?;
        let key = Self::from_bytes(&bytes)?;
        if key.algorithm() != algorithm {
            return Err(Error::AlgorithmMismatch {
                field: Field::VerifyingKey,
                expected: algorithm.name(),
                actual: key.algorithm().name(),
            });
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn each_wrong_member_is_refused() {
        let key = VerifyingKey::from_bytes(&vec![7; 1952]).unwrap();
        let right = Jwk::from(&key);
        assert_eq!(VerifyingKey::try_from(&right), Ok(key));

        let is = |jwk: Jwk| VerifyingKey::try_from(&jwk).unwrap_err();
        let malformed = |expected| Error::Malformed { field: Field::Jwk, expected };
        let unknown = Error::UnknownAlgorithm { known: "ML-DSA-44, ML-DSA-65, ML-DSA-87" };
        for kty in ["akp", "OKP", ""] {
            assert_eq!(is(Jwk { kty: kty.to_string(), ..right.clone() }), malformed("kty AKP"));
        }
        for alg in ["ml-dsa-65", "ML-KEM-768", ""] {
            assert_eq!(is(Jwk { alg: alg.to_string(), ..right.clone() }), unknown);
        }
        let other = Error::AlgorithmMismatch {
            field: Field::VerifyingKey,
            expected: "ML-DSA-44",
            actual: "ML-DSA-65",
        };
        assert_eq!(is(Jwk { alg: "ML-DSA-44".to_string(), ..right.clone() }), other);
        // Padded, of the other alphabet, with an unused bit that is set.
        for (cut, tail) in [(0, "="), (1, "+"), (1, "d")] {
            let public = right.public[..right.public.len() - cut].to_string() + tail;
            let refused = is(Jwk { public, ..right.clone() });
            assert_eq!(refused, malformed("pub in base64url"), "{tail}");
        }
        let public = right.public[4..].to_string();
        assert!(matches!(is(Jwk { public, ..right }), Error::Length { .. }));
    }
}
