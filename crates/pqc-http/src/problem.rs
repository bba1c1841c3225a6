//! The error table: every refusal, with its status and words, as `application/problem+json`
//! (RFC 9457).
//!
//! A handler returns a [`Problem`]; it travels in the response's extensions until
//! [`crate::around`] writes it down with the request's id.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use pqc_core::token::Refusal;
use serde::Serialize;

use crate::rates::{Standing, seconds};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// 400: the request or its JSON is broken.
    BadRequest(&'static str),
    /// 401: one answer for every token that is not accepted. Why is for operators alone; `None`: the
    /// request has no token.
    Unauthorized(Option<Refusal>),
    /// 403.
    Forbidden(Forbidden),
    /// 404: no such route.
    NoRoute,
    /// 404: no such key in this account.
    UnknownKey,
    /// 405, with the methods that would do.
    Method { allow: &'static str },
    /// 408: the body did not arrive in time.
    SlowBody,
    /// 409: the same call is under way.
    InFlight,
    /// 413, with the limit in bytes.
    BodyTooLarge { limit: usize },
    /// 414, with the limit in bytes.
    UrlTooLong { limit: usize },
    /// 415.
    MediaType,
    /// 422, with each field that is wrong.
    Invalid(Vec<FieldError>),
    /// 429.
    TooMany(TooMany),
    /// 431, with the limits in bytes and lines.
    HeadersTooLarge { bytes: usize, lines: usize },
    /// 500: our fault.
    Internal,
    /// 503, and what became of the attempt.
    Unavailable { reason: Unavailable, attempt: Attempt },
    /// 503, of a health check: why the server cannot serve.
    NotReady(String),
}

pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Who calls too often, and how long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    who: Limited,
    wait: Duration,
    standing: Option<Standing>,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    Address,
    Refused,
    Token,
}

impl Limited {
    pub(crate) const ALL: [Self; 3] = [Self::Address, Self::Refused, Self::Token];

    /// The setting that says how much may be.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Address => "address_rate",
            Self::Refused => "failed_authorizations",
            Self::Token => "token_rate",
        }
    }
}

impl TooMany {
    /// Calls from this address.
    pub(crate) fn of_address(wait: Duration) -> Self {
        Self { who: Limited::Address, wait, standing: None }
    }

    /// Calls from this address whose tokens were not accepted.
    pub(crate) fn refused(wait: Duration) -> Self {
        Self { who: Limited::Refused, wait, standing: None }
    }

    /// Calls by this token.
    pub(crate) fn of_token(wait: Duration, standing: Standing) -> Self {
        Self { who: Limited::Token, wait, standing: Some(standing) }
    }

    pub(crate) fn limited(&self) -> Limited {
        self.who
    }

    /// In seconds.
    pub(crate) fn retry_after(&self) -> u64 {
        seconds(self.wait)
    }
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany(too_many)
    }
}

/// Why a living token or a right request may not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    OutOfScope,
    UntrustedIssuer,
    OtherAccount,
    Custody,
    /// The account has as many as it may have, of this.
    QuotaFull {
        what: &'static str,
    },
}

/// Why the server cannot serve now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    Store,
    Memory,
    Calls,
    /// The call takes too long.
    Slow,
}

/// What became of the attempt of a call that was answered 503.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    Kept,
    Spent,
    Unknown,
}

/// A field that is wrong: where, how, and of which kind the error is. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FieldError {
    pub(crate) loc: [&'static str; 2],
    pub(crate) msg: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::Invalid(vec![error])
    }
}

impl Problem {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NoRoute | Self::UnknownKey => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::InFlight => StatusCode::CONFLICT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UrlTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::HeadersTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable { .. } | Self::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The last part of the problem's `type`, for programs.
    fn slug(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(Forbidden::OutOfScope) => "out-of-scope",
            Self::Forbidden(Forbidden::UntrustedIssuer) => "untrusted-issuer",
            Self::Forbidden(Forbidden::OtherAccount) => "other-account",
            Self::Forbidden(Forbidden::Custody) => "custody",
            Self::Forbidden(Forbidden::QuotaFull { .. }) => "quota-full",
            Self::NoRoute => "no-route",
            Self::UnknownKey => "unknown-key",
            Self::Method { .. } => "method",
            Self::SlowBody => "slow-body",
            Self::InFlight => "in-flight",
            Self::BodyTooLarge { .. } => "body-too-large",
            Self::UrlTooLong { .. } => "url-too-long",
            Self::MediaType => "media-type",
            Self::Invalid(_) => "invalid",
            Self::TooMany(_) => "rate-limit",
            Self::HeadersTooLarge { .. } => "headers-too-large",
            Self::Internal => "internal",
            Self::Unavailable { reason: Unavailable::Store, .. } | Self::NotReady(_) => {
                "store-unavailable"
            }
            Self::Unavailable { reason: Unavailable::Memory | Unavailable::Calls, .. } => {
                "overload"
            }
            Self::Unavailable { reason: Unavailable::Slow, .. } => "slow",
        }
    }

    /// What a person reads of it.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::BadRequest(detail) => (*detail).to_owned(),
            Self::Unauthorized(_) => {
                "Send a valid token: Authorization: Bearer <token>.".to_owned()
            }
            Self::Forbidden(why) => match why {
                Forbidden::OutOfScope => "The token may not do this.",
                Forbidden::UntrustedIssuer => {
                    "verif_key is not this server's issuer key or one that it trusts."
                }
                Forbidden::OtherAccount => "The attestation names another account.",
                Forbidden::Custody => {
                    "The account's custody is server-only: no secret key leaves the server."
                }
                Forbidden::QuotaFull { what } => {
                    return format!("The account's {what} quota is full.");
                }
            }
            .to_owned(),
            Self::NoRoute => "There is nothing at this path.".to_owned(),
            Self::UnknownKey => "No such key is stored in this account.".to_owned(),
            Self::Method { allow } => format!("This path takes {allow}."),
            Self::SlowBody => "The body did not arrive in time.".to_owned(),
            Self::InFlight => {
                "A call with the same Idempotency-Key is under way. Try again.".to_owned()
            }
            Self::BodyTooLarge { limit } => format!("The body is limited to {limit} bytes here."),
            Self::UrlTooLong { limit } => format!("The URL is limited to {limit} bytes."),
            Self::MediaType => {
                "Send JSON in UTF-8, not compressed: Content-Type: application/json.".to_owned()
            }
            Self::Invalid(errors) => match errors.as_slice() {
                [only] => format!("{}: {}", only.loc.join("."), only.msg),
                several => format!("{} fields are wrong; see errors.", several.len()),
            },
            Self::TooMany(too_many) => match too_many.who {
                Limited::Address => "This address calls too often.",
                Limited::Refused => "Too many tokens from this address were not accepted.",
                Limited::Token => "This token is used too often.",
            }
            .to_owned(),
            Self::HeadersTooLarge { bytes, lines } => {
                format!("The headers are limited to {bytes} bytes in {lines} lines.")
            }
            Self::Internal => "Our fault; give the request id to the operator.".to_owned(),
            Self::Unavailable { reason: Unavailable::Store, .. } => {
                "The store is not available. Try again.".to_owned()
            }
            Self::Unavailable { reason: Unavailable::Memory, .. } => {
                "Too many bytes are under way. Try again.".to_owned()
            }
            Self::Unavailable { reason: Unavailable::Calls, .. } => {
                "Too many calls are under way. Try again.".to_owned()
            }
            Self::Unavailable { reason: Unavailable::Slow, .. } => {
                "The call takes too long; it may still be carried out.".to_owned()
            }
            Self::NotReady(reason) => reason.clone(),
        }
    }

    /// The body, for the request with this id.
    pub(crate) fn to_json(&self, request_id: &str) -> Vec<u8> {
        let status = self.status();
        let document = Document {
            kind: format!("urn:pqc:problem:{}", self.slug()),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
            request_id,
            errors: match self {
                Self::Invalid(errors) => errors,
                _ => &[],
            },
            attempt: match self {
                Self::Unavailable { attempt: Attempt::Spent, .. } => Some("spent"),
                Self::Unavailable { attempt: Attempt::Unknown, .. } => Some("unknown"),
                _ => None,
            },
        };
        serde_json::to_vec(&document).unwrap_or_default()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match &self {
            Self::Unauthorized(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Method { allow } => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::InFlight | Self::Unavailable { .. } | Self::NotReady(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::TooMany(too_many) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(too_many.retry_after()));
                if let Some(standing) = too_many.standing {
                    standing.write(headers);
                }
            }
            _ => {}
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    request_id: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<&'static str>,
}
