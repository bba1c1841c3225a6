//! `pqc-bare`: hyper, and the cryptography of `pqc serve`, with the same JSON and hex, and nothing
//! else: no tokens, audit, metrics, limits or routing library. `cargo xtask load` holds the server
//! against it.
//!
//! `pqc-bare serve FOLDER` listens on a free loopback port and says so. Its keys are in memory. A path
//! with `/durable` before it answers after a commit of the rows that the server would have written
//! for that call, in a file of the server's schema in FOLDER. `pqc-bare fill FILE COUNT` is no
//! server: it fills rows of keys into a store of `pqc serve`.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a program that another one starts")]

mod calls;
mod fill;
mod keys;
mod ledger;
mod wire;

use std::convert::Infallible;
use std::env;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::keys::Keys;
use crate::ledger::Ledger;

/// All that a call needs.
struct Bare {
    keys: Keys,
    ledger: Ledger,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", folder] => serve(Path::new(folder)).await,
        ["fill", file, count] => fill::keys(Path::new(file), count.parse()?).await,
        _ => bail!("pqc-bare serve FOLDER, or pqc-bare fill FILE COUNT"),
    }
}

async fn serve(folder: &Path) -> anyhow::Result<()> {
    let keys = Keys::new()?;
    let ledger = Ledger::open(&folder.join("bare.db"), &keys).await?;
    let bare = Arc::new(Bare { keys, ledger });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let bare = Arc::clone(&bare);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&bare), request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A client that goes away is none of our business.
            let _ = connection.await;
        });
    }
}

async fn answer(
    bare: Arc<Bare>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match answer_json(&bare, request).await {
        Ok(body) => (StatusCode::OK, body),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}").into_bytes()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

async fn answer_json(bare: &Bare, request: Request<Incoming>) -> anyhow::Result<Vec<u8>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.context("no body")?.to_bytes();
    let path = head.uri.path();
    let (is_durable, path) = match path.strip_prefix("/durable") {
        Some(path) => (true, path),
        None => (false, path),
    };
    let (answer, change) = calls::answer(&bare.keys, path, &body)?;
    if is_durable {
        bare.ledger.write(change).await?;
    }
    Ok(answer)
}
