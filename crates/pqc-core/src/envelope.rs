//! A file for its recipients: a header that wraps one file key for each, then a [`stream`].
//!
//! In the manner of age: a random file key, and a stanza for each recipient, which encapsulates to
//! the recipient's key (ML-KEM, FIPS 203, or X-Wing) and seals the file key under what comes of it;
//! or one stanza alone, for a passphrase (Argon2id, RFC 9106). The stream is bound to the whole
//! header: where a stanza was altered, added or taken away, or comes from another file, nothing
//! opens. The ids of the recipients' keys stand in the header for all to see. Who sealed it is not
//! known (whoever has a recipient's public key can), unless it is signed: with the feature `std`,
//! `signing_writer`. `docs/formats.md` has the bytes.
//!
//! Nothing of the text appears before its chunk is authenticated. That the file is whole is known
//! only when its last chunk has opened: until then a reader has a true beginning, no more.
//!
//! [`seal`] and [`open`] work in memory; with the feature `std`, `writer` and `reader` over another
//! `Write` and `Read`. [`EnvelopeHeader`] and [`EnvelopeKey`] are what these are made of: by them
//! a program looks at whom an envelope is for before it asks for a key, and does its own I/O.
//!
//! ```
//! use pqc_core::envelope::{self, Opener, Recipients};
//! use pqc_core::{DecapsulationKey, Error, KemAlgorithm};
//! # let rng = &mut getrandom::SysRng;
//! let alice = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
//! let bob = DecapsulationKey::generate(KemAlgorithm::MlKem1024, rng)?;
//! let keys = [alice.encapsulation_key(), bob.encapsulation_key()];
//! let file = envelope::seal(b"a text", &Recipients::Keys(&keys), b"its purpose", rng)?;
//!
//! for key in [&alice, &bob] {
//!     let text = envelope::open(&file, &Opener::Key(key), b"its purpose")?;
//!     assert_eq!(text.expose_bytes(), b"a text");
//! }
//! let eve = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
//! let refused = envelope::open(&file, &Opener::Key(&eve), b"its purpose").unwrap_err();
//! assert_eq!(refused, Error::NotARecipient);
//! # Ok::<(), Error>(())
//! ```
//!
//! [`stream`]: crate::stream

mod header;
#[cfg(feature = "std")]
mod io;
#[cfg(feature = "std")]
mod signed;
mod stanza;

use alloc::vec::Vec;
use core::fmt;

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::kem::{DecapsulationKey, EncapsulationKey};
use crate::passphrase::PassphraseParameters;
use crate::secret::{Secret, SecretVec};
use crate::sign::SignatureAlgorithm;
use crate::stream::{StreamHeader, StreamKey, StreamOpener, StreamSealer};

pub use header::EnvelopeHeader;
#[cfg(feature = "std")]
pub use io::{reader, writer};
#[cfg(feature = "std")]
pub use signed::{SigningWriter, VerifyingReader, signing_writer};

/// The most recipients that an envelope has.
pub const MAX_RECIPIENTS: usize = 64;

/// The line in front of an envelope that is written as text: base64 in lines of 64 characters (RFC
/// 7468) follows it.
pub const ARMOR_BEGIN: &str = "-----BEGIN PQC ENCRYPTED FILE-----";
/// The line behind it.
pub const ARMOR_END: &str = "-----END PQC ENCRYPTED FILE-----";

/// Whom an envelope is for.
///
/// ```
/// use pqc_core::envelope::Recipients;
/// use pqc_core::PassphraseParameters;
/// let parameters = PassphraseParameters::generate(&mut getrandom::SysRng)?;
/// let recipients = Recipients::Passphrase(b"a longer sentence", parameters);
/// assert!(!format!("{recipients:?}").contains("sentence"));
/// # Ok::<(), pqc_core::Error>(())
/// ```
pub enum Recipients<'a> {
    /// The owners of these keys, 1 to [`MAX_RECIPIENTS`]. A key that is named twice counts once.
    /// The caller answers for whose they are.
    Keys(&'a [&'a EncapsulationKey]),
    /// Whoever knows this passphrase; the parameters are fresh ones for each envelope.
    Passphrase(&'a [u8], PassphraseParameters),
}

/// By what an envelope is opened.
pub enum Opener<'a> {
    /// The key of a recipient.
    Key(&'a DecapsulationKey),
    /// The passphrase.
    Passphrase(&'a [u8]),
}

/// Seals `text` that is in memory: header and stream. `associated_data` of any length is not in the
/// envelope, but who opens must give the same: it says what the text is for.
///
/// ```
/// use pqc_core::envelope::{self, Opener, Recipients};
/// use pqc_core::{Error, PassphraseParameters};
/// # let rng = &mut getrandom::SysRng;
/// let parameters = PassphraseParameters::generate(rng)?;
/// let recipients = Recipients::Passphrase(b"a longer sentence", parameters);
/// let file = envelope::seal(b"a text", &recipients, b"", rng)?;
/// let text = envelope::open(&file, &Opener::Passphrase(b"a longer sentence"), b"")?;
/// assert_eq!(text.expose_bytes(), b"a text");
/// let refused = envelope::open(&file, &Opener::Passphrase(b"another sentence"), b"").unwrap_err();
/// assert_eq!(refused, Error::WrongPassphrase);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// Those of [`EnvelopeHeader::seal`]; [`Error::OutOfRange`] also for a text of more than 256 TiB.
pub fn seal(
    text: &[u8],
    recipients: &Recipients<'_>,
    associated_data: &[u8],
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Vec<u8>, Error> {
    let (header, key) = EnvelopeHeader::seal(recipients, rng)?;
    let stream = key.stream_key.seal(text, &key.bound_data(associated_data), rng)?;
    Ok([header.as_bytes(), &stream].concat())
}

/// Opens an envelope that is in memory; the text appears whole and authenticated, or not at all.
///
/// # Errors
/// Those of [`EnvelopeHeader::split_from`] and [`EnvelopeHeader::open`]. [`Error::EnvelopeSigning`]: it
/// is signed. Of the stream
/// [`Error::Malformed`] and [`Error::UnknownFormat`], as
/// [`StreamHeader::split_from`](crate::StreamHeader::split_from), and [`Error::BoxAuthentication`]:
/// other associated data, or an altered envelope.
pub fn open(
    envelope: &[u8],
    opener: &Opener<'_>,
    associated_data: &[u8],
) -> Result<SecretVec, Error> {
    let (header, stream) = EnvelopeHeader::split_from(envelope)?;
    let key = header.open(opener)?;
    key.check_unsigned()?;
    key.stream_key.open(stream, &key.bound_data(associated_data))
}

/// What a header gives to who made or opened it: the key of the stream behind it. Secret.
///
/// It begins streams chunk by chunk, for programs that do their own I/O:
///
/// ```
/// use pqc_core::envelope::{EnvelopeHeader, Opener, Recipients};
/// use pqc_core::{DecapsulationKey, Error, KemAlgorithm, StreamHeader};
/// # let rng = &mut getrandom::SysRng;
/// let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
/// let recipients = [receiver.encapsulation_key()];
/// let (header, key) = EnvelopeHeader::seal(&Recipients::Keys(&recipients), rng)?;
/// let (sealer, stream_header) = key.sealer(b"", rng)?;
/// let last = sealer.seal_last(b"all of it")?;
/// let file = [header.as_bytes(), stream_header.as_bytes().as_slice(), last.as_slice()].concat();
///
/// let (header, stream) = EnvelopeHeader::split_from(&file)?;
/// let (stream_header, chunks) = StreamHeader::split_from(stream)?;
/// let key = header.open(&Opener::Key(&receiver))?;
/// let text = key.opener(&stream_header, b"")?.open_last(chunks)?;
/// assert_eq!(text.expose_bytes(), b"all of it");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct EnvelopeKey {
    stream_key: StreamKey,
    /// SHA-256 of the header, which the stream is bound to.
    header_hash: [u8; 32],
    /// What the text of the stream is signed with.
    signed_with: Option<SignatureAlgorithm>,
}

impl EnvelopeKey {
    fn new(file_key: &Secret<32>, header: &EnvelopeHeader) -> Self {
        // The id is that of no account's key.
        let stream_key = StreamKey::derived_from(file_key, b"pqc/v1/envelope/stream", [0; 16]);
        Self {
            stream_key,
            header_hash: Sha256::digest(header.as_bytes()).into(),
            signed_with: header.signature_algorithm(),
        }
    }

    /// Behind the text of a signed envelope stands what is no text.
    fn check_unsigned(&self) -> Result<(), Error> {
        match self.signed_with {
            None => Ok(()),
            Some(_) => Err(Error::EnvelopeSigning { actual: "signed" }),
        }
    }

    /// Starts the one stream behind the header that was made with this key.
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::EnvelopeSigning`]: it is signed.
    pub fn sealer(
        &self,
        associated_data: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(StreamSealer, StreamHeader), Error> {
        self.check_unsigned()?;
        StreamSealer::new(&self.stream_key, &self.bound_data(associated_data), rng)
    }

    /// Starts to read the stream behind the header that gave this key.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: other associated data, or an altered header of either kind.
    /// [`Error::EnvelopeSigning`]: the envelope is signed.
    pub fn opener(
        &self,
        header: &StreamHeader,
        associated_data: &[u8],
    ) -> Result<StreamOpener, Error> {
        self.check_unsigned()?;
        StreamOpener::new(&self.stream_key, header, &self.bound_data(associated_data))
    }

    /// The associated data of the stream: the hash of the header, and the caller's.
    fn bound_data(&self, associated_data: &[u8]) -> Vec<u8> {
        [self.header_hash.as_slice(), associated_data].concat()
    }
}

impl fmt::Debug for Recipients<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keys(keys) => f.debug_tuple("Keys").field(keys).finish(),
            Self::Passphrase(_, parameters) => {
                f.debug_tuple("Passphrase").field(&"[redacted]").field(parameters).finish()
            }
        }
    }
}

impl fmt::Debug for Opener<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => f.debug_tuple("Key").field(key).finish(),
            Self::Passphrase(_) => f.write_str("Passphrase([redacted])"),
        }
    }
}
