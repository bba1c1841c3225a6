//! The verbs that tell about the others.

use std::path::PathBuf;

use clap_complete::Shell;

/// `pqc completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// bash, zsh, fish, elvish or powershell
    pub(crate) shell: Shell,
}

/// `pqc man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Write the pages of all verbs into this folder
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
}

/// `pqc help`.
#[derive(Debug, clap::Args)]
pub(crate) struct HelpArgs {
    /// A verb, such as token temp; or a topic: custody, files, issuer, json or tokens
    #[arg(value_name = "VERB OR TOPIC")]
    pub(crate) words: Vec<String>,
}

/// `pqc bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Measure another implementation beside ours: reference (RustCrypto)
    #[arg(long, value_name = "BACKEND")]
    pub(crate) against: Option<Against>,
    /// For each operation, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200)]
    pub(crate) time: u64,
}

/// Another implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Against {
    Reference,
}
