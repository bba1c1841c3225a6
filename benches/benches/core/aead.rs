//! The message box, from a derived key: HKDF is set-up, the derivation for the nonce is not.

use criterion::{BatchSize, Criterion, Throughput};
use getrandom::SysRng;
use pqc_core::{BoxKey, Secret};

pub(crate) const SIZES: [(&str, usize); 4] =
    [("16B", 16), ("1KiB", 1 << 10), ("16KiB", 16 << 10), ("1MiB", 1 << 20)];

pub(crate) fn all(criterion: &mut Criterion) {
    let key = BoxKey::from_caller(&Secret::generate(&mut SysRng).unwrap());

    let mut group = criterion.benchmark_group("aead/seal");
    for (name, size) in SIZES {
        let text = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| key.seal(&text, b"", &mut SysRng).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("aead/open");
    for (name, size) in SIZES {
        let sealed = key.seal(&vec![0x5a; size], b"", &mut SysRng).unwrap();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| {
            let set_up = || sealed.clone();
            let open = |sealed| key.open_in_place(sealed, b"").unwrap();
            bencher.iter_batched(set_up, open, BatchSize::LargeInput);
        });
    }
    group.finish();
}
