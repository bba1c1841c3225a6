//! What a stream begins with: which key sealed it, and what its own key is derived from.

use crate::error::{Error, Field};

/// What a stream begins with: 82 bytes. Not secret.
///
/// ```
/// use pqc_core::{Error, Secret, StreamHeader, StreamKey};
/// let key = StreamKey::from_caller(&Secret::generate(&mut getrandom::SysRng)?);
/// let stream = key.seal(b"text", b"", &mut getrandom::SysRng)?;
/// let (header, chunks) = StreamHeader::split_from(&stream)?;
/// assert_eq!((header.as_bytes().len(), chunks.len()), (82, 4 + 16));
/// assert_eq!(StreamHeader::from_bytes(*header.as_bytes())?, header);
/// assert_eq!(header.key_id(), None); // a caller's key
/// assert!(matches!(StreamHeader::split_from(&stream[..81]), Err(Error::Malformed { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHeader(pub(super) [u8; Self::BYTES]);

impl StreamHeader {
    /// The length in bytes.
    pub const BYTES: usize = HEAD_BYTES + SALT_BYTES + COMMITMENT_BYTES;

    /// Reads a header of a known version and algorithm. [`StreamOpener::new`](super::StreamOpener::new) authenticates it.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`]: another version or algorithm.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Result<Self, Error> {
        if !bytes.starts_with(&START) {
            return Err(Error::UnknownFormat { field: Field::StreamHeader });
        }
        Ok(Self(bytes))
    }

    /// Reads the header that `stream` begins with; the chunks are what follows.
    ///
    /// # Errors
    /// [`Error::Malformed`]: too short. [`Error::UnknownFormat`]: another version or algorithm.
    pub fn split_from(stream: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (header, chunks) = stream.split_first_chunk().ok_or(Error::Malformed {
            field: Field::StreamHeader,
            expected: "82 bytes: version, algorithm, key id, salt, commitment",
        })?;
        Ok((Self::from_bytes(*header)?, chunks))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The account key that sealed the stream; `None` for a caller's key.
    #[must_use]
    pub fn key_id(&self) -> Option<[u8; 16]> {
        let id = self.0.get(START.len()..)?.first_chunk()?;
        (*id != [0; 16]).then_some(*id)
    }

    pub(super) fn salt(&self) -> Option<&[u8; SALT_BYTES]> {
        self.0.get(HEAD_BYTES..)?.first_chunk()
    }
}

const FORMAT_VERSION: u8 = 1;
/// STREAM over AES-256-GCM. XAES-256-GCM, as in boxes, is 1: none is taken for the other.
const STREAM_AES_256_GCM: u8 = 2;
/// What every header starts with; the key id follows.
pub(super) const START: [u8; 2] = [FORMAT_VERSION, STREAM_AES_256_GCM];
pub(super) const HEAD_BYTES: usize = START.len() + 16;
pub(super) const SALT_BYTES: usize = 32;
const COMMITMENT_BYTES: usize = 32;
