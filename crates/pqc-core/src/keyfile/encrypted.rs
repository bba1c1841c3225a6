//! Encryption of private key files under a passphrase: PBES2 (RFC 8018, Section 6.2).
//!
//! Whoever wrote the file chose what deriving its key costs, so the cost is checked before
//! anything is derived.

use alloc::vec::Vec;

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode, Encode, ErrorKind};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{self, Kdf, Parameters, Pbkdf2Prf, ScryptParams};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use rand_core::TryCryptoRng;

use super::WRITING;
use crate::error::{Error, Field};
use crate::secret::SecretVec;

/// How a file's key is derived from the passphrase, and what that costs.
///
/// ```
/// use pqc_core::keyfile::{Content, KeyDerivation, PrivateKey, inspect};
/// # use pqc_core::{SignatureAlgorithm, SigningKey};
/// # let rng = &mut getrandom::SysRng;
/// # let key = PrivateKey::from(SigningKey::generate(SignatureAlgorithm::MlDsa65, rng)?);
/// let file = key.to_encrypted_der(b"passphrase", rng)?;
/// let Content::EncryptedPrivateKey { derivation } = inspect(&file)?.content else {
///     panic!("not encrypted")
/// };
/// assert_eq!(derivation, KeyDerivation::Scrypt { n: 1 << 14, r: 8, p: 5 });
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyDerivation {
    /// scrypt (RFC 7914), which takes 128 · n · r bytes.
    Scrypt {
        /// N, a power of two.
        n: u64,
        /// The size of a block.
        r: u16,
        /// How many times.
        p: u16,
    },
    /// PBKDF2 with HMAC-SHA-256 (RFC 8018, Section 5.2).
    Pbkdf2HmacSha256 {
        /// The count of iterations.
        iterations: u32,
    },
}

/// What is written: OWASP's advice for scrypt in 16 MiB. OpenSSL reads nothing that takes 32 MiB.
const WRITTEN_N: u64 = 1 << 14;
const WRITTEN_R: u16 = 8;
const WRITTEN_P: u16 = 5;

/// The greatest N · r · p that is read: with r = 8, 128 MiB. OWASP's costliest advice.
const MAX_SCRYPT_COST: u64 = 1 << 20;

/// The greatest count of iterations that is read. OWASP advises 600,000.
const MAX_ITERATIONS: u32 = 1_000_000;

/// AES-256's key.
const KEY_BYTES: u16 = 32;
const BLOCK_BYTES: usize = 16;

/// The key derivation of an encrypted file, in the bounds.
pub(super) fn key_derivation(der: &[u8]) -> Result<KeyDerivation, Error> {
    File::from_der(der).map(|file| file.derivation)
}

/// The PKCS#8 file inside, which is DER in form; what it says is not looked at.
pub(super) fn decrypt(der: &[u8], passphrase: &[u8]) -> Result<SecretVec, Error> {
    let file = File::from_der(der)?;
    let mut buffer = SecretVec::copy_of(file.ciphertext);
    let plain = file
        .parameters
        .decrypt_in_place(passphrase, buffer.expose_bytes_mut())
        .map(SecretVec::copy_of)
        .map_err(|_| Error::KeyFileDecryption)?;
    // One wrong passphrase in 256 leaves padding that looks right.
    PrivateKeyInfoRef::from_der(plain.expose_bytes()).map_err(|_| Error::KeyFileDecryption)?;
    Ok(plain)
}

pub(super) fn encrypt(
    plain: &[u8],
    passphrase: &[u8],
    rng: &mut (impl TryCryptoRng + ?Sized),
) -> Result<Vec<u8>, Error> {
    let (mut salt, mut iv) = ([0; 16], [0; BLOCK_BYTES]);
    for random in [&mut salt, &mut iv] {
        rng.try_fill_bytes(random).map_err(|_| Error::Randomness)?;
    }
    let kdf = ScryptParams {
        salt: salt.as_slice().try_into().map_err(|_| WRITING)?,
        cost_parameter: WRITTEN_N,
        block_size: WRITTEN_R,
        parallelization: WRITTEN_P,
        key_length: None,
    };
    let parameters =
        Parameters { kdf: kdf.into(), encryption: pbes2::EncryptionScheme::Aes256Cbc { iv } };
    // Room for the padding.
    let mut buffer = SecretVec::zeroed(plain.len() + BLOCK_BYTES);
    let (text, _) = buffer.expose_bytes_mut().split_at_mut(plain.len());
    text.copy_from_slice(plain);
    let ciphertext = parameters
        .encrypt_in_place(passphrase, buffer.expose_bytes_mut(), plain.len())
        .map_err(|_| WRITING)?;
    let file = EncryptedPrivateKeyInfoRef {
        encrypted_data: OctetStringRef::new(ciphertext).map_err(|_| WRITING)?,
        encryption_algorithm: EncryptionScheme::Pbes2(parameters),
    };
    file.to_der().map_err(|_| WRITING)
}

/// An encrypted file that may be decrypted.
struct File<'a> {
    parameters: Parameters,
    derivation: KeyDerivation,
    ciphertext: &'a [u8],
}

impl<'a> File<'a> {
    fn from_der(der: &'a [u8]) -> Result<Self, Error> {
        let file =
            EncryptedPrivateKeyInfoRef::from_der(der).map_err(|error| match error.kind() {
                ErrorKind::OidUnknown { .. } => UNSUPPORTED,
                _ => malformed("DER of a PKCS#8 EncryptedPrivateKeyInfo"),
            })?;
        let EncryptionScheme::Pbes2(parameters) = file.encryption_algorithm else {
            return Err(UNSUPPORTED);
        };
        if !matches!(parameters.encryption, pbes2::EncryptionScheme::Aes256Cbc { .. }) {
            return Err(UNSUPPORTED);
        }
        if parameters.kdf.key_length().is_some_and(|bytes| bytes != KEY_BYTES) {
            return Err(malformed("a derived key of 32 bytes"));
        }
        let derivation = KeyDerivation::checked(&parameters.kdf)?;
        Ok(Self { parameters, derivation, ciphertext: file.encrypted_data.as_bytes() })
    }
}

impl KeyDerivation {
    fn checked(kdf: &Kdf) -> Result<Self, Error> {
        match kdf {
            Kdf::Scrypt(params) => {
                let (n, r, p) = (params.cost_parameter, params.block_size, params.parallelization);
                let cost = n.checked_mul(u64::from(r)).and_then(|nr| nr.checked_mul(u64::from(p)));
                if !cost.is_some_and(|cost| (2..=MAX_SCRYPT_COST).contains(&cost)) {
                    let field = Field::ScryptCost;
                    return Err(Error::OutOfRange { field, min: 2, max: MAX_SCRYPT_COST });
                }
                // RFC 7914, Section 2: N is larger than 1, a power of two, and less than 2^(16 r).
                if n < 2 || !n.is_power_of_two() {
                    return Err(malformed("scrypt with a power of two as N"));
                }
                if n.trailing_zeros() >= u32::from(r).saturating_mul(16) {
                    return Err(malformed("scrypt with an N that fits its r"));
                }
                Ok(Self::Scrypt { n, r, p })
            }
            Kdf::Pbkdf2(params) if params.prf == Pbkdf2Prf::HmacWithSha256 => {
                let iterations = params.iteration_count;
                if !(1..=MAX_ITERATIONS).contains(&iterations) {
                    let field = Field::Pbkdf2Iterations;
                    return Err(Error::OutOfRange { field, min: 1, max: MAX_ITERATIONS.into() });
                }
                Ok(Self::Pbkdf2HmacSha256 { iterations })
            }
            _ => Err(UNSUPPORTED),
        }
    }
}

fn malformed(expected: &'static str) -> Error {
    Error::Malformed { field: Field::EncryptedKeyFile, expected }
}

const UNSUPPORTED: Error = Error::UnsupportedKeyFileEncryption {
    expected: "PBES2 with scrypt or PBKDF2-HMAC-SHA-256, and AES-256-CBC",
};
