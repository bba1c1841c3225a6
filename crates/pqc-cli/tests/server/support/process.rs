//! A server as a process: started on a folder, asked, ended in each way there is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::capture::Capture;
use super::verb::{self, Run, without_settings};
use super::{Account, Client, Faults, Raw, Scrape, pqc, wait_until};

/// A folder for a server's data; gone with its last owner.
#[derive(Clone)]
pub(crate) struct Folder(Arc<TempDir>);

impl Folder {
    /// A new one, in which no data folder is yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(tempfile::Builder::new().prefix("pqc-server-test-").tempdir().unwrap()))
    }

    /// The data folder.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// A file in the data folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.data_dir().join(name)
    }

    /// A path beside the data folder.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Starts a server on it that logs at `info`.
    pub(crate) fn serve(&self) -> Server {
        self.serve_with("--log info")
    }

    /// Starts a server on it with these options, separated by spaces.
    pub(crate) fn serve_with(&self, options: &str) -> Server {
        Server::start(self, pqc(), options)
    }

    /// Starts a server on it in a shell that has done this before.
    pub(crate) fn serve_after(&self, shell: &str) -> Server {
        let program = pqc();
        let mut command = without_settings(Command::new("sh"));
        command.args(["-c", &format!("{shell}; exec \"$0\" \"$@\"")]).arg(program.get_program());
        Server::start(self, command, "--log info")
    }

    /// Starts a server on it, on a machine with these faults.
    pub(crate) fn serve_on(&self, faults: &Faults, options: &str) -> Server {
        Server::start(self, faults.pqc(), options)
    }

    /// Runs a verb on it, to its end.
    pub(crate) fn verb(&self, line: &str) -> Run {
        self.verb_reading(line, b"")
    }

    /// Runs a verb on it, with `stdin` as its input.
    pub(crate) fn verb_reading(&self, line: &str, stdin: &[u8]) -> Run {
        verb::run_on(&self.data_dir(), line, stdin)
    }

    /// The root token of the account `default`, from its file.
    pub(crate) fn root_token(&self) -> String {
        std::fs::read_to_string(self.file("root-token")).unwrap().trim_end().to_owned()
    }
}

/// A running server. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    watchdog: Watchdog,
    /// Its data.
    pub(crate) folder: Folder,
    /// Its address.
    pub(crate) address: SocketAddr,
    url: String,
    /// From the start of the process to the line that says that it listens.
    pub(crate) ready_in: Duration,
    /// What it logs.
    pub(crate) stderr: Capture,
    stdout: Capture,
}

/// What is left of a server that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How.
    pub(crate) status: ExitStatus,
    /// All it printed.
    pub(crate) stdout: String,
    /// All it logged.
    pub(crate) stderr: String,
}

impl Server {
    /// The variable that sets `key_cache` for all servers of a run of the tests.
    pub(crate) const KEY_CACHE: &str = "PQC_TEST_KEY_CACHE";

    fn start(folder: &Folder, mut command: Command, options: &str) -> Self {
        let started = Instant::now();
        if !options.contains("--listen") {
            command.env("PQC_LISTEN", "127.0.0.1:0");
        }
        if let Ok(room) = std::env::var(Self::KEY_CACHE) {
            command.env("PQC_KEY_CACHE", room);
        }
        let mut child = command
            .args(["serve", "--data-dir"])
            .arg(folder.data_dir())
            .args(options.split_whitespace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let watchdog = Watchdog::over(&child, folder);
        let stdout = Capture::of(child.stdout.take().unwrap());
        let stderr = Capture::of(child.stderr.take().unwrap());
        if !stdout.wait_for("\n") {
            panic!("the server did not start: {}", String::from_utf8_lossy(&stderr.all()));
        }
        let ready_in = started.elapsed();
        let written = stdout.so_far();
        let line = written.lines().next().unwrap();
        let url = line.strip_prefix("listening on ").unwrap();
        let (_, address) = url.split_once("://").unwrap();
        let (url, address) = (url.to_owned(), address.parse().unwrap());
        let folder = folder.clone();
        Self { child, watchdog, folder, address, url, ready_in, stderr, stdout }
    }

    /// Its address as a URL.
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Where it listens to operators, as a URL.
    pub(crate) fn admin_url(&self) -> String {
        const SAID: &str = "admin listening on ";
        assert!(self.stdout.wait_for(SAID), "{}", self.stdout.so_far());
        let mut url = String::new();
        wait_until("the whole line", || {
            let written = self.stdout.so_far();
            let line = written.split_once(SAID).and_then(|(_, rest)| rest.split_once('\n'));
            url = line.map(|(line, _)| line.to_owned()).unwrap_or_default();
            !url.is_empty()
        });
        url
    }

    /// An operator.
    pub(crate) fn operator(&self) -> Client {
        Client::new(self.admin_url())
    }

    /// A client without a token.
    pub(crate) fn anyone(&self) -> Client {
        Client::new(self.url())
    }

    /// A client with this token.
    pub(crate) fn holder(&self, token: &str) -> Client {
        self.anyone().with_token(token)
    }

    /// A client with the root token of the account `default`.
    pub(crate) fn root(&self) -> Client {
        self.holder(&self.folder.root_token())
    }

    /// A new account, whose KEM keys the server keeps.
    pub(crate) fn account(&self) -> Account {
        Account::made_on(self, "server")
    }

    /// A new account with this custody.
    pub(crate) fn account_with_custody(&self, custody: &str) -> Account {
        Account::made_on(self, custody)
    }

    /// A connection on which the caller writes the bytes.
    pub(crate) fn raw(&self) -> Raw {
        Raw::to(self.address)
    }

    /// Runs a verb beside it, to its end.
    pub(crate) fn verb(&self, line: &str) -> Run {
        self.folder.verb(line)
    }

    /// SIGKILL, at once; gives the folder for the next start.
    pub(crate) fn kill(mut self) -> Folder {
        self.watchdog.stop();
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.folder.clone()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Sets how large its files may become, from now on; `unlimited` is the other end.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let mut prlimit = Command::new("prlimit");
        // The soft limit alone: anyone may raise it again.
        prlimit.arg(format!("--pid={}", self.child.id())).arg(format!("--fsize={bytes}:"));
        assert!(prlimit.status().unwrap().success(), "{prlimit:?}");
    }

    /// Waits until no caller is connected and no body held; gives the count of its open sockets then,
    /// which is 0 where the system does not tell it. Not that of its files: the store opens more of
    /// them when many call, and keeps them.
    pub(crate) fn sockets_when_quiet(&self, operator: &Client) -> usize {
        wait_until("that nobody is connected", || {
            let now = Scrape::of(operator);
            now.value("pqc_connections_open") == 0.0 && now.value("pqc_bodies_bytes") == 0.0
        });
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        let targets = files.into_iter().flatten().flatten().map(|file| file.path());
        let targets = targets.filter_map(|file| std::fs::read_link(file).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        wait_until("the server's end", || self.child.try_wait().unwrap().is_some());
        let status = self.child.wait().unwrap();
        let text = |capture: &Capture| String::from_utf8(capture.all()).unwrap();
        Ended { status, stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }

    /// Sends SIGTERM, waits, and asserts that it ended well.
    pub(crate) fn stop(self) -> Ended {
        self.signal("TERM");
        let ended = self.wait();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        ended
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.watchdog.stop();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that does not outlive a test that fails.
pub(crate) struct KilledOnDrop(pub(crate) Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Kills a server whose test process is gone, however it went, and removes its folder.
struct Watchdog(Child);

impl Watchdog {
    fn over(server: &Child, folder: &Folder) -> Self {
        // Reading ends when the last writer of the pipe, this process, is gone.
        let watchdog = Command::new("sh")
            .args(["-c", r#"read _; kill -KILL "$1"; rm -rf -- "$2""#, "watchdog"])
            .arg(server.id().to_string())
            .arg(folder.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(watchdog.unwrap())
    }

    /// Before the server's end is collected: its process id may then be another's.
    fn stop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server that most tests share. Each makes accounts of its own on it.
pub(crate) fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    // A static is never dropped: the watchdog ends it.
    SHARED.get_or_init(|| Folder::new().serve_with("--log warn"))
}
