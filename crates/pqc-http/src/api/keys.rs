//! Family C: the stored keys of an account, as its root token sees them. Never a secret.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::any;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::Method;
use http::request::Parts;
use pqc_core::seal::RecordKind;
use pqc_core::{AccountId, KeyId, Timestamp, VerifyingKey};
use pqc_service::audit::WrittenDown;
use pqc_service::{KeyInfo, Service};
use serde::Serialize;

use super::root;
use super::wire::{Hex, decode_fixed};
use crate::app::App;
use crate::fields::{All, Fields};
use crate::operation::{Answer, from_service};
use crate::problem::{FieldError, Problem};
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .route("/api/v1/keys", any(list))
        .route("/api/v1/keys/{key_id}", any(one))
        .route("/api/v1/keys/{key_id}/undelete", any(undelete))
}

/// A page of the account's keys.
async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let called = |_: &_| ("key.list", WrittenDown::IfAll);
    root::answer(&app, request, "GET, HEAD", called, async |call| {
        page(&app.service, call.by.account_id(), &call.fields).await
    })
    .await
}

/// One of the account's keys: looked at, or destroyed.
async fn one(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let called = |parts: &Parts| match parts.method {
        Method::DELETE => ("key.destroy", WrittenDown::ByEffect),
        _ => ("key.show", WrittenDown::IfAll),
    };
    root::answer(&app, request, "GET, HEAD, DELETE", called, async |call| {
        let (account, id) = (call.by.account_id(), key_id(id)?);
        if call.parts.method == Method::DELETE {
            let key = app.service.destroy_key(call.by.by(), account, &id).await;
            return told_after(&app.service, &key.map_err(from_service)?).await;
        }
        let key = app.service.key_info(account, &id).await.map_err(from_service)?;
        told(&app.service, &key).await
    })
    .await
}

/// Brings a destroyed key back.
async fn undelete(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let called = |_: &_| ("key.undelete", WrittenDown::ByEffect);
    root::answer(&app, request, "POST", called, async |call| {
        let (by, account) = (call.by.by(), call.by.account_id());
        let key = app.service.undestroy_key(by, account, &key_id(id)?).await;
        told_after(&app.service, &key.map_err(from_service)?).await
    })
    .await
}

async fn page(service: &Service, account: AccountId, fields: &Fields) -> Result<Answer, Problem> {
    let (limit, after) = (root::limit(fields), cursor(fields)).all()?;
    let keys = service.keys(account, after, limit.saturating_add(1)).await.map_err(from_service)?;
    let (shown, last) = root::page(&keys, limit);
    Answer::json(&Page {
        keys: shown.iter().map(|key| Key::new(service, key)).collect(),
        next_cursor: last.map(|key| write_cursor(key.created_at, key.id)),
    })
}

async fn told(service: &Service, key: &KeyInfo) -> Result<Answer, Problem> {
    let issuer = service.issuer_of(key).await.map_err(from_service)?;
    whole(service, key, issuer.as_ref())
}

/// As [`told`], of a key that was changed: the answer says so, also where its issuer can't be looked
/// up now.
async fn told_after(service: &Service, key: &KeyInfo) -> Result<Answer, Problem> {
    let issuer = service.issuer_of(key).await.ok().flatten();
    whole(service, key, issuer.as_ref())
}

fn whole(
    service: &Service,
    key: &KeyInfo,
    issuer: Option<&VerifyingKey>,
) -> Result<Answer, Problem> {
    let given = |bytes| Some(Hex(bytes)).filter(|hex| !hex.0.is_empty());
    Answer::json(&WholeKey {
        key: Key::new(service, key),
        pk: given(&key.public_key),
        verification_signature: given(&key.attestation),
        verification_key: issuer.map(|issuer| Hex(issuer.as_bytes())),
    })
}

#[derive(Serialize)]
struct Page<'a> {
    keys: Vec<Key<'a>>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Key<'a> {
    key_id: String,
    kind: &'static str,
    algorithm: &'a str,
    version: Option<u32>,
    created_at: u64,
    retired_at: Option<u64>,
    destroyed_at: Option<u64>,
    purge_after: Option<u64>,
}

#[derive(Serialize)]
struct WholeKey<'a> {
    #[serde(flatten)]
    key: Key<'a>,
    /// A symmetric key has none.
    pk: Option<Hex<'a>>,
    /// The issuer's word, for KEM key pairs.
    verification_signature: Option<Hex<'a>>,
    /// Whose word it is, if it is one of this server's issuers.
    verification_key: Option<Hex<'a>>,
}

impl<'a> Key<'a> {
    fn new(service: &Service, key: &'a KeyInfo) -> Self {
        Self {
            key_id: key.id.to_string(),
            kind: match key.kind {
                RecordKind::DecapsulationKey => "kem",
                RecordKind::SigningKey => "signing",
                kind => kind.name(),
            },
            algorithm: &key.algorithm,
            version: key.version,
            created_at: key.created_at.seconds(),
            retired_at: key.retired_at.map(Timestamp::seconds),
            destroyed_at: key.destroyed_at.map(Timestamp::seconds),
            purge_after: service.purge_after(key).map(Timestamp::seconds),
        }
    }
}

fn key_id(path: Result<Path<String>, PathRejection>) -> Result<KeyId, Problem> {
    let id = path.ok().and_then(|Path(text)| decode_fixed(&text, &[32, 16]).ok());
    let id = id.and_then(|bytes| KeyId::from_slice(&bytes).ok());
    let msg = "must be 32 or 16 bytes in hex".to_owned();
    let wrong = || FieldError { loc: ["path", "key_id"], msg, kind: "value_error" };
    id.ok_or_else(|| wrong().into())
}

/// Where a page ended: `milliseconds (8 bytes, big-endian) ‖ key id`, in base64url. Opaque to
/// clients; it holds nothing that its page did not.
pub(crate) fn write_cursor(created_at: Timestamp, id: KeyId) -> String {
    let place = [&created_at.millis().to_be_bytes()[..], id.as_bytes()].concat();
    Base64UrlUnpadded::encode_string(&place)
}

fn cursor(fields: &Fields) -> Result<Option<(Timestamp, KeyId)>, FieldError> {
    let Some(text) = fields.optional_text("cursor")? else { return Ok(None) };
    read_cursor(text).map(Some).ok_or_else(|| root::no_cursor(fields))
}

/// As [`write_cursor`] wrote it.
pub(crate) fn read_cursor(text: &str) -> Option<(Timestamp, KeyId)> {
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    let (millis, id) = bytes.split_first_chunk()?;
    let created_at = Timestamp::from_millis(u64::from_be_bytes(*millis));
    Some((created_at, KeyId::from_slice(id).ok()?))
}
