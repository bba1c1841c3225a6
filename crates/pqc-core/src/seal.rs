//! Secrets at rest: a master key, a key for each purpose, a sealed record for each secret.
//!
//! A sealed record is `version (1) ‖ algorithm (1) ‖ master-key version (4) ‖ nonce (24) ‖
//! ciphertext ‖ tag (16)`, by XAES-256-GCM (C2SP). Its key is HKDF-SHA-256 (RFC 5869) of the master
//! key with the info `pqc/v1/seal/ ‖ kind ‖ master-key version`. Its associated data frames every
//! part of its name with a length, so that a record copied to another account, kind, algorithm or
//! id does not open. It says nothing of age: an old record put back in its own place opens again.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use crate::aead::{self, XAES_256_GCM};
use crate::error::{Error, Field};
use crate::id::AccountId;
use crate::passphrase::PassphraseParameters;
use crate::secret::{Secret, SecretVec};

/// A master key (32 bytes) of one version. Secret: it opens everything that is stored.
///
/// ```
/// use pqc_core::{MasterKey, Secret};
/// # let rng = &mut getrandom::SysRng;
/// let key = MasterKey::new(1, Secret::generate(rng)?);
/// let check = key.check_value(rng)?; // kept, and looked at when the program starts again
/// assert!(key.made(&check));
/// assert!(!MasterKey::new(1, Secret::generate(rng)?).made(&check));
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug)]
pub struct MasterKey {
    version: u32,
    key: Secret<32>,
}

impl MasterKey {
    /// From the key bytes and the version that a store gave it (counted from 1).
    #[must_use]
    pub fn new(version: u32, key: Secret<32>) -> Self {
        Self { version, key }
    }

    /// From a passphrase ([`PASSPHRASE_BYTES`](crate::passphrase::PASSPHRASE_BYTES)) and the
    /// parameters that a store keeps for this version. It takes their memory while it runs, and on
    /// a server some tenths of a second.
    ///
    /// ```
    /// use pqc_core::{MasterKey, PassphraseParameters};
    /// # let rng = &mut getrandom::SysRng;
    /// let parameters = PassphraseParameters::generate(rng)?; // kept as text, beside the check
    /// let check = MasterKey::from_passphrase(1, b"a longer sentence", &parameters)?
    ///     .check_value(rng)?;
    /// assert!(MasterKey::from_passphrase(1, b"a longer sentence", &parameters)?.made(&check));
    /// assert!(!MasterKey::from_passphrase(1, b"another sentence", &parameters)?.made(&check));
    /// # Ok::<(), pqc_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`]: the passphrase is too short or too long. [`Error::OutOfMemory`].
    pub fn from_passphrase(
        version: u32,
        passphrase: &[u8],
        parameters: &PassphraseParameters,
    ) -> Result<Self, Error> {
        let key = parameters.derive(passphrase, &[b"pqc/v1/passphrase/master-key"])?;
        Ok(Self { version, key })
    }

    /// The version, as it stands in each record that it seals.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// A record that only this key opens, by which a store tells a wrong key at start.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn check_value(
        &self,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        seal_under(self, &CHECK_NAME, CHECK_TEXT, rng)
    }

    /// Whether this key made `check`.
    #[must_use]
    pub fn made(&self, check: &SealedRecord) -> bool {
        open_under(self, &CHECK_NAME, check).is_ok_and(|text| text.expose_bytes() == CHECK_TEXT)
    }

    /// Seals another master key under this one: who has this one has both. A store keeps each of two
    /// keys so while it goes from one to the other.
    ///
    /// ```
    /// use pqc_core::{Error, MasterKey, Secret};
    /// # let rng = &mut getrandom::SysRng;
    /// let (old, new) = (
    ///     MasterKey::new(1, Secret::generate(rng)?),
    ///     MasterKey::new(2, Secret::generate(rng)?),
    /// );
    /// let wrapped = old.wrap_key(&new, rng)?;
    /// let again = old.unwrap_key(2, &wrapped)?;
    /// assert!(again.made(&new.check_value(rng)?));
    /// assert_eq!(new.unwrap_key(2, &wrapped).unwrap_err(), Error::SealBroken);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn wrap_key(
        &self,
        other: &Self,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        let version = other.version.to_be_bytes();
        seal_under(self, &wrapped_name(&version), other.key.expose_bytes(), rng)
    }

    /// The master key of `version` that [`Self::wrap_key`] sealed under this one.
    ///
    /// # Errors
    /// [`Error::SealBroken`]: it was sealed under another key, or is another version's.
    pub fn unwrap_key(&self, version: u32, wrapped: &SealedRecord) -> Result<Self, Error> {
        let key = open_under(self, &wrapped_name(&version.to_be_bytes()), wrapped)?;
        let key = Secret::from_slice(Field::MasterKey, key.expose_bytes())?;
        Ok(Self { version, key })
    }
}

/// The master keys in force: one that seals, and those before it that still open.
///
/// ```
/// use pqc_core::{AccountId, Error, MasterKey, MasterKeys, RecordKind, RecordName, Secret};
/// # let rng = &mut getrandom::SysRng;
/// let master = |version, byte| MasterKey::new(version, Secret::from([byte; 32]));
/// let account = AccountId::from_bytes([1; 16]);
/// let name = RecordName {
///     account,
///     kind: RecordKind::AesKey,
///     algorithm: "AES-256",
///     record_id: &[7; 16],
/// };
/// let record = MasterKeys::new(master(1, 0xaa)).seal(&name, b"secret", rng)?;
/// assert_eq!(record.as_bytes().len(), 46 + 6);
///
/// // After a rotation the old record still opens, and new ones are of the new version.
/// let rotated = MasterKeys::new(master(2, 0xbb)).with_older(master(1, 0xaa));
/// assert_eq!(rotated.open(&name, &record)?.expose_bytes(), b"secret");
/// assert_eq!(rotated.seal(&name, b"secret", rng)?.master_version(), rotated.current_version());
///
/// // In another place, or without its key, it does not.
/// let elsewhere = RecordName { account: AccountId::from_bytes([2; 16]), ..name };
/// assert_eq!(rotated.open(&elsewhere, &record).unwrap_err(), Error::SealBroken);
/// let without = MasterKeys::new(master(2, 0xbb)).open(&name, &record).unwrap_err();
/// assert_eq!(without, Error::UnknownMasterKey { version: 1 });
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct MasterKeys {
    current: Arc<MasterKey>,
    older: Vec<Arc<MasterKey>>,
}

impl MasterKeys {
    /// A single key.
    #[must_use]
    pub fn new(current: MasterKey) -> Self {
        Self { current: Arc::new(current), older: Vec::new() }
    }

    /// Adds a key that opens records but seals none.
    #[must_use]
    pub fn with_older(mut self, older: MasterKey) -> Self {
        self.older.push(Arc::new(older));
        self
    }

    /// The keys of a rotation from this one's current key: `next` seals, and the current one still
    /// opens. Those before it do not.
    #[must_use]
    pub fn rotated_to(&self, next: MasterKey) -> Self {
        Self { current: Arc::new(next), older: alloc::vec![Arc::clone(&self.current)] }
    }

    /// The current key alone: what a rotation ends with.
    #[must_use]
    pub fn without_older(&self) -> Self {
        Self { current: Arc::clone(&self.current), older: Vec::new() }
    }

    /// The key that seals.
    #[must_use]
    pub fn current(&self) -> &MasterKey {
        &self.current
    }

    /// The version that seals.
    #[must_use]
    pub fn current_version(&self) -> u32 {
        self.current.version
    }

    /// Whether there is a key that opens but does not seal.
    #[must_use]
    pub fn has_older(&self) -> bool {
        !self.older.is_empty()
    }

    /// Whether what was sealed under the key of this version can be opened.
    ///
    /// ```
    /// use pqc_core::{MasterKey, MasterKeys, Secret};
    /// let master = |version| MasterKey::new(version, Secret::from([7; 32]));
    /// let keys = MasterKeys::new(master(1)).rotated_to(master(2));
    /// assert!(keys.has_version(1) && keys.has_version(2) && !keys.has_version(3));
    /// assert!(!keys.without_older().has_version(1));
    /// ```
    #[must_use]
    pub fn has_version(&self, version: u32) -> bool {
        self.of_version(version).is_some()
    }

    fn of_version(&self, version: u32) -> Option<&Arc<MasterKey>> {
        core::iter::once(&self.current).chain(&self.older).find(|key| key.version == version)
    }

    /// Seals `secret` as the record with this name, under a fresh random nonce: 46 bytes more.
    ///
    /// # Errors
    /// [`Error::Randomness`]; [`Error::Internal`] for a secret beyond the AEAD's 64 GiB.
    pub fn seal(
        &self,
        name: &RecordName<'_>,
        secret: &[u8],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        seal_under(&self.current, name, secret, rng)
    }

    /// Opens the record with this name.
    ///
    /// # Errors
    /// [`Error::UnknownMasterKey`]: no loaded key has the record's version.
    /// [`Error::SealBroken`]: another key's record, or one that was moved or altered.
    pub fn open(&self, name: &RecordName<'_>, sealed: &SealedRecord) -> Result<SecretVec, Error> {
        let version = sealed.master_version();
        self.of_version(version)
            .ok_or(Error::UnknownMasterKey { version })
            .and_then(|key| open_under(key, name, sealed))
    }

    /// Opens the record with this name and seals it again under the current key.
    ///
    /// ```
    /// use pqc_core::{AccountId, Error, MasterKey, MasterKeys, RecordKind, RecordName, Secret};
    /// # let rng = &mut getrandom::SysRng;
    /// let account = AccountId::from_bytes([1; 16]);
    /// let (kind, record_id) = (RecordKind::AesKey, &[7; 16]);
    /// let name = RecordName { account, kind, algorithm: "AES-256", record_id };
    /// let old = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
    /// let record = old.seal(&name, b"secret", rng)?;
    /// let keys = old.rotated_to(MasterKey::new(2, Secret::generate(rng)?));
    /// let record = keys.reseal(&name, &record, rng)?;
    /// let rotated = keys.without_older();
    /// assert_eq!(rotated.open(&name, &record)?.expose_bytes(), b"secret");
    /// assert_eq!(old.open(&name, &record).unwrap_err(), Error::UnknownMasterKey { version: 2 });
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Self::open`] and [`Self::seal`].
    pub fn reseal(
        &self,
        name: &RecordName<'_>,
        sealed: &SealedRecord,
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        self.seal(name, self.open(name, sealed)?.expose_bytes(), rng)
    }
}

/// What a sealed record holds; each kind has its own key.
///
/// ```
/// use pqc_core::RecordKind;
/// assert_eq!(RecordKind::from_name("sign"), Some(RecordKind::SigningKey));
/// assert_eq!(RecordKind::DecapsulationKey.name(), "kem");
/// assert_eq!(RecordKind::from_name("token"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// The seed of an account's decapsulation key.
    DecapsulationKey,
    /// The seed of an account's signing key.
    SigningKey,
    /// An account's AES-256 key.
    AesKey,
    /// The seed of the server's issuer key.
    IssuerKey,
    /// The seed of the server's key of audit checkpoints.
    CheckpointKey,
    /// A known text that tells a wrong master key.
    CheckValue,
    /// The checksum of a backup.
    Backup,
    /// Another version's master key, while a rotation runs.
    MasterKey,
}

impl RecordKind {
    /// The name in derivations and in stores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DecapsulationKey => "kem",
            Self::SigningKey => "sign",
            Self::AesKey => "aes",
            Self::IssuerKey => "issuer",
            Self::CheckpointKey => "checkpoint",
            Self::CheckValue => "check",
            Self::Backup => "backup",
            Self::MasterKey => "master",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    const ALL: [Self; 8] = [
        Self::DecapsulationKey,
        Self::SigningKey,
        Self::AesKey,
        Self::IssuerKey,
        Self::CheckpointKey,
        Self::CheckValue,
        Self::MasterKey,
        Self::Backup,
    ];
}

/// The name of a sealed record: all of it is authenticated, none of it encrypted.
#[derive(Debug, Clone, Copy)]
pub struct RecordName<'a> {
    /// Whose it is.
    pub account: AccountId,
    /// What it holds.
    pub kind: RecordKind,
    /// The algorithm that the secret is for.
    pub algorithm: &'a str,
    /// Its id within the account: of a key pair, the hash that binds its public key.
    pub record_id: &'a [u8],
}

/// A secret under a master key: 46 bytes more than the secret. Not secret itself.
///
/// ```
/// use pqc_core::{Error, MasterKey, SealedRecord, Secret};
/// # let rng = &mut getrandom::SysRng;
/// let record = MasterKey::new(7, Secret::generate(rng)?).check_value(rng)?;
/// assert_eq!(record.master_version(), 7);
/// let mut bytes = record.as_bytes().to_vec();
/// assert_eq!(SealedRecord::from_bytes(bytes.clone())?, record);
/// bytes[1] = 9;
/// assert!(matches!(SealedRecord::from_bytes(bytes), Err(Error::UnknownFormat { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord(Vec<u8>);

impl SealedRecord {
    /// Reads the form that a store kept.
    ///
    /// # Errors
    /// [`Error::Malformed`]: too short. [`Error::UnknownFormat`]: another version or algorithm.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        if bytes.len() < HEAD_BYTES + aead::OVERHEAD_BYTES {
            return Err(Error::Malformed {
                field: Field::SealedRecord,
                expected: "at least 46 bytes",
            });
        }
        if !bytes.starts_with(&START) {
            return Err(Error::UnknownFormat { field: Field::SealedRecord });
        }
        Ok(Self(bytes))
    }

    /// The form for a store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The version of the master key that sealed it.
    #[must_use]
    pub fn master_version(&self) -> u32 {
        self.0
            .get(START.len()..HEAD_BYTES)
            .and_then(|v| v.try_into().ok())
            .map_or(0, u32::from_be_bytes)
    }
}

fn seal_under(
    master: &MasterKey,
    name: &RecordName<'_>,
    secret: &[u8],
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<SealedRecord, Error> {
    let head = [START.as_slice(), &master.version.to_be_bytes()].concat();
    let data = associated_data(name, master.version);
    aead::seal(&key_for(master, name.kind), &head, secret, &data, rng).map(SealedRecord)
}

fn open_under(
    master: &MasterKey,
    name: &RecordName<'_>,
    sealed: &SealedRecord,
) -> Result<SecretVec, Error> {
    let data = associated_data(name, sealed.master_version());
    let key = key_for(master, name.kind);
    aead::open(&key, sealed.0.clone(), HEAD_BYTES, &data).ok_or(Error::SealBroken)
}

/// A master key is named by its version, in four bytes.
fn wrapped_name(version: &[u8; 4]) -> RecordName<'_> {
    let (account, kind) = (AccountId::SERVER, RecordKind::MasterKey);
    RecordName { account, kind, algorithm: "", record_id: version }
}

fn key_for(master: &MasterKey, kind: RecordKind) -> Secret<32> {
    let version = master.version.to_be_bytes();
    aead::derive(&master.key, &[b"pqc/v1/seal/", kind.name().as_bytes(), &version])
}

fn associated_data(name: &RecordName<'_>, master_version: u32) -> Vec<u8> {
    let mut framed = Vec::with_capacity(128);
    for part in [
        &START,
        name.algorithm.as_bytes(),
        name.account.as_bytes(),
        name.kind.name().as_bytes(),
        name.record_id,
        &master_version.to_be_bytes(),
    ] {
        framed.extend_from_slice(&(part.len() as u64).to_be_bytes());
        framed.extend_from_slice(part);
    }
    framed
}

const FORMAT_VERSION: u8 = 1;
/// What every head starts with; the master key's version follows.
const START: [u8; 2] = [FORMAT_VERSION, XAES_256_GCM];
const HEAD_BYTES: usize = START.len() + 4;
const CHECK_TEXT: &[u8] = b"pqc/v1/master-key-check";
const CHECK_NAME: RecordName<'static> = RecordName {
    account: AccountId::SERVER,
    kind: RecordKind::CheckValue,
    algorithm: "",
    record_id: &[],
};

#[cfg(test)]
mod tests {
    use super::*;
    use getrandom::SysRng;

    fn master(version: u32, byte: u8) -> MasterKey {
        MasterKey::new(version, Secret::from([byte; 32]))
    }

    #[test]
    fn a_record_opens_in_its_own_place_only() {
        let keys = MasterKeys::new(master(1, 1));
        let home = RecordName {
            account: AccountId::from_bytes([1; 16]),
            kind: RecordKind::SigningKey,
            algorithm: "ML-DSA-65",
            record_id: b"id",
        };
        let sealed = keys.seal(&home, b"secret", &mut SysRng).unwrap();
        assert_eq!(keys.open(&home, &sealed).unwrap().expose_bytes(), b"secret");
        let elsewhere = [
            RecordName { account: AccountId::from_bytes([2; 16]), ..home },
            RecordName { kind: RecordKind::IssuerKey, ..home },
            RecordName { algorithm: "ML-DSA-44", ..home },
            RecordName { record_id: b"ie", ..home },
        ];
        for name in elsewhere {
            assert_eq!(keys.open(&name, &sealed).unwrap_err(), Error::SealBroken);
        }
    }

    #[test]
    fn every_flipped_bit_breaks_the_seal() {
        let keys = MasterKeys::new(master(1, 1));
        let sealed = keys.seal(&CHECK_NAME, b"secret", &mut SysRng).unwrap();
        for bit in 0..sealed.as_bytes().len() * 8 {
            let mut bytes = sealed.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                SealedRecord::from_bytes(bytes).and_then(|s| keys.open(&CHECK_NAME, &s)).is_err()
            );
        }
    }

    #[test]
    fn older_keys_open_and_the_current_one_seals() {
        let first = MasterKeys::new(master(1, 1));
        let sealed = first.seal(&CHECK_NAME, b"secret", &mut SysRng).unwrap();
        let rotated = MasterKeys::new(master(2, 2)).with_older(master(1, 1));
        assert!(rotated.open(&CHECK_NAME, &sealed).is_ok());
        let again = rotated.seal(&CHECK_NAME, b"secret", &mut SysRng).unwrap();
        assert_eq!((again.master_version(), rotated.current_version()), (2, 2));
        assert_eq!((master(7, 1).version(), first.current_version()), (7, 1));
        assert_eq!(
            first.open(&CHECK_NAME, &again).unwrap_err(),
            Error::UnknownMasterKey { version: 2 }
        );
    }

    #[test]
    fn each_kind_is_known_by_its_name_alone() {
        for (name, kind) in [
            ("kem", RecordKind::DecapsulationKey),
            ("sign", RecordKind::SigningKey),
            ("aes", RecordKind::AesKey),
            ("issuer", RecordKind::IssuerKey),
            ("check", RecordKind::CheckValue),
            ("checkpoint", RecordKind::CheckpointKey),
            ("backup", RecordKind::Backup),
            ("master", RecordKind::MasterKey),
        ] {
            assert_eq!((RecordKind::from_name(name), kind.name()), (Some(kind), name));
        }
        assert_eq!(RecordKind::from_name("KEM"), None);
    }

    #[test]
    fn a_wrong_master_key_is_told_by_the_check_value() {
        let check = master(1, 1).check_value(&mut SysRng).unwrap();
        assert!(master(1, 1).made(&check));
        assert!(!master(1, 2).made(&check));
    }

    #[test]
    fn a_wrapped_key_opens_under_its_wrapper_by_its_own_version() {
        let (old, new) = (master(1, 1), master(2, 2));
        let wrapped = old.wrap_key(&new, &mut SysRng).unwrap();
        assert_eq!(wrapped.master_version(), 1);
        let opened = old.unwrap_key(2, &wrapped).unwrap();
        assert!(opened.made(&new.check_value(&mut SysRng).unwrap()));
        // Not as another version, not under another key, and nothing else as a key.
        assert_eq!(old.unwrap_key(3, &wrapped).unwrap_err(), Error::SealBroken);
        assert_eq!(master(1, 3).unwrap_key(2, &wrapped).unwrap_err(), Error::SealBroken);
        let check = old.check_value(&mut SysRng).unwrap();
        assert_eq!(old.unwrap_key(2, &check).unwrap_err(), Error::SealBroken);
    }

    #[test]
    fn a_rotation_ends_with_the_new_key_alone() {
        let first = MasterKeys::new(master(1, 1));
        let sealed = first.seal(&CHECK_NAME, b"secret", &mut SysRng).unwrap();
        let rotating = first.rotated_to(master(2, 2));
        assert!(rotating.has_older() && !first.has_older());
        let again = rotating.reseal(&CHECK_NAME, &sealed, &mut SysRng).unwrap();
        assert_eq!(again.master_version(), 2);
        let rotated = rotating.without_older();
        assert_eq!((rotated.current().version(), rotated.has_older()), (2, false));
        assert_eq!(rotated.open(&CHECK_NAME, &again).unwrap().expose_bytes(), b"secret");
        let retired = Error::UnknownMasterKey { version: 1 };
        assert_eq!(rotated.open(&CHECK_NAME, &sealed).unwrap_err(), retired);
        // The next rotation keeps but one older key.
        let next = rotating.rotated_to(master(3, 3));
        assert_eq!(next.open(&CHECK_NAME, &sealed).unwrap_err(), retired);
        assert!(next.open(&CHECK_NAME, &again).is_ok());
        let other = RecordName { algorithm: "x", ..CHECK_NAME };
        assert_eq!(rotating.reseal(&other, &sealed, &mut SysRng).unwrap_err(), Error::SealBroken);
    }
}
