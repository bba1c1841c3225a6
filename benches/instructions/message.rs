//! The message box (XAES-256-GCM), from a derived key.

use pqc_core::{BoxKey, Secret};

use crate::case::Case;
use crate::seeded::Seeded;

const SIZES: [(&str, usize); 2] = [("1KiB", 1 << 10), ("64KiB", 64 << 10)];
const RUNS: u32 = 20;
/// These, and the one before that is not counted.
const MOST_RUNS: usize = 21;

pub(crate) fn cases() -> Vec<Case> {
    SIZES.into_iter().flat_map(of).collect()
}

fn of((name, size): (&str, usize)) -> [Case; 2] {
    [
        Case::new(format!("message/seal/{name}"), RUNS, move || {
            let (key, text, mut rng) = (key(), vec![0x5a; size], Seeded::new());
            move || key.seal(&text, b"", &mut rng).unwrap()
        }),
        Case::new(format!("message/open/{name}"), RUNS, move || {
            let key = key();
            let sealed = key.seal(&vec![0x5a; size], b"", &mut Seeded::new()).unwrap();
            // As the server does it: in the box's own buffer.
            let mut boxes = vec![sealed; MOST_RUNS];
            move || key.open_in_place(boxes.pop().unwrap(), b"").unwrap()
        }),
    ]
}

fn key() -> BoxKey {
    BoxKey::from_caller(&Secret::from([7; 32]))
}
