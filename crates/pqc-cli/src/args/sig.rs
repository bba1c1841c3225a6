//! `pqc sig`, as it is typed.

use std::path::PathBuf;

use clap::Subcommand;
use pqc_core::SignatureAlgorithm;

use super::{KeyPairArgs, SecretKeyArgs, values};

/// `pqc sig`.
#[derive(Debug, clap::Args)]
pub(crate) struct SigArgs {
    #[command(subcommand)]
    pub(crate) verb: SigVerb,
}

/// What is done with signing keys that no server holds.
#[derive(Debug, Subcommand)]
pub(crate) enum SigVerb {
    /// Make a key pair in two files (PKCS#8 and SPKI, PEM)
    #[command(
        after_help = "Example:\n  pqc sig keygen --out release.pem --public release.pub.pem \
                            --passphrase"
    )]
    Keygen {
        /// ML-DSA-44, ML-DSA-65 or ML-DSA-87
        #[arg(
            long,
            value_name = "NAME",
            default_value = SignatureAlgorithm::MlDsa65.name(),
            value_parser = values::signature_algorithm
        )]
        algorithm: SignatureAlgorithm,
        #[command(flatten)]
        pair: KeyPairArgs,
    },
    /// Sign a file of any size, or many files at once
    ///
    /// The signature (2420, 3309 or 4627 bytes) is one of ML-DSA as FIPS 204 has it, which other
    /// programs verify too.
    ///
    /// Many files are signed by a manifest: with --manifest it is written, a line for each FILE with
    /// its SHA-256 and its name as typed, and it is what is signed. `sha256sum -c` reads it too.
    #[command(after_help = "Example:\n  pqc sig sign --key release.pem --out app.sig app.tar\n  \
                            pqc sig sign --key release.pem --manifest SHA256SUMS --out \
                            SHA256SUMS.sig app.tar docs.tar")]
    Sign(SignArgs),
    /// Verify the signature of a file, or of many files at once
    ///
    /// Exit status 1: it does not verify. With --manifest the signature must be the manifest's; then
    /// each file that it lists is compared with it, and those that were altered or are missing are
    /// named. With FILEs, these alone are compared, and those that it does not list are named too.
    /// Relative names are looked up from the current folder, as `sha256sum -c` does: go to where
    /// they were signed first.
    #[command(after_help = "Example:\n  pqc sig verify --public-key release.pub.pem --signature \
                            app.sig app.tar\n  pqc sig verify --public-key release.pub.pem \
                            --manifest SHA256SUMS --signature SHA256SUMS.sig")]
    Verify(VerifyArgs),
}

/// `pqc sig sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    pub(crate) key: SecretKeyArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    /// Give the same signature for the same file each time; a fault while it is made can leak the
    /// key
    #[arg(long)]
    pub(crate) deterministic: bool,
    /// Write a manifest of the files here, and sign it; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Where to write the signature; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Put what is written in the place of files that are there
    #[arg(long)]
    pub(crate) force: bool,
    /// What is signed; - is stdin
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// `pqc sig verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The signer's public key; - is stdin
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) public_key: PathBuf,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    /// The manifest that was signed; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// The signature; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: PathBuf,
    /// What was signed, - is stdin; with --manifest, those of its files that are compared
    /// [default: all]
    #[arg(required_unless_present = "manifest", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
}

/// In what form a signature is made, which who verifies must know.
#[derive(Debug, clap::Args)]
pub(crate) struct FormArgs {
    /// What the signature is for, at most 255 bytes: it verifies with the same text alone
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) context: String,
    /// Of the file's SHA-512 (HashML-DSA), for programs that do so; neither form verifies as the other
    #[arg(long)]
    pub(crate) prehash: bool,
}
