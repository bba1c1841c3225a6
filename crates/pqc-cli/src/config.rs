//! The settings in force: command line over environment over TOML file, then the defaults.
//!
//! clap merges the first two; [`Raw`] is one of the two layers that are left, and everything that
//! can be wrong is refused on the way to [`StoreConfig`] and [`ServeConfig`].

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pqc_http::KeyExchange;
use pqc_service::{PostgresStore, Settings};

use crate::args::{
    Grace, KeyPolicyArgs, Listen, PolicyArgs, PostgresUrl, ServeArgs, StoreArgs, StoreUrl,
};
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
    /// The limits.
    pub(crate) http: pqc_http::Config,
    /// The form of the log.
    pub(crate) log_format: LogFormat,
    /// What is logged.
    pub(crate) log: String,
}

impl StoreConfig {
    /// Merges and checks.
    ///
    /// # Errors
    /// What is wrong, by the name of its setting.
    pub(crate) fn load(args: StoreArgs, policy: PolicyArgs) -> anyhow::Result<Self> {
        let args = ServeArgs { store: args, policy, ..ServeArgs::default() };
        Raw::merged(args)?.store()
    }

    /// As [`Self::load`], for the verbs on keys.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn load_for_keys(args: StoreArgs, policy: KeyPolicyArgs) -> anyhow::Result<Self> {
        Raw::merged(ServeArgs { store: args, key_policy: policy, ..ServeArgs::default() })?.store()
    }
}

impl ServeConfig {
    /// Merges and checks.
    ///
    /// # Errors
    /// What is wrong, by the name of its setting.
    pub(crate) fn load(args: ServeArgs) -> anyhow::Result<Self> {
        let raw = Raw::merged(args)?;
        let store = raw.store()?;
        let listen = raw.listen.map_or(DEFAULT_LISTEN, |Listen(address)| address);
        let loopback = listen.ip().to_canonical().is_loopback();
        let tls = raw.tls()?;
        if !loopback && tls.is_none() && raw.insecure_no_tls != Some(true) {
            bail!(
                "{listen} is not a loopback address: give --tls-cert and --tls-key, listen on \
                 loopback behind a proxy that ends TLS, or accept with --insecure-no-tls that \
                 nothing is encrypted"
            );
        }
        let mut http = pqc_http::Config { loopback, ..pqc_http::Config::default() };
        if let Some(bytes) = raw.max_text {
            http.max_text_bytes = usize::try_from(in_range("max_text", bytes, MAX_MAX_TEXT)?)?;
        }
        let log = raw.log.unwrap_or_else(|| DEFAULT_LOG.to_owned());
        Ok(Self { store, listen, tls, http, log_format: raw.log_format.unwrap_or_default(), log })
    }
}

/// The settings of one layer, as they were given.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    data_dir: Option<PathBuf>,
    store: Option<StoreUrl>,
    master_key_file: Option<PathBuf>,
    master_passphrase_file: Option<PathBuf>,
    listen: Option<Listen>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    tls_require_pq: Option<bool>,
    insecure_no_tls: Option<bool>,
    trust_any_issuer: Option<bool>,
    max_token_lifetime: Option<u64>,
    key_destruction_grace: Option<Grace>,
    max_live_tokens: Option<u64>,
    max_keys: Option<u64>,
    max_text: Option<u64>,
    log_format: Option<LogFormat>,
    log: Option<String>,
}

impl Raw {
    fn merged(args: ServeArgs) -> anyhow::Result<Self> {
        for name in unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
            logging::warn(format_args!("the environment variable {name} is no setting"));
        }
        let file = match &args.store.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        let ServeArgs {
            listen,
            tls_cert,
            tls_key,
            tls_require_pq,
            insecure_no_tls,
            trust_any_issuer,
            policy: PolicyArgs { max_token_lifetime, max_live_tokens },
            key_policy: KeyPolicyArgs { key_destruction_grace, max_keys },
            max_text,
            log_format,
            log,
            store: StoreArgs { data_dir, store, config: _, master_key_file, master_passphrase_file },
        } = args;
        Ok(Self {
            data_dir: data_dir.or(file.data_dir),
            store: store.or(file.store),
            master_key_file: master_key_file.or(file.master_key_file),
            master_passphrase_file: master_passphrase_file.or(file.master_passphrase_file),
            listen: listen.or(file.listen),
            tls_cert: tls_cert.or(file.tls_cert),
            tls_key: tls_key.or(file.tls_key),
            tls_require_pq: tls_require_pq.or(file.tls_require_pq),
            insecure_no_tls: insecure_no_tls.or(file.insecure_no_tls),
            trust_any_issuer: trust_any_issuer.or(file.trust_any_issuer),
            max_token_lifetime: max_token_lifetime.or(file.max_token_lifetime),
            key_destruction_grace: key_destruction_grace.or(file.key_destruction_grace),
            max_live_tokens: max_live_tokens.or(file.max_live_tokens),
            max_keys: max_keys.or(file.max_keys),
            max_text: max_text.or(file.max_text),
            log_format: log_format.or(file.log_format),
            log: log.or(file.log),
        })
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings {}", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            anyhow::anyhow!("line {}: {}", before.matches('\n').count() + 1, error.message())
        })?;
        let wrong =
            |key: &str, error: toml::de::Error| anyhow::anyhow!("{key}: {}", error.message());
        for (key, value) in &table {
            if !KEYS.contains(&key.as_str()) {
                bail!("{}", unknown_key(key));
            }
            // One by one, for the parser does not say which value is wrong.
            let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
            alone.try_into::<Self>().map_err(|error| wrong(key, error))?;
        }
        table.try_into().map_err(|error| wrong("settings", error))
    }

    fn tls(&self) -> anyhow::Result<Option<TlsFiles>> {
        let exchange = match self.tls_require_pq {
            Some(true) => KeyExchange::RequirePostQuantum,
            _ => KeyExchange::PreferPostQuantum,
        };
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                Ok(Some(TlsFiles { cert: cert.clone(), key: key.clone(), exchange }))
            }
            (None, None) if exchange == KeyExchange::RequirePostQuantum => {
                bail!(
                    "tls_require_pq is given without tls_cert and tls_key, and nothing is encrypted"
                )
            }
            (None, None) => Ok(None),
            _ => bail!("tls_cert and tls_key belong together: give both of them, or neither"),
        }
    }

    fn store(&self) -> anyhow::Result<StoreConfig> {
        for (name, path) in [
            ("data_dir", &self.data_dir),
            ("master_key_file", &self.master_key_file),
            ("master_passphrase_file", &self.master_passphrase_file),
        ] {
            if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
                bail!("{name} is empty: name a file or a folder, or leave it out");
            }
        }
        let master = match (&self.master_key_file, &self.master_passphrase_file) {
            (None, None) => MasterSource::Own,
            (Some(file), None) => MasterSource::KeyFile(file.clone()),
            (None, Some(file)) => MasterSource::PassphraseFile(file.clone()),
            (Some(_), Some(_)) => bail!(
                "master_key_file and master_passphrase_file are both given, and a store has one \
                 master key: leave one of them out"
            ),
        };
        let postgres = match &self.store {
            None | Some(StoreUrl::Embedded) => None,
            Some(StoreUrl::Postgres(url)) => {
                PostgresStore::check_url(url.expose())?;
                if master == MasterSource::Own {
                    bail!(
                        "a store on PostgreSQL needs --master-key-file or \
                         --master-passphrase-file: one key for all its servers (`pqc master-key \
                         new --out FILE` makes one)"
                    );
                }
                Some(url.clone())
            }
            Some(StoreUrl::Other { scheme }) => {
                let kind =
                    if scheme.is_empty() { "such a".to_owned() } else { format!("a {scheme}:") };
                bail!(
                    "store cannot have {kind} URL: leave it out (or say sqlite:) for the embedded \
                     one, or say postgres://USER@HOST/DATABASE"
                )
            }
        };
        let mut settings = Settings::default();
        if let Some(seconds) = self.max_token_lifetime {
            let longest = in_range("max_token_lifetime", seconds, MAX_LIFETIME)?;
            settings.mint.max_lifetime_seconds = longest;
        }
        if let Some(count) = self.max_live_tokens {
            settings.max_live_tokens = in_range("max_live_tokens", count, MAX_QUOTA)?;
        }
        if let Some(count) = self.max_keys {
            settings.max_keys = in_range("max_keys", count, MAX_QUOTA)?;
        }
        if let Some(Grace(time)) = self.key_destruction_grace {
            settings.key_grace = time;
        }
        settings.dangerously_trust_any_issuer = self.trust_any_issuer.unwrap_or(false);
        Ok(StoreConfig {
            data_dir: self.data_dir.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)),
            postgres,
            master,
            settings,
        })
    }
}

/// Those that begin as settings do and are none: misspelt, they would be passed over.
fn unknown_variables(names: impl Iterator<Item = OsString>) -> Vec<String> {
    let is_unknown = |name: &String| {
        let key = name.strip_prefix("PQC_").map(str::to_lowercase);
        key.is_some_and(|key| key != "config" && !KEYS.contains(&key.as_str()))
    };
    names.filter_map(|name| name.into_string().ok()).filter(is_unknown).collect()
}

fn unknown_key(key: &str) -> String {
    let near = |known: &&str| strsim::jaro_winkler(key, known);
    let nearest = KEYS.into_iter().max_by(|a, b| near(a).total_cmp(&near(b)));
    match nearest.filter(|known| near(known) > 0.8) {
        Some(known) => format!("there is no setting {key:?}; did you mean {known:?}?"),
        None => format!("there is no setting {key:?}; there are {}", KEYS.join(", ")),
    }
}

fn in_range(setting: &str, value: u64, max: u64) -> anyhow::Result<u64> {
    if (1..=max).contains(&value) {
        return Ok(value);
    }
    bail!("{setting} must be from 1 to {max}")
}

/// The keys of the TOML file.
const KEYS: [&str; 17] = [
    "data_dir",
    "store",
    "master_key_file",
    "master_passphrase_file",
    "listen",
    "tls_cert",
    "tls_key",
    "tls_require_pq",
    "insecure_no_tls",
    "trust_any_issuer",
    "max_token_lifetime",
    "key_destruction_grace",
    "max_live_tokens",
    "max_keys",
    "max_text",
    "log_format",
    "log",
];
const DEFAULT_DATA_DIR: &str = "./pqc-data";
const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8000);
const DEFAULT_LOG: &str = "info";
/// A year: who needs longer needs an account.
const MAX_LIFETIME: u64 = 366 * 86_400;
/// More than a store can hold.
const MAX_QUOTA: u64 = 1_000_000_000_000;
/// The longest that can be decrypted under the ceiling on all bodies, which a call then has nearly
/// to itself: twice its length comes in, and as much again is made of that.
const MAX_MAX_TEXT: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn typed(line: &str) -> ServeArgs {
        let words = format!("pqc serve {line}");
        match crate::args::Args::try_parse_from(words.split_whitespace()).unwrap().command {
            crate::args::Command::Serve(args) => *args,
            other => panic!("not serve: {other:?}"),
        }
    }
    use clap::Parser;

    #[test]
    fn every_option_of_serve_is_a_key_and_an_environment_variable() {
        let command = crate::args::Args::command();
        let serve = command.find_subcommand("serve").unwrap();
        let mut options: Vec<String> = serve
            .get_arguments()
            .map(|arg| arg.get_id().to_string())
            .filter(|id| !["help", "config", "json"].contains(&id.as_str()))
            .collect();
        for option in &options {
            let arg = serve.get_arguments().find(|arg| arg.get_id() == option).unwrap();
            let name = format!("PQC_{}", option.to_uppercase());
            assert_eq!(arg.get_env().unwrap(), name.as_str());
            assert_eq!(arg.get_long().unwrap(), option.replace('_', "-"));
        }
        options.sort();
        let mut keys = KEYS.map(str::to_owned).to_vec();
        keys.sort();
        assert_eq!(options, keys);
    }

    #[test]
    fn the_documentation_has_every_key_and_no_other() {
        let text = include_str!("../../../docs/operations.md");
        let (_, table) =
            text.split_once("| key | default | what it is |\n|---|---|---|\n").unwrap();
        let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
        let named: Vec<_> = rows.map(|row| row.split('`').next().unwrap()).collect();
        let sorted = |mut keys: Vec<&str>| {
            keys.sort_unstable();
            keys.join(" ")
        };
        assert_eq!(sorted(named), sorted(KEYS.to_vec()));
    }

    #[test]
    fn every_key_is_read() {
        let raw = Raw::parse(
            "data_dir = 'd'\nstore = 'sqlite:'\nmaster_key_file = 'k'\n\
             master_passphrase_file = 'p'\nlisten = '[::1]:0'\n\
             tls_cert = 'c'\ntls_key = 'k'\ntls_require_pq = true\ninsecure_no_tls = true\ntrust_any_issuer = true\nmax_token_lifetime = 5\n\
             key_destruction_grace = '5h'\nmax_live_tokens = 7\nmax_keys = 8\nmax_text = 6\n\
             log_format = 'json'\nlog = 'warn'\n",
        );
        let Raw {
            data_dir: Some(_),
            store: Some(StoreUrl::Embedded),
            master_key_file: Some(_),
            master_passphrase_file: Some(_),
            listen: Some(_),
            tls_cert: Some(_),
            tls_key: Some(_),
            tls_require_pq: Some(true),
            insecure_no_tls: Some(true),
            trust_any_issuer: Some(true),
            max_token_lifetime: Some(5),
            key_destruction_grace: Some(_),
            max_live_tokens: Some(7),
            max_keys: Some(8),
            max_text: Some(6),
            log_format: Some(LogFormat::Json),
            log: Some(_),
        } = raw.unwrap()
        else {
            panic!("a key was not read")
        };
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pqc.toml");
        std::fs::write(&path, "listen = '127.0.0.1:1'\nmax_text = 7\ntrust_any_issuer = true")
            .unwrap();
        let load = |line: &str| {
            ServeConfig::load(typed(&format!("--config {} {line}", path.display()))).unwrap()
        };
        let from_file = load("");
        assert_eq!(from_file.listen.port(), 1);
        assert_eq!(from_file.http.max_text_bytes, 7);
        assert!(from_file.store.settings.dangerously_trust_any_issuer);
        let typed = load("--listen 127.0.0.1:2 --trust-any-issuer=false");
        assert_eq!(typed.listen.port(), 2);
        assert_eq!(typed.http.max_text_bytes, 7);
        assert!(!typed.store.settings.dangerously_trust_any_issuer);
    }

    #[test]
    fn a_misspelt_variable_is_found() {
        let names = ["PQC_MAX_TEXT", "PQC_CONFIG", "PATH", "PQC_MASTER_KEYFILE", "PQCX"];
        let unknown = unknown_variables(names.into_iter().map(OsString::from));
        assert_eq!(unknown, ["PQC_MASTER_KEYFILE"]);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_nearest() {
        let refused = |text: &str| Raw::parse(text).unwrap_err().to_string();
        assert_eq!(
            refused("max_texts = 1"),
            "there is no setting \"max_texts\"; did you mean \"max_text\"?"
        );
        assert!(refused("zzz = 1").starts_with("there is no setting \"zzz\"; there are data_dir,"));
        assert!(refused("[tls]\ncert = 'x'").contains("\"tls\""));
    }

    #[test]
    fn a_wrong_value_is_named_and_a_broken_line_placed() {
        let refused = |text: &str| Raw::parse(text).unwrap_err().to_string();
        for (key, value) in [
            ("max_text", "'5'"),
            ("listen", "'here'"),
            ("log_format", "'xml'"),
            ("key_destruction_grace", "-1"),
        ] {
            let error = refused(&format!("log = 'info'\n{key} = {value}"));
            assert!(error.starts_with(&format!("{key}: ")), "{error}");
        }
        assert!(refused("log = 'info'\nmax_text =").starts_with("line 2: "));
    }

    #[test]
    fn an_empty_path_is_refused_by_its_name() {
        for key in ["data_dir", "master_key_file", "master_passphrase_file"] {
            let raw = Raw::parse(&format!("{key} = ''")).unwrap();
            let error = raw.store().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{key} is empty")), "{error}");
        }
    }

    #[test]
    fn values_out_of_their_range_are_refused() {
        for line in [
            "--max-text 0",
            "--max-text 67108865",
            "--max-token-lifetime 0",
            "--max-live-tokens 0",
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
        ] {
            assert!(ServeConfig::load(typed(line)).is_err(), "{line}");
        }
        for line in [
            "--max-text 67108864",
            "--max-token-lifetime 31622400",
            "--max-live-tokens 1",
            "--max-keys 1000000000000",
            "--store sqlite:",
            "--store postgres://host/db --master-key-file k",
            "--store postgres://host/db --master-passphrase-file p",
            "--master-passphrase-file p",
            "--listen 0.0.0.0:0 --insecure-no-tls",
            "--listen 0.0.0.0:0 --tls-cert c --tls-key k",
            "--tls-cert c --tls-key k --tls-require-pq",
            "--listen [::ffff:127.0.0.1]:0",
        ] {
            assert!(ServeConfig::load(typed(line)).is_ok(), "{line}");
        }
    }
}
