//! `pqc inspect`, as it is typed.

use std::path::PathBuf;

/// `pqc inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// What to look at; - is stdin
    pub(crate) file: PathBuf,
}
