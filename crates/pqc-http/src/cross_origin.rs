//! Pages of other origins (CORS): which of them may call, and read the answers.
//!
//! They bring a token in a header; cookies are not asked for, and none is taken.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::{HeaderValue, Method};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::around::REQUEST_ID;
use crate::idempotency::{IDEMPOTENCY_KEY, REPLAYED};
use crate::rates::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// What the configured origins may do; `None`: there is none.
pub(crate) fn layer(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, REQUEST_ID, IDEMPOTENCY_KEY])
        .expose_headers([REQUEST_ID, RETRY_AFTER, RATE_LIMIT, RATE_LIMIT_POLICY, REPLAYED])
        .max_age(Duration::from_secs(600));
    Some(layer)
}

/// Answers what a browser asks on behalf of a page; other calls go on as they are.
pub(crate) async fn answer<F: Future<Output = Response>>(
    layer: Option<&CorsLayer>,
    request: Request,
    next: impl Fn(Request) -> F,
) -> Response {
    match layer {
        Some(layer) if request.headers().contains_key(ORIGIN) => {
            let next = service_fn(|request| async { Ok::<_, Infallible>(next(request).await) });
            let Ok(response) = layer.layer(next).oneshot(request).await;
            response
        }
        _ => next(request).await,
    }
}
