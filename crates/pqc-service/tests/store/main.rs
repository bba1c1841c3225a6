//! What a store does, on real files on disk and on a real PostgreSQL, linked once.
//!
//! `conformance` is what every store must do: written over the trait, run on each store. The others
//! are about its file or database, its clock, its transactions, its neighbours, its death.
//! `PQC_TEST_POSTGRES` is the URL of a cluster in which each test makes a database of its own;
//! `cargo xtask test` starts one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test that panics has failed, which is what it is for"
)]

mod audit;
mod backup;
#[path = "../../../../xtask/src/cluster.rs"]
mod cluster;
mod conformance;
mod damaged_rows;
mod erased;
mod ground;
mod group_commit;
mod interrupted;
mod key_cache;
mod killed;
mod lookups;
mod many_servers;
mod opening;
mod policy_model;
mod postgres;
mod quotas;
mod removal;
mod rotation;
mod support;
mod time;
mod torture;
mod two_processes;
mod upgrade;
mod versions;
