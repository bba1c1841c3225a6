//! What the audit log says of each change, and how its rows are written.

use std::sync::LazyLock;

use pqc_core::AccountId;
use pqc_core::audit::{ChainHead, ChainId};
use pqc_core::seal::RecordKind;
use pqc_core::token::TokenKind;

use super::KeyRecord;
use super::bulk::Insert;
use super::sql::{Arg, Writes, bytes, integer};
use super::writer::{Failure, Write};
use crate::audit::{By, Event};
use crate::host::{Host, System};

/// A row of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AuditRow {
    head: ChainHead,
    account: Option<AccountId>,
    entry: Vec<u8>,
}

impl AuditRow {
    fn values(&self) -> Vec<Arg<'_>> {
        let Self { head, account, entry } = self;
        vec![
            bytes(head.chain.as_bytes()),
            integer(i64::try_from(head.number).unwrap_or(i64::MAX)),
            Arg::Bytes(account.as_ref().map(|id| &id.as_bytes()[..])),
            bytes(entry),
            bytes(&head.hash),
        ]
    }
}

/// The rows that a transaction adds to this writer's chain.
#[derive(Debug)]
pub(super) struct Trail {
    /// After the last row.
    pub(super) head: ChainHead,
    pub(super) rows: Vec<AuditRow>,
    now: pqc_core::Timestamp,
}

impl Trail {
    /// From where the chain is; one that was not begun begins here.
    pub(super) fn from(head: Option<ChainHead>, now: pqc_core::Timestamp) -> Result<Self, Failure> {
        let head = match head {
            Some(head) => head,
            None => {
                let mut id = [0; ChainId::BYTES];
                System.fill_random(&mut id).map_err(|e| Failure::Unavailable(e.to_string()))?;
                ChainHead::begin(ChainId::from_bytes(id))
            }
        };
        Ok(Self { head, rows: Vec::new(), now })
    }

    pub(super) fn add(&mut self, event: Event, by: &By) {
        let account = event.account;
        let entry = event.entry(by, self.now).to_bytes();
        self.head = self.head.after(&entry);
        self.rows.push(AuditRow { head: self.head, account, entry });
    }
}

impl Write {
    /// What is said of the change, once it was made to so many rows; `None`: nothing was done that
    /// the log is about.
    pub(super) fn event(&self, rows: u64) -> Option<Event> {
        if rows == 0 {
            return None;
        }
        let done = Event::done;
        Some(match self {
            Self::AddMasterKey(key) => {
                done("master_key.add").saying(format!("version {}", key.version))
            }
            Self::BeginMasterRotation(rotation) => done("master_key.rotate")
                .saying(format!("from version {} to {}", rotation.from, rotation.to.version)),
            Self::EndMasterRotation { from, to } => done("master_key.retire")
                .saying(format!("version {from}, for version {to} has taken its place")),
            Self::ResealKeys(_) => done("master_key.reseal").saying(format!("{rows} keys")),
            Self::CreateAccount { account, root_token } => done("account.create")
                .of(account.id)
                .token(root_token.id)
                .saying(format!("{}, custody {}", account.name, account.custody)),
            Self::SetCustody { account, custody } => {
                done("account.set_custody").of(*account).saying(custody.name())
            }
            Self::SetDisabled { account, disabled } => {
                done(if *disabled { "account.disable" } else { "account.enable" }).of(*account)
            }
            Self::InsertToken(token) | Self::MintToken { token, .. } => {
                let act = match token.state.kind {
                    TokenKind::Root => "token.make_root",
                    TokenKind::Temporary => "token.mint",
                };
                let event = done(act).of(token.account).token(token.id);
                match token.state.scope.key_id {
                    Some(key) => event.key(key),
                    None => event,
                }
            }
            Self::ReplaceRootToken { token, revoke_temporary, .. } => {
                let others = match revoke_temporary {
                    true => "temporary tokens were revoked with the old one",
                    false => "temporary tokens go on",
                };
                done("token.reset").of(token.account).token(token.id).saying(others)
            }
            Self::RevokeToken { account, token } => done("token.revoke").of(*account).token(*token),
            Self::RevokeTemporaryTokens { account } => {
                done("token.revoke_all").of(*account).saying("all temporary tokens")
            }
            Self::InsertKey(key) => made("key.generate", key),
            Self::PutInForce(key) => {
                made(if key.version == Some(1) { "key.generate" } else { "key.rotate" }, key)
            }
            Self::DestroyKey { account, key } => done("key.destroy").of(*account).key(*key),
            Self::UndestroyKey { account, key, .. } => done("key.undelete").of(*account).key(*key),
            Self::PurgeKeys { .. } => {
                done("key.remove").saying(format!("{rows} destroyed keys whose grace is over"))
            }
            Self::TrustIssuer(issuer) => done("issuer.trust").key(issuer.key_id()),
            Self::DistrustIssuer(issuer) => done("issuer.distrust").key(issuer.key_id()),
            Self::RemoveEndedTokens { account, .. } => {
                done("token.remove").of(*account).saying(format!("{rows} tokens that had ended"))
            }
            Self::BeginSession(session) => {
                done("session.begin").of(session.account).token(session.token)
            }
            Self::EndSession { account, .. } => done("session.end").of(*account),
            Self::Record(event) => event.clone(),
            Self::KeepAnswer { effect, .. } => return effect.as_ref()?.event(rows),
            Self::AddCheckpoint { .. }
            | Self::AddUsage { .. }
            | Self::AddKeyUses(_)
            | Self::NoteBackup(_)
            | Self::ReleaseAllClaims
            | Self::DropClaim { .. }
            | Self::ReleaseClaim { .. }
            | Self::RemoveEndedAnswers { .. }
            | Self::RemoveEndedSessions { .. } => return None,
        })
    }
}

fn made(act: &'static str, key: &KeyRecord) -> Event {
    let kind = match key.kind {
        RecordKind::DecapsulationKey => "KEM key pair",
        RecordKind::SigningKey => "signing key",
        RecordKind::AesKey => "AES key",
        RecordKind::IssuerKey => "issuer key",
        RecordKind::CheckpointKey => "key of audit checkpoints",
        kind => kind.name(),
    };
    let version = key.version.map(|version| format!(", version {version}")).unwrap_or_default();
    let what = format!("{kind}, {}{version}", key.algorithm);
    Event::done(act).of(key.account).key(key.id).saying(what)
}

/// Adds rows to the log, many at a time.
pub(super) async fn insert(db: &mut impl Writes, rows: &[AuditRow]) -> Result<(), Failure> {
    INSERT.rows(db, rows, AuditRow::values).await.map(drop)
}

static INSERT: LazyLock<Insert> =
    LazyLock::new(|| Insert::new("INSERT INTO audit (chain, number, account, entry, hash)", 5, ""));
