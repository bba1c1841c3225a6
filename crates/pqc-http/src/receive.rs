//! Step 5 of the contract: the fields of a call, from its query and its body.

use axum::body::Body;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;
use pqc_core::replay::RequestDigest;
use tracing::Instrument;

use crate::app::App;
use crate::body::{self, Room, off_the_runtime};
use crate::fields::Fields;
use crate::idempotency;
use crate::operation::{BodyRule, Known, Operation};
use crate::problem::Problem;
use crate::trace::step;

/// Receives them, and the digest of the request if the call can be repeated.
pub(crate) async fn receive<O: Operation>(
    app: &App,
    parts: &mut Parts,
    body: &mut Body,
    room: &mut Room,
    known: &mut Known,
    is_repeatable: bool,
) -> Result<(Fields, Option<RequestDigest>), Problem> {
    let fields = Fields::from_query(parts.uri.query())?;
    let digest =
        |parts: &Parts, body: &[u8]| is_repeatable.then(|| idempotency::digest(parts, body));
    if O::BODY == BodyRule::Optional && body.is_end_stream() {
        return Ok((fields, digest(parts, b"")));
    }
    check_media_type(&parts.headers, body.is_end_stream())?;
    let limit = O::body_limit(&app.config);
    known.leave_work();
    // Many may wait for their bodies, and each takes memory before a byte of it is there.
    forget_headers(parts);
    let url = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    room.take(CALL_BYTES.saturating_add(url))?;
    let received = body::receive(body, limit, app.body_time(parts), room);
    let received = received.instrument(step("receive")).await?;
    known.begin_work(app)?;
    // A body of the most that these may have takes some milliseconds.
    let digest = digest(parts, &received);
    if O::BODY == BodyRule::Optional && received.is_empty() {
        return Ok((fields, digest));
    }
    room.take(received.len().saturating_mul(O::WORKING_COPIES))?;
    let fields = off_the_runtime(received.len(), move || fields.with_body(received)).await?;
    Ok((fields, digest))
}

/// From here on it is asked for one of them alone.
fn forget_headers(parts: &mut Parts) {
    let expects = parts.headers.contains_key(EXPECT);
    parts.headers = HeaderMap::new();
    if expects {
        parts.headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
    }
}

fn check_media_type(headers: &HeaderMap, empty: bool) -> Result<(), Problem> {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(Problem::MediaType);
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let value = match (types.next(), types.next()) {
        (Some(value), None) => value,
        // A body without a type is not taken for JSON; that there is none is told later.
        (None, None) if empty => return Ok(()),
        _ => return Err(Problem::MediaType),
    };
    let value = value.to_str().map_err(|_| Problem::MediaType)?;
    let mut parts = value.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            charset.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if json && utf8 { Ok(()) } else { Err(Problem::MediaType) }
}

/// About what a call takes whose body is still to come, with its part of a connection.
const CALL_BYTES: usize = 24 * 1024;
