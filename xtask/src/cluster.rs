//! A private PostgreSQL cluster for tests: made in a folder of its own, on a free loopback port,
//! gone when it is dropped.
//!
//! Also part of the tests of `pqc-service`, one of which stops a cluster and starts it again.

use std::io::{self, Error, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use tempfile::TempDir;

/// A running cluster.
pub(crate) struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    password: String,
}

impl Cluster {
    /// Makes and starts one; `None`: the programs are not installed.
    ///
    /// # Errors
    /// What `initdb` or `pg_ctl` say.
    pub(crate) fn start() -> io::Result<Option<Self>> {
        // Without fsync: a killed cluster loses nothing that the system has, and no test cuts power.
        Self::start_with("fsync = off")
    }

    /// The same with this line of settings.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn start_with(line: &str) -> io::Result<Option<Self>> {
        let Some(binaries) = binaries() else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("pqc-postgres-").tempdir()?;
        // The folder is its user's; PostgreSQL refuses to run as the superuser.
        if let Some((user, group)) = other_user()? {
            chown(folder.path(), Some(user), Some(group))?;
        }
        fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o700))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { folder, binaries, port, password: password()? };
        let data = cluster.data();
        // Others on this machine reach the port too.
        let file = cluster.folder.path().join("password");
        fs::write(&file, &cluster.password)?;
        if let Some((user, group)) = other_user()? {
            chown(&file, Some(user), Some(group))?;
        }
        let password_file = format!("--pwfile={}", file.display());
        cluster.run("initdb", &[INITDB, &[password_file.as_str()]].concat())?;
        let mut settings =
            fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        writeln!(
            settings,
            "listen_addresses = '127.0.0.1'\nport = {port}\nmax_connections = 300\n\
             unix_socket_directories = ''\n{line}\n"
        )?;
        cluster.resume()?;
        Ok(Some(cluster))
    }

    /// The URL of a database in it.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://pqc:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// What `pg_ctl` says.
    pub(crate) fn resume(&self) -> io::Result<()> {
        let log = self.folder.path().join("log");
        self.run("pg_ctl", &["start", "--wait", "--silent", &format!("--log={}", log.display())])
    }

    /// Ends it at once; what was not committed is lost.
    ///
    /// # Errors
    /// What `pg_ctl` says.
    pub(crate) fn stop(&self, mode: &str) -> io::Result<()> {
        self.run("pg_ctl", &["stop", "--wait", "--silent", &format!("--mode={mode}")])
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> io::Result<()> {
        let mut command = Command::new(self.binaries.join(program));
        command.args(arguments).arg("--pgdata").arg(self.data()).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        if let Some((user, group)) = other_user()? {
            command.uid(user).gid(group);
        }
        let status = command.status()?;
        let failed = || Err(Error::other(format!("{program} failed: {status}")));
        if status.success() { Ok(()) } else { failed() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It fails only where the cluster has ended.
        let _ = self.stop("immediate");
    }
}

fn password() -> io::Result<String> {
    let mut bytes = [0; 16];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

const INITDB: &[&str] =
    &["--username=pqc", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"];

/// The folder with `initdb` and `pg_ctl`: one in PATH, or where Debian puts them, the newest.
fn binaries() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = env::split_paths(&path).collect();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = debian.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| version(path));
    folders.extend(versions.into_iter().rev().map(|version| version.join("bin")));
    folders.into_iter().find(|folder| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
    })
}

fn version(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.parse().ok()
}

/// For the superuser: `postgres`, or whoever has nothing, by numbers.
fn other_user() -> io::Result<Option<(u32, u32)>> {
    const NOBODY: u32 = 65534;
    let id = |arguments: &[&str]| -> io::Result<Option<u32>> {
        let output = Command::new("id").args(arguments).stderr(Stdio::null()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().parse().ok())
    };
    if id(&["-u"])? != Some(0) {
        return Ok(None);
    }
    let user = id(&["-u", "postgres"])?.unwrap_or(NOBODY);
    Ok(Some((user, id(&["-g", "postgres"])?.unwrap_or(NOBODY))))
}
