//! Family C: the stored keys of an account, as its root token sees them. Never a secret.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::Method;
use http::request::Parts;
use pqc_core::seal::RecordKind;
use pqc_core::token::Demand;
use pqc_core::{AccountId, KeyId, Timestamp, VerifyingKey};
use pqc_service::{KeyInfo, Service};
use serde::Serialize;

use super::wire::{decode_fixed, to_hex};
use crate::app::App;
use crate::around::answer_bodiless;
use crate::auth::authenticate;
use crate::fields::{All, Fields};
use crate::operation::{Answer, Known, from_service};
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
    let mut known = Known::default();
    let answer = answer_bodiless(request, "GET, HEAD", async |parts| {
        let page = async {
            let fields = admit(&app, parts, &mut known).await?;
            page(&app.service, known.account.ok_or(Problem::Internal)?, &fields).await
        };
        respond(&app, page.await)
    })
    .await;
    known.tell(answer)
}

/// One of the account's keys: looked at, or destroyed.
async fn one(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let mut known = Known::default();
    let answer = answer_bodiless(request, "GET, HEAD, DELETE", async |parts| {
        let key = async {
            admit(&app, parts, &mut known).await?;
            let (account, id) = (known.account.ok_or(Problem::Internal)?, key_id(id)?);
            if parts.method == Method::DELETE {
                let key = app.service.destroy_key(account, &id).await.map_err(from_service)?;
                return told_after(&app.service, &key).await;
            }
            let key = app.service.key_info(account, &id).await.map_err(from_service)?;
            told(&app.service, &key).await
        };
        respond(&app, key.await)
    })
    .await;
    known.tell(answer)
}

/// Brings a destroyed key back.
async fn undelete(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let mut known = Known::default();
    let answer = answer_bodiless(request, "POST", async |parts| {
        let key = async {
            admit(&app, parts, &mut known).await?;
            let (account, id) = (known.account.ok_or(Problem::Internal)?, key_id(id)?);
            let key = app.service.undestroy_key(account, &id).await.map_err(from_service)?;
            told_after(&app.service, &key).await
        };
        respond(&app, key.await)
    })
    .await;
    known.tell(answer)
}

/// Steps 2 to 6 of the contract, for calls of root tokens without a body.
async fn admit(app: &App, parts: &Parts, known: &mut Known) -> Result<Fields, Problem> {
    let caller = authenticate(app, parts, known).await?;
    let token = caller.token_id();
    let authorized = caller.authorize(Demand::Root).map_err(from_service)?;
    known.standing = app.rates.call_by(token)?;
    let fields = Fields::from_query(parts.uri.query())?;
    app.service.spend(authorized).await.map_err(from_service)?;
    fields.refuse_secrets_in_query()?;
    Ok(fields)
}

fn respond(app: &App, done: Result<Answer, Problem>) -> Response {
    match done {
        Ok(answer) => answer.into_response(app.bodies.room()),
        Err(problem) => problem.into_response(),
    }
}

async fn page(service: &Service, account: AccountId, fields: &Fields) -> Result<Answer, Problem> {
    let (limit, after) = (limit(fields), cursor(fields)).all()?;
    // One more, to know whether there is one.
    let keys = service.keys(account, after, limit.saturating_add(1)).await.map_err(from_service)?;
    let shown = keys.get(..keys.len().min(limit as usize)).unwrap_or(&keys);
    let last = shown.last().filter(|_| shown.len() < keys.len());
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
    let hex = |bytes: &[u8]| (!bytes.is_empty()).then(|| to_hex(bytes));
    Answer::json(&WholeKey {
        key: Key::new(service, key),
        pk: hex(&key.public_key),
        verification_signature: hex(&key.attestation),
        verification_key: issuer.map(|issuer| to_hex(issuer.as_bytes())),
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
    pk: Option<String>,
    /// The issuer's word, for KEM key pairs.
    verification_signature: Option<String>,
    /// Whose word it is, if it is one of this server's issuers.
    verification_key: Option<String>,
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

fn limit(fields: &Fields) -> Result<u32, FieldError> {
    let limit = fields.optional_count("limit")?.unwrap_or(DEFAULT_LIMIT);
    let in_range = u32::try_from(limit).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    let msg = || format!("must be from 1 to {MAX_LIMIT}");
    in_range.ok_or_else(|| fields.error("limit", msg(), "range"))
}

/// Where a page ended: `milliseconds (8 bytes, big-endian) ‖ key id`, in base64url. Opaque to
/// clients; it holds nothing that its page did not.
fn write_cursor(created_at: Timestamp, id: KeyId) -> String {
    let place = [&created_at.millis().to_be_bytes()[..], id.as_bytes()].concat();
    Base64UrlUnpadded::encode_string(&place)
}

fn cursor(fields: &Fields) -> Result<Option<(Timestamp, KeyId)>, FieldError> {
    let Some(text) = fields.optional_text("cursor")? else { return Ok(None) };
    let read = || {
        let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
        let (millis, id) = bytes.split_first_chunk()?;
        let created_at = Timestamp::from_millis(u64::from_be_bytes(*millis));
        Some((created_at, KeyId::from_slice(id).ok()?))
    };
    let msg = "is no next_cursor of an earlier page";
    read().map(Some).ok_or_else(|| fields.error("cursor", msg, "value_error"))
}

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u32 = 1000;
