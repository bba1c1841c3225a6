//! The page of the account's part of the audit log: looked through, exported; and whether it is whole.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures_util::stream;
use pqc_core::AccountId;
use pqc_service::audit::line::EntryText;
use pqc_service::audit::{AuditExport, AuditFilter, AuditFound, LogEntry, LogState};
use pqc_service::usage::Day;
use pqc_service::{Error, Service};
use tokio::time::sleep;

use super::form::{query, without_token};
use super::html::{self, Moment};
use super::visit::{self, Shell};
use crate::app::App;
use crate::operation::from_service;

/// The page.
pub(super) const PLACE: &str = "/activity";

#[derive(Template)]
#[template(path = "activity.html")]
struct Activity {
    shell: Shell,
    asked: Asked,
    entries: Vec<Row>,
    /// The place of the next page, if there is one.
    older: Option<String>,
    /// The place of the same, exported.
    export: String,
    is_first: bool,
    log: Option<Log>,
}

/// What was typed into the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    act: String,
    who: String,
    key: String,
    failed: bool,
    from: String,
    to: String,
}

struct Row {
    at: Moment,
    text: EntryText,
    failed: bool,
}

/// Whether the whole log is what was written.
struct Log {
    looked: Moment,
    rows: u64,
    checkpoints: u64,
    /// The time of the last checkpoint.
    signed: Option<Moment>,
    uncovered: u64,
    findings: Vec<String>,
    more_findings: usize,
}

/// A page of the entries that are asked for, the newest first.
pub(super) async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "audit.list", async |visit| {
        let text = visit.parts.uri.query().unwrap_or_default();
        let asked = Asked::from_query(text);
        let before = query(text, "before").and_then(|number| number.parse().ok());
        let (service, account) = (&visit.app.service, visit.account());
        let found = service.find_in_audit(account, &asked.filter(), before, PAGE).await;
        let AuditFound { entries, rest } = found.map_err(from_service)?;
        let older = rest.map(|before| asked.to_query(PLACE, Some(before)));
        visit.page(&Activity {
            shell: visit.shell(PLACE),
            entries: entries.iter().map(Row::from).collect(),
            older,
            export: asked.to_query(EXPORT, None),
            is_first: before.is_none(),
            log: service.log_state(PATIENCE).await.map(Log::from),
            asked,
        })
    })
    .await
}

/// All entries that are asked for, a line of JSON for each.
pub(super) async fn export(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "audit.list", async |visit| {
        let asked = Asked::from_query(visit.parts.uri.query().unwrap_or_default());
        let (service, account) = (Arc::clone(&visit.app.service), visit.account());
        let export = service.begin_audit_export(account).map_err(from_service)?;
        let filter = asked.filter();
        let part = Part { service, account, filter, before: Some(None), _export: export };
        let lines = stream::try_unfold(part, async |mut part: Part| {
            let lines = part.next().await?;
            Ok::<_, Error>(lines.map(|lines| (lines, part)))
        });
        let lines = Body::from_stream(lines);
        html::attachment("pqc-activity.jsonl", "application/x-ndjson", lines)
    })
    .await
}

/// An export under way.
struct Part {
    service: Arc<Service>,
    account: AccountId,
    filter: AuditFilter,
    /// Before which row to go on (the inner `None`: with the newest); the outer `None`: it is done.
    before: Option<Option<u64>>,
    _export: AuditExport,
}

impl Part {
    /// What fails ends the answer early, which a client sees by its framing.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(before) = self.before else { return Ok(None) };
        let Self { service, account, filter, .. } = self;
        let found = loop {
            match service.find_in_audit(*account, filter, before, EXPORTED_AT_ONCE).await {
                // Others look at pages: they come first.
                Err(Error::Busy) => sleep(TRY_AGAIN_AFTER).await,
                found => break found?,
            }
        };
        self.before = found.rest.map(Some);
        let mut lines = Vec::new();
        for row in &found.entries {
            serde_json::to_writer(&mut lines, &EntryText::from(&row.entry))
                .map_err(|_| Error::Internal { what: "writing an entry" })?;
            lines.push(b'\n');
        }
        Ok(Some(lines.into()))
    }
}

impl Asked {
    fn from_query(text: &str) -> Self {
        let field = |name| {
            let typed = query(text, name).unwrap_or_default();
            without_token(typed.trim()).to_owned()
        };
        Self {
            act: field("act").to_lowercase(),
            who: field("who").to_lowercase(),
            key: field("key").to_lowercase(),
            failed: field("failed") == "yes",
            from: field("from"),
            to: field("to"),
        }
    }

    fn to_query(&self, place: &str, before: Option<u64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let failed = if self.failed { "yes" } else { "" };
        let Self { act, who, key, from, to, .. } = self;
        for (name, value) in [
            ("act", &**act),
            ("who", who),
            ("key", key),
            ("failed", failed),
            ("from", from),
            ("to", to),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        if let Some(before) = before {
            query.append_pair("before", &before.to_string());
        }
        let query = query.finish();
        if query.is_empty() { place.to_owned() } else { format!("{place}?{query}") }
    }

    /// What is wrong with a day.
    fn wrong_day(day: &str) -> bool {
        !day.is_empty() && day.parse::<Day>().is_err()
    }

    /// A day that is none is not asked for.
    fn filter(&self) -> AuditFilter {
        AuditFilter {
            act: self.act.clone(),
            who: self.who.clone(),
            key: self.key.clone(),
            failed: self.failed,
            from: self.from.parse().ok(),
            to: self.to.parse().ok(),
        }
    }

    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&LogEntry> for Row {
    fn from(row: &LogEntry) -> Self {
        let text = EntryText::from(&row.entry);
        Self { at: row.entry.time.into(), failed: text.outcome.starts_with("failed"), text }
    }
}

impl From<LogState> for Log {
    fn from(LogState { at, report }: LogState) -> Self {
        let findings: Vec<_> =
            report.findings.iter().take(MOST_FINDINGS).map(ToString::to_string).collect();
        Self {
            looked: at.into(),
            rows: report.rows,
            checkpoints: report.checkpoints,
            signed: report.covered_until.map(Moment::from),
            uncovered: report.uncovered,
            more_findings: report.findings.len().saturating_sub(findings.len()),
            findings,
        }
    }
}

/// The same as lines of JSON.
pub(super) const EXPORT: &str = "/activity.jsonl";
const PAGE: usize = 50;
const EXPORTED_AT_ONCE: usize = 1000;
const MOST_FINDINGS: usize = 10;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// A short log is gone through in it, so that what was just done is in what is told.
const PATIENCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_comes_back_by_the_address() {
        let asked = Asked {
            act: "key.".to_owned(),
            who: "operator & <co>".to_owned(),
            failed: true,
            from: "2026-11-01".to_owned(),
            ..Asked::default()
        };
        let place = asked.to_query(PLACE, Some(7));
        let text = place.strip_prefix("/activity?").unwrap();
        assert_eq!(Asked::from_query(text), asked);
        assert_eq!(query(text, "before").as_deref(), Some("7"));
        assert_eq!(Asked::default().to_query(EXPORT, None), "/activity.jsonl");
        assert_eq!(asked.filter().from, "2026-11-01".parse().ok());
        assert_eq!(Asked { to: "soon".to_owned(), ..asked }.filter().to, None);
    }
}
