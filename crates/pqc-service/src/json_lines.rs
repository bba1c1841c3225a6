//! Lines of JSON, one value each: what backups and exports of the audit log are made of.

use std::io::{self, BufRead, Read};

use serde::Serialize;

/// A value with the line's end.
pub(crate) fn write(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads a line of at most so many bytes with its end; an empty one is the end of the file.
///
/// # Errors
/// Those of the file; [`io::ErrorKind::InvalidData`]: the line has no end.
pub(crate) fn read(from: &mut impl BufRead, most: u64) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    from.take(most).read_until(b'\n', &mut line)?;
    match line.last() {
        None | Some(b'\n') => Ok(line),
        Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "a line has no end")),
    }
}
