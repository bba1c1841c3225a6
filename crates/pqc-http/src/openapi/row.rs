//! A documented operation: a method of a path, what it takes, what it answers.
//!
//! The statuses that it can give follow from who may call it and what it reads, as the order of
//! checks in [`crate::operation`] has them.

use http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{AnyOfBuilder, Ref, Schema};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Deprecated, RefOr, Required};

use super::failures;
use super::field::{self, Field, Form, optional};

/// A documented operation.
pub(super) struct Row {
    pub(super) path: &'static str,
    pub(super) method: HttpMethod,
    access: Access,
    operation: OperationBuilder,
    body: Option<Body>,
    answers: Vec<(&'static str, RefOr<Schema>, Option<Value>)>,
    headers: Vec<(&'static str, Header)>,
    /// Statuses beside those that follow from the rest.
    more: Vec<StatusCode>,
}

/// Who may call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anyone.
    Public,
    /// A living token, whatever it may do.
    AnyToken,
    /// A token that may do this.
    Token,
}

struct Body {
    schema: RefOr<Schema>,
    required: bool,
    examples: Vec<(&'static str, &'static str, Value)>,
}

impl Row {
    pub(super) fn new(
        method: HttpMethod,
        path: &'static str,
        id: &'static str,
        tag: &'static str,
        access: Access,
    ) -> Self {
        let operation = OperationBuilder::new().operation_id(Some(id)).tag(tag);
        let (answers, headers, more) = (Vec::new(), Vec::new(), Vec::new());
        Self { path, method, access, operation, body: None, answers, headers, more }
    }

    /// What it does, in a line and in full.
    pub(super) fn says(mut self, summary: &str, description: &str) -> Self {
        self.operation = self.operation.summary(Some(summary)).description(Some(description));
        self
    }

    /// For clients that can't do better.
    pub(super) fn deprecated(mut self) -> Self {
        self.operation = self.operation.deprecated(Some(Deprecated::True));
        self
    }

    /// Takes a JSON object with these fields.
    pub(super) fn takes(self, fields: &[Field]) -> Self {
        self.takes_schema(true, field::object(fields).into())
    }

    /// Takes a JSON object with these fields, or no body at all.
    pub(super) fn may_take(self, fields: &[Field]) -> Self {
        self.takes_schema(false, field::object(fields).into())
    }

    /// Takes a JSON object with the fields of one of these lists.
    pub(super) fn takes_either(self, kinds: &[(&str, &[Field])]) -> Self {
        let any = kinds.iter().fold(AnyOfBuilder::new(), |any, (title, fields)| {
            any.item(Schema::from(field::object(fields).title(Some(*title)).build()))
        });
        self.takes_schema(true, any.into())
    }

    fn takes_schema(mut self, required: bool, schema: RefOr<Schema>) -> Self {
        self.body = Some(Body { schema, required, examples: Vec::new() });
        self
    }

    /// An example of its body. Sent, it is answered as `summary` begins: by its status.
    pub(super) fn example(
        mut self,
        name: &'static str,
        summary: &'static str,
        body: Value,
    ) -> Self {
        if let Some(of) = &mut self.body {
            of.examples.push((name, summary, body));
        }
        self
    }

    /// Takes these fields in its query, and no body that is documented.
    pub(super) fn asks(mut self, fields: &[Field]) -> Self {
        for field in fields {
            self.operation = self.operation.parameter(field.parameter(ParameterIn::Query));
        }
        self.more.push(StatusCode::UNPROCESSABLE_ENTITY);
        self
    }

    /// Takes this field in its path.
    pub(super) fn at(mut self, field: &Field) -> Self {
        self.operation = self.operation.parameter(field.parameter(ParameterIn::Path));
        self
    }

    /// The examples of its parameters are answered with this status, not with 200.
    pub(super) fn example_is(mut self, status: StatusCode) -> Self {
        let extensions = Extensions::from_iter([(STATUS_OF_EXAMPLES, json!(status.as_u16()))]);
        self.operation = self.operation.extensions(Some(extensions));
        self
    }

    /// May be sent a body although it is asked by its query.
    pub(super) fn reads_a_body(mut self) -> Self {
        self.more.extend(BODY);
        self
    }

    /// Can be repeated under an idempotency key.
    pub(super) fn repeatable(mut self) -> Self {
        let form = Form::Text { min: Some(1), max: Some(255), pattern: Some(KEY_PATTERN) };
        let key = optional("Idempotency-Key", form, KEY_ABOUT);
        let key = key.example("8e03978e-40d5-43dd-bc93-6894a57f9324");
        self.operation = self.operation.parameter(key.parameter(ParameterIn::Header));
        self.more.extend([StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY]);
        self.header("Idempotent-Replayed", "`true`, if this answer was given before.")
    }

    /// Answers 200 with a JSON object of these fields.
    pub(super) fn answers(self, fields: &[Field], example: Option<Value>) -> Self {
        self.answers_as("application/json", field::object(fields).into(), example)
    }

    /// Answers 200 with this.
    pub(super) fn answers_as(
        mut self,
        media_type: &'static str,
        schema: RefOr<Schema>,
        example: Option<Value>,
    ) -> Self {
        self.answers.push((media_type, schema, example));
        self
    }

    /// Its 200 has this header.
    pub(super) fn header(mut self, name: &'static str, about: &'static str) -> Self {
        self.headers.push((name, failures::header(about, None)));
        self
    }

    /// Fails with these statuses too.
    pub(super) fn fails(mut self, statuses: &[StatusCode]) -> Self {
        self.more.extend(statuses);
        self
    }

    pub(super) fn build(self) -> Operation {
        let mut statuses = EVERYWHERE.to_vec();
        statuses.extend(&self.more);
        if self.access != Access::Public {
            statuses.extend(TOKEN);
        }
        if self.access == Access::Token {
            statuses.push(StatusCode::FORBIDDEN);
        }
        if self.body.is_some() {
            statuses.extend(BODY);
        }
        statuses.sort_unstable();
        statuses.dedup();

        let mut headers = self.headers;
        if self.access != Access::Public {
            headers.extend(failures::rate_headers());
        }
        let mut operation = self.operation.response("200", ok(self.answers, headers, &self.method));
        for status in statuses {
            operation = operation.response(status.as_str(), failures::reference(status));
        }
        if let Some(Body { schema, required, examples }) = self.body {
            let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(
                examples.into_iter().map(|(name, summary, value)| {
                    (name, ExampleBuilder::new().summary(summary).value(Some(value)))
                }),
            );
            let required = if required { Required::True } else { Required::False };
            let body = RequestBodyBuilder::new().required(Some(required));
            let body = body.content("application/json", content.build()).build();
            operation = operation.request_body(Some(body));
        }
        if self.access == Access::Public {
            return operation.build();
        }
        let none: [&str; 0] = [];
        operation
            .security(SecurityRequirement::new(BEARER, none))
            .security(SecurityRequirement::new(AUTH_TOKEN, none))
            .build()
    }
}

fn ok(
    answers: Vec<(&'static str, RefOr<Schema>, Option<Value>)>,
    headers: Vec<(&'static str, Header)>,
    method: &HttpMethod,
) -> ResponseBuilder {
    let response =
        ResponseBuilder::new().description("Done.").header_ref("X-Request-Id", named_header());
    let response = headers
        .into_iter()
        .fold(response, |response, (name, header)| response.header(name, header));
    if *method == HttpMethod::Head {
        return response.description("As of GET, without its body.");
    }
    answers.into_iter().fold(response, |response, (media_type, schema, example)| {
        let content = ContentBuilder::new().schema(Some(schema)).example(example);
        response.content(media_type, Content::from(content))
    })
}

/// The header that every answer has.
pub(super) fn named_header() -> Ref {
    Ref::new("#/components/headers/X-Request-Id")
}

/// Bare; one in quotes would begin with one.
const KEY_PATTERN: &str = "^[!#-~][!-~]*$";
const KEY_ABOUT: &str = "What you call this request, 1 to 255 visible characters; in quotes it is the \
    same. For 24 hours, and no longer than the token, who repeats the request with the same token and key \
    gets the first answer and spends nothing, also if that token is spent. Another request under the \
    key is 422, one that is under way 409.";

/// The names of the two schemes of `Authorization`.
pub(super) const BEARER: &str = "bearer";
pub(super) const AUTH_TOKEN: &str = "auth_token";

/// The status with which the examples of an operation's parameters are answered, if not 200.
const STATUS_OF_EXAMPLES: &str = "x-status-of-examples";

/// What any route can give: `Host`, another method, a long URL, long headers, our fault.
const EVERYWHERE: [StatusCode; 5] = [
    StatusCode::BAD_REQUEST,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::URI_TOO_LONG,
    StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    StatusCode::INTERNAL_SERVER_ERROR,
];

/// What any token can meet with.
const TOKEN: [StatusCode; 3] =
    [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];

/// What reading a body, and fields from it, can give.
const BODY: [StatusCode; 4] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::UNPROCESSABLE_ENTITY,
];
