//! A connection whose bytes the test writes itself, broken ones too.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use reqwest::header::{HeaderMap, HeaderName};

use super::PATIENCE;
use super::answer::Answer;

/// A connection.
pub(crate) struct Raw {
    stream: TcpStream,
    host: SocketAddr,
    read: Vec<u8>,
    was_reset: bool,
}

impl Raw {
    pub(super) fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE / 4).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, host: address, read: Vec::new(), was_reset: false }
    }

    /// Writes bytes.
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self
    }

    /// Writes a head: the request line and these header lines; `Host` is added.
    pub(crate) fn head(&mut self, request_line: &str, headers: &[&str]) -> &mut Self {
        let host = format!("Host: {}", self.host);
        let mut lines = vec![request_line, host.as_str()];
        lines.extend(headers);
        self.write(lines.join("\r\n") + "\r\n\r\n")
    }

    /// Says that no more bytes come.
    pub(crate) fn end(&mut self) -> &mut Self {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
        self
    }

    /// Reads one answer, an interim one (1xx) too.
    pub(crate) fn answer(&mut self) -> Answer {
        let end = loop {
            let found = self.read.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = found {
                break end + 4;
            }
            let more = self.more();
            let so_far = String::from_utf8_lossy(&self.read);
            assert!(more, "no answer (reset: {}): {so_far:?}", self.was_reset);
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(':').unwrap();
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.trim().parse().unwrap());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.to_str().unwrap().parse::<usize>().unwrap());
        while self.read.len() < length {
            assert!(self.more(), "the answer broke off");
        }
        let body = self.read.drain(..length).collect();
        Answer { status, headers, body }
    }

    /// Whether the server has closed the connection, and sent nothing more.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    /// Reads what comes next; `false` if nothing comes any more.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.read.extend_from_slice(&buffer[..count]);
                count > 0
            }
            Err(error) => {
                // Who closes before it has read everything resets the connection.
                assert_eq!(error.kind(), ErrorKind::ConnectionReset, "waited in vain: {error}");
                self.was_reset = true;
                false
            }
        }
    }
}
