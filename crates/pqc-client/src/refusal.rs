//! What a server says when it says no: a problem document (RFC 9457), and what became of the attempt.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

use crate::wire::Problem;

/// A refusal. Its texts are the server's, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The status of HTTP.
    pub status: u16,
    /// The problem's type, such as `urn:pqc:problem:unauthorized`; `about:blank` if there is none,
    /// which is so if it is not the server that answered, but something between.
    pub kind: String,
    /// What it is called.
    pub title: String,
    /// What is wrong, for people; it may be empty.
    pub detail: String,
    /// What the server's log calls the request.
    pub request_id: Option<String>,
    /// The fields that are wrong.
    pub fields: Vec<FieldError>,
    /// What became of the attempt of a temporary token; a root token's calls are not counted.
    pub attempt: Attempt,
    /// How long to wait before the next call, as the server says.
    pub retry_after: Option<Duration>,
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// Where it stands, such as `body.pk`.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// The kind of error, for programs.
    pub kind: String,
}

/// What became of the attempt that a call of a temporary token spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// It was not spent.
    Kept,
    /// It was spent.
    Spent,
    /// It may have been.
    Unknown,
}

impl Refusal {
    /// Reads an answer that is none of success.
    pub(crate) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let is_problem = headers
            .get(CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/problem+json"));
        let problem = if is_problem { serde_json::from_slice(body).ok() } else { None };
        let problem: Problem = problem.unwrap_or_default();
        let kind = problem.kind.as_deref().map_or_else(|| "about:blank".to_owned(), plain);
        let title = problem.title.as_deref().map(plain);
        let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        Self {
            status: status.as_u16(),
            attempt: attempt(status.as_u16(), &kind, problem.attempt.as_deref()),
            kind,
            title: title.unwrap_or_else(|| status.canonical_reason().unwrap_or("?").to_owned()),
            detail: problem.detail.as_deref().map(plain).unwrap_or_default(),
            request_id: problem.request_id.as_deref().map(plain),
            fields: problem
                .errors
                .iter()
                .map(|error| FieldError {
                    place: plain(&error.place.join(".")),
                    message: plain(&error.message),
                    kind: plain(&error.kind),
                })
                .collect(),
            retry_after: retry_after.and_then(|text| text.parse().ok()).map(Duration::from_secs),
        }
    }

    /// The last part of the problem's type, such as `unauthorized`, if it is one of a pqc server.
    #[must_use]
    pub fn slug(&self) -> Option<&str> {
        self.kind.strip_prefix(OURS)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        // Where there is one, the detail is about it.
        if let [first, .., last] = &*self.fields {
            write!(f, " ({}: {}; … {}: {})", first.place, first.message, last.place, last.message)?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// What became of the attempt: what the server says, or else what follows from the step at which it
/// refuses. Of an answer that is not the server's nothing follows.
fn attempt(status: u16, kind: &str, said: Option<&str>) -> Attempt {
    let Some(slug) = kind.strip_prefix(OURS) else { return Attempt::Unknown };
    match (said, status, slug) {
        (Some("spent"), ..) => Attempt::Spent,
        (Some("kept"), ..) => Attempt::Kept,
        (Some(_), ..) => Attempt::Unknown,
        (None, 403, "out-of-scope") | (None, 404, "no-route") => Attempt::Kept,
        (None, 403 | 404 | 422, _) => Attempt::Spent,
        (None, 400 | 401 | 405 | 408 | 409 | 413 | 414 | 415 | 429 | 431 | 503, _) => Attempt::Kept,
        _ => Attempt::Unknown,
    }
}

/// A text for one line of a terminal.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).take(MAX_CHARACTERS).collect()
}

const OURS: &str = "urn:pqc:problem:";
const MAX_CHARACTERS: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, content_type: &str, body: &str) -> Refusal {
        let headers = [(CONTENT_TYPE, content_type), (RETRY_AFTER, "7")];
        let headers = headers.map(|(name, value)| (name, value.parse().unwrap()));
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read(status, &HeaderMap::from_iter(headers), body.as_bytes())
    }

    #[test]
    fn a_problem_is_read_whole_and_shown_on_one_line() {
        let body = r#"{"type":"urn:pqc:problem:invalid","title":"Unprocessable Entity","status":422,
            "detail":"2 fields\nare \u001b[31mwrong","request_id":"r-1","errors":[
            {"loc":["body","pk"],"msg":"is missing","type":"missing"},
            {"loc":["body","cipher"],"msg":"is short","type":"length"}]}"#;
        let refusal = read(422, "application/problem+json", body);
        assert_eq!((refusal.status, refusal.slug()), (422, Some("invalid")));
        assert_eq!(refusal.fields.len(), 2);
        assert_eq!(refusal.fields.first().unwrap().place, "body.pk");
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
        let line = refusal.to_string();
        assert!(line.contains("are  [31mwrong") && line.contains("body.pk: is missing"), "{line}");
        assert!(line.ends_with("(request r-1)"), "{line}");
    }

    #[test]
    fn what_is_no_problem_of_the_server_tells_nothing_of_the_attempt() {
        let page = read(503, "text/html", "<h1>Busy</h1>");
        assert_eq!((page.kind.as_str(), page.attempt), ("about:blank", Attempt::Unknown));
        assert_eq!(page.to_string(), "503 Service Unavailable");
        let alien = r#"{"type":"https://proxy.example/busy","title":"Busy"}"#;
        assert_eq!(read(503, "application/problem+json", alien).attempt, Attempt::Unknown);
        for broken in ["", "{", "[]", r#"{"errors":1}"#] {
            assert_eq!(read(422, "application/problem+json", broken).attempt, Attempt::Unknown);
        }
    }

    #[test]
    fn the_attempt_follows_from_the_step_that_refuses() {
        for (status, slug, said, expected) in [
            (401, "unauthorized", None, Attempt::Kept),
            (403, "out-of-scope", None, Attempt::Kept),
            (403, "untrusted-issuer", None, Attempt::Spent),
            (404, "no-route", None, Attempt::Kept),
            (404, "unknown-key", None, Attempt::Spent),
            (413, "body-too-large", None, Attempt::Kept),
            (422, "invalid", None, Attempt::Spent),
            (429, "rate-limit", None, Attempt::Kept),
            (500, "internal", None, Attempt::Unknown),
            (503, "overload", None, Attempt::Kept),
            (503, "store-unavailable", Some("spent"), Attempt::Spent),
            (503, "store-unavailable", Some("unknown"), Attempt::Unknown),
            (503, "store-unavailable", Some("whatever"), Attempt::Unknown),
        ] {
            assert_eq!(
                attempt(status, &format!("{OURS}{slug}"), said),
                expected,
                "{status} {slug}"
            );
        }
    }
}
