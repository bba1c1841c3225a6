//! Family C: how much an account did, as its root token sees it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use base64ct::{Base64UrlUnpadded, Encoding};
use pqc_core::{AccountId, TokenId};
use pqc_service::audit::WrittenDown;
use pqc_service::usage::{Day, UsageBy, UsagePlace, UsageQuery, UsageSum, UsageText};
use serde::Serialize;

use super::{root, wire};
use crate::app::App;
use crate::fields::{All, Fields};
use crate::operation::{Answer, from_service};
use crate::problem::FieldError;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::default().route("/api/v1/usage", any(list))
}

/// A page of the account's usage, by default of this month, by day.
async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let called = |_: &_| ("usage.list", WrittenDown::IfAll);
    root::answer(&app, request, "GET, HEAD", called, async |call| {
        let fields = &call.fields;
        let today = Day::of(call.by.now());
        let (limit, query, after) =
            (root::limit(fields), query(fields, call.by.account_id(), today), after(fields))
                .all()?;
        let sums = app.service.usage(&query, after.as_ref(), limit.saturating_add(1)).await;
        let sums = sums.map_err(from_service)?;
        let (shown, last) = root::page(&sums, limit);
        Answer::json(&Page {
            from: query.from.to_string(),
            to: query.to.to_string(),
            by: query.by.name(),
            usage: shown.iter().map(|sum| UsageText::new(query.by, sum)).collect(),
            next_cursor: last.map(write_cursor),
        })
    })
    .await
}

fn query(fields: &Fields, account: AccountId, today: Day) -> Result<UsageQuery, FieldError> {
    let to = day(fields, "to")?.unwrap_or(today);
    let from = day(fields, "from")?.unwrap_or_else(|| today.first_of_month());
    let by = match fields.optional_text("by")? {
        Some(name) => UsageBy::from_name(name)
            .map_err(|_| fields.error("by", "must be day, month, token or label", "value_error"))?,
        None => UsageBy::Day,
    };
    Ok(UsageQuery { account, from, to, by })
}

fn day(fields: &Fields, name: &'static str) -> Result<Option<Day>, FieldError> {
    let day = fields.optional_text(name)?.map(str::parse);
    day.transpose()
        .map_err(|_| fields.error(name, "must be a day in UTC, as 2026-11-29", "value_error"))
}

/// The last sum of a page: its group and its operation, neither of which has a control character.
fn write_cursor(sum: &UsageSum) -> String {
    let group = sum.token.map_or_else(|| sum.group.clone(), |token| token.to_string());
    Base64UrlUnpadded::encode_string(format!("{group}\0{}", sum.operation).as_bytes())
}

fn after(fields: &Fields) -> Result<Option<UsagePlace>, FieldError> {
    let Some(cursor) = fields.optional_text("cursor")? else { return Ok(None) };
    let place = || {
        let bytes = Base64UrlUnpadded::decode_vec(cursor).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (group, operation) = text.split_once('\0')?;
        // A database may take no further such character.
        if operation.contains('\0') {
            return None;
        }
        let token = wire::decode_hex(group).and_then(|id| TokenId::from_slice(&id).ok());
        Some(UsagePlace { group: group.to_owned(), token, operation: operation.to_owned() })
    };
    place().map(Some).ok_or_else(|| root::no_cursor(fields))
}

#[derive(Serialize)]
struct Page<'a> {
    from: String,
    to: String,
    by: &'static str,
    usage: Vec<UsageText<'a>>,
    next_cursor: Option<String>,
}
