//! The core's tests from outside, one module a topic, linked once.
//!
//! Vectors: `kat_acvp` and `acvp_answers` (NIST), `kat_wycheproof`, `formats` (ours, frozen).
//! Agreement of the two backends and of others: `differential`, `aws_lc`. Files: `key_files`. What
//! fuzzing kept: `fuzz_corpus`. Other people's programs: `interop`, `formats_interop` and
//! `key_files::interop`. Behaviour: the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test that panics has failed, which is what it is for"
)]

#[cfg(feature = "acvp")]
mod acvp_answers;
mod audit;
#[cfg(feature = "hazmat")]
mod aws_lc;
#[cfg(feature = "hazmat")]
mod backends;
mod debug;
#[cfg(feature = "hazmat")]
mod differential;
mod encapsulation_refuses;
mod envelope;
#[cfg(feature = "std")]
mod envelope_io;
mod envelope_properties;
#[cfg(feature = "std")]
mod envelope_signed;
mod expanded_keys;
mod failing_randomness;
mod formats;
mod formats_interop;
mod fuzz_corpus;
mod interop;
#[cfg(feature = "hazmat")]
mod kat_acvp;
#[cfg(feature = "hazmat")]
mod kat_wycheproof;
mod key_files;
mod key_properties;
#[cfg(any(feature = "acvp", feature = "hazmat"))]
mod nist;
#[cfg(feature = "hazmat")]
mod peers;
mod prepared_keys;
mod properties;
mod remembered;
mod signing_ways;
mod stream;
#[cfg(feature = "std")]
mod stream_io;
mod stream_properties;
mod support;
mod token_policy;
