//! What needs no token: health, and the issuer keys for pinning.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use pqc_core::keyfile::Jwk;
use pqc_service::Error;
use serde::Serialize;

use crate::app::App;
use crate::around::answer_bodiless;
use crate::auth::count_by_address;
use crate::operation::from_service;
use crate::problem::Problem;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    probes().route("/.well-known/jwks.json", any(jwks))
}

/// What a supervisor asks.
pub(crate) fn probes() -> Routes {
    Routes::default().route("/healthz", any(healthz)).route("/readyz", any(readyz))
}

/// The process lives.
async fn healthz(request: Request) -> Response {
    answer_bodiless(request, ALLOW, async |_| json(br#"{"status":"ok"}"#.to_vec())).await
}

/// The store is reachable. The self-test passed, or the server would not have started.
async fn readyz(State(app): State<Arc<App>>, request: Request) -> Response {
    answer_bodiless(request, ALLOW, async |_| {
        let ready = tokio::time::timeout(PATIENCE, app.service.ready()).await;
        let reason = match ready {
            Ok(Ok(())) => return json(br#"{"status":"ready"}"#.to_vec()),
            // What a database says of itself and its users is for operators.
            Ok(Err(Error::Unavailable(why))) => {
                tracing::warn!(why, "not ready");
                "the store is not available".to_owned()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the store does not answer".to_owned(),
        };
        tracing::warn!(reason, "not ready");
        Problem::NotReady(reason).into_response()
    })
    .await
}

/// The server's issuer keys (RFC 7517), the one in force first: what senders pin.
async fn jwks(State(app): State<Arc<App>>, request: Request) -> Response {
    answer_bodiless(request, ALLOW, async |parts| {
        let _at_work = match app.calls.begin() {
            Ok(at_work) => at_work,
            Err(refused) => return refused.into_response(),
        };
        if let Err(refused) = count_by_address(&app, parts) {
            return refused.into_response();
        }
        let keys = match app.service.issuer_keys().await {
            Ok(keys) => keys.iter().map(Jwk::from).collect(),
            Err(error) => return from_service(error).into_response(),
        };
        let Ok(body) = serde_json::to_vec(&Jwks { keys }) else {
            return Problem::Internal.into_response();
        };
        let mut response = json(body);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"));
        response
    })
    .await
}

#[derive(Serialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

fn json(body: Vec<u8>) -> Response {
    whole("application/json", body)
}

/// An answer that holds no secret.
pub(crate) fn whole(content_type: &'static str, body: Vec<u8>) -> Response {
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(http::header::CONTENT_LENGTH, length);
    response
}

/// Shorter than what probes wait.
const PATIENCE: Duration = Duration::from_secs(2);
const ALLOW: &str = "GET, HEAD";
