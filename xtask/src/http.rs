//! A client of HTTP/1.1 for tasks that measure: one connection, one call after the other, and
//! nothing between the bytes and the clock.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, ensure};

/// Longer than anything that still goes on.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its status.
    pub(crate) status: u16,
    /// Its body.
    pub(crate) body: String,
}

impl Answer {
    /// The body of a 200.
    ///
    /// # Errors
    /// Another status.
    pub(crate) fn ok(self) -> anyhow::Result<String> {
        ensure!(self.status == 200, "answered {}: {}", self.status, self.body);
        Ok(self.body)
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub(crate) fn to(address: &str) -> anyhow::Result<Self> {
        Self::on(TcpStream::connect(address)?, address)
    }

    /// Goes on with a stream to that address.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn on(stream: TcpStream, address: &str) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_owned() })
    }

    /// Makes a call, with JSON if there is some.
    ///
    /// # Errors
    /// The connection broke off.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        json: Option<&str>,
    ) -> anyhow::Result<Answer> {
        self.ask(request(method, path, &self.host, token, json).as_bytes())
    }

    /// Sends the bytes of a request, and reads the answer.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.get_mut().write_all(request)?;
        let mut line = String::new();
        let mut length = 0;
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("the connection broke off")?;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim_end();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, body: String::from_utf8(body)? })
    }
}

/// The bytes of a request.
pub(crate) fn request(
    method: &str,
    path: &str,
    host: &str,
    token: &str,
    json: Option<&str>,
) -> String {
    let length = json.map_or(0, str::len);
    let kind = if json.is_some() { "Content-Type: application/json\r\n" } else { "" };
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{kind}\
         Content-Length: {length}\r\n\r\n{}",
        json.unwrap_or_default()
    )
}

/// The bytes of a POST of JSON under an `Idempotency-Key`.
pub(crate) fn keyed_request(path: &str, host: &str, token: &str, json: &str, key: &str) -> String {
    let header = format!("\r\nIdempotency-Key: {key}\r\n");
    request("POST", path, host, token, Some(json)).replacen("\r\n", &header, 1)
}

/// The middle one.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
