//! The page of how the server is.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use pqc_service::Health;

use super::html::{self, Moment};
use super::visit::{self, Shell};
use crate::app::App;
use crate::operation::from_service;

/// The page.
pub(super) const PLACE: &str = "/health";

#[derive(Template)]
#[template(path = "health.html")]
struct Page {
    shell: Shell,
    health: Health,
    version: &'static str,
    /// The algorithm and the fingerprint of the issuer key in force.
    issuer: Option<(&'static str, String)>,
    backup: Option<Moment>,
}

/// How it is now.
pub(super) async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "health.show", async |visit| {
        let service = &visit.app.service;
        let health = service.health().await.map_err(from_service)?;
        let issuers = service.issuer_keys().await.map_err(from_service)?;
        let issuer = issuers.first();
        visit.page(&Page {
            shell: visit.shell(PLACE),
            version: env!("CARGO_PKG_VERSION"),
            issuer: issuer.map(|key| (key.algorithm().name(), html::hex(&key.fingerprint()))),
            backup: health.last_backup.map(Moment::from),
            health,
        })
    })
    .await
}
