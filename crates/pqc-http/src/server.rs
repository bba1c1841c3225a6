//! The server: connections in, answers out, an orderly end.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pqc_service::Service;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::admin::Admin;
use crate::app::{App, Config, HttpService};
use crate::client::Client;
use crate::connection::{self, Patience, Peer};
use crate::metrics::{Connections, Present};
use crate::places::Places;
use crate::tls::Tls;
use crate::versions::Versions;

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
    let versions = Versions::new(config);
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
            let (versions, app, draining) = (versions.clone(), app.clone(), draining.clone());
            let tls = tls.clone();
            let present = Present::in_count(&connections.open);
            tokio::spawn(async move {
                let time = patience.first_request;
                match tls {
                    None => {
                        let peer = (peer, Instant::now());
                        let begun = versions.of_plain(&stream, time);
                        if let Some(builder) = or_drained(begun, draining.clone()).await {
                            connection::serve(stream, peer, builder, app, patience, draining).await;
                        }
                    }
                    // In a place of its own: a connection without TLS has no room for it.
                    Some(tls) => {
                        let served = async move {
                            let handshake = tls.accept(stream, time);
                            if let Some(stream) = or_drained(handshake, draining.clone()).await {
                                let peer = (peer, Instant::now());
                                let builder = versions.of_tls(stream.get_ref().1.alpn_protocol());
                                connection::serve(stream, peer, builder, app, patience, draining)
                                    .await;
                            }
                        };
                        Box::pin(served).await;
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

/// How long a connection without a request may take to end at shutdown.
const ENDING_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two looks for those who need not be remembered any more.
const FORGET_EVERY: Duration = Duration::from_secs(10);
const BETWEEN_WARNINGS: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
