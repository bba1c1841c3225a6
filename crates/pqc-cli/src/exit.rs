//! How a run ends: one status for each kind of outcome, and one line for each error.

use std::process::ExitCode;

use pqc_service::Error;

use crate::output;
use crate::signals::Stopped;

/// The exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done.
    Done,
    /// 1: the operation says no.
    No,
    /// 2: bad usage, bad input, or a store or key that cannot be used.
    Bad,
    /// 128 and the number of the signal that ended it.
    Signal(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::No => Self::from(1),
            Exit::Bad => Self::from(2),
            Exit::Signal(status) => Self::from(status),
        }
    }
}

/// The operation says no, for this reason.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// Whoever read our output has gone away, and wants no more of it.
#[derive(Debug, thiserror::Error)]
#[error("the output was closed")]
pub(crate) struct OutputClosed;

/// Says on one line of stderr what went wrong, and gives the status.
pub(crate) fn report(error: &anyhow::Error) -> Exit {
    if error.is::<OutputClosed>() {
        return Exit::Done;
    }
    output::note(format_args!("pqc: {}", one_line(&format!("{error:#}"))));
    status(error)
}

fn status(error: &anyhow::Error) -> Exit {
    if error.is::<Refused>() {
        return Exit::No;
    }
    if let Some(stopped) = error.downcast_ref::<Stopped>() {
        return Exit::Signal(stopped.status());
    }
    match error.downcast_ref::<Error>() {
        Some(
            Error::Unauthorized(_)
            | Error::OutOfScope
            | Error::CustodyForbids
            | Error::QuotaFull { .. }
            | Error::UnknownKey
            | Error::UnknownToken
            | Error::UnknownAccount { .. }
            | Error::AccountExists { .. },
        ) => Exit::No,
        // The input, the store, the master key, or something without a type of ours.
        _ => Exit::Bad,
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn each_kind_of_error_has_its_status() {
        let no = [
            Error::Unauthorized(pqc_core::token::Refusal::Spent),
            Error::OutOfScope,
            Error::CustodyForbids,
            Error::QuotaFull { what: "key", most: 1 },
            Error::UnknownKey,
            Error::UnknownToken,
            Error::UnknownAccount { name: "a".into() },
            Error::AccountExists { name: "a".into() },
        ];
        for error in no {
            assert_eq!(status(&error.into()), Exit::No);
        }
        let bad = [
            Error::BadName { what: "label", expected: "short" },
            Error::Core(pqc_core::Error::Randomness),
            Error::WrongMasterKey,
            Error::NewerSchema { found: 2, known: 1 },
            Error::Corrupt { what: "a row" },
            Error::Unavailable("gone".into()),
            Error::OutcomeUnknown("gone".into()),
            Error::Internal { what: "a task" },
        ];
        for error in bad {
            assert_eq!(status(&error.into()), Exit::Bad);
        }
        assert_eq!(status(&Refused("no".into()).into()), Exit::No);
        assert_eq!(status(&anyhow::anyhow!("no such file")), Exit::Bad);
    }

    #[test]
    fn context_does_not_hide_the_status() {
        let error = Err::<(), _>(Error::UnknownKey).context("minting").unwrap_err();
        assert_eq!(status(&error), Exit::No);
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(one_line("first\n  |\n1 | second\n"), "first | 1 | second");
    }
}
