//! AWS-LC beside the core, on the inputs of `kem/…`, `sign/…` and `aead/…`. It draws its own
//! randomness and takes no context. Its keys are read before: they stand beside the core's
//! `…-prepared`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::kem::{self, DecapsulationKey};
use aws_lc_rs::signature::{self, KeyPair, ParsedPublicKey, PqdsaKeyPair};
use criterion::{BatchSize, Criterion, Throughput};
use pqc_core::SignatureAlgorithm;
use pqc_core::kem::ParameterSet;

use crate::aead::SIZES;

const MESSAGE: &[u8] = &[0x5a; 64];

pub(crate) fn all(criterion: &mut Criterion) {
    kem(criterion);
    sign(criterion);
    aead(criterion);
}

fn kem(criterion: &mut Criterion) {
    let sets = [
        (ParameterSet::MlKem512, &kem::ML_KEM_512),
        (ParameterSet::MlKem768, &kem::ML_KEM_768),
        (ParameterSet::MlKem1024, &kem::ML_KEM_1024),
    ];

    let mut group = criterion.benchmark_group("aws-lc/kem/keygen");
    for (set, algorithm) in sets {
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| DecapsulationKey::generate(algorithm).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("aws-lc/kem/encapsulate");
    for (set, algorithm) in sets {
        let key = DecapsulationKey::generate(algorithm).unwrap();
        let public = key.encapsulation_key().unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| public.encapsulate().unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("aws-lc/kem/decapsulate");
    for (set, algorithm) in sets {
        let key = DecapsulationKey::generate(algorithm).unwrap();
        let (ciphertext, _) = key.encapsulation_key().unwrap().encapsulate().unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.decapsulate(ciphertext.as_ref().into()).unwrap());
        });
    }
    group.finish();
}

fn sign(criterion: &mut Criterion) {
    use SignatureAlgorithm::{MlDsa44, MlDsa65, MlDsa87};
    let sets = [
        (MlDsa44, &signature::ML_DSA_44_SIGNING, &signature::ML_DSA_44),
        (MlDsa65, &signature::ML_DSA_65_SIGNING, &signature::ML_DSA_65),
        (MlDsa87, &signature::ML_DSA_87_SIGNING, &signature::ML_DSA_87),
    ];
    let key_of = |algorithm| PqdsaKeyPair::from_seed(algorithm, &[7; 32]).unwrap();

    let mut group = criterion.benchmark_group("aws-lc/sign/keygen");
    for (set, algorithm, _) in sets {
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| PqdsaKeyPair::generate(algorithm).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("aws-lc/sign/sign");
    for (set, algorithm, _) in sets {
        let key = key_of(algorithm);
        let mut made = vec![0; set.signature_bytes()];
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.sign(MESSAGE, &mut made).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("aws-lc/sign/verify");
    for (set, algorithm, verification) in sets {
        let key = key_of(algorithm);
        let mut made = vec![0; set.signature_bytes()];
        key.sign(MESSAGE, &mut made).unwrap();
        let key = ParsedPublicKey::new(verification, key.public_key()).unwrap();
        group.bench_function(set.name(), |bencher| {
            bencher.iter(|| key.verify_sig(MESSAGE, &made).unwrap());
        });
    }
    group.finish();
}

/// AES-256-GCM under a random nonce of 12 bytes, where a box has one of 24.
fn aead(criterion: &mut Criterion) {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, &[7; 32]).unwrap();

    let mut group = criterion.benchmark_group("aws-lc/aead/seal");
    for (name, size) in SIZES {
        let text = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut made = Vec::with_capacity(size + 16);
                made.extend_from_slice(&text);
                cipher.seal_in_place_append_tag(Aad::empty(), &mut made).unwrap();
                made
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("aws-lc/aead/open");
    for (name, size) in SIZES {
        let mut sealed = vec![0x5a; size];
        let nonce = *cipher.seal_in_place_append_tag(Aad::empty(), &mut sealed).unwrap().as_ref();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| {
            let open = |mut sealed: Vec<u8>| {
                cipher.open_in_place(Nonce::from(&nonce), Aad::empty(), &mut sealed).unwrap();
                sealed
            };
            bencher.iter_batched(|| sealed.clone(), open, BatchSize::LargeInput);
        });
    }
    group.finish();
}
