//! The application: what every handler shares, and which path leads where.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::HeaderValue;
use http::request::Parts;
use pqc_service::Service;
use tower::{Service as TowerService, ServiceExt};
use tower_http::cors::CorsLayer;
use tower_http::normalize_path::NormalizePath;

use crate::api;
use crate::around;
use crate::body::{self, Ceiling};
use crate::calls::Calls;
use crate::client::{Client, Proxies, Source};
use crate::cross_origin;
use crate::metrics::Metrics;
use crate::page;
use crate::problem::Problem;
use crate::rates::{RateConfig, Rates};
use crate::routes::Routes;

/// The limits of the server. Sizes in bytes.
#[derive(Debug, Clone)]
pub struct Config {
    /// The longest text that is encrypted, in bytes of UTF-8.
    pub max_text_bytes: usize,
    /// The ceiling on all bodies in memory together.
    pub max_bodies_bytes: usize,
    /// The time in which each mebibyte of a body has to arrive.
    pub body_timeout: Duration,
    /// The time for a request from its head to its answer: its body has to arrive in it, and a call
    /// that takes longer is answered without its outcome.
    pub request_timeout: Duration,
    /// The time in which the head of a connection's first request has to arrive.
    pub header_timeout: Duration,
    /// The time for which a connection is kept open between requests. Longer than what proxies
    /// keep theirs for (60 s), so that it is not we who close under their next request.
    pub idle_timeout: Duration,
    /// The time in which each mebibyte of an answer has to be taken.
    pub answer_timeout: Duration,
    /// The time that running requests get at shutdown.
    pub drain_timeout: Duration,
    /// The most connections at a time; more wait to be accepted.
    pub max_connections: u32,
    /// The most connections of one address at a time; more are closed at once.
    pub max_connections_per_address: u32,
    /// The limit for all headers of a request, at most 64 KiB.
    pub max_header_bytes: usize,
    /// How many headers a request may have.
    pub max_header_lines: usize,
    /// The most requests at a time on one connection of HTTP/2.
    pub http2_streams: u32,
    /// How many streams of a connection a client may reset before they were looked at; with more
    /// the connection ends.
    pub http2_resets: usize,
    /// The most calls at work at a time; more are refused (503). A call whose body is still to
    /// come is not at work.
    pub max_calls_in_flight: u32,
    /// How often one may call.
    pub rates: RateConfig,
    /// Who is believed about whom he calls for.
    pub proxies: Proxies,
    /// The origins whose pages may read the answers (CORS), such as `https://app.example`.
    pub origins: Vec<HeaderValue>,
    /// Whether the listener is on a loopback address: then a foreign `Host` is refused if there is no
    /// TLS, and limits by address hold only for clients of proxies.
    pub loopback: bool,
    /// Whether clients speak TLS to this server.
    pub tls: bool,
    /// Whether it has the dashboard: pages for people, at `/`.
    pub dashboard: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_text_bytes: 16 * 1024 * 1024,
            max_bodies_bytes: 512 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(300),
            header_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            answer_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            max_connections: 4096,
            max_connections_per_address: 256,
            max_header_bytes: 16 * 1024,
            max_header_lines: 100,
            http2_streams: 100,
            http2_resets: 20,
            max_calls_in_flight: 2048,
            rates: RateConfig::default(),
            proxies: Proxies::default(),
            origins: Vec::new(),
            loopback: true,
            tls: false,
            dashboard: true,
        }
    }
}

impl Config {
    /// Whom a limit by address holds for: nobody who is on this machine, and no proxy, but all those
    /// together of whom a proxy does not say who they are.
    pub(crate) fn source(&self, client: Client) -> Option<Source> {
        let is_ours = self.loopback && self.proxies.are_none();
        match client {
            Client::At(address) => {
                (!is_ours && !self.proxies.have(address)).then(|| Source::from(address))
            }
            Client::OfProxy(proxy) => Some(Source::from(proxy)),
        }
    }

    /// The limit for the body of a call that carries a text.
    pub(crate) fn text_body_limit(&self) -> usize {
        self.max_text_bytes.saturating_mul(2).saturating_add(64 * 1024)
    }
}

/// What every handler shares.
#[derive(Debug)]
pub struct App {
    pub(crate) service: Arc<Service>,
    pub(crate) config: Config,
    pub(crate) bodies: Ceiling,
    pub(crate) calls: Calls,
    pub(crate) rates: Rates,
    pub(crate) metrics: Arc<Metrics>,
}

impl App {
    /// The application over an open service.
    #[must_use]
    pub fn new(service: Arc<Service>, config: Config) -> Arc<Self> {
        let bodies = Ceiling::new(config.max_bodies_bytes);
        let calls = Calls::new(config.max_calls_in_flight);
        let rates = Rates::new(config.rates);
        let known = paths().into_iter().chain(pages()).collect();
        let metrics = Arc::new(Metrics::new(&service, &bodies, known));
        Arc::new(Self { service, config, bodies, calls, rates, metrics })
    }

    /// The same, behind another listener. Who calls there has rates of his own.
    pub(crate) fn behind(&self, config: Config) -> Arc<Self> {
        let rates = Rates::new(config.rates);
        let (service, metrics) = (Arc::clone(&self.service), Arc::clone(&self.metrics));
        let (bodies, calls) = (self.bodies.clone(), self.calls.clone());
        Arc::new(Self { service, config, bodies, calls, rates, metrics })
    }

    /// How long the body of this request may take.
    pub(crate) fn body_time(&self, parts: &Parts) -> body::Time {
        let Config { body_timeout, request_timeout, .. } = self.config;
        let due = parts.extensions.get().map(|around::Due(due)| (*due).into());
        let due = due.unwrap_or_else(|| tokio::time::Instant::now() + request_timeout);
        body::Time { each_mebibyte: body_timeout, due }
    }

    /// All routes of the contract and of the dashboard, without what stands around them.
    fn routes(self: &Arc<Self>) -> Router {
        let routes = match self.config.dashboard {
            true => routes().merge(page::routes()),
            false => routes(),
        };
        routes.into_router().with_state(Arc::clone(self))
    }

    /// The whole application as a service, without a listener: for programs that call it themselves.
    /// What guards connections (their number, the time of a head, TLS) is [`serve`](crate::serve)'s
    /// and is missing here, and so is the address of who calls, with the limits by it.
    pub fn into_service(self: Arc<Self>) -> impl HttpService {
        let (routes, counted) = (self.routes(), Arc::clone(&self.metrics));
        self.wrap(routes, Some(counted))
    }

    /// Puts around `routes` what stands around every call, which is `counted` or not.
    pub(crate) fn wrap(
        self: Arc<Self>,
        routes: Router,
        counted: Option<Arc<Metrics>>,
    ) -> impl HttpService {
        // What is not counted is for operators' programs.
        let has_pages = self.config.dashboard && counted.is_some();
        let app = Arc::clone(&self);
        let no_route = move |request| no_route(has_pages.then(|| Arc::clone(&app)), request);
        let routes = routes.fallback(no_route).layer(from_fn(around::note_route));
        let routes = NormalizePath::trim_trailing_slash(routes);
        let pages = cross_origin::layer(&self.config.origins);
        Whole(Arc::new(Around { app: self, counted, pages, routes }))
    }
}

/// The routes with what stands around them. No layers of `tower`: each would clone all that is
/// within it for each call.
#[derive(Clone)]
struct Whole(Arc<Around>);

struct Around {
    app: Arc<App>,
    counted: Option<Arc<Metrics>>,
    pages: Option<CorsLayer>,
    routes: NormalizePath<Router>,
}

impl Around {
    async fn answer(&self, request: Request) -> Response {
        let Self { app, counted, pages, routes } = self;
        let routed = |request| {
            around::in_time(app, request, |request| caught(app.clone(), request, routes.clone()))
        };
        let with_pages = |request| cross_origin::answer(pages.as_ref(), request, routed);
        around::name_and_log(app, counted.as_deref(), request, with_pages).await
    }
}

/// The innermost, which may go on when nobody waits any more. A panic's message may hold anything: it
/// goes nowhere.
async fn caught(app: Arc<App>, request: Request, routes: NormalizePath<Router>) -> Response {
    let limited = around::limit(&app, request, async |request| {
        let Ok(response) = routes.oneshot(request).await;
        response
    });
    AssertUnwindSafe(limited).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Problem::Internal.into_response()
    })
}

impl TowerService<Request> for Whole {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let around = Arc::clone(&self.0);
        Box::pin(async move { Ok(around.answer(request).await) })
    }
}

fn routes() -> Routes {
    Routes::default()
        .merge(api::legacy::routes())
        .merge(api::v1::routes())
        .merge(api::admin::routes())
        .merge(api::keys::routes())
        .merge(api::audit::routes())
        .merge(api::usage::routes())
        .merge(api::health::routes())
        .merge(api::docs::routes())
}

/// Every path of the contract; `{…}` stands for an id.
#[must_use]
pub fn paths() -> Vec<&'static str> {
    routes().paths()
}

/// Every path of the dashboard, which is for people and no part of the contract.
#[must_use]
pub fn pages() -> Vec<&'static str> {
    page::routes().paths()
}

/// A service from requests to responses that never fails.
pub trait HttpService:
    TowerService<
        axum::extract::Request,
        Response = Response,
        Error = std::convert::Infallible,
        Future: Send + 'static,
    > + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> HttpService for S where
    S: TowerService<
            axum::extract::Request,
            Response = Response,
            Error = std::convert::Infallible,
            Future: Send + 'static,
        > + Clone
        + Send
        + Sync
        + 'static
{
}

async fn no_route(with_pages: Option<Arc<App>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match with_pages {
        Some(app) if page::is_asked_for(&parts) => page::no_page(&app, &parts),
        _ => Problem::NoRoute.into_response(),
    };
    around::without_body(Request::from_parts(parts, body), answer).await
}

#[cfg(test)]
mod failing_store;

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::any;
    use http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_call_that_takes_too_long_is_answered_and_carried_through() {
        let (done, is_done) = tokio::sync::oneshot::channel();
        let done = Arc::new(std::sync::Mutex::new(Some(done)));
        let hangs = async move || {
            tokio::time::sleep(around::LAST_WORD + Duration::from_millis(500)).await;
            let _ = done.lock().unwrap().take().unwrap().send(());
        };
        let lab = crate::testing::lab().await;
        let config = Config { request_timeout: Duration::from_millis(50), ..Config::default() };
        let app = App::new(Arc::clone(&lab.service), config);
        let routes = app.routes().route("/hangs", any(hangs));
        let app = app.wrap(routes, None);
        let request = Request::get("/hangs").header("host", "localhost");
        let response = app.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains(r#""attempt":"unknown""#) && body.contains(":slow"), "{body}");
        is_done.await.unwrap();
    }

    #[tokio::test]
    async fn after_a_panic_the_next_call_works_and_nothing_of_the_panic_is_told() {
        async fn panics() -> Response {
            panic!("a secret in a panic message")
        }
        let lab = crate::testing::lab().await;
        let app = App::new(Arc::clone(&lab.service), Config::default());
        let routes = app.routes().route("/panics", any(panics));
        let app = app.wrap(routes, None);
        let call = async |path: &str| {
            let request = Request::get(path)
                .header("host", "localhost")
                .header("x-request-id", "the-id")
                .body(axum::body::Body::empty())
                .unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(body.to_vec()).unwrap())
        };
        let (status, body) = call("/panics").await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("the-id") && !body.contains("secret"), "{body}");
        assert_eq!(call("/readyz").await.0, StatusCode::OK);
    }
}
