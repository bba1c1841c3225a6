//! Keys from passphrases, by Argon2id (RFC 9106): what a guess costs, and the salt.
//!
//! [`PassphraseParameters`] are kept beside what the key opens, in the text form of a PHC string
//! without a hash. They are not secret. Whoever can write them chooses what the next derivation
//! costs, so each number has bounds, which are checked before anything is derived. What a key is for
//! is said by a label of its own: [`MasterKey::from_passphrase`](crate::MasterKey::from_passphrase)
//! and [`envelope`](crate::envelope) make different keys of the same passphrase and parameters.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64ct::{Base64Unpadded, Encoding};
use rand_core::TryCryptoRng;
use zeroize::Zeroizing;

use crate::aead;
use crate::error::{Error, Field};
use crate::secret::Secret;

/// The bytes of a passphrase. NIST SP 800-63B-4 asks for 15 characters where nothing else is asked
/// for; that says nothing of how hard they are to guess. What is longer is no passphrase but
/// another file.
pub const PASSPHRASE_BYTES: RangeInclusive<usize> = 15..=1024;

/// How a key is derived from a passphrase: Argon2id (RFC 9106), version 0x13, with a salt of 16
/// bytes. Not secret.
///
/// ```
/// use pqc_core::PassphraseParameters;
/// let parameters = PassphraseParameters::generate(&mut getrandom::SysRng)?;
/// let kept = parameters.to_string();
/// assert!(kept.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"));
/// assert_eq!(kept.parse::<PassphraseParameters>()?, parameters);
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassphraseParameters {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
    salt: [u8; Self::SALT_BYTES],
}

impl PassphraseParameters {
    /// The salt.
    pub const SALT_BYTES: usize = 16;
    /// The memory in KiB: from 19 MiB, the least of OWASP's advice, to 2 GiB, RFC 9106's first
    /// recommendation. It is also what a derivation takes while it runs.
    pub const MEMORY_KIB: RangeInclusive<u32> = 19 << 10..=2 << 20;
    /// The passes over the memory. All of these and 2 GiB take some minutes.
    pub const ITERATIONS: RangeInclusive<u32> = 1..=64;
    /// The lanes, which are computed one after another: here they cost a defender nothing more.
    pub const LANES: RangeInclusive<u32> = 1..=64;

    /// The second recommendation of RFC 9106, Section 4 (64 MiB, 3 passes, 4 lanes), and a random
    /// salt.
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, Error> {
        let mut salt = [0; Self::SALT_BYTES];
        rng.try_fill_bytes(&mut salt).map_err(|_| Error::Randomness)?;
        Ok(Self { memory_kib: 64 << 10, iterations: 3, lanes: 4, salt })
    }

    /// With numbers of the caller's choice. The salt is a random one, used for one key.
    ///
    /// ```
    /// use pqc_core::{Error, Field, PassphraseParameters};
    /// // The first recommendation of RFC 9106, Section 4.
    /// assert!(PassphraseParameters::new(2 << 20, 1, 4, [7; 16]).is_ok());
    /// let weak = PassphraseParameters::new(4096, 3, 1, [7; 16]).unwrap_err();
    /// assert!(matches!(weak, Error::OutOfRange { field: Field::Argon2Memory, .. }));
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfRange`]: not in [`Self::MEMORY_KIB`], [`Self::ITERATIONS`] or [`Self::LANES`].
    pub fn new(
        memory_kib: u32,
        iterations: u32,
        lanes: u32,
        salt: [u8; Self::SALT_BYTES],
    ) -> Result<Self, Error> {
        for (field, range, number) in [
            (Field::Argon2Memory, Self::MEMORY_KIB, memory_kib),
            (Field::Argon2Iterations, Self::ITERATIONS, iterations),
            (Field::Argon2Lanes, Self::LANES, lanes),
        ] {
            if !range.contains(&number) {
                let (min, max) = ((*range.start()).into(), (*range.end()).into());
                return Err(Error::OutOfRange { field, min, max });
            }
        }
        Ok(Self { memory_kib, iterations, lanes, salt })
    }

    /// The memory in KiB.
    #[must_use]
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// The passes over the memory.
    #[must_use]
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The lanes (RFC 9106: p).
    #[must_use]
    pub fn lanes(&self) -> u32 {
        self.lanes
    }

    /// The salt.
    #[must_use]
    pub fn salt(&self) -> &[u8; Self::SALT_BYTES] {
        &self.salt
    }

    /// The key for one purpose: HKDF-SHA-256 of the 32 bytes that Argon2id gives.
    pub(crate) fn derive(&self, passphrase: &[u8], info: &[&[u8]]) -> Result<Secret<32>, Error> {
        check_passphrase(passphrase)?;
        let argon2id = || {
            let params = Params::new(self.memory_kib, self.iterations, self.lanes, Some(32))?;
            Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
        };
        let argon2id = argon2id().map_err(internal)?;
        let mut memory = memory(argon2id.params().block_count())
            .ok_or(Error::OutOfMemory { kib: self.memory_kib })?;
        let hashed = Secret::<32>::fill_with(|hashed| {
            let (memory, salt) = (memory.as_mut_slice(), &self.salt);
            argon2id.hash_password_into_with_memory(passphrase, salt, hashed, memory)
        });
        Ok(aead::derive(&hashed.map_err(internal)?, info))
    }
}

/// Whether a passphrase has a length that is taken, without deriving anything.
///
/// ```
/// use pqc_core::passphrase::check_passphrase;
/// assert!(check_passphrase(b"a longer sentence").is_ok());
/// assert!(check_passphrase(b"a word").is_err());
/// ```
///
/// # Errors
/// [`Error::Length`]: not [`PASSPHRASE_BYTES`].
pub fn check_passphrase(passphrase: &[u8]) -> Result<(), Error> {
    if PASSPHRASE_BYTES.contains(&passphrase.len()) {
        return Ok(());
    }
    let (min, max) = (PASSPHRASE_BYTES.start(), PASSPHRASE_BYTES.end());
    Err(Error::Length {
        field: Field::Passphrase,
        expected: alloc::format!("{min} to {max}"),
        actual: passphrase.len(),
    })
}

/// Blocks of 1 KiB that are wiped; `None` if there is no room for them.
fn memory(blocks: usize) -> Option<Zeroizing<Vec<Block>>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(blocks).ok()?;
    memory.resize(blocks, Block::new());
    Some(Zeroizing::new(memory))
}

/// The numbers and lengths were checked before.
fn internal(_: argon2::Error) -> Error {
    Error::Internal { what: "Argon2id" }
}

/// A PHC string without a hash: `$argon2id$v=19$m=65536,t=3,p=4$` and the salt in base64 (RFC 4648,
/// Section 4) without padding.
impl fmt::Display for PassphraseParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_kib, iterations, lanes, salt } = self;
        let salt = Base64Unpadded::encode_string(salt);
        write!(f, "{START}m={memory_kib},t={iterations},p={lanes}${salt}")
    }
}

impl FromStr for PassphraseParameters {
    type Err = Error;

    /// Reads the one text that these parameters are written as.
    ///
    /// ```
    /// use pqc_core::{Error, PassphraseParameters};
    /// let read = |text: &str| text.parse::<PassphraseParameters>();
    /// assert!(read("$argon2id$v=19$m=65536,t=3,p=4$AAECAwQFBgcICQoLDA0ODw").is_ok());
    /// let other = read("$argon2i$v=19$m=65536,t=3,p=4$AAECAwQFBgcICQoLDA0ODw");
    /// assert!(matches!(other, Err(Error::Malformed { .. })));
    /// let hours = read("$argon2id$v=19$m=65536,t=1000000,p=4$AAECAwQFBgcICQoLDA0ODw");
    /// assert!(matches!(hours, Err(Error::OutOfRange { .. })));
    /// ```
    ///
    /// # Errors
    /// [`Error::Malformed`]: another algorithm or version, another order, white space, leading
    /// zeros, a salt of another length. [`Error::OutOfRange`]: as [`PassphraseParameters::new`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = Error::Malformed {
            field: Field::PassphraseParameters,
            expected: "$argon2id$v=19$m=…,t=…,p=…$ and a salt of 16 bytes in base64",
        };
        let parts = || {
            let (costs, salt) = text.strip_prefix(START)?.split_once('$')?;
            let mut costs = costs.split(',');
            let mut number = |name| costs.next()?.strip_prefix(name)?.parse().ok();
            let numbers = (number("m=")?, number("t=")?, number("p=")?);
            let mut bytes = [0; Self::SALT_BYTES];
            let decoded = Base64Unpadded::decode(salt, &mut bytes).ok()?;
            (decoded.len() == Self::SALT_BYTES).then_some((numbers, bytes))
        };
        let Some(((memory_kib, iterations, lanes), salt)) = parts() else { return Err(malformed) };
        let parameters = Self::new(memory_kib, iterations, lanes, salt)?;
        // Each value has one text: no sign, no leading zero, nothing behind the last number.
        if parameters.to_string() != text {
            return Err(malformed);
        }
        Ok(parameters)
    }
}

const START: &str = "$argon2id$v=19$";

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "of numbers that were written here")]
mod tests {
    use super::*;
    use alloc::string::String;
    use argon2::{AssociatedData, ParamsBuilder};

    /// RFC 9106, Section 5.3. Its memory is below our floor, and it has a secret and associated
    /// data, which we never give: so it is asked of the crate.
    #[test]
    fn argon2id_gives_the_answer_of_rfc_9106() {
        const TAG: &str = "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659";
        let data = AssociatedData::new(&[4; 12]).unwrap();
        let mut params = ParamsBuilder::new();
        let params = params.m_cost(32).t_cost(3).p_cost(4).data(data).build().unwrap();
        let argon2id =
            Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let (mut tag, mut memory) = ([0; 32], memory(32).unwrap());
        argon2id
            .hash_password_into_with_memory(&[1; 32], &[2; 16], &mut tag, memory.as_mut_slice())
            .unwrap();
        assert_eq!(hex::encode(tag), TAG);
    }

    /// Computed by the reference implementation (PyPI argon2-cffi 25.1.0), and Python's hmac.
    #[test]
    fn a_derived_key_is_the_one_that_another_program_derives() {
        for (memory_kib, iterations, lanes, key) in [
            (65536, 3, 4, "6a31f729b03a37aa4b842655b44a343a3a1825dcd6b93c57c33148d6fd4c9284"),
            (19 << 10, 1, 1, "e36d95a75e20df178b14f17f4dbbbd209569f2ae6fd77b9f4ce38f89dc93129b"),
            // Not divisible by 4 × lanes.
            (20000, 2, 3, "797443469dc462da6cd3e837b059645ef9e67f18768b682bd3787cb69bf22ee9"),
        ] {
            let salt = core::array::from_fn(|i| i as u8);
            let parameters =
                PassphraseParameters::new(memory_kib, iterations, lanes, salt).unwrap();
            let info: &[&[u8]] = &[b"pqc/v1/passphrase/master-key"];
            let derived = parameters.derive(b"correct horse battery staple", info).unwrap();
            assert_eq!(hex::encode(derived.expose_bytes()), key);
        }
    }

    #[test]
    fn a_passphrase_has_15_to_1024_bytes() {
        let parameters = PassphraseParameters::new(19 << 10, 1, 1, [0; 16]).unwrap();
        for (bytes, is_taken) in [(0, false), (14, false), (15, true), (1024, true), (1025, false)]
        {
            let derived = parameters.derive(&alloc::vec![b'x'; bytes], &[]);
            assert_eq!(derived.is_ok(), is_taken, "{bytes}");
            if let Err(error) = derived {
                let expected = String::from("15 to 1024");
                let field = Field::Passphrase;
                assert_eq!(error, Error::Length { field, expected, actual: bytes });
            }
        }
    }

    #[test]
    fn a_text_that_is_written_otherwise_is_refused() {
        let salt = "AAECAwQFBgcICQoLDA0ODw";
        let good = alloc::format!("$argon2id$v=19$m=65536,t=3,p=4${salt}");
        let read = |text: &str| text.parse::<PassphraseParameters>();
        assert_eq!(read(&good).unwrap().salt(), &core::array::from_fn(|i| i as u8));
        let changes = [
            ("argon2id", "argon2i"),
            ("argon2id", "Argon2id"),
            ("v=19", "v=16"),
            ("$v=19", ""),
            ("m=65536,t=3", "t=3,m=65536"),
            ("m=65536", "m=065536"),
            ("m=65536", "m=+65536"),
            ("m=65536", "m=-65536"),
            ("m=65536", "m= 65536"),
            ("m=65536", "m=65536k"),
            ("m=65536", "m="),
            ("m=65536", "m=18446744073709551616"),
            ("p=4", "p=4,data=AAAA"),
            (",p=4", ""),
            ("ODw", "ODw=="),
            ("ODw", "OD"),
            ("ODw", "ODwA"),
            ("ODw", "ODx"),
            ("ODw", "OD-"),
            ("ODw", "ODw$AAAA"),
            ("ODw", "ODw\n"),
            ("$argon2id", " $argon2id"),
        ];
        for (from, to) in changes {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good);
            let error = read(&text).unwrap_err();
            let field = Field::PassphraseParameters;
            assert!(matches!(error, Error::Malformed { field: f, .. } if f == field), "{text}");
        }
        assert!(read("").is_err());
    }

    #[test]
    fn each_number_has_its_bounds() {
        let new = |m, t, p| PassphraseParameters::new(m, t, p, [0; 16]);
        for (m, t, p) in [(19 << 10, 1, 1), (2 << 20, 64, 64), (65536, 3, 4)] {
            let parameters = new(m, t, p).unwrap();
            assert_eq!(parameters.to_string().parse::<PassphraseParameters>().unwrap(), parameters);
            assert_eq!(
                (parameters.memory_kib(), parameters.iterations(), parameters.lanes()),
                (m, t, p)
            );
        }
        let (memory, iterations, lanes) =
            (Field::Argon2Memory, Field::Argon2Iterations, Field::Argon2Lanes);
        for (m, t, p, of) in [
            ((19 << 10) - 1, 3, 4, memory),
            ((2 << 20) + 1, 3, 4, memory),
            (u32::MAX, 3, 4, memory),
            (65536, 0, 4, iterations),
            (65536, 65, 4, iterations),
            (65536, 3, 0, lanes),
            (65536, 3, 65, lanes),
        ] {
            let error = new(m, t, p).unwrap_err();
            assert!(matches!(error, Error::OutOfRange { field, .. } if field == of), "{m} {t} {p}");
            let text = alloc::format!("{START}m={m},t={t},p={p}$AAECAwQFBgcICQoLDA0ODw");
            assert_eq!(text.parse::<PassphraseParameters>().unwrap_err(), error);
        }
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        assert!(memory(usize::MAX >> 10).is_none());
        assert_eq!(memory(3).unwrap().len(), 3);
    }
}
