//! The version of HTTP that a connection speaks, told before it is served.
//!
//! The library can tell it too, from the first bytes that it reads; but with those put back before the
//! others, each connection holds twice the memory for its next head.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::Config;
use crate::around::MAX_URL_BYTES;

/// How connections are served. A clone shares it.
#[derive(Debug, Clone)]
pub(crate) struct Versions(Arc<Builders>);

#[derive(Debug)]
struct Builders {
    http1: Builder<TokioExecutor>,
    http2: Builder<TokioExecutor>,
    /// Where it is not told.
    either: Builder<TokioExecutor>,
}

impl Versions {
    pub(crate) fn new(config: &Config) -> Self {
        let either = connection_builder(config);
        let (http1, http2) = (either.clone().http1_only(), either.clone().http2_only());
        Self(Arc::new(Builders { http1, http2, either }))
    }

    /// By the first bytes, which stay where they are; `None`: none came within the time.
    pub(crate) async fn of_plain(
        &self,
        stream: &TcpStream,
        time: Duration,
    ) -> Option<&Builder<TokioExecutor>> {
        let mut first = [0; PREFACE.len()];
        let Ok(came) = timeout(time, stream.peek(&mut first)).await else {
            tracing::debug!("cutting a connection: nothing came");
            return None;
        };
        let count = came.ok()?;
        let Builders { http1, http2, either } = &*self.0;
        Some(match first.get(..count)? {
            first if first == PREFACE => http2,
            first if PREFACE.starts_with(first) => either,
            _ => http1,
        })
    }

    /// By what was agreed on in the handshake.
    pub(crate) fn of_tls(&self, protocol: Option<&[u8]>) -> &Builder<TokioExecutor> {
        let Builders { http1, http2, either } = &*self.0;
        match protocol {
            Some(b"h2") => http2,
            Some(_) => http1,
            None => either,
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

/// What a connection of HTTP/2 begins with (RFC 9113, Section 3.4), as far as no method does.
const PREFACE: &[u8; 3] = b"PRI";
/// Larger than what the application admits, as above.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;
/// Hyper's own limit, for which it has room on the stack.
const HTTP1_HEADER_LINES: usize = 100;
const HTTP2_PING_INTERVAL: Duration = Duration::from_secs(20);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Whether it would be served as HTTP/1, and as HTTP/2.
    fn served(builder: &Builder<TokioExecutor>) -> (bool, bool) {
        (builder.is_http1_available(), builder.is_http2_available())
    }

    #[tokio::test]
    async fn the_first_bytes_tell_the_version_and_stay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let versions = Versions::new(&Config::default());
        for (sent, expected) in [
            ("GET / HTTP/1.1\r\n", (true, false)),
            ("POST /", (true, false)),
            ("PUT /", (true, false)),
            ("PRI * HTTP/2.0\r\n", (false, true)),
            ("P", (true, true)),
            ("PR", (true, true)),
        ] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (mut stream, _) = listener.accept().await.unwrap();
            client.write_all(sent.as_bytes()).await.unwrap();
            let told = versions.of_plain(&stream, Duration::from_secs(10)).await;
            assert_eq!(told.map(served), Some(expected), "{sent}");
            let mut there = vec![0; sent.len()];
            stream.read_exact(&mut there).await.unwrap();
            assert_eq!(there, sent.as_bytes());
        }
    }

    #[tokio::test]
    async fn nobody_is_waited_for_longer_than_the_time() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let versions = Versions::new(&Config::default());
        let _silent = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        assert!(versions.of_plain(&stream, Duration::from_millis(20)).await.is_none());
        let gone = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        drop(gone);
        assert!(versions.of_plain(&stream, Duration::from_secs(10)).await.is_some());
    }

    #[test]
    fn a_handshake_tells_it_too() {
        let versions = Versions::new(&Config::default());
        assert_eq!(served(versions.of_tls(Some(b"h2"))), (false, true));
        assert_eq!(served(versions.of_tls(Some(b"http/1.1"))), (true, false));
        assert_eq!(served(versions.of_tls(None)), (true, true));
    }
}
