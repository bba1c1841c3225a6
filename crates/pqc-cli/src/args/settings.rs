//! The options that are settings: each is also an environment variable, and a key of the TOML file
//! ([`super::file`]), whose values take the place of the defaults that stand here.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::value_parser;
use pqc_service::Settings;

use super::audit::AuditPolicyArgs;
use super::file::Setting;
use super::limits::LimitArgs;
use super::values::{Grace, Listen, StoreUrl};
use crate::logging::LogFormat;

/// Where the store and its key are.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArgs {
    /// The folder of the embedded store
    #[arg(
        long,
        env = "PQC_DATA_DIR",
        hide_env_values = true,
        value_name = "DIR",
        global = true,
        default_value = "./pqc-data"
    )]
    pub(crate) data_dir: PathBuf,
    /// The store: sqlite: in the data folder, or postgres://USER@HOST/DATABASE
    ///
    /// Any number of servers share a PostgreSQL database; each needs the same master key. A
    /// password does not belong on the command line, which others can see: write the URL into
    /// PQC_STORE or the file of --config, or leave the password to ~/.pgpass.
    #[arg(
        long,
        env = "PQC_STORE",
        hide_env_values = true,
        value_name = "URL",
        global = true,
        default_value = "sqlite:"
    )]
    pub(crate) store: StoreUrl,
    /// A TOML file with settings
    #[arg(long, env = "PQC_CONFIG", hide_env_values = true, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// The file of the master key, 64 hex digits [default: master.key in the data folder]
    #[arg(
        long,
        env = "PQC_MASTER_KEY_FILE",
        hide_env_values = true,
        value_name = "FILE",
        global = true
    )]
    pub(crate) master_key_file: Option<PathBuf>,
    /// A file whose first line is the passphrase that the master key is made from, instead of a key
    ///
    /// It has 15 to 1024 bytes. The first start keeps in the store how it becomes the key (Argon2id,
    /// 64 MiB).
    #[arg(
        long,
        env = "PQC_MASTER_PASSPHRASE_FILE",
        hide_env_values = true,
        value_name = "FILE",
        global = true
    )]
    pub(crate) master_passphrase_file: Option<PathBuf>,
}

/// The bounds for temporary tokens.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyArgs {
    /// The longest lifetime of a temporary token
    #[arg(
        long,
        env = "PQC_MAX_TOKEN_LIFETIME",
        hide_env_values = true,
        value_name = "SECONDS",
        default_value = "86400",
        value_parser = value_parser!(u64).range(1..=MAX_LIFETIME)
    )]
    pub(crate) max_token_lifetime: u64,
    /// How many temporary tokens of an account may live at a time
    #[arg(
        long,
        env = "PQC_MAX_LIVE_TOKENS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "100000",
        value_parser = value_parser!(u64).range(1..=MAX_QUOTA)
    )]
    pub(crate) max_live_tokens: u64,
}

impl PolicyArgs {
    /// Puts them in force.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        settings.mint.max_lifetime_seconds = self.max_token_lifetime;
        settings.max_live_tokens = self.max_live_tokens;
    }
}

/// The bounds for stored keys.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyPolicyArgs {
    /// How long a destroyed key can be brought back, in days, or such as 30d or 12h
    #[arg(
        long,
        env = "PQC_KEY_DESTRUCTION_GRACE",
        hide_env_values = true,
        value_name = "TIME",
        global = true,
        default_value = "30d"
    )]
    pub(crate) key_destruction_grace: Grace,
    /// How many keys an account may store
    #[arg(
        long,
        env = "PQC_MAX_KEYS",
        hide_env_values = true,
        value_name = "COUNT",
        global = true,
        default_value = "1000000",
        value_parser = value_parser!(u64).range(1..=MAX_QUOTA)
    )]
    pub(crate) max_keys: u64,
}

impl KeyPolicyArgs {
    /// Puts them in force.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        let Grace(grace) = self.key_destruction_grace;
        settings.key_grace = grace;
        settings.max_keys = self.max_keys;
    }
}

/// `pqc serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on; port 0 picks a free one
    #[arg(
        long,
        env = "PQC_LISTEN",
        hide_env_values = true,
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8000"
    )]
    pub(crate) listen: Listen,
    /// The certificate for TLS, then those that lead to its issuer (PEM) [default: no TLS]
    ///
    /// Read again when it changes, and on SIGHUP; connections that are there go on.
    #[arg(long, env = "PQC_TLS_CERT", hide_env_values = true, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, env = "PQC_TLS_KEY", hide_env_values = true, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Refuse clients that cannot agree on a key by a post-quantum hybrid (X25519MLKEM768)
    #[arg(
        long,
        env = "PQC_TLS_REQUIRE_PQ",
        hide_env_values = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) tls_require_pq: bool,
    /// Listen beyond loopback although nothing is encrypted: anyone on the way reads tokens and keys
    #[arg(
        long,
        env = "PQC_INSECURE_NO_TLS",
        hide_env_values = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) insecure_no_tls: bool,
    /// Leave the dashboard out: no pages at /, and nobody signs in
    #[arg(
        long,
        env = "PQC_NO_DASHBOARD",
        hide_env_values = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) no_dashboard: bool,
    /// The address for operators (metrics, health, what is logged), on loopback or with
    /// --admin-client-ca [default: none]
    #[arg(long, env = "PQC_ADMIN_LISTEN", hide_env_values = true, value_name = "IP:PORT")]
    pub(crate) admin_listen: Option<Listen>,
    /// Listen to operators over TLS, and only with a certificate that an issuer in this file signed
    /// (PEM)
    #[arg(long, env = "PQC_ADMIN_CLIENT_CA", hide_env_values = true, value_name = "FILE")]
    pub(crate) admin_client_ca: Option<PathBuf>,
    /// Accept the word of any issuer: an attested key then proves nothing
    #[arg(
        long,
        env = "PQC_TRUST_ANY_ISSUER",
        hide_env_values = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) trust_any_issuer: bool,
    /// How many answers are kept for calls of an account that can be repeated (Idempotency-Key)
    #[arg(
        long,
        env = "PQC_MAX_KEPT_ANSWERS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "100000",
        value_parser = value_parser!(u64).range(1..=MAX_QUOTA)
    )]
    pub(crate) max_kept_answers: u64,
    /// How many bytes of keys are kept in memory, opened, for the next call with them; 0: none
    #[arg(
        long,
        env = "PQC_KEY_CACHE",
        hide_env_values = true,
        value_name = "BYTES",
        default_value = "67108864",
        value_parser = value_parser!(u64).range(0..=MAX_KEY_CACHE)
    )]
    pub(crate) key_cache: u64,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) key_policy: KeyPolicyArgs,
    #[command(flatten)]
    pub(crate) audit: AuditPolicyArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// The form of the log on stderr
    #[arg(
        long,
        env = "PQC_LOG_FORMAT",
        hide_env_values = true,
        value_name = "FORMAT",
        default_value = "human"
    )]
    pub(crate) log_format: LogFormat,
    /// What to log, such as warn, or info,pqc_http=debug
    #[arg(
        long,
        env = "PQC_LOG",
        hide_env_values = true,
        value_name = "FILTER",
        default_value = "info"
    )]
    pub(crate) log: String,
    /// Send traces of calls to this OTLP collector, such as http://127.0.0.1:4318 [default: nowhere]
    #[arg(
        long,
        env = "PQC_OTLP_ENDPOINT",
        hide_env_values = true,
        value_name = "URL",
        value_parser = super::values::collector
    )]
    pub(crate) otlp_endpoint: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// Print every setting with its value and where it comes from, and serve nothing
    #[arg(long)]
    pub(crate) print_config: bool,
    /// What [`Self::print_config`] prints.
    #[arg(skip)]
    pub(crate) settings: Vec<Setting>,
}

/// A year: who needs longer needs an account.
const MAX_LIFETIME: u64 = 366 * 86_400;
/// More than a store can hold.
const MAX_QUOTA: u64 = 1_000_000_000_000;
/// 64 GiB: some millions of keys.
const MAX_KEY_CACHE: u64 = 64 * 1024 * 1024 * 1024;
