//! wrk: closed loop, one thread, and the rate that it reports.

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// What a request carries.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Nothing,
    Json(String),
    /// `{"unencrypted": "aaa…", "key": …}`, so long.
    Text {
        bytes: usize,
        key: Option<String>,
    },
    /// One after the other.
    Cycle(Vec<String>),
}

/// What a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drive {
    pub(crate) connections: usize,
    pub(crate) seconds: u64,
}

/// What it came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Driven {
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) requests: u64,
}

/// POSTs the same over and over.
///
/// # Errors
/// wrk can't be started; a request was not answered, or not 200.
pub(crate) fn drive(
    address: &str,
    path: &str,
    token: &str,
    body: &Body,
    Drive { connections, seconds }: Drive,
) -> anyhow::Result<Driven> {
    let folder = TempDir::new()?;
    let script = folder.path().join("load.lua");
    fs::write(&script, lua(token, body)?)?;
    let output = Command::new("wrk")
        .arg("-t1")
        .arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .args(["--timeout", "30s", "--script"])
        .arg(&script)
        .arg(format!("http://{address}{path}"))
        .output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {}: {report}", output.status);
    read(&report).with_context(|| format!("wrk on {path}"))
}

/// The script that makes wrk send `body`.
fn lua(token: &str, body: &Body) -> anyhow::Result<String> {
    let quoted = |json: &String| {
        ensure!(!json.contains(['\'', '\\', '\n']), "a body that Lua would read as another");
        Ok(format!("'{json}'"))
    };
    let body = match body {
        Body::Nothing => String::new(),
        Body::Json(json) => format!("wrk.body = {}\n", quoted(json)?),
        Body::Text { bytes, key } => {
            let key = key.as_ref().map_or(String::new(), |key| format!(r#","key":"{key}""#));
            format!(
                "wrk.body = '{{\"unencrypted\":\"' .. string.rep('a', {bytes}) .. '\"{key}}}'\n"
            )
        }
        Body::Cycle(bodies) => {
            let bodies = bodies.iter().map(quoted).collect::<anyhow::Result<Vec<_>>>()?;
            format!(
                "local bodies = {{\n{}\n}}\n\
                 local at = 0\n\
                 request = function()\n\
                 at = at % #bodies + 1\n\
                 return wrk.format(nil, nil, nil, bodies[at])\n\
                 end\n",
                bodies.join(",\n")
            )
        }
    };
    Ok(format!(
        "wrk.method = 'POST'\n\
         wrk.headers['Authorization'] = 'Bearer {token}'\n\
         wrk.headers['Content-Type'] = 'application/json'\n\
         {body}"
    ))
}

/// Reads a report.
fn read(report: &str) -> anyhow::Result<Driven> {
    ensure!(!report.contains("Non-2xx"), "some answers were not 200: {report}");
    ensure!(!report.contains("Socket errors"), "some requests were not answered: {report}");
    let rate = report.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    let rate = rate.context("wrk gives no rate")?.trim().parse()?;
    let requests = report.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests = requests.context("wrk gives no number of requests")?.0.parse()?;
    Ok(Driven { rate, requests })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 5s test @ http://127.0.0.1:1/x\n  1 threads and 16 connections\n  \
         Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency     1.31ms  540.28us   \
         9.88ms   78.15%\n    Req/Sec    12.29k     0.92k   13.27k    84.00%\n  61175 requests in \
         5.00s, 149.36MB read\nRequests/sec:  12234.07\nTransfer/sec:     29.87MB\n";

    #[test]
    fn a_report_is_read() {
        assert_eq!(read(REPORT).unwrap(), Driven { rate: 12234.07, requests: 61175 });
    }

    #[test]
    fn a_report_of_failures_is_none() {
        for line in ["  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 1\n"] {
            assert!(read(&format!("{REPORT}{line}")).is_err());
        }
        assert!(read("").is_err());
    }

    #[test]
    fn a_body_is_a_lua_text() {
        let script = lua("t", &Body::Json(r#"{"a":"b"}"#.to_owned())).unwrap();
        assert!(script.ends_with("wrk.body = '{\"a\":\"b\"}'\n"), "{script}");
        assert!(lua("t", &Body::Json("it's".to_owned())).is_err());
        let script = lua("t", &Body::Text { bytes: 3, key: Some("0f".to_owned()) }).unwrap();
        let body = r#"'{"unencrypted":"' .. string.rep('a', 3) .. '","key":"0f"}'"#;
        assert!(script.contains(body), "{script}");
    }
}
