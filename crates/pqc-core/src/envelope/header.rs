//! The header: its bytes, and what they say.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use super::stanza::{self, Lock, Stanza};
use super::{EnvelopeKey, MAX_RECIPIENTS, Opener, Recipients};
use crate::error::{Error, Field};
use crate::id::KeyId;
use crate::kem::{EncapsulationKey, KemAlgorithm};
use crate::passphrase::PassphraseParameters;
use crate::secret::Secret;
use crate::sign::SignatureAlgorithm;

/// What an envelope begins with: at most 107,082 bytes. Not secret.
///
/// What it says is authenticated only when the stream behind it begins to open.
///
/// ```
/// use pqc_core::envelope::{EnvelopeHeader, Recipients};
/// use pqc_core::{DecapsulationKey, Error, KemAlgorithm, PassphraseParameters};
/// # let rng = &mut getrandom::SysRng;
/// let receiver = DecapsulationKey::generate(KemAlgorithm::XWing, rng)?;
/// let recipient = receiver.encapsulation_key();
/// let (header, _) = EnvelopeHeader::seal(&Recipients::Keys(&[recipient]), rng)?;
/// assert_eq!(header.as_bytes().len(), 9 + 1 + 32 + 1120 + 72);
///
/// // Before a key is asked for: whom is it for?
/// let (read, behind) = EnvelopeHeader::split_from(header.as_bytes())?;
/// assert_eq!((&read, behind.len()), (&header, 0));
/// let ids: Vec<_> = read.recipients().collect();
/// assert_eq!(ids, [(KemAlgorithm::XWing, recipient.key_id())]);
/// assert_eq!(read.passphrase_parameters(), None);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeHeader {
    bytes: Vec<u8>,
    stanzas: Vec<Stanza>,
    /// What the text behind it is signed with.
    signed_with: Option<SignatureAlgorithm>,
}

impl EnvelopeHeader {
    /// The greatest length in bytes: of 64 recipients with ML-KEM-1024, signed.
    pub const MOST_BYTES: usize = START_BYTES + 1 + MAX_RECIPIENTS * 1673;

    /// Draws a file key, and wraps it for each recipient. One stream is sealed behind it, by the
    /// [`EnvelopeKey`].
    ///
    /// # Errors
    /// [`Error::OutOfRange`]: no recipient, or more than [`MAX_RECIPIENTS`]. [`Error::Length`]: the
    /// passphrase is too short or too long. [`Error::OutOfMemory`]: for Argon2id.
    /// [`Error::Randomness`].
    pub fn seal(
        recipients: &Recipients<'_>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Self, EnvelopeKey), Error> {
        Self::seal_for(recipients, None, rng)
    }

    /// The same for an envelope that is signed with a key of this set.
    pub(crate) fn seal_for(
        recipients: &Recipients<'_>,
        signed_with: Option<SignatureAlgorithm>,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<(Self, EnvelopeKey), Error> {
        let file_key = Secret::generate(rng)?;
        let stanzas = match recipients {
            Recipients::Keys(keys) => distinct(keys)?
                .into_iter()
                .map(|key| Stanza::for_key(&file_key, key, rng))
                .collect::<Result<_, _>>()?,
            Recipients::Passphrase(passphrase, parameters) => {
                alloc::vec![Stanza::for_passphrase(&file_key, passphrase, parameters, rng)?]
            }
        };
        let header = Self::of_stanzas(stanzas, signed_with)?;
        let key = EnvelopeKey::new(&file_key, &header);
        Ok((header, key))
    }

    fn of_stanzas(
        stanzas: Vec<Stanza>,
        signed_with: Option<SignatureAlgorithm>,
    ) -> Result<Self, Error> {
        let count = u8::try_from(stanzas.len()).map_err(|_| COUNT)?;
        let mut bytes = match signed_with {
            None => [MAGIC.as_slice(), &[UNSIGNED, count]].concat(),
            Some(set) => [MAGIC.as_slice(), &[SIGNED, count, byte_of(set)]].concat(),
        };
        stanzas.iter().for_each(|stanza| stanza.write_to(&mut bytes));
        Ok(Self { bytes, stanzas, signed_with })
    }

    /// Reads the header that `envelope` begins with; the stream is what follows.
    ///
    /// # Errors
    /// [`Error::NotAnEnvelope`]: it begins otherwise. [`Error::UnknownFormat`]: another version, or
    /// a stanza of an unknown kind. [`Error::EnvelopeTruncated`]: it ends within the header.
    /// [`Error::Malformed`]: no stanza or more than [`MAX_RECIPIENTS`], a passphrase that is not
    /// alone, or a key that is named twice. [`Error::OutOfRange`]: the passphrase's parameters.
    pub fn split_from(envelope: &[u8]) -> Result<(Self, &[u8]), Error> {
        let mut rest = envelope;
        let header = Self::read_by(|bytes, count| {
            let (taken, behind) = rest.split_at(count.min(rest.len()));
            bytes.extend_from_slice(taken);
            rest = behind;
            Ok::<_, Error>(())
        })?;
        Ok((header, rest))
    }

    /// Reads piece by piece: `append` adds so many bytes, or fewer at the end of the input. Each
    /// piece is checked before the next is asked for, so that nothing behind the header is taken.
    pub(super) fn read_by<E: From<Error>>(
        mut append: impl FnMut(&mut Vec<u8>, usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut bytes = Vec::with_capacity(START_BYTES);
        append(&mut bytes, START_BYTES)?;
        let (is_signed, stanza_count) = check_start(&bytes)?;
        let mut signed_with = None;
        if is_signed {
            append(&mut bytes, 1)?;
            let set = bytes.get(START_BYTES).ok_or(Error::EnvelopeTruncated)?;
            let set = SignatureAlgorithm::ALL.into_iter().find(|known| byte_of(*known) == *set);
            signed_with = Some(set.ok_or(Error::UnknownFormat { field: Field::Envelope })?);
        }
        let mut stanzas = Vec::with_capacity(stanza_count);
        for _ in 0..stanza_count {
            let start = bytes.len();
            append(&mut bytes, 1)?;
            let kind = *bytes.get(start).ok_or(Error::EnvelopeTruncated)?;
            let behind_kind = stanza::bytes_behind(kind)?;
            append(&mut bytes, behind_kind)?;
            let body = bytes.get(start + 1..).filter(|body| body.len() == behind_kind);
            stanzas.push(Stanza::read(kind, body.ok_or(Error::EnvelopeTruncated)?)?);
        }
        check_together(&stanzas)?;
        Ok(Self { bytes, stanzas, signed_with })
    }

    /// The key of the stream behind it. A passphrase takes the memory and the time that
    /// [`Self::passphrase_parameters`] say.
    ///
    /// ```
    /// use pqc_core::envelope::{EnvelopeHeader, Opener, Recipients};
    /// use pqc_core::{DecapsulationKey, Error, KemAlgorithm};
    /// # let rng = &mut getrandom::SysRng;
    /// let receiver = DecapsulationKey::generate(KemAlgorithm::MlKem768, rng)?;
    /// let recipients = [receiver.encapsulation_key()];
    /// let (header, _) = EnvelopeHeader::seal(&Recipients::Keys(&recipients), rng)?;
    /// assert!(header.open(&Opener::Key(&receiver)).is_ok());
    /// let refused = header.open(&Opener::Passphrase(b"a longer sentence")).unwrap_err();
    /// assert_eq!(refused, Error::EnvelopeOpener { expected: "a recipient's key" });
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::EnvelopeOpener`]: a key where a passphrase would do, or the other way round.
    /// [`Error::NotARecipient`]: no stanza is for this key. [`Error::WrongPassphrase`]: or the stanza
    /// was altered. [`Error::BoxAuthentication`]: the stanza for this key was altered.
    /// [`Error::Length`]: of the passphrase. [`Error::OutOfMemory`]: for Argon2id.
    pub fn open(&self, opener: &Opener<'_>) -> Result<EnvelopeKey, Error> {
        let mut stanzas = self.stanzas.iter();
        let opened = match (opener, self.passphrase_parameters()) {
            (Opener::Passphrase(passphrase), Some(_)) => {
                stanzas.find_map(|stanza| stanza.unwrap_by_passphrase(passphrase))
            }
            (Opener::Key(key), None) => stanzas.find_map(|stanza| stanza.unwrap_by_key(key)),
            (Opener::Passphrase(_), None) => {
                return Err(Error::EnvelopeOpener { expected: "a recipient's key" });
            }
            (Opener::Key(_), Some(_)) => {
                return Err(Error::EnvelopeOpener { expected: "a passphrase" });
            }
        };
        let file_key = opened.ok_or(Error::NotARecipient)??;
        Ok(EnvelopeKey::new(&file_key, self))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The KEM and the id of each recipient's key; none where a passphrase opens it.
    pub fn recipients(&self) -> impl Iterator<Item = (KemAlgorithm, KeyId)> {
        self.stanzas.iter().filter_map(|stanza| match &stanza.lock {
            Lock::Key { id, ciphertext } => Some((ciphertext.algorithm(), *id)),
            Lock::Passphrase(_) => None,
        })
    }

    /// What the text is signed with, if it is. Whose signature it is shows only its verification.
    #[must_use]
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.signed_with
    }

    /// How the key is derived from the passphrase, where one opens it: what it will cost.
    #[must_use]
    pub fn passphrase_parameters(&self) -> Option<&PassphraseParameters> {
        match self.stanzas.first() {
            Some(Stanza { lock: Lock::Passphrase(parameters), .. }) => Some(parameters),
            _ => None,
        }
    }
}

/// Each key once.
fn distinct<'a>(keys: &[&'a EncapsulationKey]) -> Result<Vec<&'a EncapsulationKey>, Error> {
    let mut distinct: Vec<&EncapsulationKey> = Vec::new();
    for key in keys {
        if !distinct.contains(key) {
            distinct.push(key);
        }
        if distinct.len() > MAX_RECIPIENTS {
            return Err(COUNT);
        }
    }
    if distinct.is_empty() { Err(COUNT) } else { Ok(distinct) }
}

/// Whether the first nine bytes promise a signature, and how many stanzas.
fn check_start(bytes: &[u8]) -> Result<(bool, usize), Error> {
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if !MAGIC.starts_with(magic) {
        return Err(Error::NotAnEnvelope);
    }
    let (version, count) = match bytes.get(MAGIC.len()..) {
        Some([version, count @ ..]) => (*version, count.first()),
        _ => return Err(Error::EnvelopeTruncated),
    };
    if ![UNSIGNED, SIGNED].contains(&version) {
        return Err(Error::UnknownFormat { field: Field::Envelope });
    }
    let count = usize::from(*count.ok_or(Error::EnvelopeTruncated)?);
    if !(1..=MAX_RECIPIENTS).contains(&count) {
        return Err(Error::Malformed { field: Field::Envelope, expected: "1 to 64 stanzas" });
    }
    Ok((version == SIGNED, count))
}

const fn byte_of(set: SignatureAlgorithm) -> u8 {
    match set {
        SignatureAlgorithm::MlDsa44 => 1,
        SignatureAlgorithm::MlDsa65 => 2,
        SignatureAlgorithm::MlDsa87 => 3,
    }
}

fn check_together(stanzas: &[Stanza]) -> Result<(), Error> {
    let mut rest = stanzas;
    while let Some((first, behind)) = rest.split_first() {
        let expected = match &first.lock {
            Lock::Passphrase(_) if stanzas.len() > 1 => "a passphrase's stanza alone",
            Lock::Key { id, .. } if behind.iter().any(|stanza| stanza.is_for(id)) => {
                "one stanza for each key"
            }
            _ => {
                rest = behind;
                continue;
            }
        };
        return Err(Error::Malformed { field: Field::Envelope, expected });
    }
    Ok(())
}

const COUNT: Error =
    Error::OutOfRange { field: Field::Recipients, min: 1, max: MAX_RECIPIENTS as u64 };

/// Tells an envelope from any other file.
const MAGIC: [u8; 7] = *b"pqc-env";
/// The version of an envelope without a signature.
const UNSIGNED: u8 = 1;
/// Of one with a signature: behind the count of stanzas stands the parameter set.
const SIGNED: u8 = 2;
/// The magic, the version and the count of stanzas.
const START_BYTES: usize = MAGIC.len() + 2;
