//! ML-DSA with the account's own keys.

use pqc_core::token::{Demand, Operation as Scoped};
use pqc_core::{AccountId, Signature, SignatureAlgorithm};
use pqc_service::Admitted;
use pqc_service::keyring::SigningKeyChoice;
use serde::Serialize;

use super::{name_of, verifying_key};
use crate::api::wire::Hex;
use crate::api::{lengths, optional_key_id, refused, same_algorithm, signature_algorithm};
use crate::app::App;
use crate::fields::{All, Fields};
use crate::metrics::Work;
use crate::operation::{Answer, KeyUsed, Operation, from_service};
use crate::problem::{FieldError, Problem};

/// A signature by the account's own key.
pub(super) struct Sign;

impl Operation for Sign {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = Demand::Operation(Scoped::Sign);

    async fn key_used(app: &App, account: AccountId, fields: &Fields) -> Result<KeyUsed, Problem> {
        let choice = signing_key_choice(fields)?;
        let key = app.service.signing_key_id(account, choice).await;
        key.map(KeyUsed::Stored).map_err(from_service)
    }

    async fn act(app: &App, by: &Admitted, mut fields: Fields) -> Result<Answer, Problem> {
        let choice = signing_key_choice(&fields)?;
        let context = fields.context();
        let (data, context) = (fields.take_message("data"), context).all()?;
        let (signature, public) = app
            .service
            .sign(by, choice, data, context)
            .await
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Sign, public.algorithm().name());
        Answer::json(&SignAnswer {
            signature: Hex(signature.as_bytes()),
            pk: Hex(public.as_bytes()),
            algorithm: public.algorithm().name(),
            key_id: public.key_id().to_string(),
        })
    }
}

#[derive(Serialize)]
struct SignAnswer<'a> {
    signature: Hex<'a>,
    pk: Hex<'a>,
    algorithm: &'static str,
    key_id: String,
}

/// Whether a signature is right.
pub(super) struct Verify;

impl Operation for Verify {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = Demand::Operation(Scoped::Verify);

    async fn key_used(_: &App, _: AccountId, fields: &Fields) -> Result<KeyUsed, Problem> {
        Ok(KeyUsed::NotStored(Some(verifying_key(fields, "pk")?.key_id())))
    }

    async fn act(app: &App, by: &Admitted, mut fields: Fields) -> Result<Answer, Problem> {
        let (given, public, signature, context) = (
            signature_algorithm(&fields),
            verifying_key(&fields, "pk"),
            signature(&fields),
            fields.context(),
        )
            .all()?;
        same_algorithm(&fields, "pk", given, public.algorithm())?;
        same_algorithm(&fields, "signature", Some(public.algorithm()), signature.algorithm())?;
        let data = fields.take_message("data")?;
        let algorithm = public.algorithm();
        let verified = app
            .service
            .verify(by, public, data, context, signature)
            .await
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Verify, algorithm.name());
        Answer::json(&VerifyAnswer { verified })
    }
}

#[derive(Serialize)]
struct VerifyAnswer {
    verified: bool,
}

fn signature(fields: &Fields) -> Result<Signature, FieldError> {
    let lengths = lengths(SignatureAlgorithm::ALL, SignatureAlgorithm::signature_bytes);
    let bytes = fields.bytes("signature", &lengths)?;
    Signature::try_from(bytes).map_err(|e| fields.refused("signature", &e))
}

fn signing_key_choice(fields: &Fields) -> Result<SigningKeyChoice, Problem> {
    let (key_id, algorithm) = (optional_key_id(fields), signature_algorithm(fields)).all()?;
    Ok(SigningKeyChoice { key_id, algorithm })
}
