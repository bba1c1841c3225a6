//! Values that no honest server hands out, written by the description of the format alone.

use pqc_core::{Context, KemAlgorithm, SignatureAlgorithm, SigningKey};
use serde_json::{Value, json};

use super::Server;

/// An issuer of our own.
pub(crate) struct Issuer(SigningKey);

impl Issuer {
    /// A new one, which nobody trusts.
    pub(crate) fn new(algorithm: SignatureAlgorithm) -> Self {
        Self(SigningKey::generate(algorithm, &mut getrandom::SysRng).unwrap())
    }

    /// Its public key in hex.
    pub(crate) fn public(&self) -> String {
        hex::encode(self.0.verifying_key().as_bytes())
    }

    /// Makes `server` trust it from now on.
    #[track_caller]
    pub(crate) fn trusted_by(self, server: &Server) -> Self {
        let run = server.folder.verb_reading("issuer trust -", self.public().as_bytes());
        run.ended(0);
        self
    }

    /// Its word for `pk` (any bytes), as the fields of an encapsulation.
    pub(crate) fn vouches_for(&self, pk: &[u8], account: &str, expires_at: u64) -> Value {
        let set = KemAlgorithm::of_encapsulation_key(pk.len()).unwrap();
        let word = attestation_of(&self.0, set.name(), pk, account, expires_at);
        let signature = hex::encode(word);
        json!({"pk": hex::encode(pk), "signature": signature, "verif_key": self.public()})
    }
}

/// `0x01 ‖ account ‖ issued_at ‖ expires_at ‖ ML-DSA signature`, where what is signed is that head
/// followed by `u8 length ‖ algorithm name ‖ u32 length ‖ pk`.
fn attestation_of(
    key: &SigningKey,
    algorithm: &str,
    pk: &[u8],
    account: &str,
    expires_at: u64,
) -> Vec<u8> {
    let mut word = vec![1];
    word.extend(hex::decode(account).unwrap());
    word.extend(super::now().to_be_bytes());
    word.extend(expires_at.to_be_bytes());
    let mut signed = word.clone();
    signed.push(algorithm.len() as u8);
    signed.extend(algorithm.as_bytes());
    signed.extend((pk.len() as u32).to_be_bytes());
    signed.extend(pk);
    let context = Context::new(b"pqc/v1/attestation").unwrap();
    let signature = key.sign(&signed, context, &mut getrandom::SysRng).unwrap();
    word.extend(signature.as_bytes());
    word
}

/// The key with its first coefficient set to q = 3329, the least that is not reduced
/// (FIPS 203, Section 7.2).
pub(crate) fn unreduced(pk: &[u8]) -> Vec<u8> {
    let mut bytes = pk.to_vec();
    // Twelve bits, the low eight first.
    bytes[0] = 0x01;
    bytes[1] = bytes[1] & 0xf0 | 0x0d;
    bytes
}
