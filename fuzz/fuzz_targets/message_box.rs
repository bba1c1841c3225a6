//! Bytes are a box that writes back the same, or none; and no box that was not sealed opens.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pqc_core::{BoxKey, MessageBox, Secret};

static KEY: LazyLock<BoxKey> = LazyLock::new(|| BoxKey::from_caller(&Secret::from([7; 32])));

fuzz_target!(|input: (&[u8], &[u8])| {
    let (bytes, associated_data) = input;
    if let Ok(read) = MessageBox::from_bytes(bytes.to_vec()) {
        assert_eq!(read.as_bytes(), bytes);
        let _ = read.key_id();
        assert!(KEY.open(&read, associated_data).is_err());
    }
});
