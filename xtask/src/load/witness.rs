//! The witness: a slow connection beside the loud ones, which asks for the same while they are
//! measured, and checks that the answers are true. A fast wrong answer ends the run.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::material::{KEY, decrypt, encrypt};
use super::subject::{Client, Kind, Subject};
use crate::server::{encapsulation_to, field, hex_field};

/// What it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// A new pair decapsulates what is encapsulated to it, and is another than the last.
    Pair,
    /// A secret arrives; of an altered ciphertext another one.
    Encapsulation,
    /// The same with a pair that the client holds.
    ClientsEncapsulation,
    /// A signature verifies, and not for another text.
    Signature,
    /// A text comes back from under the stored key.
    Text,
    /// A text comes back from under a key that the caller brings.
    CallersText,
    /// A token of one attempt opens once.
    Token,
}

/// Watches until it is over: how often it did.
///
/// # Errors
/// An answer is not true.
pub(crate) fn watch(subject: &Subject, what: Watch, over: &AtomicBool) -> anyhow::Result<u64> {
    let mut witness =
        Witness { client: subject.connect()?, kind: subject.kind, last: String::new() };
    let mut times = 0;
    loop {
        witness.look(what, times).with_context(|| format!("an answer is not true: {what:?}"))?;
        times += 1;
        if over.load(Ordering::Relaxed) {
            return Ok(times);
        }
        thread::sleep(PAUSE);
    }
}

struct Witness {
    client: Client,
    kind: Kind,
    /// What must not come again.
    last: String,
}

impl Witness {
    fn look(&mut self, what: Watch, times: u64) -> anyhow::Result<()> {
        match what {
            Watch::Pair | Watch::Encapsulation => self.pair(),
            Watch::ClientsEncapsulation => self.clients_pair(),
            Watch::Signature => self.signature(times),
            Watch::Text => self.text(times, None),
            Watch::CallersText => self.text(times, Some(KEY)),
            Watch::Token => self.token(),
        }
    }

    fn is_new(&mut self, value: &str) -> anyhow::Result<()> {
        ensure!(self.last != value, "the same once more");
        value.clone_into(&mut self.last);
        Ok(())
    }

    fn pair(&mut self) -> anyhow::Result<()> {
        let pair = self.client.post("/api/kem/generate_keys", "{}")?;
        let pk = hex_field(&pair, "pk")?;
        self.is_new(pk)?;
        let sent = self.client.post("/api/kem/encapsulate_key", &encapsulation_to(&pair)?)?;
        let (cipher, secret) = (hex_field(&sent, "cipher")?, hex_field(&sent, "shared_key")?);
        ensure!(secret.len() == 64, "a secret of another length");
        for (cipher, is_same) in [(cipher.to_owned(), true), (altered(cipher), false)] {
            let request = format!(r#"{{"cipher":"{cipher}","pk":"{pk}"}}"#);
            let got = self.client.post("/api/kem/decapsulate_key", &request)?;
            ensure!((hex_field(&got, "shared_key")? == secret) == is_same, "a wrong secret");
        }
        Ok(())
    }

    fn clients_pair(&mut self) -> anyhow::Result<()> {
        let pair = self.client.post("/api/v1/pqc/kem/generate-keys/", "{}")?;
        let public = hex_field(&pair, "encapsulation_key")?;
        self.is_new(public)?;
        let request = format!(r#"{{"encapsulation_key":"{public}"}}"#);
        let sent = self.client.post("/api/v1/pqc/kem/encapsulate/", &request)?;
        let key = hex_field(&pair, "decapsulation_key")?;
        let (cipher, secret) =
            (hex_field(&sent, "ciphertext")?, hex_field(&sent, "shared_secret")?);
        for (cipher, is_same) in [(cipher.to_owned(), true), (altered(cipher), false)] {
            let request = format!(r#"{{"decapsulation_key":"{key}","ciphertext":"{cipher}"}}"#);
            let got = self.client.post("/api/v1/pqc/kem/decapsulate/", &request)?;
            ensure!((hex_field(&got, "shared_secret")? == secret) == is_same, "a wrong secret");
        }
        Ok(())
    }

    fn signature(&mut self, times: u64) -> anyhow::Result<()> {
        let data = format!("text {times}");
        let request = format!(r#"{{"data":"{data}"}}"#);
        let signed = self.client.post("/api/signature/sign", &request)?;
        let (signature, pk) = (hex_field(&signed, "signature")?, hex_field(&signed, "pk")?);
        for (data, verified) in [(data.as_str(), "true"), ("another text", "false")] {
            let request = format!(r#"{{"data":"{data}","pk":"{pk}","signature":"{signature}"}}"#);
            let answer = self.client.post("/api/signature/verify", &request)?;
            let said = format!(r#"{{"verified":{verified}}}"#);
            ensure!(answer == said, "{data}: {answer}");
        }
        Ok(())
    }

    fn text(&mut self, times: u64, key: Option<&str>) -> anyhow::Result<()> {
        let text = format!("text {times}");
        let sealed = self.client.post("/api/aes/encrypt_text", &encrypt(&text, key))?;
        self.is_new(&sealed)?;
        let opened = self.client.post("/api/aes/decrypt_text", &decrypt(&sealed, key)?)?;
        ensure!(opened == format!("\"{text}\""), "another text");
        Ok(())
    }

    fn token(&mut self) -> anyhow::Result<()> {
        let minted = self.client.post("/api/token/new", "{}")?;
        let token = field(&minted, "new_token")?;
        self.is_new(token)?;
        if self.kind == Kind::Pqc {
            let (path, body) = ("/api/v1/pqc/kem/generate-keys/", "{}");
            ensure!(self.client.status(path, token, body)? == 200, "a new token is refused");
            ensure!(self.client.status(path, token, body)? == 401, "a spent token is taken");
        }
        Ok(())
    }
}

/// The same with another first digit.
fn altered(hex: &str) -> String {
    let (first, rest) = hex.split_at_checked(1).unwrap_or((hex, ""));
    format!("{}{rest}", if first == "0" { "1" } else { "0" })
}

/// Between two looks: it is not to be felt.
const PAUSE: Duration = Duration::from_millis(100);

#[test]
fn an_altered_text_is_another_of_the_same_length() {
    assert_eq!(altered("0f"), "1f");
    assert_eq!(altered("f0"), "00");
}
