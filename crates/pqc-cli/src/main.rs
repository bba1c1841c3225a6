//! `pqc`: serve, administer, demonstrate; keys, signatures and files without a server.
//!
//! Two steps, and nothing acts before the first one ends: [`args`] is what was typed, [`commands`]
//! does it, one file a verb. Results go to stdout, everything else to stderr ([`output`]); how a
//! run ends is decided in [`exit`].
#![forbid(unsafe_code)]

mod args;
mod armor;
mod certificate;
mod commands;
mod config;
mod data_dir;
mod destination;
mod exit;
mod first_start;
mod input_file;
mod key_files;
mod key_pair;
mod logging;
mod master_key;
mod new_file;
mod opened;
mod output;
mod private_file;
mod progress;
mod signals;
mod signed_files;
mod signing_form;
mod source;
mod terminal;
mod traces;
mod x509;

use std::io::{self, ErrorKind};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::args::Refusal;
use crate::exit::{Detail, Exit};

fn main() -> ExitCode {
    logging::keep_panics_silent();
    let args = match args::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(Refusal::Usage(refusal)) => {
            // Help and version come this way too; a reader that went away needs no word.
            let unwritten = |error: io::Error| error.kind() != ErrorKind::BrokenPipe;
            let is_lost = refusal.print().is_err_and(unwritten);
            return if is_lost || refusal.use_stderr() { Exit::Bad } else { Exit::Done }.into();
        }
        Err(Refusal::File(error)) => return exit::report(&error, Detail::Line).into(),
    };
    let detail = if args.verbose { Detail::Chain } else { Detail::Line };
    // One more than works at a time: one of them never waits for the embedded store's disk.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).saturating_add(1);
    let done = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("cannot start the runtime")
        .and_then(|runtime| {
            let done = runtime.block_on(async {
                signals::outlive_file_size_limit().context("cannot listen to signals")?;
                commands::run(args).await
            });
            // Threads that write files clean up; one that reads may wait without an end.
            runtime.shutdown_timeout(Duration::from_secs(1));
            done
        });
    match done {
        Ok(()) => Exit::Done,
        Err(error) => exit::report(&error, detail),
    }
    .into()
}
