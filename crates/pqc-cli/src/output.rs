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

    /// Begins a list: in JSON the members of `head`, an object, and then the rows as `name`.
    ///
    /// # Errors
    /// As [`Self::show`].
    pub(crate) fn listing<const N: usize>(
        self,
        head: &impl Serialize,
        name: &str,
        heads: [&str; N],
    ) -> anyhow::Result<Listing<N>> {
        if self == Self::Json {
            let head = serde_json::to_string(head)?;
            let head = head.strip_suffix('}').unwrap_or(&head);
            written(write!(io::stdout().lock(), "{head},\"{name}\":["))?;
        }
        let heads = Some(heads.map(str::to_owned));
        Ok(Listing { output: self, widths: [0; N], heads, is_begun: false })
    }

    fn write_to(self, out: &mut dyn Write, result: &(impl Human + Serialize)) -> io::Result<()> {
        match self {
            // Names of files and labels may hold anything.
            Self::Text => {
                let mut text = Zeroizing::new(Vec::new());
                result.write(&mut *text)?;
                for line in String::from_utf8_lossy(&text).lines() {
                    writeln!(out, "{}", *Zeroizing::new(harmless(line)))?;
                }
            }
            Self::Json => {
                serde_json::to_writer(&mut *out, result)?;
                writeln!(out)?;
            }
        }
        out.flush()
    }
}

/// A line of a list, in words. Its JSON is its `Serialize`.
pub(crate) trait Row<const N: usize>: Serialize {
    /// A cell for each column.
    fn cells(&self) -> [String; N];
}

/// A list that is written page by page: a table whose columns grow where they must, or one JSON
/// object.
#[derive(Debug)]
pub(crate) struct Listing<const N: usize> {
    output: Output,
    widths: [usize; N],
    /// The heads, until the first page is there to say how wide they are.
    heads: Option<[String; N]>,
    /// Of a JSON object: whether an element stands before the next.
    is_begun: bool,
}

impl<const N: usize> Listing<N> {
    /// Writes the next rows.
    ///
    /// # Errors
    /// As [`Output::show`].
    pub(crate) fn page(&mut self, rows: &[impl Row<N>]) -> anyhow::Result<()> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = match self.output {
            Output::Text => {
                let cells: Vec<_> =
                    self.heads.take().into_iter().chain(rows.iter().map(Row::cells)).collect();
                write_aligned(&mut out, &mut self.widths, &cells)
            }
            Output::Json => self.write_elements(&mut out, rows),
        };
        self::written(written.and_then(|()| out.flush()))
    }

    /// Writes what comes after the last row.
    ///
    /// # Errors
    /// As [`Output::show`].
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let written = match self.output {
            Output::Text => {
                let heads = self.heads.take();
                write_aligned(&mut out, &mut self.widths, heads.as_slice())
            }
            Output::Json => writeln!(out, "]}}"),
        };
        self::written(written.and_then(|()| out.flush()))
    }

    fn write_elements(&mut self, out: &mut dyn Write, rows: &[impl Serialize]) -> io::Result<()> {
        for row in rows {
            if std::mem::replace(&mut self.is_begun, true) {
                out.write_all(b",")?;
            }
            serde_json::to_writer(&mut *out, row)?;
        }
        Ok(())
    }
}

/// Says something beside the result. Nothing is lost when nobody listens.
pub(crate) fn note(text: fmt::Arguments<'_>) {
    // In one piece, so that lines of other threads do not come between. May hold a first token.
    let line = Zeroizing::new(format!("{text}\n"));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// The text without what steers a terminal: control characters, and those that turn the direction of
/// writing, are shown by their numbers.
pub(crate) fn harmless(text: &str) -> String {
    let steers = |char: char| {
        char.is_control()
            || matches!(char, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_debug());
        } else if steers(char) {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    shown
}

/// Writes rows in aligned columns, the first row being the heads.
pub(crate) fn write_table<const N: usize>(
    out: &mut dyn Write,
    rows: &[[String; N]],
) -> io::Result<()> {
    write_aligned(out, &mut [0; N], rows)
}

/// Writes rows in columns that are at least as wide as `widths`, which it brings up to date.
fn write_aligned<const N: usize>(
    out: &mut dyn Write,
    widths: &mut [usize; N],
    rows: &[[String; N]],
) -> io::Result<()> {
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
        writeln!(out, "{}", harmless(line.trim_end()))?;
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
    fn nothing_steers_a_terminal() {
        assert_eq!(harmless("zażółć 1\u{1b}[2J\u{202e}txt.\n"), r"zażółć 1\u{1b}[2J\u{202e}txt.\n");
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_errors() {
        let closed = written(Err(io::ErrorKind::BrokenPipe.into())).unwrap_err();
        assert!(closed.is::<OutputClosed>());
        let full = written(Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(!full.is::<OutputClosed>());
    }
}
