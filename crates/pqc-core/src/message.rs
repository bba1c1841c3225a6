//! AES-256 for one text: one key, one self-describing box.
//!
//! A box is `version (1) ‖ algorithm (1) ‖ key id (16) ‖ nonce (24) ‖ ciphertext ‖ tag (16)`. The
//! head before the nonce, and then the caller's associated data, are authenticated. The given key
//! never encrypts itself: HKDF-SHA-256 (RFC 5869) derives the box key, so that a key which is used
//! elsewhere too is not used raw. The AEAD is XAES-256-GCM (C2SP): AES-256-GCM under a key derived
//! for each nonce, so random nonces need no count limit.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use crate::aead::{self, XAES_256_GCM};
use crate::error::{Error, Field};
use crate::id::{AccountId, KeyId};
use crate::seal::{MasterKeys, RecordKind, RecordName, SealedRecord};
use crate::secret::{Secret, SecretVec};
use crate::stream::StreamKey;

/// The bytes that a box is longer than its text.
pub const OVERHEAD_BYTES: usize = HEAD_BYTES + aead::OVERHEAD_BYTES;

/// A key that seals and opens boxes: 32 bytes, derived from the given key. Secret.
///
/// ```
/// use pqc_core::{BoxKey, Error, MessageBox, Secret};
/// # let rng = &mut getrandom::SysRng;
/// let key = BoxKey::from_caller(&Secret::generate(rng)?);
/// let sealed = key.seal(b"text", b"its name", rng)?;
/// assert_eq!(sealed.as_bytes().len(), 4 + pqc_core::message::OVERHEAD_BYTES);
///
/// let arrived = MessageBox::from_bytes(sealed.as_bytes().to_vec())?;
/// assert_eq!(key.open(&arrived, b"another").unwrap_err(), Error::BoxAuthentication);
/// assert_eq!(key.open_in_place(arrived, b"its name")?.expose_bytes(), b"text");
/// # Ok::<(), pqc_core::Error>(())
/// ```
///
/// Bytes that happen to be a key do not seal: a [`BoxKey`] is derived for its purpose.
/// ```compile_fail,E0599
/// # use pqc_core::Secret;
/// let key = Secret::from([7; 32]);
/// key.seal(b"text", b"", &mut getrandom::SysRng);
/// ```
#[derive(Debug)]
pub struct BoxKey {
    key: Secret<32>,
    /// 16 bytes in the head of each box; all zero for a caller's key.
    key_id: [u8; 16],
}

impl BoxKey {
    /// From a key that the caller brought, such as a shared secret.
    #[must_use]
    pub fn from_caller(key: &Secret<32>) -> Self {
        Self { key: aead::derive(key, &[b"pqc/v1/box/caller"]), key_id: [0; 16] }
    }

    /// Seals `text`: a box of [`OVERHEAD_BYTES`] more bytes, under a fresh random nonce.
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::Internal`] for a text beyond the AEAD's 64 GiB.
    pub fn seal(
        &self,
        text: &[u8],
        associated_data: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<MessageBox, Error> {
        let head = [START.as_slice(), &self.key_id].concat();
        let full_data = [&head, associated_data].concat();
        aead::seal(&self.key, &head, text, &full_data, rng).map(MessageBox)
    }

    /// Opens a box; the text appears whole and authenticated, or not at all.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: another key, other associated data, or an altered box.
    pub fn open(&self, sealed: &MessageBox, associated_data: &[u8]) -> Result<SecretVec, Error> {
        self.check_id(sealed)?;
        self.open_in_place(sealed.clone(), associated_data)
    }

    /// As [`Self::open`], in the buffer of the box: for a long one, several times as fast as in a
    /// second buffer.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_in_place(
        &self,
        sealed: MessageBox,
        associated_data: &[u8],
    ) -> Result<SecretVec, Error> {
        self.check_id(&sealed)?;
        let head = sealed.0.get(..HEAD_BYTES).ok_or(Error::BoxAuthentication)?;
        let full_data = [head, associated_data].concat();
        let opened = aead::open(&self.key, sealed.0, HEAD_BYTES, &full_data);
        opened.ok_or(Error::BoxAuthentication)
    }

    /// One that another key sealed is not tried.
    fn check_id(&self, sealed: &MessageBox) -> Result<(), Error> {
        match sealed.0.get(START.len()..HEAD_BYTES) {
            Some(id) if id == self.key_id.as_slice() => Ok(()),
            _ => Err(Error::BoxAuthentication),
        }
    }
}

/// An account's own AES-256 key, as a store keeps it: sealed, under an id of 16 bytes. Secret.
///
/// ```
/// use pqc_core::message::AccountKey;
/// use pqc_core::{AccountId, KeyId, MasterKey, MasterKeys, Secret};
/// # let rng = &mut getrandom::SysRng;
/// # let masters = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
/// # let account = AccountId::from_bytes([1; 16]);
/// let key = AccountKey::generate(rng)?;
/// let sealed = key.box_key().seal(b"text", b"", rng)?;
/// let id = sealed.key_id().expect("an account's key has an id");
/// assert_eq!(key.id(), KeyId::Symmetric(id));
///
/// let record = key.seal(&masters, account, rng)?;
/// let opened = AccountKey::open(&masters, account, id, &record)?;
/// assert_eq!(opened.box_key().open(&sealed, b"")?.expose_bytes(), b"text");
///
/// let stream = key.stream_key().seal(b"text", b"", rng)?;
/// assert_eq!(opened.stream_key().open(&stream, b"")?.expose_bytes(), b"text");
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug)]
pub struct AccountKey {
    id: [u8; 16],
    key: Secret<32>,
}

impl AccountKey {
    /// The algorithm's name in records.
    pub const ALGORITHM: &'static str = "AES-256";

    /// A new random key under a new random id.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, Error> {
        let mut id = [0; 16];
        rng.try_fill_bytes(&mut id).map_err(|_| Error::Randomness)?;
        Ok(Self { id, key: Secret::generate(rng)? })
    }

    /// Its id, as it stands in each box it seals.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::Symmetric(self.id)
    }

    /// The key for boxes.
    #[must_use]
    pub fn box_key(&self) -> BoxKey {
        BoxKey { key: aead::derive(&self.key, &[b"pqc/v1/box/account"]), key_id: self.id }
    }

    /// The key for streams.
    #[must_use]
    pub fn stream_key(&self) -> StreamKey {
        StreamKey::derived_from(&self.key, b"pqc/v1/stream/account", self.id)
    }

    /// Seals it for `account`'s record.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn seal(
        &self,
        masters: &MasterKeys,
        account: AccountId,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        masters.seal(&Self::record_name(account, &self.id), self.key.expose_bytes(), rng)
    }

    /// Opens the record of `account` with this `id`.
    ///
    /// # Errors
    /// [`Error::SealBroken`]: another key's or account's record, or one that was altered;
    /// [`Error::UnknownMasterKey`]; [`Error::Length`]: what was sealed is not 32 bytes.
    pub fn open(
        masters: &MasterKeys,
        account: AccountId,
        id: [u8; 16],
        sealed: &SealedRecord,
    ) -> Result<Self, Error> {
        let key = masters.open(&Self::record_name(account, &id), sealed)?;
        Ok(Self { id, key: Secret::from_slice(Field::BoxKey, key.expose_bytes())? })
    }

    fn record_name(account: AccountId, id: &[u8; 16]) -> RecordName<'_> {
        RecordName { account, kind: RecordKind::AesKey, algorithm: Self::ALGORITHM, record_id: id }
    }
}

/// A sealed text: [`OVERHEAD_BYTES`] (58) more than the text. Not secret.
///
/// ```
/// use pqc_core::{BoxKey, MessageBox, Secret};
/// # let rng = &mut getrandom::SysRng;
/// let sealed = BoxKey::from_caller(&Secret::generate(rng)?).seal(b"text", b"", rng)?;
/// let bytes = sealed.as_bytes().to_vec();
/// assert_eq!(MessageBox::from_bytes(bytes.clone())?, sealed);
/// assert_eq!(sealed.key_id(), None); // a caller's key
/// assert!(MessageBox::from_bytes(bytes[..57].to_vec()).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageBox(Vec<u8>);

impl MessageBox {
    /// Reads a box: at least [`OVERHEAD_BYTES`], of a known version and algorithm.
    ///
    /// # Errors
    /// [`Error::Malformed`]: too short. [`Error::UnknownFormat`]: another version or algorithm.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() < OVERHEAD_BYTES {
            return Err(Error::Malformed {
                field: Field::MessageBox,
                expected: "at least 58 bytes: version, algorithm, key id, nonce, ciphertext, tag",
            });
        }
        if !bytes.starts_with(&START) {
            return Err(Error::UnknownFormat { field: Field::MessageBox });
        }
        Ok(Self(bytes))
    }

    /// The bytes of a box that say which key sealed it.
    pub const HEAD_BYTES: usize = HEAD_BYTES;

    /// What [`Self::key_id`] would be of the box that begins so: for a long one that is not
    /// decoded yet.
    ///
    /// ```
    /// use pqc_core::MessageBox;
    /// let mut head = [7; MessageBox::HEAD_BYTES];
    /// head[..2].copy_from_slice(&[1, 1]); // version, algorithm
    /// assert_eq!(MessageBox::key_id_in_head(&head)?, Some([7; 16]));
    /// assert!(MessageBox::key_id_in_head(&[7; MessageBox::HEAD_BYTES]).is_err());
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownFormat`]: as in [`Self::from_bytes`].
    pub fn key_id_in_head(head: &[u8; Self::HEAD_BYTES]) -> Result<Option<[u8; 16]>, Error> {
        if !head.starts_with(&START) {
            return Err(Error::UnknownFormat { field: Field::MessageBox });
        }
        Ok(key_id(head))
    }

    /// The whole box.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The account key that sealed it; `None` for a caller's key.
    #[must_use]
    pub fn key_id(&self) -> Option<[u8; 16]> {
        key_id(&self.0)
    }
}

fn key_id(sealed: &[u8]) -> Option<[u8; 16]> {
    let id: [u8; 16] = sealed.get(START.len()..HEAD_BYTES)?.try_into().ok()?;
    (id != [0; 16]).then_some(id)
}

const FORMAT_VERSION: u8 = 1;
/// What every head starts with; the key id follows.
const START: [u8; 2] = [FORMAT_VERSION, XAES_256_GCM];
const HEAD_BYTES: usize = START.len() + 16;

#[cfg(test)]
mod tests {
    use super::*;
    use getrandom::SysRng;

    #[test]
    fn a_box_opens_to_its_text_and_a_flipped_bit_anywhere_does_not() {
        let key = BoxKey::from_caller(&Secret::from([9; 32]));
        let sealed = key.seal(b"hello", b"aad", &mut SysRng).unwrap();
        assert_eq!(sealed.as_bytes().len(), 5 + OVERHEAD_BYTES);
        assert_eq!(key.open(&sealed, b"aad").unwrap().expose_bytes(), b"hello");
        assert_eq!(key.open(&sealed, b"").unwrap_err(), Error::BoxAuthentication);
        for bit in 0..sealed.as_bytes().len() * 8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(MessageBox::from_bytes(bytes).and_then(|b| key.open(&b, b"aad")).is_err());
        }
    }

    #[test]
    fn an_accounts_key_is_not_a_callers_key() {
        let account = AccountKey::generate(&mut SysRng).unwrap();
        let sealed = account.box_key().seal(b"x", b"", &mut SysRng).unwrap();
        assert_eq!(sealed.key_id().map(KeyId::Symmetric), Some(account.id()));
        let caller = BoxKey::from_caller(&account.key);
        assert!(caller.open(&sealed, b"").is_err());
        assert!(account.box_key().open(&sealed, b"").is_ok());
    }

    #[test]
    fn the_head_alone_tells_the_key_of_a_box() {
        let account = AccountKey { id: [3; 16], key: Secret::from([9; 32]) };
        for (key, id) in
            [(account.box_key(), Some([3; 16])), (BoxKey::from_caller(&account.key), None)]
        {
            let sealed = key.seal(b"x", b"", &mut SysRng).unwrap();
            let mut head = *sealed.as_bytes().first_chunk().unwrap();
            assert_eq!(MessageBox::key_id_in_head(&head), Ok(id));
            head[0] = 0xd3; // What base64 makes of hex: no key is told of such a text.
            assert!(MessageBox::key_id_in_head(&head).is_err());
        }
    }

    #[test]
    fn a_box_opens_by_the_key_of_its_id_alone() {
        let named = |id| AccountKey { id: [id; 16], key: Secret::from([9; 32]) }.box_key();
        let sealed = named(1).seal(b"x", b"", &mut SysRng).unwrap();
        assert!(named(1).open(&sealed, b"").is_ok());
        assert_eq!(named(2).open(&sealed, b"").unwrap_err(), Error::BoxAuthentication);
    }

    #[test]
    fn text_and_associated_data_do_not_run_into_each_other() {
        let key = BoxKey::from_caller(&Secret::from([9; 32]));
        let sealed = key.seal(b"", b"ab", &mut SysRng).unwrap();
        assert!(key.open(&sealed, b"a").is_err());
        assert!(key.open(&sealed, b"ab").unwrap().is_empty());
    }
}
