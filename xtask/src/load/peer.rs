//! The peer: FastAPI on uvicorn, PyPI `cryptography` on OpenSSL underneath, `xtask/load/peer.py`.

use std::env;
use std::net::TcpListener;
use std::process::Command;

use anyhow::ensure;

use crate::command::root;

/// How to start it with so many processes; `None`: `PQC_LOAD_PYTHON` names no Python.
///
/// # Errors
/// It names one that has not what `xtask/load/requirements.txt` lists.
pub(crate) fn command(workers: usize) -> anyhow::Result<Option<Command>> {
    let Some(python) = env::var_os("PQC_LOAD_PYTHON") else { return Ok(None) };
    let folder = root().join("xtask/load");
    let imports = "import fastapi, uvicorn, uvloop, httptools; \
                   from cryptography.hazmat.primitives.asymmetric import mldsa, mlkem";
    let has_all = Command::new(&python).args(["-c", imports]).status();
    ensure!(
        has_all.is_ok_and(|status| status.success()),
        "PQC_LOAD_PYTHON has not all of xtask/load/requirements.txt"
    );
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new(python);
    command.args(["-B", "peer.py"]).arg(port.to_string()).arg(workers.to_string());
    command.current_dir(folder);
    Ok(Some(command))
}

/// Alone, as it comes, and with a process for each processor: the server uses all of them too.
pub(crate) fn workers() -> Vec<usize> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    if processors == 1 { vec![1] } else { vec![1, processors] }
}

/// What stands in the document where it was not measured.
pub(crate) const ABSENT: &str = "not measured: no peer";
