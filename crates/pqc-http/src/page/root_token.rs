//! The first page: how much there is in the account; what is known of its root token, and its reset.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;
use pqc_core::token::TokenValue;
use pqc_service::audit::WrittenDown;
use pqc_service::usage::UsageBy;
use pqc_service::{Error, SignedIn};
use zeroize::Zeroizing;

use super::HOME;
use super::cookie::Cookie;
use super::html::{self, Moment};
use super::month::Month;
use super::usage;
use super::visit::{self, Act, Deed, NOTHING_TYPED, Shell, Stop, Visit};
use crate::app::App;
use crate::operation::from_service;
use crate::problem::Problem;

#[derive(Template)]
#[template(path = "root_token.html")]
struct RootToken {
    shell: Shell,
    figures: Option<Figures>,
    made: Option<Moment>,
    is_unsure: bool,
}

/// How much there is, and what was done this month.
struct Figures {
    calls: u64,
    keys: u64,
    tokens: u64,
}

#[derive(Template)]
#[template(path = "new_root_token.html")]
struct NewRootToken<'a> {
    shell: &'a Shell,
    secret: Zeroizing<String>,
    keeps_temporary: bool,
    is_signed_in: bool,
}

/// What there is to know of the token that is signed in with. Not its value, which nobody has.
pub(super) async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "token.show", async |visit| {
        let made = Some(visit.session.token().created_at.into());
        // The page is there without them too: one resets a token on it.
        let figures = figures(visit).await.ok();
        visit.page(&RootToken { shell: visit.shell(HOME), figures, made, is_unsure: false })
    })
    .await
}

async fn figures(visit: &Visit<'_>) -> Result<Figures, Problem> {
    let (service, account, now) = (&visit.app.service, visit.account(), visit.now());
    let (keys, tokens) = service.holdings(account, now).await.map_err(from_service)?;
    let sums = usage::sums(visit.app, account, Month::of(now), UsageBy::Month).await?;
    let calls = sums.iter().map(|sum| sum.calls).fold(0, u64::saturating_add);
    Ok(Figures { calls, keys, tokens })
}

/// Makes another one, and shows it this once. The session goes on under it.
pub(super) async fn reset(State(app): State<Arc<App>>, request: Request) -> Response {
    let act = Act {
        operation: "token.reset",
        written_down: WrittenDown::ByEffect,
        place: HOME,
        draft: NOTHING_TYPED,
    };
    visit::act(&app, request, &act, async |deed| {
        if !deed.form.is_ticked("sure") {
            let shell = deed.shell.again();
            let unsure = RootToken { shell, figures: None, made: None, is_unsure: true };
            let page = html::page(deed.app, StatusCode::UNPROCESSABLE_ENTITY, &unsure)?;
            return Err(Stop::page(page));
        }
        let keeps_temporary = deed.form.is_ticked("keep_temporary");
        let service = &deed.app.service;
        let account = deed.by.account_id();
        let value = service.reset_root_token(deed.by.by(), account, keeps_temporary).await;
        let value = value.map_err(from_service)?;
        // It is made, and is shown whatever comes of the rest.
        let signed_in = sign_in_again(deed, &value).await;
        if let Err(error) = &signed_in {
            tracing::warn!(%error, "a new root token begins no session yet");
        }
        let secret = value.expose_text();
        let (shell, is_signed_in) = match &signed_in {
            Ok(signed_in) => (deed.shell.of(signed_in), true),
            Err(_) => (deed.shell.again(), false),
        };
        let page = NewRootToken { shell: &shell, secret, keeps_temporary, is_signed_in };
        let mut response = html::page(deed.app, StatusCode::OK, &page)?;
        if let Ok(signed_in) = &signed_in {
            let cookie = Cookie::Session.set(deed.app, &signed_in.value)?;
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    })
    .await
}

async fn sign_in_again(deed: &Deed<'_>, value: &TokenValue) -> Result<SignedIn, Error> {
    let caller = deed.app.service.authenticate(&value.expose_text()).await?;
    deed.app.service.sign_in(caller, visit::request_id(deed.parts)).await
}
