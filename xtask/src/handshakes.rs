//! TLS handshakes a second: X25519MLKEM768 against X25519 alone.
//!
//! A release server on loopback, and clients of rustls beside it on the same machine, which share its
//! processors: the rates are those of both ends together, and their ratio says what the hybrid costs.
//! Each handshake is a full one on a connection of its own, that no session is resumed from; it counts
//! once the server has sent what only the end of the handshake lets it send. The two groups take turns.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tempfile::TempDir;

use crate::command::cargo;
use crate::server::Server;

/// Builds, serves, and prints the rates and their ratio.
///
/// # Errors
/// A handshake fails, or agrees on another group.
pub(crate) fn run() -> anyhow::Result<()> {
    cargo("build --release")?;
    let folder = TempDir::new()?;
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    fs::write(&cert, made.cert.pem())?;
    fs::write(&key, made.signing_key.serialize_pem())?;
    let (cert, key) = (cert.to_string_lossy(), key.to_string_lossy());
    let options = ["--log", "warn", "--tls-cert", &*cert, "--tls-key", &*key];
    let server = Server::start("release", folder.path(), &options)?;

    let trusted = CertificateDer::from_pem_slice(made.cert.pem().as_bytes())?;
    let hybrid = client(trusted.clone(), aws_lc_rs::kx_group::X25519MLKEM768)?;
    let classic = client(trusted, aws_lc_rs::kx_group::X25519)?;
    let mut rates = [Vec::new(), Vec::new()];
    for turn in 0..=TURNS {
        for (rates, config) in rates.iter_mut().zip([&hybrid, &classic]) {
            let rate = rate(&server.address, config)?;
            // The first turn warms up.
            if turn > 0 {
                rates.push(rate);
            }
        }
    }
    let [hybrid, classic] = rates.map(|mut rates| crate::http::median(&mut rates));
    println!("X25519MLKEM768: {hybrid:.0} handshakes/s (median of {TURNS} turns)");
    println!("X25519: {classic:.0} handshakes/s");
    println!("ratio: {:.2}", hybrid / classic);
    Ok(())
}

fn client(
    trusted: CertificateDer<'static>,
    group: &'static dyn SupportedKxGroup,
) -> anyhow::Result<Arc<ClientConfig>> {
    let provider = CryptoProvider { kx_groups: vec![group], ..aws_lc_rs::default_provider() };
    let mut roots = RootCertStore::empty();
    roots.add(trusted)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Handshakes a second of all clients together.
fn rate(address: &str, config: &Arc<ClientConfig>) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let counts = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0_u32;
                    while begin.elapsed() < TURN {
                        shake_hands(address, config)?;
                        count += 1;
                    }
                    anyhow::Ok(count)
                })
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?)
            .collect::<anyhow::Result<Vec<_>>>()
    })?;
    Ok(f64::from(counts.iter().sum::<u32>()) / begin.elapsed().as_secs_f64())
}

fn shake_hands(address: &str, config: &Arc<ClientConfig>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let mut connection =
        ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    // Its tickets: the server has read the client's last message.
    while connection.tls13_tickets_received() == 0 {
        ensure!(connection.read_tls(&mut stream)? > 0, "the server closed");
        connection.process_new_packets()?;
    }
    let agreed = connection.negotiated_key_exchange_group().context("no group")?;
    let wanted = config.crypto_provider().kx_groups.first().context("no group")?;
    ensure!(agreed.name() == wanted.name(), "agreed on {:?}", agreed.name());
    Ok(())
}

/// As many as keep both ends busy.
const CLIENTS: usize = 4;
const TURN: Duration = Duration::from_secs(3);
const TURNS: usize = 5;
