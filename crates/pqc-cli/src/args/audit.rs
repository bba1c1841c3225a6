//! `pqc audit`, as it is typed, and the settings of the audit log.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use clap::builder::BoolishValueParser;
use clap::value_parser;
use pqc_service::Settings;
use pqc_service::audit::CheckpointPolicy;

use super::StoreArgs;

/// What is written down, and how often it is signed.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditPolicyArgs {
    /// Write down calls of root tokens that use nothing stored, too
    #[arg(
        long,
        env = "PQC_AUDIT_ALL",
        hide_env_values = true,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) audit_all: bool,
    /// Sign the audit log after so many rows
    #[arg(
        long,
        env = "PQC_AUDIT_CHECKPOINT_ROWS",
        hide_env_values = true,
        value_name = "COUNT",
        default_value = "10000",
        value_parser = value_parser!(u64).range(1..)
    )]
    pub(crate) audit_checkpoint_rows: u64,
    /// Sign the audit log at least so often, where there is a new row
    #[arg(
        long,
        env = "PQC_AUDIT_CHECKPOINT_TIME",
        hide_env_values = true,
        value_name = "SECONDS",
        default_value = "60",
        value_parser = value_parser!(u64).range(1..=86_400)
    )]
    pub(crate) audit_checkpoint_time: u64,
}

impl AuditPolicyArgs {
    /// Puts them in force.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        settings.audit_all = self.audit_all;
        settings.checkpoints = CheckpointPolicy {
            rows: self.audit_checkpoint_rows,
            time: Duration::from_secs(self.audit_checkpoint_time),
        };
    }
}

/// `pqc audit`.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(subcommand)]
    pub(crate) verb: AuditVerb,
}

/// What is done with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// Find what was removed, changed, put elsewhere or added; exit status 1 if anything was
    ///
    /// Needs no store and no master key to verify an export. Rows at the end of a chain that no
    /// checkpoint covers yet are counted: only those could be cut off or added unseen.
    #[command(after_help = "Example:\n  pqc audit verify audit.jsonl --key audit.key --against \
                            checkpoint.json")]
    Verify {
        /// An export; without it, the store itself
        export: Option<PathBuf>,
        /// The public key of checkpoints, as `pqc audit key` prints it [default: as the log says]
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Checkpoints that were kept elsewhere, or an earlier export: the log must have them
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Print the whole log as lines of JSON
    #[command(after_help = "Example:\n  pqc audit export > audit.jsonl")]
    Export,
    /// Sign a checkpoint that binds all before it, and print it, to be kept elsewhere
    ///
    /// The newest rows of a running server are covered when it signs next, within
    /// audit_checkpoint_time.
    #[command(after_help = "Example:\n  pqc audit checkpoint > checkpoint.json")]
    Checkpoint,
    /// Print the public key of checkpoints in hex, which auditors pin
    #[command(after_help = "Example:\n  pqc audit key > audit.key")]
    Key,
}
