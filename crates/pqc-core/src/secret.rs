//! The types that hold secrets.
//!
//! They live on the heap, are wiped on drop, print `[redacted]`, cannot be copied, cloned or
//! compared with `==`, and give their bytes only through `expose_bytes`, so every reading place
//! can be searched for.
//!
//! ```compile_fail,E0599
//! let secret = pqc_core::Secret::<32>::from([7; 32]);
//! let copy = secret.clone(); // a secret has one owner
//! ```
//! ```compile_fail,E0369
//! let (a, b) = (pqc_core::Secret::<32>::from([7; 32]), pqc_core::Secret::<32>::from([7; 32]));
//! let same = a == b; // comparing takes `ct_eq`
//! ```
//! ```compile_fail,E0277
//! println!("{}", pqc_core::Secret::<32>::from([7; 32])); // not for people's eyes
//! ```
//! ```
//! let (a, b) = (pqc_core::Secret::<32>::from([7; 32]), pqc_core::Secret::<32>::from([7; 32]));
//! assert!(a.ct_eq(&b));
//! assert_eq!(format!("{a:?}"), "[redacted]");
//! ```

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

use rand_core::TryCryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, optimization_barrier};

use crate::error::{Error, Field, check_length};

/// A secret of exactly `N` bytes.
///
/// ```
/// use pqc_core::{Error, Field, Secret};
/// let secret = Secret::<32>::generate(&mut getrandom::SysRng)?;
/// let copy = Secret::<32>::from_slice(Field::BoxKey, secret.expose_bytes())?;
/// assert!(copy.ct_eq(&secret));
/// let short = Secret::<32>::from_slice(Field::BoxKey, &[7; 31]).unwrap_err();
/// assert_eq!(short.to_string(), "key must be 32 bytes, not 31");
/// # Ok::<(), Error>(())
/// ```
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// `N` random bytes.
    ///
    /// # Errors
    /// [`Error::Randomness`]: the generator failed; nothing was made.
    pub fn generate(rng: &mut (impl TryCryptoRng + ?Sized)) -> Result<Self, Error> {
        Self::fill_with(|bytes| rng.try_fill_bytes(bytes).map_err(|_| Error::Randomness))
    }

    /// Copies `bytes`, which `field` names in an error. The caller wipes its own copy.
    ///
    /// # Errors
    /// [`Error::Length`]: `bytes` is not `N` bytes.
    pub fn from_slice(field: Field, bytes: &[u8]) -> Result<Self, Error> {
        check_length(field, N, bytes.len())?;
        let mut secret = Self(Box::new([0; N]));
        secret.0.copy_from_slice(bytes);
        Ok(secret)
    }

    /// Lets `fill` write the bytes in place; on its error what it wrote is wiped.
    pub(crate) fn fill_with<E>(
        fill: impl FnOnce(&mut [u8; N]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0)?;
        Ok(secret)
    }

    /// The secret bytes: for the one call that needs them.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// Whether both are equal, in time that does not depend on where they differ.
    #[must_use]
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.fill(0);
        optimization_barrier(&*self.0);
    }
}

impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

impl<const N: usize> From<[u8; N]> for Secret<N> {
    /// Moves `bytes` to the heap and wipes the array it was given.
    fn from(mut bytes: [u8; N]) -> Self {
        let secret = Self(Box::new(bytes));
        bytes.zeroize();
        secret
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Secret bytes whose count is not known to the compiler: texts, expanded keys.
///
/// ```
/// use pqc_core::SecretVec;
/// let text = SecretVec::copy_of(b"text");
/// assert_eq!((text.len(), text.is_empty()), (4, false));
/// assert_eq!(text.expose_bytes(), SecretVec::new(b"text".to_vec()).expose_bytes());
/// assert_eq!(format!("{text:?}"), "[redacted]");
/// ```
pub struct SecretVec(Wiped<Vec<u8>>);

impl ZeroizeOnDrop for SecretVec {}

impl SecretVec {
    /// Takes `bytes` over. Their buffer is wiped on drop, spare capacity included.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Wiped::new(bytes))
    }

    /// Copies `bytes`. The caller wipes its own copy.
    #[must_use]
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }

    /// Room for `count` bytes that are written in place.
    pub(crate) fn zeroed(count: usize) -> Self {
        Self::new(alloc::vec![0; count])
    }

    /// The secret bytes: for the one call that needs them.
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn expose_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// The count of bytes, which is not secret.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Buffer> From<Wiped<T>> for SecretVec {
    /// Takes the buffer over.
    fn from(mut bytes: Wiped<T>) -> Self {
        Self::new(core::mem::take(&mut bytes.0).into())
    }
}

impl fmt::Debug for SecretVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A buffer to read into, write to and take apart, wiped on drop, spare capacity included. Where one
/// grows beyond its capacity, what it leaves behind is not.
///
/// It does what `Zeroizing` does, but as fast as memory is filled: `Zeroizing` writes each byte by
/// itself, which takes longer than to decrypt them.
///
/// ```
/// use pqc_core::{SecretVec, secret::Wiped};
/// let mut text = Wiped::new(String::with_capacity(8));
/// text.push_str("text");
/// assert_eq!((text.as_str(), format!("{text:?}").as_str()), ("text", "[redacted]"));
/// assert_eq!(SecretVec::from(text).expose_bytes(), b"text");
/// ```
/// ```compile_fail,E0277
/// let key = pqc_core::secret::Wiped::new([7; 32]); // an array stays where it is
/// ```
#[derive(Default)]
pub struct Wiped<T: Buffer>(T);

/// A buffer of bytes on the heap, which can be taken over as one: `Vec<u8>` or `String`. Of other types
/// it would be a copy that is wiped, so no others are taken.
pub trait Buffer: sealed::Sealed + Default + Into<Vec<u8>> {}

impl Buffer for Vec<u8> {}
impl Buffer for String {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for alloc::vec::Vec<u8> {}
    impl Sealed for alloc::string::String {}
}

impl<T: Buffer> Wiped<T> {
    /// Takes the buffer over.
    #[must_use]
    pub fn new(buffer: T) -> Self {
        Self(buffer)
    }
}

impl<T: Buffer> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Buffer> DerefMut for Wiped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Buffer> Drop for Wiped<T> {
    fn drop(&mut self) {
        let mut bytes: Vec<u8> = core::mem::take(&mut self.0).into();
        // Within its capacity a vector does not move.
        bytes.clear();
        bytes.resize(bytes.capacity(), 0);
        // Or the compiler would leave out writes that nobody reads.
        optimization_barrier(bytes.as_slice());
    }
}

impl<T: Buffer> ZeroizeOnDrop for Wiped<T> {}

impl<T: Buffer> fmt::Debug for Wiped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
