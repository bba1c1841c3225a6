//! `pqc demo`: a server on a free port with a temporary store, and on it a receiver and a sender.

mod client;
mod flow;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pqc_core::Secret;
use pqc_service::{By, Custody, Settings};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::args::DEFAULT_ACCOUNT;
use crate::data_dir::DataDir;
use crate::exit::Refused;
use crate::opened::Opened;
use crate::output::{Human, Output};
use crate::signals::Signals;

/// Starts the server, plays the flow, and stops; nothing is left behind.
///
/// # Errors
/// A step did not go as it should; the server cannot be started.
pub(crate) async fn run(output: Output) -> anyhow::Result<()> {
    let interrupted = Signals::listen().context("cannot listen for signals")?.stop();
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let data_dir = DataDir::create(&folder.path().join("pqc-data"))?;
    let master_key = Secret::generate(&mut getrandom::SysRng)?;
    let opened = Opened::open_embedded(&data_dir, master_key.into(), Settings::default()).await?;
    let pending = opened.service.prepare_account(DEFAULT_ACCOUNT, Custody::Server).await?;
    let root_token = opened.service.create_account(&By::OPERATOR, pending).await?;

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("cannot listen")?;
    let server = format!("http://{}", listener.local_addr().context("cannot tell the address")?);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(pqc_http::serve(
        listener,
        None,
        None,
        Arc::clone(&opened.service),
        pqc_http::Config::default(),
        async move { drop(stopped.await) },
    ));

    output.line(format_args!("server on {server}, with a temporary store\n"))?;
    let mut stage = Stage { output, steps: Vec::new() };
    let root_token = root_token.expose_text();
    let played = tokio::select! {
        played = flow::play(&server, &root_token, &mut stage) => played,
        () = interrupted => Err(Refused("interrupted".to_owned()).into()),
    };

    drop(stop);
    serving.await.context("the server ended")??;
    opened.close().await;
    played?;
    output.show(&Demo { server, steps: stage.steps })
}

/// Where the steps are shown, each when it is done.
#[derive(Debug)]
struct Stage {
    output: Output,
    steps: Vec<Step>,
}

/// A step that went as it should.
#[derive(Debug, Serialize)]
struct Step {
    who: &'static str,
    did: &'static str,
    result: String,
    millis: f64,
}

impl Stage {
    fn show(
        &mut self,
        who: &'static str,
        did: &'static str,
        result: impl Into<String>,
        took: Duration,
    ) -> anyhow::Result<()> {
        let step = Step { who, did, result: result.into(), millis: in_millis(took) };
        let Step { result, millis, .. } = &step;
        self.output.line(format_args!("{who:<9} {did:<38} {result:<37} {millis:>7.1} ms"))?;
        self.steps.push(step);
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct Demo {
    server: String,
    steps: Vec<Step>,
}

impl Human for Demo {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "\nall {} steps went as they should", self.steps.len())
    }
}

/// To a thousandth.
fn in_millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// Refuses to go on unless the step went as it should.
fn check(right: bool, otherwise: &str) -> anyhow::Result<()> {
    if right { Ok(()) } else { Err(Refused(otherwise.to_owned()).into()) }
}
