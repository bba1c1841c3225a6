//! `pqc serve`: the server, from the first start to the last request.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use pqc_http::{Admin, Tls};
use serde::Serialize;
use tokio::net::{TcpListener, TcpSocket};

use crate::args::{ServeArgs, Setting};
use crate::certificate::{Followed, TlsFiles};
use crate::config::ServeConfig;
use crate::data_dir::DataDir;
use crate::exit::OutputClosed;
use crate::first_start;
use crate::logging;
use crate::master_key::MasterSource;
use crate::opened::Opened;
use crate::output::{self, Human, Output};
use crate::signals::{Hangup, Signals};
use crate::traces::Traces;

/// Serves until a signal.
///
/// The order makes each failure leave as little as it can: the lock comes before the port, so that
/// a second server is told the reason; the port before the store, so that a port in use makes none.
///
/// # Errors
/// The settings, the self-test, the folder, the port, the master key or the store.
pub(crate) async fn run(args: ServeArgs, output: Output) -> anyhow::Result<()> {
    if args.print_config {
        let settings = Settings { settings: args.settings.clone() };
        ServeConfig::new(args)?;
        return output.show(&settings);
    }
    let mut config = ServeConfig::new(args)?;
    let traces = config.otlp_endpoint.as_deref().map(Traces::start).transpose()?;
    let log = logging::start(&config.log, config.log_format, traces)?;
    let report = pqc_core::selftest::run(&mut getrandom::SysRng)?;
    let certificate = config.tls.take().map(TlsFiles::load).transpose()?;
    let admin_tls = admin_tls(&config, certificate.as_ref())?;
    config.http.max_connections = most_connections(config.http.max_connections);
    let signals = Signals::listen().context("cannot listen for signals")?;
    let hangup = Hangup::listen().context("cannot listen for signals")?;
    let postgres = config.store.postgres.as_ref();
    let (data_dir, _lock) = match postgres {
        // Any number of servers: the folder is made by the one that has something to put there.
        Some(_) => (DataDir::at(&config.store.data_dir), None),
        None => {
            let data_dir = DataDir::create(&config.store.data_dir)?;
            let lock = data_dir.lock()?;
            (data_dir, Some(lock))
        }
    };
    let listener = listen(config.listen)
        .with_context(|| format!("cannot listen on {} (--listen)", config.listen))?;
    let address = listener.local_addr().context("cannot tell the address")?;
    let admin_listener = match &config.admin {
        Some(admin) => Some(
            listen(admin.listen)
                .with_context(|| format!("cannot listen on {} (--admin-listen)", admin.listen))?,
        ),
        None => None,
    };

    let source = &config.store.master;
    let settings = config.store.settings;
    let opened = match postgres {
        Some(url) => {
            let master_key = data_dir.master_secret(source)?;
            let folder = &config.store.data_dir;
            let check = || first_start::check_folder_of_many(folder);
            Opened::open_postgres(url, master_key, settings, check).await
        }
        None => {
            let master_key = data_dir.master_secret_or_new(source)?;
            Opened::open_embedded(&data_dir, master_key, settings).await
        }
    };
    let opened = opened.map_err(|error| source.explain(error, &data_dir.own_key()))?;
    // A start that is refused says nothing else.
    tracing::info!(backend = report.backend, checks = report.checks, "self-test passed");
    let served = async {
        match postgres {
            Some(_) => {
                let folder = &config.store.data_dir;
                first_start::begin_as_one_of_many(&opened.service, folder).await?;
            }
            None => {
                first_start::begin(&opened.service, &data_dir).await?;
                opened.service.take_over_calls().await?;
            }
        }
        opened.service.note_start(env!("CARGO_PKG_VERSION")).await?;
        warn(&config, certificate.is_some(), &data_dir, address);
        let stopped = signals.stop();
        tell(output, &Listening { listening: url(address, certificate.is_some()) })?;
        if let Some(listener) = &admin_listener {
            let address = listener.local_addr().context("cannot tell the address")?;
            let admin_listening = url(address, admin_tls.is_some());
            tell(output, &AdminListening { admin_listening })?;
        }
        let admin = admin_listener.map(|listener| {
            let log = log.filter();
            Admin { listener, tls: admin_tls, log }
        });
        let service = Arc::clone(&opened.service);
        let tls = certificate.as_ref().map(Followed::tls);
        let serving = pqc_http::serve(listener, tls, admin, service, config.http.clone(), stopped);
        let following = async {
            match certificate {
                Some(certificate) => certificate.follow(hangup).await,
                None => std::future::pending().await,
            }
        };
        let (over, is_over) = tokio::sync::watch::channel(());
        let until_over = || {
            let mut is_over = is_over.clone();
            async move { drop(is_over.changed().await) }
        };
        let served = async {
            let served = tokio::select! {
                served = serving => served.context("the server ended"),
                never = following => match never {},
                never = opened.service.keep_house() => match never {},
            };
            drop(over);
            served
        };
        let audited = opened.service.keep_audit(until_over());
        let counted = opened.service.keep_usage(until_over());
        let (served, (), ()) = tokio::join!(served, audited, counted);
        served
    };
    let served = served.await;
    opened.service.note_stop().await;
    opened.close().await;
    tracing::info!("stopped");
    log.end();
    served
}

/// The TLS of operators, where they are known by their certificates.
fn admin_tls(config: &ServeConfig, certificate: Option<&Followed>) -> anyhow::Result<Option<Tls>> {
    let client_ca = config.admin.as_ref().and_then(|admin| admin.client_ca.as_ref());
    let known = client_ca.zip(certificate);
    known.map(|(issuers, certificate)| certificate.tls_for_clients_of(issuers)).transpose()
}

/// Where nobody reads it, the server serves all the same.
fn tell(output: Output, said: &(impl Human + Serialize)) -> anyhow::Result<()> {
    match output.show(said) {
        Err(error) if error.is::<OutputClosed>() => Ok(()),
        shown => shown,
    }
}

fn url(address: SocketAddr, is_encrypted: bool) -> String {
    format!("{}://{address}", if is_encrypted { "https" } else { "http" })
}

/// Listens with room for a burst: with the default of 128, clients that come together wait for the
/// system to try again, a second and more.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A port that an ended server has just left can be had at once.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(CONNECTIONS_THAT_WAIT)
}

/// No more connections than there are files for, beside those of the store and the program; asks
/// for as many as there may be. Who runs out of them accepts nobody, and says so over and over.
fn most_connections(wanted: u32) -> u32 {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut files = getrlimit(Resource::Nofile);
        let enough = u64::from(wanted).saturating_add(FILES_OF_OUR_OWN);
        if files.current.is_some_and(|current| current < enough) {
            files.current = Some(files.maximum.map_or(enough, |maximum| maximum.min(enough)));
            let _ = setrlimit(Resource::Nofile, files);
        }
        let files = getrlimit(Resource::Nofile).current.unwrap_or(enough);
        let left = files.saturating_sub(FILES_OF_OUR_OWN).max(FEWEST_CONNECTIONS);
        u32::try_from(left).map_or(wanted, |left| left.min(wanted))
    }
    #[cfg(not(unix))]
    wanted
}

fn warn(config: &ServeConfig, is_encrypted: bool, data_dir: &DataDir, address: SocketAddr) {
    // They are not for a filter to leave out.
    let say = |text: fmt::Arguments<'_>| match logging::takes_warnings(&config.log) {
        true => logging::warn(text),
        false => output::note(format_args!("warning: {text}")),
    };
    let (own, source) = (data_dir.own_key(), &config.store.master);
    let (file, option) = match source {
        MasterSource::Own => (&own, "--master-key-file"),
        MasterSource::KeyFile(file) => (file, "--master-key-file"),
        MasterSource::PassphraseFile(file) => (file, "--master-passphrase-file"),
    };
    if config.store.postgres.is_none() && data_dir.holds(file) {
        say(format_args!(
            "{} protects backups of the store, not a stolen disk: against that, move it to another \
             medium and name it with {option}",
            file.display()
        ));
    }
    if !is_encrypted && !config.http.loopback {
        say(format_args!(
            "--insecure-no-tls: {address} is not a loopback address and nothing is encrypted: \
             anyone on the way reads tokens and keys"
        ));
    }
    if config.store.settings.dangerously_trust_any_issuer {
        say(format_args!(
            "--trust-any-issuer: an attested key proves nothing, for anyone may have attested it"
        ));
    }
}

/// What the server would be told.
#[derive(Debug, Serialize)]
struct Settings {
    settings: Vec<Setting>,
}

impl Human for Settings {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for Setting { key, value, source } in &self.settings {
            match value {
                Some(value) => {
                    writeln!(out, "{key} = {}  # {source}", toml::Value::from(value.as_str()))?;
                }
                None => writeln!(out, "# {key} is not set")?,
            }
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Listening {
    listening: String,
}

impl Human for Listening {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "listening on {}", self.listening)
    }
}

#[derive(Debug, Serialize)]
struct AdminListening {
    admin_listening: String,
}

impl Human for AdminListening {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "admin listening on {}", self.admin_listening)
    }
}

/// What the store, the log, the operators and the runtime have open, and some more.
#[cfg(unix)]
const FILES_OF_OUR_OWN: u64 = 64;
#[cfg(unix)]
const FEWEST_CONNECTIONS: u64 = 16;
/// The system may let fewer wait (`net.core.somaxconn`).
const CONNECTIONS_THAT_WAIT: u32 = 1024;
