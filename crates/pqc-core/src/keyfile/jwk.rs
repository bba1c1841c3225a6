//! Keys as JSON Web Keys (RFC 7517) of type `AKP`: ML-DSA's as RFC 9964 has them, ML-KEM's alike
//! (draft-ietf-jose-pqc-kem). X-Wing has no name there.
//!
//! [`Jwk`] is a public key, [`PrivateJwk`] a private one. Both are serde values: which JSON library
//! writes and reads them, and whether it wipes what it held, is the caller's.

use alloc::string::{String, ToString};
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{KeyAlgorithm, PrivateKey, PublicKey};
use crate::error::{Error, Field};
use crate::kem::KemAlgorithm;
use crate::secret::SecretVec;
use crate::sign::{SignatureAlgorithm, VerifyingKey};

/// A public key in JSON. Members beside these are ignored on reading.
///
/// ```
/// use pqc_core::keyfile::{Jwk, PublicKey};
/// use pqc_core::{SignatureAlgorithm, SigningKey};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let key = SigningKey::generate(SignatureAlgorithm::MlDsa65, &mut getrandom::SysRng)?;
/// let json = serde_json::to_string(&Jwk::from(key.verifying_key())).unwrap();
/// assert!(json.starts_with(r#"{"kty":"AKP","alg":"ML-DSA-65","pub":""#));
///
/// let read: Jwk = serde_json::from_str(&json).unwrap();
/// assert_eq!(PublicKey::try_from(&read)?, PublicKey::from(key.verifying_key().clone()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Jwk {
    /// The key type: `AKP`.
    pub kty: String,
    /// The algorithm, such as `ML-DSA-65`.
    pub alg: String,
    /// The encoded public key in base64url.
    #[serde(rename = "pub")]
    pub public: String,
    /// The key's name: its thumbprint (RFC 7638) in base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// What it is for: `sig`, or `enc` for an encapsulation key.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// A private key in JSON, by its seed: 32 bytes for ML-DSA, 64 for ML-KEM. Secret.
///
/// Members beside these are ignored on reading.
///
/// ```
/// use pqc_core::keyfile::{PrivateJwk, PrivateKey};
/// use pqc_core::{DecapsulationKey, KemAlgorithm};
/// # fn main() -> Result<(), pqc_core::Error> {
/// let key = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut getrandom::SysRng)?;
/// let key = PrivateKey::from(key);
/// let json = serde_json::to_string(&PrivateJwk::try_from(&key)?).unwrap();
///
/// let read: PrivateJwk = serde_json::from_str(&json).unwrap();
/// assert_eq!(PrivateKey::try_from(&read)?.public_key(), key.public_key());
/// # Ok(())
/// # }
/// ```
#[derive(serde::Serialize, serde::Deserialize)]
pub struct PrivateJwk {
    /// The key type: `AKP`.
    pub kty: String,
    /// The algorithm, such as `ML-DSA-65`.
    pub alg: String,
    /// The encoded public key in base64url.
    #[serde(rename = "pub")]
    pub public: String,
    /// The seed in base64url.
    #[serde(rename = "priv")]
    pub private: Zeroizing<String>,
}

impl fmt::Debug for PrivateJwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateJwk")
            .field("alg", &self.alg)
            .field("private", &format_args!("[redacted]"))
            .finish_non_exhaustive()
    }
}

impl From<&VerifyingKey> for Jwk {
    fn from(key: &VerifyingKey) -> Self {
        Self::new(key.algorithm().name(), key.as_bytes(), "sig")
    }
}

impl TryFrom<&PublicKey> for Jwk {
    type Error = Error;

    /// # Errors
    /// [`Error::UnknownAlgorithm`]: X-Wing.
    fn try_from(key: &PublicKey) -> Result<Self, Error> {
        let alg = name(key.algorithm())?;
        Ok(match key {
            PublicKey::Encapsulation(key) => Self::new(alg, key.as_bytes(), "enc"),
            PublicKey::Verifying(key) => key.into(),
        })
    }
}

impl Jwk {
    fn new(alg: &str, public: &[u8], usage: &str) -> Self {
        let public = Base64UrlUnpadded::encode_string(public);
        // RFC 7638: the required members in lexicographic order, without white space.
        let canonical = alloc::format!(r#"{{"alg":"{alg}","kty":"AKP","pub":"{public}"}}"#);
        let thumbprint = Base64UrlUnpadded::encode_string(&Sha256::digest(canonical));
        Self {
            kty: "AKP".to_string(),
            alg: alg.to_string(),
            public,
            kid: Some(thumbprint),
            usage: Some(usage.to_string()),
        }
    }
}

impl TryFrom<&Jwk> for PublicKey {
    type Error = Error;

    /// # Errors
    /// [`Error::Malformed`]: another key type, or `pub` is not base64url;
    /// [`Error::UnknownAlgorithm`]; [`Error::Length`]: not the algorithm's;
    /// [`Error::EncapsulationKeyModulus`].
    fn try_from(jwk: &Jwk) -> Result<Self, Error> {
        let algorithm = algorithm(&jwk.kty, &jwk.alg)?;
        let bytes = Base64UrlUnpadded::decode_vec(&jwk.public)
            .map_err(|_| malformed("pub in base64url"))?;
        Self::from_bytes(algorithm, &bytes)
    }
}

impl TryFrom<&Jwk> for VerifyingKey {
    type Error = Error;

    /// # Errors
    /// As for a [`PublicKey`]; [`Error::UnknownAlgorithm`] for one that is not ML-DSA's, too.
    fn try_from(jwk: &Jwk) -> Result<Self, Error> {
        match PublicKey::try_from(jwk)? {
            PublicKey::Verifying(key) => Ok(key),
            PublicKey::Encapsulation(_) => {
                Err(Error::UnknownAlgorithm { known: SignatureAlgorithm::NAMES })
            }
        }
    }
}

impl TryFrom<&PrivateKey> for PrivateJwk {
    type Error = Error;

    /// # Errors
    /// [`Error::NoSeed`]: the key was read in expanded form; [`Error::UnknownAlgorithm`]: X-Wing.
    fn try_from(key: &PrivateKey) -> Result<Self, Error> {
        let alg = name(key.algorithm())?;
        let seed = key.expose_seed().ok_or(Error::NoSeed)?;
        Ok(Self {
            kty: "AKP".to_string(),
            alg: alg.to_string(),
            public: Base64UrlUnpadded::encode_string(key.public_key().as_bytes()),
            private: Zeroizing::new(Base64UrlUnpadded::encode_string(seed)),
        })
    }
}

impl TryFrom<&PrivateJwk> for PrivateKey {
    type Error = Error;

    /// # Errors
    /// [`Error::Malformed`]: another key type, or `pub` or `priv` is not base64url;
    /// [`Error::UnknownAlgorithm`]; [`Error::Length`]: the seed is not as long as the algorithm's;
    /// [`Error::InconsistentKeyFile`]: the public key is not the seed's.
    fn try_from(jwk: &PrivateJwk) -> Result<Self, Error> {
        let algorithm = algorithm(&jwk.kty, &jwk.alg)?;
        // Decoded in a place that is wiped even where the last character is wrong.
        let mut place = SecretVec::zeroed(jwk.private.len());
        let seed = Base64UrlUnpadded::decode(&*jwk.private, place.expose_bytes_mut())
            .map_err(|_| malformed("priv in base64url"))?;
        let key = Self::from_seed(algorithm, seed)?;
        let public = Base64UrlUnpadded::decode_vec(&jwk.public)
            .map_err(|_| malformed("pub in base64url"))?;
        if public != key.public_key().as_bytes() {
            return Err(Error::InconsistentKeyFile { parts: "private key and public key" });
        }
        Ok(key)
    }
}

/// The algorithm that the members name. RFC 7517: `alg` is case-sensitive.
fn algorithm(kty: &str, alg: &str) -> Result<KeyAlgorithm, Error> {
    if kty != "AKP" {
        return Err(malformed("kty AKP"));
    }
    let named = KeyAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == alg);
    let algorithm = named.ok_or(UNKNOWN)?;
    name(algorithm).map(|_| algorithm)
}

/// The name in `alg`.
fn name(algorithm: KeyAlgorithm) -> Result<&'static str, Error> {
    match algorithm {
        KeyAlgorithm::Kem(KemAlgorithm::XWing) => Err(UNKNOWN),
        _ => Ok(algorithm.name()),
    }
}

const fn malformed(expected: &'static str) -> Error {
    Error::Malformed { field: Field::Jwk, expected }
}

const UNKNOWN: Error = Error::UnknownAlgorithm {
    known: "ML-KEM-512, ML-KEM-768, ML-KEM-1024, ML-DSA-44, ML-DSA-65, ML-DSA-87",
};

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;
    use crate::kem::DecapsulationKey;
    use crate::secret::Secret;
    use crate::sign::SigningKey;

    fn private_keys() -> [PrivateKey; 2] {
        [
            DecapsulationKey::from_seed_bytes(KemAlgorithm::MlKem512, &[7; 64]).unwrap().into(),
            SigningKey::from_seed(SignatureAlgorithm::MlDsa44, Secret::from([7; 32])).into(),
        ]
    }

    #[test]
    fn each_wrong_member_is_refused() {
        let key = VerifyingKey::from_bytes(&vec![7; 1952]).unwrap();
        let right = Jwk::from(&key);
        assert_eq!(VerifyingKey::try_from(&right), Ok(key));

        let is = |jwk: Jwk| VerifyingKey::try_from(&jwk).unwrap_err();
        for kty in ["akp", "OKP", ""] {
            assert_eq!(is(Jwk { kty: kty.to_string(), ..right.clone() }), malformed("kty AKP"));
        }
        for alg in ["ml-dsa-65", "X-Wing", ""] {
            assert_eq!(is(Jwk { alg: alg.to_string(), ..right.clone() }), UNKNOWN);
        }
        let other = Jwk { alg: "ML-DSA-44".to_string(), ..right.clone() };
        assert!(matches!(is(other), Error::Length { actual: 1952, .. }));
        // Padded, of the other alphabet, with an unused bit that is set.
        for (cut, tail) in [(0, "="), (1, "+"), (1, "d")] {
            let public = right.public[..right.public.len() - cut].to_string() + tail;
            let refused = is(Jwk { public, ..right.clone() });
            assert_eq!(refused, malformed("pub in base64url"), "{tail}");
        }
        let public = right.public[4..].to_string();
        assert!(matches!(is(Jwk { public, ..right }), Error::Length { .. }));
    }

    #[test]
    fn an_encapsulation_key_is_no_verifying_key() {
        let [kem, _] = private_keys();
        let jwk = Jwk::try_from(&kem.public_key()).unwrap();
        assert_eq!((jwk.alg.as_str(), jwk.usage.as_deref()), ("ML-KEM-512", Some("enc")));
        assert_eq!(PublicKey::try_from(&jwk), Ok(kem.public_key()));
        let known = SignatureAlgorithm::NAMES;
        assert_eq!(VerifyingKey::try_from(&jwk), Err(Error::UnknownAlgorithm { known }));
        let unreduced = Jwk { public: Base64UrlUnpadded::encode_string(&[0xff; 800]), ..jwk };
        assert_eq!(PublicKey::try_from(&unreduced), Err(Error::EncapsulationKeyModulus));
    }

    #[test]
    fn a_private_key_needs_its_own_public_key_and_a_whole_seed() {
        for key in private_keys() {
            let right = || PrivateJwk::try_from(&key).unwrap();
            let read = PrivateKey::try_from(&right()).unwrap();
            assert_eq!(read.public_key(), key.public_key());
            assert_eq!(read.expose_seed(), key.expose_seed());

            let is = |jwk: PrivateJwk| PrivateKey::try_from(&jwk).unwrap_err();
            let seed = |text: String| PrivateJwk { private: Zeroizing::new(text), ..right() };
            assert_eq!(is(PrivateJwk { kty: "OKP".to_string(), ..right() }), malformed("kty AKP"));
            assert_eq!(is(PrivateJwk { alg: "AKP".to_string(), ..right() }), UNKNOWN);
            let private = right().private;
            assert_eq!(is(seed(format!("{}=", *private))), malformed("priv in base64url"));
            assert!(matches!(is(seed(private[4..].to_string())), Error::Length { .. }));
            let parts = "private key and public key";
            let other = seed(format!("A{}", &private[1..]));
            assert_eq!(is(other), Error::InconsistentKeyFile { parts });
            let public = right().public[4..].to_string();
            assert_eq!(is(PrivateJwk { public, ..right() }), Error::InconsistentKeyFile { parts });
            let public = "=".to_string();
            assert_eq!(is(PrivateJwk { public, ..right() }), malformed("pub in base64url"));
        }
    }

    #[test]
    fn what_has_no_seed_or_no_name_is_not_written() {
        let [kem, signing] = private_keys();
        for key in [kem, signing] {
            let expanded = key.expose_expanded().unwrap().expose_bytes();
            let expanded = PrivateKey::from_expanded(key.algorithm(), expanded).unwrap();
            assert_eq!(PrivateJwk::try_from(&expanded).unwrap_err(), Error::NoSeed);
        }
        let x_wing = PrivateKey::from(DecapsulationKey::from_x_wing_seed(Secret::from([7; 32])));
        assert_eq!(PrivateJwk::try_from(&x_wing).unwrap_err(), UNKNOWN);
        assert_eq!(Jwk::try_from(&x_wing.public_key()), Err(UNKNOWN));
    }

    #[test]
    fn debug_shows_no_secret() {
        for key in private_keys() {
            let jwk = PrivateJwk::try_from(&key).unwrap();
            let shown = format!("{jwk:?}");
            assert!(shown.contains("[redacted]"));
            assert!(!shown.contains(&jwk.private[..8]));
        }
    }
}
