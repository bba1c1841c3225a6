//! What slow clients do to the others: the median of normal calls while 2,000 clients send their
//! headers slowly, send their bodies slowly, or never read, against its calm value.
//!
//! One release server on loopback with its default limits. Four normal callers measure
//! `encapsulate_key` on connections of their own; a thread keeps the slow ones going, and connects
//! anew for each that the server cuts.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tempfile::TempDir;

use crate::command::cargo;
use crate::http::{Connection, median, request};
use crate::server::Server;

/// Builds, serves, and prints the median of normal calls in each phase.
///
/// # Errors
/// A normal call is not answered 200, or its median is more than twice the calm one.
pub(crate) fn run(count: usize) -> anyhow::Result<()> {
    cargo("build --release")?;
    let folder = TempDir::new()?;
    let server = Server::start("release", folder.path(), &["--log", "warn"])?;
    let body = server.encapsulation_request()?;
    let path = "/api/kem/encapsulate_key";
    let call = request("POST", path, &server.address, &server.root_token, Some(&body));
    let measured = |name: &str| -> anyhow::Result<f64> {
        let (median, calls) = measure(&server.address, &call)?;
        println!("{name}: median {median:.3} ms of {calls} calls");
        Ok(median)
    };
    measured("warming up")?;
    let calm = measured("calm")?;
    let mut worst: f64 = 1.0;
    for kind in [Kind::Header, Kind::Body, Kind::NeverReading, Kind::All] {
        let (over, there, cut) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let median = thread::scope(|scope| {
            scope.spawn(|| {
                let slow = Slow { server: &server, kind, there: &there, cut: &cut };
                slow.keep_going(count, &over);
            });
            let begin = Instant::now();
            while there.load(Ordering::Relaxed) < count && begin.elapsed() < SETTLE_LIMIT {
                thread::sleep(Duration::from_millis(100));
            }
            thread::sleep(SETTLE);
            let median = measured(kind.name());
            over.store(true, Ordering::Relaxed);
            median
        })?;
        let (there, cut) = (there.into_inner(), cut.into_inner());
        ensure!(there >= count, "only {there} slow clients could connect (ulimit -n?)");
        println!("  {} times calm; {count} slow clients, {cut} cut meanwhile", ratio(median, calm));
        worst = worst.max(median / calm);
    }
    let again = measured("calm again")?;
    println!("  {} times calm", ratio(again, calm));
    ensure!(worst <= MOST, "{worst:.2} times the calm median is more than {MOST}");
    Ok(())
}

fn ratio(median: f64, calm: f64) -> String {
    format!("{:.2}", median / calm)
}

/// The median in milliseconds, and how many calls there were.
fn measure(address: &str, call: &str) -> anyhow::Result<(f64, usize)> {
    let callers = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                scope.spawn(|| {
                    let mut connection = Connection::to(address)?;
                    let (begin, mut times) = (Instant::now(), Vec::new());
                    while begin.elapsed() < PHASE {
                        let asked = Instant::now();
                        connection.ask(call.as_bytes())?.ok()?;
                        times.push(asked.elapsed().as_secs_f64() * 1000.0);
                        thread::sleep(PAUSE);
                    }
                    anyhow::Ok(times)
                })
            })
            .collect();
        let join = |caller: thread::ScopedJoinHandle<'_, _>| match caller.join() {
            Ok(times) => times,
            Err(_) => Err(anyhow::anyhow!("a caller panicked")),
        };
        callers.into_iter().map(join).collect::<anyhow::Result<Vec<Vec<f64>>>>()
    })?;
    let mut times = callers.concat();
    Ok((median(&mut times), times.len()))
}

/// How a client is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A byte of its headers each second.
    Header,
    /// A byte of its body each second.
    Body,
    /// It asks a hundred times, or opens no window (HTTP/2), and reads nothing.
    NeverReading,
    /// A third of each.
    All,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Header => "slow headers",
            Self::Body => "slow bodies",
            Self::NeverReading => "never reading",
            Self::All => "a third of each",
        }
    }
}

/// The slow clients of one phase.
struct Slow<'a> {
    server: &'a Server,
    kind: Kind,
    there: &'a AtomicUsize,
    cut: &'a AtomicUsize,
}

impl Slow<'_> {
    fn keep_going(&self, count: usize, over: &AtomicBool) {
        let mut clients: Vec<Option<TcpStream>> = (0..count).map(|_| None).collect();
        // A hundredth of them after the other, so that each has its turn once a second.
        let mut turns = 0;
        while !over.load(Ordering::Relaxed) {
            for number in (turns % 100..count).step_by(100) {
                let Some(client) = clients.get_mut(number) else { continue };
                if client.as_mut().is_some_and(|stream| self.goes_on(number, stream)) {
                    continue;
                }
                if client.take().is_some() {
                    self.cut.fetch_add(1, Ordering::Relaxed);
                    self.there.fetch_sub(1, Ordering::Relaxed);
                }
                *client = self.connect(number);
                if client.is_some() {
                    self.there.fetch_add(1, Ordering::Relaxed);
                }
            }
            turns += 1;
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn kind_of(&self, number: usize) -> Kind {
        match (self.kind, number % 3) {
            (Kind::All, 0) => Kind::Header,
            (Kind::All, 1) => Kind::Body,
            (Kind::All, _) => Kind::NeverReading,
            (kind, _) => kind,
        }
    }

    fn connect(&self, number: usize) -> Option<TcpStream> {
        let Server { address, root_token, .. } = self.server;
        let mut stream = TcpStream::connect(address).ok()?;
        let start = match self.kind_of(number) {
            Kind::Header => format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nX-Slow: "),
            Kind::Body => format!(
                "POST /api/aes/encrypt_text HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer \
                 {root_token}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{"
            ),
            _ if number.is_multiple_of(2) => {
                format!("GET /.well-known/jwks.json HTTP/1.1\r\nHost: {address}\r\n\r\n")
                    .repeat(100)
            }
            _ => {
                stream.write_all(&no_window(address)).ok()?;
                String::new()
            }
        };
        stream.write_all(start.as_bytes()).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    }

    /// A byte more, unless it was cut.
    fn goes_on(&self, number: usize, stream: &mut TcpStream) -> bool {
        let would_block = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
        let mut buffer = [0; 1024];
        if self.kind_of(number) == Kind::NeverReading {
            // It is gone if nothing is there to be read for ever.
            return match stream.peek(&mut buffer[..1]) {
                Ok(0) => false,
                Ok(_) => stream.take_error().is_ok_and(|error| error.is_none()),
                Err(error) => would_block(error),
            };
        }
        let is_open = match stream.read(&mut buffer) {
            // Whatever it is told, it is over.
            Ok(_) => false,
            Err(error) => would_block(error),
        };
        is_open && stream.write_all(b"x").is_ok()
    }
}

/// A request in HTTP/2 whose answer has no window to be sent in.
fn no_window(address: &str) -> Vec<u8> {
    let mut fields = vec![0x82, 0x86, 0x44, 22];
    fields.extend_from_slice(b"/.well-known/jwks.json");
    fields.extend([0x41, u8::try_from(address.len()).unwrap_or_default()]);
    fields.extend_from_slice(address.as_bytes());
    let length = u8::try_from(fields.len()).unwrap_or_default();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    bytes.extend([0, 0, length, 1, 5, 0, 0, 0, 1]);
    bytes.extend(fields);
    bytes
}

const CALLERS: usize = 4;
/// Between two calls of a caller: the machine shall not be full of them.
const PAUSE: Duration = Duration::from_millis(5);
const PHASE: Duration = Duration::from_secs(20);
/// For the slow ones to come, and then for the server to have done what they ask.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(3);
/// What the others may feel of it at most.
const MOST: f64 = 2.0;
