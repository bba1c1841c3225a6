//! What the service takes from the machine it runs on: the time, randomness, and its own end.
//!
//! Tests hand in their own, so that a clock can jump and a generator can fail.

use std::io::Write;
use std::sync::mpsc;
use std::time::Duration;

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

    /// Ends the process, because the disk did not confirm what a store wrote: what this process
    /// knows of the store may no longer be so, and the next one finds out. `why` holds no secret.
    ///
    /// Where it returns, as a test's does, the store makes no more changes.
    fn halt(&self, why: &str);
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

    /// One line on stderr, past the log, which nobody would write any more; then the end, with
    /// status 2. No abort: its dump would hold secrets.
    fn halt(&self, why: &str) {
        let line = format!("pqc: {}\n", why.split_whitespace().collect::<Vec<_>>().join(" "));
        let (told, written) = mpsc::channel();
        // Where nobody reads stderr, the writing may never end.
        let writing = std::thread::Builder::new().spawn(move || {
            let _ = std::io::stderr().write_all(line.as_bytes());
            let _ = told.send(());
        });
        if writing.is_ok() {
            let _ = written.recv_timeout(LAST_WORDS);
        }
        std::process::exit(HALTED);
    }
}

const LAST_WORDS: Duration = Duration::from_millis(500);
/// As for every store that cannot be used.
const HALTED: i32 = 2;

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
