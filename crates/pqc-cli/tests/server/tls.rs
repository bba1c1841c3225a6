//! TLS: what an independent client agrees on, how the certificate is replaced, what is refused.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};

use crate::support::{Folder, Raw, Server, block_on, run, wait_until};

/// A certificate for this machine and its key, in the files that a server is told.
struct Pem {
    chain: String,
    key: String,
}

impl Pem {
    fn new() -> Self {
        let made = generate_simple_self_signed(["localhost", "127.0.0.1"].map(str::to_owned));
        let made = made.unwrap();
        Self { chain: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    fn write(&self, folder: &Folder) {
        fs::write(folder.beside("cert.pem"), &self.chain).unwrap();
        fs::write(folder.beside("key.pem"), &self.key).unwrap();
    }

    /// A client that trusts this certificate and no other.
    fn client(&self) -> reqwest::Client {
        let trusted = reqwest::Certificate::from_pem(self.chain.as_bytes()).unwrap();
        reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .tls_certs_only([trusted])
            .build()
            .unwrap()
    }

    /// What a program with another TLS library comes to; nothing where there is none.
    fn node(&self, server: &Server, request: &Value) -> Option<Value> {
        let mut asked = json!({"port": server.address.port(), "certificate": self.chain});
        let asked_for = asked.as_object_mut().unwrap();
        asked_for.extend(request.as_object().unwrap().clone());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/tls.mjs");
        let node = std::env::var("PQC_INTEROP_NODE").unwrap_or_else(|_| "node".to_owned());
        if Command::new(&node).arg("--version").output().is_err() {
            skipped("it is not installed");
            return None;
        }
        let ran = run(Command::new(&node).arg(script), asked.to_string().as_bytes());
        if ran.code == MISSING {
            skipped(&ran.stderr);
            return None;
        }
        Some(ran.json())
    }
}

fn skipped(why: &str) {
    eprintln!("\nSKIPPED: node can't run tests/interop/tls.mjs: {why}\n");
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI needs Node 26: {why}");
}

fn options(folder: &Folder) -> String {
    let file = |name: &str| folder.beside(name).display().to_string();
    format!("--log info --tls-cert {} --tls-key {}", file("cert.pem"), file("key.pem"))
}

fn started() -> (Pem, Server) {
    let (folder, pem) = (Folder::new(), Pem::new());
    pem.write(&folder);
    let server = folder.serve_with(&options(&folder));
    (pem, server)
}

async fn healthz(client: &reqwest::Client, server: &Server) -> Result<u16, reqwest::Error> {
    let answer = client.get(format!("{}/healthz", server.url())).send().await?;
    Ok(answer.status().as_u16())
}

#[test]
fn an_independent_client_agrees_on_a_hybrid_whatever_it_likes_best() {
    let (pem, server) = started();
    assert!(server.url().starts_with("https://"));
    let asked = |groups: &str, protocol: &str| {
        pem.node(&server, &json!({"groups": groups, "protocols": [protocol]}))
    };
    for (groups, agreed) in [
        ("X25519MLKEM768:X25519", "X25519MLKEM768"),
        ("X25519:X25519MLKEM768", "X25519MLKEM768"),
        ("SecP256r1MLKEM768:P-256", "SecP256r1MLKEM768"),
        ("X25519", "X25519"),
        ("P-256", "prime256v1"),
    ] {
        let Some(answer) = asked(groups, "http/1.1") else { return };
        assert_eq!(answer["agreed"]["version"], "TLSv1.3", "{groups}: {answer}");
        assert_eq!(answer["agreed"]["group"]["name"], agreed, "{groups}: {answer}");
        assert_eq!(answer["status"], 200, "{groups}: {answer}");
    }
    let answer = asked("X25519MLKEM768", "h2").unwrap();
    assert_eq!(answer["agreed"]["protocol"], "h2", "{answer}");
    let old = json!({"groups": "X25519", "protocols": ["http/1.1"], "newest": "TLSv1.2"});
    let answer = pem.node(&server, &old).unwrap();
    assert_eq!(answer["refused"], "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "{answer}");
}

#[test]
fn clients_without_a_hybrid_can_be_refused() {
    let (folder, pem) = (Folder::new(), Pem::new());
    pem.write(&folder);
    let server = folder.serve_with(&format!("{} --tls-require-pq", options(&folder)));
    let asked =
        |groups: &str| pem.node(&server, &json!({"groups": groups, "protocols": ["http/1.1"]}));
    let Some(answer) = asked("X25519") else { return };
    assert_eq!(answer["refused"], "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE", "{answer}");
    let answer = asked("X25519:X25519MLKEM768").unwrap();
    assert_eq!(answer["agreed"]["group"]["name"], "X25519MLKEM768", "{answer}");
}

#[test]
fn a_certificate_is_replaced_under_connections_that_go_on() {
    let (first, server) = started();
    let (old, second) = (first.client(), Pem::new());
    let new = second.client();
    block_on(async {
        assert_eq!(healthz(&old, &server).await.unwrap(), 200);
        assert!(healthz(&new, &server).await.is_err());
    });
    // On the signal, at once; and without one, within seconds.
    second.write(&server.folder);
    server.signal("HUP");
    let is_served = |client: &reqwest::Client| block_on(healthz(client, &server)).is_ok();
    wait_until("the new certificate", || is_served(&new));
    // The connection that was there is used again.
    assert!(is_served(&old));
    assert!(!is_served(&first.client()), "a new connection has the new certificate");
    first.write(&server.folder);
    wait_until("the first one again", || is_served(&first.client()));

    // What is of no use leaves the one in force, and is said.
    fs::write(server.folder.beside("key.pem"), &second.key).unwrap();
    server.signal("HUP");
    assert!(server.stderr.wait_for("the certificate in force stays"));
    assert!(is_served(&first.client()));
    server.stop();
}

#[test]
fn a_hangup_ends_no_server_that_has_no_certificate() {
    let server = Folder::new().serve();
    server.signal("HUP");
    server.root().generate();
    server.stop();
}

#[test]
fn what_speaks_no_tls_gets_nothing_and_holds_up_nobody() {
    let (pem, server) = started();
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let _silent: Vec<Raw> = (0..50).map(|_| server.raw()).collect();
    assert_eq!(block_on(healthz(&pem.client(), &server)).unwrap(), 200);
    // One that is in its handshake does not hold up the end.
    server.stop();
}

#[test]
fn a_certificate_that_cannot_be_used_is_refused_at_the_start() {
    let (pem, other) = (Pem::new(), Pem::new());
    for (chain, key, file, why) in [
        (Some(&*pem.chain), None, "key.pem", "No such file"),
        (None, Some(&*pem.key), "cert.pem", "No such file"),
        (Some(""), Some(&*pem.key), "cert.pem", "no certificate"),
        (Some(&*pem.chain), Some(""), "key.pem", "no private key"),
        (Some(&*pem.key), Some(&*pem.chain), "cert.pem", "no certificate"),
        (Some(&*pem.chain), Some(&*other.key), "key.pem", "cannot be used as certificate and key"),
    ] {
        let folder = Folder::new();
        for (name, text) in [("cert.pem", chain), ("key.pem", key)] {
            if let Some(text) = text {
                fs::write(folder.beside(name), text).unwrap();
            }
        }
        let refused = folder.verb(&format!("serve --listen 127.0.0.1:0 {}", options(&folder)));
        assert!(refused.stderr.contains(file), "{refused:?}");
        assert!(!folder.data_dir().exists(), "nothing is made");
        refused.refused(2, why);
    }
    Folder::new().verb("serve --listen 127.0.0.1:0 --tls-cert c").refused(2, "belong together");
    Folder::new().verb("serve --tls-require-pq").refused(2, "nothing is encrypted");
}

/// The script's exit status when what it needs is not there.
const MISSING: i32 = 77;
