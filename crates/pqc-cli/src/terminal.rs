//! The person at the terminal, who is asked for passphrases.

use std::io::{self, IsTerminal};

use anyhow::{Context, bail};
use pqc_core::SecretVec;
use pqc_core::passphrase::check_passphrase;
#[cfg(unix)]
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::signals::Stopped;

/// Whether somebody is there: what is typed or what is said goes through a terminal.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal() || io::stderr().is_terminal()
}

/// Asks for the passphrase of `what`; it does not appear on the terminal.
///
/// # Errors
/// The terminal is gone; nothing was typed.
pub(crate) fn ask_passphrase(what: &str) -> anyhow::Result<SecretVec> {
    let typed = ask(&format!("Passphrase of {what}: "))?;
    if typed.is_empty() {
        bail!("no passphrase was typed");
    }
    Ok(typed)
}

/// Asks twice for the passphrase that `what` shall have.
///
/// # Errors
/// As [`ask_passphrase`]; nobody is there; the two differ; it is too short or too long.
pub(crate) fn ask_new_passphrase(what: &str) -> anyhow::Result<SecretVec> {
    if !is_there() {
        bail!("there is no terminal to ask for a passphrase: give it by --passphrase-file");
    }
    let first = ask(&format!("New passphrase of {what}: "))?;
    check_passphrase(first.expose_bytes())?;
    let second = ask("The same again: ")?;
    if first.expose_bytes() != second.expose_bytes() {
        bail!("the two passphrases differ: nothing was made");
    }
    Ok(first)
}

fn ask(prompt: &str) -> anyhow::Result<SecretVec> {
    remember();
    let answer = rpassword::prompt_password(prompt);
    forget();
    match answer {
        Ok(typed) => Ok(SecretVec::new(typed.into_bytes())),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            Err(Stopped::by_interrupt().into())
        }
        Err(error) => Err(error).context("cannot ask on the terminal"),
    }
}

/// Gives the terminal back as it was before a question that nobody answers any more.
pub(crate) fn restore() {
    #[cfg(unix)]
    if let (Ok(asked), Ok(tty)) = (ASKED.lock(), tty())
        && let Some(before) = &*asked
    {
        let _ = tcsetattr(&tty, OptionalActions::Now, before);
    }
}

/// Notes what the terminal is like, before a question turns it quiet.
fn remember() {
    #[cfg(unix)]
    if let Ok(mut asked) = ASKED.lock() {
        *asked = tty().ok().and_then(|tty| tcgetattr(&tty).ok());
    }
}

fn forget() {
    #[cfg(unix)]
    if let Ok(mut asked) = ASKED.lock() {
        *asked = None;
    }
}

#[cfg(unix)]
fn tty() -> io::Result<std::fs::File> {
    std::fs::File::open("/dev/tty")
}

/// The terminal before the question that is asked.
#[cfg(unix)]
static ASKED: std::sync::Mutex<Option<Termios>> = std::sync::Mutex::new(None);
