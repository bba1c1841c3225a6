//! The way to a page, once for all of them: who asks, whether that person is signed in, and the order
//! of checks. To look at a page changes nothing; what changes something is a form ([`act`]), which has
//! to come from a page of this server with the token of its session.

use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};
use pqc_core::session::SessionValue;
use pqc_core::{AccountId, Timestamp};
use pqc_service::audit::{Use, WrittenDown};
use pqc_service::{Admitted, Error, Session, SignedIn};
use zeroize::Zeroizing;

use super::cookie::Cookie;
use super::form::{self, Form, is_from_here};
use super::html::{self, Moment};
use super::sign_in;
use crate::app::App;
use crate::around::{RequestId, answer_bodiless, other_method, without_body};
use crate::auth::{count_by_address, refused_by_address};
use crate::operation::{Known, from_service, spend};
use crate::problem::Problem;

/// A person who is signed in, and looks at a page.
pub(super) struct Visit<'a> {
    pub(super) app: &'a App,
    pub(super) parts: &'a Parts,
    pub(super) session: Session,
    value: SessionValue,
}

/// A person who is signed in, and sent a form that may be carried out, once.
pub(super) struct Deed<'a> {
    pub(super) app: &'a App,
    pub(super) parts: &'a Parts,
    pub(super) form: &'a Form,
    pub(super) by: Admitted,
    pub(super) shell: Shell,
}

/// What stands around every page of who is signed in.
pub(super) struct Shell {
    /// The account.
    pub(super) account: String,
    /// Which page it is.
    pub(super) here: &'static str,
    /// Carried by every form.
    pub(super) form_token: Zeroizing<String>,
    /// When the session ends by itself.
    pub(super) ends: Moment,
    /// What is to be said first.
    pub(super) notice: &'static str,
}

/// Why a page is not what was asked for.
pub(super) enum Stop {
    /// Something went wrong.
    Problem(Problem),
    /// Something is to be done first, or differently: this says what.
    Page(Box<Response>),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Stop {
    /// A page that says what.
    pub(super) fn page(response: Response) -> Self {
        Self::Page(Box::new(response))
    }

    /// The same, where it tells of a problem.
    pub(super) fn told_by(self, problem: Problem) -> Self {
        match self {
            Self::Page(page) => Self::page(html::told_by(*page, problem)),
            Self::Problem(_) => self,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Problem(problem) => problem.status(),
            Self::Page(response) => response.status(),
        }
    }

    /// The answer.
    pub(super) fn tell(self, app: &App, parts: &Parts) -> Response {
        match self {
            Self::Problem(problem) => html::problem(app, parts, problem),
            Self::Page(response) => *response,
        }
    }
}

/// Shows a page to who is signed in. `operation` is what the log calls it, where all is written down.
pub(super) async fn look(
    app: &App,
    request: Request,
    operation: &'static str,
    show: impl AsyncFnOnce(&Visit<'_>) -> Result<Response, Problem>,
) -> Response {
    let mut known = Known::default();
    let answer = answer_bodiless(request, "GET, HEAD", async |parts| {
        let answer = async {
            count_by_address(app, parts)?;
            let Some(visit) = find(app, parts, &mut known).await? else {
                return sign_in::asked_first(app, parts);
            };
            let usage = usage(parts, operation, WrittenDown::IfAll);
            app.service.note_look(&visit.session, usage).await.map_err(from_service)?;
            show(&visit).await
        };
        let answer = answer.await;
        known.leave_work();
        answer.unwrap_or_else(|problem| html::problem(app, parts, problem))
    })
    .await;
    known.tell(answer)
}

/// What a form does.
pub(super) struct Act {
    /// What the audit log calls it.
    pub(super) operation: &'static str,
    /// Whether it is written down there.
    pub(super) written_down: WrittenDown,
    /// The page that has the form.
    pub(super) place: &'static str,
    /// What was typed, as the query of that page, for who has to sign in again first, or to send the
    /// form again; `None`: no person is shown that page, for a script sends the form.
    pub(super) draft: Option<fn(&Form) -> String>,
}

/// Of a form into which nothing is typed.
pub(super) const NOTHING_TYPED: Option<fn(&Form) -> String> = Some(|_| String::new());

impl Act {
    /// The page that has the form, with what was typed.
    fn page(&self, form: &Form) -> Option<String> {
        self.draft.map(|draft| format!("{}{}", self.place, draft(form)))
    }
}

/// Carries out what the form of a page asks for.
pub(super) async fn act(
    app: &App,
    request: Request,
    act: &Act,
    carry_out: impl AsyncFnOnce(&Deed<'_>) -> Result<Response, Stop>,
) -> Response {
    sent(app, request, act.place, async |parts, form, known| {
        let Some(Visit { session, value, .. }) = find(app, parts, known).await? else {
            let then = act.page(form).unwrap_or_else(|| act.place.to_owned());
            return Err(Stop::page(sign_in::asked_again(app, parts, &then)?));
        };
        if let Err(stale) = check(&value, form) {
            let Some(page) = act.page(form) else { return Err(stale.into()) };
            return Err(Stop::page(html::see_other(&marked(&page))?));
        }
        let shell = Shell::new(&session, &value, act.place);
        let authorized = session.authorize().map_err(from_service)?;
        let usage = usage(parts, act.operation, act.written_down);
        let by = spend(app, authorized, usage).await?;
        let deed = Deed { app, parts, form, by, shell };
        let done = carry_out(&deed).await;
        if let Err(stop) = &done {
            let outcome = format!("failed, {}", stop.status().as_u16());
            app.service.note_failure(&deed.by, outcome, None).await;
        }
        done
    })
    .await
}

/// Receives a form that this server's own pages sent; whoever comes without one is sent to `place`.
pub(super) async fn sent(
    app: &App,
    request: Request,
    place: &str,
    answer: impl AsyncFnOnce(&Parts, &Form, &mut Known) -> Result<Response, Stop>,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let mut known = Known::default();
    let answered = async {
        match parts.method {
            // Who comes back by the address of a form.
            Method::GET | Method::HEAD => return Ok(html::see_other(place)?),
            ref method => {
                if let Some(answer) = other_method(method, "GET, HEAD, POST") {
                    return Ok(answer);
                }
            }
        }
        count_by_address(app, &parts)?;
        if !is_from_here(&parts) {
            return Err(Stop::Problem(FROM_ELSEWHERE));
        }
        let form = Form::receive(app, &parts, &mut body).await?;
        answer(&parts, &form, &mut known).await
    };
    let answered: Result<Response, Stop> = answered.await;
    known.leave_work();
    let answer = answered.unwrap_or_else(|stop| stop.tell(app, &parts));
    let answer = without_body(Request::from_parts(parts, body), answer).await;
    known.tell(answer)
}

/// Who is signed in by the cookie of this request, if anybody is.
pub(super) async fn find<'a>(
    app: &'a App,
    parts: &'a Parts,
    known: &mut Known,
) -> Result<Option<Visit<'a>>, Problem> {
    if !sign_in::is_open(app) {
        return Ok(None);
    }
    let Some(value) = Cookie::Session.read(app, &parts.headers) else { return Ok(None) };
    known.begin_work(app)?;
    let session = match app.service.session(&value).await {
        Ok(session) => session,
        Err(Error::Unauthorized(refusal)) => {
            tracing::debug!(%refusal, "a session that has ended");
            refused_by_address(app, parts);
            return Ok(None);
        }
        Err(error) => return Err(from_service(error)),
    };
    known.account = Some(session.account_id());
    known.standing = app.rates.call_by(session.token().id)?;
    Ok(Some(Visit { app, parts, session, value }))
}

/// Whether the form was given to this session.
fn check(value: &SessionValue, form: &Form) -> Result<(), Problem> {
    let is_ours = value.is_form_token(&form.text(FORM_TOKEN));
    if is_ours { Ok(()) } else { Err(STALE_FORM) }
}

/// The request by which it is done.
pub(super) fn request_id(parts: &Parts) -> Option<String> {
    parts.extensions.get().and_then(RequestId::text)
}

fn usage(parts: &Parts, operation: &'static str, written_down: WrittenDown) -> Use {
    Use { operation, key: None, written_down, request_id: request_id(parts) }
}

impl Visit<'_> {
    /// The account that is signed in.
    pub(super) fn account(&self) -> AccountId {
        self.session.account_id()
    }

    /// The time at which its session was found to live.
    pub(super) fn now(&self) -> Timestamp {
        self.session.now()
    }

    /// Whether the form was given to this session.
    pub(super) fn check(&self, form: &Form) -> Result<(), Problem> {
        check(&self.value, form)
    }

    /// Ends the session.
    pub(super) async fn sign_out(&self) -> Result<(), Problem> {
        let Self { app, parts, session, value } = self;
        let ended = app.service.sign_out(session, value, request_id(parts)).await;
        ended.map(drop).map_err(from_service)
    }

    /// What stands around this page.
    pub(super) fn shell(&self, here: &'static str) -> Shell {
        let asked = self.parts.uri.query().unwrap_or_default();
        let notice = if form::query(asked, AGAIN).is_some() { SEND_AGAIN } else { "" };
        Shell { notice, ..Shell::new(&self.session, &self.value, here) }
    }

    /// The page.
    pub(super) fn page(&self, template: &impl askama::Template) -> Result<Response, Problem> {
        html::page(self.app, StatusCode::OK, template)
    }

    /// The page, if its script calls this server.
    pub(super) fn page_that_calls(
        &self,
        template: &impl askama::Template,
    ) -> Result<Response, Problem> {
        html::let_call(self.page(template)?)
    }
}

impl Shell {
    /// The same around another page.
    pub(super) fn again(&self) -> Self {
        let Self { account, here, form_token, ends, notice } = self;
        let form_token = Zeroizing::new(form_token.as_str().to_owned());
        Self { account: account.clone(), here, form_token, ends: ends.clone(), notice }
    }

    /// The same in a session that was just begun.
    pub(super) fn of(&self, signed_in: &SignedIn) -> Self {
        Self::of_new(self.account.clone(), self.here, signed_in)
    }

    /// In a session of this account that was just begun.
    pub(super) fn of_new(account: String, here: &'static str, signed_in: &SignedIn) -> Self {
        let (form_token, ends) = (signed_in.value.form_token(), signed_in.expires_at.into());
        Self { account, here, form_token, ends, notice: "" }
    }

    fn new(session: &Session, value: &SessionValue, here: &'static str) -> Self {
        Self {
            account: session.account_name().to_owned(),
            here,
            form_token: value.form_token(),
            ends: session.expires_at().into(),
            notice: "",
        }
    }

    /// For the link to a page: whether one is there.
    pub(super) fn current(&self, place: &str) -> &'static str {
        if self.here == place { "page" } else { "false" }
    }
}

/// The address of a page whose form was of an earlier session, which the page then says.
pub(super) fn marked(page: &str) -> String {
    let mark = if page.contains('?') { '&' } else { '?' };
    format!("{page}{mark}{AGAIN}=1")
}

/// The address of the page without that, of which it is always the end.
pub(super) fn unmarked(page: &str) -> &str {
    let is_whole = page.strip_suffix("=1").and_then(|page| page.strip_suffix(AGAIN));
    is_whole.and_then(|page| page.strip_suffix(['?', '&'])).unwrap_or(page)
}

const AGAIN: &str = "again";
const SEND_AGAIN: &str = "The form that you sent was of an earlier session, and did nothing. Look at \
    it once more, and send it again.";
/// The field that every form has.
pub(super) const FORM_TOKEN: &str = "form_token";
const FROM_ELSEWHERE: Problem =
    Problem::BadRequest("This form was sent from another page than this server's own.");
const STALE_FORM: Problem = Problem::BadRequest(
    "This form is of an earlier session. Go back, load its page anew, and send it again.",
);
