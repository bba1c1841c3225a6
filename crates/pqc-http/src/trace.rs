//! The spans of a call, for whoever collects traces: how long it took, and which of its steps.
//!
//! They hold what the log's line of the call holds and no more: no path (it may be anything), no
//! query, no body, no token. They have a target of their own, so that they cost nothing while nobody
//! collects them, and nothing else goes where they go.

use http::StatusCode;
use tracing::{Span, field};

/// The target of all spans that are for traces, and of nothing else.
pub const TRACE_TARGET: &str = "pqc_trace";

/// The span of a whole call.
pub(crate) fn call(method: &'static str, request_id: &str) -> Span {
    tracing::info_span!(
        target: TRACE_TARGET,
        "call",
        otel.kind = "server",
        // The route would belong here too, but a span is named when it begins.
        otel.name = method,
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = field::Empty,
        http.response.status_code = field::Empty,
        pqc.request_id = request_id,
        pqc.account = field::Empty,
    )
}

/// Writes down how it was answered.
pub(crate) fn answered(span: &Span, route: &str, status: StatusCode, account: Option<&str>) {
    span.record("http.route", route);
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    if let Some(account) = account {
        span.record("pqc.account", account);
    }
}

/// The span of one of its steps.
pub(crate) fn step(name: &'static str) -> Span {
    tracing::info_span!(target: TRACE_TARGET, "step", otel.name = name)
}
