//! The page of the account's usage: a chart, the numbers beneath it, and the same as CSV.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use pqc_core::AccountId;
use pqc_service::usage::{UsageBy, UsagePlace, UsageQuery, UsageSum};

use super::chart::Chart;
use super::form::query;
use super::html;
use super::month::Month;
use super::visit::{self, Shell, Visit};
use crate::app::App;
use crate::operation::from_service;
use crate::problem::Problem;

/// The page.
pub(super) const PLACE: &str = "/usage";

#[derive(Template)]
#[template(path = "usage.html")]
struct Usage {
    shell: Shell,
    month: Month,
    before: Option<Month>,
    after: Option<Month>,
    chart: Chart,
    calls: u64,
    failed: u64,
    days: Vec<UsageSum>,
    labels: Vec<UsageSum>,
    has_more_labels: bool,
}

/// A month: this one, or the one that is asked for.
pub(super) async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "usage.list", async |visit| {
        let (now, month) = (Month::of(visit.now()), month(visit));
        let days = sums(visit.app, visit.account(), month, UsageBy::Day).await?;
        let mut labels =
            some_sums(visit.app, visit.account(), month, UsageBy::Label, MOST_LABELS + 1).await?;
        let has_more_labels = labels.len() > MOST_LABELS;
        labels.truncate(MOST_LABELS);
        let all = |of: fn(&UsageSum) -> u64| days.iter().map(of).fold(0, u64::saturating_add);
        visit.page(&Usage {
            shell: visit.shell(PLACE),
            month,
            before: month.before(),
            after: month.after().filter(|after| *after <= now),
            chart: Chart::of(month, &days),
            calls: all(|sum| sum.calls),
            failed: all(|sum| sum.failed),
            days,
            labels,
            has_more_labels,
        })
    })
    .await
}

/// The same by day, for a spreadsheet.
pub(super) async fn csv(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "usage.list", async |visit| {
        let month = month(visit);
        let days = sums(visit.app, visit.account(), month, UsageBy::Day).await?;
        let mut text = "day,operation,calls,failed\r\n".to_owned();
        for UsageSum { group, operation, calls, failed, .. } in &days {
            // Days and operations are the program's own words: none has to be quoted.
            text.push_str(&format!("{group},{operation},{calls},{failed}\r\n"));
        }
        html::attachment(&format!("pqc-usage-{month}.csv"), "text/csv; charset=utf-8", text)
    })
    .await
}

fn month(visit: &Visit<'_>) -> Month {
    let asked = query(visit.parts.uri.query().unwrap_or_default(), "month");
    asked.and_then(|month| Month::parse(&month)).unwrap_or_else(|| Month::of(visit.now()))
}

/// All sums of the month.
pub(super) async fn sums(
    app: &App,
    account: AccountId,
    month: Month,
    by: UsageBy,
) -> Result<Vec<UsageSum>, Problem> {
    some_sums(app, account, month, by, EVERY).await
}

/// As many of them as are wanted.
async fn some_sums(
    app: &App,
    account: AccountId,
    month: Month,
    by: UsageBy,
    most: usize,
) -> Result<Vec<UsageSum>, Problem> {
    let (from, to) = month.ends().ok_or(Problem::Internal)?;
    let query = UsageQuery { account, from, to, by };
    let mut all: Vec<UsageSum> = Vec::new();
    loop {
        let after = all.last().map(UsagePlace::from);
        let page = app.service.usage(&query, after.as_ref(), PAGE).await.map_err(from_service)?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last || all.len() >= most {
            all.truncate(most);
            return Ok(all);
        }
    }
}

const PAGE: u32 = 1000;
/// A month has no more: some tens of operations on each day.
const EVERY: usize = 10_000;
/// Labels times operations.
const MOST_LABELS: usize = 200;
