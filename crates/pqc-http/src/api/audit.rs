//! Family C: what was done in an account, as its root token sees it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use pqc_service::audit::WrittenDown;
use pqc_service::audit::line::EntryText;
use serde::Serialize;

use super::root;
use crate::app::App;
use crate::fields::{All, Fields};
use crate::operation::{Answer, from_service};
use crate::problem::FieldError;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::default().route("/api/v1/audit", any(list))
}

/// A page of the account's part of the audit log, newest first.
async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let called = |_: &_| ("audit.list", WrittenDown::IfAll);
    root::answer(&app, request, "GET, HEAD", called, async |call| {
        let (limit, before) = (root::limit(&call.fields), before(&call.fields)).all()?;
        let account = call.by.account_id();
        let rows = app.service.audit_of(account, before, limit.saturating_add(1)).await;
        let rows = rows.map_err(from_service)?;
        let (shown, last) = root::page(&rows, limit);
        Answer::json(&Page {
            entries: shown.iter().map(|row| EntryText::from(&row.entry)).collect(),
            next_cursor: last.map(|row| row.number.to_string()),
        })
    })
    .await
}

/// The cursor is the number of the row that ended the page before.
fn before(fields: &Fields) -> Result<Option<u64>, FieldError> {
    let Some(text) = fields.optional_text("cursor")? else { return Ok(None) };
    let is_number = text.len() <= MAX_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| text.parse().ok()).flatten();
    number.map(Some).ok_or_else(|| root::no_cursor(fields))
}

/// Of the greatest number that a store has.
const MAX_DIGITS: usize = 19;

#[derive(Serialize)]
struct Page {
    entries: Vec<EntryText>,
    next_cursor: Option<String>,
}
