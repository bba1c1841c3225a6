//! The audit log: what was done, by whom, to what; in chains that show what was taken away.
//!
//! An [`Entry`] says that something was done, and never what was in it. Entries follow one another
//! in a chain, each bound to all before it by a hash ([`ChainHead`], SHA-256, FIPS 180-4). Whoever
//! writes a chain states now and then, signed, how far it has come: a [`Checkpoint`], which also
//! binds the checkpoint before it, so that chains of many writers hold together. [`Verifier`]
//! finds what was removed, changed, put elsewhere or added; of what was cut off at the end, the
//! checkpoints that are kept elsewhere tell.
//!
//! ```
//! use pqc_core::audit::{Actor, ChainHead, ChainId, CheckpointKey, Entry, Finding, Verifier};
//! use pqc_core::Timestamp;
//! # let rng = &mut getrandom::SysRng;
//! let now = Timestamp::from_seconds(1_800_000_000);
//! let entries = ["account.create", "token.mint"].map(|act| Entry::new(now, act, Actor::Operator));
//! let mut head = ChainHead::begin(ChainId::from_bytes([7; 16]));
//! let rows: Vec<_> = entries.iter().map(|entry| {
//!     head = head.after(&entry.to_bytes());
//!     (head, entry.clone())
//! }).collect();
//! let key = CheckpointKey::generate(rng)?;
//! let checkpoint = key.sign(None, &head, now, rng)?;
//!
//! let verify = |rows: &[(_, Entry)]| {
//!     let mut verifier = Verifier::new([key.verifying_key().clone()]);
//!     verifier.checkpoint(&checkpoint);
//!     for (head, entry) in rows {
//!         verifier.row(head, entry);
//!     }
//!     verifier.finish()
//! };
//! assert!(verify(&rows).findings.is_empty());
//! let cut = verify(&rows[..1]);
//! assert!(matches!(cut.findings[..], [Finding::MissingRows { .. }]));
//! # Ok::<(), pqc_core::Error>(())
//! ```

mod chain;
mod checkpoint;
mod entry;
mod verifier;

pub use chain::{ChainHead, ChainId};
pub use checkpoint::{Checkpoint, CheckpointKey};
pub use entry::{Actor, Entry};
pub use verifier::{Finding, Report, Verifier};
