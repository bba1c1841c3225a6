//! The dashboard: pages for the person who runs an account, in a browser.
//!
//! A page is written on the server (`html.rs`, the templates in `templates/`), from the same methods of
//! the service that the calls of the contract use; a script only helps with what a server cannot do. Who
//! asks for a page goes the way of `visit.rs`: signed in by a cookie (`sign_in.rs`), or sent to sign in.
//! A cookie opens these pages and nothing under `/api`. No page loads anything from elsewhere.

mod activity;
mod assets;
mod chart;
mod cookie;
mod form;
mod health;
mod html;
mod keys;
mod month;
mod root_token;
mod sign_in;
mod temporary_tokens;
mod try_it;
mod usage;
mod visit;

use axum::response::Response;
use axum::routing::any;
use http::Method;
use http::header::ACCEPT;
use http::request::Parts;

use crate::app::App;
use crate::problem::Problem;
use crate::routes::Routes;

pub(crate) use html::IsPage;

/// Where a person can go to.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .route(HOME, any(root_token::show))
        .route("/token/reset", any(root_token::reset))
        .route(temporary_tokens::PLACE, any(temporary_tokens::show))
        .route("/tokens/mint", any(temporary_tokens::mint))
        .route("/tokens/revoke", any(temporary_tokens::revoke))
        .route("/tokens/revoke-all", any(temporary_tokens::revoke_all))
        .route(usage::PLACE, any(usage::show))
        .route("/usage.csv", any(usage::csv))
        .route(keys::PLACE, any(keys::show))
        .route("/keys/{key_id}", any(keys::one))
        .route("/keys/{key_id}/public.pem", any(keys::public_pem))
        .route(try_it::PLACE, any(try_it::show))
        .route("/try/token", any(try_it::token))
        .route(activity::PLACE, any(activity::show))
        .route(activity::EXPORT, any(activity::export))
        .route(health::PLACE, any(health::show))
        .route("/sign-in", any(sign_in::sign_in))
        .route("/sign-out", any(sign_in::sign_out))
        .route("/assets/{file}", any(assets::file))
}

/// Whether a person asks, by a browser, and not for what is a program's.
pub(crate) fn is_asked_for(parts: &Parts) -> bool {
    let accepted = parts.headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok());
    let is_browser = accepted.is_some_and(|accepted| accepted.contains("text/html"));
    is_browser && parts.method == Method::GET && !parts.uri.path().starts_with("/api")
}

/// Tells a person that there is no such page.
pub(crate) fn no_page(app: &App, parts: &Parts) -> Response {
    html::problem(app, parts, Problem::NoRoute)
}

/// The first page.
const HOME: &str = "/";
/// The pages that one can go on to after signing in.
const PLACES: [&str; 7] = [
    HOME,
    temporary_tokens::PLACE,
    usage::PLACE,
    keys::PLACE,
    try_it::PLACE,
    activity::PLACE,
    health::PLACE,
];
