//! What needs no token: health, the issuer keys, and this documentation.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::path::HttpMethod::{self, Get, Head};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::field::{self, Form, always};
use super::row::{Access, Row};
use super::{AROUND, example};
use crate::api::docs::FILES;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for method in [Get, Head] {
        rows.extend([
            health(method.clone()),
            readiness(method.clone()),
            issuer_keys(method.clone()),
            document(method.clone()),
            page(method.clone()),
            page_file(method),
        ]);
    }
    rows
}

fn row(method: HttpMethod, path: &'static str, get: &'static str, head: &'static str) -> Row {
    let id = if method == Head { head } else { get };
    Row::new(method, path, id, AROUND, Access::Public)
}

fn health(method: HttpMethod) -> Row {
    row(method, "/healthz", "healthz", "healthz_head")
        .says("Whether the process lives", "Asks nothing of the store.")
        .answers(&[always("status", Form::OneOf(vec!["ok"]), "")], Some(json!({"status": "ok"})))
}

fn readiness(method: HttpMethod) -> Row {
    row(method, "/readyz", "readyz", "readyz_head")
        .says(
            "Whether the server can serve",
            "503 with the reason while the store is not reachable.",
        )
        .answers(
            &[always("status", Form::OneOf(vec!["ready"]), "")],
            Some(json!({"status": "ready"})),
        )
        .fails(&[StatusCode::SERVICE_UNAVAILABLE])
}

fn issuer_keys(method: HttpMethod) -> Row {
    let base64url = Form::Text { min: Some(1), max: None, pattern: Some("^[A-Za-z0-9_-]+$") };
    let key: RefOr<Schema> = field::object(&[
        always("kty", Form::OneOf(vec!["AKP"]), "The key type (RFC 9964)."),
        always("alg", super::stored::signatures(), "The algorithm."),
        always("pub", base64url.clone(), "The public key in base64url."),
        always("kid", base64url, "Its thumbprint (RFC 7638) in base64url."),
        always("use", Form::OneOf(vec!["sig"]), "For signatures."),
    ])
    .into();
    let about = "The key in force first, then the retired ones. Both verify: pin the first.";
    let keys = always("keys", Form::List(Box::new(key)), about);
    row(method, "/.well-known/jwks.json", "jwks", "jwks_head")
        .says("The issuer's public keys", "A JSON Web Key Set (RFC 7517), for senders to pin.")
        .answers_as(
            "application/jwk-set+json",
            field::object(&[keys]).into(),
            Some(example("/jwks/answer")),
        )
        .header("Cache-Control", "It may be kept for five minutes.")
        .fails(&[StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE])
}

fn document(method: HttpMethod) -> Row {
    row(method, "/openapi.json", "openapi", "openapi_head")
        .says("This document", "OpenAPI 3.1.")
        .answers_as(
            "application/json",
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .property("openapi", ObjectBuilder::new().schema_type(Type::String))
                .required("openapi")
                .into(),
            None,
        )
        .header("Cache-Control", "It may be kept for five minutes.")
        .fails(&[StatusCode::TOO_MANY_REQUESTS])
}

fn page(method: HttpMethod) -> Row {
    row(method, "/docs", "docs", "docs_head")
        .says("This document as a page", "Swagger UI, from this server alone: it works offline.")
        .answers_as("text/html", any_text(), None)
        .header("Content-Security-Policy", "Nothing from elsewhere, and no script in the page.")
        .fails(&[StatusCode::TOO_MANY_REQUESTS])
}

fn page_file(method: HttpMethod) -> Row {
    let names = FILES.iter().map(|file| file.name).collect();
    let file = always("file", Form::OneOf(names), "The file.").example("swagger-initializer.js");
    let row = row(method, "/docs/{file}", "docs_file", "docs_file_head")
        .says("A file of the page", "Its scripts, its style sheet, and the licence of Swagger UI.")
        .at(&file)
        .fails(&[StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS])
        .header("Content-Security-Policy", "As of the page.");
    let kinds = FILES.iter().filter_map(|file| file.media_type.split(';').next());
    let kinds: BTreeSet<_> = kinds.collect();
    kinds.into_iter().fold(row, |row, kind| row.answers_as(kind, any_text(), None))
}

fn any_text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}
