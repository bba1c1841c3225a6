//! The settings in force. [`crate::args`] has read them, each by itself; what is wrong between them
//! is refused on the way to [`StoreConfig`] and [`ServeConfig`].

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::bail;
use pqc_http::KeyExchange;
use pqc_service::{PostgresStore, Settings};

use crate::args::{
    Listen, PostgresUrl, ServeArgs, StoreArgs, StoreUrl, setting_names, unknown_setting,
};
use crate::certificate::TlsFiles;
use crate::logging::LogFormat;
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
        if let MasterSource::KeyFile(file) = &master
            && is_key(file)
        {
            bail!(
                "master_key_file was given a key: put it into a file (`pqc master-key new --out FILE` \
                 makes one) and name that file. Who saw this key can open the store that it seals"
            );
        }
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
        store.settings.key_cache_bytes = args.key_cache;
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
        let dashboard = !args.no_dashboard;
        let http = pqc_http::Config { dashboard, ..args.limits.config(loopback)? };
        let (log_format, log) = (args.log_format, args.log);
        let otlp_endpoint = args.otlp_endpoint;
        Ok(Self { store, listen, tls, admin, http, log_format, log, otlp_endpoint })
    }
}

/// Whether it is a master key where the name of its file belongs.
fn is_key(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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

/// Refuses variables of the environment that begin as settings do and are none: misspelt, they would
/// be passed over.
///
/// # Errors
/// The first of them.
pub(crate) fn check_variables(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> anyhow::Result<()> {
    let known = setting_names();
    for (name, value) in all {
        let Some(name) = name.to_str() else { continue };
        let Some(key) = name.strip_prefix("PQC_").map(str::to_lowercase) else { continue };
        if OTHERS.contains(&key.as_str()) || known.contains(&key) {
            continue;
        }
        if !is_service_link(name, &value) {
            bail!("{name} in the environment: {}", unknown_setting(&key, &known));
        }
    }
    Ok(())
}

/// Variables that are no settings: the one that names their file, and those of `pqc remote`.
const OTHERS: [&str; 3] = ["config", "server", "token_file"];

/// Whether Kubernetes made it for a service whose name begins with `pqc`.
fn is_service_link(name: &str, value: &OsStr) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.contains("_PORT_")
        || (name.ends_with("_PORT") && value.to_string_lossy().contains("://"))
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
    fn a_misspelt_variable_is_refused_and_those_of_kubernetes_are_not() {
        let check = |name: &str, value: &str| {
            let all = [("PATH", "/bin"), ("PQC_MAX_TEXT", "1"), ("PQC_CONFIG", "f"), (name, value)];
            let checked = check_variables(all.map(|(n, v)| (n.into(), v.into())).into_iter());
            checked.map_err(|refusal| refusal.to_string())
        };
        let refused = check("PQC_MASTER_KEYFILE", "k").unwrap_err();
        assert!(refused.contains("PQC_MASTER_KEYFILE"), "{refused}");
        assert!(refused.ends_with("did you mean \"master_key_file\"?"), "{refused}");
        assert!(check("PQC_PORT", "8080").is_err());
        for (name, value) in [
            ("PQCX", ""),
            ("PQC_SERVER", "https://pqc.example"),
            ("PQC_TOKEN_FILE", "token"),
            ("PQC_PORT", "tcp://10.0.0.1:8443"),
            ("PQC_PORT_8443_TCP_ADDR", "10.0.0.1"),
            ("PQC_SERVICE_HOST", "10.0.0.1"),
            ("PQC_SERVICE_PORT_HTTPS", "8443"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
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
            "--key-cache -1",
            "--key-cache 68719476737",
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
            "--key-cache 0",
            "--key-cache 68719476736",
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
