//! The documents: a prompt as far as it is read, and the answers' parts.
//!
//! What names a case has to be there, or nothing can be said of it. Any other member may be absent
//! or of a wrong form without harm to other cases: only the case that asks for it fails.

use alloc::string::String;
use alloc::vec::Vec;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Reason;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prompt {
    pub(super) vs_id: Option<u64>,
    pub(super) algorithm: String,
    pub(super) mode: Option<String>,
    pub(super) revision: String,
    pub(super) is_sample: Option<bool>,
    pub(super) test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) tg_id: u64,
    #[serde(default)]
    pub(super) test_type: Member<String>,
    #[serde(default)]
    pub(super) parameter_set: Member<String>,
    #[serde(default)]
    pub(super) function: Member<String>,
    #[serde(default)]
    pub(super) deterministic: Member<bool>,
    #[serde(default)]
    pub(super) signature_interface: Member<String>,
    #[serde(default)]
    pub(super) pre_hash: Member<String>,
    #[serde(default)]
    pub(super) external_mu: Member<bool>,
    #[serde(default)]
    pub(super) direction: Member<String>,
    #[serde(default)]
    pub(super) iv_gen: Member<String>,
    #[serde(default)]
    pub(super) key_len: Member<u64>,
    #[serde(default)]
    pub(super) iv_len: Member<u64>,
    #[serde(default)]
    pub(super) payload_len: Member<u64>,
    #[serde(default)]
    pub(super) aad_len: Member<u64>,
    #[serde(default)]
    pub(super) tag_len: Member<u64>,
    pub(super) tests: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Case {
    pub(super) tc_id: u64,
    #[serde(default)]
    pub(super) d: Member<Hex>,
    #[serde(default)]
    pub(super) z: Member<Hex>,
    #[serde(default)]
    pub(super) ek: Member<Hex>,
    #[serde(default)]
    pub(super) dk: Member<Hex>,
    #[serde(default)]
    pub(super) m: Member<Hex>,
    #[serde(default)]
    pub(super) c: Member<Hex>,
    #[serde(default)]
    pub(super) seed: Member<Hex>,
    #[serde(default)]
    pub(super) sk: Member<Hex>,
    #[serde(default)]
    pub(super) pk: Member<Hex>,
    #[serde(default)]
    pub(super) rnd: Member<Hex>,
    #[serde(default)]
    pub(super) message: Member<Hex>,
    #[serde(default)]
    pub(super) mu: Member<Hex>,
    #[serde(default)]
    pub(super) context: Member<Hex>,
    #[serde(default)]
    pub(super) hash_alg: Member<String>,
    #[serde(default)]
    pub(super) signature: Member<Hex>,
    #[serde(default)]
    pub(super) key: Member<Hex>,
    #[serde(default)]
    pub(super) iv: Member<Hex>,
    #[serde(default)]
    pub(super) aad: Member<Hex>,
    #[serde(default)]
    pub(super) pt: Member<Hex>,
    #[serde(default)]
    pub(super) ct: Member<Hex>,
    #[serde(default)]
    pub(super) tag: Member<Hex>,
}

/// A member that only those cases need that ask for it.
#[derive(Default)]
pub(super) enum Member<T> {
    #[default]
    Absent,
    Malformed,
    Given(T),
}

impl<T: Form> Member<T> {
    /// The value; `member` is the name for when there is none.
    pub(super) fn get(&self, member: &'static str) -> Result<&T, Reason> {
        match self {
            Self::Absent => Err(Reason::Missing { member }),
            Self::Malformed => Err(Reason::Malformed { member, expected: T::EXPECTED }),
            Self::Given(value) => Ok(value),
        }
    }
}

impl Member<Hex> {
    pub(super) fn bytes(&self, member: &'static str) -> Result<&[u8], Reason> {
        Ok(&self.get(member)?.0)
    }

    /// The bytes, if they are `expected` in number.
    pub(super) fn sized(&self, member: &'static str, expected: usize) -> Result<&[u8], Reason> {
        let bytes = self.bytes(member)?;
        if bytes.len() != expected {
            return Err(Reason::Length { member, expected, actual: bytes.len() });
        }
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&self, member: &'static str) -> Result<[u8; N], Reason> {
        let bytes = self.bytes(member)?;
        let actual = bytes.len();
        bytes.try_into().map_err(|_| Reason::Length { member, expected: N, actual })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either<T> {
            Given(T),
            Malformed(IgnoredAny),
        }
        Ok(match Either::deserialize(deserializer)? {
            Either::Given(value) => Self::Given(value),
            Either::Malformed(_) => Self::Malformed,
        })
    }
}

/// The form of a member's value, for people.
pub(super) trait Form {
    const EXPECTED: &'static str;
}

impl Form for bool {
    const EXPECTED: &'static str = "true or false";
}

impl Form for u64 {
    const EXPECTED: &'static str = "a whole number";
}

impl Form for String {
    const EXPECTED: &'static str = "a text";
}

impl Form for Hex {
    const EXPECTED: &'static str = "whole bytes in hexadecimal";
}

/// Bytes in hexadecimal: read in any case, written in upper case as ACVP has them.
#[derive(Debug)]
pub(super) struct Hex(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode_upper(&self.0))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupAnswers {
    pub(super) tg_id: u64,
    pub(super) tests: Vec<CaseAnswer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CaseAnswer {
    pub(super) tc_id: u64,
    #[serde(flatten)]
    pub(super) answer: Answer,
}

/// What a case's answer consists of, by its function.
#[derive(Debug, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum Answer {
    KemKeyPair { ek: Hex, dk: Hex },
    Encapsulated { c: Hex, k: Hex },
    Decapsulated { k: Hex },
    SigningKeyPair { pk: Hex, sk: Hex },
    Signed { signature: Hex },
    Verdict { test_passed: bool },
    Sealed { ct: Hex, tag: Hex },
    Opened { pt: Hex },
    Unanswered { unanswered: Reason },
}

impl Answer {
    /// How long its values are, in bytes before their encoding.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::KemKeyPair { ek: a, dk: b }
            | Self::Encapsulated { c: a, k: b }
            | Self::SigningKeyPair { pk: a, sk: b }
            | Self::Sealed { ct: a, tag: b } => a.0.len().saturating_add(b.0.len()),
            Self::Decapsulated { k: a }
            | Self::Signed { signature: a }
            | Self::Opened { pt: a } => a.0.len(),
            Self::Verdict { .. } | Self::Unanswered { .. } => 0,
        }
    }
}
