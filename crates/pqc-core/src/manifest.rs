//! A list of files with their SHA-256 (FIPS 180-4), in the form of GNU `sha256sum`: what is signed
//! where many files are signed at once. Nothing here reads a file.
//!
//! A line for each file: the hash in 64 hex digits, two blanks, the name, a line feed. In place of the
//! second blank there may be an asterisk. A name with a backslash, a line feed or a carriage return is
//! written with `\\`, `\n` and `\r` for these, and its line begins with a backslash.
//!
//! SHA-256 stands there because `sha256sum -c` reads it everywhere. Who may choose two files finds two
//! with one hash in 2¹²⁸ steps, which is NIST's category 2: a key of a higher one does not make a
//! manifest stronger. To find another file for a hash that is there takes 2²⁵⁶.

use alloc::vec::Vec;

/// A list of at least one file.
///
/// ```
/// use pqc_core::manifest::{Entry, Manifest};
/// let entry = Entry { name: b"back\\slash".to_vec(), sha256: [0xab; 32] };
/// let manifest = Manifest::new(vec![entry]).expect("there is a file");
/// let text = manifest.to_bytes();
/// assert_eq!(text, format!("\\{}  back\\\\slash\n", "ab".repeat(32)).into_bytes());
/// assert_eq!(Manifest::parse(&text)?, manifest);
/// assert_eq!(Manifest::parse(b"no hash  name\n").unwrap_err().line(), 1);
/// # Ok::<(), pqc_core::manifest::NotAManifest>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
}

/// A file of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name: any bytes but none.
    pub name: Vec<u8>,
    /// The hash of its bytes.
    pub sha256: [u8; 32],
}

/// A line is none of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not one of a manifest: 64 hex digits, two blanks and a name")]
pub struct NotAManifest {
    line: usize,
}

impl NotAManifest {
    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }
}

impl Manifest {
    /// Of these files, in this order; `None` if there are none, or one without a name.
    #[must_use]
    pub fn new(entries: Vec<Entry>) -> Option<Self> {
        let is_whole = !entries.is_empty() && entries.iter().all(|entry| !entry.name.is_empty());
        is_whole.then_some(Self { entries })
    }

    /// Reads the text form; the last line feed may be missing.
    ///
    /// # Errors
    /// [`NotAManifest`]: a line has another form, or there is none.
    pub fn parse(text: &[u8]) -> Result<Self, NotAManifest> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let entries = text
            .split(|byte| *byte == b'\n')
            .zip(1..)
            .map(|(text, line)| Entry::parse(text).ok_or(NotAManifest { line }))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { entries })
    }

    /// The text form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for Entry { name, sha256 } in &self.entries {
            if name.iter().any(|byte| escape(*byte).is_some()) {
                text.push(b'\\');
            }
            text.extend_from_slice(hex::encode(sha256).as_bytes());
            text.extend_from_slice(b"  ");
            for byte in name {
                match escape(*byte) {
                    Some(letter) => text.extend_from_slice(&[b'\\', letter]),
                    None => text.push(*byte),
                }
            }
            text.push(b'\n');
        }
        text
    }

    /// The files, in their order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

impl Entry {
    fn parse(line: &[u8]) -> Option<Self> {
        let (line, is_escaped) = match line.strip_prefix(b"\\") {
            Some(line) => (line, true),
            None => (line, false),
        };
        let (digits, rest) = line.split_at_checked(64)?;
        let mut sha256 = [0; 32];
        hex::decode_to_slice(digits, &mut sha256).ok()?;
        let name = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"))?;
        let name = if is_escaped { unescaped(name)? } else { name.to_vec() };
        (!name.is_empty()).then_some(Self { name, sha256 })
    }
}

/// What stands behind a backslash for this byte, if it does not stand for itself.
fn escape(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        b'\n' => Some(b'n'),
        b'\r' => Some(b'r'),
        _ => None,
    }
}

fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = name.iter();
    let mut plain = Vec::with_capacity(name.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use super::*;

    fn hash(digits: &str) -> String {
        digits.repeat(32)
    }

    fn names(text: &str) -> Result<Vec<Vec<u8>>, usize> {
        let parsed = Manifest::parse(text.as_bytes()).map_err(|error| error.line())?;
        Ok(parsed.entries.into_iter().map(|entry| entry.name).collect())
    }

    #[test]
    fn lines_are_read_as_sha256sum_writes_them() {
        let (a, upper) = (hash("0a"), hash("0A"));
        let one = |line: String| names(&line).map(|names| names.concat());
        assert_eq!(one(format!("{a}  name\n")).unwrap(), b"name");
        assert_eq!(one(format!("{upper} *name")).unwrap(), b"name");
        assert_eq!(one(format!("{a}   two blanks \n")).unwrap(), b" two blanks ");
        assert_eq!(one(format!("\\{a}  a\\\\b\\nc\\rd\n")).unwrap(), b"a\\b\nc\rd");
        // Another program's, which escapes nothing.
        assert_eq!(one(format!("{a}  a\\b\n")).unwrap(), b"a\\b");
        assert_eq!(names(&format!("{a}  x\n{a}  y\n")).unwrap(), [b"x", b"y"]);
    }

    #[test]
    fn other_lines_are_refused_with_their_number() {
        let a = hash("0a");
        let good = format!("{a}  name\n");
        for bad in [
            "".into(),
            format!("{a}  "),
            format!("{a} name"),
            format!("{a}\tname"),
            format!("{}  name", &a[1..]),
            format!("{}g  name", &a[1..]),
            format!("# {a}  name"),
            format!("\\{a}  a\\x"),
            format!("\\{a}  a\\"),
        ] {
            assert_eq!(names(&bad), Err(1), "{bad}");
            assert_eq!(names(&format!("{good}{bad}\n{good}")), Err(2), "{bad}");
        }
        assert!(Manifest::new(vec![]).is_none());
        assert!(Manifest::new(vec![Entry { name: vec![], sha256: [0; 32] }]).is_none());
    }

    #[test]
    fn any_name_is_read_as_it_was_written() {
        for byte in 0..=255 {
            for name in [vec![byte], vec![b'a', byte], vec![byte, byte, b'\\', byte]] {
                let entries = vec![Entry { name, sha256: [byte; 32] }; 2];
                let manifest = Manifest::new(entries).unwrap();
                assert_eq!(Manifest::parse(&manifest.to_bytes()), Ok(manifest));
            }
        }
    }
}
