//! What was typed. Nothing here acts; what it means is for [`crate::config`] and
//! [`crate::commands`].

mod audit;
mod backup;
mod crypt;
mod file;
mod inspect;
mod kem;
mod key_pair;
mod keys;
mod limits;
mod manual;
mod remote;
mod settings;
mod sig;
mod usage;
mod values;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use pqc_core::{KeyId, TokenId};
use pqc_service::Custody;

pub(crate) use audit::{AuditArgs, AuditVerb};
pub(crate) use backup::{BackupArgs, RestoreArgs};
pub(crate) use crypt::{DecryptArgs, EncryptArgs};
pub(crate) use file::{Refusal, Setting, keys as setting_names, parse, unknown_setting};
pub(crate) use inspect::InspectArgs;
pub(crate) use kem::{KemArgs, KemVerb};
pub(crate) use key_pair::{KeyPairArgs, SecretKeyArgs};
pub(crate) use keys::{KeysArgs, KeysVerb, RotatedKind};
pub(crate) use manual::{Against, BenchArgs, CompletionsArgs, HelpArgs, ManArgs};
pub(crate) use remote::{
    Keeper, REMOTE_HELP, RemoteAesArgs, RemoteAesVerb, RemoteArgs, RemoteDecapsulateArgs,
    RemoteEncapsulateArgs, RemoteGenerateArgs, RemoteKemVerb, RemoteOptions, RemoteSignArgs,
    RemoteTokenArgs, RemoteTokenVerb, RemoteVerb, RemoteVerifyArgs,
};
pub(crate) use settings::{KeyPolicyArgs, PolicyArgs, ServeArgs, StoreArgs};
pub(crate) use sig::{FormArgs, SigArgs, SigVerb, SignArgs, VerifyArgs};
pub(crate) use usage::UsageArgs;
pub(crate) use values::{Listen, PostgresUrl, Seconds, StoreUrl};

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "pqc",
    version,
    about = ABOUT,
    after_help = AFTER_HELP,
    disable_help_subcommand = true
)]
pub(crate) struct Args {
    /// Print the result as one JSON object on one line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Name also the causes beneath an error, each on a line
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP API until SIGTERM or SIGINT
    #[command(after_help = SERVE_HELP)]
    Serve(Box<ServeArgs>),
    /// Play a sender and a receiver on a temporary server, step by step
    #[command(after_help = "Example:\n  pqc demo")]
    Demo,
    /// Make, list and change accounts
    #[command(after_help = "Example:\n  pqc account list")]
    Account(AccountArgs),
    /// List, rotate, destroy and bring back stored keys
    #[command(after_help = "Example:\n  pqc keys list")]
    Keys(KeysArgs),
    /// Show this server's issuer key, and say whose else counts
    #[command(after_help = "Example:\n  pqc issuer show")]
    Issuer(IssuerArgs),
    /// Make master keys, and change the one that seals what is stored
    #[command(subcommand, after_help = "Example:\n  pqc master-key status")]
    MasterKey(MasterKeyVerb),
    /// Mint, list and revoke tokens
    #[command(after_help = "Example:\n  pqc token temp --expiry 15m --attempts 1")]
    Token(TokenArgs),
    /// Write the whole store into one encrypted file, while servers serve
    ///
    /// It holds secret keys sealed, as the store does: to restore it takes the master key too.
    #[command(after_help = "Example:\n  pqc backup store.pqcb -r backup.pub.pem")]
    Backup(Box<BackupArgs>),
    /// Make a new store of a backup: in a folder without one, or in an empty database
    ///
    /// That is also the way from the embedded store to PostgreSQL and back. Temporary tokens do not
    /// live on; root tokens do, unless --reset-root-tokens.
    #[command(after_help = "Example:\n  pqc restore store.pqcb -i backup.pem --data-dir ./new \
                            --master-key-file key")]
    Restore(Box<RestoreArgs>),
    /// Verify, print and sign the log of what was done
    #[command(after_help = "Example:\n  pqc audit verify")]
    Audit(AuditArgs),
    /// Show how much an account did, by day, month, token or label
    ///
    /// Every call that a token admitted is counted. A server adds its counts to the store every
    /// second and at its end; one that is killed loses those of a second.
    #[command(after_help = "Example:\n  pqc usage --from 2026-11-01 --by month")]
    Usage(UsageArgs),
    /// Make KEM keys that no server holds, and shared secrets by them
    #[command(after_help = "Example:\n  pqc kem keygen --out backup.pem --public backup.pub.pem")]
    Kem(KemArgs),
    /// Encrypt a file of any length to the owners of public keys, and sign it if you like
    ///
    /// It is read once and held in memory only piece by piece, so a pipe without an end will do too. What
    /// is encrypted can be read by each recipient alone; who encrypted it shows only a signature.
    #[command(after_help = ENCRYPT_HELP)]
    Encrypt(Box<EncryptArgs>),
    /// Decrypt what `pqc encrypt` made
    ///
    /// Nothing comes out that is not authenticated. A file appears only when all of it is, and its
    /// signature if --verify-with is given. A pipe gets piece after piece of the text, each once it is
    /// authentic: if the end is not, this says so and exits with 1, and what came out is to be thrown
    /// away. With --verify-with the last 64 KiB, and so a short text as a whole, wait for the signature.
    #[command(after_help = "Example:\n  pqc decrypt -i me.pem -o photos.tar photos.tar.pqc")]
    Decrypt(Box<DecryptArgs>),
    /// Sign files by keys that no server holds, and verify what was signed
    #[command(after_help = "Example:\n  pqc sig sign --key release.pem --out app.sig app.tar")]
    Sig(SigArgs),
    /// Tell what a file is: a key, a token, a signature, anything that this program makes or reads
    ///
    /// No secret is shown. What has no mark of its own, such as a signature, is guessed by its
    /// length, and said to be. Exit status 1: the file is nothing that is known here.
    #[command(after_help = INSPECT_HELP)]
    Inspect(InspectArgs),
    /// Ask a server, with a token: keys, shared secrets, texts, signatures
    #[command(after_help = REMOTE_HELP)]
    Remote(Box<RemoteArgs>),
    /// Check this build's cryptography against known answers
    #[command(after_help = "Example:\n  pqc selftest")]
    Selftest,
    /// Answer a prompt of NIST's ACVP by this build's cryptography
    ///
    /// Served are ML-KEM keyGen and encapDecap, ML-DSA keyGen, sigGen and sigVer, and AES-GCM. The answers go to
    /// stdout in the form of expectedResults.json; a case that cannot be answered says why in a
    /// member `unanswered`, and the exit status is 1.
    #[command(after_help = "Example:\n  pqc acvp prompt.json > answers.json")]
    Acvp {
        /// The prompt, at most 16 MiB of JSON; - is stdin
        prompt: PathBuf,
    },
    /// Measure every operation on this machine
    #[command(after_help = "Example:\n  pqc bench --against reference")]
    Bench(BenchArgs),
    /// Print the script by which a shell completes what you type
    #[command(after_help = "Example:\n  pqc completions bash > \
                            ~/.local/share/bash-completion/completions/pqc")]
    Completions(CompletionsArgs),
    /// Print the manual, as man reads it
    #[command(
        after_help = "Example:\n  pqc man | man -l -\n  pqc man --out ~/.local/share/man/man1"
    )]
    Man(ManArgs),
    /// Explain a verb, or one of these: custody, files, issuer, json, tokens
    #[command(after_help = "Example:\n  pqc help tokens\n  pqc help token temp")]
    Help(HelpArgs),
}

/// `pqc account`.
#[derive(Debug, clap::Args)]
pub(crate) struct AccountArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(subcommand)]
    pub(crate) verb: AccountVerb,
}

/// What is done to accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountVerb {
    /// Make an account and print its root token, this once
    #[command(after_help = "Example:\n  pqc account new alice > alice.token")]
    New {
        /// Its name: letters, digits, dots, underscores, hyphens
        name: String,
        /// Who holds its KEM secret keys: server, client or server-only
        #[arg(long, value_name = "WHO", default_value = Custody::Server.name())]
        custody: Custody,
    },
    /// List all accounts
    #[command(after_help = "Example:\n  pqc account list")]
    List,
    /// Change an account
    #[command(after_help = "Example:\n  pqc account set alice --custody client")]
    Set {
        /// Its name
        name: String,
        /// Who holds its KEM secret keys: server, client or server-only
        #[arg(long, value_name = "WHO")]
        custody: Custody,
    },
    /// Refuse all tokens of an account, from the next call on
    #[command(after_help = "Example:\n  pqc account disable alice")]
    Disable {
        /// Its name
        name: String,
    },
    /// Accept the tokens of a disabled account again
    #[command(after_help = "Example:\n  pqc account enable alice")]
    Enable {
        /// Its name
        name: String,
    },
}

/// `pqc issuer`.
#[derive(Debug, clap::Args)]
pub(crate) struct IssuerArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(subcommand)]
    pub(crate) verb: IssuerVerb,
}

/// What is done with issuers.
#[derive(Debug, Subcommand)]
pub(crate) enum IssuerVerb {
    /// Show this server's issuer keys, which senders pin; --json prints a JWKS
    #[command(after_help = "Example:\n  pqc issuer show --json > issuer.jwks")]
    Show,
    /// Put a new issuer key in force; what the older ones attested goes on being verified
    #[command(after_help = "Example:\n  pqc issuer rotate")]
    Rotate,
    /// Trust another server's issuer: encapsulation accepts the keys that it attested
    #[command(after_help = "Example:\n  curl -s https://other.example/.well-known/jwks.json | \
                            pqc issuer trust -")]
    Trust {
        /// The public key in PEM or hex, a JWK or a JWKS; - is stdin
        file: PathBuf,
    },
    /// List the issuers of other servers that are trusted here
    #[command(after_help = "Example:\n  pqc issuer list")]
    List,
    /// Trust another server's issuer no more; a running server follows within a second
    #[command(after_help = "Example:\n  pqc issuer distrust 9f2d…")]
    Distrust {
        /// Its fingerprint, as `pqc issuer list` shows it
        fingerprint: String,
    },
}

/// `pqc master-key`: what is done with master keys.
#[derive(Debug, Subcommand)]
pub(crate) enum MasterKeyVerb {
    /// Make a master key, in a file that only its owner can read
    #[command(after_help = "Example:\n  pqc master-key new --out /media/usb/pqc-2.key")]
    New {
        /// Where it is written; a file that is there stays
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Overwrite a file that is there, which may be the only copy of a key
        #[arg(long)]
        force: bool,
    },
    /// Seal all that is stored under a new master key, while servers serve
    ///
    /// Running servers follow within a second. It may be stopped at any moment: both keys open the
    /// store then, and the same command carries it on. In the end the new key alone does.
    #[command(after_help = "Example:\n  pqc master-key new --out /media/usb/pqc-2.key\n  \
                            pqc master-key rotate --to /media/usb/pqc-2.key")]
    Rotate(RotateArgs),
    /// Show the versions of the master key, and whether a rotation is under way
    #[command(after_help = "Example:\n  pqc master-key status")]
    Status {
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// `pqc master-key rotate`.
#[derive(Debug, clap::Args)]
pub(crate) struct RotateArgs {
    /// The file of the new master key, 64 hex digits; - is stdin
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "to_passphrase_file",
        conflicts_with = "to_passphrase_file"
    )]
    pub(crate) to: Option<PathBuf>,
    /// A file whose first line is the passphrase that the new one is made from; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(crate) to_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

/// `pqc token`.
#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(subcommand)]
    pub(crate) verb: TokenVerb,
}

/// What is done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Revoke an account's root token and print a new one, this once
    ///
    /// The temporary tokens of the account are revoked with it: whoever stole a root token may
    /// have minted. For the account default a root-token file in the data folder is rewritten if
    /// it is there; one that was removed is not made again.
    #[command(after_help = "Example:\n  pqc token root-reset --account alice > alice.token")]
    RootReset {
        #[command(flatten)]
        account: AccountName,
        /// Let the account's temporary tokens live on
        #[arg(long)]
        keep_temporary: bool,
    },
    /// Mint a temporary token and print it, this once
    #[command(after_help = "Example:\n  pqc token temp --expiry 15m --attempts 1 --operations \
                            kem.encapsulate,aes.encrypt")]
    Temp(TempArgs),
    /// List an account's tokens, the oldest first; their values are not kept
    ///
    /// A token stays in the list for a minute after its end.
    #[command(after_help = "Example:\n  pqc token list --account alice")]
    List {
        #[command(flatten)]
        account: AccountName,
        /// Only those after the one with this id: the last of the page before
        #[arg(long, value_name = "ID", value_parser = values::token_id)]
        after: Option<TokenId>,
        /// No more than so many [default: all]
        #[arg(long, value_name = "COUNT")]
        limit: Option<u64>,
    },
    /// Revoke a token, at once and for good
    #[command(after_help = "Example:\n  pqc token revoke 0196f1c2a3b47c5d8e9fa0b1c2d3e4f5")]
    Revoke {
        /// Its id, as `pqc token list` shows it
        #[arg(value_parser = values::token_id)]
        id: TokenId,
        #[command(flatten)]
        account: AccountName,
    },
}

/// `pqc token temp`.
#[derive(Debug, clap::Args)]
pub(crate) struct TempArgs {
    /// How long it lives, such as 900s, 15m or 2h
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub(crate) expiry: Seconds,
    /// How many calls it serves, 1 to 1000000
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) attempts: u64,
    /// What you call it
    #[arg(long, value_name = "TEXT")]
    pub(crate) label: Option<String>,
    /// Narrow it to these operations, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) operations: Option<Vec<String>>,
    /// Narrow it to this stored key
    #[arg(long, value_name = "HEX", value_parser = values::key_id)]
    pub(crate) key_id: Option<KeyId>,
    #[command(flatten)]
    pub(crate) account: AccountName,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
}

/// Which account is meant.
#[derive(Debug, clap::Args)]
pub(crate) struct AccountName {
    /// The account's name
    #[arg(long = "account", value_name = "NAME", default_value = DEFAULT_ACCOUNT)]
    pub(crate) name: String,
}

/// The account that the first start makes.
pub(crate) const DEFAULT_ACCOUNT: &str = "default";

const ABOUT: &str = "Post-quantum cryptography as a service that you host yourself";
const AFTER_HELP: &str = "\
Results go to stdout, everything else to stderr.
Exit status: 0 done, 1 the operation says no, 2 bad usage or input.

Examples:
  pqc serve &
  pqc token temp --expiry 15m --attempts 1
  pqc kem keygen --out me.pem --public me.pub.pem
  tar -c photos | pqc encrypt -r me.pub.pem -o photos.tar.pqc";
const ENCRYPT_HELP: &str = "\
Example:
  pqc encrypt -r alice.pub.pem -r bob.pub.pem -o photos.tar.pqc photos.tar
  tar -c photos | pqc encrypt -r alice.pub.pem --sign-with me.pem -o - | ssh backup 'cat > photos.pqc'";
const SERVE_HELP: &str = "\
Each option is also a key of the TOML file (--max-text is max_text) and an environment variable
(PQC_MAX_TEXT); the command line wins over the environment, the environment over the file. Paths
are relative to the current folder, wherever they stand.

The first start makes the account default and shows its root token once.

Example:
  pqc serve --listen 127.0.0.1:8000 --data-dir ./pqc-data";
const INSPECT_HELP: &str = "\
--json prints an object with `file`, `bytes`, `found` and `warnings`. `found` has what the file is, or
what it may be: objects with `what`, `certain`, `encoding`, `algorithm`, `category` (NIST's security
category), `bytes` (without the encoding), `key_id`, `fingerprint`, `secret`, `details` (objects with
`name` and `value`) and `use`. What is not known is null.

Example:
  pqc inspect release.pub.pem";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example_in_its_help() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let has_example = ["Example:\n  ", "Examples:\n  "].iter().any(|it| help.contains(it));
            assert!(has_example, "{} has no example", command.get_name());
            command.get_subcommands().for_each(check);
        }
        check(&Args::command());
    }

    #[test]
    fn help_shows_no_value_from_the_environment() {
        fn check(command: &clap::Command) {
            for arg in command.get_arguments().filter(|arg| arg.get_env().is_some()) {
                assert!(arg.is_hide_env_values_set(), "{}", arg.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Args::command());
    }

    #[test]
    fn store_options_stand_before_or_after_the_verb() {
        for line in ["pqc account --data-dir d list --json", "pqc account list --data-dir d"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            let Command::Account(account) = args.command else { panic!("not account") };
            assert_eq!(account.store.data_dir, PathBuf::from("d"), "{line}");
        }
    }
}
