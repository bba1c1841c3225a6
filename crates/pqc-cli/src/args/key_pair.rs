//! The files of a key: of a pair that is made, and of a secret one that is used.

use std::path::PathBuf;

/// Where a new key pair goes, and what keeps its secret half.
#[derive(Debug, clap::Args)]
pub(crate) struct KeyPairArgs {
    /// Where to write the secret key (mode 0600); - is stdout
    #[arg(long, value_name = "SECRET.pem")]
    pub(crate) out: PathBuf,
    /// Where to write the public key; - is stdout
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) public: PathBuf,
    /// Encrypt the secret key under a passphrase, which is asked for on the terminal
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) passphrase: bool,
    /// Encrypt the secret key under the passphrase on the first line of this file; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Put them in the place of files that are there
    #[arg(long)]
    pub(crate) force: bool,
}

/// A secret key that is used.
#[derive(Debug, clap::Args)]
pub(crate) struct SecretKeyArgs {
    /// The secret key; - is stdin
    #[arg(long, value_name = "SECRET.pem")]
    pub(crate) key: PathBuf,
    /// The key's passphrase is on the first line of this file, - is stdin [default: ask on the
    /// terminal]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}
