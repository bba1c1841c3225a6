//! The HTTP adapter of pqc: the wire contract, its errors, and the server.
//!
//! A request goes one way: `server` accepts its connection, `connection` serves it within limits,
//! `around` gives it a name and a log line, `operation` takes it through the contract's order of checks, and a row of `api`
//! turns fields into the core's types, calls one method of the service and writes the answer. No
//! handler holds cryptography, and nothing below this crate knows a wire name. What the calls take
//! and answer is told by `openapi`, for people and programs. `page` is the dashboard: pages for a person
//! in a browser, over the same methods of the service.
#![forbid(unsafe_code)]

mod admin;
mod api;
mod app;
mod around;
mod auth;
mod body;
mod calls;
mod client;
mod connection;
mod cross_origin;
mod fields;
mod idempotency;
mod json;
mod metrics;
mod openapi;
mod operation;
mod page;
mod places;
mod problem;
mod rates;
mod receive;
mod routes;
mod server;
#[cfg(test)]
mod testing;
mod tls;
mod trace;
mod versions;

pub use admin::{Admin, LogFilter};
pub use app::{App, Config, HttpService, pages, paths};
pub use client::{Proxies, ProxyHeader};
pub use rates::RateConfig;
pub use server::serve;
pub use tls::{Certificate, KeyExchange, Tls, TlsError};
pub use trace::TRACE_TARGET;
