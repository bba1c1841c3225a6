//! What those who connect can hold, and for how long, over real sockets.

use std::net::SocketAddr;

use pqc_service::By;
use pqc_service::tokens::MintRequest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::testing::{Lab, header, lab};

struct Server {
    lab: Lab,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<io::Result<()>>,
}

async fn server(config: Config) -> Server {
    let lab = lab().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async { drop(stopped.await) };
    let ended =
        tokio::spawn(serve(listener, None, None, Arc::clone(&lab.service), config, shutdown));
    Server { lab, address, stop, ended }
}

impl Server {
    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Begins an upload of `announced` bytes that stops after `sent`.
    async fn upload(&self, announced: usize, sent: usize) -> TcpStream {
        self.upload_by(&self.lab.authorization, announced, sent).await
    }

    async fn upload_by(&self, authorization: &str, announced: usize, sent: usize) -> TcpStream {
        let head = format!(
            "POST /api/aes/encrypt_text HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n\
             Content-Type: application/json\r\nContent-Length: {announced}\r\n\r\n"
        );
        let start = format!(r#"{{"key":"{}","unencrypted":""#, "00".repeat(32));
        let mut body = start.into_bytes();
        body.resize(announced - 2, b'x');
        body.extend_from_slice(b"\"}");
        body.truncate(sent);
        self.send(&[head.as_bytes(), &body].concat()).await
    }

    async fn status_of_upload(&self, length: usize) -> u16 {
        let mut stream = self.upload(length, length).await;
        status(&mut stream).await
    }
}

/// Networks that nobody here is in: so this machine is limited like any other.
fn proxies_elsewhere() -> crate::Proxies {
    crate::Proxies { networks: vec!["192.0.2.0/24".parse().unwrap()], ..Default::default() }
}

#[tokio::test]
async fn an_address_with_too_many_connections_gets_no_more() {
    let config = Config {
        max_connections_per_address: 2,
        proxies: proxies_elsewhere(),
        ..Config::default()
    };
    let server = server(config).await;
    let mut first = server.send(HEALTH).await;
    let mut second = server.send(HEALTH).await;
    assert_eq!((status(&mut first).await, status(&mut second).await), (200, 200));
    let mut third = server.send(b"").await;
    assert!(is_closed(&mut third, IN_TIME).await);
    // Once one has gone there is a place.
    drop(first);
    loop {
        let mut next = TcpStream::connect(server.address).await.unwrap();
        let _ = next.write_all(HEALTH).await;
        let mut start = [0; 12];
        if matches!(timeout(IN_TIME, next.read_exact(&mut start)).await.unwrap(), Ok(12)) {
            break;
        }
    }
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
const SOON: Duration = Duration::from_millis(400);
const IN_TIME: Duration = Duration::from_secs(10);
const MIB: usize = 1024 * 1024;

/// The status of the answer that comes next.
async fn status(stream: &mut TcpStream) -> u16 {
    let mut start = [0; 12];
    timeout(IN_TIME, stream.read_exact(&mut start)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&start[9..]).parse().unwrap()
}

/// Whether the server closes it.
async fn is_closed(stream: &mut TcpStream, within: Duration) -> bool {
    let mut rest = Vec::new();
    timeout(within, stream.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn who_sends_no_request_is_cut_whatever_was_sent() {
    let server = server(Config { header_timeout: SOON, ..Config::default() }).await;
    let mut patient = server.send(HEALTH).await;
    for start in [b"".as_slice(), b"P", b"PRI * HT", &HEALTH[..20], HTTP2, b"\x16\x03\x01"] {
        let mut stream = server.send(start).await;
        assert!(is_closed(&mut stream, IN_TIME).await, "{start:?}");
    }
    assert_eq!(status(&mut patient).await, 200);
    assert!(!is_closed(&mut patient, SOON * 2).await, "its next request may come later");
}

#[tokio::test]
async fn a_connection_is_kept_between_requests_for_a_time() {
    let server = server(Config { idle_timeout: SOON, ..Config::default() }).await;
    let mut stream = server.send(HEALTH).await;
    assert!(is_closed(&mut stream, IN_TIME).await);
    let mut slow_head = server.send(&[HEALTH, &HEALTH[..20]].concat()).await;
    assert!(is_closed(&mut slow_head, IN_TIME).await);
}

#[tokio::test]
async fn an_answer_that_nobody_takes_gives_its_room_back() {
    let config = Config { answer_timeout: SOON, max_bodies_bytes: 40 * MIB, ..Config::default() };
    let server = server(config).await;
    // The answer is twice as long, and more than the sockets between take in.
    assert_eq!(server.status_of_upload(12 * MIB).await, 200);
    let mut hoarder = server.upload(12 * MIB, 12 * MIB).await;
    assert_eq!(status(&mut hoarder).await, 200);
    assert_eq!(server.status_of_upload(12 * MIB).await, 503);
    assert_eq!(server.status_of_upload(1000).await, 200, "short ones have a part of their own");
    let free = async {
        while server.status_of_upload(12 * MIB).await != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(IN_TIME, free).await.expect("room again");
}

#[tokio::test]
async fn a_body_has_the_time_of_its_request_however_it_goes_on() {
    let server = server(Config { request_timeout: SOON, ..Config::default() }).await;
    let mut stream = server.upload(MIB, 1000).await;
    let goes_on = async {
        loop {
            tokio::time::sleep(SOON / 10).await;
            let _ = stream.write_all(b"x").await;
            let mut start = [0; 12];
            if let Ok(Ok(_)) = timeout(SOON / 10, stream.read_exact(&mut start)).await {
                break start;
            }
        }
    };
    let start = timeout(IN_TIME, goes_on).await.expect("it is refused");
    assert_eq!(&start[9..], b"408");
    assert_eq!(server.status_of_upload(1000).await, 200);
}

#[tokio::test]
async fn a_slow_client_that_goes_on_is_waited_for() {
    let config = Config { answer_timeout: SOON, body_timeout: SOON, ..Config::default() };
    let server = server(config).await;
    let length = 6 * MIB;
    let mut stream = server.upload(length, 1000).await;
    let mut rest = vec![b'x'; length - 1000];
    rest.truncate(length - 1000 - 2);
    rest.extend_from_slice(b"\"}");
    for piece in rest.chunks(MIB / 2) {
        tokio::time::sleep(SOON / 5).await;
        stream.write_all(piece).await.unwrap();
    }
    assert_eq!(status(&mut stream).await, 200);
    let mut left = 2 * length;
    let mut piece = vec![0; MIB];
    while left > 0 {
        tokio::time::sleep(SOON / 4).await;
        let piece = &mut piece[..left.min(MIB)];
        timeout(IN_TIME, stream.read_exact(piece)).await.unwrap().expect("it is not cut");
        left -= piece.len();
    }
}

#[tokio::test]
async fn room_is_taken_for_what_came_and_not_for_what_was_announced() {
    let server = server(Config { max_bodies_bytes: 40 * MIB, ..Config::default() }).await;
    let mut announced = Vec::new();
    for _ in 0..50 {
        announced.push(server.upload(12 * MIB, 1000).await);
    }
    assert_eq!(server.status_of_upload(MIB).await, 200);
    let _came = server.upload(30 * MIB, 28 * MIB).await;
    let refused = async {
        while server.status_of_upload(12 * MIB).await != 503 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(IN_TIME, refused).await.expect("what came counts");
}

#[tokio::test]
async fn an_overload_spends_nothing() {
    let server = server(Config { max_bodies_bytes: 40 * MIB, ..Config::default() }).await;
    let Lab { service, account, .. } = &server.lab;
    let counted = MintRequest { attempts: Some(2), ..MintRequest::default() };
    let token = service.mint_for(&By::OPERATOR, *account, counted).await.unwrap();
    let left = async || {
        let tokens = service.tokens(*account, None, 100).await.unwrap();
        tokens.iter().find(|listed| listed.id == token.id).unwrap().state.attempts_left
    };
    // While it arrives it fits; with what is made of it, it does not.
    let mut refused = server.upload_by(&header(&token.value), 20 * MIB, 20 * MIB).await;
    assert_eq!(status(&mut refused).await, 503);
    let mut answer = Vec::new();
    let _ = timeout(SOON, refused.read_to_end(&mut answer)).await;
    let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    assert!(answer.contains("retry-after: 1") && answer.contains("problem:overload"), "{answer}");
    assert!(!answer.contains("attempt"), "{answer}");
    assert_eq!(left().await, Some(2));
    let mut served = server.upload_by(&header(&token.value), MIB, MIB).await;
    assert_eq!(status(&mut served).await, 200);
    assert_eq!(left().await, Some(1));
}

#[tokio::test]
async fn who_reads_no_answer_before_all_is_sent_can_read_the_refusal() {
    let server = server(Config { max_text_bytes: MIB, ..Config::default() }).await;
    // Most clients are so. A connection that is reset under them is no answer.
    let mut too_long = server.upload(100 * MIB, 100 * MIB).await;
    assert_eq!(status(&mut too_long).await, 413);
    let mut no_body_wanted = server.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await;
    no_body_wanted.write_all(b"Content-Length: 31457280\r\n\r\n").await.unwrap();
    no_body_wanted.write_all(&vec![b'x'; 30 * MIB]).await.unwrap();
    assert_eq!(status(&mut no_body_wanted).await, 200);
    let mut unauthorized = server.upload_by("X: none", 40 * MIB, 40 * MIB).await;
    assert_eq!(status(&mut unauthorized).await, 401);
}

#[tokio::test]
async fn who_says_that_no_more_comes_gets_the_answer() {
    let server = server(Config::default()).await;
    let mut stream = server.upload(MIB, MIB).await;
    stream.shutdown().await.unwrap();
    assert_eq!(status(&mut stream).await, 200);
}

#[tokio::test]
async fn a_client_that_goes_away_stops_no_call_halfway() {
    let server = server(Config::default()).await;
    let Lab { service, account, authorization, .. } = &server.lab;
    let mint = format!("GET /api/token/new HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n\r\n");
    for _ in 0..100 {
        // The system resets the connection, for an answer that is not read.
        drop(server.send(mint.as_bytes()).await);
    }
    let all = async {
        // One is the root token.
        while service.tokens(*account, None, 1000).await.unwrap().len() < 101 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(IN_TIME, all).await.expect("each call was carried out");
}

#[tokio::test]
async fn more_connections_than_places_wait() {
    let server = server(Config { max_connections: 2, ..Config::default() }).await;
    let mut first = server.send(HEALTH).await;
    let mut second = server.send(HEALTH).await;
    assert_eq!(status(&mut first).await, 200);
    assert_eq!(status(&mut second).await, 200);
    let mut third = server.send(HEALTH).await;
    assert!(timeout(SOON, status(&mut third)).await.is_err());
    drop(first);
    assert_eq!(status(&mut third).await, 200);
}

#[tokio::test]
async fn the_end_waits_for_requests_and_not_for_silence() {
    let server = server(Config::default()).await;
    let mut idle = server.send(HEALTH).await;
    assert_eq!(status(&mut idle).await, 200);
    let mut others = Vec::new();
    for start in [b"".as_slice(), b"P", &HEALTH[..20], HTTP2] {
        others.push(server.send(start).await);
    }
    let mut upload = server.upload(2 * MIB, MIB).await;
    tokio::time::sleep(SOON).await;
    server.stop.send(()).unwrap();
    tokio::time::sleep(ENDING_TIMEOUT * 2).await;
    for stream in &mut others {
        assert!(is_closed(stream, SOON).await);
    }
    assert!(!server.ended.is_finished(), "a request is running");
    let mut rest = vec![b'x'; MIB - 2];
    rest.extend_from_slice(b"\"}");
    upload.write_all(&rest).await.unwrap();
    assert_eq!(status(&mut upload).await, 200);
    let mut answer = Vec::new();
    upload.read_to_end(&mut answer).await.unwrap();
    assert!(answer.len() > 4 * MIB - 1000 && answer.ends_with(b"\""), "all of it");
    timeout(IN_TIME, server.ended).await.expect("it ends").unwrap().unwrap();
}
