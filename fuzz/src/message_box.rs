//! Bytes are a box that writes back the same, or none; and no box that was not sealed opens.

use std::sync::LazyLock;

use pqc_core::{BoxKey, MessageBox, Secret};

use crate::decode;

static KEY: LazyLock<BoxKey> = LazyLock::new(|| BoxKey::from_caller(&Secret::from([7; 32])));

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: (&[u8], &[u8])) {
    let (bytes, associated_data) = input;
    if let Ok(read) = MessageBox::from_bytes(bytes.to_vec()) {
        assert_eq!(read.as_bytes(), bytes);
        let _ = read.key_id();
        assert!(KEY.open(&read, associated_data).is_err());
    }
}
