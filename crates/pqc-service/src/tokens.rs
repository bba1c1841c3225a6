//! Tokens: made, shown once, listed, revoked.
//!
//! A value exists in the answer that brings it into the world and nowhere else.

use pqc_core::audit::Actor;
use pqc_core::token::{OperationSet, Refusal, Scope, TokenKind, TokenState, TokenValue};
use pqc_core::{AccountId, KeyId, Timestamp, TokenId};

use crate::audit::By;
use crate::authorize::Admitted;
use crate::error::Error;
use crate::host::{Host, HostRng};
use crate::service::Service;
use crate::store::TokenRecord;
use crate::store::replay::Effect;

/// What is asked of a temporary token.
#[derive(Debug, Clone, Default)]
pub struct MintRequest {
    /// Its lifetime in seconds; by default 900.
    pub lifetime_seconds: Option<u64>,
    /// Its count of attempts; by default 1.
    pub attempts: Option<u64>,
    /// The operations it is narrowed to.
    pub operations: Option<OperationSet>,
    /// The key it is narrowed to; one that the account stores.
    pub key_id: Option<KeyId>,
    /// What its owner calls it: at most 100 characters, none of them a control character.
    pub label: Option<String>,
}

/// A temporary token, at the one moment at which its value is known.
#[derive(Debug)]
pub struct Minted {
    /// The value. Secret.
    pub value: TokenValue,
    /// Its name.
    pub id: TokenId,
    /// The first moment at which it is over.
    pub expires_at: Timestamp,
    /// How many calls it serves.
    pub attempts: u32,
}

impl Service {
    /// Mints a temporary token for the caller's account, whose answer `render` writes; it is kept if
    /// the call can be repeated.
    ///
    /// # Errors
    /// [`Error::Core`]: lifetime or attempts out of range. [`Error::BadName`]: the label.
    /// [`Error::UnknownKey`]: `key_id`. [`Error::Unauthorized`]: the caller's own token ended
    /// meanwhile. [`Error::QuotaFull`]. Those of the store.
    pub async fn mint<A: AsRef<[u8]>>(
        &self,
        by: &Admitted,
        request: MintRequest,
        render: impl FnOnce(&Minted) -> Result<A, Error>,
    ) -> Result<(Minted, A), Error> {
        let (minted, record) = self.prepare_temporary(by.account_id(), request).await?;
        let answer = render(&minted)?;
        let place = self.reserve_token(record.account).await?;
        let effect = Effect::MintToken { token: record, root: by.token_id() };
        let made = self.carry_out(by, effect, answer.as_ref()).await;
        place.settle(made.as_ref().copied());
        if made? { Ok((minted, answer)) } else { Err(Refusal::Revoked.into()) }
    }

    /// As [`Self::mint`], for an operator, who needs no token.
    ///
    /// # Errors
    /// As there.
    pub async fn mint_for(
        &self,
        by: &By,
        account: AccountId,
        request: MintRequest,
    ) -> Result<Minted, Error> {
        let (minted, record) = self.prepare_temporary(account, request).await?;
        let place = self.reserve_token(account).await?;
        let made = self.store.insert_token(by, record).await.map(|()| true);
        place.settle(made.as_ref().copied());
        made.map(|_| minted)
    }

    async fn prepare_temporary(
        &self,
        account: AccountId,
        request: MintRequest,
    ) -> Result<(Minted, TokenRecord), Error> {
        let now = self.store.now().await?;
        let MintRequest { lifetime_seconds, attempts, operations, key_id, label } = request;
        let terms = self.settings.mint.terms(now, lifetime_seconds, attempts)?;
        if let Some(label) = &label {
            check_label(label)?;
        }
        if let Some(id) = &key_id {
            self.store.key(account, id).await?.ok_or(Error::UnknownKey)?;
        }
        let value = TokenValue::generate(TokenKind::Temporary, &mut self.rng())?;
        let id = TokenId::from_bytes(self.new_id(now)?);
        let operations = operations.unwrap_or(OperationSet::ALL);
        let record = TokenRecord {
            id,
            account,
            hash: value.hash(),
            label,
            attempts: Some(terms.attempts),
            created_at: now,
            last_used_at: None,
            state: TokenState {
                kind: TokenKind::Temporary,
                scope: Scope { operations, key_id },
                expires_at: Some(terms.expires_at),
                attempts_left: Some(terms.attempts),
                revoked: false,
                account_disabled: false,
            },
        };
        let minted = Minted { value, id, expires_at: terms.expires_at, attempts: terms.attempts };
        Ok((minted, record))
    }

    /// The longest lifetime that a temporary token can be given, in seconds.
    #[must_use]
    pub fn longest_lifetime(&self) -> u64 {
        self.settings.mint.max_lifetime_seconds
    }

    /// How many keys an account stores (destroyed ones that can be brought back included), and how many
    /// of its temporary tokens live; of more than a million of either, a million.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn holdings(&self, account: AccountId, now: Timestamp) -> Result<(u64, u64), Error> {
        let keys = self.store.stored_keys(account, MOST_COUNTED).await?;
        Ok((keys, self.store.live_tokens(account, now, MOST_COUNTED).await?))
    }

    /// A page of the account's tokens, in the order of their making, after `after`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn tokens(
        &self,
        account: AccountId,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenRecord>, Error> {
        self.store.tokens(account, after, limit).await
    }

    /// As [`Self::tokens`], the newest first, of those before `before`.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn newest_tokens(
        &self,
        account: AccountId,
        before: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<TokenRecord>, Error> {
        self.store.newest_tokens(account, before, limit).await
    }

    /// Revokes a token of the account, at once and for good.
    ///
    /// # Errors
    /// [`Error::UnknownToken`]: the account has none of that id that was not revoked before.
    pub async fn revoke(&self, by: &By, account: AccountId, token: TokenId) -> Result<(), Error> {
        if self.store.revoke_token(by, account, token).await? {
            Ok(())
        } else {
            Err(Error::UnknownToken)
        }
    }

    /// Revokes all of the account's temporary tokens, at once and for good.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn revoke_all_temporary(&self, by: &By, account: AccountId) -> Result<(), Error> {
        self.store.revoke_temporary_tokens(by, account).await.map(drop)
    }

    /// Revokes the account's root token and makes another. What the old one minted is revoked with
    /// it, unless `keep_temporary`: whoever stole a root token may have minted. Where a token does it,
    /// that has to be the one in force: of several resets by one token, the first is made.
    ///
    /// # Errors
    /// [`Error::Unauthorized`]: it is not in force any more. Those of the store.
    pub async fn reset_root_token(
        &self,
        by: &By,
        account: AccountId,
        keep_temporary: bool,
    ) -> Result<TokenValue, Error> {
        let (value, record) = self.new_root_token(account, self.store.now().await?)?;
        let root = match by.actor {
            Actor::Token(id) => Some(id),
            _ => None,
        };
        match self.store.replace_root_token(by, record, root, !keep_temporary).await? {
            true => Ok(value),
            false => Err(self.refused(Refusal::Revoked).into()),
        }
    }

    pub(crate) fn new_root_token(
        &self,
        account: AccountId,
        now: Timestamp,
    ) -> Result<(TokenValue, TokenRecord), Error> {
        new_root_token(&*self.host, account, now)
    }

    /// A UUID of version 7 (RFC 9562): ids sort by the time of their making.
    pub(crate) fn new_id(&self, now: Timestamp) -> Result<[u8; 16], Error> {
        new_id(&*self.host, now)
    }
}

/// What is more is told as so many.
const MOST_COUNTED: u64 = 1_000_000;

/// A root token that is in no store yet.
pub(crate) fn new_root_token(
    host: &dyn Host,
    account: AccountId,
    now: Timestamp,
) -> Result<(TokenValue, TokenRecord), Error> {
    let value = TokenValue::generate(TokenKind::Root, &mut HostRng(host))?;
    let record = TokenRecord {
        id: TokenId::from_bytes(new_id(host, now)?),
        account,
        hash: value.hash(),
        label: None,
        attempts: None,
        created_at: now,
        last_used_at: None,
        state: TokenState {
            kind: TokenKind::Root,
            scope: Scope::FULL,
            expires_at: None,
            attempts_left: None,
            revoked: false,
            account_disabled: false,
        },
    };
    Ok((value, record))
}

fn new_id(host: &dyn Host, now: Timestamp) -> Result<[u8; 16], Error> {
    let mut random = [0; 10];
    host.fill_random(&mut random).map_err(|_| pqc_core::Error::Randomness)?;
    let id = uuid::Builder::from_unix_timestamp_millis(now.millis(), &random);
    Ok(id.into_uuid().into_bytes())
}

fn check_label(label: &str) -> Result<(), Error> {
    let length = label.chars().count();
    let is_token = ["pqc_r_", "pqc_t_"].iter().any(|prefix| label.contains(prefix));
    if (1..=100).contains(&length) && !label.chars().any(rules_display) && !is_token {
        return Ok(());
    }
    Err(Error::BadName {
        what: "label",
        expected: "1 to 100 characters, none of which controls the display, and no token",
    })
}

/// Control characters, and those that turn the order of what stands around them or break a line:
/// on a terminal, a label with them could pass for something else.
fn rules_display(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pqc_core::Secret;
    use pqc_core::token::Demand;

    use super::*;
    use crate::audit::{Use, WrittenDown};
    use crate::{Custody, Settings, SqliteStore, System};

    #[test]
    fn a_label_is_text_that_shows_as_it_is() {
        for label in ["a", "Zürich 7 \u{1f511}", "مفتاح", &"x".repeat(100)] {
            assert!(check_label(label).is_ok(), "{label:?}");
        }
        for label in
            ["", "a\nb", "\u{202e}toor", "a\u{2069}", "\u{85}", "pqc_t_abc", &"x".repeat(101)]
        {
            assert!(check_label(label).is_err(), "{label:?}");
        }
    }

    #[tokio::test]
    async fn a_call_under_way_mints_nothing_once_its_token_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let host = Arc::new(System);
        let store = SqliteStore::open(&folder.path().join("store"), host.clone()).await.unwrap();
        let key = Secret::from([7; 32]);
        let service = Service::open(Arc::new(store), host, key, Settings::default()).await.unwrap();
        let pending = service.prepare_account("a", Custody::Server).await.unwrap();
        let root = service.create_account(&By::OPERATOR, pending).await.unwrap();
        let caller = service.authenticate(&root.expose_text()).await.unwrap();
        let account = caller.account_id();
        let admitted = service
            .spend(caller.authorize(Demand::Root).unwrap(), Use::new("sign", WrittenDown::IfAll))
            .await
            .unwrap();

        service.mint(&admitted, MintRequest::default(), |_| Ok("")).await.unwrap();
        service.reset_root_token(&By::OPERATOR, account, false).await.unwrap();
        let refused = service.mint(&admitted, MintRequest::default(), |_| Ok("")).await;
        assert!(matches!(refused, Err(Error::Unauthorized(_))), "{refused:?}");
        // An operator needs no token.
        service.mint_for(&By::OPERATOR, account, MintRequest::default()).await.unwrap();
    }
}
