//! The OpenAPI 3.1 document of the server, as `GET /openapi.json` gives it.
//!
//! A file a family of the contract, with a [`row::Row`] for each method of each path: look there
//! for what a call takes. `field` and `values` write schemas, and ask the core for every size;
//! `failures` asks the error table for every refusal. `examples.json` holds values that one server
//! made: its keys are known to everyone and protect nothing. Tests hold the document against the
//! routes, and against a running server. Nothing here is asked when a call is served.

mod administration;
mod around;
mod client_held;
mod failures;
mod field;
mod row;
mod stored;
mod values;

use std::sync::LazyLock;

use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{ComponentsBuilder, Object, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::Server;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{OpenApi, OpenApiBuilder, Paths};

/// The document, written once.
pub(crate) fn json() -> &'static str {
    static JSON: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    &JSON
}

fn document() -> OpenApi {
    let mut paths = Paths::new();
    let tables = [stored::rows(), client_held::rows(), administration::rows(), around::rows()];
    for row in tables.into_iter().flatten() {
        let (path, method) = (row.path, row.method.clone());
        let item = PathItem::new(method, row.build());
        match paths.paths.get_mut(path) {
            Some(known) => known.merge_operations(item),
            None => drop(paths.paths.insert(path.to_owned(), item)),
        }
    }
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("pqc")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license))
        .build();
    let tags =
        TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .tags(Some(tags))
        .paths(paths)
        .components(Some(failures::add_to(values::add_to(components())).build()))
        .build()
}

fn components() -> ComponentsBuilder {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("pqc_r_… (root) or pqc_t_… (temporary)")
        .description(Some("`Authorization: Bearer <token>`"))
        .build();
    let about = "The same token under the scheme of older clients: `auth_token <token>`.";
    let auth_token = ApiKey::Header(ApiKeyValue::with_description("Authorization", about));
    let request_id = HeaderBuilder::new()
        .schema(Some(Object::with_type(Type::String)))
        .description(Some("The request's id: the one that came in, if it was well-formed."))
        .build();
    ComponentsBuilder::new()
        .security_scheme(row::BEARER, SecurityScheme::Http(bearer))
        .security_scheme(row::AUTH_TOKEN, SecurityScheme::ApiKey(auth_token))
        .header("X-Request-Id", request_id)
}

/// A part of `examples.json`.
fn example(pointer: &str) -> Value {
    static EXAMPLES: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("examples.json")).unwrap_or_default());
    EXAMPLES.pointer(pointer).cloned().unwrap_or_default()
}

const STORED: &str = "Stored keys";
const CLIENT_HELD: &str = "Client-held keys";
const ADMINISTRATION: &str = "Administration";
const AROUND: &str = "Around";

const TAGS: [(&str, &str); 4] = [
    (STORED, "Operations with keys that the server stores for the account, and temporary tokens."),
    (CLIENT_HELD, "The same algorithms with keys that the client holds; nothing is stored."),
    (ADMINISTRATION, "What the account has. For root tokens, but for a token's word of itself."),
    (AROUND, "Health, issuer keys and this documentation. For everyone."),
];

const ABOUT: &str = "Post-quantum cryptography as a service: ML-KEM (FIPS 203), ML-DSA (FIPS 204), \
X-Wing and AES-256.\n\n\
Binary values go out in lower-case hex and come in as hex of either case, base64 or base64url. \
Unknown fields and query parameters are ignored, and null is absent. What is secret is read from a \
JSON body only. A trailing slash is optional on every path. `OPTIONS` is answered with 204 and \
`Allow`.\n\n\
A call that is refused before its operation spends no attempt of a temporary token; one that fails \
in its operation (404, 422, and 403 for custody, quota or an issuer) has spent it. Refusals are \
`application/problem+json` (RFC 9457).\n\n\
The keys in the examples are known to everyone. Never use them.";

#[cfg(test)]
mod tests;
