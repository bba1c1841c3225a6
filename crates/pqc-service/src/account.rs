//! Accounts: who they are, and who holds their keys. Their making and changing is for operators.

use pqc_core::AccountId;
use pqc_core::token::TokenValue;

use crate::audit::By;
use crate::error::Error;
use crate::service::Service;
use crate::store::{AccountRecord, TokenRecord};

/// Who holds the secret keys of an account's KEM key pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Custody {
    /// The server keeps them, sealed; a call may ask for one to hold itself.
    Server,
    /// The client gets them and the server keeps none.
    Client,
    /// The server keeps them, and no call is given any.
    ServerOnly,
}

impl Custody {
    /// Every custody.
    pub const ALL: [Self; 3] = [Self::Server, Self::Client, Self::ServerOnly];

    /// The name for people and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::ServerOnly => "server-only",
        }
    }

    /// The custody with this name.
    ///
    /// # Errors
    /// [`Error::BadName`].
    pub fn from_name(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|custody| custody.name() == name)
            .ok_or(Error::BadName { what: "custody", expected: "server, client or server-only" })
    }
}

/// An account that is not stored yet, so that its root token can be put down first: whoever loses
/// power between the two has a token of no account, never an account without a token.
#[derive(Debug)]
pub struct PendingAccount {
    account: AccountRecord,
    value: TokenValue,
    record: TokenRecord,
}

impl PendingAccount {
    /// The root token's value. Secret; shown once.
    #[must_use]
    pub fn root_token(&self) -> &TokenValue {
        &self.value
    }
}

impl Service {
    /// Prepares an account; [`Self::create_account`] stores it.
    ///
    /// # Errors
    /// [`Error::BadName`]; [`Error::Core`]: the generator failed. Those of the store.
    pub async fn prepare_account(
        &self,
        name: &str,
        custody: Custody,
    ) -> Result<PendingAccount, Error> {
        check_name(name)?;
        let created_at = self.store.now().await?;
        let id = AccountId::from_bytes(self.new_id(created_at)?);
        let (value, record) = self.new_root_token(id, created_at)?;
        let name = name.to_owned();
        let account = AccountRecord { id, name, custody, disabled: false, created_at };
        Ok(PendingAccount { account, value, record })
    }

    /// Stores a prepared account with its root token, whose value it gives back.
    ///
    /// # Errors
    /// [`Error::AccountExists`]: the name is taken. Those of the store.
    pub async fn create_account(
        &self,
        by: &By,
        pending: PendingAccount,
    ) -> Result<TokenValue, Error> {
        let PendingAccount { account, value, record } = pending;
        let name = account.name.clone();
        if self.store.create_account(by, account, record).await? {
            Ok(value)
        } else {
            Err(Error::AccountExists { name })
        }
    }

    /// All accounts, in the order of their making.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn accounts(&self) -> Result<Vec<AccountRecord>, Error> {
        self.store.accounts().await
    }

    /// The account of that name.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; those of the store.
    pub async fn account(&self, name: &str) -> Result<AccountRecord, Error> {
        let found = self.store.account_by_name(name).await?;
        found.ok_or_else(|| Error::UnknownAccount { name: name.to_owned() })
    }

    /// Changes who holds the account's keys, from the next call on.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; those of the store.
    pub async fn set_custody(&self, by: &By, name: &str, custody: Custody) -> Result<(), Error> {
        let account = self.account(name).await?;
        self.store.set_custody(by, account.id, custody).await?;
        Ok(())
    }

    /// Refuses all tokens of the account, or accepts them again, from the next call on.
    ///
    /// # Errors
    /// [`Error::UnknownAccount`]; those of the store.
    pub async fn set_disabled(&self, by: &By, name: &str, disabled: bool) -> Result<(), Error> {
        let account = self.account(name).await?;
        self.store.set_disabled(by, account.id, disabled).await?;
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // One with a hyphen at its start would be taken for an option where names are typed.
    let is_allowed = name.chars().all(allowed) && !name.starts_with('-');
    if (1..=64).contains(&name.len()) && is_allowed {
        return Ok(());
    }
    Err(Error::BadName {
        what: "account name",
        expected: "1 to 64 letters, digits, dots, underscores or hyphens, and no hyphen first",
    })
}

impl std::fmt::Display for Custody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Custody {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::from_name(name)
    }
}
