//! The client as programs use it: against the real server on a real store, and against listeners that
//! answer what no honest server does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "test code"
)]

mod lab;
mod misunderstood;
mod repeated;
mod scripted;
mod served;
mod tls;
