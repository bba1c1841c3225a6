//! The server: connections in, answers out, an orderly end.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pqc_service::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::admin::Admin;
use crate::app::{App, Config, HttpService};
use crate::around::MAX_URL_BYTES;
use crate::client::Client;
use crate::connection::{self, Patience, Peer};
use crate::metrics::{Connections, Present};
use crate::places::Places;
use crate::tls::Tls;

/// Serves until `shutdown` comes, without encryption if there is no `tls`; then accepts no more, lets
/// running requests finish within [`Config::drain_timeout`], and returns. Operators are served beside
/// it, and to its end.
///
/// # Errors
/// A listener's address cannot be read.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    admin: Option<Admin>,
    service: Arc<Service>,
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let config = behind(&listener, tls.as_ref(), config)?;
    let app = App::new(service, config);
    let connections = app.metrics.connections();
    let operators = async {
        match admin {
            Some(admin) => admin.serve(&app).await,
            None => std::future::pending().await,
        }
    };
    let forgetting = async {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            app.rates.forget();
        }
    };
    let service = Arc::clone(&app).into_service();
    tokio::select! {
        () = run(listener, tls, service, &app.config, connections, shutdown) => Ok(()),
        ended = operators => ended,
        () = forgetting => Ok(()),
    }
}

/// The limits as they hold behind this listener.
pub(crate) fn behind(
    listener: &TcpListener,
    tls: Option<&Tls>,
    config: Config,
) -> io::Result<Config> {
    let loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
    Ok(Config { loopback, tls: tls.is_some(), ..config })
}

/// Serves one listener until `shutdown` comes, and then what runs.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<Tls>,
    app: impl HttpService,
    config: &Config,
    connections: Connections,
    shutdown: impl Future<Output = ()> + Send,
) {
    let drain_timeout = config.drain_timeout;
    let places = Places::new(config.max_connections, config.max_connections_per_address);
    let patience = Patience {
        first_request: config.header_timeout,
        idle: config.idle_timeout,
        answer: config.answer_timeout,
        ending: ENDING_TIMEOUT,
    };
    let builder = Arc::new(connection_builder(config));
    let (drain, draining) = watch::channel(false);

    let accepting = async {
        let mut accept = Accept { listener, warned_at: None };
        while let Ok(place) = places.next().await {
            let (stream, peer) = accept.next().await;
            // Who has as many as he may have is told by the end of this one.
            let Some(place) = places.take(place, config.source(Client::At(peer))) else {
                connections.refused.inc();
                continue;
            };
            let peer = Peer(peer);
            let _ = stream.set_nodelay(true);
            let (builder, app, draining) = (Arc::clone(&builder), app.clone(), draining.clone());
            let tls = tls.clone();
            let present = Present::in_count(&connections.open);
            tokio::spawn(async move {
                match tls {
                    None => {
                        connection::serve(stream, peer, &builder, app, patience, draining).await
                    }
                    Some(tls) => {
                        let handshake = tls.accept(stream, patience.first_request);
                        if let Some(stream) = or_drained(handshake, draining.clone()).await {
                            connection::serve(stream, peer, &builder, app, patience, draining)
                                .await;
                        }
                    }
                }
                drop((present, place));
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    let _ = drain.send(true);
    tracing::info!("shutting down: finishing what runs");
    if tokio::time::timeout(drain_timeout, places.all_free()).await.is_err() {
        tracing::warn!("requests were still running at the end of the time for them");
    }
}

/// Nothing, once the server ends.
async fn or_drained<T>(
    handshake: impl Future<Output = Option<T>>,
    mut draining: watch::Receiver<bool>,
) -> Option<T> {
    tokio::select! {
        shaken = handshake => shaken,
        _ = draining.wait_for(|draining| *draining) => None,
    }
}

/// Accepts on and on.
struct Accept {
    listener: TcpListener,
    warned_at: Option<Instant>,
}

impl Accept {
    async fn next(&mut self) -> (TcpStream, IpAddr) {
        loop {
            let error = match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer.ip().to_canonical()),
                Err(error) => error,
            };
            // That connection is gone, or file descriptors are: others go on.
            if self.warned_at.is_none_or(|at| at.elapsed() >= BETWEEN_WARNINGS) {
                self.warned_at = Some(Instant::now());
                tracing::warn!(%error, "accepting a connection");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn connection_builder(config: &Config) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // No time for headers here: it would end connections that wait for their next request. Their
    // time is looked after by `connection`.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .half_close(true) // who says that no more comes may still wait for the answer
        .max_buf_size(HTTP1_BUFFER_BYTES);
    if config.max_header_lines > HTTP1_HEADER_LINES {
        builder.http1().max_headers(config.max_header_lines);
    }
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HTTP2_PING_INTERVAL)
        .keep_alive_timeout(HTTP2_PING_TIMEOUT)
        .max_header_list_size(http2_header_bytes(config))
        .max_concurrent_streams(config.http2_streams)
        .max_pending_accept_reset_streams(config.http2_resets);
    builder
}

/// As many as the application admits, and some more, so that it is the one to refuse with a problem.
/// A header counts for 32 bytes more than it has here (RFC 9113, Section 6.5.2), and so does the URL.
fn http2_header_bytes(config: &Config) -> u32 {
    let Config { max_header_bytes, max_header_lines, .. } = config;
    let lines = max_header_lines.saturating_mul(32);
    let bytes = max_header_bytes.saturating_mul(2).saturating_add(lines);
    u32::try_from(bytes.saturating_add(MAX_URL_BYTES)).unwrap_or(u32::MAX)
}

/// Larger than what the application admits, as above.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
/// Hyper's own limit, for which it has room on the stack.
const HTTP1_HEADER_LINES: usize = 100;
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection without a request may take to end at shutdown.
const ENDING_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two looks for those who need not be remembered any more.
const FORGET_EVERY: Duration = Duration::from_secs(10);
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
