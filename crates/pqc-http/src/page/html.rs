//! How a page is written, and what a browser may do with it.

use std::fmt;

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
    REFERRER_POLICY, SET_COOKIE,
};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use http_body::Body as _;
use pqc_core::Timestamp;
use pqc_core::secret::Wiped;

use crate::app::App;
use crate::around::RequestId;
use crate::problem::Problem;

/// Marks an answer that tells its problem as a page already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsPage;

/// Writes a page. It may hold a secret, so it is wiped once it is sent.
pub(super) fn page(
    app: &App,
    status: StatusCode,
    template: &impl Template,
) -> Result<Response, Problem> {
    let mut text = Text(Wiped::new(Vec::with_capacity(CAPACITY)));
    template.render_into(&mut text).map_err(|error| {
        tracing::error!(%error, "a page cannot be written");
        Problem::Internal
    })?;
    let length = text.0.len();
    let mut response = Response::new(Body::from(app.bodies.room().keep(text.0)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // With none at all a browser would not say either where a form comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}

/// Lets the script of a page call this server; no page's script can call another.
pub(super) fn let_call(mut page: Response) -> Result<Response, Problem> {
    let policy = HeaderValue::try_from(format!("{POLICY}; connect-src 'self'"));
    let policy = policy.map_err(|_| Problem::Internal)?;
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    Ok(page)
}

/// Tells a person of a problem.
pub(super) fn problem(app: &App, parts: &Parts, problem: Problem) -> Response {
    let told = Told {
        title: problem.status().canonical_reason().unwrap_or("Error"),
        detail: problem.detail(),
        request_id: parts.extensions.get().and_then(RequestId::text).unwrap_or_default(),
    };
    match page(app, problem.status(), &told) {
        Ok(page) => told_by(page, problem),
        Err(_) => problem.into_response(),
    }
}

/// A page that tells of a problem, which is counted and logged as any is.
pub(super) fn told_by(page: Response, problem: Problem) -> Response {
    let mut response = problem.into_response();
    let (of_page, body) = page.into_parts();
    *response.status_mut() = of_page.status;
    for (name, value) in &of_page.headers {
        match *name {
            // Each sets a cookie of its own.
            SET_COOKIE => response.headers_mut().append(name, value.clone()),
            _ => response.headers_mut().insert(name, value.clone()).is_some(),
        };
    }
    *response.body_mut() = body;
    response.extensions_mut().insert(IsPage);
    response
}

/// What a browser is to keep as a file of this name.
pub(super) fn attachment(
    name: &str,
    media_type: &'static str,
    body: impl Into<Body>,
) -> Result<Response, Problem> {
    let body = body.into();
    let length = body.size_hint().exact();
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}\""));
    headers.insert(CONTENT_DISPOSITION, disposition.map_err(|_| Problem::Internal)?);
    Ok(response)
}

/// Sends a browser on, by GET.
pub(super) fn see_other(place: &str) -> Result<Response, Problem> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let place = HeaderValue::from_str(place).map_err(|_| Problem::Internal)?;
    response.headers_mut().insert(LOCATION, place);
    Ok(response)
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Told {
    title: &'static str,
    detail: String,
    request_id: String,
}

/// Bytes as people and programs compare them.
pub(super) fn hex(bytes: &[u8]) -> String {
    faster_hex::hex_string(bytes)
}

/// A time, in UTC until a script writes it in the person's zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment(String);

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        let seconds = i64::try_from(time.seconds()).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
        Self(time.to_string())
    }
}

impl Moment {
    /// For a page, as it is: no character of it means anything to HTML.
    pub(super) fn html(&self) -> String {
        let Self(text) = self;
        let minutes = text.get(..16).unwrap_or(text).replace('T', " ");
        format!("<time datetime=\"{text}\">{minutes} UTC</time>")
    }
}

/// A page on its way into memory that is wiped, also where it has to grow.
struct Text(Wiped<Vec<u8>>);

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let Self(text) = self;
        let length = text.len().saturating_add(part.len());
        if length > text.capacity() {
            let mut larger = Wiped::new(Vec::with_capacity(length.saturating_mul(2)));
            larger.extend_from_slice(text);
            *text = larger;
        }
        text.extend_from_slice(part.as_bytes());
        Ok(())
    }
}

const CAPACITY: usize = 16 * 1024;
/// All that a page loads is ours, and no script or style stands in it. What a script writes into the
/// page is text: with Trusted Types, a browser lets none write anything else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn a_moment_is_written_for_machines_and_people() {
        let moment = Moment::from(Timestamp::from_seconds(1_700_000_000));
        let html = "<time datetime=\"2023-11-14T22:13:20Z\">2023-11-14 22:13 UTC</time>";
        assert_eq!(moment.html(), html);
        assert!(Moment::from(Timestamp::from_millis(u64::MAX)).html().contains("9999"));
    }

    #[test]
    fn a_page_that_grows_is_whole() {
        let mut text = Text(Wiped::new(Vec::with_capacity(4)));
        for _ in 0..100 {
            text.write_str("abc").unwrap();
        }
        assert_eq!(*text.0, "abc".repeat(100).into_bytes());
    }
}
