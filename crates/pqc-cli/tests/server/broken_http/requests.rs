//! Right requests with their single-use tokens, to be broken; and what is answered.

use serde_json::json;

use super::{Attacked, DECRYPT, ENCRYPT, KEY, http2};
use crate::support::Client;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    Post,
    Chunked,
    Pair,
    Http2,
}

impl Kind {
    pub(super) const ALL: [Self; 5] =
        [Self::Get, Self::Post, Self::Chunked, Self::Pair, Self::Http2];
}

/// One request or several, as bytes on a connection.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) parts: Vec<Part>,
}

/// One of them: its end among the bytes, its id and token, and the answer it gets.
pub(super) struct Part {
    pub(super) end: usize,
    pub(super) id: String,
    pub(super) token: Client,
    /// `None`: a key pair.
    text: Option<String>,
}

impl Part {
    pub(super) fn is_answered_by(&self, body: &[u8]) -> bool {
        match &self.text {
            Some(text) => body == format!("\"{text}\"").as_bytes(),
            None => body.starts_with(b"{") && body.windows(4).any(|part| part == b"\"pk\""),
        }
    }
}

impl Request {
    pub(super) fn new(kind: Kind, attacked: &Attacked, number: usize) -> Self {
        let mut request = Self { bytes: Vec::new(), parts: Vec::new() };
        let kinds: &[Kind] = if kind == Kind::Pair { &[Kind::Post, Kind::Get] } else { &[kind] };
        for (place, kind) in kinds.iter().enumerate() {
            // As many digits whatever the number, so that the lengths are the same.
            request.add(*kind, attacked, format!("id-{number:06}-{place}"));
        }
        request
    }

    fn add(&mut self, kind: Kind, attacked: &Attacked, id: String) {
        let token = attacked.token();
        let host = attacked.address();
        let around = format!(
            "Host: {host}\r\nAuthorization: Bearer {}\r\nX-Request-Id: {id}\r\n",
            token.token
        );
        let mut text = Some(format!("the text of {id}"));
        let fields = json!({"unencrypted": text, "key": KEY});
        let sealed = attacked.root.post(ENCRYPT, &fields).ok_text();
        let body = json!({"ciphertext": sealed, "key": KEY}).to_string();
        let post = format!("POST {DECRYPT} HTTP/1.1\r\n{around}Content-Type: application/json\r\n");
        let bytes = match kind {
            Kind::Get => {
                text = None;
                format!("GET /api/kem/generate_keys HTTP/1.1\r\n{around}\r\n").into_bytes()
            }
            Kind::Post | Kind::Pair => {
                format!("{post}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
            }
            Kind::Chunked => {
                let (first, second) = body.split_at(10);
                let last = second.len();
                format!(
                    "{post}Transfer-Encoding: chunked\r\n\r\na\r\n{first}\r\n{last:x}\r\n{second}\
                     \r\n0\r\n\r\n"
                )
                .into_bytes()
            }
            Kind::Http2 => http2::post(DECRYPT, &host.to_string(), &token.token, &id, &body),
        };
        self.bytes.extend_from_slice(&bytes);
        self.parts.push(Part { end: self.bytes.len(), id, token, text });
    }
}

/// An answer in HTTP/1.1.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) id: Option<String>,
    pub(super) body: Vec<u8>,
}

impl Told {
    /// The answers that stand one behind the other; nothing else may stand there.
    pub(super) fn all_of(mut said: &[u8]) -> Vec<Self> {
        let mut all = Vec::new();
        while !said.is_empty() {
            let end = said.windows(4).position(|window| window == b"\r\n\r\n");
            let end = end.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(said)));
            let head = std::str::from_utf8(&said[..end]).unwrap();
            said = &said[end + 4..];
            let header = |name: &str| {
                let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(": "));
                lines.into_iter().find(|(other, _)| *other == name).map(|(_, value)| value)
            };
            let status = head.strip_prefix("HTTP/1.1 ").or(head.strip_prefix("HTTP/1.0 "));
            let status = status.unwrap_or_else(|| panic!("{head:?}"))[..3].parse().unwrap();
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            let (body, rest) = said.split_at(length);
            all.push(Self {
                status,
                id: header("x-request-id").map(str::to_owned),
                body: body.to_vec(),
            });
            said = rest;
        }
        all.retain(|told| told.status != 100);
        all
    }
}
