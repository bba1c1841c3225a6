//! The error table as responses: their statuses, words and examples are written by the code that
//! answers, [`Problem`].

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ArrayBuilder, ComponentsBuilder, ObjectBuilder, Ref, Type};

use super::field::{self, always};
use super::row::named_header;
use crate::idempotency;
use crate::problem::{Attempt, FieldError, Forbidden, Problem, TooMany, Unavailable};
use crate::rates::{RATE_LIMIT, RATE_LIMIT_POLICY, Standing};

/// Adds a response for every status of the table.
pub(super) fn add_to(components: ComponentsBuilder) -> ComponentsBuilder {
    let mut by_status: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for problem in all() {
        let document = serde_json::from_slice(&problem.to_json(REQUEST_ID)).unwrap_or_default();
        by_status.entry(problem.status().as_u16()).or_default().push(document);
    }
    by_status
        .into_iter()
        .fold(components.schema(FIELD_ERROR, field_error()), |all, (status, some)| {
            all.response(name(status), response(status, &some))
        })
}

/// The response of a status.
pub(super) fn reference(status: StatusCode) -> Ref {
    Ref::from_response_name(name(status.as_u16()))
}

/// One refusal of each kind. One that is missing here is told by a test.
fn all() -> Vec<Problem> {
    let invalid = |loc, msg: &str, kind| FieldError { loc, msg: msg.to_owned(), kind };
    let store = |attempt| Problem::Unavailable { reason: Unavailable::Store, attempt };
    vec![
        Problem::BadRequest("The body is not a JSON object in UTF-8."),
        Problem::Unauthorized(None),
        Problem::Forbidden(Forbidden::OutOfScope),
        Problem::Forbidden(Forbidden::UntrustedIssuer),
        Problem::Forbidden(Forbidden::OtherAccount),
        Problem::Forbidden(Forbidden::Custody),
        Problem::Forbidden(Forbidden::QuotaFull { what: "stored keys" }),
        Problem::NoRoute,
        Problem::UnknownKey,
        Problem::Method { allow: "GET, POST" },
        Problem::SlowBody,
        Problem::BodyTooLarge { limit: 1024 * 1024 },
        Problem::UrlTooLong { limit: 8 * 1024 },
        Problem::MediaType,
        Problem::Invalid(vec![
            invalid(["body", "pk"], "must be 800 or 1184 or 1568 or 1216 bytes, not 16", "length"),
            invalid(["body", "signature"], "is missing", "missing"),
        ]),
        Problem::Invalid(vec![idempotency::reused()]),
        TooMany::of_address(Duration::from_secs(1)).into(),
        TooMany::refused(Duration::from_secs(1)).into(),
        TooMany::of_token(Duration::from_secs(1), Standing::EXAMPLE).into(),
        Problem::HeadersTooLarge { bytes: 16 * 1024, lines: 100 },
        Problem::Internal,
        store(Attempt::Kept),
        store(Attempt::Spent),
        store(Attempt::Unknown),
        Problem::Unavailable { reason: Unavailable::Memory, attempt: Attempt::Kept },
        Problem::Unavailable { reason: Unavailable::Calls, attempt: Attempt::Kept },
        Problem::Unavailable { reason: Unavailable::Slow, attempt: Attempt::Unknown },
        Problem::NotReady("the store does not answer".to_owned()),
        Problem::InFlight,
    ]
}

fn response(status: u16, documents: &[Value]) -> Response {
    let title = texts(documents, "title").first().copied().unwrap_or_default().to_owned();
    let one_of = |values: Vec<&str>| {
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values))
    };
    let number = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status]));
    let mut schema = field::object(&[
        always("detail", field::text(), "What was wrong, for people."),
        always("request_id", field::text(), "As in X-Request-Id: what to ask the operator about."),
    ])
    .title(Some(format!("Problem {status}")))
    .property(
        "type",
        one_of(texts(documents, "type")).description(Some("Which problem it is, for programs.")),
    )
    .property("title", one_of(texts(documents, "title")))
    .property("status", number)
    .required("type")
    .required("title")
    .required("status");
    if status == StatusCode::UNPROCESSABLE_ENTITY {
        let errors =
            ArrayBuilder::new().items(Ref::from_schema_name(FIELD_ERROR)).min_items(Some(1));
        schema = schema.property("errors", errors).required("errors");
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let attempt = one_of(vec!["spent", "unknown"]);
        let about = "What became of the token's attempt. Without it, none was lost.";
        schema = schema.property("attempt", attempt.description(Some(about)));
    }
    let examples = documents.iter().zip(1..).map(|(document, count)| {
        let kind = document.get("type").and_then(Value::as_str).unwrap_or_default();
        let kind = kind.rsplit(':').next().unwrap_or_default();
        (format!("{kind}-{count}"), ExampleBuilder::new().value(Some(document.clone())))
    });
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
    let response = ResponseBuilder::new()
        .description(title)
        .content("application/problem+json", content)
        .header_ref("X-Request-Id", named_header());
    headers(status)
        .into_iter()
        .fold(response, |response, (name, header)| response.header(name, header))
        .build()
}

/// What the documents have under this name.
fn texts<'a>(documents: &'a [Value], name: &str) -> Vec<&'a str> {
    let texts = documents.iter().filter_map(|document| document.get(name)?.as_str());
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

/// The headers that only answers of this status have.
fn headers(status: u16) -> Vec<(&'static str, Header)> {
    let retry_after =
        || ("Retry-After", header("When to try again, in seconds.", Some(json!("1"))));
    match status {
        401 => {
            vec![("WWW-Authenticate", header("The scheme that would do.", Some(json!("Bearer"))))]
        }
        405 => vec![("Allow", header("The methods that would do.", Some(json!("GET, POST"))))],
        429 => rate_headers().into_iter().chain([retry_after()]).collect(),
        409 | 503 => vec![retry_after()],
        _ => Vec::new(),
    }
}

/// How the token stands, where the operator has set a rate for tokens.
pub(super) fn rate_headers() -> [(&'static str, Header); 2] {
    let mut written = HeaderMap::new();
    Standing::EXAMPLE.write(&mut written);
    let example = |name| written.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let of = |name, about: &str| header(about, example(name).map(Value::from));
    [
        ("RateLimit-Policy", of(RATE_LIMIT_POLICY, RATE_LIMIT_POLICY_ABOUT)),
        ("RateLimit", of(RATE_LIMIT, RATE_LIMIT_ABOUT)),
    ]
}

/// A header with this text in it.
pub(super) fn header(about: &str, example: Option<Value>) -> Header {
    let text = ObjectBuilder::new().schema_type(Type::String);
    HeaderBuilder::new().schema(Some(text)).description(Some(about)).example(example).build()
}

fn field_error() -> ObjectBuilder {
    let place = ObjectBuilder::new().schema_type(Type::String);
    field::object(&[
        always("msg", field::text(), "What would do. Never the value that was given."),
        always("type", field::text(), "The kind of error, for programs."),
    ])
    .description(Some("A field that is wrong."))
    .property(
        "loc",
        ArrayBuilder::new()
            .items(place)
            .min_items(Some(2))
            .max_items(Some(2))
            .description(Some("Where it stands, body, query, header or path, and its name.")),
    )
    .required("loc")
}

fn name(status: u16) -> String {
    format!("Problem{status}")
}

const RATE_LIMIT_POLICY_ABOUT: &str =
    "If tokens have a rate: how many calls (`q`) in how many seconds (`w`).";
const RATE_LIMIT_ABOUT: &str = "If tokens have a rate: how many calls are left (`r`), and if none, in how many seconds there \
     is one (`t`).";
const FIELD_ERROR: &str = "FieldError";
const REQUEST_ID: &str = "0196f1c2a3b47c5d8e9fa0b1c2d3e4f5";

#[cfg(test)]
mod tests {
    use super::*;

    /// A new kind of problem does not compile here until it is told of, in [`all`] too.
    fn kind(problem: &Problem) -> u8 {
        match problem {
            Problem::BadRequest(_) => 0,
            Problem::Unauthorized(_) => 1,
            Problem::Forbidden(Forbidden::OutOfScope) => 2,
            Problem::Forbidden(Forbidden::UntrustedIssuer) => 3,
            Problem::Forbidden(Forbidden::OtherAccount) => 4,
            Problem::Forbidden(Forbidden::Custody) => 5,
            Problem::Forbidden(Forbidden::QuotaFull { .. }) => 6,
            Problem::NoRoute => 7,
            Problem::UnknownKey => 8,
            Problem::Method { .. } => 9,
            Problem::SlowBody => 10,
            Problem::BodyTooLarge { .. } => 11,
            Problem::UrlTooLong { .. } => 12,
            Problem::MediaType => 13,
            Problem::Invalid(_) => 14,
            Problem::TooMany(_) => 15,
            Problem::HeadersTooLarge { .. } => 16,
            Problem::Internal => 17,
            Problem::Unavailable { reason: Unavailable::Store, .. } => 18,
            Problem::Unavailable { reason: Unavailable::Memory, .. } => 19,
            Problem::Unavailable { reason: Unavailable::Calls, .. } => 20,
            Problem::Unavailable { reason: Unavailable::Slow, .. } => 21,
            Problem::NotReady(_) => 22,
            Problem::InFlight => 23,
        }
    }

    #[test]
    fn every_kind_of_problem_is_in_the_document() {
        let mut kinds: Vec<_> = all().iter().map(kind).collect();
        kinds.dedup();
        assert_eq!(kinds, (0..=23).collect::<Vec<_>>());
    }
}
