//! The verbs that encrypt files.

use std::path::PathBuf;

/// `pqc encrypt`.
#[derive(Debug, clap::Args)]
pub(crate) struct EncryptArgs {
    /// What is encrypted; - is stdin
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// Encrypt it to this public key (X-Wing or ML-KEM, PEM); give the option again for more
    #[arg(
        short,
        long,
        value_name = "PUBLIC.pem",
        required_unless_present_any = ["passphrase", "passphrase_file"],
        conflicts_with_all = ["passphrase", "passphrase_file"]
    )]
    pub(crate) recipient: Vec<PathBuf>,
    /// Encrypt it to a passphrase instead, which is asked for on the terminal
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) passphrase: bool,
    /// Encrypt it to the passphrase on the first line of this file instead; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Sign it with this secret key (ML-DSA, PEM): only who can decrypt it sees the signature
    #[arg(long, value_name = "SECRET.pem")]
    pub(crate) sign_with: Option<PathBuf>,
    /// The passphrase of the key that signs is on the first line of this file, - is stdin [default: ask
    /// on the terminal]
    #[arg(long, value_name = "FILE", requires = "sign_with")]
    pub(crate) sign_passphrase_file: Option<PathBuf>,
    /// Where it is written, whole or not at all; - is stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Write text (base64, RFC 7468) for channels that carry no bytes
    #[arg(long)]
    pub(crate) armor: bool,
    /// Put it in the place of a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `pqc decrypt`.
#[derive(Debug, clap::Args)]
pub(crate) struct DecryptArgs {
    /// What is decrypted, armored or not; - is stdin
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// Decrypt it with this secret key (PEM); --passphrase-file is then the key file's passphrase
    #[arg(
        short,
        long,
        value_name = "SECRET.pem",
        required_unless_present_any = ["passphrase", "passphrase_file"]
    )]
    pub(crate) identity: Option<PathBuf>,
    /// Decrypt it with a passphrase, which is asked for on the terminal
    #[arg(long, conflicts_with_all = ["identity", "passphrase_file"])]
    pub(crate) passphrase: bool,
    /// Decrypt it with the passphrase on the first line of this file; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Refuse it unless the owner of this public key (ML-DSA, PEM) signed it
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) verify_with: Option<PathBuf>,
    /// Where it is written, whole or not at all; - is stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Put it in the place of a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}
