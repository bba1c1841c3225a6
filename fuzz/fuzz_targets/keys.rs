#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pqc_fuzz::keys::prepare(),
    |bytes: &[u8]| pqc_fuzz::keys::run(bytes)
);
