//! Calls: built as a value, so that a table can hold them, and sent by whoever has a token.

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::{KeyPair, PATIENCE};

/// A request, without the token.
#[derive(Clone)]
pub(crate) struct Call {
    method: Method,
    /// Path and query.
    pub(crate) path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Call {
    /// A request without a body.
    pub(crate) fn new(method: &str, path: impl Into<String>) -> Self {
        let method = method.parse().unwrap();
        Self { method, path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// A GET.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A POST without a body.
    pub(crate) fn empty_post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// A POST of JSON.
    pub(crate) fn post(path: impl Into<String>, json: &Value) -> Self {
        Self::new("POST", path).json(serde_json::to_vec(json).unwrap())
    }

    /// A POST of what is said to be JSON.
    pub(crate) fn post_raw(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path).json(body)
    }

    /// The same to another path.
    pub(crate) fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// With this body and its type.
    pub(crate) fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.body(body).header("content-type", "application/json")
    }

    /// With this body.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With this header, in place of one of the same name.
    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        self
    }
}

/// Someone who calls a server.
#[derive(Clone)]
pub(crate) struct Client {
    base: String,
    authorization: Option<String>,
    /// The token, if it has one.
    pub(crate) token: String,
}

impl Client {
    /// Without a token.
    pub(crate) fn new(base: String) -> Self {
        Self { base, authorization: None, token: String::new() }
    }

    /// With this token, as `Bearer`.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        let token = token.to_owned();
        Self { token, ..self.clone() }.with_scheme("Bearer")
    }

    /// The same token under another scheme.
    pub(crate) fn with_scheme(&self, scheme: &str) -> Self {
        let authorization = Some(format!("{scheme} {}", self.token));
        Self { authorization, ..self.clone() }
    }

    /// With this `Authorization` header.
    pub(crate) fn with_authorization(&self, value: &str) -> Self {
        Self { authorization: Some(value.to_owned()), ..self.clone() }
    }

    /// Sends a call and waits for the answer.
    #[track_caller]
    pub(crate) fn send(&self, call: &Call) -> Answer {
        let path: String = call.path.chars().take(60).collect();
        block_on(self.try_send(call.clone()))
            .unwrap_or_else(|error| panic!("{} {path}: {error:?}", call.method))
    }

    /// Sends a call; fails if there is no whole answer.
    pub(crate) async fn try_send(&self, call: Call) -> Result<Answer, reqwest::Error> {
        let url = format!("{}{}", self.base, call.path);
        let mut request = http().request(call.method, url);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in call.headers {
            request = request.header(name, value);
        }
        if !call.body.is_empty() {
            request = request.body(call.body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }

    /// A GET.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(&Call::get(path))
    }

    /// A POST of JSON.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, json: &Value) -> Answer {
        self.send(&Call::post(path, json))
    }

    /// A client with a temporary token that this one mints.
    #[track_caller]
    pub(crate) fn mint(&self, json: &Value) -> Self {
        let answer = self.post("/api/token/new", json).ok();
        self.with_token(answer["new_token"].as_str().unwrap())
    }

    /// A client with a temporary token of that many attempts.
    #[track_caller]
    pub(crate) fn mint_counted(&self, attempts: u32) -> Self {
        self.mint(&serde_json::json!({"expire_after_attempts": attempts}))
    }

    /// What the server says of this token; spends nothing.
    #[track_caller]
    pub(crate) fn token_self(&self) -> Value {
        self.get("/api/v1/token/self").ok()
    }

    /// How many attempts this token has left.
    #[track_caller]
    pub(crate) fn attempts_left(&self) -> u64 {
        self.token_self()["attempts_left"].as_u64().unwrap()
    }

    /// A new KEM key pair.
    #[track_caller]
    pub(crate) fn generate(&self) -> KeyPair {
        self.generate_with(&serde_json::json!({}))
    }

    /// A new KEM key pair, with these fields.
    #[track_caller]
    pub(crate) fn generate_with(&self, json: &Value) -> KeyPair {
        KeyPair::from(&self.post("/api/kem/generate_keys", json).ok())
    }
}

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// Runs `count` futures at the same time; their results in order.
pub(crate) fn together<F>(count: usize, future: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|index| runtime().spawn(future(index))).collect();
    block_on(async {
        let mut results = Vec::new();
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    })
}

/// Runs a future beside the others.
pub(crate) fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    runtime().spawn(future)
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        let builder = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        // An answer is looked at as it is.
        let builder = builder.redirect(reqwest::redirect::Policy::none());
        // Sooner than the server gives up an idle connection.
        builder.pool_idle_timeout(Duration::from_secs(5)).build().unwrap()
    })
}
