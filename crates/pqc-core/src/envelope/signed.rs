//! Envelopes that say who sealed them: over the `Read` and `Write` of std; with the feature `std`.
//!
//! Behind the text, inside the stream, stands an ML-DSA signature (FIPS 204, Algorithm 2) over
//! the header and the text. It binds the recipients too: who receives a signed text cannot pass it
//! on as one that was signed for others. Nobody but the recipients sees whose signature it is.
//!
//! ```
//! use std::io::{Read, Write};
//! use pqc_core::envelope::{self, EnvelopeHeader, Opener, Recipients};
//! use pqc_core::{DecapsulationKey, KemAlgorithm, SignatureAlgorithm, SigningKey};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let rng = &mut getrandom::SysRng;
//! let sender = SigningKey::generate(SignatureAlgorithm::MlDsa65, rng)?;
//! let receiver = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
//! let keys = Recipients::Keys(&[receiver.encapsulation_key()]);
//! let mut writer = envelope::signing_writer(Vec::new(), &keys, &sender, b"", rng)?;
//! writer.write_all(b"a text of any length")?;
//! let file = writer.finish(rng)?;
//!
//! let mut inner = file.as_slice();
//! let header = EnvelopeHeader::read_from(&mut inner)?;
//! assert_eq!(header.signature_algorithm(), Some(SignatureAlgorithm::MlDsa65));
//! let key = header.open(&Opener::Key(&receiver))?;
//! let mut text = String::new();
//! key.signed_reader(inner, Some(sender.verifying_key()), b"")?.read_to_string(&mut text)?;
//! assert_eq!(text, "a text of any length");
//! # Ok(())
//! # }
//! ```

use alloc::vec::Vec;
use core::fmt;
use std::io::{self, Read, Write};

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};

use super::{EnvelopeHeader, EnvelopeKey, Recipients};
use crate::error::Error;
use crate::secret::Wiped;
use crate::sign::{Context, MuHasher, Signature, SignatureAlgorithm, SigningKey, VerifyingKey};
use crate::stream::{CHUNK_BYTES, OpeningReader, SealingWriter};

/// As [`writer`](super::writer), and signs what is written. The signature is made at the end.
///
/// # Errors
/// Those of [`EnvelopeHeader::seal`].
pub fn signing_writer<'a, W: Write>(
    inner: W,
    recipients: &Recipients<'_>,
    signer: &'a SigningKey,
    associated_data: &[u8],
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<SigningWriter<'a, W>, Error> {
    let set = signer.verifying_key().algorithm();
    let (header, key) = EnvelopeHeader::seal_for(recipients, Some(set), rng)?;
    let data = key.bound_data(associated_data);
    let hasher = key.signed_hasher(signer.verifying_key(), associated_data)?;
    let inner = SealingWriter::behind(header.as_bytes(), inner, &key.stream_key, &data, rng)?;
    Ok(SigningWriter { inner, hasher, signer })
}

/// Seals and signs what is written to it. Secret.
///
/// [`Self::finish`] ends the envelope; dropped before, it leaves one that never opens as whole.
pub struct SigningWriter<'a, W> {
    inner: SealingWriter<W>,
    hasher: MuHasher,
    signer: &'a SigningKey,
}

impl<W: Write> SigningWriter<'_, W> {
    /// Signs, seals what is left, flushes, and gives the inner writer back.
    ///
    /// # Errors
    /// Those of the inner writer. Of the core, as [`io::Error`], [`Error::Randomness`].
    pub fn finish(mut self, rng: &mut (impl TryCryptoRng + ?Sized)) -> io::Result<W> {
        let signature = self.signer.sign_mu(&self.hasher.finish(), rng)?;
        self.inner.write_all(signature.as_bytes())?;
        self.inner.finish()
    }
}

impl<W: Write> Write for SigningWriter<'_, W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(text)?;
        self.hasher.update(text.get(..count).unwrap_or(text));
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W> fmt::Debug for SigningWriter<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningWriter").finish_non_exhaustive()
    }
}

/// Opens a signed envelope in constant memory, and verifies the signature if it has its key. Secret.
///
/// It gives text of chunks that opened, but for the last 64 KiB before the signature is verified: a
/// text no longer than that appears only once it is, and no text comes to an end (reads 0 bytes)
/// without it. What is given before is authentic for who has a recipient's key, no more.
pub struct VerifyingReader<R> {
    inner: OpeningReader<R>,
    /// With the key that verifies.
    signer: Option<(MuHasher, VerifyingKey)>,
    set: SignatureAlgorithm,
    /// Text that was opened and not yet given, and behind it the signature or what may be of it.
    held: Wiped<Vec<u8>>,
    /// How much of the front of `held` was given.
    given: usize,
    /// How much of the front of `held` may be given.
    ready: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Verified,
    /// The signature is not right, or does not stand there.
    Refused,
}

impl<R: Read> VerifyingReader<R> {
    /// Opens more, until some of it may be given or all was.
    fn open_more(&mut self) -> io::Result<()> {
        let withheld = CHUNK_BYTES.saturating_add(self.set.signature_bytes());
        while self.ready == self.given && self.state == State::Reading {
            self.held.drain(..self.given);
            (self.given, self.ready) = (0, 0);
            let before = self.held.len();
            // The buffer never grows beyond what it was made with.
            let room = self.held.capacity().saturating_sub(before);
            self.inner.by_ref().take(room as u64).read_to_end(&mut self.held)?;
            let is_end = self.held.len() < before.saturating_add(room);
            let behind = if is_end { self.set.signature_bytes() } else { withheld };
            let Some(ready) = self.held.len().checked_sub(behind) else {
                self.state = State::Refused;
                break;
            };
            self.ready = ready;
            self.hash_ready();
            if is_end {
                self.state = if self.is_right() { State::Verified } else { State::Refused };
            }
        }
        match self.state {
            State::Refused => Err(Error::EnvelopeSignature.into()),
            State::Reading | State::Verified => Ok(()),
        }
    }

    fn hash_ready(&mut self) {
        if let Some((hasher, _)) = &mut self.signer {
            hasher.update(self.held.get(..self.ready).unwrap_or_default());
        }
    }

    /// Whether the signature is right, or nobody asks.
    fn is_right(&mut self) -> bool {
        let signature = self.held.get(self.ready..).map(Signature::from_bytes);
        match (self.signer.take(), signature) {
            (Some((hasher, key)), Some(Ok(signature))) => {
                key.verify_mu(&hasher.finish(), &signature)
            }
            (None, Some(Ok(_))) => true,
            _ => false,
        }
    }
}

impl<R: Read> Read for VerifyingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.open_more()?;
        let mut ready = self.held.get(self.given..self.ready).unwrap_or_default();
        let count = ready.read(buffer)?;
        self.given = self.given.saturating_add(count);
        Ok(count)
    }
}

impl<R> fmt::Debug for VerifyingReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingReader").finish_non_exhaustive()
    }
}

impl EnvelopeKey {
    /// Opens the stream of a signed envelope from an inner reader, which begins behind the header
    /// that gave this key. With a `signer`'s key the signature must be right and by it; without
    /// one it is left unverified. With the feature `std`.
    ///
    /// # Errors
    /// As [`OpeningReader::new`]. Of the core, as [`io::Error`]: [`Error::EnvelopeSigning`]: the
    /// envelope is not signed; [`Error::EnvelopeSignature`]: it is signed with another parameter
    /// set than the signer's. Reading fails with it too: the signature is not right.
    pub fn signed_reader<R: Read>(
        &self,
        inner: R,
        signer: Option<&VerifyingKey>,
        associated_data: &[u8],
    ) -> io::Result<VerifyingReader<R>> {
        let set = self.signed_with.ok_or(Error::EnvelopeSigning { actual: "not signed" })?;
        if signer.is_some_and(|key| key.algorithm() != set) {
            return Err(Error::EnvelopeSignature.into());
        }
        let signer = signer
            .map(|key| Ok::<_, Error>((self.signed_hasher(key, associated_data)?, key.clone())));
        let data = self.bound_data(associated_data);
        Ok(VerifyingReader {
            inner: OpeningReader::new(inner, &self.stream_key, &data)?,
            signer: signer.transpose()?,
            set,
            held: Wiped::new(Vec::with_capacity(HELD_BYTES)),
            given: 0,
            ready: 0,
            state: State::Reading,
        })
    }

    /// Hashes what is signed: SHA-256 of the header, SHA-256 of the caller's associated data, the text.
    fn signed_hasher(
        &self,
        signer: &VerifyingKey,
        associated_data: &[u8],
    ) -> Result<MuHasher, Error> {
        let mut hasher = signer.mu_hasher(Context::new(CONTEXT)?);
        hasher.update(&self.header_hash);
        hasher.update(&Sha256::digest(associated_data));
        Ok(hasher)
    }
}

const CONTEXT: &[u8] = b"pqc/v1/envelope/signature";
/// What is withheld, and as much again of what is read at once.
const HELD_BYTES: usize = 4 * CHUNK_BYTES;
