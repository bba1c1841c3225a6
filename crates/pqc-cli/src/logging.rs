//! Logs on stderr, for people or as JSON, and never a secret in them.
//!
//! Our own crates log no secret at any level. Others are heard up to `info` whatever the filter
//! says, because what they write below that may hold pieces of requests; and statements of the
//! database not at all.

use std::fmt;
use std::io::{self, IsTerminal};

use anyhow::Context;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::output;

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each event.
    Human,
    /// A JSON object on a line for each event.
    Json,
}

/// The running log; when it is dropped, what waits is written.
#[must_use]
pub(crate) struct Log {
    lost: ErrorCounter,
    _guard: WorkerGuard,
}

impl Log {
    /// Says how many lines were lost, if any were.
    pub(crate) fn end(self) {
        match self.lost.dropped_lines() {
            0 => {}
            lines => tracing::warn!(lines, "lines of this log were lost, for nobody read them"),
        }
    }
}

/// Starts the log. Its lines are written by a thread of its own: where nobody reads them, lines
/// are lost and the server goes on.
///
/// # Errors
/// The filter is not one.
pub(crate) fn start(filter: &str, format: LogFormat) -> anyhow::Result<Log> {
    let wanted = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(filter)
        .with_context(|| {
            format!("{filter:?} is no log filter (--log); try info or pqc_http=debug")
        })?
        .and(filter_fn(may_be_heard));
    let (lines, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_THAT_WAIT)
        .thread_name("log")
        .finish(io::stderr());
    let lost = lines.error_counter();
    let layer = tracing_subscriber::fmt::layer().with_writer(lines).log_internal_errors(false);
    let layer = match format {
        LogFormat::Human => {
            let colours = io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
            layer.with_ansi(colours).with_filter(wanted).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).with_filter(wanted).boxed(),
    };
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))
        .context("the log is started already")?;
    Ok(Log { lost, _guard: guard })
}

/// Warns, in the log or, where a verb has none, on stderr.
pub(crate) fn warn(text: fmt::Arguments<'_>) {
    if tracing::dispatcher::has_been_set() {
        tracing::warn!("{text}");
    } else {
        output::note(format_args!("warning: {text}"));
    }
}

/// A panic's message may hold anything, so only where it happened is told.
pub(crate) fn keep_panics_silent() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            tracing::error!(thread, location, "panic");
        } else {
            output::note(format_args!("pqc: internal error (thread {thread}, {location})"));
        }
    }));
}

/// About a megabyte of them.
const LINES_THAT_WAIT: usize = 4096;

fn may_be_heard(event: &Metadata<'_>) -> bool {
    let target = event.target();
    let ours = target == "pqc" || target.starts_with("pqc::") || target.starts_with("pqc_");
    ours || (*event.level() <= Level::INFO && !target.starts_with("sqlx::query"))
}
