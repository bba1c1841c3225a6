//! The token of a request: its `Authorization` header, in either scheme.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use pqc_service::{Caller, Error, Service};

use crate::app::App;
use crate::client::Source;
use crate::connection::Peer;
use crate::operation::Known;
use crate::problem::{Attempt, Problem, Unavailable};

/// Steps 2 and 3 of the contract: finds the living token that the request carries, unless too many
/// calls are at work or its address calls too often. Spends nothing.
pub(crate) async fn authenticate(
    app: &App,
    parts: &Parts,
    known: &mut Known,
) -> Result<Caller, Problem> {
    known.at_work = Some(app.calls.begin()?);
    let source = count_by_address(app, parts)?;
    let found = find(&app.service, &parts.headers).await;
    if let (Err(Problem::Unauthorized(_)), Some(source)) = (&found, source) {
        app.rates.refused_from(source);
    }
    known.account = found.as_ref().ok().map(Caller::account_id);
    found
}

/// Counts a call by its address, whether it takes a token or not. Gives whom limits by address hold
/// for, if they do.
pub(crate) fn count_by_address(app: &App, parts: &Parts) -> Result<Option<Source>, Problem> {
    let Some(Peer(peer)) = parts.extensions.get() else { return Ok(None) };
    let source = app.config.source(app.config.proxies.client(*peer, &parts.headers));
    if let Some(source) = source {
        app.rates.call_from(source)?;
    }
    Ok(source)
}

async fn find(service: &Service, headers: &HeaderMap) -> Result<Caller, Problem> {
    let Some(token) = token(headers) else {
        service.refused_without_token();
        return Err(Problem::Unauthorized(None));
    };
    service.authenticate(token).await.map_err(|error| match error {
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
    })
}

/// `<scheme> <token>`, the scheme `auth_token` or `Bearer` in any case; one header only.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.trim().split_once(' ')?;
    let known = ["bearer", "auth_token"].iter().any(|name| scheme.eq_ignore_ascii_case(name));
    known.then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

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
