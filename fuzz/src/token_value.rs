//! A text is a token or a session that writes back the same, or none; and an idempotency key, or none.

use pqc_core::replay::{IdempotencyKey, Replay};
use pqc_core::session::SessionValue;
use pqc_core::token::TokenValue;

use crate::decode;

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(text) = decode(bytes) {
        check(text);
    }
}

fn check(text: &str) {
    if let Ok(token) = TokenValue::parse(text) {
        assert_eq!(&*token.expose_text(), text);
        assert_eq!(TokenValue::parse(text).unwrap().hash(), token.hash());
        let key = IdempotencyKey::parse(text).unwrap();
        assert_eq!(Replay::of(&token, &key).id(), Replay::of(&token, &key).id());
    }
    if let Ok(session) = SessionValue::parse(text) {
        assert_eq!(&*session.expose_text(), text);
        assert!(session.is_form_token(&session.form_token()) && !session.is_form_token(text));
    }
    let is_key = (1..=255).contains(&text.len()) && text.bytes().all(|b| (0x21..0x7f).contains(&b));
    assert_eq!(IdempotencyKey::parse(text).is_ok(), is_key);
}
