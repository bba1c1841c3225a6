//! Tokens: a temporary one from a root token, and what a token is.

use pqc_core::token::{OperationSet, TokenKind, TokenValue};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId};

use crate::call::{Call, Client};
use crate::error::Error;
use crate::wire::{self, Hex, NEW_TOKEN, TOKEN_SELF};

/// A temporary token that is asked for. What is `None` is as the server has it.
#[derive(Debug, Clone, Default)]
pub struct NewToken {
    /// How long it lives, in seconds: 900 unless it is said.
    pub lifetime_seconds: Option<u64>,
    /// How many calls it serves: 1 unless it is said.
    pub attempts: Option<u64>,
    /// The operations that it is narrowed to.
    pub operations: Option<OperationSet>,
    /// The stored key that it is narrowed to.
    pub key_id: Option<KeyId>,
    /// What its owner calls it.
    pub label: Option<String>,
}

/// A temporary token, just made. Secret: this is the only time it is seen.
#[derive(Debug)]
#[non_exhaustive]
pub struct Minted {
    /// The token.
    pub token: TokenValue,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// How many calls it serves.
    pub attempts: u32,
}

/// What a server says of a token. Not secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenInfo {
    /// Its name.
    pub id: TokenId,
    /// Root or temporary.
    pub kind: TokenKind,
    /// Whose it is.
    pub account: AccountId,
    /// What its owner calls it.
    pub label: Option<String>,
    /// The names of the operations that it is narrowed to, of which a later server may know more.
    pub operations: Option<Vec<String>>,
    /// The stored key that it is narrowed to.
    pub key_id: Option<KeyId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused; `None` of a root token.
    pub expires_at: Option<Timestamp>,
    /// How many calls it served at first; `None` of a root token.
    pub attempts: Option<u32>,
    /// How many calls it still serves; `None` of a root token.
    pub attempts_left: Option<u32>,
}

impl Client {
    /// Mints a temporary token; this client's token is a root token.
    ///
    /// ```no_run
    /// # async fn f(owner: pqc_client::Client) -> Result<(), pqc_client::Error> {
    /// use pqc_client::NewToken;
    /// let request = NewToken { lifetime_seconds: Some(60), ..NewToken::default() };
    /// let lent = owner.new_token(&request).await?;
    /// let borrower = owner.with_token(&lent.token)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error`]; refused are other tokens (403) and values out of their range (422).
    pub async fn new_token(&self, request: &NewToken) -> Result<Minted, Error> {
        let key_id = request.key_id.as_ref().map(|id| Hex(id.as_bytes()));
        let body = wire::NewToken {
            lifetime_seconds: request.lifetime_seconds,
            attempts: request.attempts,
            operations: request.operations.and_then(OperationSet::names),
            key_id,
            label: request.label.as_deref(),
        };
        let minted: wire::Minted = self.ask(Call::making(NEW_TOKEN, &body)?).await?;
        let token = TokenValue::parse(&minted.token.0);
        Ok(Minted {
            token: token.map_err(|_| not_understood(NEW_TOKEN, "it has no token"))?,
            expires_at: Timestamp::from_seconds(minted.expires_at),
            attempts: minted.attempts,
        })
    }

    /// What this client's token is, and what is left of it. Spends nothing.
    ///
    /// # Errors
    /// [`Error`]; refused are tokens that are unknown, expired, spent or revoked (401).
    pub async fn token_self(&self) -> Result<TokenInfo, Error> {
        let told: wire::TokenSelf = self.ask(Call::get(TOKEN_SELF)).await?;
        let wrong_id = |_| not_understood(TOKEN_SELF, "an id is too long or too short");
        Ok(TokenInfo {
            id: TokenId::from_slice(&told.id.0).map_err(wrong_id)?,
            kind: match told.kind.as_str() {
                "root" => TokenKind::Root,
                "temporary" => TokenKind::Temporary,
                _ => return Err(not_understood(TOKEN_SELF, "it is of an unknown kind")),
            },
            account: AccountId::from_slice(&told.account.0).map_err(wrong_id)?,
            label: told.label,
            operations: told.operations,
            key_id: match told.key_id {
                Some(id) => Some(KeyId::from_slice(&id.0).map_err(wrong_id)?),
                None => None,
            },
            created_at: Timestamp::from_seconds(told.created_at),
            expires_at: told.expires_at.map(Timestamp::from_seconds),
            attempts: told.attempts,
            attempts_left: told.attempts_left,
        })
    }
}

fn not_understood(path: &'static str, why: &'static str) -> Error {
    Error::NotUnderstood { path, why }
}
