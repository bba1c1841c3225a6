//! A text is a token that writes back the same, or none.

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
    }
}
