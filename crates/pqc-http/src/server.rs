//! The server: connections in, answers out, an orderly end.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use pqc_service::Service;
use tokio::net::TcpListener;

use crate::app::{App, Config};

/// Serves until `shutdown` comes; then accepts no more, lets running requests finish within
/// [`Config::drain_timeout`], and returns.
///
/// # Errors
/// The listener's address cannot be read.
pub async fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    mut config: Config,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    config.loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
    let drain_timeout = config.drain_timeout;
    let connections = connection_builder(&config);
    let app = TowerToHyperService::new(RequestBody(App::new(service, config).into_service()));
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // The connection is gone, or file descriptors are: others go on.
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let connection = connections.serve_connection(TokioIo::new(stream), app.clone());
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke off");
            }
        });
    }
    drop(listener);
    tracing::info!("shutting down: finishing what runs");
    if tokio::time::timeout(drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still running at the end of the time for them");
    }
    Ok(())
}

fn connection_builder(config: &Config) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(HTTP1_BUFFER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HTTP2_HEADER_BYTES)
        .max_concurrent_streams(HTTP2_STREAMS);
    builder
}

/// Gives hyper's request body the type that the application takes.
#[derive(Clone)]
struct RequestBody<S>(S);

impl<S> tower::Service<http::Request<hyper::body::Incoming>> for RequestBody<S>
where
    S: tower::Service<axum::extract::Request>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<hyper::body::Incoming>) -> S::Future {
        self.0.call(request.map(axum::body::Body::new))
    }
}

/// Larger than what the application admits, so that it is the one to refuse with a problem.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
const HTTP2_HEADER_BYTES: u32 = 64 * 1024;
const HTTP2_STREAMS: u32 = 100;
