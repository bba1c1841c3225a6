//! ML-DSA, by the active backend. Signing takes a random number of attempts: the mean counts.

use criterion::Criterion;
use getrandom::SysRng;
use pqc_core::sign::{PreHash, PreHashAlgorithm};
use pqc_core::{Context, SignatureAlgorithm, SigningKey};

const MESSAGE: &[u8] = &[0x5a; 64];

pub(crate) fn all(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sign/keygen");
    for set in SignatureAlgorithm::ALL {
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| SigningKey::generate(set, &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sign/sign");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.sign(MESSAGE, Context::EMPTY, &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sign/verify");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap();
        let signature = key.sign(MESSAGE, Context::EMPTY, &mut SysRng).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.verifying_key().verify(MESSAGE, Context::EMPTY, &signature));
        });
    }
    group.finish();

    prehash(criterion);
    prepared(criterion);
}

fn prehash(criterion: &mut Criterion) {
    let digest = PreHash::of(PreHashAlgorithm::Sha512, MESSAGE);

    let mut group = criterion.benchmark_group("sign/sign-prehash");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.sign_prehash(&digest, Context::EMPTY, &mut SysRng).unwrap());
        });
    }
    group.finish();
}

fn prepared(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sign/prepare");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.prepare().unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sign/sign-mu");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap();
        let mu = key.verifying_key().mu(MESSAGE, Context::EMPTY);
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.sign_mu(&mu, &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sign/sign-prepared");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap().prepare().unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.sign(MESSAGE, Context::EMPTY, &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sign/sign-mu-prepared");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap().prepare().unwrap();
        let mu = key.verifying_key().mu(MESSAGE, Context::EMPTY);
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.sign_mu(&mu, &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("sign/verify-prepared");
    for set in SignatureAlgorithm::ALL {
        let key = SigningKey::generate(set, &mut SysRng).unwrap();
        let signature = key.sign(MESSAGE, Context::EMPTY, &mut SysRng).unwrap();
        let key = key.verifying_key().prepare().unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.verify(MESSAGE, Context::EMPTY, &signature));
        });
    }
    group.finish();
}
