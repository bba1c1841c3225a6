//! What the service takes from the machine it runs on: the time and randomness.
//!
//! Tests hand in their own, so that a clock can jump and a generator can fail.

use pqc_core::Timestamp;
use rand_core::{TryCryptoRng, TryRng};

/// The machine.
pub trait Host: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Fills `bytes` from a cryptographic generator.
    ///
    /// # Errors
    /// [`RandomnessFailed`]: then `bytes` are of no use.
    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomnessFailed>;
}

/// The operating system's clock and generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Host for System {
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let millis = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
        Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), RandomnessFailed> {
        getrandom::fill(bytes).map_err(|_| RandomnessFailed)
    }
}

/// The host's generator, in the form that the core takes.
pub(crate) struct HostRng<'a>(pub(crate) &'a dyn Host);

impl TryRng for HostRng<'_> {
    type Error = RandomnessFailed;

    fn try_next_u32(&mut self) -> Result<u32, RandomnessFailed> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, RandomnessFailed> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessFailed> {
        self.0.fill_random(bytes)
    }
}

impl TryCryptoRng for HostRng<'_> {}

/// The generator failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random generator failed")]
pub struct RandomnessFailed;
