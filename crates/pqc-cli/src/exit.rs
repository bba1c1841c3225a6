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

/// What a person is told in the place of an error that stands beneath it: [`Detail::Chain`] shows that too.
#[derive(Debug, thiserror::Error)]
#[error("{line}")]
pub(crate) struct Told {
    pub(crate) line: String,
    /// Whether the operation said no.
    pub(crate) is_no: bool,
}

/// How much is said of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// One line.
    Line,
    /// And a line for each cause beneath it.
    Chain,
}

/// Whoever read our output has gone away, and wants no more of it.
#[derive(Debug, thiserror::Error)]
#[error("the output was closed")]
pub(crate) struct OutputClosed;

/// Whoever read our output has gone away before it was whole: it may have missed a signature that is
/// not right.
#[derive(Debug, thiserror::Error)]
#[error("the output was closed before its end")]
pub(crate) struct OutputCut;

/// Says on stderr what went wrong, and gives the status.
pub(crate) fn report(error: &anyhow::Error, detail: Detail) -> Exit {
    if error.is::<OutputClosed>() {
        return Exit::Done;
    }
    if error.is::<OutputCut>() {
        return Exit::Signal(128 + 13); // SIGPIPE
    }
    output::note(format_args!("pqc: {}", in_words(error, detail)));
    status(error)
}

fn in_words(error: &anyhow::Error, detail: Detail) -> String {
    let told = error.downcast_ref::<Told>().map(ToString::to_string);
    let mut line: Vec<_> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        let is_told = told.as_ref() == Some(&cause);
        line.push(cause);
        if is_told {
            break; // It says all that is beneath.
        }
    }
    let mut words = one_line(&line.join(": "));
    if detail == Detail::Chain {
        for cause in error.chain().skip(1) {
            words.push_str("\n  by: ");
            words.push_str(&one_line(&cause.to_string()));
        }
    }
    words
}

fn status(error: &anyhow::Error) -> Exit {
    if error.is::<Refused>() {
        return Exit::No;
    }
    if let Some(told) = error.downcast_ref::<Told>() {
        return if told.is_no { Exit::No } else { Exit::Bad };
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

/// The words in one line. Names of files may hold anything: nothing of them shall steer a terminal.
fn one_line(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    output::harmless(&lines.join(" "))
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
    fn a_chain_is_shown_where_it_is_asked_for() {
        let error = anyhow::anyhow!("reset\nby peer").context("no answer");
        assert_eq!(in_words(&error, Detail::Line), "no answer: reset by peer");
        assert_eq!(
            in_words(&error, Detail::Chain),
            "no answer: reset by peer\n  by: reset by peer"
        );
        let told = |is_no| error_of_a_server().context(Told { line: "try later".into(), is_no });
        assert_eq!(in_words(&told(false), Detail::Line), "try later");
        assert_eq!(in_words(&told(false), Detail::Chain), "try later\n  by: 503\n  by: overload");
        let of_a_file = told(false).context("ca.pem");
        assert_eq!(in_words(&of_a_file, Detail::Line), "ca.pem: try later");
        assert_eq!((status(&told(false)), status(&told(true))), (Exit::Bad, Exit::No));
    }

    fn error_of_a_server() -> anyhow::Error {
        anyhow::anyhow!("overload").context("503")
    }

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(one_line("first\n  |\n1 | second\n"), "first | 1 | second");
        assert_eq!(one_line("no \u{1b}[2J file"), r"no \u{1b}[2J file");
    }
}
