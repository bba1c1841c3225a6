//! `pqc remote`, as it is typed.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use pqc_core::{AccountId, KemAlgorithm, KeyId, SignatureAlgorithm};

use super::values::{self, Seconds};

/// Which server is meant, by what token, and whose word counts. They stand before `remote` or after
/// it, however deep.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Server of `pqc remote`")]
pub(crate) struct RemoteOptions {
    /// The server, such as `https://pqc.example`; or PQC_SERVER names it
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The file whose first line is the token; - is stdin; or PQC_TOKEN_FILE names it
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// The issuer keys that are pinned, as `pqc issuer show --json` prints them, in PEM or in hex
    #[arg(long, value_name = "FILE")]
    pub(crate) issuer: Option<PathBuf>,
    /// The certificate authority that TLS trusts (PEM), in the place of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The table of ~/.config/pqc/profiles.toml with the server, token_file, issuer and ca_file that
    /// are not given
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
}

impl RemoteOptions {
    /// These, and for what is not given the others.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            server: self.server.or(others.server),
            token_file: self.token_file.or(others.token_file),
            issuer: self.issuer.or(others.issuer),
            ca_file: self.ca_file.or(others.ca_file),
            profile: self.profile.or(others.profile),
        }
    }

    /// Refuses them where the verb asks no server.
    ///
    /// # Errors
    /// The first that was given.
    pub(crate) fn refuse(&self) -> anyhow::Result<()> {
        let given = [
            ("--server", self.server.is_some()),
            ("--token-file", self.token_file.is_some()),
            ("--issuer", self.issuer.is_some()),
            ("--ca-file", self.ca_file.is_some()),
            ("--profile", self.profile.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((name, _)) => anyhow::bail!(
                "{name} is for the verbs that ask a server: say `pqc {name} … remote VERB`, or leave \
                 it out"
            ),
        }
    }
}

/// `pqc remote`.
#[derive(Debug, clap::Args)]
#[command(mut_args(|arg| arg.global(true)))]
pub(crate) struct RemoteArgs {
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
    #[command(subcommand)]
    pub(crate) verb: RemoteVerb,
}

/// What a server is asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum RemoteVerb {
    /// Mint a temporary token, or look at the one that is given
    #[command(subcommand, after_help = "Example:\n  pqc remote token self")]
    Token(RemoteTokenVerb),
    /// Make KEM keys, establish shared secrets
    #[command(subcommand, after_help = KEM_HELP)]
    Kem(RemoteKemVerb),
    /// Encrypt and decrypt texts
    #[command(subcommand, after_help = AES_HELP)]
    Aes(RemoteAesVerb),
    /// Sign by the account's stored key
    ///
    /// The file travels to the server, which takes about 500 KiB of it: of a longer one sign the list
    /// of digests that sha256sum prints.
    #[command(after_help = "Example:\n  pqc remote sign --public signer.pub.pem --out notes.sig \
                            notes.txt")]
    Sign(RemoteSignArgs),
    /// Verify a signature; exit status 1 if it is not genuine
    #[command(
        after_help = "Example:\n  pqc remote verify --public-key signer.pub.pem --signature \
                            notes.sig notes.txt"
    )]
    Verify(RemoteVerifyArgs),
}

/// `pqc remote token`.
#[derive(Debug, Subcommand)]
pub(crate) enum RemoteTokenVerb {
    /// Mint a temporary token by a root token, and print it, this once
    #[command(after_help = "Example:\n  pqc --server https://pqc.example --token-file root-token \
                            remote token new --attempts 3 --out lent.token")]
    New(RemoteTokenArgs),
    /// Show what the token is, and what is left of it; spends nothing
    #[command(name = "self", after_help = "Example:\n  pqc remote token self")]
    Itself,
}

/// `pqc remote token new`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteTokenArgs {
    /// How long it lives, such as 900s, 15m or 2h
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub(crate) expiry: Seconds,
    /// How many calls it serves, 1 to 1000000
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000)
    )]
    pub(crate) attempts: u64,
    /// Narrow it to these operations, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) operations: Option<Vec<String>>,
    /// Narrow it to this stored key
    #[arg(long, value_name = "HEX", value_parser = values::key_id)]
    pub(crate) key_id: Option<KeyId>,
    /// What you call it
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Write it to this file (mode 0600) instead of printing it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Put it in the place of a file that is there
    #[arg(long, requires = "out")]
    pub(crate) force: bool,
}

/// `pqc remote kem`.
#[derive(Debug, Subcommand)]
pub(crate) enum RemoteKemVerb {
    /// Make a key pair for the account; what its sender needs is written to two files
    ///
    /// The attestation is the issuer's word for the public key, checked by --issuer before anything is
    /// written.
    #[command(after_help = "Example:\n  pqc --issuer issuer.jwks remote kem generate --public \
                            me.pub.pem --attestation-out me.att")]
    Generate(RemoteGenerateArgs),
    /// Encapsulate to a key that a pinned issuer attested
    #[command(
        after_help = "Example:\n  pqc --issuer issuer.jwks remote kem encapsulate --public-key \
                            me.pub.pem --attestation me.att --ciphertext-out c --shared-secret-out k"
    )]
    Encapsulate(RemoteEncapsulateArgs),
    /// Decapsulate with the secret key that the server keeps
    ///
    /// A ciphertext that was made for another key gives another shared secret, and no error (FIPS 203).
    #[command(after_help = "Example:\n  pqc remote kem decapsulate --public-key me.pub.pem \
                            --ciphertext c --shared-secret-out k")]
    Decapsulate(RemoteDecapsulateArgs),
}

/// `pqc remote kem generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteGenerateArgs {
    /// X-Wing, ML-KEM-512, ML-KEM-768 or ML-KEM-1024 [default: the server's, ML-KEM-768]
    #[arg(long, value_name = "NAME")]
    pub(crate) algorithm: Option<KemAlgorithm>,
    /// Who keeps the secret key [default: client with --secret-out, else server]
    #[arg(long, value_name = "WHO", requires_if("client", "secret_out"))]
    pub(crate) custody: Option<Keeper>,
    /// Where to write the public key (PEM)
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) public: PathBuf,
    /// Where to write the issuer's word for it (2453, 3342 or 4660 bytes)
    #[arg(long, value_name = "FILE")]
    pub(crate) attestation_out: PathBuf,
    /// Where to write the secret key (PEM, mode 0600), if the server does not keep it
    #[arg(long, value_name = "SECRET.pem")]
    pub(crate) secret_out: Option<PathBuf>,
    /// Put them in the place of files that are there
    #[arg(long)]
    pub(crate) force: bool,
}

/// Who keeps a secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keeper {
    Server,
    Client,
}

/// `pqc remote kem encapsulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteEncapsulateArgs {
    /// The public key (PEM)
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) public_key: PathBuf,
    /// The issuer's word for it, as `remote kem generate` wrote it
    #[arg(long, value_name = "FILE")]
    pub(crate) attestation: PathBuf,
    /// Only if the key is this account's
    #[arg(long, value_name = "HEX", value_parser = account_id)]
    pub(crate) account: Option<AccountId>,
    /// Where to write the ciphertext
    #[arg(long, value_name = "FILE")]
    pub(crate) ciphertext_out: PathBuf,
    /// Where to write the shared secret (32 bytes, mode 0600); - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) shared_secret_out: PathBuf,
    /// Put them in the place of files that are there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `pqc remote kem decapsulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteDecapsulateArgs {
    /// The public key of the pair (PEM)
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) public_key: PathBuf,
    /// The ciphertext; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) ciphertext: PathBuf,
    /// Where to write the shared secret (32 bytes, mode 0600); - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) shared_secret_out: PathBuf,
    /// Put it in the place of a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `pqc remote aes`.
#[derive(Debug, Subcommand)]
pub(crate) enum RemoteAesVerb {
    /// Encrypt a text by AES-256
    #[command(after_help = "Example:\n  pqc remote aes encrypt --key k --out note.box note.txt")]
    Encrypt(RemoteAesArgs),
    /// Decrypt what `remote aes encrypt` wrote; exit status 1 if it does not authenticate
    #[command(after_help = "Example:\n  pqc remote aes decrypt --key k --out note.txt note.box")]
    Decrypt(RemoteAesArgs),
}

/// `pqc remote aes encrypt` and `decrypt`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteAesArgs {
    /// What is encrypted (a text in UTF-8) or decrypted; - is stdin
    pub(crate) file: PathBuf,
    /// The file of a key, 32 bytes, such as a shared secret [default: the account's own key]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Associated data, which are not in the result and have to be the same to decrypt
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) aad: String,
    /// Where to write it (a text: mode 0600); - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Put it in the place of a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `pqc remote sign`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteSignArgs {
    /// What is signed; - is stdin
    pub(crate) file: PathBuf,
    /// Bind the signature to this context, at most 255 bytes
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) context: String,
    /// ML-DSA-44, ML-DSA-65 or ML-DSA-87 [default: the server's, ML-DSA-65]
    #[arg(long, value_name = "NAME", value_parser = values::signature_algorithm)]
    pub(crate) algorithm: Option<SignatureAlgorithm>,
    /// Sign by this stored key, which may be an older version
    #[arg(long, value_name = "HEX", value_parser = values::key_id)]
    pub(crate) key_id: Option<KeyId>,
    /// Where to write the signature; - is stdout
    #[arg(long, value_name = "SIG")]
    pub(crate) out: PathBuf,
    /// Where to write the public key that verifies it (PEM)
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) public: Option<PathBuf>,
    /// Put them in the place of files that are there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `pqc remote verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct RemoteVerifyArgs {
    /// What was signed; - is stdin
    pub(crate) file: PathBuf,
    /// The signer's public key (PEM)
    #[arg(long, value_name = "PUBLIC.pem")]
    pub(crate) public_key: PathBuf,
    /// The signature
    #[arg(long, value_name = "SIG")]
    pub(crate) signature: PathBuf,
    /// The context that it was bound to
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) context: String,
}

fn account_id(text: &str) -> Result<AccountId, &'static str> {
    let id = hex::decode(text).ok().and_then(|bytes| AccountId::from_slice(&bytes).ok());
    id.ok_or("an account id has 32 hex digits")
}

const KEM_HELP: &str = "Example:\n  pqc remote kem generate --public me.pub.pem --attestation-out \
                        me.att";
const AES_HELP: &str = "Example:\n  pqc remote aes encrypt --out note.box note.txt";
/// What stands under the help of `pqc remote`.
pub(crate) const REMOTE_HELP: &str = "\
What is not given on the command line is taken from the profile, if one is named, and then from
PQC_SERVER and PQC_TOKEN_FILE. A profile is a table of ~/.config/pqc/profiles.toml ($XDG_CONFIG_HOME/pqc/profiles.toml), whose paths are
relative to its folder:

  [work]
  server = \"https://pqc.example\"
  token_file = \"work.token\"
  issuer = \"work.jwks\"

Public keys are PEM, ciphertexts and signatures bytes as they are. Secrets go to files of mode 0600.

Example:
  pqc --profile work remote token self";

#[cfg(test)]
mod tests {
    use super::super::{Args, Command};
    use clap::Parser;

    #[test]
    fn the_server_is_named_before_remote_or_behind_it_and_the_deepest_wins() {
        for (line, server) in [
            ("pqc --server a --json remote token self", "a"),
            ("pqc remote --server b token self", "b"),
            ("pqc remote token self --server c", "c"),
            ("pqc --server a remote token self --server c", "c"),
        ] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            let Command::Remote(remote) = args.command else { panic!("not remote") };
            let options = remote.options.or(args.remote);
            assert_eq!(options.server.as_deref(), Some(server), "{line}");
        }
    }

    #[test]
    fn verbs_that_ask_no_server_refuse_its_options() {
        for option in ["--server", "--token-file", "--issuer", "--ca-file", "--profile"] {
            let args = Args::try_parse_from(["pqc", option, "x", "selftest"]).unwrap();
            let refused = args.remote.refuse().unwrap_err().to_string();
            assert!(refused.starts_with(option), "{refused}");
            assert!(Args::try_parse_from(["pqc", "selftest", option, "x"]).is_err(), "{option}");
        }
        assert!(Args::try_parse_from(["pqc", "selftest"]).unwrap().remote.refuse().is_ok());
    }
}
