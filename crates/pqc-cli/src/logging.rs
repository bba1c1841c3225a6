//! Logs on stderr, for people or as JSON, and never a secret in them.
//!
//! Our own crates log no secret at any level. Others are heard up to `info` whatever the filter
//! says, because what they write below that may hold pieces of requests; and statements of the
//! database not at all.

use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use pqc_http::{LogFilter, TRACE_TARGET};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{Registry, reload};

use crate::output;
use crate::traces::Traces;

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
    traces: Option<Traces>,
    lost: ErrorCounter,
    wanted: Arc<Wanted>,
    _guard: WorkerGuard,
}

impl Log {
    /// What is logged, to be looked at and changed.
    pub(crate) fn filter(&self) -> Arc<dyn LogFilter> {
        Arc::clone(&self.wanted) as _
    }

    /// Sends the last traces, and says how many lines were lost, if any were.
    pub(crate) fn end(self) {
        if let Some(traces) = self.traces {
            traces.end();
        }
        match self.lost.dropped_lines() {
            0 => {}
            lines => tracing::warn!(lines, "lines of this log were lost, for nobody read them"),
        }
    }
}

/// Starts the log. Its lines are written by a thread of its own: where nobody reads them, lines
/// are lost and the server goes on. Spans of calls go to the traces, if there are any.
///
/// # Errors
/// The filter is not one.
pub(crate) fn start(
    filter: &str,
    format: LogFormat,
    traces: Option<Traces>,
) -> anyhow::Result<Log> {
    let wanted = parse(filter).with_context(|| {
        format!("{filter:?} is no log filter (--log); try info or pqc_http=debug")
    })?;
    let (wanted, handle) = reload::Layer::new(wanted);
    // Around what can be changed: no filter makes those heard who shall not be.
    let heard = wanted.and(filter_fn(may_be_heard));
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
            layer.with_ansi(colours).with_filter(heard).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).with_filter(heard).boxed(),
    };
    let traced = traces.as_ref().map(Traces::layer);
    let subscriber = tracing_subscriber::registry().with(layer).with(traced);
    tracing::subscriber::set_global_default(subscriber).context("the log is started already")?;
    let wanted = Arc::new(Wanted { handle, text: Mutex::new(filter.to_owned()) });
    Ok(Log { traces, lost, wanted, _guard: guard })
}

/// The filter in force, beside what others are kept from anyway.
struct Wanted {
    handle: reload::Handle<EnvFilter, Registry>,
    /// As it was given.
    text: Mutex<String>,
}

impl LogFilter for Wanted {
    fn filter(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, filter: &str) -> Result<(), String> {
        let wanted = parse(filter).map_err(|error| format!("is no log filter: {error}"))?;
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        self.handle.reload(wanted).map_err(|error| error.to_string())?;
        filter.clone_into(&mut text);
        // Who reads the log is to know why it begins or ends here.
        tracing::warn!(filter, "what is logged was changed");
        Ok(())
    }
}

fn parse(filter: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(filter)
}

/// Whether a log with this filter takes warnings.
pub(crate) fn takes_warnings(filter: &str) -> bool {
    let level = parse(filter).ok().and_then(|filter| filter.max_level_hint());
    level.is_none_or(|level| level >= LevelFilter::WARN)
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
    // Spans for traces are not for the log.
    target != TRACE_TARGET
        && (ours || (*event.level() <= Level::INFO && !target.starts_with("sqlx::query")))
}
