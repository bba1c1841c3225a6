//! Slow clients, many at once: they are cut within their limits, leave nothing behind, and the
//! others are answered meanwhile.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::{Folder, Scrape, Server, wait_until};

/// How a client is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slow {
    /// A byte of its head, and then another.
    Head,
    /// The same with a body.
    Body,
    /// It reads nothing of an answer that no buffer of the system holds.
    Answer,
    /// It opens no window for its answer (HTTP/2).
    Window,
}

struct Client {
    kind: Slow,
    stream: TcpStream,
}

impl Client {
    fn new(server: &Server, kind: Slow) -> Self {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let start = match kind {
            Slow::Head => b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_vec(),
            Slow::Body => head(server, 5000),
            Slow::Answer => {
                let text = format!(r#"{{"unencrypted":"{}"}}"#, "x".repeat(8 << 20));
                [head(server, text.len()), text.into_bytes()].concat()
            }
            Slow::Window => no_window(),
        };
        stream.write_all(&start).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { kind, stream }
    }

    /// Sends a byte more; `false` once the server has cut it.
    fn goes_on(&mut self) -> bool {
        let mut read = [0; 4096];
        match self.kind {
            Slow::Head | Slow::Body => match self.stream.read(&mut read) {
                // It may be told why first.
                Ok(0) => false,
                Ok(_) => true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stream.write_all(b"x").is_ok()
                }
                Err(_) => false,
            },
            // It is the server's side alone that knows.
            Slow::Answer => true,
            Slow::Window => match self.stream.read(&mut read) {
                Ok(0) => false,
                Ok(_) => true,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            },
        }
    }
}

fn head(server: &Server, length: usize) -> Vec<u8> {
    format!(
        "POST /api/aes/encrypt_text HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
        server.folder.root_token()
    )
    .into_bytes()
}

/// The preface, settings with a window of 0, and a GET of what has a body.
fn no_window() -> Vec<u8> {
    let mut fields = vec![0x82, 0x86, 0x44, 22];
    fields.extend(b"/.well-known/jwks.json");
    fields.extend([0x41, 9]);
    fields.extend(b"localhost");
    let length = u8::try_from(fields.len()).unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    bytes.extend([0, 0, length, 1, 5, 0, 0, 0, 1]);
    bytes.extend(fields);
    bytes
}

#[test]
fn slow_clients_are_cut_and_others_are_answered_meanwhile() {
    let limits = "--header-timeout 3s --body-timeout 3s --answer-timeout 3s --idle-timeout 3s";
    let server = Folder::new()
        .serve_with(&format!("--log warn --log-format json --admin-listen 127.0.0.1:0 {limits}"));
    let (operator, root) = (server.operator(), server.root());
    let before = server.sockets_when_quiet(&operator);
    let open = || Scrape::of(&operator).value("pqc_connections_open");
    let mut clients = Vec::new();
    for (kind, count) in
        [(Slow::Head, 100), (Slow::Body, 100), (Slow::Window, 100), (Slow::Answer, 10)]
    {
        clients.extend((0..count).map(|_| Client::new(&server, kind)));
    }
    assert!(open() >= 250.0, "most of them are there");
    let mut answered = 0;
    wait_until("that all who can know of it are cut", || {
        clients.retain_mut(Client::goes_on);
        root.post("/api/aes/encrypt_text", &json!({"unencrypted": "x"})).ok_text();
        answered += 1;
        std::thread::sleep(Duration::from_millis(100));
        clients.iter().all(|client| client.kind == Slow::Answer)
    });
    assert!(answered > 5, "{answered}");
    let sockets = server.sockets_when_quiet(&operator);
    assert!(sockets <= before, "{sockets} are left of {before}");
    drop(clients);
    server.stop();
}
