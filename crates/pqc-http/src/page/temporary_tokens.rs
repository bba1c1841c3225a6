//! The page of the account's temporary tokens: minted, listed, revoked.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use pqc_core::token::{MintPolicy, TokenKind};
use pqc_core::{Field, Timestamp, TokenId};
use pqc_service::audit::WrittenDown;
use pqc_service::tokens::{MintRequest, Minted};
use pqc_service::{Error, TokenRecord};
use zeroize::Zeroizing;

use super::form::{Form, query, without_token};
use super::html::{self, Moment};
use super::visit::{self, Act, Deed, NOTHING_TYPED, Shell, Stop};
use crate::api::wire::decode_fixed;
use crate::api::{root, subject};
use crate::app::App;
use crate::operation::from_service;
use crate::problem::Problem;

/// The page.
pub(super) const PLACE: &str = "/tokens";

#[derive(Template)]
#[template(path = "temporary_tokens.html")]
struct Tokens {
    shell: Shell,
    draft: Draft,
    error: FieldError,
    tokens: Vec<Token>,
    /// The longest lifetime, in seconds.
    longest: u64,
    /// The place of the next page, if there is one.
    older: Option<String>,
    is_first: bool,
}

#[derive(Template)]
#[template(path = "new_temporary_token.html")]
struct NewToken<'a> {
    shell: &'a Shell,
    secret: Zeroizing<String>,
    label: &'a str,
    expires: Moment,
    attempts: u32,
    origin: &'a str,
}

/// What was typed into the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Draft {
    label: String,
    lifetime: String,
    attempts: String,
}

/// What is wrong with a field, said beside it.
#[derive(Debug, Default)]
struct FieldError {
    field: &'static str,
    said: String,
}

struct Token {
    id: String,
    label: String,
    made: Moment,
    used: Option<Moment>,
    left: String,
    ends: Option<Moment>,
    /// Why it is over; empty: it lives.
    over: &'static str,
}

/// The form, and a page of tokens, the newest first.
pub(super) async fn show(State(app): State<Arc<App>>, request: Request) -> Response {
    visit::look(&app, request, "token.list", async |visit| {
        let asked = visit.parts.uri.query().unwrap_or_default();
        let before = query(asked, "before").and_then(|id| token_id(&id));
        let draft = Draft::from_query(asked);
        let (account, now) = (visit.account(), visit.now());
        let (tokens, older) = list(visit.app, account, before, now).await?;
        let (shell, error) = (visit.shell(PLACE), FieldError::default());
        let (longest, is_first) = (visit.app.service.longest_lifetime(), before.is_none());
        visit.page(&Tokens { shell, draft, error, tokens, longest, older, is_first })
    })
    .await
}

/// Mints one, and shows it this once.
pub(super) async fn mint(State(app): State<Arc<App>>, request: Request) -> Response {
    let act = Act {
        operation: "token.mint",
        written_down: WrittenDown::ByEffect,
        place: PLACE,
        draft: Some(|form| Draft::from_form(form).to_query()),
    };
    visit::act(&app, request, &act, async |deed| {
        let draft = Draft::from_form(deed.form);
        let request = match draft.request() {
            Ok(request) => request,
            Err(error) => return Err(refused(deed, draft, error).await),
        };
        let label = request.label.clone().unwrap_or_default();
        let nothing = |_: &Minted| Ok::<_, Error>("");
        let minted = match deed.app.service.mint(&deed.by, request, nothing).await {
            Ok((minted, _)) => minted,
            Err(error) => match FieldError::of(&error) {
                Some(said) => return Err(refused(deed, draft, said).await),
                None => return Err(from_service(error).into()),
            },
        };
        let (expires, attempts) = (minted.expires_at.into(), minted.attempts);
        let (shell, secret) = (&deed.shell, minted.value.expose_text());
        let origin = origin(deed);
        let page = NewToken { shell, secret, label: &label, expires, attempts, origin: &origin };
        Ok(html::page(deed.app, StatusCode::OK, &page)?)
    })
    .await
}

/// Revokes one.
pub(super) async fn revoke(State(app): State<Arc<App>>, request: Request) -> Response {
    let act = Act {
        operation: "token.revoke",
        written_down: WrittenDown::ByEffect,
        place: PLACE,
        draft: NOTHING_TYPED,
    };
    visit::act(&app, request, &act, async |deed| {
        let id = token_id(&deed.form.text("id")).ok_or(NO_SUCH_TOKEN)?;
        // That it was revoked before, or is gone, is what was wanted.
        match deed.app.service.revoke(deed.by.by(), deed.by.account_id(), id).await {
            Ok(()) | Err(Error::UnknownToken) => Ok(html::see_other(PLACE)?),
            Err(error) => Err(from_service(error).into()),
        }
    })
    .await
}

/// Revokes all, once that was confirmed.
pub(super) async fn revoke_all(State(app): State<Arc<App>>, request: Request) -> Response {
    let act = Act {
        operation: "token.revoke_all",
        written_down: WrittenDown::ByEffect,
        place: PLACE,
        draft: NOTHING_TYPED,
    };
    visit::act(&app, request, &act, async |deed| {
        if !deed.form.is_ticked("sure") {
            let said = "Nothing was revoked. Tick this box first.".to_owned();
            let error = FieldError { field: "sure", said };
            return Err(refused(deed, Draft::default(), error).await);
        }
        let (by, account) = (deed.by.by(), deed.by.account_id());
        deed.app.service.revoke_all_temporary(by, account).await.map_err(from_service)?;
        Ok(html::see_other(PLACE)?)
    })
    .await
}

/// The form again, with what was typed and what is wrong with it.
async fn refused(deed: &Deed<'_>, draft: Draft, error: FieldError) -> Stop {
    let page = async {
        let (account, now) = (deed.by.account_id(), deed.by.now());
        let (tokens, older) = list(deed.app, account, None, now).await?;
        let shell = deed.shell.again();
        let longest = deed.app.service.longest_lifetime();
        let page = Tokens { shell, draft, error, tokens, longest, older, is_first: true };
        html::page(deed.app, StatusCode::UNPROCESSABLE_ENTITY, &page)
    };
    match page.await {
        Ok(page) => Stop::page(page),
        Err(problem) => Stop::Problem(problem),
    }
}

async fn list(
    app: &App,
    account: pqc_core::AccountId,
    before: Option<TokenId>,
    now: Timestamp,
) -> Result<(Vec<Token>, Option<String>), Problem> {
    let found = app.service.newest_tokens(account, before, PAGE + 1).await;
    let found = found.map_err(from_service)?;
    let (shown, last) = root::page(&found, PAGE);
    let older = last.map(|last| format!("{PLACE}?before={}", last.id));
    let temporary = shown.iter().filter(|token| token.state.kind == TokenKind::Temporary);
    Ok((temporary.map(|token| Token::new(token, now)).collect(), older))
}

fn token_id(text: &str) -> Option<TokenId> {
    let bytes = decode_fixed(text, &[TokenId::BYTES]).ok()?;
    TokenId::from_slice(&bytes).ok()
}

/// Where the browser found this server, for the line to try a token with.
fn origin(deed: &Deed<'_>) -> String {
    let headers = &deed.parts.headers;
    let said = headers.get(http::header::ORIGIN).and_then(|origin| origin.to_str().ok());
    said.filter(|origin| origin.starts_with("http")).unwrap_or("http://localhost:8000").to_owned()
}

impl Draft {
    fn from_form(form: &Form) -> Self {
        Self::of(|name| form.text(name).as_str().to_owned())
    }

    fn from_query(asked: &str) -> Self {
        Self::of(|name| query(asked, name).unwrap_or_default())
    }

    fn of(text: impl Fn(&str) -> String) -> Self {
        Self { label: text("label"), lifetime: text("lifetime"), attempts: text("attempts") }
    }

    fn to_query(&self) -> String {
        let mut query = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        for (name, typed) in
            [("label", &self.label), ("lifetime", &self.lifetime), ("attempts", &self.attempts)]
        {
            query.append_pair(name, without_token(typed));
        }
        query.finish()
    }

    fn request(&self) -> Result<MintRequest, FieldError> {
        let count = |field, text: &str| match text {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                let said = "Type a whole number, from 1.".to_owned();
                FieldError { field, said }
            }),
        };
        Ok(MintRequest {
            lifetime_seconds: count("lifetime", &self.lifetime)?,
            attempts: count("attempts", &self.attempts)?,
            label: Some(self.label.clone()).filter(|label| !label.is_empty()),
            ..MintRequest::default()
        })
    }

    /// The choices of a lifetime up to this one, and which is made.
    fn lifetimes(&self, longest: u64) -> Vec<(u64, String, bool)> {
        let mut choices: Vec<_> = LIFETIMES.iter().filter(|one| one.0 <= longest).collect();
        let own = (longest, "as long as it can be");
        if longest < DEFAULT_LIFETIME && choices.iter().all(|one| one.0 != longest) {
            choices.push(&own);
        }
        let chosen = self.lifetime.parse().unwrap_or(DEFAULT_LIFETIME.min(longest));
        choices
            .iter()
            .map(|(seconds, name)| (*seconds, (*name).to_owned(), *seconds == chosen))
            .collect()
    }

    fn attempts_or_one(&self) -> &str {
        if self.attempts.is_empty() { "1" } else { &self.attempts }
    }
}

impl FieldError {
    /// What the service says of a field; `None`: it says something else.
    fn of(error: &Error) -> Option<Self> {
        let (field, said) = match error {
            Error::BadName { what: "label", expected } => ("label", format!("Type {expected}.")),
            Error::Core(error) => {
                let field = match subject(error)? {
                    Field::TokenLifetime => "lifetime",
                    Field::TokenAttempts => "attempts",
                    _ => return None,
                };
                let said = match error {
                    pqc_core::Error::OutOfRange { min, max, .. } => {
                        format!("It has to be from {min} to {max} here.")
                    }
                    error => error.to_string(),
                };
                (field, said)
            }
            _ => return None,
        };
        Some(Self { field, said })
    }

    fn is_of(&self, field: &str) -> bool {
        self.field == field
    }
}

impl Token {
    fn new(token: &TokenRecord, now: Timestamp) -> Self {
        let over = match pqc_core::token::authenticate(&token.state, now) {
            Ok(()) => "",
            Err(pqc_core::token::Refusal::Expired) => "expired",
            Err(pqc_core::token::Refusal::Spent) => "spent",
            Err(_) => "revoked",
        };
        let (left, of) = (token.state.attempts_left, token.attempts);
        let left = left.zip(of).map(|(left, of)| format!("{left} of {of}"));
        Self {
            id: token.id.to_string(),
            label: token.label.clone().unwrap_or_default(),
            made: token.created_at.into(),
            used: token.last_used_at.map(Moment::from),
            left: left.unwrap_or_default(),
            ends: token.state.expires_at.map(Moment::from),
            over,
        }
    }
}

const NO_SUCH_TOKEN: Problem = Problem::BadRequest("This names no token.");
const PAGE: u32 = 50;
/// In seconds.
const DEFAULT_LIFETIME: u64 = MintPolicy::DEFAULT_LIFETIME_SECONDS;
const LIFETIMES: [(u64, &str); 5] = [
    (300, "5 minutes"),
    (DEFAULT_LIFETIME, "15 minutes"),
    (3_600, "1 hour"),
    (28_800, "8 hours"),
    (86_400, "1 day"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_back_by_the_address() {
        let draft = Draft {
            label: "<b> & ünd\"".to_owned(),
            lifetime: "300".to_owned(),
            attempts: "x".to_owned(),
        };
        let asked = draft.to_query();
        assert!(asked.bytes().all(|byte| byte.is_ascii_graphic()), "{asked}");
        assert_eq!(Draft::from_query(asked.strip_prefix('?').unwrap()), draft);
        let error = draft.request().unwrap_err();
        assert!(error.is_of("attempts") && !error.is_of("label"), "{error:?}");
        let draft = Draft { attempts: "2".to_owned(), ..draft };
        assert!(draft.request().is_ok());
        let pasted = Draft { label: "pqc_r_AAEC".to_owned(), ..draft };
        assert_eq!(pasted.to_query(), "?label=&lifetime=300&attempts=2");
        let pasted = Draft { attempts: " pqc_t_AAEC".to_owned(), ..pasted };
        assert_eq!(pasted.to_query(), "?label=&lifetime=300&attempts=");
    }
}
