//! The reference backend through the seam, on the inputs of `kem/…` and `sign/…`.

use criterion::Criterion;
use getrandom::SysRng;
use pqc_core::backend::{Backend, RustCrypto};
use pqc_core::kem::ParameterSet;
use pqc_core::{Secret, SignatureAlgorithm};

const MESSAGE: &[u8] = &[0x5a; 64];

pub(crate) fn all(criterion: &mut Criterion) {
    kem(criterion);
    sign(criterion);
}

fn kem(criterion: &mut Criterion) {
    let seed = Secret::generate(&mut SysRng).unwrap();
    let message = Secret::generate(&mut SysRng).unwrap();

    let mut group = criterion.benchmark_group("reference/kem/keygen");
    for set in ParameterSet::ALL {
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| RustCrypto::kem_key_pair(set, &seed));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("reference/kem/encapsulate");
    for set in ParameterSet::ALL {
        let (public, _) = RustCrypto::kem_key_pair(set, &seed);
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| RustCrypto::encapsulate(set, &public, &message).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("reference/kem/decapsulate");
    for set in ParameterSet::ALL {
        let (public, expanded) = RustCrypto::kem_key_pair(set, &seed);
        let (ciphertext, _) = RustCrypto::encapsulate(set, &public, &message).unwrap();
        let expanded = expanded.expose_bytes();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| RustCrypto::decapsulate(set, expanded, &ciphertext).unwrap());
        });
    }
    group.finish();
}

fn sign(criterion: &mut Criterion) {
    let seed = Secret::generate(&mut SysRng).unwrap();

    let mut group = criterion.benchmark_group("reference/sign/keygen");
    for set in SignatureAlgorithm::ALL {
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| RustCrypto::signing_key_pair(set, &seed));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("reference/sign/sign");
    for set in SignatureAlgorithm::ALL {
        let (_, expanded) = RustCrypto::signing_key_pair(set, &seed);
        let expanded = expanded.expose_bytes();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| {
                let hedge = Secret::generate(&mut SysRng).unwrap();
                RustCrypto::sign(set, expanded, MESSAGE, b"", &hedge).unwrap()
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("reference/sign/verify");
    for set in SignatureAlgorithm::ALL {
        let (public, expanded) = RustCrypto::signing_key_pair(set, &seed);
        let hedge = Secret::generate(&mut SysRng).unwrap();
        let expanded = expanded.expose_bytes();
        let signature = RustCrypto::sign(set, expanded, MESSAGE, b"", &hedge).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| RustCrypto::verify(set, &public, MESSAGE, b"", &signature));
        });
    }
    group.finish();
}
