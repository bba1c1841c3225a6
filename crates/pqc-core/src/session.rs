//! A browser's session: what its cookie holds, what a store keeps in its place, and whether it lives.
//!
//! [`SessionValue::generate`] makes the value for a cookie, and a store keeps but its hash. From the
//! value comes the token of the forms that the browser is given: who can send a form from elsewhere,
//! but cannot read the cookie, cannot know it. Whether a session lives, [`authenticate`] says; time
//! and the root token that it hangs on come from the caller.

use alloc::string::String;
use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::aead;
use crate::error::{Error, Field};
use crate::secret::Secret;
use crate::time::Timestamp;
use crate::token::{self, Refusal, TokenKind, TokenState};

/// How long a session lives: 12 hours.
pub const LIFETIME_SECONDS: u64 = 12 * 60 * 60;

/// The value of a session: `pqc_s_` and 32 random bytes in base64url (49 characters in all). Secret:
/// whoever holds it is signed in.
///
/// ```
/// use pqc_core::session::SessionValue;
/// let session = SessionValue::generate(&mut getrandom::SysRng)?;
/// let again = SessionValue::parse(&session.expose_text())?;
/// assert_eq!(again.hash(), session.hash());
/// assert!(again.is_form_token(&session.form_token()));
///
/// let other = SessionValue::generate(&mut getrandom::SysRng)?;
/// assert!(!session.is_form_token(&other.form_token()));
/// assert!(!session.is_form_token(&session.expose_text()) && !session.is_form_token(""));
/// assert!(SessionValue::parse("pqc_s_guess").is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// It is not printed:
/// ```compile_fail,E0277
/// # fn f(session: pqc_core::session::SessionValue) {
/// println!("{session}");
/// # }
/// ```
#[derive(Debug)]
pub struct SessionValue(Secret<32>);

impl SessionValue {
    /// A new value from 32 random bytes.
    ///
    /// # Errors
    /// [`Error::Randomness`]: the generator failed.
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, Error> {
        Secret::generate(rng).map(Self)
    }

    /// Reads the text form. Each value has one text form only.
    ///
    /// # Errors
    /// [`Error::Malformed`]: not a session of this service.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const MALFORMED: Error = Error::Malformed {
            field: Field::Token,
            expected: "pqc_s_ and 43 characters of base64url",
        };
        let encoded = text.strip_prefix(PREFIX).ok_or(MALFORMED)?;
        Secret::fill_with(|bytes| match Base64UrlUnpadded::decode(encoded, bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(()),
            _ => Err(MALFORMED),
        })
        .map(Self)
    }

    /// The text form, for the cookie.
    #[must_use]
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        text.push_str(&encoded(&self.0));
        text
    }

    /// What a store keeps in its place.
    #[must_use]
    pub fn hash(&self) -> SessionHash {
        SessionHash(Sha256::digest(self.expose_text().as_bytes()).into())
    }

    /// What the forms of this session carry (43 characters of base64url): by HKDF-SHA-256 from the
    /// value, which it does not give away.
    #[must_use]
    pub fn form_token(&self) -> Zeroizing<String> {
        encoded(&aead::derive(&self.0, &[b"pqc/v1/session/form"]))
    }

    /// Whether `text` is [`Self::form_token`], in time that does not depend on where they differ.
    #[must_use]
    pub fn is_form_token(&self, text: &str) -> bool {
        self.form_token().as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// SHA-256 of a session's text: enough to find its record, useless to act with.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionHash([u8; 32]);

impl SessionHash {
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

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHash(..)")
    }
}

/// Whether a session that ends at `expires_at` lives at `now`. It hangs on the root token that began
/// it: it ends when that is reset or revoked, and when its account is disabled.
///
/// # Errors
/// Those of [`token::authenticate`] for the root token. [`Refusal::Expired`]: the session's own time
/// is over. [`Refusal::Unknown`]: the token is no root token.
pub fn authenticate(
    expires_at: Timestamp,
    root: &TokenState,
    now: Timestamp,
) -> Result<(), Refusal> {
    token::authenticate(root, now)?;
    if root.kind != TokenKind::Root {
        return Err(Refusal::Unknown);
    }
    if now >= expires_at {
        return Err(Refusal::Expired);
    }
    Ok(())
}

fn encoded(bytes: &Secret<32>) -> Zeroizing<String> {
    Zeroizing::new(Base64UrlUnpadded::encode_string(bytes.expose_bytes()))
}

const PREFIX: &str = "pqc_s_";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Scope;
    use alloc::borrow::ToOwned;
    use alloc::format;

    fn root() -> TokenState {
        TokenState {
            kind: TokenKind::Root,
            scope: Scope::FULL,
            expires_at: None,
            attempts_left: None,
            revoked: false,
            account_disabled: false,
        }
    }

    #[test]
    fn a_session_ends_with_its_time_its_root_token_and_its_account() {
        let (end, now) = (Timestamp::from_seconds(100), Timestamp::from_seconds(99));
        let of = |root: TokenState, now| authenticate(end, &root, now);
        assert_eq!(of(root(), now), Ok(()));
        assert_eq!(of(root(), end), Err(Refusal::Expired));
        assert_eq!(of(TokenState { revoked: true, ..root() }, now), Err(Refusal::Revoked));
        let disabled = TokenState { account_disabled: true, ..root() };
        assert_eq!(of(disabled, now), Err(Refusal::AccountDisabled));
        let temporary = TokenState {
            kind: TokenKind::Temporary,
            expires_at: Some(end),
            attempts_left: Some(1),
            ..root()
        };
        assert_eq!(of(temporary, now), Err(Refusal::Unknown));
    }

    /// Stored hashes and forms that are open in a browser outlive an update of the program.
    #[test]
    fn what_comes_of_a_value_stays_as_it_is() {
        let value = SessionValue(Secret::from([7; 32]));
        let text = value.expose_text();
        assert_eq!(*text, "pqc_s_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc");
        assert_eq!(SessionValue::parse(&text).unwrap().hash(), value.hash());
        assert_eq!(value.hash().0[..4], [0x82, 0x92, 0xde, 0x2a]);
        assert_eq!(*value.form_token(), "7d28yLU6-wuGy3riRxWP6-c0V6iIf_IYOfW4HGlbq6U");
    }

    #[test]
    fn each_value_has_one_text() {
        let text = SessionValue(Secret::from([7; 32])).expose_text();
        for wrong in [
            text.replace("pqc_s_", "pqc_r_"),
            text.replace("pqc_s_", ""),
            format!("{}A", *text),
            format!("{}=", *text),
            text.replace("Bwc", "Bw+"),
            text.trim_end_matches('c').to_owned() + "d",
        ] {
            assert!(SessionValue::parse(&wrong).is_err(), "{wrong}");
        }
    }
}
