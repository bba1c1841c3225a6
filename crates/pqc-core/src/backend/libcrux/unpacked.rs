//! Prepared ML-KEM keys: libcrux's unpacked ones, which hold the expanded matrix.
//!
//! For these libcrux leaves the choice of instructions to its caller. Its vectorized modules are
//! safe by their types, and undefined behaviour on a processor without AVX2. They are reached here
//! in two ways only: through [`by_module`], which asks the processor first, and by the methods of a
//! key whose type is the vectorized one, which only that branch makes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use zeroize::{Zeroizing, optimization_barrier};

use crate::backend::{PreparedDecapsulation, PreparedEncapsulation, internal};
use crate::error::Error;
use crate::kem::ParameterSet;
use crate::secret::Secret;

/// The question that libcrux asks before each of its own calls, and what may be called after a yes.
#[cfg(target_arch = "x86_64")]
mod vectorized {
    pub(super) use libcrux_ml_kem::mlkem512::avx2::unpacked as mlkem512;
    pub(super) use libcrux_ml_kem::mlkem768::avx2::unpacked as mlkem768;
    pub(super) use libcrux_ml_kem::mlkem1024::avx2::unpacked as mlkem1024;
    pub(super) use libcrux_platform::simd256_support as supported;
}

/// The question that libcrux asks before each of its own calls, and what may be called after a yes.
#[cfg(target_arch = "aarch64")]
mod vectorized {
    pub(super) use libcrux_ml_kem::mlkem512::neon::unpacked as mlkem512;
    pub(super) use libcrux_ml_kem::mlkem768::neon::unpacked as mlkem768;
    pub(super) use libcrux_ml_kem::mlkem1024::neon::unpacked as mlkem1024;
    pub(super) use libcrux_platform::simd128_support as supported;
}

/// What may be called anywhere.
mod portable {
    pub(super) use libcrux_ml_kem::mlkem512::portable::unpacked as mlkem512;
    pub(super) use libcrux_ml_kem::mlkem768::portable::unpacked as mlkem768;
    pub(super) use libcrux_ml_kem::mlkem1024::portable::unpacked as mlkem1024;
}

/// Runs one body for the module of the parameter set that this processor may run.
macro_rules! by_module {
    ($algorithm:expr, $module:ident => $body:expr) => {
        by_module!($algorithm, $module => $body,
            (MlKem512, mlkem512), (MlKem768, mlkem768), (MlKem1024, mlkem1024))
    };
    ($algorithm:expr, $module:ident => $body:expr, $(($set:ident, $name:ident)),*) => {
        match ($algorithm, vectorized::supported()) {
            $(
                (ParameterSet::$set, true) => {
                    use vectorized::$name as $module;
                    $body
                }
                (ParameterSet::$set, false) => {
                    use portable::$name as $module;
                    $body
                }
            )*
        }
    };
}

pub(super) fn encapsulation_key(
    algorithm: ParameterSet,
    key: &[u8],
) -> Result<Box<dyn PreparedEncapsulation>, Error> {
    by_module!(algorithm, set => {
        let key = key.try_into().map_err(|_| internal("encapsulation key"))?;
        let mut unpacked = Box::new(set::init_public_key());
        set::unpacked_public_key(&key, &mut unpacked);
        Ok(unpacked)
    })
}

pub(super) fn decapsulation_key(
    algorithm: ParameterSet,
    expanded: &[u8],
) -> Result<Box<dyn PreparedDecapsulation>, Error> {
    by_module!(algorithm, set => {
        let key = expanded.try_into().map_err(|_| internal("decapsulation key"))?;
        let mut unpacked = Box::new(KeyPair(set::init_key_pair()));
        set::key_pair_from_private_mut(&key, &mut unpacked.0);
        let _wiped: Zeroizing<[u8; _]> = Zeroizing::new(key.into());
        Ok(unpacked)
    })
}

/// A key pair that is overwritten before its memory is given back: libcrux wipes nothing.
struct KeyPair<K: Default>(K);

impl<K: Default> Drop for KeyPair<K> {
    fn drop(&mut self) {
        self.0 = K::default();
        // Or the compiler would leave out writes that nobody reads.
        optimization_barrier(&self.0);
    }
}

macro_rules! prepared {
    ($($name:ident: $public:ident, $pair:ident;)*) => {
        $(
            prepared!(vectorized, $name, $public, $pair);
            prepared!(portable, $name, $public, $pair);
        )*
    };
    ($modules:ident, $name:ident, $public:ident, $pair:ident) => {
        impl PreparedEncapsulation for $modules::$name::$public {
            fn encapsulate(&self, message: &Secret<32>) -> (Vec<u8>, Secret<32>) {
                let (ciphertext, secret) =
                    $modules::$name::encapsulate(self, *message.expose_bytes());
                (ciphertext.as_ref().to_vec(), Secret::from(secret))
            }

            fn memory_bytes(&self) -> usize {
                size_of_val(self) // libcrux points to nothing
            }
        }

        impl PreparedDecapsulation for KeyPair<$modules::$name::$pair> {
            fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret<32>, Error> {
                let ciphertext = ciphertext.try_into().map_err(|_| internal("decapsulation"))?;
                Ok(Secret::from($modules::$name::decapsulate(&self.0, &ciphertext)))
            }

            fn memory_bytes(&self) -> usize {
                size_of_val(self)
            }
        }
    };
}

prepared! {
    mlkem512: MlKem512PublicKeyUnpacked, MlKem512KeyPairUnpacked;
    mlkem768: MlKem768PublicKeyUnpacked, MlKem768KeyPairUnpacked;
    mlkem1024: MlKem1024PublicKeyUnpacked, MlKem1024KeyPairUnpacked;
}
