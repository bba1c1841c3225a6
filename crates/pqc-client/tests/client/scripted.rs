//! A listener that answers what it was told, whatever it is asked, and keeps what it was asked.

use std::sync::{Arc, Mutex};

use pqc_client::Client;
use pqc_core::token::{TokenKind, TokenValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is done with a request, once it is read.
#[derive(Clone)]
pub(crate) enum Step {
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, for ever.
    Silence,
}

/// A listener. Once the script is over, its last step is done again and again.
pub(crate) struct Scripted {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub(crate) async fn new(script: impl IntoIterator<Item = Step>) -> Self {
        let mut script: Vec<_> = script.into_iter().collect();
        script.reverse();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let seen_here = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(request) = request(&mut stream).await else { continue };
                seen_here.lock().unwrap().push(request);
                let step = script.last().unwrap().clone();
                if script.len() > 1 {
                    script.pop();
                }
                match step {
                    Step::Bytes(bytes) => {
                        let _ = stream.write_all(&bytes).await;
                        let _ = stream.shutdown().await;
                    }
                    Step::Silence => drop(tokio::spawn(async move {
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    })),
                }
            }
        });
        Self { url, seen }
    }

    /// A client of it, with a token that is good for nothing.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.url, &token()).unwrap()
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

pub(crate) fn token() -> TokenValue {
    TokenValue::parse(&format!("pqc_t_{}", "A".repeat(43))).unwrap()
}

/// The temporary token of [`token`] and its kind, so that a search for it finds what it should.
#[test]
fn the_token_is_one() {
    assert_eq!(token().kind(), TokenKind::Temporary);
    assert!(token().expose_text().contains("AAAAAAAA"));
}

/// An answer with this status line's rest and these header lines.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Step {
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    Step::Bytes(text.into_bytes())
}

/// A 200 with this JSON.
pub(crate) fn ok(json: &str) -> Step {
    answer("200 OK", "content-type: application/json\r\n", json)
}

/// A refusal of a pqc server.
pub(crate) fn problem(status: &str, headers: &str, slug: &str, more: &str) -> Step {
    let headers = format!("content-type: application/problem+json\r\n{headers}");
    let body = format!(r#"{{"type":"urn:pqc:problem:{slug}","title":"No","detail":"no"{more}}}"#);
    answer(status, &headers, &body)
}

/// The end of a connection in place of an answer.
pub(crate) fn hang_up() -> Step {
    Step::Bytes(Vec::new())
}

/// A whole request: its head and as many bytes as it announces.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return None,
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let announced = header(head, "content-length").map_or(0, |text| text.parse().unwrap());
        if body.len() >= announced {
            return Some(text.into_owned());
        }
    }
}

/// The value of a header of a request.
pub(crate) fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let lines = request.lines().take_while(|line| !line.is_empty());
    let mut pairs = lines.filter_map(|line| line.split_once(": "));
    pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
