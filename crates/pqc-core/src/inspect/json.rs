//! JSON documents: keys, sets of keys, NIST's prompts and answers.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

use super::{Description, Encoding, Kind};
use crate::error::Error;
use crate::keyfile::{Jwk, PrivateJwk, PrivateKey, PublicKey};

/// The document that this text is, if it is a known one.
pub(super) fn describe(text: &[u8]) -> Option<Description> {
    if let Ok(key) = serde_json::from_slice::<Key>(text) {
        return Some(key.describe(text.len()));
    }
    if let Ok(set) = serde_json::from_slice::<KeySet>(text) {
        return Some(set.describe(text.len()));
    }
    serde_json::from_slice::<Acvp>(text).ok().map(|document| document.describe(text.len()))
}

/// A key of any type (RFC 7517).
#[derive(Deserialize)]
struct Key {
    kty: String,
    #[serde(default)]
    alg: String,
    #[serde(default, rename = "pub")]
    public: String,
    #[serde(rename = "priv")]
    private: Option<Zeroizing<String>>,
    // The secrets of other types: RSA and elliptic curves, and symmetric keys.
    d: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

impl Key {
    fn describe(self, length: usize) -> Description {
        let is_private = self.private.is_some() || self.d.is_some() || self.k.is_some();
        let kind = if is_private { Kind::UnknownPrivateKey } else { Kind::UnknownPublicKey };
        match self.read() {
            Ok((public, described)) => {
                let mut found = described;
                if let Some(kid) = Jwk::try_from(&public).ok().and_then(|jwk| jwk.kid) {
                    found.add("thumbprint", kid);
                }
                found
            }
            Err(error) => Description::new(kind, Encoding::Json, length).with_fault(&error),
        }
    }

    /// The public key, and the description of the one that stands there.
    fn read(self) -> Result<(PublicKey, Description), Error> {
        let Self { kty, alg, public, private, .. } = self;
        let Some(private) = private else {
            let jwk = Jwk { kty, alg, public, kid: None, usage: None };
            let key = PublicKey::try_from(&jwk)?;
            let described = Description::of_public_key(&key, Encoding::Json);
            return Ok((key, described));
        };
        let key = PrivateKey::try_from(&PrivateJwk { kty, alg, public, private })?;
        let seed_bytes = key.expose_seed().map_or(0, <[u8]>::len);
        let public = key.public_key();
        let mut described = Description::of_private_key(&public, Encoding::Json, seed_bytes);
        described.add("form", "seed");
        Ok((public, described))
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    fn describe(self, length: usize) -> Description {
        let keys: Vec<_> = self.keys.into_iter().map(|key| key.describe(length)).collect();
        // One secret makes it a file to keep.
        let is_secret = keys.iter().any(|key| key.kind.is_secret());
        let kind = if is_secret { Kind::UnknownPrivateKey } else { Kind::KeySet };
        let mut found = Description::new(kind, Encoding::Json, length);
        found.add("keys", alloc::format!("{}", keys.len()));
        for key in keys {
            let algorithm = key.algorithm.unwrap_or("of another algorithm");
            let name = key.fingerprint.map(hex::encode);
            let id = || key.key_id.map(|id| alloc::format!("key id {id}"));
            let name = name.map(|hash| alloc::format!("fingerprint {hash}")).or_else(id);
            found.add("key", alloc::format!("{algorithm} {}", name.unwrap_or_default()).trim_end());
        }
        found
    }
}

/// A prompt of NIST's ACVP, or the answers to one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acvp {
    algorithm: String,
    mode: Option<String>,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    test_type: Option<IgnoredAny>,
    tests: Vec<IgnoredAny>,
}

impl Acvp {
    fn describe(&self, length: usize) -> Description {
        // Answers name a group by its number alone.
        let is_prompt = self.test_groups.iter().any(|group| group.test_type.is_some());
        let kind = if is_prompt { Kind::AcvpPrompt } else { Kind::AcvpAnswers };
        let mut found = Description::new(kind, Encoding::Json, length);
        // Nothing of the text is shown but what is known.
        let known = |names: &[&'static str], name: &str| {
            names.iter().find(|known| **known == name).copied()
        };
        found.algorithm = known(&["ML-KEM", "ML-DSA", "ACVP-AES-GCM"], &self.algorithm);
        let mode = self.mode.as_deref().and_then(|mode| known(&MODES, mode));
        if let Some(mode) = mode {
            found.add("mode", mode);
        }
        let cases: usize = self.test_groups.iter().map(|group| group.tests.len()).sum();
        found.add("cases", alloc::format!("{cases} in {} groups", self.test_groups.len()));
        found
    }
}

const MODES: [&str; 4] = ["keyGen", "encapDecap", "sigGen", "sigVer"];
