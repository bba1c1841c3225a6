//! The verbs, one file each.

mod account;
mod acvp;
mod audit;
mod backup;
mod bench;
mod decrypt;
mod demo;
mod encrypt;
mod inspect;
mod issuer;
mod kem;
mod keys;
mod manual;
mod master_key;
mod named_key;
mod remote;
mod restore;
mod selftest;
mod serve;
mod sig;
mod token;
mod usage;

use pqc_core::Timestamp;

use crate::args::{Args, Command};
use crate::config::check_variables;
use crate::output::Output;
use crate::signals::unless_stopped;

/// Does what was typed.
///
/// # Errors
/// Whatever went wrong; [`crate::exit`] tells how the run ends.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let output = if args.json { Output::Json } else { Output::Text };
    if !matches!(args.command, Command::Remote(_)) {
        args.remote.refuse()?;
    }
    let has_settings = !matches!(
        args.command,
        Command::Kem(_)
            | Command::Sig(_)
            | Command::Encrypt(_)
            | Command::Decrypt(_)
            | Command::Inspect(_)
            | Command::Remote(_)
            | Command::Selftest
            | Command::Acvp { .. }
            | Command::Bench(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Help(_)
    );
    if has_settings {
        check_variables(std::env::vars_os())?;
    }
    match args.command {
        Command::Serve(args) => serve::run(*args, output).await,
        Command::Demo => demo::run(output).await,
        Command::Account(args) => account::run(args, output).await,
        Command::Keys(args) => keys::run(args, output).await,
        Command::Issuer(args) => issuer::run(args, output).await,
        Command::MasterKey(verb) => master_key::run(verb, output).await,
        Command::Token(args) => token::run(args, output).await,
        Command::Backup(args) => unless_stopped(backup::run(*args, output)).await,
        Command::Restore(args) => unless_stopped(restore::run(*args, output)).await,
        Command::Audit(args) => audit::run(args, output).await,
        Command::Usage(args) => usage::run(args, output).await,
        Command::Kem(args) => unless_stopped(async { kem::run(args, output) }).await,
        Command::Encrypt(args) => unless_stopped(encrypt::run(*args, output)).await,
        Command::Decrypt(args) => unless_stopped(decrypt::run(*args, output)).await,
        Command::Sig(args) => unless_stopped(async { sig::run(args, output) }).await,
        Command::Inspect(args) => inspect::run(&args, output),
        Command::Remote(verb) => unless_stopped(remote::run(*verb, args.remote, output)).await,
        Command::Selftest => selftest::run(output),
        Command::Acvp { prompt } => acvp::run(&prompt, output),
        Command::Bench(args) => bench::run(&args, output),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args, output),
        Command::Help(args) => manual::help(&args),
    }
}

/// A time for people and programs: RFC 3339 in UTC, to the second.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    i64::try_from(time.seconds())
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(|| "beyond the calendar".to_owned(), |time| time.to_string())
}

#[test]
fn times_are_rfc_3339() {
    assert_eq!(rfc3339(Timestamp::from_millis(1_700_000_000_999)), "2023-11-14T22:13:20Z");
    assert_eq!(rfc3339(Timestamp::from_millis(u64::MAX)), "beyond the calendar");
}
