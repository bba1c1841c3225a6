//! ML-KEM with stored keys.

use pqc_core::token::{Demand, Operation as Scoped};
use pqc_core::{
    AccountId, Attestation, Ciphertext, DecapsulationKey, KemAlgorithm, SignatureAlgorithm,
    UnverifiedKey, VerifyingKey,
};
use pqc_service::keyring::{AttestedKey, NewKeyPair};
use pqc_service::{Admitted, Custody};
use serde::Serialize;

use super::{name_of, verifying_key};
use crate::api::wire::Hex;
use crate::api::{
    decapsulation_key_lengths, kem_algorithm, lengths, optional_account, refused, same_algorithm,
    written,
};
use crate::app::App;
use crate::fields::{All, Fields};
use crate::metrics::Work;
use crate::operation::{Answer, BodyRule, KeyUsed, Operation};
use crate::problem::{FieldError, Problem};

/// A KEM key pair, attested by the issuer.
pub(super) struct GenerateKeys;

impl Operation for GenerateKeys {
    const ALLOW: &'static str = "GET, POST";
    const DEMAND: Demand = Demand::Operation(Scoped::KemGenerate);
    const BODY: BodyRule = BodyRule::Optional;
    const REPEATABLE: bool = true;

    async fn key_used(_: &App, _: AccountId, _: &Fields) -> Result<KeyUsed, Problem> {
        Ok(KeyUsed::Made)
    }

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        let (algorithm, custody) = (kem_algorithm(&fields), optional_custody(&fields)).all()?;
        let algorithm = algorithm.unwrap_or(KemAlgorithm::MlKem768);
        let made = app
            .service
            .generate_key_pair(by, algorithm, custody, written(generate_keys_answer))
            .await;
        let (_, answer) = made.map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Generate, algorithm.name());
        Ok(answer)
    }
}

fn generate_keys_answer(made: &NewKeyPair) -> Result<Answer, Problem> {
    let attestation = made.attestation.to_bytes();
    let seed = made.client_held.as_ref().and_then(DecapsulationKey::expose_seed);
    Answer::json(&GenerateKeysAnswer {
        pk: Hex(made.encapsulation_key.as_bytes()),
        verification_key: Hex(made.issuer.as_bytes()),
        verification_signature: Hex(&attestation),
        signature: Hex(&attestation),
        algorithm: made.encapsulation_key.algorithm().name(),
        key_id: made.encapsulation_key.key_id().to_string(),
        account: made.account.to_string(),
        sk: seed.map(|seed| Hex(seed.expose_bytes())),
    })
}

#[derive(Serialize)]
struct GenerateKeysAnswer<'a> {
    pk: Hex<'a>,
    verification_key: Hex<'a>,
    verification_signature: Hex<'a>,
    signature: Hex<'a>,
    algorithm: &'static str,
    key_id: String,
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sk: Option<Hex<'a>>,
}

/// Encapsulation, once the issuer's signature over the key is verified.
pub(super) struct EncapsulateKey;

impl Operation for EncapsulateKey {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = Demand::Operation(Scoped::KemEncapsulate);

    async fn key_used(_: &App, _: AccountId, fields: &Fields) -> Result<KeyUsed, Problem> {
        Ok(KeyUsed::NotStored(Some(public_key(fields)?.key_id())))
    }

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        let (given, key, attestation, issuer, expected_account) = (
            kem_algorithm(&fields),
            public_key(&fields),
            attestation(&fields),
            issuer(&fields),
            optional_account(&fields),
        )
            .all()?;
        same_algorithm(&fields, "pk", given, key.algorithm())?;
        same_algorithm(&fields, "signature", Some(issuer.algorithm()), attestation.algorithm())?;
        let to = AttestedKey { key, attestation, issuer, expected_account };
        let (ciphertext, secret, account) =
            app.service.encapsulate(by, &to).await.map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Encapsulate, to.key.algorithm().name());
        Answer::json(&EncapsulateKeyAnswer {
            cipher: Hex(ciphertext.as_bytes()),
            shared_key: Hex(secret.expose_bytes()),
            account: account.to_string(),
        })
    }
}

#[derive(Serialize)]
struct EncapsulateKeyAnswer<'a> {
    cipher: Hex<'a>,
    shared_key: Hex<'a>,
    account: String,
}

/// Decapsulation by a stored key, or by one that the client brings.
pub(super) struct DecapsulateKey;

impl Operation for DecapsulateKey {
    const ALLOW: &'static str = "GET, POST";
    const DEMAND: Demand = Demand::Operation(Scoped::KemDecapsulate);
    const BODY: BodyRule = BodyRule::Optional;

    async fn key_used(_: &App, _: AccountId, fields: &Fields) -> Result<KeyUsed, Problem> {
        if fields.optional_text("sk")?.is_some() {
            return Ok(KeyUsed::NotStored(None));
        }
        Ok(KeyUsed::Stored(Some(public_key(fields)?.key_id())))
    }

    async fn act(app: &App, by: &Admitted, fields: Fields) -> Result<Answer, Problem> {
        let (algorithm, secret) = if fields.optional_text("sk")?.is_some() {
            let (ciphertext, given, sk) = (
                ciphertext(&fields),
                kem_algorithm(&fields),
                fields.secret_bytes("sk", &decapsulation_key_lengths()),
            )
                .all()?;
            same_algorithm(&fields, "cipher", given, ciphertext.algorithm())?;
            let key = DecapsulationKey::from_seed_or_expanded(ciphertext.algorithm(), &sk)
                .map_err(|e| fields.refused("sk", &e))?;
            (key.algorithm(), app.service.decapsulate_with(by, &key, &ciphertext))
        } else {
            let (ciphertext, given, key) =
                (ciphertext(&fields), kem_algorithm(&fields), public_key(&fields)).all()?;
            same_algorithm(&fields, "pk", given, key.algorithm())?;
            same_algorithm(&fields, "cipher", Some(key.algorithm()), ciphertext.algorithm())?;
            (key.algorithm(), app.service.decapsulate(by, &key, &ciphertext).await)
        };
        let secret = secret.map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Decapsulate, algorithm.name());
        Answer::json(&DecapsulateKeyAnswer { shared_key: Hex(secret.expose_bytes()) })
    }
}

#[derive(Serialize)]
struct DecapsulateKeyAnswer<'a> {
    shared_key: Hex<'a>,
}

fn public_key(fields: &Fields) -> Result<UnverifiedKey, FieldError> {
    let lengths = lengths(KemAlgorithm::ALL, KemAlgorithm::encapsulation_key_bytes);
    let bytes = fields.bytes("pk", &lengths)?;
    UnverifiedKey::try_from(bytes).map_err(|e| fields.refused("pk", &e))
}

fn ciphertext(fields: &Fields) -> Result<Ciphertext, FieldError> {
    let lengths = lengths(KemAlgorithm::ALL, KemAlgorithm::ciphertext_bytes);
    let bytes = fields.bytes("cipher", &lengths)?;
    Ciphertext::try_from(bytes).map_err(|e| fields.refused("cipher", &e))
}

fn attestation(fields: &Fields) -> Result<Attestation, FieldError> {
    // The answer's name for the same value is taken too.
    let name = fields.name_used(&["signature", "verification_signature"]);
    let bytes = fields.bytes(name, &lengths(SignatureAlgorithm::ALL, Attestation::bytes))?;
    Attestation::from_bytes(&bytes).map_err(|e| fields.refused(name, &e))
}

fn issuer(fields: &Fields) -> Result<VerifyingKey, FieldError> {
    verifying_key(fields, fields.name_used(&["verif_key", "verification_key"]))
}

fn optional_custody(fields: &Fields) -> Result<Option<Custody>, FieldError> {
    match fields.optional_text("custody")? {
        None => Ok(None),
        Some("server") => Ok(Some(Custody::Server)),
        Some("client") => Ok(Some(Custody::Client)),
        Some(_) => Err(fields.error("custody", "must be server or client", "value_error")),
    }
}
