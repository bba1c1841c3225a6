//! The header `Idempotency-Key`: what a caller calls a request, so that it can be repeated.
//!
//! It counts for the operations that say so ([`crate::operation::Operation::REPEATABLE`]), which
//! make a thing that nobody would have again; elsewhere it is not read. What it does is in the
//! service.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pqc_core::replay::{IdempotencyKey, RequestDigest};

use crate::around::RequestId;
use crate::problem::{FieldError, PROBLEM_JSON, Problem};

pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is not the first.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The key of a call, if it has one: as it is, or in the quotes of a string as structured fields
/// have it (RFC 9651, Section 3.3.3).
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, FieldError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value,
        (Some(_), Some(_)) => return Err(wrong("must stand there once", "value_error")),
    };
    let key = value.to_str().ok().and_then(unquoted);
    let key = key.and_then(|text| IdempotencyKey::parse(&text).ok());
    let form = "must be 1 to 255 visible ASCII characters";
    key.map(Some).ok_or_else(|| wrong(form, "value_error"))
}

/// The key was used for another request.
pub(crate) fn reused() -> FieldError {
    wrong("was used with this token for another request", "idempotency_key_reused")
}

/// What the request is, byte by byte.
pub(crate) fn digest(parts: &Parts, body: &[u8]) -> RequestDigest {
    let path = parts.uri.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let called = format!("{} {path}", parts.method);
    let query = parts.uri.query().unwrap_or_default();
    RequestDigest::of(&[called.as_bytes(), query.as_bytes(), body])
}

/// A refusal as it is kept, its status before its document; `None` of one that may not last.
pub(crate) fn refusal(refused: &Problem, parts: &Parts) -> Option<Vec<u8>> {
    let status = refused.status();
    if !matches!(status.as_u16(), 403 | 404 | 422) {
        return None;
    }
    let id = parts.extensions.get().and_then(RequestId::text).unwrap_or_default();
    Some([&status.as_u16().to_be_bytes()[..], &refused.to_json(&id)].concat())
}

/// The same again, as it was.
pub(crate) fn refused_again(kept: &[u8]) -> Option<Response> {
    let (status, document) = kept.split_first_chunk()?;
    let mut response = Response::new(Body::from(document.to_vec()));
    *response.status_mut() = StatusCode::from_u16(u16::from_be_bytes(*status)).ok()?;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(document.len()));
    Some(response)
}

/// Says that the answer is not the first.
pub(crate) fn again(mut response: Response) -> Response {
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let mut key = String::with_capacity(rest.len());
    let mut characters = rest.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => key.push(escaped),
                _ => return None,
            },
            other => key.push(other),
        }
    }
    characters.next().is_none().then_some(key)
}

fn wrong(msg: &str, kind: &'static str) -> FieldError {
    FieldError { loc: ["header", "Idempotency-Key"], msg: msg.to_owned(), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|value| (IDEMPOTENCY_KEY, value.parse().unwrap()));
        HeaderMap::from_iter(pairs)
    }

    #[test]
    fn a_key_is_read_with_quotes_and_without() {
        assert_eq!(unquoted("abc").as_deref(), Some("abc"));
        assert_eq!(unquoted(r#""abc""#).as_deref(), Some("abc"));
        assert_eq!(unquoted(r#""a\"b\\c""#).as_deref(), Some(r#"a"b\c"#));
        assert_eq!(unquoted(r#"a"b\c"#).as_deref(), Some(r#"a"b\c"#));
        assert!(key(&headers(&[])).unwrap().is_none());
        for right in ["a", r#""a""#, r#""\"""#, "8e03978e-40d5-43dd-bc93-6894a57f9324"] {
            assert!(key(&headers(&[right])).unwrap().is_some(), "{right}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let long = "x".repeat(256);
        for wrong in
            ["", "a b", r#"""#, r#""""#, r#""a"#, r#""a\b""#, r#""a"b"#, r#""a";p=1"#, "é", &long]
        {
            assert!(key(&headers(&[wrong])).is_err(), "{wrong}");
        }
        assert!(key(&headers(&["a", "a"])).is_err());
    }
}
