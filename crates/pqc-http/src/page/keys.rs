//! The pages of the account's stored keys and of the server's issuer key. Never a secret.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use pqc_core::keyfile::{Jwk, PublicKey};
use pqc_core::seal::RecordKind;
use pqc_core::{EncapsulationKey, KeyId, VerifyingKey};
use pqc_service::KeyInfo;

use super::form::{query, without_token};
use super::html::{self, Moment, hex};
use super::visit::{self, Shell, Visit};
use crate::api::keys::{read_cursor, write_cursor};
use crate::api::root;
use crate::api::wire::decode_fixed;
use crate::app::App;
use crate::operation::from_service;
use crate::problem::Problem;

/// The page.
pub(super) const PLACE: &str = "/keys";

#[derive(Template)]
#[template(path = "keys.html")]
struct Keys {
    shell: Shell,
    begins: String,
    keys: Vec<Key>,
    /// The place of the next page, if there is one.
    older: Option<String>,
    is_first: bool,
    has_more_found: bool,
    issuer: Option<Issuer>,
    retired_issuers: usize,
}

#[derive(Template)]
#[template(path = "key.html")]
struct OneKey {
    shell: Shell,
    key: Key,
    pem: Option<String>,
    hex: String,
    attestation: String,
    is_attested: bool,
}

/// The key whose word stands for the account's keys, in the forms that programs pin it in.
struct Issuer {
    algorithm: &'static str,
    key_id: String,
    fingerprint: String,
    pem: String,
    jwk: String,
    hex: String,
}

struct Key {
    id: String,
    kind: &'static str,
    algorithm: String,
    version: String,
    made: Moment,
    standing: &'static str,
    used: Option<Moment>,
    uses: u64,
    /// When it is removed, if it was destroyed.
    removed: Option<Moment>,
}

/// A page of the keys, or those that are searched for; and the issuer key.
pub(super) async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "key.list", async |visit| {
        let asked = visit.parts.uri.query().unwrap_or_default();
        let begins = query(asked, "begins").unwrap_or_default();
        let mut begins = without_token(&begins).to_lowercase();
        begins.retain(|c| !c.is_whitespace());
        let before = query(asked, "before").and_then(|cursor| read_cursor(&cursor));
        let service = &visit.app.service;
        let found = match begins.is_empty() {
            true => service.newest_keys(visit.account(), before, PAGE + 1).await,
            false => service.keys_that_begin(visit.account(), &begins, PAGE + 1).await,
        };
        let found = found.map_err(from_service)?;
        let (shown, last) = root::page(&found, PAGE);
        let has_more_found = last.is_some() && !begins.is_empty();
        let last = last.filter(|_| begins.is_empty());
        let older = last.map(|last| {
            let cursor = write_cursor(last.created_at, last.id);
            format!("{PLACE}?before={cursor}")
        });
        let issuers = service.issuer_keys().await.map_err(from_service)?;
        visit.page(&Keys {
            shell: visit.shell(PLACE),
            keys: shown.iter().map(|key| Key::new(visit.app, key)).collect(),
            older,
            is_first: before.is_none(),
            has_more_found,
            begins,
            issuer: issuers.first().map(Issuer::new).transpose()?,
            retired_issuers: issuers.len().saturating_sub(1),
        })
    })
    .await
}

/// One key.
pub(super) async fn one(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    visit::look(&app, request, "key.show", async |visit| {
        let key = find(visit, id).await?;
        let issuer = visit.app.service.issuer_of(&key).await.map_err(from_service)?;
        visit.page(&OneKey {
            shell: visit.shell(PLACE),
            pem: public_key(&key).map(|public| pem(&public)).transpose()?,
            hex: hex(&key.public_key),
            attestation: hex(&key.attestation),
            is_attested: issuer.is_some(),
            key: Key::new(visit.app, &key),
        })
    })
    .await
}

/// Its public half as a file.
pub(super) async fn public_pem(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    visit::look(&app, request, "key.show", async |visit| {
        let key = find(visit, id).await?;
        let text = pem(&public_key(&key).ok_or(Problem::UnknownKey)?)?;
        html::attachment(&format!("{}.pub.pem", key.id), "application/x-pem-file", text)
    })
    .await
}

async fn find(
    visit: &Visit<'_>,
    id: Result<Path<String>, PathRejection>,
) -> Result<KeyInfo, Problem> {
    let id = id.ok().and_then(|Path(text)| decode_fixed(&text, &[32, 16]).ok());
    let id = id.and_then(|bytes| KeyId::from_slice(&bytes).ok()).ok_or(Problem::UnknownKey)?;
    visit.app.service.key_info(visit.account(), &id).await.map_err(from_service)
}

/// What there is to give away of it; a symmetric key has nothing.
fn public_key(key: &KeyInfo) -> Option<PublicKey> {
    match key.kind {
        RecordKind::DecapsulationKey => {
            EncapsulationKey::from_bytes(&key.public_key).ok().map(PublicKey::from)
        }
        RecordKind::SigningKey => {
            VerifyingKey::from_bytes(&key.public_key).ok().map(PublicKey::from)
        }
        _ => None,
    }
}

fn pem(key: &PublicKey) -> Result<String, Problem> {
    key.to_pem().map_err(|_| Problem::Internal)
}

impl Issuer {
    fn new(key: &VerifyingKey) -> Result<Self, Problem> {
        Ok(Self {
            algorithm: key.algorithm().name(),
            key_id: key.key_id().to_string(),
            fingerprint: hex(&key.fingerprint()),
            pem: pem(&PublicKey::from(key.clone()))?,
            jwk: serde_json::to_string_pretty(&Jwk::from(key)).map_err(|_| Problem::Internal)?,
            hex: hex(key.as_bytes()),
        })
    }
}

impl Key {
    fn new(app: &App, key: &KeyInfo) -> Self {
        Self {
            id: key.id.to_string(),
            kind: match key.kind {
                RecordKind::DecapsulationKey => "key pair (KEM)",
                RecordKind::SigningKey => "signing key",
                RecordKind::AesKey => "AES key",
                kind => kind.name(),
            },
            algorithm: key.algorithm.clone(),
            version: key.version.map(|version| version.to_string()).unwrap_or_default(),
            made: key.created_at.into(),
            standing: match (key.destroyed_at, key.retired_at) {
                (Some(_), _) => "destroyed",
                (None, Some(_)) => "retired",
                (None, None) => "in force",
            },
            used: key.last_used_at.map(Moment::from),
            uses: key.uses,
            removed: app.service.purge_after(key).map(Moment::from),
        }
    }
}

const PAGE: u32 = 50;
