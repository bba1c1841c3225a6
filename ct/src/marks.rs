//! What is secret and what is public, for memcheck.

use std::ffi::c_void;

use crabgrind::memcheck::{MemState, mark_memory};
use rand_core::{TryCryptoRng, TryRng};

pub fn undefined(bytes: &[u8]) {
    mark(bytes, MemState::Undefined);
}

pub fn defined(bytes: &[u8]) {
    mark(bytes, MemState::Defined);
}

fn mark(bytes: &[u8], state: MemState) {
    mark_memory(bytes.as_ptr().cast::<c_void>(), bytes.len(), state)
        .expect("this program checks something under valgrind only");
}

/// Gives one byte again and again: a nonce, which is public.
pub struct Fixed(pub u8);

/// The same, marked undefined: a secret.
pub struct Undefined(pub u8);

macro_rules! generator {
    ($name:ident, $then:expr) => {
        impl TryRng for $name {
            type Error = std::convert::Infallible;

            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                rand_core::utils::next_word_via_fill(self)
            }

            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                rand_core::utils::next_word_via_fill(self)
            }

            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
                bytes.fill(self.0);
                $then(bytes);
                Ok(())
            }
        }

        impl TryCryptoRng for $name {}
    };
}

generator!(Fixed, defined);
generator!(Undefined, undefined);
