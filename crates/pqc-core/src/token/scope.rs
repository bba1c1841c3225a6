//! What a token can be narrowed to.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crate::error::{Error, Field};
use crate::id::KeyId;

/// The operations that a token can be narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Make and store a KEM key pair.
    KemGenerate,
    /// Encapsulate to an attested key.
    KemEncapsulate,
    /// Decapsulate.
    KemDecapsulate,
    /// Encrypt a text.
    AesEncrypt,
    /// Decrypt a text.
    AesDecrypt,
    /// Sign data.
    Sign,
    /// Verify a signature.
    Verify,
    /// All calls with client-held keys.
    V1,
}

impl Operation {
    /// Every operation, in the order of their bits in [`OperationSet::bits`].
    pub const ALL: [Self; 8] = [
        Self::KemGenerate,
        Self::KemEncapsulate,
        Self::KemDecapsulate,
        Self::AesEncrypt,
        Self::AesDecrypt,
        Self::Sign,
        Self::Verify,
        Self::V1,
    ];

    /// The name by which people and records know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KemGenerate => "kem.generate",
            Self::KemEncapsulate => "kem.encapsulate",
            Self::KemDecapsulate => "kem.decapsulate",
            Self::AesEncrypt => "aes.encrypt",
            Self::AesDecrypt => "aes.decrypt",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::V1 => "v1",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of operations.
///
/// ```
/// use pqc_core::token::{Operation, OperationSet};
/// let set = OperationSet::from_names(["sign", "verify"])?;
/// assert!(set.contains(Operation::Sign) && !set.contains(Operation::AesDecrypt));
/// assert_eq!((set.to_string(), set.bits()), ("sign,verify".to_string(), 0b110_0000));
/// assert_eq!(OperationSet::from_bits(set.bits()), set);
/// assert_eq!(OperationSet::ALL.names(), None); // not narrowed
/// assert!(OperationSet::from_names(["sing"]).is_err());
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OperationSet(u16);

impl OperationSet {
    /// Every operation, those of later versions included.
    pub const ALL: Self = Self(u16::MAX);

    /// The set with these names; an empty list would admit nothing and is refused.
    ///
    /// # Errors
    /// [`Error::Malformed`]: the list is empty or holds an unknown name.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        const MALFORMED: Error = Error::Malformed {
            field: Field::Operation,
            expected: "a list of kem.generate, kem.encapsulate, kem.decapsulate, aes.encrypt, \
                       aes.decrypt, sign, verify, v1",
        };
        let mut bits = 0;
        for name in names {
            let operation = Operation::ALL
                .into_iter()
                .find(|operation| operation.name() == name)
                .ok_or(MALFORMED)?;
            bits |= operation.bit();
        }
        if bits == 0 { Err(MALFORMED) } else { Ok(Self(bits)) }
    }

    /// The names of the operations, or `None` if the set is not narrowed.
    #[must_use]
    pub fn names(self) -> Option<Vec<&'static str>> {
        (self != Self::ALL).then(|| {
            Operation::ALL.into_iter().filter(|o| self.contains(*o)).map(Operation::name).collect()
        })
    }

    /// Whether `operation` is in the set.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & operation.bit() != 0
    }

    /// The form for a store.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// From the form for a store.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

/// What a token was narrowed to.
///
/// ```
/// use pqc_core::KeyId;
/// use pqc_core::token::{OperationSet, Scope};
/// let narrow = Scope {
///     operations: OperationSet::from_names(["kem.decapsulate"])?,
///     key_id: Some(KeyId::Pair([7; 32])),
/// };
/// assert_ne!(narrow, Scope::FULL);
/// assert_eq!(narrow.operations.to_string(), "kem.decapsulate");
/// assert_eq!(Scope::FULL.operations.to_string(), "all");
/// # Ok::<(), pqc_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// The operations it may do.
    pub operations: OperationSet,
    /// The only key it may use.
    pub key_id: Option<KeyId>,
}

impl Scope {
    /// Not narrowed.
    pub const FULL: Self = Self { operations: OperationSet::ALL, key_id: None };
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for OperationSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().map_or_else(|| "all".to_string(), |names| names.join(",")))
    }
}
