//! Lists of what can happen to tokens: none serves more than it was minted for, none after its time,
//! its revocation or its account's end, and none that still may is refused.

use arbitrary::Arbitrary;
use pqc_core::Timestamp;
use pqc_core::token::{
    MintPolicy, OperationSet, Scope, TokenKind, TokenState, authenticate, spend,
};

use crate::decode;

#[derive(Debug, Arbitrary)]
enum Event {
    Mint { lifetime: Option<u64>, attempts: Option<u64>, operations: u16 },
    Spend(u8),
    Wait(u32),
    Revoke(u8),
    Disable(bool),
}

struct Token {
    state: TokenState,
    minted: u64,
    lifetime: u64,
    attempts: u64,
    served: u64,
    revoked: bool,
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: (u32, u64, Vec<Event>)) {
    let (max_lifetime, start, events) = input;
    let policy = MintPolicy { max_lifetime_seconds: u64::from(max_lifetime) };
    let mut now = start;
    let mut disabled = false;
    let mut tokens: Vec<Token> = Vec::new();
    // Each may touch every token so far: more of them would take the square of their count.
    for event in events.into_iter().take(1 << 12) {
        let time = Timestamp::from_millis(now);
        match event {
            Event::Mint { lifetime, attempts, operations } => {
                let terms = policy.terms(time, lifetime, attempts);
                let lifetime = lifetime.unwrap_or(900.min(policy.max_lifetime_seconds));
                let attempts = attempts.unwrap_or(1);
                let allowed = (1..=policy.max_lifetime_seconds).contains(&lifetime)
                    && (1..=1_000_000).contains(&attempts);
                assert_eq!(terms.is_ok(), allowed);
                let Ok(terms) = terms else { continue };
                let state = TokenState {
                    kind: TokenKind::Temporary,
                    scope: Scope { operations: OperationSet::from_bits(operations), key_id: None },
                    expires_at: Some(terms.expires_at),
                    attempts_left: Some(terms.attempts),
                    revoked: false,
                    account_disabled: disabled,
                };
                let served = 0;
                let minted = now;
                tokens.push(Token { state, minted, lifetime, attempts, served, revoked: false });
            }
            Event::Wait(millis) => now = now.saturating_add(u64::from(millis)),
            Event::Disable(value) => {
                disabled = value;
                tokens.iter_mut().for_each(|token| token.state.account_disabled = value);
            }
            Event::Revoke(which) => {
                let count = tokens.len().max(1);
                if let Some(token) = tokens.get_mut(usize::from(which) % count) {
                    token.state.revoked = true;
                    token.revoked = true;
                }
            }
            Event::Spend(which) => {
                let count = tokens.len().max(1);
                let Some(token) = tokens.get_mut(usize::from(which) % count) else { continue };
                let end = token.minted.saturating_add(token.lifetime.saturating_mul(1000));
                let alive =
                    !disabled && !token.revoked && now < end && token.served < token.attempts;
                assert_eq!(authenticate(&token.state, time).is_ok(), alive);
                if let Ok(after) = spend(&token.state, time) {
                    assert!(alive);
                    token.served += 1;
                    let left = token.attempts - token.served;
                    assert_eq!(after.attempts_left.map(u64::from), Some(left));
                    token.state = after;
                } else {
                    assert!(!alive);
                }
            }
        }
    }
}
