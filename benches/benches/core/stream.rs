//! Streams: all of one that is in memory, HKDF included, and its chunks alone, as in constant memory.

use criterion::{Criterion, Throughput};
use getrandom::SysRng;
use pqc_core::stream::{CHUNK_BYTES, ChunkPlace, SEALED_CHUNK_BYTES};
use pqc_core::{Secret, StreamHeader, StreamKey, StreamOpener, StreamSealer};

const MIB: usize = 1 << 20;

pub(crate) fn all(criterion: &mut Criterion) {
    let key = StreamKey::from_caller(&Secret::generate(&mut SysRng).unwrap());
    let text = vec![0x5a; MIB];
    let stream = key.seal(&text, b"", &mut SysRng).unwrap();

    let mut group = criterion.benchmark_group("stream/seal");
    group.throughput(Throughput::Bytes(MIB as u64));
    group.bench_function("1MiB", |bencher| {
        bencher.iter(|| key.seal(&text, b"", &mut SysRng).unwrap());
    });
    let chunk = text.first_chunk::<CHUNK_BYTES>().unwrap();
    let (mut sealer, _) = StreamSealer::new(&key, b"", &mut SysRng).unwrap();
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    group.bench_function("chunk", |bencher| {
        bencher.iter(|| sealer.seal_chunk(chunk).unwrap());
    });
    group.finish();

    let mut group = criterion.benchmark_group("stream/open");
    group.throughput(Throughput::Bytes(MIB as u64));
    group.bench_function("1MiB", |bencher| {
        bencher.iter(|| key.open(&stream, b"").unwrap());
    });
    let (header, chunks) = StreamHeader::split_from(&stream).unwrap();
    let opener = StreamOpener::new(&key, &header, b"").unwrap();
    let (chunk, _) = chunks.split_first_chunk::<SEALED_CHUNK_BYTES>().unwrap();
    let first = ChunkPlace { index: 0, is_last: false };
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    group.bench_function("chunk", |bencher| {
        bencher.iter(|| opener.open_at(first, chunk).unwrap());
    });
    group.finish();
}
