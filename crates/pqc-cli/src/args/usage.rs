//! `pqc usage`, as it is typed.

use pqc_service::usage::{Day, UsageBy};

use super::{AccountName, StoreArgs};

/// `pqc usage`.
#[derive(Debug, clap::Args)]
pub(crate) struct UsageArgs {
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    #[command(flatten)]
    pub(crate) account: AccountName,
    /// From this day on, in UTC, such as 2026-11-01 [default: the first of this month]
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<Day>,
    /// To the end of this day [default: today]
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<Day>,
    /// What is added up beside the operation: day, month, token or label
    #[arg(long, value_name = "WHAT", default_value = UsageBy::Day.name(), value_parser = UsageBy::from_name)]
    pub(crate) by: UsageBy,
}
