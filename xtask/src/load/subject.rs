//! What is measured: the server, a bare one, and the peer; each with its own folder, idle beside the
//! others until its turn comes.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::peer;
use crate::http::Connection;
use crate::server::{Server, target};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pqc,
    Bare,
    Peer,
}

/// One of them, running.
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) server: Server,
    /// With its store; removed after the server's end.
    pub(crate) folder: TempDir,
}

impl Subject {
    /// The release build with these options besides [`OPTIONS`].
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn pqc(options: &[&str]) -> anyhow::Result<Self> {
        let folder = folder()?;
        let options = [&OPTIONS, options].concat();
        let server = Server::start("release", folder.path(), &options)?;
        Ok(Self { kind: Kind::Pqc, server, folder })
    }

    /// The bare server.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn bare() -> anyhow::Result<Self> {
        let folder = folder()?;
        let mut command = Command::new(target()?.join("release/pqc-bare"));
        command.arg("serve").arg(folder.path());
        let server = Server::run(command, folder.path())?;
        Ok(Self { kind: Kind::Bare, server, folder })
    }

    /// The peer with so many processes; `None`: there is no Python for it.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn peer(workers: usize) -> anyhow::Result<Option<Self>> {
        let folder = folder()?;
        let Some(command) = peer::command(workers)? else { return Ok(None) };
        let server = Server::run(command, folder.path())?;
        Ok(Some(Self { kind: Kind::Peer, server, folder }))
    }

    /// A connection of its own to it.
    ///
    /// # Errors
    /// It does not listen.
    pub(crate) fn connect(&self) -> anyhow::Result<Client> {
        let connection = Connection::to(&self.server.address)?;
        Ok(Client { connection, token: self.server.root_token.clone() })
    }

    /// The resident memory, in MiB.
    ///
    /// # Errors
    /// The system does not tell.
    pub(crate) fn resident_mib(&self) -> anyhow::Result<f64> {
        resident_mib(self.server.id())
    }
}

/// A connection, and whose it is.
pub(crate) struct Client {
    connection: Connection,
    pub(crate) token: String,
}

impl Client {
    /// The body of the answer to a POST, which must be a 200.
    ///
    /// # Errors
    /// Another status.
    pub(crate) fn post(&mut self, path: &str, json: &str) -> anyhow::Result<String> {
        let answer = self.connection.call("POST", path, &self.token, Some(json))?;
        answer.ok().with_context(|| path.to_owned())
    }

    /// The status of the answer.
    ///
    /// # Errors
    /// The connection broke off.
    pub(crate) fn status(&mut self, path: &str, token: &str, json: &str) -> anyhow::Result<u16> {
        Ok(self.connection.call("POST", path, token, Some(json))?.status)
    }

    /// The body of the answer to a GET by this token.
    ///
    /// # Errors
    /// Another status.
    pub(crate) fn get(&mut self, path: &str, token: &str) -> anyhow::Result<String> {
        self.connection.call("GET", path, token, None)?.ok()
    }
}

/// The resident memory of a process, in MiB.
///
/// # Errors
/// The system does not tell.
pub(crate) fn resident_mib(process: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().strip_suffix("kB"));
    Ok(kib.context("/proc tells no memory")?.trim().parse::<f64>()? / 1024.0)
}

/// On the disk where the build is: the folder for temporary files may be in memory, where a commit
/// costs nothing.
///
/// # Errors
/// It can't be made.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    let target = target()?;
    ensure!(target.is_dir(), "no target folder");
    Ok(tempfile::Builder::new().prefix("load-").tempdir_in(target)?)
}

/// All that differs from the defaults: as many rows as a long measurement makes.
pub(crate) const OPTIONS: [&str; 6] =
    ["--log", "warn", "--max-keys", "100000000", "--max-live-tokens", "100000000"];
