//! The soak: a release server under mixed operations, with tokens that expire and connections that
//! drop; its memory and file descriptors have to be flat at the end.
//!
//! Every few seconds the server's resident memory and open files are read from `/proc`. When the
//! time is over, the median of the last fifth of the samples is held against that of the second
//! fifth: pools are full by then, and what grows after that grows without end. Memory may be
//! [`MEMORY_SHARE`] more, and on the embedded store as much as its caches hold, which fill while it
//! grows ([`CACHES_MIB`]); files may be [`FILES_MORE`]. So a short run finds a fast leak, and an hour
//! a slow one.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::command::cargo;
use crate::http::{Connection, keyed_request, median, request};
use crate::server::{Server, field};

/// Runs for so long, on PostgreSQL or on the embedded store.
///
/// # Errors
/// A wrong answer; memory or files that are not flat.
pub(crate) fn run(minutes: u32, postgres: bool) -> anyhow::Result<()> {
    cargo("build --release")?;
    let database = if postgres { Some(Database::start()?) } else { None };
    let folder = TempDir::new()?;
    let key = folder.path().join("master.key");
    fs::write(&key, format!("{}\n", "5a".repeat(32)))?;
    make_private(&key)?;
    let mut options = vec!["--log", "warn"];
    let key = key.to_string_lossy();
    if let Some(database) = &database {
        options.extend(["--store", &*database.url, "--master-key-file", &*key]);
    }
    let mut server = Server::start("release", folder.path(), &options)?;
    let (over, counts) = (AtomicBool::new(false), Counts::default());
    let time = Duration::from_secs(u64::from(minutes) * 60);
    let failure = Mutex::new(None);
    let samples = thread::scope(|scope| {
        for number in 0..CALLERS {
            let (server, over, counts, failure) = (&server, &over, &counts, &failure);
            scope.spawn(move || {
                if let Err(error) = call_on(number, server, over, counts) {
                    over.store(true, Ordering::Relaxed);
                    *failure.lock().unwrap_or_else(|broken| broken.into_inner()) = Some(error);
                }
            });
        }
        let samples = watch(server.id(), time, &over, &counts);
        over.store(true, Ordering::Relaxed);
        samples
    })?;
    if let Some(error) = failure.into_inner().unwrap_or_else(|broken| broken.into_inner()) {
        return Err(error.context("a caller got a wrong answer"));
    }
    ensure!(server.runs()?, "the server ended");
    counts.print();
    let memory = Trend::of(samples.iter().map(|sample| sample.resident_mib).collect());
    let files = Trend::of(samples.iter().map(|sample| sample.files).collect());
    println!("memory: {:.1} MiB, then {:.1} MiB", memory.early, memory.late);
    println!("open files: {}, then {}", files.early, files.late);
    let caches = if postgres { 0.0 } else { CACHES_MIB };
    let most = memory.early * (1.0 + MEMORY_SHARE) + caches;
    ensure!(memory.late <= most, "memory is not flat: more than {most:.1} MiB");
    ensure!(files.late <= files.early + FILES_MORE, "open files are not flat");
    println!("flat");
    Ok(())
}

/// A cluster with an empty database.
struct Database {
    #[cfg(unix)]
    _cluster: crate::cluster::Cluster,
    url: String,
}

impl Database {
    #[cfg(unix)]
    fn start() -> anyhow::Result<Self> {
        let cluster = crate::cluster::Cluster::start()?.context("PostgreSQL is missing")?;
        Ok(Self { url: cluster.url("postgres"), _cluster: cluster })
    }

    #[cfg(not(unix))]
    fn start() -> anyhow::Result<Self> {
        anyhow::bail!("a cluster is started on Unix alone")
    }
}

#[cfg(unix)]
fn make_private(file: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

/// The medians of the second fifth and of the last.
struct Trend {
    early: f64,
    late: f64,
}

impl Trend {
    fn of(values: Vec<f64>) -> Self {
        let fifth = values.len() / 5;
        let of = |from: usize| {
            let mut part: Vec<_> = values.iter().skip(from).take(fifth.max(1)).copied().collect();
            median(&mut part)
        };
        Self { early: of(fifth), late: of(values.len().saturating_sub(fifth.max(1))) }
    }
}

struct Sample {
    resident_mib: f64,
    files: f64,
}

/// Samples the process until the time is over, or the callers are.
fn watch(
    process: u32,
    time: Duration,
    over: &AtomicBool,
    counts: &Counts,
) -> anyhow::Result<Vec<Sample>> {
    let (begin, mut samples) = (Instant::now(), Vec::new());
    while begin.elapsed() < time && !over.load(Ordering::Relaxed) {
        thread::sleep(BETWEEN_SAMPLES);
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.trim().strip_suffix("kB"));
        let kib: f64 = kib.context("/proc tells no memory")?.trim().parse()?;
        let files = fs::read_dir(format!("/proc/{process}/fd"))?.count() as f64;
        let sample = Sample { resident_mib: kib / 1024.0, files };
        println!(
            "{:>5} s: {:.1} MiB, {files} files, {} calls",
            begin.elapsed().as_secs(),
            sample.resident_mib,
            counts.served.load(Ordering::Relaxed)
        );
        samples.push(sample);
    }
    Ok(samples)
}

#[derive(Default)]
struct Counts {
    served: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    expired: AtomicU64,
}

impl Counts {
    fn add(&self, count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn print(&self) {
        let Self { served, refused, dropped, expired } = self;
        let [served, refused, dropped, expired] =
            [served, refused, dropped, expired].map(|count| count.load(Ordering::Relaxed));
        println!(
            "{served} calls served, {refused} refused as they should be, {dropped} connections \
             dropped, {expired} tokens left to expire"
        );
    }
}

/// Makes calls of every kind, in rounds, each on a connection of its own.
fn call_on(
    number: usize,
    server: &Server,
    over: &AtomicBool,
    counts: &Counts,
) -> anyhow::Result<()> {
    let mut round = number;
    while !over.load(Ordering::Relaxed) {
        let mut caller = Caller { connection: Connection::to(&server.address)?, server, counts };
        caller.round(round).with_context(|| format!("round {round}"))?;
        round += CALLERS;
    }
    Ok(())
}

struct Caller<'a> {
    connection: Connection,
    server: &'a Server,
    counts: &'a Counts,
}

impl Caller<'_> {
    fn round(&mut self, round: usize) -> anyhow::Result<()> {
        let token = self.mint(round)?;
        self.keys(&token)?;
        self.client_held(&token)?;
        self.texts(&token, round)?;
        // Not in every round: a token has room for 100,000 answers that are kept for a day.
        if round.is_multiple_of(8) {
            self.repeated(round)?;
        }
        for path in ["/healthz", "/readyz", "/.well-known/jwks.json", "/api/v1/token/self"] {
            self.get(path, &token)?;
        }
        let root = self.server.root_token.clone();
        self.get("/api/v1/keys?limit=5", &root)?;
        if round.is_multiple_of(64) {
            self.get("/api/v1/usage", &root)?;
        }
        for (method, path, token, json, status) in [
            ("GET", "/nowhere", &*token, None, 404),
            ("DELETE", "/healthz", &token, None, 405),
            ("GET", "/api/v1/keys", &token, None, 403),
            ("POST", "/api/signature/sign", "pqc_t_guess", Some("{}"), 401),
            ("POST", "/api/signature/sign", &token, Some("[]"), 400),
            ("POST", "/api/signature/sign", &token, Some("{}"), 422),
        ] {
            let answer = self.connection.call(method, path, token, json)?;
            ensure!(answer.status == status, "{path}: {} for {status}", answer.status);
            self.counts.add(&self.counts.refused);
        }
        self.drop_some(round)
    }

    fn get(&mut self, path: &str, token: &str) -> anyhow::Result<String> {
        self.counts.add(&self.counts.served);
        self.connection.call("GET", path, token, None)?.ok().with_context(|| path.to_owned())
    }

    fn post(&mut self, path: &str, token: &str, json: &str) -> anyhow::Result<String> {
        self.counts.add(&self.counts.served);
        self.connection.call("POST", path, token, Some(json))?.ok().with_context(|| path.to_owned())
    }

    /// A token for the round, and others that nobody uses.
    fn mint(&mut self, round: usize) -> anyhow::Result<String> {
        let root = self.server.root_token.clone();
        for _ in 0..3 {
            let seconds = 1 + round % 5;
            self.post("/api/token/new", &root, &format!("{{\"expiry_time\":{seconds}}}"))?;
            self.counts.add(&self.counts.expired);
        }
        let asked = r#"{"expire_after_attempts":40,"expiry_time":600}"#;
        Ok(field(&self.post("/api/token/new", &root, asked)?, "new_token")?.to_owned())
    }

    /// A token of one attempt, and the key pair that it makes, each asked for twice.
    fn repeated(&mut self, round: usize) -> anyhow::Result<()> {
        let root = self.server.root_token.clone();
        let asked = r#"{"expire_after_attempts":1,"expiry_time":600}"#;
        let minted = self.twice("/api/token/new", &root, asked, round)?;
        let token = field(&minted, "new_token")?.to_owned();
        let pair = self.twice("/api/kem/generate_keys", &token, "{}", round)?;
        let key = format!("/api/v1/keys/{}", field(&pair, "key_id")?);
        self.counts.add(&self.counts.served);
        self.connection.call("DELETE", &key, &root, None)?.ok()?;
        Ok(())
    }

    /// The answer to a call, which its repetition gets too.
    fn twice(
        &mut self,
        path: &str,
        token: &str,
        json: &str,
        round: usize,
    ) -> anyhow::Result<String> {
        let host = &self.server.address;
        let request = keyed_request(path, host, token, json, &format!("soak-{round}"));
        let mut call = || {
            self.counts.add(&self.counts.served);
            self.connection.ask(request.as_bytes())?.ok()
        };
        let (first, again) = (call()?, call()?);
        ensure!(first == again, "{path}: another answer to the same call");
        Ok(first)
    }

    /// Family A's keys: made, encapsulated to, opened; every so often one is destroyed.
    fn keys(&mut self, token: &str) -> anyhow::Result<()> {
        let pair = self.post("/api/kem/generate_keys", token, "{}")?;
        let pk = field(&pair, "pk")?;
        let asked = format!(
            r#"{{"pk":"{pk}","signature":"{}","verif_key":"{}"}}"#,
            field(&pair, "verification_signature")?,
            field(&pair, "verification_key")?
        );
        let sent = self.post("/api/kem/encapsulate_key", token, &asked)?;
        let asked = format!(r#"{{"cipher":"{}","pk":"{pk}"}}"#, field(&sent, "cipher")?);
        let opened = self.post("/api/kem/decapsulate_key", token, &asked)?;
        ensure!(field(&opened, "shared_key")? == field(&sent, "shared_key")?, "another shared key");
        let path = format!("/api/v1/keys/{}", field(&pair, "key_id")?);
        let root = self.server.root_token.clone();
        self.get(&path, &root)?;
        self.counts.add(&self.counts.served);
        self.connection.call("DELETE", &path, &root, None)?.ok()?;
        Ok(())
    }

    /// Family B.
    fn client_held(&mut self, token: &str) -> anyhow::Result<()> {
        let pair = self.post("/api/v1/pqc/kem/generate-keys/", token, "{}")?;
        let asked = format!(r#"{{"encapsulation_key":"{}"}}"#, field(&pair, "encapsulation_key")?);
        let sent = self.post("/api/v1/pqc/kem/encapsulate/", token, &asked)?;
        let asked = format!(
            r#"{{"decapsulation_key":"{}","ciphertext":"{}"}}"#,
            field(&pair, "decapsulation_key")?,
            field(&sent, "ciphertext")?
        );
        let opened = self.post("/api/v1/pqc/kem/decapsulate/", token, &asked)?;
        ensure!(
            field(&opened, "shared_secret")? == field(&sent, "shared_secret")?,
            "another secret"
        );
        let pair = self.post("/api/v1/pqc/sign/generate-keys/", token, "{}")?;
        let asked =
            format!(r#"{{"secret_key":"{}","message":"soak"}}"#, field(&pair, "secret_key")?);
        let signed = self.post("/api/v1/pqc/sign/sign/", token, &asked)?;
        let asked = format!(
            r#"{{"public_key":"{}","message":"soak","signature":"{}"}}"#,
            field(&pair, "public_key")?,
            field(&signed, "signature")?
        );
        let verified = self.post("/api/v1/pqc/sign/verify/", token, &asked)?;
        ensure!(verified.contains("true"), "a signature does not verify");
        Ok(())
    }

    /// Texts of very different lengths, and signatures by the account's key.
    fn texts(&mut self, token: &str, round: usize) -> anyhow::Result<()> {
        let text = "soak ".repeat(1 + [0, 10, 1000, 100_000].get(round % 4).unwrap_or(&0));
        let sealed =
            self.post("/api/aes/encrypt_text", token, &format!(r#"{{"unencrypted":"{text}"}}"#))?;
        let opened =
            self.post("/api/aes/decrypt_text", token, &format!(r#"{{"ciphertext":{sealed}}}"#))?;
        ensure!(opened.trim_matches('"') == text, "another text");
        let signed = self.post("/api/signature/sign", token, r#"{"data":"soak"}"#)?;
        let asked = format!(
            r#"{{"data":"soak","pk":"{}","signature":"{}"}}"#,
            field(&signed, "pk")?,
            field(&signed, "signature")?
        );
        ensure!(
            self.post("/api/signature/verify", token, &asked)?.contains("true"),
            "not verified"
        );
        Ok(())
    }

    /// Connections that end in the middle of a head, of a body, and of an answer.
    fn drop_some(&mut self, round: usize) -> anyhow::Result<()> {
        let Server { address, root_token, .. } = self.server;
        let text = format!(r#"{{"unencrypted":"{}"}}"#, "x".repeat(200_000));
        let call = request("POST", "/api/aes/encrypt_text", address, root_token, Some(&text));
        for end in [20 + round % 100, 1000 + round % 100_000, call.len()] {
            let mut stream = TcpStream::connect(address)?;
            // The server may refuse to take it all.
            let _ = stream.write_all(call.as_bytes().get(..end).unwrap_or_default());
            self.counts.add(&self.counts.dropped);
        }
        Ok(())
    }
}

const CALLERS: usize = 4;
const BETWEEN_SAMPLES: Duration = Duration::from_secs(2);
/// Of the early median.
const MEMORY_SHARE: f64 = 0.10;
/// 16 MiB for the writer and 2 MiB for each reader.
const CACHES_MIB: f64 = 24.0;
const FILES_MORE: f64 = 8.0;

#[test]
fn what_grows_is_not_flat() {
    let flat = Trend::of(vec![1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0]);
    assert_eq!((flat.early, flat.late), (9.0, 9.0));
    let grows = Trend::of((0..100).map(f64::from).collect());
    assert_eq!((grows.early, grows.late), (30.0, 90.0));
}
