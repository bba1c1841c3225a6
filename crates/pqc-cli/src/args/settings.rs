//! The options that are settings: each is also an environment variable and a key of the TOML file.
//!
//! None has a default here: what is not given stays open until all three places are merged.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;

use super::values::{Grace, Listen, StoreUrl};
use crate::logging::LogFormat;

/// Where the store and its key are.
#[derive(Debug, Default, Clone, clap::Args)]
#[command(next_help_heading = "Store")]
pub(crate) struct StoreArgs {
    /// The folder of the embedded store [default: ./pqc-data]
    #[arg(long, env = "PQC_DATA_DIR", hide_env_values = true, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The store: sqlite: in the data folder, or postgres://USER@HOST/DATABASE [default: sqlite:]
    ///
    /// Any number of servers share a PostgreSQL database; each needs the same master key. A
    /// password does not belong on the command line, which others can see: write the URL into
    /// PQC_STORE or the file of --config, or leave the password to ~/.pgpass.
    #[arg(long, env = "PQC_STORE", hide_env_values = true, value_name = "URL", global = true)]
    pub(crate) store: Option<StoreUrl>,
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
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PolicyArgs {
    /// The longest lifetime of a temporary token [default: 86400]
    #[arg(long, env = "PQC_MAX_TOKEN_LIFETIME", hide_env_values = true, value_name = "SECONDS")]
    pub(crate) max_token_lifetime: Option<u64>,
    /// How many temporary tokens of an account may live at a time [default: 100000]
    #[arg(long, env = "PQC_MAX_LIVE_TOKENS", hide_env_values = true, value_name = "COUNT")]
    pub(crate) max_live_tokens: Option<u64>,
}

/// The bounds for stored keys.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct KeyPolicyArgs {
    /// How long a destroyed key can be brought back, in days, or such as 30d or 12h [default: 30d]
    #[arg(
        long,
        env = "PQC_KEY_DESTRUCTION_GRACE",
        hide_env_values = true,
        value_name = "TIME",
        global = true
    )]
    pub(crate) key_destruction_grace: Option<Grace>,
    /// How many keys an account may store [default: 1000000]
    #[arg(long, env = "PQC_MAX_KEYS", hide_env_values = true, value_name = "COUNT", global = true)]
    pub(crate) max_keys: Option<u64>,
}

/// `pqc serve`.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ServeArgs {
    /// The address to listen on; port 0 picks a free one [default: 127.0.0.1:8000]
    #[arg(long, env = "PQC_LISTEN", hide_env_values = true, value_name = "IP:PORT")]
    pub(crate) listen: Option<Listen>,
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
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) tls_require_pq: Option<bool>,
    /// Listen beyond loopback although nothing is encrypted: anyone on the way reads tokens and keys
    #[arg(
        long,
        env = "PQC_INSECURE_NO_TLS",
        hide_env_values = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) insecure_no_tls: Option<bool>,
    /// Accept the word of any issuer: an attested key then proves nothing
    #[arg(
        long,
        env = "PQC_TRUST_ANY_ISSUER",
        hide_env_values = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) trust_any_issuer: Option<bool>,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    #[command(flatten)]
    pub(crate) key_policy: KeyPolicyArgs,
    /// The longest text to encrypt, in bytes of UTF-8 [default: 16777216]
    #[arg(long, env = "PQC_MAX_TEXT", hide_env_values = true, value_name = "BYTES")]
    pub(crate) max_text: Option<u64>,
    /// The form of the log on stderr [default: human]
    #[arg(long, env = "PQC_LOG_FORMAT", hide_env_values = true, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// What to log, such as warn, or info,pqc_http=debug [default: info]
    #[arg(long, env = "PQC_LOG", hide_env_values = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}
