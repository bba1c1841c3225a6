//! The calls: the bytes of a request in, the bytes of its answer out, and what a server with a store
//! would have written for it.

use anyhow::{Context as _, bail};
use getrandom::SysRng;
use pqc_core::token::{TokenKind, TokenValue};
use pqc_core::{
    Attestation, BoxKey, Ciphertext, Context, DecapsulationKey, EncapsulationKey, Field,
    KemAlgorithm, MessageBox, Secret, Signature, Timestamp, UnverifiedKey,
    VerifiedEncapsulationKey, VerifyingKey,
};
use serde::{Deserialize, Serialize};

use crate::keys::Keys;
use crate::ledger::{Change, NewKey, NewToken};
use crate::wire::*;

type Answered = anyhow::Result<(Vec<u8>, Change)>;

/// Answers a call.
///
/// # Errors
/// No such path; a request that cannot be read.
pub(crate) fn answer(keys: &Keys, path: &str, body: &[u8]) -> Answered {
    match path {
        "/api/kem/generate_keys" => generate_keys(keys),
        "/api/kem/encapsulate_key" => encapsulate_key(keys, &read(body)?),
        "/api/kem/decapsulate_key" => decapsulate_key(keys, &read(body)?),
        "/api/aes/encrypt_text" => encrypt_text(keys, &read(body)?),
        "/api/aes/decrypt_text" => decrypt_text(keys, &read(body)?),
        "/api/signature/sign" => sign(keys, &read(body)?),
        "/api/signature/verify" => verify(&read(body)?),
        "/api/token/new" => new_token(),
        "/api/v1/pqc/kem/generate-keys/" => generate_client_keys(),
        "/api/v1/pqc/kem/encapsulate/" => encapsulate(&read(body)?),
        "/api/v1/pqc/kem/decapsulate/" => decapsulate(&read(body)?),
        "/healthz" => written(&"alive", Change::Use),
        _ => bail!("no such path"),
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> anyhow::Result<T> {
    Ok(serde_json::from_slice(body)?)
}

fn written(answer: &impl Serialize, change: Change) -> Answered {
    Ok((serde_json::to_vec(answer)?, change))
}

fn generate_keys(keys: &Keys) -> Answered {
    let pair = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut SysRng)?;
    let public = pair.encapsulation_key().clone();
    let attestation = keys.issuer.attest(keys.account, &public, now(), None, &mut SysRng)?;
    let attestation = attestation.to_bytes();
    let sealed = pair.seal(&keys.masters, keys.account, &mut SysRng)?;
    keys.keep(pair);
    let attestation_hex = to_hex(&attestation);
    let answer = GenerateKeysAnswer {
        pk: to_hex(public.as_bytes()),
        verification_key: &keys.issuer_hex,
        verification_signature: &attestation_hex,
        signature: &attestation_hex,
        algorithm: public.algorithm().name(),
        key_id: public.key_id().to_string(),
        account: &keys.account_text,
    };
    let row = NewKey {
        id: public.key_id().as_bytes().to_vec(),
        public_key: public.as_bytes().to_vec(),
        attestation,
        sealed: sealed.as_bytes().to_vec(),
    };
    written(&answer, Change::Key(row))
}

fn encapsulate_key(keys: &Keys, request: &EncapsulateKey<'_>) -> Answered {
    let verified = VerifiedEncapsulationKey::verify(
        &UnverifiedKey::from_bytes(&from_hex(request.pk)?)?,
        &Attestation::from_bytes(&from_hex(request.signature)?)?,
        &VerifyingKey::from_bytes(&from_hex(request.verif_key)?)?,
        &keys.trusted,
        None,
        now(),
    )?;
    let (ciphertext, secret) = verified.encapsulate(&mut SysRng)?;
    let answer = EncapsulateKeyAnswer {
        cipher: to_hex(ciphertext.as_bytes()),
        shared_key: to_hex(secret.expose_bytes()),
        account: &keys.account_text,
    };
    // Of a token: the key is nobody's here.
    written(&answer, Change::Spend)
}

fn decapsulate_key(keys: &Keys, request: &DecapsulateKey<'_>) -> Answered {
    let ciphertext = Ciphertext::from_bytes(&from_hex(request.cipher)?)?;
    let secret = keys.pair(&from_hex(request.pk)?)?.decapsulate(&ciphertext)?;
    let answer = DecapsulateKeyAnswer { shared_key: to_hex(secret.expose_bytes()) };
    written(&answer, Change::Use)
}

fn encrypt_text(keys: &Keys, request: &EncryptText<'_>) -> Answered {
    let text = request.unencrypted.as_bytes();
    let sealed = match request.key {
        Some(key) => callers(key)?.seal(text, &[], &mut SysRng)?,
        None => keys.text.seal(text, &[], &mut SysRng)?,
    };
    Ok((hex_json(sealed.as_bytes()), Change::Use))
}

fn decrypt_text(keys: &Keys, request: &DecryptText<'_>) -> Answered {
    let sealed = MessageBox::from_bytes(from_hex(request.ciphertext)?)?;
    let text = match request.key {
        Some(key) => callers(key)?.open_in_place(sealed, &[])?,
        None => keys.text.open_in_place(sealed, &[])?,
    };
    written(&std::str::from_utf8(text.expose_bytes())?, Change::Use)
}

fn callers(key: &str) -> anyhow::Result<BoxKey> {
    Ok(BoxKey::from_caller(&Secret::from_slice(Field::BoxKey, &from_hex(key)?)?))
}

fn sign(keys: &Keys, request: &Sign<'_>) -> Answered {
    let key = match request.algorithm {
        None | Some("ML-DSA-65") => &keys.signing,
        Some("ML-DSA-87") => &keys.large_signing,
        Some(_) => bail!("no such key"),
    };
    let signature = key.sign(request.data.as_bytes(), Context::EMPTY, &mut SysRng)?;
    let public = key.verifying_key();
    let answer = SignAnswer {
        signature: to_hex(signature.as_bytes()),
        pk: to_hex(public.as_bytes()),
        algorithm: public.algorithm().name(),
        key_id: public.key_id().to_string(),
    };
    written(&answer, Change::Use)
}

fn verify(request: &Verify<'_>) -> Answered {
    let public = VerifyingKey::from_bytes(&from_hex(request.pk)?)?;
    let signature = Signature::from_bytes(&from_hex(request.signature)?)?;
    let verified = public.verify(request.data.as_bytes(), Context::EMPTY, &signature);
    written(&VerifyAnswer { verified }, Change::Use)
}

fn new_token() -> Answered {
    let token = TokenValue::generate(TokenKind::Temporary, &mut SysRng)?;
    let mut id = vec![0; 16];
    getrandom::fill(&mut id).context("no randomness")?;
    let expires_at = now().plus_seconds(900);
    let answer = NewTokenAnswer {
        new_token: &token.expose_text(),
        expires_at: expires_at.seconds(),
        attempts: 1,
    };
    let row = NewToken { id, hash: token.hash().as_bytes().to_vec(), expires_at };
    written(&answer, Change::Token(row))
}

fn generate_client_keys() -> Answered {
    let pair = DecapsulationKey::generate(KemAlgorithm::MlKem768, &mut SysRng)?;
    let answer = KemKeysAnswer {
        algorithm: pair.algorithm().name(),
        encapsulation_key: to_hex(pair.encapsulation_key().as_bytes()),
        decapsulation_key: to_hex(pair.expose_seed().context("no seed")?.expose_bytes()),
    };
    written(&answer, Change::Use)
}

fn encapsulate(request: &Encapsulate<'_>) -> Answered {
    let key = EncapsulationKey::from_bytes(&from_hex(request.encapsulation_key)?)?;
    let (ciphertext, secret) = key.encapsulate_unattested(&mut SysRng)?;
    let answer = EncapsulateAnswer {
        ciphertext: to_hex(ciphertext.as_bytes()),
        shared_secret: to_hex(secret.expose_bytes()),
    };
    written(&answer, Change::Use)
}

fn decapsulate(request: &Decapsulate<'_>) -> Answered {
    let ciphertext = Ciphertext::from_bytes(&from_hex(request.ciphertext)?)?;
    let seed = from_hex(request.decapsulation_key)?;
    let key = DecapsulationKey::from_seed_or_expanded(ciphertext.algorithm(), &seed)?;
    let secret = key.decapsulate(&ciphertext)?;
    written(&DecapsulateAnswer { shared_secret: to_hex(secret.expose_bytes()) }, Change::Use)
}

fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since_epoch.map_or(0, |elapsed| elapsed.as_millis());
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn call(keys: &Keys, path: &str, body: Value) -> anyhow::Result<Value> {
        let (answer, _) = answer(keys, path, body.to_string().as_bytes())?;
        Ok(serde_json::from_slice(&answer)?)
    }

    #[test]
    fn what_was_encapsulated_opens() {
        let keys = Keys::new().unwrap();
        let made = call(&keys, "/api/kem/generate_keys", json!({})).unwrap();
        let mut request = json!({
            "pk": made["pk"],
            "signature": made["verification_signature"],
            "verif_key": made["verification_key"],
        });
        let sent = call(&keys, "/api/kem/encapsulate_key", request.clone()).unwrap();
        let got = json!({"cipher": sent["cipher"], "pk": made["pk"]});
        let got = call(&keys, "/api/kem/decapsulate_key", got).unwrap();
        assert_eq!(got["shared_key"], sent["shared_key"]);
        // It does all of the work: for a key that the issuer did not attest there is no answer.
        let other = call(&keys, "/api/kem/generate_keys", json!({})).unwrap();
        request["pk"] = other["pk"].clone();
        assert!(call(&keys, "/api/kem/encapsulate_key", request).is_err());
    }

    #[test]
    fn a_signature_verifies_and_of_another_text_not() {
        let keys = Keys::new().unwrap();
        for algorithm in ["ML-DSA-65", "ML-DSA-87"] {
            let sign = json!({"data": "a text", "algorithm": algorithm});
            let signed = call(&keys, "/api/signature/sign", sign).unwrap();
            for (data, verified) in [("a text", true), ("a test", false)] {
                let (pk, signature) = (&signed["pk"], &signed["signature"]);
                let verify = json!({"data": data, "pk": pk, "signature": signature});
                let answer = call(&keys, "/api/signature/verify", verify).unwrap();
                assert_eq!(answer["verified"], verified, "{algorithm}");
            }
        }
    }

    #[test]
    fn a_text_comes_back() {
        let keys = Keys::new().unwrap();
        for key in [Value::Null, json!("07".repeat(32))] {
            let text = "a \"text\"\n";
            let sealed = json!({"unencrypted": text, "key": key});
            let sealed = call(&keys, "/api/aes/encrypt_text", sealed).unwrap();
            let opened = json!({"ciphertext": sealed, "key": key});
            assert_eq!(call(&keys, "/api/aes/decrypt_text", opened).unwrap(), text);
        }
    }
}
