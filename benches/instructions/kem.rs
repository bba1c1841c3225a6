//! ML-KEM and X-Wing, by the active backend.

use pqc_core::{DecapsulationKey, KemAlgorithm};

use crate::case::Case;
use crate::seeded::Seeded;

const RUNS: u32 = 20;

pub(crate) fn cases() -> Vec<Case> {
    KemAlgorithm::ALL.into_iter().flat_map(of).collect()
}

fn of(set: KemAlgorithm) -> [Case; 5] {
    let case = |operation: &str| format!("kem/{operation}/{}", set.name());
    [
        Case::new(case("keygen"), RUNS, move || {
            let mut rng = Seeded::new();
            move || DecapsulationKey::generate(set, &mut rng).unwrap()
        }),
        Case::new(case("encapsulate"), RUNS, move || {
            let (key, mut rng) = key(set);
            move || key.encapsulation_key().encapsulate_unattested(&mut rng).unwrap()
        }),
        Case::new(case("encapsulate-prepared"), RUNS, move || {
            let (key, mut rng) = key(set);
            let prepared = key.encapsulation_key().prepare().unwrap();
            move || prepared.encapsulate_unattested(&mut rng).unwrap()
        }),
        Case::new(case("decapsulate"), RUNS, move || {
            let (key, mut rng) = key(set);
            let (ciphertext, _) = key.encapsulation_key().encapsulate_unattested(&mut rng).unwrap();
            move || key.decapsulate(&ciphertext).unwrap()
        }),
        Case::new(case("decapsulate-prepared"), RUNS, move || {
            let (key, mut rng) = key(set);
            let (ciphertext, _) = key.encapsulation_key().encapsulate_unattested(&mut rng).unwrap();
            let prepared = key.prepare().unwrap();
            move || prepared.decapsulate(&ciphertext).unwrap()
        }),
    ]
}

fn key(set: KemAlgorithm) -> (DecapsulationKey, Seeded) {
    let mut rng = Seeded::new();
    (DecapsulationKey::generate(set, &mut rng).unwrap(), rng)
}
