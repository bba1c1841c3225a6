//! What a store does, on real files on disk, linked once.
//!
//! `conformance` is what every store must do: written over the trait, run on each store. The others
//! are about the embedded one: its file, its clock, its transactions, its neighbours, its death.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test that panics has failed, which is what it is for"
)]

mod conformance;
mod damaged_rows;
mod group_commit;
mod killed;
mod opening;
mod policy_model;
mod support;
mod time;
mod two_processes;
