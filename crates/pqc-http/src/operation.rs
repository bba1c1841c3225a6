//! The order of checks, once, for every call that takes a token.
//!
//! A row of the contract is a type that implements [`Operation`]; [`route`] leads a path to it,
//! and [`run`] takes each request through the steps of the contract in their order.

use std::future::Future;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::HeaderValue;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use pqc_core::secret::Wiped;
use pqc_core::token::Demand;
use pqc_core::{AccountId, KeyId, SecretVec};
use pqc_service::audit::{Use, WrittenDown};
use pqc_service::replay::{Admission, Comer, Holder, Repeatable};
use pqc_service::{Admitted, Authorized};
use serde::Serialize;
use tracing::Instrument;

use crate::api::wire::HexFormatter;
use crate::app::{App, Config};
use crate::around::{RequestId, other_method, without_body};
use crate::auth::{authenticate, authenticate_again};
use crate::body::Room;
use crate::calls::AtWork;
use crate::fields::Fields;
use crate::idempotency;
use crate::problem::{Attempt, Forbidden, Problem, Unavailable};
use crate::rates::Standing;
use crate::receive::receive;
use crate::routes::Routes;
use crate::trace::step;

/// A row of the contract.
pub(crate) trait Operation: Send + Sync + 'static {
    /// The methods it takes, as `Allow` names them.
    const ALLOW: &'static str;
    /// What it asks of a token.
    const DEMAND: Demand;
    /// Whether it can do without a body.
    const BODY: BodyRule = BodyRule::Required;

    /// Whether a call with the header `Idempotency-Key` can be repeated: then [`Self::act`] gives the
    /// service its answer, to keep it with what was made.
    const REPEATABLE: bool = false;

    /// How many copies of its body's length it makes on the way to its answer.
    const WORKING_COPIES: usize = 0;

    /// The limit for its body.
    fn body_limit(_: &Config) -> usize {
        BODY_LIMIT
    }

    /// What it is called in the audit log.
    const ACT: &'static str = match Self::DEMAND {
        Demand::Operation(operation) => operation.name(),
        Demand::Root => "root",
        _ => "token.self",
    };

    /// The key that the call would use; asked before the token's attempt is spent.
    fn key_used(
        _: &App,
        _: AccountId,
        _: &Fields,
    ) -> impl Future<Output = Result<KeyUsed, Problem>> + Send {
        async { Ok(KeyUsed::NotStored(None)) }
    }

    /// Does it. What fails here has spent its attempt.
    fn act(
        app: &App,
        by: &Admitted,
        fields: Fields,
    ) -> impl Future<Output = Result<Answer, Problem>> + Send;
}

/// The key that a call uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyUsed {
    /// A secret that is stored; `None`: the call makes it.
    Stored(Option<KeyId>),
    /// None that is stored: what the caller brings, named if it has a name.
    NotStored(Option<KeyId>),
    /// The one that it makes, or none; what it does is written down when it is done.
    Made,
}

impl KeyUsed {
    fn id(self) -> Option<KeyId> {
        match self {
            Self::Stored(id) | Self::NotStored(id) => id,
            Self::Made => None,
        }
    }

    fn written_down(self) -> WrittenDown {
        match self {
            Self::Stored(_) => WrittenDown::Always,
            Self::NotStored(_) => WrittenDown::IfAll,
            Self::Made => WrittenDown::ByEffect,
        }
    }
}

/// Whether a call has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyRule {
    Required,
    Optional,
}

/// A JSON answer. It may hold a secret, so it is wiped once it is sent.
#[derive(Debug)]
pub(crate) struct Answer(Wiped<Vec<u8>>);

impl Answer {
    /// Writes a value of the wire.
    pub(crate) fn json(value: &impl Serialize) -> Result<Self, Problem> {
        let mut json = Wiped::new(Vec::with_capacity(ANSWER_CAPACITY));
        let mut serializer = serde_json::Serializer::with_formatter(&mut *json, HexFormatter);
        value.serialize(&mut serializer).map_err(|_| Problem::Internal)?;
        Ok(Self(json))
    }

    /// Writes a text as a JSON string.
    pub(crate) fn text(text: &str) -> Result<Self, Problem> {
        // Most texts need few escapes; a buffer that has to grow leaves an unwiped one behind.
        let escapes = text.bytes().filter(|b| b.is_ascii_control() || b"\"\\".contains(b)).count();
        let mut json = Wiped::new(Vec::with_capacity(text.len() + 5 * escapes + 2));
        serde_json::to_writer(&mut *json, text).map_err(|_| Problem::Internal)?;
        Ok(Self(json))
    }

    /// Writes bytes in hex as a JSON string.
    pub(crate) fn hex(bytes: &[u8]) -> Result<Self, Problem> {
        let mut json = Wiped::new(vec![b'"'; bytes.len() * 2 + 2]);
        let end = json.len() - 1;
        let digits = json.get_mut(1..end).ok_or(Problem::Internal)?;
        faster_hex::hex_encode(bytes, digits).map_err(|_| Problem::Internal)?;
        Ok(Self(json))
    }

    /// One that was written before.
    fn kept(answer: &SecretVec) -> Self {
        Self(Wiped::new(answer.expose_bytes().to_vec()))
    }

    pub(crate) fn into_response(self, room: Room) -> Response {
        let length = self.0.len();
        let mut response = Response::new(Body::from(room.keep(self.0)));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Leads `path` to the operation.
pub(crate) fn route<O: Operation>(routes: Routes, path: &'static str) -> Routes {
    routes.route(
        path,
        any(|State(app): State<Arc<App>>, request: Request| async move {
            if let Some(answer) = other_method(request.method(), O::ALLOW) {
                return without_body(request, answer).await;
            }
            let mut known = Known::default();
            let response = run::<O>(&app, request, &mut known).await;
            known.tell(response)
        }),
    )
}

/// What a call came to know, for the log and the headers of its answer; and its place.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) account: Option<AccountId>,
    pub(crate) standing: Option<Standing>,
    /// Its place, while it has one.
    at_work: Option<AtWork>,
}

impl Known {
    /// Takes a place.
    pub(crate) fn begin_work(&mut self, app: &App) -> Result<(), Problem> {
        self.at_work = Some(app.calls.begin()?);
        Ok(())
    }

    /// Gives its place up: who sends slowly holds up nobody.
    pub(crate) fn leave_work(&mut self) {
        self.at_work = None;
    }

    /// Tells it with the answer.
    pub(crate) fn tell(self, mut response: Response) -> Response {
        if let Some(account) = self.account {
            response.extensions_mut().insert::<AccountId>(account);
        }
        if let Some(standing) = self.standing {
            standing.write(response.headers_mut());
        }
        response
    }
}

/// Steps 2 to 7 of the contract.
async fn run<O: Operation>(app: &App, request: Request, known: &mut Known) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let mut room = app.bodies.room();
    let admitted = match admit::<O>(app, &mut parts, &mut body, &mut room, known).await {
        Ok(Step::Act(ready)) => ready,
        Ok(Step::Answer(answer)) => return idempotency::again(answer.into_response(room)),
        Ok(Step::Refuse(response)) => {
            known.leave_work();
            return without_body(Request::from_parts(parts, body), idempotency::again(response))
                .await;
        }
        Err(refused) => {
            known.leave_work();
            let request = Request::from_parts(parts, body);
            return without_body(request, refused.into_response()).await;
        }
    };
    let Ready { by, fields, counted } = *admitted;
    let done = match fields.refuse_secrets_in_query() {
        Ok(()) => O::act(app, &by, fields).instrument(step("act")).await,
        Err(refused) => Err(refused),
    };
    let refused = match done {
        Ok(answer) => return answer.into_response(room),
        Err(Problem::Unavailable { reason, .. }) if counted => {
            Problem::Unavailable { reason, attempt: Attempt::Spent }
        }
        Err(refused) => refused,
    };
    let kept = if O::REPEATABLE { idempotency::refusal(&refused, &parts) } else { None };
    note_failure(app, &by, &refused, kept.as_deref()).await;
    refused.into_response()
}

/// Has it known that what was admitted was refused; `kept` are the words for who repeats it.
pub(crate) async fn note_failure(app: &App, by: &Admitted, refused: &Problem, kept: Option<&[u8]>) {
    let outcome = format!("failed, {}", refused.status().as_u16());
    app.service.note_failure(by, outcome, kept).await;
}

/// What a call that was not refused comes to.
enum Step {
    /// Its operation.
    Act(Box<Ready>),
    /// The answer that it had before.
    Answer(Answer),
    /// The refusal that it had before.
    Refuse(Response),
}

struct Ready {
    by: Admitted,
    fields: Fields,
    counted: bool,
}

/// Steps 2 to 6: what is refused here has spent nothing.
async fn admit<O: Operation>(
    app: &App,
    parts: &mut Parts,
    body: &mut Body,
    room: &mut Room,
    known: &mut Known,
) -> Result<Step, Problem> {
    let key = if O::REPEATABLE { idempotency::key(&parts.headers) } else { Ok(None) };
    let (comer, replay) = match &key {
        Ok(Some(key)) => {
            let (comer, replay) = authenticate_again(app, parts, known, key).await?;
            (comer, Some(replay))
        }
        // What is wrong with a key is for who has a token to know.
        _ => (Comer::Living(authenticate(app, parts, known).await?), None),
    };
    let token = comer.token_id();
    let holder = comer.authorize(O::DEMAND).map_err(|e| out_of_scope(app, e))?;
    known.standing = app.rates.call_by(token)?;
    key?;
    let (fields, digest) = receive::<O>(app, parts, body, room, known, replay.is_some()).await?;
    let used = key_used::<O>(app, &holder, &fields).await?;
    let counted = !holder.is_root();
    let usage = Use {
        operation: O::ACT,
        key: used.id(),
        written_down: used.written_down(),
        request_id: parts.extensions.get().and_then(RequestId::text),
    };
    let call = replay.zip(digest).map(|(replay, digest)| {
        let request = replay.request(&digest);
        Repeatable { replay, request }
    });
    let by = match (call, holder) {
        (Some(call), holder) => {
            match claim(app, holder, call, usage).instrument(step("spend")).await? {
                Admission::First(by) => *by,
                Admission::Again(answer) => return Ok(Step::Answer(Answer::kept(&answer))),
                Admission::RefusedAgain(refusal) => {
                    let response = idempotency::refused_again(refusal.expose_bytes());
                    return response.map(Step::Refuse).ok_or(Problem::Internal);
                }
            }
        }
        (None, Holder::Living(authorized)) => {
            spend(app, authorized, usage).instrument(step("spend")).await?
        }
        // Who returns was found by the key.
        (None, Holder::Returning(_)) => return Err(Problem::Internal),
    };
    Ok(Step::Act(Box::new(Ready { by, fields, counted })))
}

/// Step 6 of a call that can be repeated: spends an attempt, or finds the answer.
async fn claim(
    app: &App,
    holder: Holder,
    call: Repeatable,
    usage: Use,
) -> Result<Admission, Problem> {
    let is_root = holder.is_root();
    let admission = app.service.claim(holder, call, usage).await.map_err(from_service)?;
    match &admission {
        Admission::First(by) if by.is_taken_over() => {}
        Admission::First(_) => app.metrics.token_was_used(is_root),
        Admission::Again(_) | Admission::RefusedAgain(_) => app.metrics.was_answered_again(),
    }
    Ok(admission)
}

/// Step 6, for whoever has to take it: spends an attempt, if they are counted.
pub(crate) async fn spend(
    app: &App,
    authorized: Authorized,
    usage: Use,
) -> Result<Admitted, Problem> {
    let is_root = authorized.is_root();
    let by = app.service.spend(authorized, usage).await.map_err(from_service)?;
    app.metrics.token_was_used(is_root);
    Ok(by)
}

/// A token narrowed to a key uses that key and no other. A call whose fields are wrong is left to
/// its own checks: it will use no key at all.
async fn key_used<O: Operation>(
    app: &App,
    holder: &Holder,
    fields: &Fields,
) -> Result<KeyUsed, Problem> {
    match O::key_used(app, holder.account_id(), fields).await {
        Ok(used) => {
            if let Holder::Living(authorized) = holder
                && authorized.scope().key_id.is_some()
            {
                authorized.authorize_key(used.id()).map_err(|e| out_of_scope(app, e))?;
            }
            Ok(used)
        }
        Err(Problem::Invalid(_)) => Ok(KeyUsed::NotStored(None)),
        Err(other) => Err(other),
    }
}

/// A call that its token does not allow, which is counted for the audit log.
pub(crate) fn out_of_scope(app: &App, error: pqc_service::Error) -> Problem {
    app.service.refused_out_of_scope();
    from_service(error)
}

/// The service's errors that need no field to be told of.
pub(crate) fn from_service(error: pqc_service::Error) -> Problem {
    use pqc_service::Error;
    match error {
        Error::Unauthorized(refusal) => {
            tracing::debug!(%refusal, "refused");
            Problem::Unauthorized(Some(refusal))
        }
        Error::OutOfScope => Problem::Forbidden(Forbidden::OutOfScope),
        Error::CustodyForbids => Problem::Forbidden(Forbidden::Custody),
        Error::QuotaFull { what, .. } => Problem::Forbidden(Forbidden::QuotaFull { what }),
        Error::UnknownKey => Problem::UnknownKey,
        Error::InFlight => Problem::InFlight,
        Error::OtherRequest => idempotency::reused().into(),
        Error::Busy => Problem::Unavailable { reason: Unavailable::Calls, attempt: Attempt::Kept },
        Error::Unavailable(reason) => {
            tracing::warn!(reason, "the store is not available");
            Problem::Unavailable { reason: Unavailable::Store, attempt: Attempt::Kept }
        }
        error @ Error::RetiredMasterKey { .. } => {
            tracing::error!(%error, "the store cannot be read");
            Problem::Unavailable { reason: Unavailable::Store, attempt: Attempt::Kept }
        }
        Error::OutcomeUnknown(reason) => {
            tracing::error!(reason, "the store did not confirm a change");
            Problem::Unavailable { reason: Unavailable::Store, attempt: Attempt::Unknown }
        }
        error => {
            tracing::error!(%error, "internal error");
            Problem::Internal
        }
    }
}

const BODY_LIMIT: usize = 1024 * 1024;
/// Room for the longest answer of the two families with keys, in hex.
const ANSWER_CAPACITY: usize = 24 * 1024;
