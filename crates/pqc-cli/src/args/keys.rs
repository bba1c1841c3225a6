//! `pqc keys`, as it is typed.

use clap::{Subcommand, ValueEnum};
use pqc_core::{KeyId, SignatureAlgorithm};

use super::{AccountName, KeyPolicyArgs, StoreArgs, values};

/// `pqc keys`.
#[derive(Debug, clap::Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) policy: KeyPolicyArgs,
    #[command(subcommand)]
    pub(crate) verb: KeysVerb,
}

/// What is done with stored keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// List an account's keys, destroyed ones included as long as they can be brought back
    #[command(after_help = "Example:\n  pqc keys list --account alice")]
    List {
        #[command(flatten)]
        account: AccountName,
    },
    /// Put a new version of a key in force; the older ones go on verifying and decrypting
    #[command(after_help = "Example:\n  pqc keys rotate --account alice --kind signing")]
    Rotate {
        /// Which key: the account's signing key or AES key, or the server's issuer key
        #[arg(long, value_name = "KIND")]
        kind: RotatedKind,
        /// The algorithm of the signing key [default: ML-DSA-65]
        #[arg(long, value_name = "NAME", value_parser = values::signature_algorithm)]
        algorithm: Option<SignatureAlgorithm>,
        /// The account's name [default: default]
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
    /// Destroy a key: it can be brought back for a while, then it is removed for good
    #[command(after_help = "Example:\n  pqc keys destroy --account alice 9f2d…")]
    Destroy {
        /// Its id, as `pqc keys list` shows it
        #[arg(value_parser = values::key_id)]
        id: KeyId,
        #[command(flatten)]
        account: AccountName,
    },
    /// Bring back a key that was destroyed a short time ago
    #[command(after_help = "Example:\n  pqc keys undelete --account alice 9f2d…")]
    Undelete {
        /// Its id, as `pqc keys list` shows it
        #[arg(value_parser = values::key_id)]
        id: KeyId,
        #[command(flatten)]
        account: AccountName,
    },
}

/// The keys of which there is one in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RotatedKind {
    Signing,
    Aes,
    Issuer,
}
