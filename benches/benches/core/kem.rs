//! ML-KEM, by the active backend.

use criterion::Criterion;
use getrandom::SysRng;
use pqc_core::{DecapsulationKey, EncapsulationKey, KemAlgorithm};

pub(crate) fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kem/keygen");
    for set in KemAlgorithm::ALL {
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| DecapsulationKey::generate(set, &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("kem/decode");
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, &mut SysRng).unwrap();
        let bytes = key.encapsulation_key().as_bytes();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| EncapsulationKey::from_bytes(bytes).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("kem/encapsulate");
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, &mut SysRng).unwrap();
        let public = key.encapsulation_key();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| public.encapsulate_unattested(&mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("kem/decapsulate");
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, &mut SysRng).unwrap();
        let (ciphertext, _) = key.encapsulation_key().encapsulate_unattested(&mut SysRng).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.decapsulate(&ciphertext).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("kem/encapsulate-prepared");
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, &mut SysRng).unwrap();
        let public = key.encapsulation_key().prepare().unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| public.encapsulate_unattested(&mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("kem/decapsulate-prepared");
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, &mut SysRng).unwrap();
        let (ciphertext, _) = key.encapsulation_key().encapsulate_unattested(&mut SysRng).unwrap();
        let key = key.prepare().unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.decapsulate(&ciphertext).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("kem/prepare");
    for set in KemAlgorithm::ALL {
        let key = DecapsulationKey::generate(set, &mut SysRng).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.prepare().unwrap());
        });
    }
    group.finish();
}
