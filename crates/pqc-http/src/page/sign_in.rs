//! Signing in with a root token, and out.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;
use http::request::Parts;
use pqc_core::session::SessionValue;
use pqc_service::SignedIn;
use zeroize::Zeroizing;

use super::cookie::Cookie;
use super::form::{self, Form};
use super::visit::{self, FORM_TOKEN, Shell, Stop};
use super::{HOME, PLACES, html};
use crate::app::App;
use crate::auth::authenticate_typed;
use crate::operation::{Known, from_service, out_of_scope};
use crate::problem::{Forbidden, Problem};

/// Whether anybody may sign in: a token, or a cookie, that goes in the clear beyond this machine is
/// anybody's.
pub(super) fn is_open(app: &App) -> bool {
    app.config.tls || app.config.loopback
}

/// What a form says to be wrong.
#[derive(Debug, Default)]
struct Said {
    /// Above the form.
    notice: &'static str,
    /// Beside the field.
    error: &'static str,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    is_open: bool,
    form_token: Zeroizing<String>,
    then: &'a str,
    said: Said,
}

/// The token, which the page can't show again: once, to who has it just now.
#[derive(Template)]
#[template(path = "first_sign_in.html")]
struct FirstSignIn<'a> {
    shell: &'a Shell,
    secret: Zeroizing<String>,
    then: &'a str,
}

/// The form, in place of a page that asks for a session; after it, that page.
pub(super) fn asked_first(app: &App, parts: &Parts) -> Result<Response, Problem> {
    let asked = parts.uri.path_and_query().map_or(HOME, |place| place.as_str());
    let asked = visit::unmarked(asked);
    if !is_open(app) {
        return ask(app, parts, StatusCode::FORBIDDEN, HOME, Said::default());
    }
    // A page's address shows that page, or the way to it; that of a file is not to give this page.
    let (then, status) = match (parts.uri.path(), place(asked)) {
        (HOME, _) => (asked_for(parts), StatusCode::OK),
        (_, HOME) => (HOME.to_owned(), StatusCode::UNAUTHORIZED),
        (_, then) => return html::see_other(&format!("{HOME}?{}", encoded("then", then))),
    };
    let mut response = ask(app, parts, status, &then, Said::default())?;
    if Cookie::Session.read(app, &parts.headers).is_some() {
        response.headers_mut().append(SET_COOKIE, Cookie::Session.clear(app)?);
    }
    Ok(response)
}

/// The form for who sent another one after his session had ended: `then` keeps what he typed.
pub(super) fn asked_again(app: &App, parts: &Parts, then: &str) -> Result<Response, Problem> {
    let notice = "Your session has ended, and this form did nothing. Sign in again: what you typed is \
         kept. (If you sent it twice, look whether it was done the first time.)";
    let said = Said { notice, error: "" };
    let status = if is_open(app) { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    ask(app, parts, status, then, said)
}

/// The page to go on to, as the form's own address says it.
fn asked_for(parts: &Parts) -> String {
    let then = form::query(parts.uri.query().unwrap_or_default(), "then");
    then.map_or(HOME.to_owned(), |then| place(&then).to_owned())
}

/// One of our own pages, with its query; else the first.
fn place(then: &str) -> &str {
    let (path, query) = then.split_once('?').unwrap_or((then, ""));
    let key = path.strip_prefix("/keys/").unwrap_or_default();
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ours =
        (PLACES.contains(&path) || is_key) && query.bytes().all(|byte| byte.is_ascii_graphic());
    if is_ours { then } else { HOME }
}

/// A query of one field.
fn encoded(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish()
}

fn ask(
    app: &App,
    parts: &Parts,
    status: StatusCode,
    then: &str,
    said: Said,
) -> Result<Response, Problem> {
    let (visitor, is_new) = match Cookie::Visitor.read(app, &parts.headers) {
        Some(visitor) => (visitor, false),
        None => (new_visitor(app)?, true),
    };
    let form_token = visitor.form_token();
    let template = SignIn { is_open: is_open(app), form_token, then, said };
    let mut response = html::page(app, status, &template)?;
    if is_new && is_open(app) {
        response.headers_mut().append(SET_COOKIE, Cookie::Visitor.set(app, &visitor)?);
    }
    Ok(response)
}

fn new_visitor(app: &App) -> Result<SessionValue, Problem> {
    app.service.new_visitor().map_err(from_service)
}

/// Signs in, and shows the page that was asked for.
pub(super) async fn sign_in(State(app): State<Arc<App>>, request: Request) -> Response {
    let app = &*app;
    visit::sent(app, request, HOME, async |parts, form, known| {
        let then = form.text("then");
        let then = place(&then);
        let again = |status, said| match ask(app, parts, status, then, said) {
            Ok(response) => Stop::page(response),
            Err(problem) => Stop::Problem(problem),
        };
        if !is_open(app) {
            return Err(again(StatusCode::FORBIDDEN, Said::default()));
        }
        let visitor = Cookie::Visitor.read(app, &parts.headers);
        if !visitor.is_some_and(|visitor| visitor.is_form_token(&form.text(FORM_TOKEN))) {
            // Sent from a page that was left open when its person signed in by another.
            if visit::find(app, parts, known).await?.is_some() {
                return Ok(html::see_other(&visit::marked(then))?);
            }
            let notice = "This form had become too old. Try again; the browser has to take cookies.";
            return Err(again(StatusCode::BAD_REQUEST, Said { notice, error: "" }));
        }
        let begun = begin(app, parts, form, known).await;
        let signed_in = begun.map_err(|problem| match &problem {
            Problem::Unauthorized(_) => {
                let error = "This token is not accepted. Type or paste the account's root token, as \
                     the first start of the server, or the last reset, showed it.";
                again(StatusCode::UNAUTHORIZED, Said { notice: "", error }).told_by(problem)
            }
            Problem::Forbidden(Forbidden::OutOfScope) => {
                let error = "This is a temporary token. Sign in with the account's root token.";
                again(StatusCode::FORBIDDEN, Said { notice: "", error }).told_by(problem)
            }
            _ => Stop::Problem(problem),
        })?;
        let Begun { signed_in, account, is_first } = signed_in;
        // What this browser had before is not left to whoever finds its cookie.
        end_former(app, parts).await;
        let mut response = if is_first {
            let shell = Shell::of_new(account, HOME, &signed_in);
            let page = FirstSignIn { shell: &shell, secret: form.text("token"), then };
            html::page(app, StatusCode::OK, &page)?
        } else {
            html::see_other(then)?
        };
        let headers = response.headers_mut();
        headers.append(SET_COOKIE, Cookie::Session.set(app, &signed_in.value)?);
        headers.append(SET_COOKIE, Cookie::Visitor.clear(app)?);
        Ok(response)
    })
    .await
}

/// Ends the session that the browser had, if it lives.
async fn end_former(app: &App, parts: &Parts) {
    let Some(value) = Cookie::Session.read(app, &parts.headers) else { return };
    if let Ok(session) = app.service.session(&value).await {
        let ended = app.service.sign_out(&session, &value, visit::request_id(parts)).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "a browser's former session goes on");
        }
    }
}

/// A session that was begun.
struct Begun {
    signed_in: SignedIn,
    account: String,
    /// Whether nobody signed in with this token before.
    is_first: bool,
}

async fn begin(app: &App, parts: &Parts, form: &Form, known: &mut Known) -> Result<Begun, Problem> {
    let caller = authenticate_typed(app, parts, known, &form.text("token")).await?;
    known.standing = app.rates.call_by(caller.token_id())?;
    let (account, is_first) = (caller.account_name().to_owned(), caller.was_never_used());
    let signed_in = app.service.sign_in(caller, visit::request_id(parts)).await;
    let signed_in = signed_in.map_err(|error| match error {
        error @ pqc_service::Error::OutOfScope => out_of_scope(app, error),
        error => from_service(error),
    })?;
    Ok(Begun { signed_in, account, is_first })
}

/// Signs out. Whose session has ended by itself is signed out too.
pub(super) async fn sign_out(State(app): State<Arc<App>>, request: Request) -> Response {
    let app = &*app;
    visit::sent(app, request, HOME, async |parts, form, known| {
        if let Some(visit) = visit::find(app, parts, known).await? {
            if visit.check(form).is_err() {
                return Ok(html::see_other(&visit::marked(HOME))?);
            }
            visit.sign_out().await?;
        }
        let mut response = html::see_other(HOME)?;
        response.headers_mut().append(SET_COOKIE, Cookie::Session.clear(app)?);
        Ok(response)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_on_to_our_own_pages_alone() {
        for ours in ["/", "/usage", "/tokens?label=%20&a", "/keys/00ff"] {
            assert_eq!(place(ours), ours);
        }
        for other in [
            "",
            "//elsewhere.example",
            "https://elsewhere.example/",
            "/api",
            "/\\x",
            "/?a b",
            "/keys?\r\nx",
            "/keys/",
            "/keys/00/public.pem",
            "/usage.csv",
        ] {
            assert_eq!(place(other), HOME, "{other:?}");
        }
    }
}
