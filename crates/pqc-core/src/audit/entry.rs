//! One line of the log, and its one encoding.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, Field};
use crate::id::{AccountId, KeyId, TokenId};
use crate::time::Timestamp;

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The server by itself.
    Server,
    /// Who has the store and its master key, by the command line.
    Operator,
    /// Who held this token.
    Token(TokenId),
}

/// What was done; never what was in it.
///
/// Its encoding is `0x01 ‖ time (8, milliseconds, big-endian) ‖ actor ‖ account ‖ key ‖ token ‖
/// act ‖ outcome ‖ detail ‖ request id`. An actor is `0x00` (the server), `0x01` (an operator) or
/// `0x02 ‖ token id`; each of the others is its length in two bytes, big-endian, and so many
/// bytes: 0, 16 or 32 of an id, UTF-8 of a text. An entry has one encoding.
///
/// ```
/// use pqc_core::audit::{Actor, Entry};
/// use pqc_core::{AccountId, Timestamp};
/// let entry = Entry {
///     account: Some(AccountId::from_bytes([7; 16])),
///     ..Entry::new(Timestamp::from_millis(1), "account.create", Actor::Operator)
/// };
/// let bytes = entry.to_bytes();
/// assert_eq!(Entry::from_bytes(&bytes)?, entry);
/// assert!(Entry::from_bytes(&bytes[1..]).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, by the store's time.
    pub time: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// The account that it was done to, or for.
    pub account: Option<AccountId>,
    /// The key that it was done to, or by.
    pub key: Option<KeyId>,
    /// The token that it was done to.
    pub token: Option<TokenId>,
    /// What was done, by its name.
    pub act: Cow<'static, str>,
    /// What came of it, by its name.
    pub outcome: Cow<'static, str>,
    /// What else there is to say. Nothing secret.
    pub detail: Option<String>,
    /// The request by which it was done.
    pub request_id: Option<String>,
}

impl Entry {
    /// An act that was done, of which there is nothing more to say yet.
    #[must_use]
    pub fn new(time: Timestamp, act: &'static str, actor: Actor) -> Self {
        Self {
            time,
            actor,
            account: None,
            key: None,
            token: None,
            act: Cow::Borrowed(act),
            outcome: Cow::Borrowed("done"),
            detail: None,
            request_id: None,
        }
    }

    /// The encoding. Of a text longer than 65,535 bytes there is the beginning.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160);
        out.push(FORMAT_VERSION);
        out.extend_from_slice(&self.time.millis().to_be_bytes());
        match &self.actor {
            Actor::Server => out.push(SERVER),
            Actor::Operator => out.push(OPERATOR),
            Actor::Token(id) => {
                out.push(TOKEN);
                out.extend_from_slice(id.as_bytes());
            }
        }
        put(&mut out, self.account.as_ref().map_or(&[], |id| id.as_bytes()));
        put(&mut out, self.key.as_ref().map_or(&[], |id| id.as_bytes()));
        put(&mut out, self.token.as_ref().map_or(&[], |id| id.as_bytes()));
        put(&mut out, cut(&self.act));
        put(&mut out, cut(&self.outcome));
        put(&mut out, cut(self.detail.as_deref().unwrap_or_default()));
        put(&mut out, cut(self.request_id.as_deref().unwrap_or_default()));
        out
    }

    /// Reads the encoding.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`]: another version; [`Error::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        match bytes.first() {
            Some(&FORMAT_VERSION) => {}
            Some(_) => return Err(Error::UnknownFormat { field: Field::AuditEntry }),
            None => return Err(MALFORMED),
        }
        read(bytes.get(1..).unwrap_or_default()).ok_or(MALFORMED)
    }
}

fn read(rest: &[u8]) -> Option<Entry> {
    let (time, rest) = rest.split_first_chunk()?;
    let (actor, rest) = rest.split_first()?;
    let (actor, mut rest) = match *actor {
        SERVER => (Actor::Server, rest),
        OPERATOR => (Actor::Operator, rest),
        TOKEN => {
            let (id, rest) = rest.split_first_chunk()?;
            (Actor::Token(TokenId::from_bytes(*id)), rest)
        }
        _ => return None,
    };
    let mut id = || Some(take(&mut rest)?).map(|bytes| (!bytes.is_empty()).then_some(bytes));
    let account = id()?.map(AccountId::from_slice).transpose().ok()?;
    let key = id()?.map(KeyId::from_slice).transpose().ok()?;
    let token = id()?.map(TokenId::from_slice).transpose().ok()?;
    let mut text = || str::from_utf8(take(&mut rest)?).ok().map(ToOwned::to_owned);
    let (act, outcome, detail, request_id) = (text()?, text()?, text()?, text()?);
    let some = |text: String| (!text.is_empty()).then_some(text);
    rest.is_empty().then(|| Entry {
        time: Timestamp::from_millis(u64::from_be_bytes(*time)),
        actor,
        account,
        key,
        token,
        act: Cow::Owned(act),
        outcome: Cow::Owned(outcome),
        detail: some(detail),
        request_id: some(request_id),
    })
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk()?;
    let (bytes, after) = after.split_at_checked(u16::from_be_bytes(*length).into())?;
    *rest = after;
    Some(bytes)
}

/// As much of a text as has room.
fn cut(text: &str) -> &[u8] {
    let end = text.floor_char_boundary(u16::MAX.into());
    text.as_bytes().get(..end).unwrap_or_default()
}

const FORMAT_VERSION: u8 = 1;
const SERVER: u8 = 0;
const OPERATOR: u8 = 1;
const TOKEN: u8 = 2;
const MALFORMED: Error =
    Error::Malformed { field: Field::AuditEntry, expected: "the encoding of an audit entry" };
