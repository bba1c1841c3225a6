//! The project's own tasks: `cargo xtask test`, `ci`, `conformance`, `coverage`, `ct`, `features`,
//! `fuzz`, `handshakes`, `instructions`, `load`, `screenshots`, `slow-clients`, `soak`, `timing` and
//! `torture`.
//!
//! A task is a list of commands, run from the workspace's root, and it stops at the first one that
//! fails, with that command's exit status. Tasks install nothing: `.ci/run` does that.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person who runs it"
)]

mod checks;
#[cfg(unix)]
mod cluster;
mod command;
mod conformance;
mod ct;
mod features;
mod fuzz;
mod handshakes;
mod http;
mod instructions;
mod load;
mod screenshots;
mod server;
mod slow_clients;
mod soak;
mod timing;
mod torture;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::command::Failed;

/// What can be typed after `cargo xtask`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "The project's own tasks")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test: units, integration, examples, benches (once each), doc tests; with a
    /// PostgreSQL of its own.
    Test,
    /// Run all that continuous integration runs: test, fmt, clippy, features, doc, deny, fuzz,
    /// instructions.
    Ci,
    /// Ask a running server all that schemathesis can think of (needs schemathesis).
    Conformance {
        /// How many examples each operation gets in each phase.
        #[arg(long, value_name = "N", default_value_t = conformance::EXAMPLES)]
        examples: u32,
        /// Another one has other examples.
        #[arg(long, value_name = "N", default_value_t = conformance::SEED)]
        seed: u64,
    },
    /// Count the core's lines that its tests run, file by file (needs cargo-llvm-cov).
    Coverage,
    /// Run the core's operations on secrets under valgrind (needs valgrind and libclang).
    Ct,
    /// Test and lint the core by its features; link and run it without std.
    Features,
    /// Run every fuzz target, the first crash ends it (needs cargo-fuzz and a C++ compiler).
    Fuzz {
        /// How long each target runs.
        #[arg(long, value_name = "N", default_value_t = 20)]
        seconds: u32,
        /// Run this target only.
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
    },
    /// Measure TLS handshakes: X25519MLKEM768 against X25519.
    Handshakes,
    /// Count the instructions of operations and requests, and compare with those that were kept
    /// (needs valgrind).
    Instructions {
        /// Keep them as they are now, in `xtask/instructions.toml`.
        #[arg(long)]
        bless: bool,
    },
    /// Measure the server over HTTP against a bare one and a Python one; writes docs/benchmarks.md
    /// (needs wrk).
    Load(load::Options),
    /// Take the pictures of the dashboard anew, in docs/screenshots (needs Chromium and its driver).
    Screenshots,
    /// Measure normal calls while slow clients hold connections.
    SlowClients {
        /// How many of them.
        #[arg(long, value_name = "N", default_value_t = 2000)]
        count: usize,
    },
    /// Make mixed calls for long; memory and open files have to be flat at the end.
    Soak {
        /// How long.
        #[arg(long, value_name = "N", default_value_t = 3)]
        minutes: u32,
        /// On PostgreSQL, a cluster of its own, instead of the embedded store.
        #[arg(long)]
        postgres: bool,
    },
    /// Test whether the time of a 401 tells its reason.
    Timing {
        /// How many times tokens are made and asked with, for 15 seconds.
        #[arg(long, value_name = "N", default_value_t = 8)]
        rounds: usize,
    },
    /// Kill servers, stop databases and fill disks under load, until the time is over.
    Torture {
        /// How long; the last pass is finished.
        #[arg(long, value_name = "N", default_value_t = 10)]
        minutes: u32,
        /// The moments of the first pass; the others count on from it.
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::Test => checks::test(),
        Task::Ci => checks::ci(),
        Task::Conformance { examples, seed } => conformance::run(examples, seed),
        Task::Coverage => checks::coverage(),
        Task::Ct => ct::run(),
        Task::Features => features::run(),
        Task::Fuzz { seconds, target } => fuzz::run(seconds, target.as_deref()),
        Task::Handshakes => handshakes::run(),
        Task::Instructions { bless } => instructions::run(bless),
        Task::Load(options) => load::run(&options),
        Task::Screenshots => screenshots::run(),
        Task::SlowClients { count } => slow_clients::run(count),
        Task::Soak { minutes, postgres } => soak::run(minutes, postgres),
        Task::Timing { rounds } => timing::run(rounds),
        Task::Torture { minutes, seed } => torture::run(minutes, seed),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            error.downcast_ref::<Failed>().map_or(ExitCode::FAILURE, Failed::exit_code)
        }
    }
}
