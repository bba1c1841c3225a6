//! Bytes are a sealed record that writes back the same, or none; and none that was not sealed
//! opens, whatever it is said to be.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pqc_core::{AccountId, MasterKey, MasterKeys, RecordKind, RecordName, SealedRecord, Secret};

static MASTERS: LazyLock<MasterKeys> = LazyLock::new(|| {
    let key = |version| MasterKey::new(version, Secret::from([7; 32]));
    MasterKeys::new(key(2)).with_older(key(1))
});

fuzz_target!(|input: (&[u8], &str, &[u8])| {
    let (bytes, algorithm, record_id) = input;
    if let Ok(read) = SealedRecord::from_bytes(bytes.to_vec()) {
        assert_eq!(read.as_bytes(), bytes);
        let _ = read.master_version();
        let account = AccountId::SERVER;
        let name = RecordName { account, kind: RecordKind::IssuerKey, algorithm, record_id };
        assert!(MASTERS.open(&name, &read).is_err());
    }
});
