//! One call: sent within its time, repeated where that is safe, its answer read within a limit.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use pqc_core::secret::Wiped;
use pqc_core::token::TokenValue;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

use crate::builder::ClientBuilder;
use crate::error::Error;
use crate::refusal::Refusal;
use crate::repeat::Repeat;
use crate::wire;

/// A client of a server, with a token that authorizes its calls. A clone shares its connections.
///
/// ```no_run
/// # async fn f(token: &pqc_core::token::TokenValue) -> Result<(), pqc_client::Error> {
/// let client = pqc_client::Client::new("http://127.0.0.1:8000", token)?;
/// println!("{:?} attempts left", client.token_self().await?.attempts_left);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    timeout: Duration,
    authorization: HeaderValue,
}

impl Client {
    /// A client of the server at this URL, as [`ClientBuilder`] makes it unless it is told otherwise.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn new(server: &str, token: &TokenValue) -> Result<Self, Error> {
        Self::builder(server).build(token)
    }

    /// To say more than where the server is: `https://pqc.example`, or with a path that all calls
    /// have before theirs.
    #[must_use]
    pub fn builder(server: &str) -> ClientBuilder {
        ClientBuilder::new(server)
    }

    /// The same for calls that another token authorizes.
    ///
    /// # Errors
    /// [`Error::Machine`]: not for a token that [`TokenValue`] holds.
    pub fn with_token(&self, token: &TokenValue) -> Result<Self, Error> {
        Self::made(self.http.clone(), self.base.clone(), self.timeout, token)
    }

    pub(crate) fn made(
        http: reqwest::Client,
        base: Url,
        timeout: Duration,
        token: &TokenValue,
    ) -> Result<Self, Error> {
        let text = token.expose_text();
        let scheme = b"Bearer ";
        let mut line = Wiped::new(Vec::with_capacity(scheme.len().saturating_add(text.len())));
        line.extend_from_slice(scheme);
        line.extend_from_slice(text.as_bytes());
        let mut authorization = HeaderValue::from_maybe_shared(wire::shared(line))
            .map_err(|_| Error::Machine { what: "write a token in a header" })?;
        authorization.set_sensitive(true);
        Ok(Self { http, base, timeout, authorization })
    }

    /// The answer to a call.
    pub(crate) async fn ask<A: DeserializeOwned>(&self, call: Call) -> Result<A, Error> {
        let due = Instant::now() + self.timeout;
        let key = match call.repeat {
            Repeat::Keyed => Some(idempotency_key()?),
            Repeat::Free | Repeat::Spends => None,
        };
        let mut made = 0;
        loop {
            made += 1;
            let error = match timeout_at(due, self.once(&call, key.as_ref())).await {
                Ok(Ok(body)) => {
                    // What the parser says may quote what is there.
                    return serde_json::from_slice(&body)
                        .map_err(|_| call.not_understood("it is not the JSON of this call"));
                }
                Ok(Err(error)) => error,
                Err(_) => return Err(Error::out_of_time()),
            };
            let random = getrandom::u64().unwrap_or_default();
            let Some(wait) = call.repeat.after(&error, made, random) else { return Err(error) };
            // Nobody waits for a call that there is no time for.
            if wait >= due.saturating_duration_since(Instant::now()) {
                return Err(error);
            }
            sleep(wait).await;
        }
    }

    async fn once(&self, call: &Call, key: Option<&HeaderValue>) -> Result<Wiped<Vec<u8>>, Error> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path().trim_end_matches('/'), call.path));
        let mut request = match &call.body {
            None => self.http.get(url),
            Some(body) => {
                self.http.post(url).header(CONTENT_TYPE, "application/json").body(body.clone())
            }
        };
        if call.has_token {
            request = request.header(AUTHORIZATION, self.authorization.clone());
        }
        if let Some(key) = key {
            request = request.header(wire::IDEMPOTENCY_KEY, key.clone());
        }
        let response = request.send().await.map_err(Error::of_http)?;
        if response.status() == StatusCode::OK {
            return read(call, response, call.longest_answer).await;
        }
        let (status, headers) = (response.status(), response.headers().clone());
        // Of one that cannot be read the status says enough.
        let body = read(call, response, ANSWER_BYTES).await.unwrap_or_default();
        Err(Error::Refused(Box::new(Refusal::read(status, &headers, &body))))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// A call, as it is sent.
pub(crate) struct Call {
    path: &'static str,
    /// `None`: it is a GET.
    body: Option<Bytes>,
    has_token: bool,
    repeat: Repeat,
    longest_answer: usize,
}

impl Call {
    /// A look, which costs nothing.
    pub(crate) fn get(path: &'static str) -> Self {
        let (body, has_token, repeat) = (None, true, Repeat::Free);
        Self { path, body, has_token, repeat, longest_answer: ANSWER_BYTES }
    }

    /// One that makes something.
    pub(crate) fn making(path: &'static str, body: &impl Serialize) -> Result<Self, Error> {
        Ok(Self { repeat: Repeat::Keyed, ..Self::post(path, body)? })
    }

    /// One that spends an attempt.
    pub(crate) fn post(path: &'static str, body: &impl Serialize) -> Result<Self, Error> {
        let body = wire::body(body).map_err(|_| Error::Machine { what: "write JSON" })?;
        Ok(Self { body: Some(body), repeat: Repeat::Spends, ..Self::get(path) })
    }

    /// It is for everyone, and nobody's token is shown for it.
    pub(crate) fn without_token(self) -> Self {
        Self { has_token: false, ..self }
    }

    /// Its answer has so many bytes more than others have at most.
    pub(crate) fn with_longer_answer(self, bytes: usize) -> Self {
        Self { longest_answer: ANSWER_BYTES.saturating_add(bytes), ..self }
    }

    fn not_understood(&self, why: &'static str) -> Error {
        Error::NotUnderstood { path: self.path, why }
    }
}

/// Reads an answer of at most `limit` bytes into memory that is wiped.
async fn read(call: &Call, mut response: Response, limit: usize) -> Result<Wiped<Vec<u8>>, Error> {
    let too_long = || call.not_understood("it is longer than it can be");
    let announced = response.content_length().unwrap_or_default();
    let announced = usize::try_from(announced).map_err(|_| too_long())?;
    if announced > limit {
        return Err(too_long());
    }
    let mut body = Wiped::new(Vec::with_capacity(announced));
    while let Some(chunk) = response.chunk().await.map_err(Error::of_http)? {
        let length = body.len().saturating_add(chunk.len());
        if length > limit {
            return Err(too_long());
        }
        if length > body.capacity() {
            let room = body.capacity().saturating_mul(2).max(length);
            let mut larger = Wiped::new(Vec::with_capacity(room));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// 128 random bits in hex: no two calls have the same.
fn idempotency_key() -> Result<HeaderValue, Error> {
    const NO_RANDOMNESS: Error = Error::Machine { what: "give random bytes" };
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| NO_RANDOMNESS)?;
    let text = u128::from_le_bytes(random);
    HeaderValue::from_maybe_shared(format!("{text:032x}")).map_err(|_| NO_RANDOMNESS)
}

/// Twice the longest answer of a call that carries no text, and of a refusal.
const ANSWER_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use pqc_core::token::TokenKind;

    #[test]
    fn a_client_shows_no_token() {
        let token = TokenValue::generate(TokenKind::Root, &mut getrandom::SysRng).unwrap();
        let client = Client::new("http://127.0.0.1:8000", &token).unwrap();
        assert!(client.authorization.is_sensitive());
        assert_eq!(client.authorization.as_bytes().len(), "Bearer ".len() + 49);
        let shown = format!("{client:?} {:?}", client.authorization);
        assert!(shown.contains("http://127.0.0.1:8000"), "{shown}");
        assert!(!shown.contains("pqc_r_"), "{shown}");
    }
}
