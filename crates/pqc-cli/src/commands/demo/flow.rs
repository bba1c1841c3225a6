//! What the parties do: the whole of family A, in the order in which two people would do it.

use pqc_core::VerifyingKey;
use pqc_core::keyfile::Jwk;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::client::Party;
use super::{Stage, check};
use crate::exit::Refused;

/// Plays it. Shows each step; no secret among them.
///
/// # Errors
/// A step did not go as it should.
pub(super) async fn play(server: &str, root_token: &str, stage: &mut Stage) -> anyhow::Result<()> {
    let owner = Party::new(server, root_token)?;

    let operations = ["kem.generate", "kem.decapsulate", "aes.decrypt", "sign"];
    let mint = json!({ "expire_after_attempts": 4, "expiry_time": 300, "operations": operations });
    let (minted, took) = owner.post::<Minted>("/api/token/new", &mint).await?;
    let receiver = owner.with_token(&minted.new_token);
    stage.show(
        "owner",
        "mints a token for the receiver",
        "4 calls, 5 minutes, 4 operations",
        took,
    )?;

    let operations = ["kem.encapsulate", "aes.encrypt", "verify"];
    let mint = json!({ "expire_after_attempts": 5, "expiry_time": 300, "operations": operations });
    let (minted, took) = owner.post::<Minted>("/api/token/new", &mint).await?;
    let sender = owner.with_token(&minted.new_token);
    stage.show(
        "owner",
        "mints a token for the sender",
        "5 calls, 5 minutes, 3 operations",
        took,
    )?;

    let key = establish_key(&receiver, &sender, stage).await?;
    exchange_text(&receiver, &sender, &key, stage).await?;
    sign_receipt(&receiver, &sender, stage).await?;

    let (status, took) = receiver.refused("/api/kem/generate_keys", &json!({})).await?;
    check(status == StatusCode::UNAUTHORIZED, "a spent token was not refused")?;
    stage.show("receiver", "tries a fifth call with a spent token", "refused: 401", took)
}

/// What both parties have after the key exchange.
struct Established {
    /// The shared key as the sender got it.
    sent: String,
    /// The shared key as the receiver got it.
    received: String,
}

async fn establish_key(
    receiver: &Party,
    sender: &Party,
    stage: &mut Stage,
) -> anyhow::Result<Established> {
    let (pair, took) = receiver.post::<KeyPair>("/api/kem/generate_keys", &json!({})).await?;
    let (pk, attestation) = (bytes(&pair.pk)?, bytes(&pair.verification_signature)?);
    let result = format!("public key {pk} B, attestation {attestation} B");
    stage.show("receiver", "makes an ML-KEM-768 key pair", result, took)?;

    // A key that travels with the key it vouches for proves nothing: the sender compares the
    // issuer key with the published one.
    let (published, took) = sender.get::<KeySet>("/.well-known/jwks.json").await?;
    let known = published.holds(&pair.verification_key)?;
    check(known, "the issuer key is not the published one")?;
    let result = format!("the published one, {} B", bytes(&pair.verification_key)?);
    stage.show("sender", "checks the issuer key against the JWKS", result, took)?;

    let forged = pair.to_encapsulate(&flip_last_bit(&pair.verification_signature)?);
    let (status, took) = sender.refused("/api/kem/encapsulate_key", &forged).await?;
    check(status == StatusCode::UNPROCESSABLE_ENTITY, "a forged attestation was not refused")?;
    stage.show("sender", "tries a key with a forged attestation", "refused: 422", took)?;

    let genuine = pair.to_encapsulate(&pair.verification_signature);
    let (sent, took) = sender.post::<Encapsulated>("/api/kem/encapsulate_key", &genuine).await?;
    let (cipher, shared) = (bytes(&sent.cipher)?, bytes(&sent.shared_key)?);
    let result = format!("ciphertext {cipher} B, shared key {shared} B");
    stage.show("sender", "encapsulates to the attested key", result, took)?;

    let body = json!({ "cipher": sent.cipher, "pk": pair.pk });
    let (opened, took) = receiver.post::<Shared>("/api/kem/decapsulate_key", &body).await?;
    check(opened.shared_key == sent.shared_key, "the shared keys differ")?;
    stage.show("receiver", "decapsulates", format!("the same shared key, {shared} B"), took)?;
    Ok(Established { sent: sent.shared_key, received: opened.shared_key })
}

async fn exchange_text(
    receiver: &Party,
    sender: &Party,
    key: &Established,
    stage: &mut Stage,
) -> anyhow::Result<()> {
    let body = json!({ "unencrypted": TEXT, "key": key.sent });
    let (encrypted, took) = sender.post::<String>("/api/aes/encrypt_text", &body).await?;
    let result = format!("{} B of text to {} B", TEXT.len(), bytes(&encrypted)?);
    stage.show("sender", "encrypts a text with AES-256", result, took)?;

    let body = json!({ "ciphertext": encrypted, "key": key.received });
    let (text, took) = receiver.post::<String>("/api/aes/decrypt_text", &body).await?;
    check(text == TEXT, "the texts differ")?;
    stage.show("receiver", "decrypts it", format!("the same text, {} B", text.len()), took)
}

async fn sign_receipt(receiver: &Party, sender: &Party, stage: &mut Stage) -> anyhow::Result<()> {
    let body = json!({ "data": RECEIPT });
    let (signed, took) = receiver.post::<Signed>("/api/signature/sign", &body).await?;
    let (signature, pk) = (bytes(&signed.signature)?, bytes(&signed.pk)?);
    let result = format!("signature {signature} B, public key {pk} B");
    stage.show("receiver", "signs a receipt with ML-DSA-65", result, took)?;

    let claim =
        |data: &str| json!({ "data": data, "pk": signed.pk, "signature": signed.signature });
    let verify = "/api/signature/verify";
    let (answer, took) = sender.post::<Verified>(verify, &claim(RECEIPT)).await?;
    check(answer.verified, "a genuine signature was not verified")?;
    stage.show("sender", "verifies it", "genuine", took)?;

    let (answer, took) = sender.post::<Verified>(verify, &claim("refused")).await?;
    check(!answer.verified, "a signature was verified over other data")?;
    stage.show("sender", "verifies it over other data", "not genuine", took)
}

#[derive(Deserialize)]
struct Minted {
    new_token: String,
}

#[derive(Deserialize)]
struct KeyPair {
    pk: String,
    verification_key: String,
    verification_signature: String,
    account: String,
}

impl KeyPair {
    fn to_encapsulate(&self, signature: &str) -> serde_json::Value {
        let Self { pk, verification_key, account, .. } = self;
        json!({ "pk": pk, "signature": signature, "verif_key": verification_key, "account": account })
    }
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

impl KeySet {
    /// Whether the key in hex is among them.
    fn holds(&self, key: &str) -> anyhow::Result<bool> {
        let wanted = VerifyingKey::from_bytes(&unhex(key)?)?;
        let mut keys = self.keys.iter().map(VerifyingKey::try_from);
        Ok(keys.any(|key| key.is_ok_and(|key| key == wanted)))
    }
}

#[derive(Deserialize)]
struct Encapsulated {
    cipher: String,
    shared_key: String,
}

#[derive(Deserialize)]
struct Shared {
    shared_key: String,
}

#[derive(Deserialize)]
struct Signed {
    signature: String,
    pk: String,
}

#[derive(Deserialize)]
struct Verified {
    verified: bool,
}

/// How many bytes a hex string holds.
fn bytes(text: &str) -> anyhow::Result<usize> {
    Ok(unhex(text)?.len())
}

fn unhex(text: &str) -> anyhow::Result<Vec<u8>> {
    hex::decode(text).map_err(|_| Refused("the server did not answer in hex".to_owned()).into())
}

fn flip_last_bit(text: &str) -> anyhow::Result<String> {
    let mut bytes = unhex(text)?;
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    Ok(hex::encode(bytes))
}

const TEXT: &str = "Meet me at noon. Zażółć gęślą jaźń, 你好 🔑";
const RECEIPT: &str = "received";
