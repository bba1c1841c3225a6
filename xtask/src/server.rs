//! A server that a task starts beside itself: a new store on a free loopback port.

use std::env;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// How long the server may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A server that stops when it is dropped.
pub(crate) struct Server {
    process: Child,
    /// Where it listens.
    pub(crate) address: String,
    /// The token of its first account.
    pub(crate) root_token: String,
}

impl Server {
    /// Starts the `pqc` of a build (`debug` or `release`) in `folder`, with these options of `pqc serve`,
    /// and waits until it listens.
    ///
    /// # Errors
    /// It can't be started, ends, or does not listen in time.
    pub(crate) fn start(build: &str, folder: &Path, options: &[&str]) -> anyhow::Result<Self> {
        let mut command = pqc(build)?;
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]);
        command.arg(folder.join("data")).args(options);
        let mut server = Self::run(command, folder)?;
        let token = fs::read_to_string(folder.join("data/root-token"))?;
        token.trim().clone_into(&mut server.root_token);
        Ok(server)
    }

    /// Starts any program that says `listening on http://ADDRESS`, with its output in `folder`, and
    /// waits until it does.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn run(mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join("log");
        let out = File::create(&log)?;
        let process = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("{} can't be started", command.get_program().display()))?;
        let mut server = Self { process, address: String::new(), root_token: String::new() };
        let begin = Instant::now();
        while begin.elapsed() < START_LIMIT {
            if let Some(address) = listening_address(&fs::read_to_string(&log)?) {
                server.address = address;
                return Ok(server);
            }
            if let Some(status) = server.process.try_wait()? {
                bail!("the server ended before it listened: {status}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("the server does not listen after {START_LIMIT:?}");
    }

    /// Makes a key pair, and the body of a request that encapsulates to it.
    ///
    /// # Errors
    /// The server does not make one.
    pub(crate) fn encapsulation_request(&self) -> anyhow::Result<String> {
        encapsulation_to(&self.post("/api/kem/generate_keys")?)
    }

    /// The body of the answer to one POST without a body, which must be a 200.
    ///
    /// # Errors
    /// Any other status; a connection that fails.
    pub(crate) fn post(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Content-Length: 0\r\nConnection: close\r\n\r\n",
            self.address, self.root_token
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no body")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(status.contains(" 200"), "{path} answered: {status}");
        Ok(body.to_owned())
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Ends it as an operator would, and waits for that.
    ///
    /// # Errors
    /// It can't be told to.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process};
            kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        }
        #[cfg(not(unix))]
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// Its state can't be asked for.
    pub(crate) fn runs(&mut self) -> anyhow::Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either fails only if the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The body of a request that encapsulates to the pair in this answer.
///
/// # Errors
/// There is none in it.
pub(crate) fn encapsulation_to(pair: &str) -> anyhow::Result<String> {
    Ok(format!(
        r#"{{"pk":"{}","signature":"{}","verif_key":"{}"}}"#,
        hex_field(pair, "pk")?,
        hex_field(pair, "verification_signature")?,
        hex_field(pair, "verification_key")?,
    ))
}

/// The `pqc` of a build, without settings from the environment.
///
/// # Errors
/// This program is not where cargo puts it.
pub(crate) fn pqc(build: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(target()?.join(build).join("pqc"));
    for (name, _) in env::vars_os() {
        if name.to_string_lossy().starts_with("PQC_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

/// Where cargo puts what it builds.
///
/// # Errors
/// This program is not there.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    // This program is TARGET/debug/xtask.
    let xtask = env::current_exe()?;
    let target = xtask.ancestors().nth(2).context("xtask runs outside a target folder")?;
    Ok(target.to_owned())
}

/// The plain text of one field of a flat JSON object: no escapes, so no parser.
///
/// # Errors
/// There is no such field.
pub(crate) fn field<'a>(json: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let field = format!("\"{name}\":\"");
    let (_, rest) = json.split_once(&field).with_context(|| format!("no field {name}"))?;
    let (value, _) = rest.split_once('"').with_context(|| format!("{name} has no end"))?;
    Ok(value)
}

/// The hex text of one field of a flat JSON object.
///
/// # Errors
/// There is no such field, or other text in it.
pub(crate) fn hex_field<'a>(json: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let value = field(json, name)?;
    ensure!(value.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name} is not hex");
    Ok(value)
}

/// The address in `listening on http://ADDRESS`, or https, once its line is complete.
fn listening_address(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("listening on http")?;
    let (url, _) = rest.split_once(char::is_whitespace)?;
    let (_, address) = url.split_once("://")?;
    Some(address.to_owned())
}

#[test]
fn an_address_counts_when_its_line_is_complete() {
    let log = "root token: x\nlistening on http://127.0.0.1:4242";
    assert_eq!(listening_address(log), None);
    let log = format!("{log}\n");
    assert_eq!(listening_address(&log).as_deref(), Some("127.0.0.1:4242"));
}

#[test]
fn a_field_is_found_by_its_whole_name() {
    let json = r#"{"verification_pk":"aa","pk":"0f","name":"x y"}"#;
    assert_eq!(field(json, "pk").ok(), Some("0f"));
    assert!(field(json, "k").is_err());
}

#[test]
fn a_field_must_be_hex() {
    let json = r#"{"pk":"0f","name":"x y"}"#;
    assert_eq!(hex_field(json, "pk").ok(), Some("0f"));
    assert!(hex_field(json, "name").is_err());
}
