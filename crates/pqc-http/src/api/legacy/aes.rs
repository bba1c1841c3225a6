//! AES-256 for texts.

use pqc_core::message::AccountKey;
use pqc_core::token::{Demand, Operation as Scoped};
use pqc_core::{AccountId, Field, KeyId, MessageBox, Secret};
use pqc_service::Admitted;

use super::name_of;
use crate::api::{refused, wire};
use crate::app::{App, Config};
use crate::body::off_the_runtime;
use crate::fields::{All, Fields};
use crate::metrics::Work;
use crate::operation::{Answer, KeyUsed, Operation, from_service};
use crate::problem::{FieldError, Problem};

/// AES-256 encryption of a text.
pub(super) struct EncryptText;

impl Operation for EncryptText {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = Demand::Operation(Scoped::AesEncrypt);

    const WORKING_COPIES: usize = TEXT_COPIES;

    fn body_limit(config: &Config) -> usize {
        config.text_body_limit()
    }

    async fn key_used(app: &App, account: AccountId, fields: &Fields) -> Result<KeyUsed, Problem> {
        if optional_key(fields)?.is_some() {
            return Ok(KeyUsed::NotStored(None));
        }
        app.service.account_key_id(account).await.map(KeyUsed::Stored).map_err(from_service)
    }

    async fn act(app: &App, by: &Admitted, mut fields: Fields) -> Result<Answer, Problem> {
        let limit = app.config.max_text_bytes;
        let (text_length, key, aad) = (
            fields.text("unencrypted").map(str::len),
            optional_key(&fields),
            fields.optional_text("aad"),
        )
            .all()?;
        if text_length > limit {
            let msg = format!("must be at most {limit} bytes of UTF-8, not {text_length}");
            return Err(fields.error("unencrypted", msg, "length").into());
        }
        let aad = aad.unwrap_or_default().as_bytes().to_vec();
        let (fields, text) = off_the_runtime(text_length, move || {
            let text = fields.take_secret_text("unencrypted")?;
            Ok((fields, text))
        })
        .await?;
        let sealed = app
            .service
            .encrypt(by, key, text, aad)
            .await
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Encrypt, AccountKey::ALGORITHM);
        off_the_runtime(sealed.as_bytes().len(), move || Answer::hex(sealed.as_bytes())).await
    }
}

/// AES-256 decryption of a text.
pub(super) struct DecryptText;

impl Operation for DecryptText {
    const ALLOW: &'static str = "POST";
    const DEMAND: Demand = Demand::Operation(Scoped::AesDecrypt);

    const WORKING_COPIES: usize = TEXT_COPIES;

    fn body_limit(config: &Config) -> usize {
        config.text_body_limit()
    }

    async fn key_used(_: &App, _: AccountId, fields: &Fields) -> Result<KeyUsed, Problem> {
        if optional_key(fields)?.is_some() {
            return Ok(KeyUsed::NotStored(None));
        }
        // The head is enough: a text of which only the head is hex begins no box in base64.
        let head = wire::decode_head(fields.text("ciphertext")?)
            .map_err(|_| fields.error("ciphertext", "is neither hex nor base64", "encoding"))?;
        let key_id = MessageBox::key_id_in_head(&head);
        let key_id = key_id.map_err(|e| fields.refused("ciphertext", &e))?;
        Ok(KeyUsed::Stored(key_id.map(KeyId::Symmetric)))
    }

    async fn act(app: &App, by: &Admitted, mut fields: Fields) -> Result<Answer, Problem> {
        let length = fields.text("ciphertext").map_or(0, str::len);
        let (fields, (sealed, key, aad)) = off_the_runtime(length, move || {
            let read = (message_box(&fields), optional_key(&fields), fields.optional_text("aad"));
            let (sealed, key, aad) = read.all()?;
            let aad = aad.unwrap_or_default().as_bytes().to_vec();
            fields.wipe_texts();
            Ok((fields, (sealed, key, aad)))
        })
        .await?;
        let text = app
            .service
            .decrypt(by, key, sealed, aad)
            .await
            .map_err(|e| refused(&fields, name_of, e))?;
        app.metrics.was_done(Work::Decrypt, AccountKey::ALGORITHM);
        // What was sealed through this interface is UTF-8; who has the key can seal anything.
        let no_text = fields.error("ciphertext", "holds bytes that are no text", "value_error");
        off_the_runtime(text.len(), move || {
            let text = std::str::from_utf8(text.expose_bytes());
            Answer::text(text.map_err(|_| no_text)?)
        })
        .await
    }
}

fn message_box(fields: &Fields) -> Result<MessageBox, FieldError> {
    let bytes = fields.any_bytes("ciphertext")?;
    MessageBox::from_bytes(bytes).map_err(|e| fields.refused("ciphertext", &e))
}

fn optional_key(fields: &Fields) -> Result<Option<Secret<32>>, FieldError> {
    let Some(bytes) = fields.optional_bytes("key", &[32])? else { return Ok(None) };
    let key = Secret::from_slice(Field::BoxKey, &bytes).map_err(|e| fields.refused("key", &e))?;
    Ok(Some(key))
}

/// Beside the body or its text: the sealed bytes, and the answer.
const TEXT_COPIES: usize = 2;
