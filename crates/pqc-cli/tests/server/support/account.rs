//! Accounts of one test, and the key pairs they make.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{Client, Server, text};

/// An account, made by the operator's verb.
pub(crate) struct Account {
    /// Its name.
    pub(crate) name: String,
    /// Its id in hex.
    pub(crate) id: String,
    /// Whoever holds its root token.
    pub(crate) root: Client,
}

impl Account {
    pub(super) fn made_on(server: &Server, custody: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("account-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let made = server.verb(&format!("account new {name} --custody {custody} --json")).json();
        let root = server.holder(&text(&made, "root_token"));
        Self { name, id: text(&made, "id"), root }
    }
}

/// What `generate_keys` answers.
#[derive(Clone)]
pub(crate) struct KeyPair {
    /// The public key.
    pub(crate) pk: String,
    /// The issuer's word.
    pub(crate) attestation: String,
    /// The issuer's key.
    pub(crate) issuer: String,
    /// The key's id.
    pub(crate) key_id: String,
    /// The seed, if the client holds it.
    pub(crate) sk: Option<String>,
}

impl From<&Value> for KeyPair {
    fn from(answer: &Value) -> Self {
        Self {
            pk: text(answer, "pk"),
            attestation: text(answer, "verification_signature"),
            issuer: text(answer, "verification_key"),
            key_id: text(answer, "key_id"),
            sk: answer.get("sk").map(|_| text(answer, "sk")),
        }
    }
}

impl KeyPair {
    /// The fields of an encapsulation to it.
    pub(crate) fn to_encapsulate(&self) -> Value {
        json!({"pk": self.pk, "signature": self.attestation, "verif_key": self.issuer})
    }

    /// Encapsulates to it, as `client`: ciphertext and shared key.
    #[track_caller]
    pub(crate) fn encapsulated_by(&self, client: &Client) -> (String, String) {
        let answer = client.post("/api/kem/encapsulate_key", &self.to_encapsulate()).ok();
        (text(&answer, "cipher"), text(&answer, "shared_key"))
    }
}
