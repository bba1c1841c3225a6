//! A record under the master key, as a store keeps it: the seed of a decapsulation key.

use pqc_core::{AccountId, MasterKey, MasterKeys, RecordKind, RecordName, Secret};

use crate::case::Case;
use crate::seeded::Seeded;

const NAME: RecordName<'_> = RecordName {
    account: AccountId::from_bytes([1; 16]),
    kind: RecordKind::DecapsulationKey,
    algorithm: "ML-KEM-768",
    record_id: &[7; 32],
};
const RUNS: u32 = 50;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("record/seal", RUNS, || {
            let (masters, mut rng) = (masters(), Seeded::new());
            move || masters.seal(&NAME, &[7; 64], &mut rng).unwrap()
        }),
        Case::new("record/open", RUNS, || {
            let masters = masters();
            let sealed = masters.seal(&NAME, &[7; 64], &mut Seeded::new()).unwrap();
            move || masters.open(&NAME, &sealed).unwrap()
        }),
    ]
}

fn masters() -> MasterKeys {
    MasterKeys::new(MasterKey::new(1, Secret::from([7; 32])))
}
