//! A party: an HTTP client with a token of its own.

use std::time::{Duration, Instant};

use anyhow::Context;
use reqwest::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::exit::Refused;

/// One party, and the token that authorizes its calls.
pub(super) struct Party {
    http: reqwest::Client,
    server: String,
    token: Zeroizing<String>,
}

impl Party {
    /// A party at this server.
    pub(super) fn new(server: &str, token: &str) -> anyhow::Result<Self> {
        // The server is on this machine: no proxy stands between, whatever the environment says, and
        // there is no TLS for which the system's certificates would have to be read.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
        let http = http.timeout(PATIENCE).build()?;
        Ok(Self { http, server: server.to_owned(), token: Zeroizing::new(token.to_owned()) })
    }

    /// Another party at the same server.
    pub(super) fn with_token(&self, token: &str) -> Self {
        let token = Zeroizing::new(token.to_owned());
        Self { http: self.http.clone(), server: self.server.clone(), token }
    }

    /// The answer to a public GET, and how long it took.
    pub(super) async fn get<A: DeserializeOwned>(
        &self,
        path: &str,
    ) -> anyhow::Result<(A, Duration)> {
        let started = Instant::now();
        let response = self.http.get(format!("{}{path}", self.server)).send().await?;
        read(path, response, started).await
    }

    /// The answer to a POST, and how long it took.
    pub(super) async fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<(A, Duration)> {
        let started = Instant::now();
        read(path, self.send(path, body).await?, started).await
    }

    /// The status of a POST that is refused, and how long it took.
    pub(super) async fn refused(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<(StatusCode, Duration)> {
        let started = Instant::now();
        let status = self.send(path, body).await?.status();
        Ok((status, started.elapsed()))
    }

    async fn send(&self, path: &str, body: &impl Serialize) -> anyhow::Result<reqwest::Response> {
        self.http
            .post(format!("{}{path}", self.server))
            .bearer_auth(&*self.token)
            .json(body)
            .send()
            .await
            .with_context(|| format!("POST {path}"))
    }
}

async fn read<A: DeserializeOwned>(
    path: &str,
    response: reqwest::Response,
    started: Instant,
) -> anyhow::Result<(A, Duration)> {
    let status = response.status();
    if status != StatusCode::OK {
        // A problem says what is wrong, and holds no secret.
        let detail = response.json::<Problem>().await.map(|problem| problem.detail);
        let detail = detail.unwrap_or_default();
        return Err(Refused(format!("{path} answered {status}: {detail}")).into());
    }
    let answer = response.json().await.with_context(|| format!("the answer of {path}"))?;
    Ok((answer, started.elapsed()))
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

const PATIENCE: Duration = Duration::from_secs(30);
