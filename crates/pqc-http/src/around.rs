//! What stands around every call: its id, its log line, the headers of every answer, and the
//! limits that need no token.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, EXPECT, HOST, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use http_body::Body as _;
use pqc_core::AccountId;
use tokio::time::timeout_at;
use tracing::Instrument;
use uuid::Uuid;

use crate::app::App;
use crate::body;
use crate::metrics::Metrics;
use crate::page::IsPage;
use crate::problem::{Attempt, Problem, Unavailable};
use crate::trace;

/// The outermost: names the request, writes problems down, and logs one line without a secret: no
/// path (it may be anything), no query, no body, no token. Calls of the contract are counted too.
pub(crate) async fn name_and_log<F: Future<Output = Response>>(
    app: &App,
    counted: Option<&Metrics>,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    // What is logged on the way says whose request it was, at every level of the log.
    let span = tracing::error_span!("request", id = id.to_str().unwrap_or_default());
    let trace = trace::call(known_method(&method), id.to_str().unwrap_or_default());
    let mut response = next(request).instrument(span).instrument(trace.clone()).await;

    let problem = response.extensions_mut().remove::<Arc<Problem>>();
    let is_page = response.extensions_mut().remove::<IsPage>().is_some();
    if let Some(problem) = &problem
        && !is_page
    {
        let body = problem.to_json(id.to_str().unwrap_or_default());
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        let no_body = method == Method::HEAD;
        *response.body_mut() = if no_body { Body::empty() } else { Body::from(body) };
    }
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    for (name, value) in SECURITY_HEADERS {
        // A page has its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if app.config.tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.insert(REQUEST_ID, id.clone());

    let took = started.elapsed();
    let route = response.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    if let Some(metrics) = counted {
        metrics.was_answered(route, response.status(), took, problem.as_deref());
    }
    let account = response.extensions().get::<AccountId>().map(ToString::to_string);
    trace::answered(&trace, route, response.status(), account.as_deref());
    tracing::info!(
        request_id = id.to_str().unwrap_or_default(),
        method = known_method(&method),
        route,
        status = response.status().as_u16(),
        micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        account,
        "answered"
    );
    response
}

/// The id of the request that carries it.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    pub(crate) fn text(&self) -> Option<String> {
        self.0.to_str().ok().map(str::to_owned)
    }
}

/// The limits on URL and headers, and the `Host` on a loopback listener: a page on the web that
/// resolves its own name to this machine gets nothing (DNS rebinding).
pub(crate) async fn limit<F: Future<Output = Response>>(
    app: &App,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let url = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    if url > MAX_URL_BYTES {
        let refused = Problem::UrlTooLong { limit: MAX_URL_BYTES };
        return without_body(request, refused.into_response()).await;
    }
    let headers = request.headers();
    // As in HTTP/1.1: name, colon, space, value, line end.
    let size: usize =
        headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let (bytes, lines) = (app.config.max_header_bytes, app.config.max_header_lines);
    if size > bytes || headers.len() > lines {
        let refused = Problem::HeadersTooLarge { bytes, lines };
        return without_body(request, refused.into_response()).await;
    }
    // Over TLS it is the certificate that tells names of ours from others.
    let by_name = app.config.loopback && !app.config.tls;
    if by_name && !host_is_local(request.uri(), headers, request.version()) {
        let refused = Problem::BadRequest("Host is not a name of this machine's loopback.");
        return without_body(request, refused.into_response()).await;
    }
    next(request).await
}

/// The limit on the time of a request. What a call does is not stopped halfway: it goes on without
/// anybody who waits for it.
pub(crate) async fn in_time<F: Future<Output = Response> + Send + 'static>(
    app: &App,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let due = Instant::now() + app.config.request_timeout;
    request.extensions_mut().insert(Due(due));
    let mut running = Box::pin(next(request));
    match timeout_at((due + LAST_WORD).into(), &mut running).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a call takes too long");
            tokio::spawn(running.in_current_span());
            let (reason, attempt) = (Unavailable::Slow, Attempt::Unknown);
            Problem::Unavailable { reason, attempt }.into_response()
        }
    }
}

/// By when a request is to be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due(pub(crate) Instant);

/// Carries the matched route out to the log line.
pub(crate) async fn note_route(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(route) = route {
        response.extensions_mut().insert(route);
    }
    response
}

/// An answer that needs no body of the request. What is under way of it is read and forgotten, so
/// that a client which is still sending can read the answer; one that asked before sending
/// (`Expect`) sends nothing now.
pub(crate) async fn without_body(request: Request, answer: Response) -> Response {
    let (parts, body) = request.into_parts();
    let waits = parts.headers.contains_key(EXPECT);
    // Who sends slowly holds no head in memory.
    drop(parts);
    if !waits && !body.is_end_stream() {
        body::discard(body).await;
    }
    answer
}

/// Answers a call that takes these methods and no body. HEAD is answered as GET, less the body.
pub(crate) async fn answer_bodiless(
    request: Request,
    allow: &'static str,
    answer: impl AsyncFnOnce(&Parts) -> Response,
) -> Response {
    let (parts, body) = request.into_parts();
    let mut answer = match other_method(&parts.method, allow) {
        Some(answer) => answer,
        None => answer(&parts).await,
    };
    if parts.method == Method::HEAD {
        *answer.body_mut() = Body::empty();
    }
    without_body(Request::from_parts(parts, body), answer).await
}

/// The answer to OPTIONS, and to a method that the path does not take.
pub(crate) fn other_method(method: &Method, allow: &'static str) -> Option<Response> {
    if *method == Method::OPTIONS {
        let mut response = StatusCode::NO_CONTENT.into_response();
        response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static(allow));
        return Some(response);
    }
    let taken = allow.split(", ").any(|allowed| allowed == method.as_str());
    (!taken).then(|| Problem::Method { allow }.into_response())
}

/// The id that came in, if it is one that can stand in logs and headers; else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let well_formed = |value: &&HeaderValue| {
        (1..=128).contains(&value.len())
            && !value.as_bytes().windows(TOKEN_PREFIX.len()).any(|part| part == TOKEN_PREFIX)
            && value.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
    };
    headers.get(REQUEST_ID).filter(well_formed).cloned().unwrap_or_else(|| {
        let id = Uuid::now_v7().simple().to_string();
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("-"))
    })
}

fn host_is_local(uri: &Uri, headers: &HeaderMap, version: Version) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let named = match (uri.host(), hosts.next(), hosts.next()) {
        // The absolute form, and HTTP/2's :authority, name the host themselves.
        (Some(host), _, None) => host,
        (None, Some(host), None) => host.to_str().unwrap_or("?"),
        (None, None, None) => return version < Version::HTTP_11,
        _ => return false,
    };
    let name = match named.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => named,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// A method from outside may be any word; only known ones are logged.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::DELETE => "DELETE",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// Room for a query with a public key and a ciphertext of ML-KEM-1024 in hex (6.3 kB).
pub(crate) const MAX_URL_BYTES: usize = 8 * 1024;
/// What an answer may be taken for, and by whom: by browsers, which find nothing to run in it.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
];
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
/// For a refusal that is due, and what is read of its body before.
pub(crate) const LAST_WORD: Duration = body::DISCARD_TIME.saturating_add(Duration::from_secs(1));
/// Whoever mistakes a token for an id shall not find it in the log.
const TOKEN_PREFIX: &[u8] = b"pqc_";
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
