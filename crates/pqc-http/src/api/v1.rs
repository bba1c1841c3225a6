//! Family B: the same algorithms with keys that the client holds. One type a row.

use pqc_core::token::{Demand, Operation as Scoped};
use pqc_core::{
    Ciphertext, DecapsulationKey, EncapsulationKey, Field, KemAlgorithm, Signature,
    SignatureAlgorithm, SigningKey, VerifyingKey,
};
use pqc_service::Admitted;
use serde::Serialize;

use super::wire::Hex;
use super::{
    decapsulation_key_lengths, kem_algorithm, lengths, refused, same_algorithm,
    signature_algorithm, subject, written,
};
use crate::app::App;
use crate::fields::{All, Fields};
use crate::metrics::Work;
use crate::operation::{Answer, BodyRule, Operation, route};
use crate::problem::Problem;
use crate::routes::Routes;

pub(crate) fn routes() -> Routes {
    let routes = Routes::default();
    let routes = route::<GenerateKemKeys>(routes, "/api/v1/pqc/kem/generate-keys");
    let routes = route::<Encapsulate>(routes, "/api/v1/pqc/kem/encapsulate");
    let routes = route::<Decapsulate>(routes, "/api/v1/pqc/kem/decapsulate");
    let routes = route::<GenerateSigningKeys>(routes, "/api/v1/pqc/sign/generate-keys");
    let routes = route::<Sign>(routes, "/api/v1/pqc/sign/sign");
    route::<Verify>(routes, "/api/v1/pqc/sign/verify")
}

const DEMAND: Demand = Demand::Operation(Scoped::V1);

/// A KEM key pair.
struct GenerateKemKeys;

impl Operation for GenerateKemKeys {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = DEMAND;
    const ACT: &'static str = "v1.kem.generate";
    const BODY: BodyRule = BodyRule::Optional;
    const REPEATABLE: bool = true;

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        let algorithm = kem_algorithm(&fields)?.unwrap_or(KemAlgorithm::MlKem768);
        let made = app.service.kem_key_pair(by, algorithm, written(kem_keys_answer)).await;
        let answer = made.map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Generate, algorithm.name());
        Ok(answer)
    }
}

fn kem_keys_answer(key: &DecapsulationKey) -> Result<Answer, Problem> {
    let seed = key.expose_seed().ok_or(Problem::Internal)?;
    Answer::json(&KemKeysAnswer {
        algorithm: key.algorithm().name(),
        encapsulation_key: Hex(key.encapsulation_key().as_bytes()),
        decapsulation_key: Hex(seed.expose_bytes()),
    })
}

#[derive(Serialize)]
struct KemKeysAnswer<'a> {
    algorithm: &'static str,
    encapsulation_key: Hex<'a>,
    decapsulation_key: Hex<'a>,
}

/// Encapsulation to a key for which the client answers.
struct Encapsulate;

impl Operation for Encapsulate {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = DEMAND;
    const ACT: &'static str = "v1.kem.encapsulate";

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        const KEY: &str = "encapsulation_key";
        let lengths = lengths(KemAlgorithm::ALL, KemAlgorithm::encapsulation_key_bytes);
        let (given, bytes) = (kem_algorithm(&fields), fields.bytes(KEY, &lengths)).all()?;
        let key = EncapsulationKey::try_from(bytes).map_err(|e| fields.refused(KEY, &e))?;
        same_algorithm(&fields, KEY, given, key.algorithm())?;
        let (ciphertext, secret) = app
            .service
            .encapsulate_unattested(by, &key)
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Encapsulate, key.algorithm().name());
        Answer::json(&EncapsulateAnswer {
            ciphertext: Hex(ciphertext.as_bytes()),
            shared_secret: Hex(secret.expose_bytes()),
        })
    }
}

#[derive(Serialize)]
struct EncapsulateAnswer<'a> {
    ciphertext: Hex<'a>,
    shared_secret: Hex<'a>,
}

/// Decapsulation by the client's key.
struct Decapsulate;

impl Operation for Decapsulate {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = DEMAND;
    const ACT: &'static str = "v1.kem.decapsulate";

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        let lengths = lengths(KemAlgorithm::ALL, KemAlgorithm::ciphertext_bytes);
        let (given, ciphertext, key) = (
            kem_algorithm(&fields),
            fields.bytes("ciphertext", &lengths),
            fields.secret_bytes("decapsulation_key", &decapsulation_key_lengths()),
        )
            .all()?;
        let ciphertext =
            Ciphertext::try_from(ciphertext).map_err(|e| fields.refused("ciphertext", &e))?;
        let algorithm = ciphertext.algorithm();
        same_algorithm(&fields, "ciphertext", given, algorithm)?;
        let key = DecapsulationKey::from_seed_or_expanded(algorithm, &key)
            .map_err(|e| fields.refused("decapsulation_key", &e))?;
        let secret = app
            .service
            .decapsulate_with(by, &key, &ciphertext)
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Decapsulate, algorithm.name());
        Answer::json(&DecapsulateAnswer { shared_secret: Hex(secret.expose_bytes()) })
    }
}

#[derive(Serialize)]
struct DecapsulateAnswer<'a> {
    shared_secret: Hex<'a>,
}

/// A signing key pair.
struct GenerateSigningKeys;

impl Operation for GenerateSigningKeys {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = DEMAND;
    const ACT: &'static str = "v1.sign.generate";
    const BODY: BodyRule = BodyRule::Optional;
    const REPEATABLE: bool = true;

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        let algorithm = signature_algorithm(&fields)?.unwrap_or(SignatureAlgorithm::MlDsa65);
        let made = app.service.signing_key_pair(by, algorithm, written(signing_keys_answer)).await;
        let answer = made.map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Generate, algorithm.name());
        Ok(answer)
    }
}

fn signing_keys_answer(key: &SigningKey) -> Result<Answer, Problem> {
    let seed = key.expose_seed().ok_or(Problem::Internal)?;
    Answer::json(&SigningKeysAnswer {
        algorithm: key.algorithm().name(),
        public_key: Hex(key.verifying_key().as_bytes()),
        secret_key: Hex(seed.expose_bytes()),
    })
}

#[derive(Serialize)]
struct SigningKeysAnswer<'a> {
    algorithm: &'static str,
    public_key: Hex<'a>,
    secret_key: Hex<'a>,
}

/// A signature by the client's key.
struct Sign;

impl Operation for Sign {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = DEMAND;
    const ACT: &'static str = "v1.sign";

    async fn act(app: &App, by: &Admitted, mut fields: Fields) -> Result<Answer, Problem> {
        const KEY: &str = "secret_key";
        let (given, key, context) = (
            signature_algorithm(&fields),
            fields.secret_bytes(KEY, &[32, 2560, 4032, 4896]),
            fields.context(),
        )
            .all()?;
        let key =
            SigningKey::from_seed_or_expanded(given, &key).map_err(|e| fields.refused(KEY, &e))?;
        let public = key.verifying_key().clone();
        let message = fields.take_message("message")?;
        let signature = app
            .service
            .sign_with(by, key, message, context)
            .await
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Sign, public.algorithm().name());
        Answer::json(&SignAnswer {
            signature: Hex(signature.as_bytes()),
            algorithm: public.algorithm().name(),
            public_key: Hex(public.as_bytes()),
        })
    }
}

#[derive(Serialize)]
struct SignAnswer<'a> {
    signature: Hex<'a>,
    algorithm: &'static str,
    public_key: Hex<'a>,
}

/// Whether a signature is right.
struct Verify;

impl Operation for Verify {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = DEMAND;
    const ACT: &'static str = "v1.verify";

    async fn act(app: &App, by: &Admitted, mut fields: Fields) -> Result<Answer, Problem> {
        let sets = SignatureAlgorithm::ALL;
        let key_lengths = lengths(sets, SignatureAlgorithm::verifying_key_bytes);
        let signature_lengths = lengths(sets, SignatureAlgorithm::signature_bytes);
        let (given, key, signature, context) = (
            signature_algorithm(&fields),
            fields.bytes("public_key", &key_lengths),
            fields.bytes("signature", &signature_lengths),
            fields.context(),
        )
            .all()?;
        let key = VerifyingKey::try_from(key).map_err(|e| fields.refused("public_key", &e))?;
        let signature =
            Signature::try_from(signature).map_err(|e| fields.refused("signature", &e))?;
        same_algorithm(&fields, "public_key", given, key.algorithm())?;
        same_algorithm(&fields, "signature", Some(key.algorithm()), signature.algorithm())?;
        let message = fields.take_message("message")?;
        let algorithm = key.algorithm();
        let valid = app
            .service
            .verify(by, key, message, context, signature)
            .await
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Verify, algorithm.name());
        Answer::json(&VerifyAnswer { valid })
    }
}

#[derive(Serialize)]
struct VerifyAnswer {
    valid: bool,
}

/// The wire's names of this family.
fn name_of(error: &pqc_core::Error) -> Option<&'static str> {
    Some(match subject(error)? {
        Field::EncapsulationKey => "encapsulation_key",
        Field::DecapsulationKey => "decapsulation_key",
        Field::Ciphertext => "ciphertext",
        Field::VerifyingKey => "public_key",
        Field::SigningKey => "secret_key",
        Field::Signature => "signature",
        _ => return None,
    })
}
