//! What a person or a program reads: results on stdout, as text or as one JSON object; all else on
//! stderr.

use std::fmt;
use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::exit::OutputClosed;

/// A result in words. Its JSON is its `Serialize`.
pub(crate) trait Human {
    /// Writes the result for a person.
    fn write(&self, out: &mut dyn Write) -> io::Result<()>;
}

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// For a person.
    Text,
    /// For a program: one object on one line.
    Json,
}

impl Output {
    /// Writes a result and flushes it.
    ///
    /// # Errors
    /// [`OutputClosed`]: nobody reads any more. Otherwise stdout cannot be written.
    pub(crate) fn show(self, result: &(impl Human + Serialize)) -> anyhow::Result<()> {
        written(self.write_to(&mut io::stdout().lock(), result))
    }

    /// Writes a result that holds a secret which is nowhere else: not to have written it is an
    /// error, with what there is to do.
    ///
    /// # Errors
    /// Stdout cannot be written, or nobody reads it.
    pub(crate) fn show_once(
        self,
        result: &(impl Human + Serialize),
        remedy: &str,
    ) -> anyhow::Result<()> {
        self.write_to(&mut io::stdout().lock(), result)
            .with_context(|| format!("done, but the token could not be shown: {remedy}"))
    }

    /// Writes a line for a person; in JSON there is none.
    ///
    /// # Errors
    /// As [`Self::show`].
    pub(crate) fn line(self, text: fmt::Arguments<'_>) -> anyhow::Result<()> {
        match self {
            Self::Text => written(writeln!(io::stdout().lock(), "{text}")),
            Self::Json => Ok(()),
        }
    }

    fn write_to(self, out: &mut dyn Write, result: &(impl Human + Serialize)) -> io::Result<()> {
        match self {
            Self::Text => result.write(out)?,
            Self::Json => {
                serde_json::to_writer(&mut *out, result)?;
                writeln!(out)?;
            }
        }
        out.flush()
    }
}

/// Writes a piece of a result that is too long to hold.
///
/// # Errors
/// As [`Output::show`].
pub(crate) fn piece(piece: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(piece).and_then(|()| out.flush()))
}

/// Says something beside the result. Nothing is lost when nobody listens.
pub(crate) fn note(text: fmt::Arguments<'_>) {
    // In one piece, so that lines of other threads do not come between. May hold a first token.
    let line = Zeroizing::new(format!("{text}\n"));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// Writes rows in aligned columns, the first row being the heads.
pub(crate) fn write_table<const N: usize>(
    out: &mut dyn Write,
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn written(done: io::Result<()>) -> anyhow::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(OutputClosed.into()),
        done => done.context("cannot write to stdout"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut out = Vec::new();
        let rows = [["NAME", "ID"], ["zażółć", "1"], ["b", ""]].map(|row| row.map(str::to_owned));
        write_table(&mut out, &rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NAME    ID\nzażółć  1\nb\n");
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_errors() {
        let closed = written(Err(io::ErrorKind::BrokenPipe.into())).unwrap_err();
        assert!(closed.is::<OutputClosed>());
        let full = written(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(!full.is::<OutputClosed>());
    }
}
