//! The settings in force. [`crate::args`] has read them, each by itself; what is wrong between them
//! is refused on the way to [`StoreConfig`] and [`ServeConfig`].

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;
use pqc_http::KeyExchange;
use pqc_service::{PostgresStore, Settings};

use crate::args::{Listen, PostgresUrl, ServeArgs, StoreArgs, StoreUrl, setting_names};
use crate::certificate::TlsFiles;
use crate::logging::{self, LogFormat};
use crate::master_key::MasterSource;

/// What the verbs that work on a store need to know.
#[derive(Debug)]
pub(crate) struct StoreConfig {
    /// The data folder.
    pub(crate) data_dir: PathBuf,
    /// The database, unless the store is the embedded one in the folder.
    pub(crate) postgres: Option<PostgresUrl>,
    /// Where the master key is.
    pub(crate) master: MasterSource,
    /// What the service is told.
    pub(crate) settings: Settings,
}

/// What a server needs to know.
#[derive(Debug)]
pub(crate) struct ServeConfig {
    /// The store.
    pub(crate) store: StoreConfig,
    /// The address.
    pub(crate) listen: SocketAddr,
    /// Where its certificate is; `None`: nothing is encrypted.
    pub(crate) tls: Option<TlsFiles>,
    /// Where operators are listened to.
    pub(crate) admin: Option<AdminConfig>,
    /// The limits.
    pub(crate) http: pqc_http::Config,
    /// The form of the log.
    pub(crate) log_format: LogFormat,
    /// What is logged.
    pub(crate) log: String,
    /// Where traces go; `None`: nowhere.
    pub(crate) otlp_endpoint: Option<String>,
}

/// Where operators are listened to, and by what they are known.
#[derive(Debug, Clone)]
pub(crate) struct AdminConfig {
    /// The address.
    pub(crate) listen: SocketAddr,
    /// The issuers of their certificates; `None`: on loopback alone, without TLS.
    pub(crate) client_ca: Option<PathBuf>,
}

impl StoreConfig {
    /// Checks what was given.
    ///
    /// # Errors
    /// What is wrong, by the name of its setting.
    pub(crate) fn new(args: StoreArgs) -> anyhow::Result<Self> {
        for name in unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
            logging::warn(format_args!("the environment variable {name} is no setting"));
        }
        let StoreArgs { data_dir, store, config: _, master_key_file, master_passphrase_file } =
            args;
        let master = match (master_key_file, master_passphrase_file) {
            (None, None) => MasterSource::Own,
            (Some(file), None) => MasterSource::KeyFile(file),
            (None, Some(file)) => MasterSource::PassphraseFile(file),
            (Some(_), Some(_)) => bail!(
                "master_key_file and master_passphrase_file are both given, and a store has one \
                 master key: leave one of them out"
            ),
        };
        let postgres = match store {
            StoreUrl::Embedded => None,
            StoreUrl::Postgres(url) => {
                PostgresStore::check_url(url.expose())?;
                if master == MasterSource::Own {
                    bail!(
                        "a store on PostgreSQL needs --master-key-file or \
                         --master-passphrase-file: one key for all its servers (`pqc master-key \
                         new --out FILE` makes one)"
                    );
                }
                Some(url)
            }
            StoreUrl::Other { scheme } => {
                let kind =
                    if scheme.is_empty() { "such a".to_owned() } else { format!("a {scheme}:") };
                bail!(
                    "store cannot have {kind} URL: leave it out (or say sqlite:) for the embedded \
                     one, or say postgres://USER@HOST/DATABASE"
                )
            }
        };
        Ok(Self { data_dir, postgres, master, settings: Settings::default() })
    }
}

impl ServeConfig {
    /// Checks what was given.
    ///
    /// # Errors
    /// What is wrong, by the name of its setting.
    pub(crate) fn new(args: ServeArgs) -> anyhow::Result<Self> {
        let tls = tls(&args)?;
        let admin = admin(&args, tls.is_some())?;
        let mut store = StoreConfig::new(args.store)?;
        args.policy.apply(&mut store.settings);
        args.key_policy.apply(&mut store.settings);
        store.settings.max_kept_answers = args.max_kept_answers;
        args.audit.apply(&mut store.settings);
        store.settings.dangerously_trust_any_issuer = args.trust_any_issuer;
        let Listen(listen) = args.listen;
        let loopback = listen.ip().to_canonical().is_loopback();
        if !loopback && tls.is_none() && !args.insecure_no_tls {
            bail!(
                "{listen} is not a loopback address: give --tls-cert and --tls-key, listen on \
                 loopback behind a proxy that ends TLS, or accept with --insecure-no-tls that \
                 nothing is encrypted"
            );
        }
        let http = args.limits.config(loopback)?;
        let (log_format, log) = (args.log_format, args.log);
        let otlp_endpoint = args.otlp_endpoint;
        Ok(Self { store, listen, tls, admin, http, log_format, log, otlp_endpoint })
    }
}

fn tls(args: &ServeArgs) -> anyhow::Result<Option<TlsFiles>> {
    let exchange = match args.tls_require_pq {
        true => KeyExchange::RequirePostQuantum,
        false => KeyExchange::PreferPostQuantum,
    };
    match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => {
            Ok(Some(TlsFiles { cert: cert.clone(), key: key.clone(), exchange }))
        }
        (None, None) if exchange == KeyExchange::RequirePostQuantum => {
            bail!("tls_require_pq is given without tls_cert and tls_key, and nothing is encrypted")
        }
        (None, None) => Ok(None),
        _ => bail!("tls_cert and tls_key belong together: give both of them, or neither"),
    }
}

fn admin(args: &ServeArgs, has_tls: bool) -> anyhow::Result<Option<AdminConfig>> {
    let client_ca = args.admin_client_ca.clone();
    let Some(Listen(listen)) = args.admin_listen else {
        if client_ca.is_some() {
            bail!("admin_client_ca is given without admin_listen, and nobody is listened to");
        }
        return Ok(None);
    };
    if client_ca.is_some() && !has_tls {
        bail!("admin_client_ca needs tls_cert and tls_key: without TLS nobody is known");
    }
    if client_ca.is_none() && !listen.ip().to_canonical().is_loopback() {
        bail!(
            "{listen} (admin_listen) is not a loopback address, and no token is asked for there: \
             listen on loopback, or give --admin-client-ca with --tls-cert and --tls-key"
        );
    }
    Ok(Some(AdminConfig { listen, client_ca }))
}

/// Those that begin as settings do and are none: misspelt, they would be passed over.
fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let known = setting_names();
    let is_unknown = |name: &String| {
        let key = name.strip_prefix("PQC_").map(str::to_lowercase);
        key.is_some_and(|key| key != "config" && !known.contains(&key))
    };
    names.filter_map(|name| name.into_string().ok()).filter(is_unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse};

    fn typed(line: &str) -> anyhow::Result<ServeConfig> {
        let words = format!("pqc serve {line}");
        let args = parse(words.split_whitespace().map(OsString::from));
        match args.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?.command {
            Command::Serve(args) => ServeConfig::new(*args),
            other => panic!("not serve: {other:?}"),
        }
    }

    #[test]
    fn a_misspelt_variable_is_found() {
        let names = ["PQC_MAX_TEXT", "PQC_CONFIG", "PATH", "PQC_MASTER_KEYFILE", "PQCX"];
        let unknown = unknown_variables(names.into_iter().map(OsString::from));
        assert_eq!(unknown, ["PQC_MASTER_KEYFILE"]);
    }

    #[test]
    fn what_is_not_given_is_as_the_libraries_have_it() {
        let config = typed("").unwrap();
        let (settings, http) = (Settings::default(), pqc_http::Config::default());
        assert_eq!(format!("{:?}", config.store.settings), format!("{settings:?}"));
        assert_eq!(format!("{:?}", config.http), format!("{http:?}"));
    }

    #[test]
    fn values_out_of_their_range_are_refused() {
        for line in [
            "--max-text 0",
            "--max-text 67108865",
            "--max-token-lifetime 0",
            "--max-live-tokens 0",
            "--max-kept-answers 0",
            "--max-keys 0",
            "--max-keys 1000000000001",
            "--max-token-lifetime 31622401",
            "--store mysql://host/db",
            "--store postgres://host/db",
            "--master-key-file k --master-passphrase-file p",
            "--store postgres://host --master-key-file k",
            "--listen 0.0.0.0:0",
            "--listen [::]:0",
            "--tls-cert c",
            "--tls-key k",
            "--tls-require-pq",
            "--admin-listen 0.0.0.0:0",
            "--admin-listen 0.0.0.0:0 --insecure-no-tls",
            "--admin-listen 0.0.0.0:0 --tls-cert c --tls-key k",
            "--admin-listen 0.0.0.0:0 --admin-client-ca a",
            "--admin-listen 127.0.0.1:0 --admin-client-ca a",
            "--admin-client-ca a --tls-cert c --tls-key k",
        ] {
            assert!(typed(line).is_err(), "{line}");
        }
        for line in [
            "--max-text 67108864",
            "--max-token-lifetime 31622400",
            "--max-live-tokens 1",
            "--max-kept-answers 1",
            "--max-keys 1000000000000",
            "--store sqlite:",
            "--store postgres://host/db --master-key-file k",
            "--store postgres://host/db --master-passphrase-file p",
            "--master-passphrase-file p",
            "--listen 0.0.0.0:0 --insecure-no-tls",
            "--listen 0.0.0.0:0 --tls-cert c --tls-key k",
            "--tls-cert c --tls-key k --tls-require-pq",
            "--listen [::ffff:127.0.0.1]:0",
            "--admin-listen 127.0.0.1:0",
            "--admin-listen [::ffff:127.0.0.1]:0",
            "--admin-listen 0.0.0.0:0 --admin-client-ca a --tls-cert c --tls-key k",
            "--admin-listen 127.0.0.1:0 --admin-client-ca a --tls-cert c --tls-key k",
        ] {
            assert!(typed(line).is_ok(), "{line}");
        }
    }
}
