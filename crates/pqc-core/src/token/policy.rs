//! Whether a token lives, what it may do, and what it may be minted for.

use super::scope::{Operation, Scope};
use super::value::TokenKind;
use crate::error::{Error, Field};
use crate::id::KeyId;
use crate::time::Timestamp;

/// A token's state, as a store keeps it; its account's standing included.
///
/// ```
/// use pqc_core::Timestamp;
/// use pqc_core::token::{MintPolicy, Refusal, Scope, TokenKind, TokenState, authenticate, spend};
/// let now = Timestamp::from_seconds(1_800_000_000);
/// let terms = MintPolicy::default().terms(now, Some(60), None)?; // a minute, single use
/// let token = TokenState {
///     kind: TokenKind::Temporary,
///     scope: Scope::FULL,
///     expires_at: Some(terms.expires_at),
///     attempts_left: Some(terms.attempts),
///     revoked: false,
///     account_disabled: false,
/// };
/// assert_eq!(authenticate(&token, now), Ok(()));
/// assert_eq!(authenticate(&token, now.plus_seconds(60)), Err(Refusal::Expired));
/// let spent = spend(&token, now).expect("one attempt is left");
/// assert_eq!(spend(&spent, now), Err(Refusal::Spent));
/// let revoked = TokenState { revoked: true, ..token };
/// assert_eq!(authenticate(&revoked, now), Err(Refusal::Revoked));
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenState {
    /// Root or temporary.
    pub kind: TokenKind,
    /// What it was narrowed to.
    pub scope: Scope,
    /// The first moment at which it is over; `None` for a root token.
    pub expires_at: Option<Timestamp>,
    /// The attempts left; `None` is without count (a root token).
    pub attempts_left: Option<u32>,
    /// Whether it was revoked or reset.
    pub revoked: bool,
    /// Whether its account is disabled.
    pub account_disabled: bool,
}

/// What a call asks of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Demand {
    /// One of the service's operations.
    Operation(Operation),
    /// Minting and administration: for root tokens only.
    Root,
    /// Any live token will do (asking about itself).
    Itself,
}

/// Why a token is not accepted. Callers are never told which; operators may count them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such token.
    #[error("unknown token")]
    Unknown,
    /// Its time is over.
    #[error("expired token")]
    Expired,
    /// No attempt is left.
    #[error("spent token")]
    Spent,
    /// It was revoked or reset.
    #[error("revoked token")]
    Revoked,
    /// Its account is disabled.
    #[error("disabled account")]
    AccountDisabled,
}

/// The token lives, but may not do this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token may not do this")]
pub struct OutOfScope;

/// Whether the token lives at `now`. It spends nothing. A temporary token without an expiry or a
/// count is none that [`MintPolicy`] made: it is taken as expired or spent.
///
/// # Errors
/// The first that applies of [`Refusal::AccountDisabled`], [`Refusal::Revoked`],
/// [`Refusal::Expired`], [`Refusal::Spent`]. [`Refusal::Unknown`] is for a store to say.
pub fn authenticate(token: &TokenState, now: Timestamp) -> Result<(), Refusal> {
    if token.account_disabled {
        return Err(Refusal::AccountDisabled);
    }
    if token.revoked {
        return Err(Refusal::Revoked);
    }
    let boundless = token.kind == TokenKind::Root;
    if token.expires_at.map_or(!boundless, |end| now >= end) {
        return Err(Refusal::Expired);
    }
    if token.attempts_left.map_or(!boundless, |left| left == 0) {
        return Err(Refusal::Spent);
    }
    Ok(())
}

/// Whether a living token may do what the call demands. It spends nothing.
///
/// A token narrowed to a key does no operation that cannot name a key; that the call names *this*
/// key is for [`authorize_key`], once the call is read.
///
/// ```
/// use pqc_core::token::{Demand, Operation, OperationSet, OutOfScope, Scope, TokenKind};
/// use pqc_core::token::{TokenState, authorize};
/// # use pqc_core::Timestamp;
/// let signs = Scope { operations: OperationSet::from_names(["sign"])?, key_id: None };
/// let token = TokenState {
///     kind: TokenKind::Temporary,
///     scope: signs,
/// #     expires_at: Some(Timestamp::from_seconds(1)),
/// #     attempts_left: Some(1),
/// #     revoked: false,
/// #     account_disabled: false,
///     // …
/// };
/// assert_eq!(authorize(&token, Demand::Operation(Operation::Sign)), Ok(()));
/// assert_eq!(authorize(&token, Demand::Operation(Operation::AesDecrypt)), Err(OutOfScope));
/// assert_eq!(authorize(&token, Demand::Root), Err(OutOfScope));
/// assert_eq!(authorize(&token, Demand::Itself), Ok(()));
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// # Errors
/// [`OutOfScope`].
pub fn authorize(token: &TokenState, demand: Demand) -> Result<(), OutOfScope> {
    let allowed = match (token.kind, demand) {
        (_, Demand::Itself) | (TokenKind::Root, _) => true,
        (TokenKind::Temporary, Demand::Root) => false,
        (TokenKind::Temporary, Demand::Operation(operation)) => {
            let names_a_key = !matches!(operation, Operation::KemGenerate | Operation::V1);
            token.scope.operations.contains(operation)
                && (names_a_key || token.scope.key_id.is_none())
        }
    };
    if allowed { Ok(()) } else { Err(OutOfScope) }
}

/// Whether the scope allows the key that the call uses; `None` is a key that is not stored here.
///
/// ```
/// use pqc_core::KeyId;
/// use pqc_core::token::{OperationSet, OutOfScope, Scope, authorize_key};
/// let mine = KeyId::Pair([7; 32]);
/// let scope = Scope { operations: OperationSet::ALL, key_id: Some(mine) };
/// assert_eq!(authorize_key(&scope, Some(mine)), Ok(()));
/// assert_eq!(authorize_key(&scope, Some(KeyId::Pair([8; 32]))), Err(OutOfScope));
/// assert_eq!(authorize_key(&scope, None), Err(OutOfScope));
/// assert_eq!(authorize_key(&Scope::FULL, None), Ok(()));
/// ```
///
/// # Errors
/// [`OutOfScope`].
pub fn authorize_key(scope: &Scope, used: Option<KeyId>) -> Result<(), OutOfScope> {
    match scope.key_id {
        Some(only) if used != Some(only) => Err(OutOfScope),
        _ => Ok(()),
    }
}

/// Spends one attempt: the state after it. This is the model of what a store does in one atomic
/// step.
///
/// # Errors
/// As [`authenticate`]; then nothing is spent.
pub fn spend(token: &TokenState, now: Timestamp) -> Result<TokenState, Refusal> {
    authenticate(token, now)?;
    let mut after = token.clone();
    if let Some(left) = &mut after.attempts_left {
        *left = left.checked_sub(1).ok_or(Refusal::Spent)?;
    }
    Ok(after)
}

/// The bounds for temporary tokens.
///
/// ```
/// use pqc_core::Timestamp;
/// use pqc_core::token::MintPolicy;
/// let now = Timestamp::from_seconds(0);
/// let policy = MintPolicy { max_lifetime_seconds: 3_600 };
/// let terms = policy.terms(now, None, None)?;
/// assert_eq!((terms.expires_at.seconds(), terms.attempts), (900, 1));
/// let terms = policy.terms(now, Some(3_600), Some(5))?;
/// assert_eq!((terms.expires_at.seconds(), terms.attempts), (3_600, 5));
/// assert!(policy.terms(now, Some(3_601), None).is_err());
/// assert!(policy.terms(now, None, Some(0)).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintPolicy {
    /// The longest lifetime in seconds.
    pub max_lifetime_seconds: u64,
}

impl MintPolicy {
    /// The lifetime in seconds when none is asked for.
    pub const DEFAULT_LIFETIME_SECONDS: u64 = 900;
    /// The attempts when no count is asked for: single use is the recommended way.
    pub const DEFAULT_ATTEMPTS: u32 = 1;
    /// The greatest count of attempts.
    pub const MAX_ATTEMPTS: u32 = 1_000_000;

    /// The terms of a temporary token minted at `now`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`]: the lifetime or the count of attempts.
    pub fn terms(
        &self,
        now: Timestamp,
        lifetime_seconds: Option<u64>,
        attempts: Option<u64>,
    ) -> Result<MintTerms, Error> {
        let default = Self::DEFAULT_LIFETIME_SECONDS.min(self.max_lifetime_seconds);
        let lifetime_seconds = lifetime_seconds.unwrap_or(default);
        if !(1..=self.max_lifetime_seconds).contains(&lifetime_seconds) {
            return Err(Error::OutOfRange {
                field: Field::TokenLifetime,
                min: 1,
                max: self.max_lifetime_seconds,
            });
        }
        let attempts = match attempts.map(u32::try_from) {
            None => Self::DEFAULT_ATTEMPTS,
            Some(Ok(count)) if (1..=Self::MAX_ATTEMPTS).contains(&count) => count,
            Some(_) => {
                return Err(Error::OutOfRange {
                    field: Field::TokenAttempts,
                    min: 1,
                    max: u64::from(Self::MAX_ATTEMPTS),
                });
            }
        };
        Ok(MintTerms { expires_at: now.plus_seconds(lifetime_seconds), attempts })
    }
}

impl Default for MintPolicy {
    /// At most a day.
    fn default() -> Self {
        Self { max_lifetime_seconds: 86_400 }
    }
}

/// What a temporary token is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintTerms {
    /// The first moment at which it is over.
    pub expires_at: Timestamp,
    /// How many calls it serves.
    pub attempts: u32,
}
