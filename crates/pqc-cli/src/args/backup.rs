//! The verbs around backups.

use std::path::PathBuf;

use pqc_core::KemAlgorithm;

use super::StoreArgs;

/// `pqc backup`.
#[derive(Debug, clap::Args)]
pub(crate) struct BackupArgs {
    /// Where to write it; - is stdout
    pub(crate) file: PathBuf,
    /// Encrypt it to this public key (ML-KEM or X-Wing, PEM); give the option again for more
    #[arg(short, long, value_name = "PUBLIC.pem", conflicts_with = "passphrase_file")]
    pub(crate) recipient: Vec<PathBuf>,
    /// Encrypt it to the passphrase on the first line of this file; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Put it in the place of a file that is there
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// `pqc restore`.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    /// The backup; - is stdin
    pub(crate) file: PathBuf,
    /// Decrypt it with this secret key (PEM); --passphrase-file is then the key file's passphrase
    #[arg(short, long, value_name = "SECRET.pem")]
    pub(crate) identity: Option<PathBuf>,
    /// Decrypt it with the passphrase on the first line of this file; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Give each account a new root token, and print them, this once; the old ones stay dead
    #[arg(long)]
    pub(crate) reset_root_tokens: bool,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// `pqc kem`.
#[derive(Debug, clap::Args)]
pub(crate) struct KemArgs {
    #[command(subcommand)]
    pub(crate) verb: KemVerb,
}

/// What is done with KEM keys that no server holds.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum KemVerb {
    /// Make a key pair in two files (PKCS#8 and SPKI, PEM)
    #[command(after_help = "Example:\n  pqc kem keygen --out backup.pem --public backup.pub.pem")]
    Keygen {
        /// X-Wing, ML-KEM-512, ML-KEM-768 or ML-KEM-1024
        #[arg(long, value_name = "NAME", default_value = KemAlgorithm::MlKem768.name())]
        algorithm: KemAlgorithm,
        /// Where to write the secret key (mode 0600)
        #[arg(long, value_name = "SECRET.pem")]
        out: PathBuf,
        /// Where to write the public key
        #[arg(long, value_name = "PUBLIC.pem")]
        public: PathBuf,
        /// Put them in the place of files that are there
        #[arg(long)]
        force: bool,
    },
}
