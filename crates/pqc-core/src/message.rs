//! AES-256 for one text: one key, one self-describing box.
//!
//! A box is `version (1) ‖ algorithm (1) ‖ key id (16) ‖ nonce (24) ‖ ciphertext ‖ tag (16)`. The
//! head before the nonce, and then the caller's associated data, are authenticated. The given key
//! never encrypts itself: HKDF-SHA-256 (RFC 5869) derives the box key, so that a key which is used
//! elsewhere too is not used raw. The AEAD is XAES-256-GCM (C2SP): AES-256-GCM under a key derived
//! for each nonce, so random nonces need no count limit.

use alloc::vec::Vec;

use hkdf::Hkdf;
use rand_core::TryCryptoRng;
use sha2::Sha256;
use xaes_256_gcm::Xaes256Gcm;
use xaes_256_gcm::aead::inout::InOutBuf;
use xaes_256_gcm::aead::{AeadInOut, KeyInit};

use crate::error::{Error, Field};
use crate::id::{AccountId, KeyId};
use crate::seal::{MasterKeys, RecordKind, RecordName, SealedRecord};
use crate::secret::{Secret, SecretVec};

/// The bytes that a box is longer than its text.
pub const OVERHEAD_BYTES: usize = HEAD_BYTES + NONCE_BYTES + TAG_BYTES;

/// A key that seals and opens boxes: 32 bytes, derived from the given key. Secret.
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
        Self { key: derive(key, b"pqc/v1/box/caller"), key_id: [0; 16] }
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
        let mut bytes = Vec::with_capacity(text.len().saturating_add(OVERHEAD_BYTES));
        bytes.extend_from_slice(&[FORMAT_VERSION, XAES_256_GCM]);
        bytes.extend_from_slice(&self.key_id);
        let mut nonce = [0; NONCE_BYTES];
        rng.try_fill_bytes(&mut nonce).map_err(|_| Error::Randomness)?;
        let full_data = [bytes.as_slice(), associated_data].concat();
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(text);
        let (_, body) = bytes.split_at_mut(HEAD_BYTES + NONCE_BYTES);
        let tag = Xaes256Gcm::new(self.key.expose_bytes().into())
            .encrypt_inout_detached(&nonce.into(), &full_data, InOutBuf::from(body))
            .map_err(|_| Error::Internal { what: "AES-256-GCM" })?;
        bytes.extend_from_slice(&tag);
        Ok(MessageBox(bytes))
    }

    /// Opens a box; the text appears whole and authenticated, or not at all.
    ///
    /// # Errors
    /// [`Error::BoxAuthentication`]: another key, other associated data, or an altered box.
    pub fn open(&self, sealed: &MessageBox, associated_data: &[u8]) -> Result<SecretVec, Error> {
        let (head, nonce, ciphertext, tag) = sealed.parts()?;
        if head.get(2..) != Some(self.key_id.as_slice()) {
            return Err(Error::BoxAuthentication);
        }
        let full_data = [head, associated_data].concat();
        let mut text = SecretVec::copy_of(ciphertext);
        Xaes256Gcm::new(self.key.expose_bytes().into())
            .decrypt_inout_detached(
                nonce.into(),
                &full_data,
                InOutBuf::from(text.expose_bytes_mut()),
                tag.into(),
            )
            .map_err(|_| Error::BoxAuthentication)?;
        Ok(text)
    }
}

/// An account's own AES-256 key, as a store keeps it: sealed, under an id of 16 bytes. Secret.
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
        BoxKey { key: derive(&self.key, b"pqc/v1/box/account"), key_id: self.id }
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
    /// [`Error::SealBroken`], [`Error::UnknownMasterKey`].
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

/// A sealed text. Not secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageBox(Vec<u8>);

impl MessageBox {
    /// Reads a box: at least [`OVERHEAD_BYTES`], of a known version and algorithm.
    ///
    /// # Errors
    /// [`Error::Malformed`]: too short. [`Error::UnknownFormat`]: another version or algorithm.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        let sealed = Self(bytes);
        let (head, ..) = sealed.parts()?;
        if !head.starts_with(&[FORMAT_VERSION, XAES_256_GCM]) {
            return Err(Error::UnknownFormat { field: Field::MessageBox });
        }
        Ok(sealed)
    }

    /// The whole box.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The account key that sealed it; `None` for a caller's key.
    #[must_use]
    pub fn key_id(&self) -> Option<[u8; 16]> {
        let id: [u8; 16] = self.0.get(2..HEAD_BYTES)?.try_into().ok()?;
        (id != [0; 16]).then_some(id)
    }

    #[expect(clippy::type_complexity, reason = "four parts, read in one place")]
    fn parts(&self) -> Result<(&[u8], &[u8; NONCE_BYTES], &[u8], &[u8; TAG_BYTES]), Error> {
        let split = || {
            let (head, rest) = self.0.split_at_checked(HEAD_BYTES)?;
            let (nonce, rest) = rest.split_first_chunk()?;
            let (ciphertext, tag) = rest.split_last_chunk()?;
            Some((head, nonce, ciphertext, tag))
        };
        split().ok_or(Error::Malformed {
            field: Field::MessageBox,
            expected: "at least 58 bytes: version, algorithm, key id, nonce, ciphertext, tag",
        })
    }
}

fn derive(key: &Secret<32>, info: &[u8]) -> Secret<32> {
    let mut derived = [0; 32];
    // HKDF-Expand fails only past 255 × 32 bytes; 32 are asked for.
    let _ = Hkdf::<Sha256>::new(None, key.expose_bytes()).expand(info, &mut derived);
    Secret::from(derived)
}

const FORMAT_VERSION: u8 = 1;
const XAES_256_GCM: u8 = 1;
const HEAD_BYTES: usize = 18;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

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
