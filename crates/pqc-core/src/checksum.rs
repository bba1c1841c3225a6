//! A checksum of what passes, and a master key's word for it.
//!
//! A backup ends with both: the checksum (SHA-256, FIPS 180-4) finds damage, and the word, a sealed
//! record of the checksum, says that one who had the master key wrote it. So what a backup brings
//! into a store was in a store under that key.

use rand_core::TryCryptoRng;
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::id::AccountId;
use crate::seal::{MasterKeys, RecordKind, RecordName, SealedRecord};

/// A checksum under way.
///
/// ```
/// use pqc_core::checksum::Checksum;
/// use pqc_core::{MasterKey, MasterKeys, Secret};
/// # let rng = &mut getrandom::SysRng;
/// let of = |pieces: &[&[u8]]| {
///     let mut checksum = Checksum::default();
///     pieces.iter().for_each(|piece| checksum.update(piece));
///     checksum.finish()
/// };
/// let sum = of(&[b"two ", b"pieces"]);
/// assert_eq!(sum, of(&[b"two pieces"]));
///
/// let masters = MasterKeys::new(MasterKey::new(1, Secret::generate(rng)?));
/// let word = masters.vouch_for_backup(&sum, rng)?;
/// assert!(masters.vouched_for_backup(&sum, &word));
/// assert!(!masters.vouched_for_backup(&of(&[b"another"]), &word));
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Checksum(Sha256);

impl Checksum {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all that was taken.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl MasterKeys {
    /// The word of the key in force for the backup with this checksum.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn vouch_for_backup(
        &self,
        checksum: &[u8; 32],
        rng: &mut (impl TryCryptoRng + ?Sized),
    ) -> Result<SealedRecord, Error> {
        self.seal(&NAME, checksum, rng)
    }

    /// Whether one of these keys vouched for the backup with this checksum.
    #[must_use]
    pub fn vouched_for_backup(&self, checksum: &[u8; 32], word: &SealedRecord) -> bool {
        self.open(&NAME, word).is_ok_and(|sealed| sealed.expose_bytes() == checksum)
    }
}

const NAME: RecordName<'static> = RecordName {
    account: AccountId::SERVER,
    kind: RecordKind::Backup,
    algorithm: "SHA-256",
    record_id: &[],
};
