//! The token of a request: its `Authorization` header, in either scheme.

use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use pqc_core::replay::{IdempotencyKey, Replay};
use pqc_service::replay::Comer;
use pqc_service::{Caller, Error, Service};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::app::App;
use crate::client::{Client, Source};
use crate::connection::Peer;
use crate::operation::Known;
use crate::problem::{Attempt, Problem, Unavailable};
use crate::trace::step;

/// Steps 2 and 3 of the contract: finds the living token that the request carries, unless too many
/// calls are at work or its address calls too often. Spends nothing.
pub(crate) async fn authenticate(
    app: &App,
    parts: &Parts,
    known: &mut Known,
) -> Result<Caller, Problem> {
    let find = async |token: &str| app.service.authenticate(token).await;
    let find = async || self::find(&app.service, &parts.headers, find).await;
    let caller = find_living(app, parts, known, find).await?;
    known.account = Some(caller.account_id());
    Ok(caller)
}

/// As [`authenticate`], of a token that a person typed into a form.
pub(crate) async fn authenticate_typed(
    app: &App,
    parts: &Parts,
    known: &mut Known,
    token: &str,
) -> Result<Caller, Problem> {
    let find = async || app.service.authenticate(token).await.map_err(not_found);
    let caller = find_living(app, parts, known, find).await?;
    known.account = Some(caller.account_id());
    Ok(caller)
}

/// As [`authenticate`], for a call with an idempotency key: also one whose token is spent is found,
/// if the call was begun by it.
pub(crate) async fn authenticate_again(
    app: &App,
    parts: &Parts,
    known: &mut Known,
    key: &IdempotencyKey,
) -> Result<(Comer, Replay), Problem> {
    let find = async |token: &str| app.service.authenticate_again(token, key).await;
    let find = async || self::find(&app.service, &parts.headers, find).await;
    let (comer, replay) = find_living(app, parts, known, find).await?;
    known.account = Some(comer.account_id());
    Ok((comer, replay))
}

async fn find_living<T>(
    app: &App,
    parts: &Parts,
    known: &mut Known,
    find: impl AsyncFnOnce() -> Result<T, Problem>,
) -> Result<T, Problem> {
    let begun = Instant::now();
    known.begin_work(app)?;
    let source = count_by_address(app, parts)?;
    let found = find().instrument(step("authenticate")).await;
    if let Err(Problem::Unauthorized(_)) = found {
        if let Some(source) = source {
            app.rates.refused_from(source);
        }
        // Who waits is not at work.
        known.leave_work();
        sleep_until(next_step(begun, Instant::now())).await;
    }
    found
}

/// Counts a call by its address, whether it takes a token or not. Gives whom limits by address hold
/// for, if they do.
pub(crate) fn count_by_address(app: &App, parts: &Parts) -> Result<Option<Source>, Problem> {
    let Some(client) = client(app, parts) else { return Ok(None) };
    if let Client::OfProxy(proxy) = client {
        app.rates.warn_of_nameless(proxy);
    }
    let source = app.config.source(client);
    if let Some(source) = source {
        app.rates.call_from(source)?;
    }
    Ok(source)
}

/// Counts a cookie of nobody who is signed in, as a token that is refused.
pub(crate) fn refused_by_address(app: &App, parts: &Parts) {
    if let Some(source) = client(app, parts).and_then(|client| app.config.source(client)) {
        app.rates.refused_from(source);
    }
}

/// Who asks, if that came by a listener.
fn client(app: &App, parts: &Parts) -> Option<Client> {
    let Peer(peer) = parts.extensions.get()?;
    Some(app.config.proxies.client(*peer, &parts.headers))
}

/// The end of the step of time in which a look-up ended. A refusal waits for it, so that its time does
/// not tell whether the store had a row to read, or why it is refused.
fn next_step(begun: Instant, now: Instant) -> Instant {
    let micros = now.saturating_duration_since(begun).as_micros();
    let steps = u32::try_from(micros / REFUSAL_STEP.as_micros()).unwrap_or(u32::MAX);
    begun + REFUSAL_STEP.saturating_mul(steps.saturating_add(1))
}

async fn find<T>(
    service: &Service,
    headers: &HeaderMap,
    find: impl AsyncFnOnce(&str) -> Result<T, Error>,
) -> Result<T, Problem> {
    let Some(token) = token(headers) else {
        service.refused_without_token();
        return Err(Problem::Unauthorized(None));
    };
    find(token).await.map_err(not_found)
}

fn not_found(error: Error) -> Problem {
    match error {
        Error::Unauthorized(refusal) => {
            tracing::debug!(%refusal, "refused");
            Problem::Unauthorized(Some(refusal))
        }
        Error::Unavailable(_) => {
            tracing::warn!(%error, "looking a token up");
            Problem::Unavailable { reason: Unavailable::Store, attempt: Attempt::Kept }
        }
        error => {
            tracing::error!(%error, "looking a token up");
            Problem::Internal
        }
    }
}

/// `<scheme> <token>`, the scheme `auth_token` or `Bearer` in any case; one header only.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
    let known = ["bearer", "auth_token"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    known.then(|| token.trim())
}

/// Longer than nearly every look-up.
const REFUSAL_STEP: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_waits_for_the_end_of_a_step() {
        let begun = Instant::now();
        let step = |after: u64| next_step(begun, begun + Duration::from_micros(after)) - begun;
        assert_eq!([0, 1, 4999].map(step), [REFUSAL_STEP; 3]);
        assert_eq!([5000, 9999].map(step), [2 * REFUSAL_STEP; 2]);
    }

    #[test]
    fn both_schemes_are_read_in_any_case_and_others_are_not() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            token(&headers).map(str::to_owned)
        };
        for value in ["Bearer t", "bearer t", "auth_token t", "AUTH_TOKEN  t", " Bearer t "] {
            assert_eq!(read(value).as_deref(), Some("t"), "{value:?}");
        }
        for value in ["t", "Basic t", "Bearert", "Bearer", ""] {
            assert_eq!(read(value), None, "{value:?}");
        }
    }

    #[test]
    fn two_headers_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer a".parse().unwrap());
        assert!(token(&headers).is_some());
        headers.append(AUTHORIZATION, "Bearer b".parse().unwrap());
        assert!(token(&headers).is_none());
    }
}
