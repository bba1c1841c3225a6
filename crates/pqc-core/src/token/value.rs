//! What a token is made of (base64url: RFC 4648, Section 5), and what a store keeps in its place
//! (SHA-256: FIPS 180-4).

use alloc::string::String;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::aead;
use crate::error::{Error, Field};
use crate::secret::Secret;

/// What a token is: the account's own, or one lent for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Belongs to an account, lives until it is reset, may do everything for that account.
    Root,
    /// Minted by a root token, with an expiry and a count of attempts; never mints.
    Temporary,
}

impl TokenKind {
    const ALL: [Self; 2] = [Self::Root, Self::Temporary];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Root => "pqc_r_",
            Self::Temporary => "pqc_t_",
        }
    }
}

/// A token's value: `pqc_r_` or `pqc_t_` and 32 random bytes in base64url (49 characters in all).
/// Secret: whoever holds it, acts with it.
///
/// ```
/// use pqc_core::token::{TokenHash, TokenKind, TokenValue};
/// let token = TokenValue::generate(TokenKind::Temporary, &mut getrandom::SysRng)?;
/// let text = token.expose_text(); // for its owner
/// assert!(text.starts_with("pqc_t_") && text.len() == 49);
/// let kept: [u8; 32] = *token.hash().as_bytes(); // for the store
///
/// let shown = TokenValue::parse(&text)?;
/// assert_eq!(shown.kind(), TokenKind::Temporary);
/// assert_eq!(shown.hash(), TokenHash::from_bytes(kept));
/// assert!(TokenValue::parse("pqc_t_guess").is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// It is not printed, nor compared: a store finds it by its hash.
/// ```compile_fail,E0277
/// # fn f(token: pqc_core::token::TokenValue) {
/// println!("{token}");
/// # }
/// ```
/// ```compile_fail,E0369
/// # fn f(shown: pqc_core::token::TokenValue, kept: pqc_core::token::TokenValue) {
/// let same = shown == kept;
/// # }
/// ```
#[derive(Debug)]
pub struct TokenValue {
    kind: TokenKind,
    random: Secret<32>,
}

impl TokenValue {
    /// A new value from 32 random bytes.
    ///
    /// # Errors
    /// [`Error::Randomness`]: the generator failed.
    pub fn generate(
        kind: TokenKind,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<Self, Error> {
        Ok(Self { kind, random: Secret::generate(rng)? })
    }

    /// Reads the text form. Each value has one text form only.
    ///
    /// # Errors
    /// [`Error::Malformed`]: not a token of this service.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const MALFORMED: Error = Error::Malformed {
            field: Field::Token,
            expected: "pqc_r_ or pqc_t_ and 43 characters of base64url",
        };
        for kind in TokenKind::ALL {
            if let Some(encoded) = text.strip_prefix(kind.prefix()) {
                let random =
                    Secret::fill_with(|bytes| match Base64UrlUnpadded::decode(encoded, bytes) {
                        Ok(decoded) if decoded.len() == 32 => Ok(()),
                        _ => Err(MALFORMED),
                    })?;
                return Ok(Self { kind, random });
            }
        }
        Err(MALFORMED)
    }

    /// The text form, for the one moment in which its owner is shown it.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(self.kind.prefix());
        let encoded = Zeroizing::new(Base64UrlUnpadded::encode_string(self.random.expose_bytes()));
        text.push_str(&encoded);
        text
    }

    /// Root or temporary.
    #[must_use]
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// A key for the purpose that `label` names and for `context` of a fixed length, which who has
    /// but the hash cannot derive.
    pub(crate) fn derive(&self, label: &[u8], context: &[u8; 32]) -> Secret<32> {
        aead::derive(&self.random, &[label, self.kind.prefix().as_bytes(), context])
    }

    /// What a store keeps in the token's place.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.expose_text().as_bytes()).into())
    }
}

/// SHA-256 of a token's text: enough to find its record, useless to act with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
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

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}
