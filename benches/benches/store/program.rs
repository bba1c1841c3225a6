//! The program `pqc` of the same build: its verbs, and its server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::ground::Ground;

/// `target/<profile>/pqc`, beside the folder of this program. `None` is said.
fn path() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let path = own.parent()?.parent()?.join("pqc");
    if !path.exists() {
        println!("{} is not there, so the program is not measured", path.display());
        return None;
    }
    Some(path)
}

/// The program without settings from the environment.
fn pqc(path: &Path) -> Command {
    let mut command = Command::new(path);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PQC_") {
            command.env_remove(name);
        }
    }
    command
}

/// A run of a verb on the store, from the start of its process to its end.
pub(crate) fn verb(ground: &Ground, words: &[&str]) -> Option<impl Fn() + use<>> {
    let path = path()?;
    let args: Vec<_> =
        words.iter().map(|word| (*word).to_owned()).chain(ground.options()).collect();
    Some(move || {
        let done = pqc(&path).args(&args).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    })
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub(crate) fn start(ground: &Ground) -> Option<Self> {
        let mut child = pqc(&path()?)
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .args(ground.options())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://").unwrap().to_owned();
        Some(Self { child, address })
    }

    /// Posts JSON; fails if the answer is not 200.
    pub(crate) fn post(&self, path: &str, token: &str, json: &str) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{json}",
            self.address,
            json.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Its resident memory in KiB; `None` where the system does not say it this way.
    pub(crate) fn resident_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
