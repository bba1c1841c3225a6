//! What each call costs before its operation: the token is read, hashed, judged.

use std::hint::black_box;

use criterion::Criterion;
use getrandom::SysRng;
use pqc_core::Timestamp;
use pqc_core::token::{Scope, TokenKind, TokenState, TokenValue, spend};

pub(crate) fn all(criterion: &mut Criterion) {
    let token = TokenValue::generate(TokenKind::Temporary, &mut SysRng).unwrap();
    let text = token.expose_text();
    criterion.bench_function("token/parse", |bencher| {
        bencher.iter(|| TokenValue::parse(black_box(&text)).unwrap());
    });
    criterion.bench_function("token/hash", |bencher| bencher.iter(|| token.hash()));

    let now = Timestamp::from_seconds(10);
    let state = TokenState {
        kind: TokenKind::Temporary,
        scope: Scope::FULL,
        expires_at: Some(now.plus_seconds(900)),
        attempts_left: Some(1),
        revoked: false,
        account_disabled: false,
    };
    criterion.bench_function("token/spend", |bencher| {
        bencher.iter(|| spend(black_box(&state), black_box(now)).unwrap());
    });
}
