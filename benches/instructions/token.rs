//! A token's value: made, read, hashed.

use pqc_core::token::{TokenKind, TokenValue};

use crate::case::Case;
use crate::seeded::Seeded;

/// They are short: set-up has to be small beside them.
const RUNS: u32 = 200;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("token/mint", RUNS, || {
            let mut rng = Seeded::new();
            move || {
                let token = TokenValue::generate(TokenKind::Temporary, &mut rng).unwrap();
                (token.expose_text(), token.hash())
            }
        }),
        Case::new("token/parse", RUNS, || {
            let text = token().expose_text();
            move || TokenValue::parse(&text).unwrap()
        }),
        Case::new("token/hash", RUNS, || {
            let token = token();
            move || token.hash()
        }),
    ]
}

fn token() -> TokenValue {
    TokenValue::generate(TokenKind::Temporary, &mut Seeded::new()).unwrap()
}
