//! The documentation: the OpenAPI document, and Swagger UI over it, all from this binary.
//!
//! The page asks nothing of any other origin, and its policy (CSP) would not let it: Swagger UI
//! comes out of a crate at build time, and what starts it is a file of ours, no script in the page.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::HeaderValue;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
};

use crate::app::App;
use crate::around::answer_bodiless;
use crate::auth::count_by_address;
use crate::openapi;
use crate::problem::Problem;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::default()
        .route("/openapi.json", any(document))
        .route("/docs", any(page))
        .route("/docs/{file}", any(file))
}

/// A file of the page.
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) media_type: &'static str,
    bytes: &'static [u8],
}

/// The files of the page.
pub(crate) const FILES: [File; 4] = [
    File {
        name: "swagger-initializer.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("docs/swagger-initializer.js"),
    },
    File {
        name: "swagger-ui-bundle.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    },
    File {
        name: "swagger-ui.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css")),
    },
    File {
        name: "LICENSE",
        media_type: "text/plain; charset=utf-8",
        bytes: include_bytes!(concat!(env!("OUT_DIR"), "/LICENSE")),
    },
];

/// What the server takes and answers, in OpenAPI.
async fn document(State(app): State<Arc<App>>, request: Request) -> Response {
    answer(&app, request, || Some(("application/json", openapi::json().as_bytes()))).await
}

/// The same as a page for people.
async fn page(State(app): State<Arc<App>>, request: Request) -> Response {
    let page = include_bytes!("docs/index.html");
    answer(&app, request, || Some(("text/html; charset=utf-8", page))).await
}

/// What the page loads.
async fn file(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let asked = name.ok().map(|Path(name)| name);
    let find = || FILES.iter().find(|file| asked.as_deref() == Some(file.name));
    answer(&app, request, || find().map(|file| (file.media_type, file.bytes))).await
}

async fn answer(
    app: &App,
    request: Request,
    find: impl FnOnce() -> Option<(&'static str, &'static [u8])>,
) -> Response {
    answer_bodiless(request, "GET, HEAD", async |parts| match count_by_address(app, parts) {
        Ok(_) => match find() {
            Some((media_type, bytes)) => respond(media_type, bytes),
            None => Problem::NoRoute.into_response(),
        },
        Err(refused) => refused.into_response(),
    })
    .await
}

fn respond(media_type: &'static str, bytes: &'static [u8]) -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(bytes)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Swagger UI draws its icons from `data:` URLs. It needs no script and no style in the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
