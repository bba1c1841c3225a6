//! What the server counts, as operators read it (the text format of Prometheus, 0.0.4).
//!
//! One [`Metrics`] belongs to one application; nothing is global. Every value of a label is one of
//! a few that this program knows itself: no path, no name, no token becomes one.

mod looked_up;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use pqc_core::selftest::BACKEND;
use pqc_core::token::Refusal;
use pqc_service::Service;
use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::body::Ceiling;
use crate::problem::{Forbidden, Limited, Problem};

/// The counts of one application.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// What the contract has; calls that lead nowhere share one name.
    routes: Vec<&'static str>,
    requests: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    operations: Family<Done, Counter>,
    token_uses: Family<Kind, Counter>,
    token_refusals: Family<Reason, Counter>,
    replays: Counter,
    rate_refusals: Family<Limit, Counter>,
    connections: Connections,
}

/// The connections of one listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections {
    /// Those that are there.
    pub(crate) open: Gauge,
    /// Those that were closed at once, for their address had as many as it may have.
    pub(crate) refused: Counter,
}

impl Metrics {
    pub(crate) fn new(service: &Arc<Service>, bodies: &Ceiling, routes: Vec<&'static str>) -> Self {
        let metrics = Self {
            registry: Registry::default(),
            routes,
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            operations: Family::default(),
            token_uses: Family::default(),
            token_refusals: Family::default(),
            replays: Counter::default(),
            rate_refusals: Family::default(),
            connections: Connections::default(),
        };
        // An alert has to see the first one too: it counts from nought, not from nothing.
        for reason in REASONS {
            drop(metrics.token_refusals.get_or_create(&Reason { reason }));
        }
        for limit in Limited::ALL {
            drop(metrics.rate_refusals.get_or_create(&Limit { limit: limit.setting() }));
        }
        for kind in [ROOT, TEMPORARY] {
            drop(metrics.token_uses.get_or_create(&Kind { kind }));
        }
        metrics.registered(service, bodies)
    }

    fn registered(mut self, service: &Arc<Service>, bodies: &Ceiling) -> Self {
        let all = &mut self.registry;
        // The library writes `_total` behind the name of a counter, and the unit.
        all.register("pqc_requests", "Calls by what was answered", self.requests.clone());
        all.register_with_unit(
            "pqc_request_duration",
            "Time from the head of a call to its answer",
            Unit::Seconds,
            self.durations.clone(),
        );
        all.register("pqc_operations", "Operations that were done", self.operations.clone());
        all.register("pqc_token_uses", "Calls that a token admitted", self.token_uses.clone());
        all.register(
            "pqc_token_refusals",
            "Calls that their token, or its absence, did not admit",
            self.token_refusals.clone(),
        );
        let about = "Answers that were given again, to calls with an idempotency key";
        all.register("pqc_replays", about, self.replays.clone());
        let rates = self.rate_refusals.clone();
        all.register("pqc_rate_refusals", "Calls that came too often", rates);
        let Connections { open, refused } = self.connections.clone();
        all.register("pqc_connections_open", "Connections", open);
        let why = "Connections of addresses that had as many as they may have";
        all.register("pqc_connections_refused", why, refused);
        let build = [("version", env!("CARGO_PKG_VERSION")), ("backend", BACKEND)];
        all.register("pqc_build", "What runs", Info::new(build));
        all.register_collector(Box::new(looked_up::Figures::new(service, bodies)));
        self
    }

    /// A call was answered so, on this route of the contract (or on none).
    pub(crate) fn was_answered(
        &self,
        route: &str,
        status: StatusCode,
        took: Duration,
        problem: Option<&Problem>,
    ) {
        let route = self.routes.iter().find(|known| **known == route).copied().unwrap_or(NO_ROUTE);
        self.requests.get_or_create(&Answered { route, status: status.as_u16() }).inc();
        self.durations.get_or_create(&Route { route }).observe(took.as_secs_f64());
        if let Some(reason) = problem.and_then(refused_for) {
            self.token_refusals.get_or_create(&Reason { reason }).inc();
        }
        if let Some(Problem::TooMany(too_many)) = problem {
            let limit = too_many.limited().setting();
            self.rate_refusals.get_or_create(&Limit { limit }).inc();
        }
    }

    /// A token admitted a call; one attempt is spent, if they are counted.
    pub(crate) fn token_was_used(&self, is_root: bool) {
        let kind = if is_root { ROOT } else { TEMPORARY };
        self.token_uses.get_or_create(&Kind { kind }).inc();
    }

    /// A call had the answer of an earlier one.
    pub(crate) fn was_answered_again(&self) {
        self.replays.inc();
    }

    /// An operation was done by this algorithm.
    pub(crate) fn was_done(&self, work: Work, algorithm: &'static str) {
        self.operations.get_or_create(&Done { operation: work.name(), algorithm }).inc();
    }

    /// The counts of connections, for whoever accepts them.
    pub(crate) fn connections(&self) -> Connections {
        self.connections.clone()
    }

    /// All of it, now.
    ///
    /// # Errors
    /// The library refuses a value.
    pub(crate) fn to_text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// What is there is counted, until it is dropped.
pub(crate) struct Present(Gauge);

impl Present {
    pub(crate) fn in_count(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Generate,
    Encapsulate,
    Decapsulate,
    Sign,
    Verify,
    Encrypt,
    Decrypt,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Encapsulate => "encapsulate",
            Self::Decapsulate => "decapsulate",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
        }
    }
}

/// Why the token of a call did not admit it, if that is what was refused.
fn refused_for(problem: &Problem) -> Option<&'static str> {
    match problem {
        Problem::Unauthorized(None) => Some("missing"),
        Problem::Unauthorized(Some(refusal)) => Some(match refusal {
            Refusal::Unknown => "unknown",
            Refusal::Expired => "expired",
            Refusal::Spent => "spent",
            Refusal::Revoked => "revoked",
            Refusal::AccountDisabled => "account_disabled",
            _ => "other",
        }),
        Problem::Forbidden(Forbidden::OutOfScope) => Some("out_of_scope"),
        _ => None,
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Done {
    operation: &'static str,
    algorithm: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Limit {
    limit: &'static str,
}

/// As in the log.
const NO_ROUTE: &str = "-";
const ROOT: &str = "root";
const TEMPORARY: &str = "temporary";
const REASONS: [&str; 7] =
    ["missing", "unknown", "expired", "spent", "revoked", "account_disabled", "out_of_scope"];
/// Bounds of the times of calls, from a look-up to an upload over a slow line.
const SECONDS: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{App, Config};

    #[tokio::test]
    async fn the_documentation_has_every_metric_and_no_other() {
        let lab = crate::testing::lab().await;
        let metrics = Arc::clone(&App::new(Arc::clone(&lab.service), Config::default()).metrics);
        metrics.was_answered("/healthz", StatusCode::OK, Duration::ZERO, None);
        metrics.was_done(Work::Sign, "ML-DSA-65");
        let text = metrics.to_text().unwrap();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let mut there: Vec<_> = types.map(|line| line.split(' ').next().unwrap()).collect();
        there.sort_unstable();

        let text = include_str!("../../../docs/operations.md");
        let (_, table) =
            text.split_once("| metric | labels | what it counts |\n|---|---|---|\n").unwrap();
        let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
        let mut named: Vec<_> = rows.map(|row| row.split('`').next().unwrap()).collect();
        named.sort_unstable();
        assert_eq!(there, named);
    }

    #[tokio::test]
    async fn what_the_contract_does_not_have_shares_one_route() {
        let lab = crate::testing::lab().await;
        let metrics = Arc::clone(&App::new(Arc::clone(&lab.service), Config::default()).metrics);
        for route in ["/healthz", "/pqc_secret", "-", ""] {
            metrics.was_answered(route, StatusCode::OK, Duration::ZERO, None);
        }
        let text = metrics.to_text().unwrap();
        assert!(
            text.contains("pqc_requests_total{route=\"/healthz\",status=\"200\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("pqc_requests_total{route=\"-\",status=\"200\"} 3\n"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn a_refusal_is_told_by_its_reason() {
        let spent = Problem::Unauthorized(Some(Refusal::Spent));
        let refused = [
            (Problem::Unauthorized(None), "missing"),
            (Problem::Unauthorized(Some(Refusal::Unknown)), "unknown"),
            (Problem::Unauthorized(Some(Refusal::Expired)), "expired"),
            (spent, "spent"),
            (Problem::Unauthorized(Some(Refusal::Revoked)), "revoked"),
            (Problem::Unauthorized(Some(Refusal::AccountDisabled)), "account_disabled"),
            (Problem::Forbidden(Forbidden::OutOfScope), "out_of_scope"),
        ];
        for (problem, reason) in &refused {
            assert_eq!(refused_for(problem), Some(*reason));
        }
        assert_eq!(refused.map(|(_, reason)| reason), REASONS);
        for problem in [Problem::NoRoute, Problem::Forbidden(Forbidden::Custody)] {
            assert_eq!(refused_for(&problem), None);
        }
    }
}
