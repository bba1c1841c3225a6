//! The listener for operators: metrics, health, and what is logged. Nothing of it is on the public
//! listener, and no token opens it: whoever reaches it may do what it can, so it stands on loopback,
//! or asks for a client's certificate.

use std::future::pending;
use std::io;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::Method;
use tokio::net::TcpListener;

use crate::api::health;
use crate::app::{App, Config};
use crate::around::{answer_bodiless, without_body};
use crate::body;
use crate::client::Proxies;
use crate::metrics::Connections;
use crate::problem::{FieldError, Problem};
use crate::routes::Routes;
use crate::server;
use crate::tls::Tls;

/// Where operators are listened to.
pub struct Admin {
    /// The address.
    pub listener: TcpListener,
    /// With client certificates ([`Tls::for_clients_of`]); `None`: nothing is encrypted, and
    /// everyone on the machine is an operator.
    pub tls: Option<Tls>,
    /// What is logged.
    pub log: Arc<dyn LogFilter>,
}

/// What is logged, as the program that logs can tell and change it.
pub trait LogFilter: Send + Sync + 'static {
    /// The filter in force.
    fn filter(&self) -> String;

    /// Puts another one in force, from now on.
    ///
    /// # Errors
    /// What is wrong with it, in words; the one before stays.
    fn set(&self, filter: &str) -> Result<(), String>;
}

impl Admin {
    /// Serves until it is dropped.
    pub(crate) async fn serve(self, app: &App) -> io::Result<()> {
        let Self { listener, tls, log } = self;
        // No page and no proxy speaks for an operator.
        let config = Config {
            max_connections: MAX_CONNECTIONS,
            proxies: Proxies::default(),
            origins: Vec::new(),
            ..app.config.clone()
        };
        let app = app.behind(server::behind(&listener, tls.as_ref(), config)?);
        let routes = routes(log).into_router().with_state(Arc::clone(&app));
        // What operators ask is no call of the contract: to look at the counts moves none.
        let service = Arc::clone(&app).wrap(routes, None);
        let connections = Connections::default();
        server::run(listener, tls, service, &app.config, connections, pending()).await;
        Ok(())
    }
}

fn routes(log: Arc<dyn LogFilter>) -> Routes {
    let log = move |State(app): State<Arc<App>>, request: Request| {
        let log = Arc::clone(&log);
        async move { answer_log(&app, &*log, request).await }
    };
    health::probes().route("/metrics", any(metrics)).route("/log", any(log))
}

async fn metrics(State(app): State<Arc<App>>, request: Request) -> Response {
    answer_bodiless(request, "GET, HEAD", async |_| match app.metrics.to_text() {
        Ok(text) => health::whole(PROMETHEUS_TEXT, text.into_bytes()),
        Err(_) => Problem::Internal.into_response(),
    })
    .await
}

/// The filter of the log: told, or replaced by the one in the body.
async fn answer_log(app: &App, log: &dyn LogFilter, request: Request) -> Response {
    if *request.method() != Method::PUT {
        return answer_bodiless(request, "GET, HEAD, PUT", async |_| told(log)).await;
    }
    let (parts, mut body) = request.into_parts();
    let mut room = app.bodies.room();
    let time = app.body_time(&parts);
    let set = match body::receive(&mut body, MAX_FILTER_BYTES, time, &mut room).await {
        Ok(filter) => set(log, &filter),
        Err(refused) => Err(refused),
    };
    let answer = match set {
        Ok(()) => told(log),
        Err(refused) => refused.into_response(),
    };
    without_body(Request::from_parts(parts, body), answer).await
}

fn set(log: &dyn LogFilter, filter: &[u8]) -> Result<(), Problem> {
    let filter = std::str::from_utf8(filter).unwrap_or_default().trim();
    if filter.is_empty() {
        return Err(wrong("must be a filter in UTF-8, such as info or warn,pqc_http=debug"));
    }
    log.set(filter).map_err(wrong)
}

fn wrong(msg: impl Into<String>) -> Problem {
    FieldError { loc: ["body", "filter"], msg: msg.into(), kind: "value_error" }.into()
}

fn told(log: &dyn LogFilter) -> Response {
    let mut filter = log.filter();
    filter.push('\n');
    health::whole("text/plain; charset=utf-8", filter.into_bytes())
}

/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A scraper, a supervisor, and some who look. Part of the files that the program keeps for itself.
const MAX_CONNECTIONS: u32 = 16;
const MAX_FILTER_BYTES: usize = 4096;
