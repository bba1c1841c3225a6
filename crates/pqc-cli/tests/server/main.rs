//! The service as others see it: the real program, its real store on disk, over loopback.
//!
//! One module a topic; a name says what holds. What a topic asks of the server alone (its own
//! folder, its own end) it starts itself; the rest share one server and make accounts of their own.
//! Answers are checked against the core, and against its reference backend, in this process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

mod acvp;
mod admin;
mod audit;
mod backup;
mod bad_input;
mod broken_http;
mod bursts;
mod clock_jumps;
mod dashboard;
mod decapsulation;
mod demo;
mod disk_failure;
mod docs_page;
mod encapsulation_refuses;
mod examples;
mod families;
mod first_start;
mod full_disk;
mod held_bodies;
mod isolation;
mod key_cache;
mod keys;
mod keys_survive;
mod killed;
mod limits;
mod master_key;
mod moved_rows;
mod no_secret_leaks;
mod openapi;
mod operator_verbs;
mod order_of_checks;
mod overload;
mod postgres;
mod quotas;
mod remote;
mod repeated_calls;
mod request_log;
mod security_model;
mod slow_clients;
mod store_unavailable;
mod support;
mod texts;
mod tls;
mod token_spending;
#[path = "../../../pqc-service/tests/store/torture.rs"]
mod torture;
mod traces;
mod unread_output;
mod usage;
