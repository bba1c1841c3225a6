//! Family C: what runs the service.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use pqc_core::token::{Demand, TokenKind};
use pqc_service::TokenRecord;
use serde::Serialize;

use crate::app::App;
use crate::around::answer_bodiless;
use crate::auth::authenticate;
use crate::operation::{Answer, Known, from_service};
use crate::problem::Problem;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    Routes::default().route("/api/v1/token/self", any(token_self))
}

/// What the token is, and what is left of it; spends nothing.
async fn token_self(State(app): State<Arc<App>>, request: Request) -> Response {
    let mut known = Known::default();
    let answer = answer_bodiless(request, "GET, HEAD", async |parts| {
        let answer = async {
            let caller = authenticate(&app, parts, &mut known).await?;
            known.standing = app.rates.call_by(caller.token_id())?;
            let authorized = caller.authorize(Demand::Itself).map_err(from_service)?;
            Answer::json(&TokenSelf::from(authorized.token()))
        };
        let answer = answer.await;
        known.leave_work();
        match answer {
            Ok(answer) => answer.into_response(app.bodies.room()),
            Err(problem) => Problem::into_response(problem),
        }
    })
    .await;
    known.tell(answer)
}

#[derive(Serialize)]
struct TokenSelf<'a> {
    id: String,
    kind: &'static str,
    account: String,
    label: Option<&'a str>,
    operations: Option<Vec<&'static str>>,
    key_id: Option<String>,
    created_at: u64,
    expires_at: Option<u64>,
    attempts: Option<u32>,
    attempts_left: Option<u32>,
}

impl<'a> From<&'a TokenRecord> for TokenSelf<'a> {
    fn from(token: &'a TokenRecord) -> Self {
        Self {
            id: token.id.to_string(),
            kind: match token.state.kind {
                TokenKind::Root => "root",
                TokenKind::Temporary => "temporary",
            },
            account: token.account.to_string(),
            label: token.label.as_deref(),
            operations: token.state.scope.operations.names(),
            key_id: token.state.scope.key_id.map(|id| id.to_string()),
            created_at: token.created_at.seconds(),
            expires_at: token.state.expires_at.map(pqc_core::Timestamp::seconds),
            attempts: token.attempts,
            attempts_left: token.state.attempts_left,
        }
    }
}
