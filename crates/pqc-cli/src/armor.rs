//! Armor: an encrypted file as text (base64 between two lines, RFC 7468), of any length, piece by
//! piece.

use std::io::{self, BufRead, ErrorKind, Read, Write};

use base64::engine::general_purpose::STANDARD;
use base64::read::DecoderReader;
use base64::write::EncoderWriter;
use pqc_core::envelope::{ARMOR_BEGIN as BEGIN, ARMOR_END as END};

/// Writes bytes as armor to an inner writer. [`Self::finish`] ends it.
pub(crate) struct ArmoringWriter<W: Write>(
    EncoderWriter<'static, base64::engine::GeneralPurpose, Lines<W>>,
);

impl<W: Write> ArmoringWriter<W> {
    /// Begins with the first line.
    ///
    /// # Errors
    /// Those of `inner`.
    pub(crate) fn new(mut inner: W) -> io::Result<Self> {
        writeln!(inner, "{BEGIN}")?;
        Ok(Self(EncoderWriter::new(Lines { inner, column: 0 }, &STANDARD)))
    }

    /// Writes the last line, and gives the inner writer back.
    ///
    /// # Errors
    /// Those of the inner writer.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        let Lines { mut inner, column } = self.0.finish()?;
        let end_of_line = if column > 0 { "\n" } else { "" };
        writeln!(inner, "{end_of_line}{END}")?;
        Ok(inner)
    }
}

impl<W: Write> Write for ArmoringWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        // What is not yet a group of three bytes has to wait.
        Ok(())
    }
}

/// Cuts text into lines.
struct Lines<W> {
    inner: W,
    column: usize,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut wrapped = Vec::with_capacity(text.len() + text.len() / LINE + 2);
        let mut rest = text;
        while !rest.is_empty() {
            if self.column == LINE {
                wrapped.push(b'\n');
                self.column = 0;
            }
            let (line, behind) = rest.split_at(rest.len().min(LINE - self.column));
            wrapped.extend_from_slice(line);
            self.column += line.len();
            rest = behind;
        }
        self.inner.write_all(&wrapped)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Reads what an inner reader has, armored or not: the first bytes tell.
///
/// # Errors
/// Those of `inner`.
pub(crate) fn reader<R: BufRead + Send + 'static>(
    mut inner: R,
) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::with_capacity(BEGIN.len());
    inner.by_ref().take(BEGIN.len() as u64).read_to_end(&mut first)?;
    if first != BEGIN.as_bytes() {
        return Ok(Box::new(io::Cursor::new(first).chain(inner)));
    }
    let mut body = Body { inner, line: Vec::new(), at: 0, is_ended: false };
    body.next_line()?;
    if !body.line.is_empty() {
        return Err(broken("something stands in its first line"));
    }
    Ok(Box::new(DecoderReader::new(body, &STANDARD)))
}

/// The base64 between the two lines, without its ends of lines.
struct Body<R> {
    inner: R,
    line: Vec<u8>,
    at: usize,
    is_ended: bool,
}

impl<R: BufRead> Body<R> {
    fn next_line(&mut self) -> io::Result<()> {
        self.line.clear();
        self.at = 0;
        self.inner.by_ref().take(MAX_LINE).read_until(b'\n', &mut self.line)?;
        let is_whole = self.line.ends_with(b"\n");
        let text = self.line.trim_ascii_end().len();
        if self.line.is_empty() || (!is_whole && self.line.len() as u64 == MAX_LINE) {
            return Err(broken("it ends before its last line, or a line is too long"));
        }
        self.line.truncate(text);
        if self.line == END.as_bytes() {
            self.line.clear();
            self.is_ended = true;
            let mut behind = Vec::new();
            self.inner.by_ref().take(MAX_LINE).read_to_end(&mut behind)?;
            if behind.len() as u64 == MAX_LINE || !behind.trim_ascii().is_empty() {
                return Err(broken("something stands behind its last line"));
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.line.len() && !self.is_ended && !buffer.is_empty() {
            self.next_line()?;
        }
        let count = self.line.get(self.at..).unwrap_or_default().read(buffer)?;
        self.at += count;
        Ok(count)
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the armor is broken: {why}"))
}

/// Characters in a line (RFC 7468, Section 2).
const LINE: usize = 64;
const MAX_LINE: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn armored(bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut writer = ArmoringWriter::new(Vec::new()).unwrap();
        for part in bytes.chunks(piece) {
            writer.write_all(part).unwrap();
        }
        writer.finish().unwrap()
    }

    fn read(text: &[u8]) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        reader(io::Cursor::new(text.to_vec()))?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    proptest! {
        #[test]
        fn what_is_armored_is_read_however_it_was_cut(
            bytes in prop::collection::vec(any::<u8>(), 0..500),
            piece in 1_usize..200,
        ) {
            let text = armored(&bytes, piece);
            prop_assert!(text.split(|byte| *byte == b'\n').all(|line| line.len() <= LINE));
            prop_assert_eq!(&read(&text).unwrap(), &bytes);
            let windows = String::from_utf8(text).unwrap().replace('\n', "\r\n");
            prop_assert_eq!(&read(windows.as_bytes()).unwrap(), &bytes);
            prop_assert_eq!(&read(&bytes).unwrap(), &bytes, "not armored");
        }
    }

    #[test]
    fn broken_armor_is_refused() {
        let text = String::from_utf8(armored(&[7; 100], 100)).unwrap();
        let cut = text.strip_suffix(&format!("{END}\n")).unwrap();
        let long = format!("{BEGIN}\n{}\n{END}\n", "BwcH".repeat(300));
        for broken in [
            cut,
            &text.replace("Bwc", "B-c"),
            &format!("{text}more"),
            &format!("{text}{}more", "\n".repeat(2000)),
            &text[..70],
            BEGIN,
            &text.replacen('\n', "BwcH\n", 1),
            &long,
        ] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(read(text.trim_end().as_bytes()).is_ok(), "without the last end of line");
        assert!(read(format!("{text}\n \n").as_bytes()).is_ok());
    }
}
