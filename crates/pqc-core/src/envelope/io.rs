//! Envelopes over the `Read` and `Write` of std; with the feature `std`.

use alloc::vec::Vec;
use std::io::{self, Read, Write};

use rand_core::TryCryptoRng;

use super::{EnvelopeHeader, EnvelopeKey, Opener, Recipients};
use crate::error::Error;
use crate::stream::{OpeningReader, SealingWriter};

/// Seals what is written into an inner writer, for these recipients. The header goes out with what
/// is written first; [`SealingWriter::finish`] ends the envelope.
///
/// ```
/// use std::io::{Read, Write};
/// use pqc_core::envelope::{self, Opener, Recipients};
/// use pqc_core::{DecapsulationKey, KemAlgorithm};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let rng = &mut getrandom::SysRng;
/// let receiver = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
/// let keys = [receiver.encapsulation_key()];
/// let mut writer = envelope::writer(Vec::new(), &Recipients::Keys(&keys), b"backup 7", rng)?;
/// writer.write_all(b"a text of any length")?;
/// let file = writer.finish()?;
///
/// let mut reader = envelope::reader(file.as_slice(), &Opener::Key(&receiver), b"backup 7")?;
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "a text of any length");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of [`EnvelopeHeader::seal`].
pub fn writer<W: Write>(
    inner: W,
    recipients: &Recipients<'_>,
    associated_data: &[u8],
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<SealingWriter<W>, Error> {
    let (header, key) = EnvelopeHeader::seal(recipients, rng)?;
    let data = key.bound_data(associated_data);
    SealingWriter::behind(header.as_bytes(), inner, &key.stream_key, &data, rng)
}

/// Opens an envelope from an inner reader, which begins with it and ends with it. It comes to an end
/// (reads 0 bytes) only where the last chunk has opened: see [`OpeningReader`].
///
/// # Errors
/// Those of `inner`. Of the core, as [`io::Error`], those of [`EnvelopeHeader::read_from`],
/// [`EnvelopeHeader::open`] and [`EnvelopeKey::reader`].
pub fn reader<R: Read>(
    mut inner: R,
    opener: &Opener<'_>,
    associated_data: &[u8],
) -> io::Result<OpeningReader<R>> {
    let header = EnvelopeHeader::read_from(&mut inner)?;
    header.open(opener)?.reader(inner, associated_data)
}

impl EnvelopeHeader {
    /// Reads the header that `inner` begins with, and not a byte behind it. With the feature `std`.
    ///
    /// ```
    /// use std::io::Read;
    /// use pqc_core::envelope::{self, EnvelopeHeader, Opener, Recipients};
    /// use pqc_core::PassphraseParameters;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let rng = &mut getrandom::SysRng;
    /// let parameters = PassphraseParameters::generate(rng)?;
    /// let recipients = Recipients::Passphrase(b"a longer sentence", parameters);
    /// let file = envelope::seal(b"a text", &recipients, b"", rng)?;
    ///
    /// let mut inner = file.as_slice();
    /// let header = EnvelopeHeader::read_from(&mut inner)?;
    /// assert!(header.passphrase_parameters().is_some()); // so it is asked for
    /// let key = header.open(&Opener::Passphrase(b"a longer sentence"))?;
    /// let mut text = String::new();
    /// key.reader(inner, b"")?.read_to_string(&mut text)?;
    /// assert_eq!(text, "a text");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `inner`. Of the core, as [`io::Error`], those of [`Self::split_from`].
    pub fn read_from(inner: &mut impl Read) -> io::Result<Self> {
        Self::read_by(|bytes: &mut Vec<u8>, count| {
            inner.by_ref().take(count as u64).read_to_end(bytes).map(|_| ())
        })
    }
}

impl EnvelopeKey {
    /// Opens the stream from an inner reader, which begins behind the header that gave this key.
    /// With the feature `std`.
    ///
    /// # Errors
    /// As [`OpeningReader::new`]. [`Error::EnvelopeSigning`], as [`io::Error`]: the envelope is signed:
    /// [`Self::signed_reader`] is for it.
    pub fn reader<R: Read>(
        &self,
        inner: R,
        associated_data: &[u8],
    ) -> io::Result<OpeningReader<R>> {
        self.check_unsigned()?;
        OpeningReader::new(inner, &self.stream_key, &self.bound_data(associated_data))
    }
}
