//! Calls of root tokens without a body: their steps, once.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use pqc_core::token::Demand;
use pqc_service::Admitted;
use pqc_service::audit::{Use, WrittenDown};

use crate::app::App;
use crate::around::{RequestId, answer_bodiless};
use crate::auth::authenticate;
use crate::fields::Fields;
use crate::operation::{Answer, Known, note_failure, out_of_scope, spend};
use crate::problem::{FieldError, Problem};

/// A call that came to its last step.
pub(super) struct Call<'a> {
    pub(super) parts: &'a Parts,
    pub(super) fields: Fields,
    pub(super) by: Admitted,
}

/// Takes a call through steps 1 to 6 of the contract to `act`. `called` has its name in the audit
/// log, and whether it is written down there.
pub(super) async fn answer(
    app: &App,
    request: Request,
    allow: &'static str,
    called: impl Fn(&Parts) -> (&'static str, WrittenDown),
    act: impl AsyncFnOnce(&Call<'_>) -> Result<Answer, Problem>,
) -> Response {
    let mut known = Known::default();
    let answer = answer_bodiless(request, allow, async |parts| {
        let answer = async {
            let (fields, by) = admit(app, parts, called(parts), &mut known).await?;
            let call = Call { parts, fields, by };
            let done = match call.fields.refuse_secrets_in_query() {
                Ok(()) => act(&call).await,
                Err(refused) => Err(refused),
            };
            if let Err(refused) = &done {
                note_failure(app, &call.by, refused, None).await;
            }
            done
        };
        let answer = answer.await;
        known.leave_work();
        match answer {
            Ok(answer) => answer.into_response(app.bodies.room()),
            Err(problem) => problem.into_response(),
        }
    })
    .await;
    known.tell(answer)
}

async fn admit(
    app: &App,
    parts: &Parts,
    (operation, written_down): (&'static str, WrittenDown),
    known: &mut Known,
) -> Result<(Fields, Admitted), Problem> {
    let caller = authenticate(app, parts, known).await?;
    let token = caller.token_id();
    let authorized = caller.authorize(Demand::Root).map_err(|e| out_of_scope(app, e))?;
    known.standing = app.rates.call_by(token)?;
    let fields = Fields::from_query(parts.uri.query())?;
    let request_id = parts.extensions.get().and_then(RequestId::text);
    let usage = Use { operation, key: None, written_down, request_id };
    let admitted = spend(app, authorized, usage).await?;
    Ok((fields, admitted))
}

/// How many a page has.
pub(super) fn limit(fields: &Fields) -> Result<u32, FieldError> {
    let limit = fields.optional_count("limit")?.unwrap_or(DEFAULT_LIMIT);
    let in_range = u32::try_from(limit).ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    let msg = || format!("must be from 1 to {MAX_LIMIT}");
    in_range.ok_or_else(|| fields.error("limit", msg(), "range"))
}

/// What a page shows of `found`, of which one more was asked for than it has, and the last of them
/// if there is a next page.
pub(crate) fn page<T>(found: &[T], limit: u32) -> (&[T], Option<&T>) {
    let shown = found.get(..found.len().min(limit as usize)).unwrap_or(found);
    (shown, shown.last().filter(|_| shown.len() < found.len()))
}

/// A cursor that no page ended with.
pub(super) fn no_cursor(fields: &Fields) -> FieldError {
    fields.error("cursor", "is no next_cursor of an earlier page", "value_error")
}

const DEFAULT_LIMIT: u64 = 100;
const MAX_LIMIT: u32 = 1000;
