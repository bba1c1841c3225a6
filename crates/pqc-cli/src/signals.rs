//! Signals: those that end a server (the first one kindly, the second at once) or a verb that has
//! files to clean up, and one that must end nothing.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::oneshot;

use crate::terminal;

/// Hears of files that reach their limit of size from now on, so that the process does not die of it
/// with a dump of its memory: the write fails, like one on a full disk.
///
/// # Errors
/// The system refuses.
pub(crate) fn outlive_file_size_limit() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        // Once it was asked for, the process hears it for good.
        signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
    }
    #[cfg(not(unix))]
    Ok(())
}

/// The signals that end a server, heard from its making on.
#[derive(Debug)]
pub(crate) struct Signals {
    first: oneshot::Receiver<Signal>,
    kindly: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to listen. Until [`Self::stop`] is called a signal ends the process at once, with the
    /// status that a shell gives to one that died of it: a start may hang on a file.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut source = Source::listen()?;
        let (tell, first) = oneshot::channel();
        let kindly = Arc::<AtomicBool>::default();
        let is_kind = Arc::clone(&kindly);
        tokio::spawn(async move {
            let mut signal = source.next().await;
            if is_kind.load(Ordering::SeqCst) {
                let _ = tell.send(signal);
                signal = source.next().await;
            }
            // What was answered is in the store by then.
            std::process::exit(signal.status().into());
        });
        Ok(Self { first, kindly })
    }

    /// From this call on, the first signal ends the future, and only the second one the process.
    pub(crate) fn stop(self) -> impl Future<Output = ()> + Send {
        self.kindly.store(true, Ordering::SeqCst);
        async move {
            match self.first.await {
                Ok(signal) => tracing::info!("{} received", signal.name()),
                Err(_) => std::future::pending().await,
            }
        }
    }
}

/// The signal by which operators ask for a certificate to be read again. Who has heard of it once does
/// not end by it.
pub(crate) struct Hangup(#[cfg(unix)] tokio::signal::unix::Signal);

impl Hangup {
    /// Hears it from now on.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            signal(SignalKind::hangup()).map(Self)
        }
        #[cfg(not(unix))]
        Ok(Self())
    }

    /// Waits for the next.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if self.0.recv().await.is_some() {
            return;
        }
        std::future::pending().await
    }
}

/// A signal ended the run.
#[derive(Debug, thiserror::Error)]
#[error("stopped by {}", _0.name())]
pub(crate) struct Stopped(Signal);

impl Stopped {
    /// Somebody at the terminal did.
    pub(crate) fn by_interrupt() -> Self {
        Self(Signal::Interrupt)
    }

    /// The status that a shell gives to a process that died of the signal.
    pub(crate) fn status(&self) -> u8 {
        self.0.status()
    }
}

/// Does `verb`, unless a signal comes first: then it is dropped, and its unfinished files with it.
///
/// # Errors
/// The verb's; [`Stopped`].
pub(crate) async fn unless_stopped(
    verb: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let mut source = Source::listen().context("cannot listen to signals")?;
    let mut others = Others::listen().context("cannot listen to signals")?;
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let signal = tokio::select! {
            signal = source.next() => signal,
            signal = others.next() => signal,
        };
        let _ = tell.send(signal);
        // One that waits for a file that gives nothing cannot be dropped.
        tokio::time::sleep(PATIENCE).await;
        terminal::restore();
        std::process::exit(signal.status().into());
    });
    tokio::select! {
        biased;
        done = verb => done,
        Ok(signal) = told => Err(Stopped(signal).into()),
    }
}

/// Where signals come from.
struct Source {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Source {
    fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn next(&mut self) -> Signal {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Signal::Interrupt
        }
    }
}

/// What else ends a verb, but not a server: its terminal was closed, or somebody typed ^\.
struct Others {
    /// None where they are not to end it, as under nohup.
    #[cfg(unix)]
    hangup: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    quit: tokio::signal::unix::Signal,
}

impl Others {
    fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let hangup =
                if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
            Ok(Self { hangup, quit: signal(SignalKind::quit())? })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn next(&mut self) -> Signal {
        #[cfg(unix)]
        {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = hangup => Signal::Hangup,
                _ = self.quit.recv() => Signal::Quit,
            }
        }
        #[cfg(not(unix))]
        std::future::pending().await
    }
}

/// Whether who started this process wants it to outlive its terminal. Only Linux tells.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 != 0)
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Signal {
    #[cfg(unix)]
    Hangup,
    #[cfg(unix)]
    Quit,
    #[cfg(unix)]
    Terminate,
    Interrupt,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            #[cfg(unix)]
            Self::Hangup => "SIGHUP",
            #[cfg(unix)]
            Self::Quit => "SIGQUIT",
            #[cfg(unix)]
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }

    fn status(self) -> u8 {
        match self {
            #[cfg(unix)]
            Self::Hangup => 128 + 1,
            #[cfg(unix)]
            Self::Quit => 128 + 3,
            #[cfg(unix)]
            Self::Terminate => 128 + 15,
            Self::Interrupt => 128 + 2,
        }
    }
}

/// How long a verb that a signal ends may take to leave.
const PATIENCE: Duration = Duration::from_secs(1);
