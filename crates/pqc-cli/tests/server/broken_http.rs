//! Broken HTTP, byte by byte: whatever comes, nothing is left of it, no call is served that nobody
//! made, and those who call meanwhile get their own right answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use serde_json::json;

use crate::support::{Call, Client, Folder, PATIENCE, Scrape, Server};

mod http2;
mod requests;

use requests::{Kind, Request, Told};

const DECRYPT: &str = "/api/aes/decrypt_text";
const ENCRYPT: &str = "/api/aes/encrypt_text";
/// RFC 9113, Section 7.
const ENHANCE_YOUR_CALM: u32 = 11;
const KEY: &str = "0202020202020202020202020202020202020202020202020202020202020202";

/// A server under attack, what it had open before, and neighbours who call it all the while.
struct Attacked {
    server: Server,
    operator: Client,
    root: Client,
    before: Scrape,
    sockets: usize,
    over: Arc<AtomicBool>,
    neighbours: Vec<JoinHandle<usize>>,
    /// How many tokens of one attempt were given out.
    tokens: AtomicUsize,
}

impl Attacked {
    fn new() -> Self {
        let server = Folder::new().serve_with("--log warn --admin-listen 127.0.0.1:0");
        let (operator, root) = (server.operator(), server.root());
        let (before, sockets) = (Scrape::of(&operator), server.sockets_when_quiet(&operator));
        let over = Arc::new(AtomicBool::new(false));
        let neighbours = (0..2).map(|n| {
            let (over, client) = (Arc::clone(&over), server.account().root);
            thread::spawn(move || calls_of_a_neighbour(n, &client, &over))
        });
        let neighbours = neighbours.collect();
        let tokens = AtomicUsize::new(0);
        Self { server, operator, root, before, sockets, over, neighbours, tokens }
    }

    fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// A token of one attempt.
    fn token(&self) -> Client {
        self.tokens.fetch_add(1, Ordering::SeqCst);
        self.root.mint_counted(1)
    }

    /// Asserts that nothing is left of the attack, and that each token was spent once.
    fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        for neighbour in self.neighbours {
            let calls = neighbour.join().expect("a neighbour got a wrong answer");
            assert!(calls > 10, "the neighbours were busy: {calls}");
        }
        // What the calls of this process keep open for their next ones is closed after 5 s.
        let sockets = self.server.sockets_when_quiet(&self.operator);
        assert!(sockets <= self.sockets, "{sockets} are left of {}", self.sockets);
        let used = |scrape: &Scrape| scrape.value("pqc_token_uses_total{kind=\"temporary\"}");
        let used = used(&Scrape::of(&self.operator)) - used(&self.before);
        assert_eq!(used, self.tokens.into_inner() as f64, "each token was spent once");
        let log = self.server.stop().stderr;
        assert!(!log.contains("panic"), "{log}");
    }
}

/// Encrypts and decrypts, each time another text, until it is over.
fn calls_of_a_neighbour(n: usize, client: &Client, over: &AtomicBool) -> usize {
    let mut calls = 0;
    while !over.load(Ordering::SeqCst) {
        let (text, id) = (format!("text {calls} of {n}"), format!("neighbour-{n}-{calls}"));
        let ask =
            |path, fields| client.send(&Call::post(path, &fields).header("x-request-id", &id));
        let sealed = ask(ENCRYPT, json!({"unencrypted": text}));
        assert_eq!(sealed.header("x-request-id"), Some(&*id));
        let opened = ask(DECRYPT, json!({"ciphertext": sealed.ok_text()}));
        assert_eq!(opened.header("x-request-id"), Some(&*id));
        assert_eq!(opened.ok_text(), text);
        calls += 1;
    }
    calls
}

/// Writes as much as is taken, says that no more comes, and reads to the end.
fn all_said_to(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who refuses early does not take the rest.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut said = Vec::new();
    if let Err(error) = stream.read_to_end(&mut said) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "waited in vain: {error}");
    }
    said
}

#[test]
fn a_flood_of_resets_ends_the_connection_that_it_came_on() {
    let server = Folder::new().serve_with("--http2-resets 20");
    let ended = |streams| http2::goodbyes(&all_said_to(server.address, &http2::resets(streams)));
    let calm = |codes: &[u32]| codes.contains(&ENHANCE_YOUR_CALM);
    assert!(!calm(&ended(5)), "a client may change its mind");
    assert!(calm(&ended(5000)), "nothing ended the flood");
    server.root().generate();
}

/// A client says little and has much kept: heads of calls whose bodies never come.
#[test]
fn heads_of_refused_calls_take_no_memory() {
    const CONNECTIONS: usize = 40;
    let server = Folder::new().serve_with("--log warn --admin-listen 127.0.0.1:0");
    let operator = server.operator();
    let resident = |are_whole| {
        let heads = http2::heads(100, 90, are_whole);
        let connect = |_| {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.write_all(&heads).unwrap();
            stream
        };
        let streams: Vec<_> = (0..CONNECTIONS).map(connect).collect();
        thread::sleep(Duration::from_secs(2));
        let resident = Scrape::of(&operator).value("process_resident_memory_bytes");
        drop(streams);
        resident / 1024.0 / 1024.0
    };
    // What it takes to read them is taken once.
    let (whole, waiting) = (resident(true), resident(false));
    println!("{whole:.1} MiB, and {waiting:.1} MiB with 41 MiB of heads whose bodies never come");
    assert!(waiting - whole < 32.0, "{whole} MiB, then {waiting} MiB");
}

#[test]
fn broken_framing_is_refused_and_hides_no_request() {
    let attacked = Attacked::new();
    let address = attacked.address();
    let host = format!("Host: {address}");
    // What is refused before its body is whole has spent nothing, so one token does for all.
    let token = attacked.token();
    let hidden = format!(
        "GET /api/kem/generate_keys HTTP/1.1\r\n{host}\r\nAuthorization: Bearer {}\r\n\
         X-Request-Id: hidden\r\n\r\n",
        token.token
    );
    let body = r#"{"data":"x"}"#;
    let post = format!(
        "POST /api/signature/sign HTTP/1.1\r\n{host}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\n",
        token.token
    );
    let get = format!("GET /healthz HTTP/1.1\r\n{host}\r\n");
    let chunked = format!("{post}Transfer-Encoding: chunked\r\n\r\n");
    let many = |n: usize| (0..n).map(|i| format!("x-{i}: y\r\n")).collect::<String>();
    // What is sent, and the statuses that it is answered; then the connection ends.
    let cases: Vec<(String, &[u16])> = vec![
        // One length, or the same twice.
        (format!("{post}Content-Length: 12\r\nContent-Length: 13\r\n\r\n{body}{hidden}"), &[400]),
        (format!("{post}Content-Length: 0\r\nContent-Length: 12\r\n\r\n{hidden}"), &[400]),
        (format!("{post}Content-Length: 12, 13\r\n\r\n{body}{hidden}"), &[400]),
        (format!("{post}Content-Length: +12\r\n\r\n{body}{hidden}"), &[400]),
        (format!("{post}Content-Length: 0x0c\r\n\r\n{body}{hidden}"), &[400]),
        (format!("{post}Content-Length: 1 2\r\n\r\n{body}{hidden}"), &[400]),
        (format!("{post}Content-Length:\r\n\r\n{body}{hidden}"), &[400]),
        (format!("{post}Content-Length: 18446744073709551616\r\n\r\n{body}{hidden}"), &[400]),
        // A length beside chunks, in either order, and what looks like chunks to some.
        (
            format!(
                "{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
            ),
            &[400],
        ),
        (
            format!(
                "{post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{hidden}"
            ),
            &[400],
        ),
        (format!("{post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"), &[400]),
        (
            format!(
                "{post}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n{hidden}"
            ),
            &[400],
        ),
        (format!("{post}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{post}Transfer-Encoding\n: chunked\r\n\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{post}X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"), &[400]),
        // Sizes of chunks.
        (format!("{chunked}-1\r\n{hidden}"), &[400]),
        (format!("{chunked}0x0c\r\n{body}\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}g\r\n{body}\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}10000000000000000\r\n{body}\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}FFFFFFFFFFFFFFFFC\r\n{body}\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}\r\n{body}\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}c\n{body}\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}c\r\n{body}0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}b\r\n{body}\r\n0\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}c\r\n{body}\r\n0\r\nX y\r\n\r\n{hidden}"), &[400]),
        (format!("{chunked}c;{}\r\n{body}\r\n0\r\n\r\n{hidden}", "x".repeat(100_000)), &[400]),
        // Lines that go on, and bytes that end a line to some.
        (format!("{get}X: a\r\n b\r\n\r\n"), &[400]),
        (format!("{get}X: a\rb: c\r\n\r\n"), &[400]),
        (format!("{get}X: \0\r\n\r\n"), &[400]),
        (format!("{get}X\0: y\r\n\r\n"), &[400]),
        (format!("{get}: y\r\n\r\n"), &[400]),
        (format!("{get}no colon\r\n\r\n"), &[400]),
        (format!("{get}X y: z\r\n\r\n"), &[400]),
        (format!("GET /health\0z HTTP/1.1\r\n{host}\r\n\r\n"), &[400]),
        (format!("GET /health\rz HTTP/1.1\r\n{host}\r\n\r\n"), &[400]),
        (format!("GET /healthz HTTP/1.1\r\n X: y\r\n{host}\r\n\r\n"), &[400]),
        // Too much of what is allowed.
        (format!("{get}{}\r\n", many(99)), &[200]),
        (format!("{get}{}\r\n", many(101)), &[431]),
        (format!("{get}{}\r\n", many(5000)), &[431]),
        (format!("{get}X: {}\r\n\r\n", "y".repeat(17_000)), &[431]),
        (format!("GET /{} HTTP/1.1\r\n{host}\r\n\r\n", "y".repeat(20_000)), &[414]),
        // Other versions, methods and targets.
        ("GET /healthz\r\n\r\n".to_owned(), &[400]),
        (format!("GET /healthz HTTP/0.9\r\n{host}\r\n\r\n"), &[400]),
        (format!("GET /healthz HTTP/1.2\r\n{host}\r\n\r\n"), &[400]),
        (format!("GET /healthz HTTP/2.0\r\n{host}\r\n\r\n"), &[400]),
        (format!("GET  /healthz HTTP/1.1\r\n{host}\r\n\r\n"), &[400]),
        (format!("get /healthz HTTP/1.1\r\n{host}\r\n\r\n"), &[405]),
        (format!("G@T /healthz HTTP/1.1\r\n{host}\r\n\r\n"), &[400]),
        (format!("CONNECT {address} HTTP/1.1\r\n{host}\r\n\r\n"), &[404]),
        (format!("{get}Upgrade: h2c\r\nConnection: upgrade\r\n\r\n"), &[200]),
        ("\r\n".repeat(50_000), &[431]),
        // The twins: the same, right.
        (format!("{get}\r\n"), &[200]),
        (format!("\r\n\r\n{get}\r\n{get}\r\n"), &[200, 200]),
        (format!("{get}Connection: close\r\n\r\n{hidden}"), &[200]),
        (format!("{post}Content-Length: 4\r\n\r\n[] 0{get}\r\n"), &[400, 200]),
        (format!("{chunked}4;x=y\r\n[] 0\r\n0\r\nX: y\r\n\r\n{get}\r\n"), &[400, 200]),
    ];
    for (bytes, expected) in &cases {
        let said = all_said_to(address, bytes.as_bytes());
        let start: String = bytes.chars().skip(post.len().min(bytes.len()) / 2).take(150).collect();
        let told = Told::all_of(&said);
        let statuses: Vec<_> = told.iter().map(|told| told.status).collect();
        assert_eq!(statuses, *expected, "{start:?}");
        assert!(!String::from_utf8_lossy(&said).contains("hidden"), "{start:?}");
        assert_eq!(token.attempts_left(), 1, "{start:?}");
    }
    for frames in http2::broken() {
        let said = all_said_to(address, &frames);
        assert!(!String::from_utf8_lossy(&said).contains("HTTP/1"), "{frames:?}");
    }
    for end in 0..=http2::PREFACE.len() {
        all_said_to(address, &http2::PREFACE[..end]);
        drop(TcpStream::connect(address).unwrap().write_all(&http2::PREFACE[..end]));
    }
    assert_eq!(token.attempts_left(), 1);
    token.post("/api/signature/sign", &json!({"data": "x"})).ok();
    attacked.end();
}

#[test]
fn a_request_that_is_cut_off_anywhere_is_served_whole_or_not_at_all() {
    let attacked = Attacked::new();
    let next = AtomicUsize::new(0);
    let cuts: Vec<(Kind, usize, bool)> = Kind::ALL
        .into_iter()
        .flat_map(|kind| {
            let length = Request::new(kind, &attacked, 0).bytes.len();
            (0..=length).flat_map(move |end| [(kind, end, false), (kind, end, true)])
        })
        .collect();
    // Those were made for their lengths.
    let made = attacked.tokens.swap(0, Ordering::SeqCst);
    assert!(made >= Kind::ALL.len());
    println!("{} cuts", cuts.len());
    thread::scope(|scope| {
        for _ in 0..CUTTERS {
            scope.spawn(|| {
                while let Some((kind, end, waits)) = cuts.get(next.fetch_add(1, Ordering::SeqCst)) {
                    cut(&attacked, *kind, *end, *waits);
                }
            });
        }
    });
    attacked.end();
}

/// Sends the request up to there, and waits for an answer or not.
fn cut(attacked: &Attacked, kind: Kind, end: usize, waits: bool) {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    let request = Request::new(kind, attacked, COUNT.fetch_add(1, Ordering::SeqCst));
    // A token is a letter longer or shorter in no request, a number may be.
    let bytes = &request.bytes[..end.min(request.bytes.len())];
    let mut served = None;
    if waits && kind != Kind::Http2 {
        let told = Told::all_of(&all_said_to(attacked.address(), bytes));
        let whole = request.parts.iter().filter(|part| part.end <= bytes.len()).count();
        assert!(told.len() <= whole + 1, "{kind:?} {end}: {told:?}");
        for (part, told) in request.parts.iter().zip(&told).take(whole) {
            assert_eq!((told.status, told.id.as_deref()), (200, Some(&*part.id)), "{kind:?} {end}");
            assert!(part.is_answered_by(&told.body), "{kind:?} {end}: {told:?}");
        }
        if let Some(refused) = told.get(whole) {
            assert!([400, 408].contains(&refused.status), "{kind:?} {end}: {refused:?}");
        }
        assert!(told.len() >= whole, "{kind:?} {end}: {told:?}");
        served = Some(whole);
    } else {
        let mut stream = TcpStream::connect(attacked.address()).unwrap();
        let _ = stream.write_all(bytes);
    }
    for (number, part) in request.parts.iter().enumerate() {
        let status = part.token.send(&cheap()).status;
        match served {
            Some(whole) if number < whole => assert_eq!(status, 401, "{kind:?} {end}: spent"),
            // What is not whole is never served, now or later.
            _ if part.end > bytes.len() => assert_eq!(status, 200, "{kind:?} {end}: not spent"),
            _ => assert!([200, 401].contains(&status), "{kind:?} {end}: {status}"),
        }
        assert_eq!(part.token.send(&cheap()).status, 401, "{kind:?} {end}: never twice");
    }
}

fn cheap() -> Call {
    Call::post(ENCRYPT, &json!({"unencrypted": "", "key": KEY}))
}

/// A change to the bytes of a request; places are parts of 65536 of its length.
#[derive(Debug, Clone)]
enum Mutation {
    Flip(u16, u8),
    Insert(u16, Vec<u8>),
    Remove(u16, u8),
    Repeat(u16, u8),
    Cut(u16),
}

impl Mutation {
    fn any() -> impl Strategy<Value = Self> {
        let odd = prop::sample::select(ODDITIES.to_vec()).prop_map(<[u8]>::to_vec);
        let bytes = prop_oneof![3 => odd, 1 => prop::collection::vec(any::<u8>(), 1..20)];
        prop_oneof![
            (any::<u16>(), 1..=255_u8).prop_map(|(place, bits)| Self::Flip(place, bits)),
            (any::<u16>(), bytes).prop_map(|(place, bytes)| Self::Insert(place, bytes)),
            (any::<u16>(), 1..60_u8).prop_map(|(place, count)| Self::Remove(place, count)),
            (any::<u16>(), 1..200_u8).prop_map(|(place, count)| Self::Repeat(place, count)),
            any::<u16>().prop_map(Self::Cut),
        ]
    }

    fn change(&self, bytes: &mut Vec<u8>) {
        let place = |part: u16| usize::from(part) * bytes.len() / 65536;
        match self {
            Self::Flip(part, bits) => {
                let place = place(*part);
                if let Some(byte) = bytes.get_mut(place) {
                    *byte ^= bits;
                }
            }
            Self::Insert(part, more) => {
                let place = place(*part);
                drop(bytes.splice(place..place, more.iter().copied()));
            }
            Self::Remove(part, count) => {
                let start = place(*part);
                let end = bytes.len().min(start + usize::from(*count));
                drop(bytes.drain(start..end));
            }
            Self::Repeat(part, count) => {
                let start = place(*part);
                let again = bytes[start..bytes.len().min(start + usize::from(*count))].to_vec();
                drop(bytes.splice(start..start, again));
            }
            Self::Cut(part) => bytes.truncate(place(*part)),
        }
    }
}

#[test]
fn whatever_is_made_of_a_right_request_it_is_served_once_or_not_at_all() {
    let attacked = Attacked::new();
    let cases = std::env::var("PQC_CASES").map_or(300, |cases| cases.parse().unwrap());
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let strategy = (
        prop::sample::select(Kind::ALL.to_vec()),
        prop::collection::vec(Mutation::any(), 1..5),
        any::<bool>(),
    );
    let count = AtomicUsize::new(0);
    let result = TestRunner::new(config).run(&strategy, |(kind, mutations, splits)| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let request = Request::new(kind, &attacked, number);
        let mut bytes = request.bytes.clone();
        for mutation in &mutations {
            mutation.change(&mut bytes);
        }
        if splits {
            // Its first half alone first, by somebody who then goes.
            let mut stream = TcpStream::connect(attacked.address()).unwrap();
            let _ = stream.write_all(&bytes[..bytes.len() / 2]);
        }
        let said = all_said_to(attacked.address(), &bytes);
        // What is inserted may make it HTTP/2, which is answered in frames.
        let frames = kind == Kind::Http2 || bytes.starts_with(http2::PREFACE);
        let told = if frames { Vec::new() } else { Told::all_of(&said) };
        for told in &told {
            let named = |id: &str| bytes.windows(id.len()).any(|window| window == id.as_bytes());
            let id = told.id.as_deref().unwrap_or_default();
            // A foreign id is one that the server made.
            prop_assert!(id.is_empty() || named(id) || id.len() == 32, "{id} in {told:?}");
            prop_assert!(told.status < 500 || told.status == 501, "{told:?}");
        }
        for part in &request.parts {
            let served = told
                .iter()
                .filter(|told| told.status == 200 && part.is_answered_by(&told.body))
                .count();
            let after = part.token.send(&cheap()).status;
            let again = part.token.send(&cheap()).status;
            prop_assert!(served <= 1 && again == 401, "{served} {again}");
            prop_assert!(after == 401 || (after == 200 && served == 0), "{served} {after}");
        }
        Ok::<(), TestCaseError>(())
    });
    result.unwrap();
    println!("{} mutated requests", count.into_inner());
    attacked.end();
}

/// What readers of HTTP disagree about.
const ODDITIES: [&[u8]; 22] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\t",
    b" ",
    b":",
    b"\r\n\r\n",
    b"\r\n ",
    b"\xff",
    b"0\r\n\r\n",
    b"Content-Length: 0\r\n",
    b"\r\nContent-Length: 5",
    b"\r\nContent-Length: 99999999999999999999",
    b"Transfer-Encoding: chunked\r\n",
    b"\r\nTransfer-Encoding: chunked",
    b"\r\nTransfer-Encoding: identity",
    b"\r\nExpect: 100-continue",
    b"\r\nConnection: close",
    b"\r\nUpgrade: h2c\r\nConnection: Upgrade",
    b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];
const CUTTERS: usize = 8;
