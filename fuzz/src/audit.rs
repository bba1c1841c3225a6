//! Bytes are an audit entry or a checkpoint that writes back the same, or none; and no checkpoint is
//! the key's word but the genuine one.

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use pqc_core::Timestamp;
use pqc_core::audit::{Actor, ChainHead, ChainId, Checkpoint, CheckpointKey, Entry};

use crate::{Constant, Edit, decode, edited};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// Any bytes, as an entry.
    Entry { bytes: &'a [u8] },
    /// A genuine entry after some edits.
    EditedEntry { edits: Vec<Edit<'a>> },
    /// Any bytes, as a checkpoint, of its length or not.
    Checkpoint { fits: bool, bytes: &'a [u8] },
    /// A genuine checkpoint after some edits.
    EditedCheckpoint { edits: Vec<Edit<'a>> },
}

struct Fixture {
    entry: Vec<u8>,
    key: CheckpointKey,
    checkpoint: Vec<u8>,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let rng = &mut Constant(7);
    let now = Timestamp::from_seconds(1);
    let entry = Entry::new(now, "sign", Actor::Operator).to_bytes();
    let key = CheckpointKey::generate(rng).unwrap();
    let head = ChainHead::begin(ChainId::from_bytes([7; 16])).after(&entry);
    let checkpoint = key.sign(None, &head, now, rng).unwrap().to_bytes();
    Fixture { entry, key, checkpoint }
});

/// Makes the genuine checkpoint, before an input's time counts.
pub fn prepare() {
    LazyLock::force(&FIXTURE);
}

/// Runs the target on what the fuzzer, or the kept corpus, gives.
pub fn run(bytes: &[u8]) {
    if let Some(input) = decode(bytes) {
        check(input);
    }
}

fn check(input: Input<'_>) {
    let fixture = &*FIXTURE;
    match input {
        Input::Entry { bytes } => entry(bytes),
        Input::EditedEntry { edits } => entry(&edited(&fixture.entry, &edits)),
        Input::Checkpoint { fits, bytes } => {
            let mut bytes = bytes.to_vec();
            if fits {
                bytes.resize(Checkpoint::BYTES, 1);
            }
            checkpoint(&bytes);
        }
        Input::EditedCheckpoint { edits } => checkpoint(&edited(&fixture.checkpoint, &edits)),
    }
}

fn entry(bytes: &[u8]) {
    if let Ok(read) = Entry::from_bytes(bytes) {
        assert_eq!(read.to_bytes(), bytes);
    }
}

fn checkpoint(bytes: &[u8]) {
    let fixture = &*FIXTURE;
    let Ok(read) = Checkpoint::from_bytes(bytes) else { return };
    assert_eq!(read.to_bytes(), bytes);
    let is_genuine = bytes == fixture.checkpoint;
    assert_eq!(read.is_by(fixture.key.verifying_key()), is_genuine);
}
