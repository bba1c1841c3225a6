//! What the core costs. Names are `family/operation/parameter`, so that one can be picked:
//! `cargo bench -p pqc-benches -- kem/encapsulate`.
//!
//! Set-up (keys, decoding) is outside the loops; randomness is the operating system's, as in the
//! server. For comparison `reference/…` is the RustCrypto backend through the seam, and `aws-lc/…` is
//! AWS-LC, without it.
#![allow(missing_docs, reason = "criterion's macros make public functions")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot set itself up should stop")]

mod aead;
mod attest;
mod aws_lc;
mod kem;
mod reference;
mod sign;
mod stream;
mod token;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    core,
    kem::all,
    sign::all,
    aead::all,
    stream::all,
    attest::all,
    token::all,
    reference::all,
    aws_lc::all,
    selftest
);
criterion_main!(core);

fn selftest(criterion: &mut criterion::Criterion) {
    criterion.bench_function("selftest/run", |bencher| {
        bencher.iter(|| pqc_core::selftest::run(&mut getrandom::SysRng).unwrap());
    });
}
