//! Temporary tokens.

use pqc_core::AccountId;
use pqc_core::token::{Demand, OperationSet};
use pqc_service::Admitted;
use pqc_service::tokens::{MintRequest, Minted};
use serde::Serialize;
use zeroize::Zeroizing;

use super::name_of;
use crate::api::{optional_key_id, refused, written};
use crate::app::App;
use crate::fields::{All, Fields};
use crate::operation::{Answer, BodyRule, KeyUsed, Operation};
use crate::problem::{FieldError, Problem};

/// A temporary token from a root token.
pub(super) struct NewToken;

impl Operation for NewToken {
    const ALLOW: &'static str = "GET, POST";
    const DEMAND: Demand = Demand::Root;
    const BODY: BodyRule = BodyRule::Optional;
    const ACT: &'static str = "token.mint";
    const REPEATABLE: bool = true;

    async fn key_used(_: &App, _: AccountId, _: &Fields) -> Result<KeyUsed, Problem> {
        Ok(KeyUsed::Made)
    }

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        let (lifetime_seconds, attempts, operations, key_id, label) = (
            fields.optional_count("expiry_time"),
            fields.optional_count("expire_after_attempts"),
            optional_operations(&fields),
            optional_key_id(&fields),
            fields.optional_text("label"),
        )
            .all()?;
        let label = label.map(str::to_owned);
        let request = MintRequest { lifetime_seconds, attempts, operations, key_id, label };
        let minted = app.service.mint(by, request, written(new_token_answer)).await;
        let (_, answer) = minted.map_err(|e| refused(&fields, name_of, e))?;
        Ok(answer)
    }
}

fn new_token_answer(minted: &Minted) -> Result<Answer, Problem> {
    Answer::json(&NewTokenAnswer {
        new_token: minted.value.expose_text(),
        expires_at: minted.expires_at.seconds(),
        attempts: minted.attempts,
    })
}

#[derive(Serialize)]
struct NewTokenAnswer {
    new_token: Zeroizing<String>,
    expires_at: u64,
    attempts: u32,
}

fn optional_operations(fields: &Fields) -> Result<Option<OperationSet>, FieldError> {
    let names = fields.optional_list("operations")?;
    names
        .map(OperationSet::from_names)
        .transpose()
        .map_err(|error| fields.refused("operations", &error))
}
