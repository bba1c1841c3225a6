//! The verbs around backups.

use std::path::PathBuf;

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
