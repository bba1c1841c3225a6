//! Bytes are a sealed record that writes back the same, or none; and none that was not sealed
//! opens, whatever it is said to be. So with a kept answer.

use std::sync::LazyLock;

use pqc_core::replay::{IdempotencyKey, Replay, RequestDigest, SealedAnswer};
use pqc_core::token::TokenValue;
use pqc_core::{AccountId, MasterKey, MasterKeys, RecordKind, RecordName, SealedRecord, Secret};

use crate::decode;

static MASTERS: LazyLock<MasterKeys> = LazyLock::new(|| {
    let key = |version| MasterKey::new(version, Secret::from([7; 32]));
    MasterKeys::new(key(2)).with_older(key(1))
});

static REPLAY: LazyLock<Replay> = LazyLock::new(|| {
    let token = TokenValue::parse("pqc_t_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
    Replay::of(&token, &IdempotencyKey::parse("order-4711").unwrap())
});

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: (&[u8], &str, &[u8])) {
    let (bytes, algorithm, record_id) = input;
    if let Ok(read) = SealedRecord::from_bytes(bytes.to_vec()) {
        assert_eq!(read.as_bytes(), bytes);
        let _ = read.master_version();
        let account = AccountId::SERVER;
        let name = RecordName { account, kind: RecordKind::IssuerKey, algorithm, record_id };
        assert!(MASTERS.open(&name, &read).is_err());
    }
    if let Ok(read) = SealedAnswer::from_bytes(bytes.to_vec()) {
        assert_eq!(read.as_bytes(), bytes);
        let request = REPLAY.request(&RequestDigest::of(&[algorithm.as_bytes(), record_id]));
        assert!(REPLAY.open(&request, &read).is_err());
    }
}
