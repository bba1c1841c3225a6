#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pqc_fuzz::inspect::prepare(),
    |bytes: &[u8]| pqc_fuzz::inspect::run(bytes)
);
