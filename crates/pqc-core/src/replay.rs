//! What it takes to give a first answer again to who repeats a call, and to nobody else.
//!
//! [`Replay::of`] is the door: from a token's value and the caller's idempotency key come the id
//! under which an answer is kept, the key that seals it and the key that tells one request from
//! another. All three are HKDF-SHA-256 (RFC 5869) of the token's 32 random bytes, so a store, which
//! has but the hash of a token, can neither open an answer, nor tell of what request it is the
//! answer, nor whose idempotency key it was. Time, attempts and revocation are for others.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::aead::{self, XAES_256_GCM};
use crate::error::{Error, Field};
use crate::secret::{Secret, SecretVec};
use crate::token::TokenValue;

/// What a caller calls one of its requests: 1 to 255 visible ASCII characters.
///
/// ```
/// use pqc_core::replay::IdempotencyKey;
/// assert!(IdempotencyKey::parse("order-4711").is_ok());
/// for wrong in ["", "two words", "schlüssel", &"x".repeat(256)] {
///     assert!(IdempotencyKey::parse(wrong).is_err());
/// }
/// ```
pub struct IdempotencyKey(Zeroizing<String>);

impl IdempotencyKey {
    /// The most characters.
    pub const MAX_LENGTH: usize = 255;

    /// Reads the text.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_visible && (1..=Self::MAX_LENGTH).contains(&text.len()) {
            return Ok(Self(Zeroizing::new(text.into())));
        }
        let expected = "1 to 255 visible ASCII characters";
        Err(Error::Malformed { field: Field::IdempotencyKey, expected })
    }
}

/// A call that can be repeated: what the token's holder, and who the holder tells, can derive. Key
/// material.
///
/// ```
/// use pqc_core::replay::{IdempotencyKey, Replay, RequestDigest};
/// use pqc_core::token::{TokenKind, TokenValue};
/// # let rng = &mut getrandom::SysRng;
/// let token = TokenValue::generate(TokenKind::Temporary, rng)?;
/// let key = IdempotencyKey::parse("order-4711")?;
/// let replay = Replay::of(&token, &key);
/// let request = replay.request(&RequestDigest::of(&[b"POST /api/token/new", b"", b"{}"]));
/// let kept = replay.seal(&request, b"the answer", rng)?; // for the store
///
/// // Who comes again with the same token, key and request has the answer; nobody else does.
/// let again = Replay::of(&token, &key);
/// assert_eq!(again.id(), replay.id());
/// assert_eq!(again.open(&request, &kept)?.expose_bytes(), b"the answer");
/// let other = Replay::of(&TokenValue::generate(TokenKind::Temporary, rng)?, &key);
/// assert!(other.id() != replay.id() && other.open(&request, &kept).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    id: ReplayId,
    request_key: Secret<32>,
    answer_key: Secret<32>,
}

impl Replay {
    /// That of this token's holder, under this idempotency key.
    #[must_use]
    pub fn of(token: &TokenValue, key: &IdempotencyKey) -> Self {
        // Hashed, since HKDF elsewhere takes no info of any length.
        let key: [u8; 32] = Sha256::digest(key.0.as_bytes()).into();
        let derive = |label| token.derive(label, &key);
        Self {
            id: ReplayId(*derive(b"pqc/v1/replay/id").expose_bytes()),
            request_key: derive(b"pqc/v1/replay/request"),
            answer_key: derive(b"pqc/v1/replay/answer"),
        }
    }

    /// Under what the answer is kept.
    #[must_use]
    pub fn id(&self) -> ReplayId {
        self.id
    }

    /// What tells this request from others, to who has the token alone.
    #[must_use]
    pub fn request(&self, digest: &RequestDigest) -> RequestHash {
        RequestHash(*aead::derive(&self.request_key, &[&digest.0]).expose_bytes())
    }

    /// Seals the answer to this request, under a fresh random nonce: 42 bytes more.
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::Internal`] for an answer beyond the AEAD's 64 GiB.
    pub fn seal(
        &self,
        request: &RequestHash,
        answer: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedAnswer, Error> {
        let data = self.associated_data(request);
        aead::seal(&self.answer_key, &HEAD, answer, &data, rng).map(SealedAnswer)
    }

    /// Opens the answer to this request.
    ///
    /// # Errors
    /// [`Error::SealBroken`]: of another token, idempotency key or request, or altered.
    pub fn open(&self, request: &RequestHash, sealed: &SealedAnswer) -> Result<SecretVec, Error> {
        let data = self.associated_data(request);
        aead::open(&self.answer_key, sealed.0.clone(), HEAD.len(), &data).ok_or(Error::SealBroken)
    }

    /// Every part has a fixed length.
    fn associated_data(&self, request: &RequestHash) -> Vec<u8> {
        [&HEAD[..], &self.id.0, &request.0].concat()
    }
}

/// Under what an answer is kept: of as little use to who has the store as the hash of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReplayId([u8; 32]);

impl ReplayId {
    /// From the 32 bytes that a store kept.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The parts of a request, hashed: SHA-256 of each part with its length before it.
pub struct RequestDigest([u8; 32]);

impl RequestDigest {
    /// Of these parts: what is called, and with what, byte by byte.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// What tells a request from others of the same token and idempotency key. It says nothing of the
/// request to who has not the token.
#[derive(Clone, Copy)]
pub struct RequestHash([u8; 32]);

impl RequestHash {
    /// From the 32 bytes that a store kept.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of the same request, in time that does not depend on where they differ.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// An answer for who comes again: `version (1) ‖ algorithm (1) ‖ nonce (24) ‖ ciphertext ‖
/// tag (16)`. Not secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedAnswer(Vec<u8>);

impl SealedAnswer {
    /// Reads the form that a store kept.
    ///
    /// # Errors
    /// [`Error::Malformed`]: too short. [`Error::UnknownFormat`]: another version or algorithm.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let field = Field::SealedAnswer;
        if bytes.len() < HEAD.len() + aead::OVERHEAD_BYTES {
            return Err(Error::Malformed { field, expected: "at least 42 bytes" });
        }
        if !bytes.starts_with(&HEAD) {
            return Err(Error::UnknownFormat { field });
        }
        Ok(Self(bytes))
    }

    /// The form for a store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

macro_rules! redacted {
    ($($kind:ident)+) => {$(
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($kind), "([redacted])"))
            }
        }
    )+};
}
redacted!(IdempotencyKey ReplayId RequestDigest RequestHash);

const FORMAT_VERSION: u8 = 1;
const HEAD: [u8; 2] = [FORMAT_VERSION, XAES_256_GCM];

#[cfg(test)]
mod tests {
    use super::*;
    use getrandom::SysRng;

    fn replay(key: &str) -> Replay {
        let token = TokenValue::parse("pqc_t_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc").unwrap();
        Replay::of(&token, &IdempotencyKey::parse(key).unwrap())
    }

    #[test]
    fn a_key_is_visible_text_of_some_length() {
        for key in ["!", "~", "a\"b", &"x".repeat(255)] {
            assert!(IdempotencyKey::parse(key).is_ok(), "{key}");
        }
        for key in ["", " ", "a b", "a\n", "\u{7f}", "é", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn a_root_token_and_a_temporary_one_have_nothing_in_common() {
        let random = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
        let of = |prefix: &str| {
            let token = TokenValue::parse(&alloc::format!("{prefix}{random}")).unwrap();
            Replay::of(&token, &IdempotencyKey::parse("k").unwrap())
        };
        let (root, temporary) = (of("pqc_r_"), of("pqc_t_"));
        assert!(root.id() != temporary.id());
        assert!(!root.answer_key.ct_eq(&temporary.answer_key));
        assert!(!root.request_key.ct_eq(&temporary.request_key));
        assert!(!root.request_key.ct_eq(&root.answer_key));
    }

    #[test]
    fn every_flipped_bit_breaks_the_seal() {
        let replay = replay("k");
        let request = replay.request(&RequestDigest::of(&[b"a"]));
        let sealed = replay.seal(&request, b"answer", &mut SysRng).unwrap();
        assert_eq!(replay.open(&request, &sealed).unwrap().expose_bytes(), b"answer");
        for bit in 0..sealed.as_bytes().len() * 8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let opened = SealedAnswer::from_bytes(bytes).and_then(|s| replay.open(&request, &s));
            assert!(opened.is_err(), "{bit}");
        }
        for short in 0..42 {
            let cut = sealed.as_bytes()[..short].to_vec();
            assert!(matches!(SealedAnswer::from_bytes(cut), Err(Error::Malformed { .. })));
        }
    }

    #[test]
    fn parts_are_told_from_one_another() {
        let replay = replay("k");
        let of = |parts: &[&[u8]]| replay.request(&RequestDigest::of(parts));
        let all = [
            of(&[]),
            of(&[b""]),
            of(&[b"", b""]),
            of(&[b"ab"]),
            of(&[b"a", b"b"]),
            of(&[b"", b"ab"]),
            of(&[b"ab", b""]),
        ];
        for (n, one) in all.iter().enumerate() {
            for (m, other) in all.iter().enumerate() {
                assert_eq!(one.ct_eq(other), n == m);
            }
        }
    }

    #[test]
    fn nothing_is_printed() {
        let replay = replay("my-key");
        let request = replay.request(&RequestDigest::of(&[b"a"]));
        let key = IdempotencyKey::parse("my-key").unwrap();
        let shown = alloc::format!("{replay:?} {request:?} {key:?} {:?}", RequestDigest::of(&[]));
        assert!(!shown.contains("my-key") && !shown.contains("07, 07"), "{shown}");
        assert_eq!(shown.matches("[redacted]").count(), 6, "{shown}");
    }
}
