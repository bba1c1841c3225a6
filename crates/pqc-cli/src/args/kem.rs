//! `pqc kem`, as it is typed.

use std::path::PathBuf;

use clap::Subcommand;
use pqc_core::KemAlgorithm;

use super::{KeyPairArgs, SecretKeyArgs};

/// `pqc kem`.
#[derive(Debug, clap::Args)]
pub(crate) struct KemArgs {
    #[command(subcommand)]
    pub(crate) verb: KemVerb,
}

/// What is done with KEM keys that no server holds.
#[derive(Debug, Subcommand)]
pub(crate) enum KemVerb {
    /// Make a key pair in two files (PKCS#8 and SPKI, PEM)
    #[command(after_help = "Example:\n  pqc kem keygen --out backup.pem --public backup.pub.pem")]
    Keygen {
        /// X-Wing (X25519 and ML-KEM-768, as strong as the stronger of them), ML-KEM-512, ML-KEM-768 or
        /// ML-KEM-1024
        #[arg(long, value_name = "NAME", default_value = KemAlgorithm::XWing.name())]
        algorithm: KemAlgorithm,
        #[command(flatten)]
        pair: KeyPairArgs,
    },
    /// Make a shared secret (32 bytes), and the ciphertext by which the key's owner gets it too
    ///
    /// Nobody vouches here for whose key it is: compare its id with the owner's (`pqc inspect`).
    #[command(after_help = "Example:\n  pqc kem encapsulate --public-key bob.pub.pem \
                            --ciphertext-out c --shared-secret-out k")]
    Encapsulate {
        /// The public key that it is made for (ML-KEM or X-Wing); - is stdin
        #[arg(long, value_name = "PUBLIC.pem")]
        public_key: PathBuf,
        /// Where to write the ciphertext, for the key's owner; - is stdout
        #[arg(long, value_name = "FILE")]
        ciphertext_out: PathBuf,
        /// Where to write the shared secret (mode 0600); - is stdout
        #[arg(long, value_name = "FILE")]
        shared_secret_out: PathBuf,
        /// Put them in the place of files that are there
        #[arg(long)]
        force: bool,
    },
    /// Get the shared secret (32 bytes) out of a ciphertext
    ///
    /// A ciphertext that was altered, or made for another key of the same algorithm, gives another
    /// secret and no error (FIPS 203): only its use shows that both have the same.
    #[command(after_help = "Example:\n  pqc kem decapsulate --key bob.pem --ciphertext c \
                            --shared-secret-out k")]
    Decapsulate {
        #[command(flatten)]
        key: SecretKeyArgs,
        /// The ciphertext; - is stdin
        #[arg(long, value_name = "FILE")]
        ciphertext: PathBuf,
        /// Where to write the shared secret (mode 0600); - is stdout
        #[arg(long, value_name = "FILE")]
        shared_secret_out: PathBuf,
        /// Put it in the place of a file that is there
        #[arg(long)]
        force: bool,
    },
}
