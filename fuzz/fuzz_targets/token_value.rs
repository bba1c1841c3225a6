//! A text is a token that writes back the same, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pqc_core::token::TokenValue;

fuzz_target!(|text: &str| {
    if let Ok(token) = TokenValue::parse(text) {
        assert_eq!(&*token.expose_text(), text);
        assert_eq!(TokenValue::parse(text).unwrap().hash(), token.hash());
    }
});
